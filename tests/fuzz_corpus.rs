//! Every input that fuzzing kept is run again, by the same code, with any compiler.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

#[path = "../fuzz/bodies/amf0.rs"]
mod amf0;
#[path = "../fuzz/bodies/chunk_reader.rs"]
mod chunk_reader;

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut inputs = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        run(&std::fs::read(entry.unwrap().path()).unwrap());
        inputs += 1;
    }
    assert!(inputs > 0, "the corpus of {target} is empty");
}

#[test]
fn chunk_reader_corpus() {
    replay("chunk_reader", chunk_reader::run);
}

#[test]
fn amf0_corpus() {
    replay("amf0", amf0::run);
}

/// What real encoders sent, in pieces of many lengths.
#[test]
fn recorded_sessions() {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/session_recordings");
    for entry in std::fs::read_dir(recordings).unwrap() {
        let recording = std::fs::read(entry.unwrap().path()).unwrap();
        for piece in 0..=u8::MAX {
            chunk_reader::run(&[&[1, piece], &recording[..]].concat());
        }
    }
}
