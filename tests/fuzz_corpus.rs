//! Every input that fuzzing kept is run again, by the same code, with any compiler, on a stack as small as a connection's.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[allow(dead_code, reason = "the canaries use the rest")]
#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

/// The stack of a thread that Rust or tokio starts, in bytes; a main thread has four times as much.
const STACK_BYTES: usize = 2 << 20;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// What stands in a folder, without extensions.
fn names(folder: PathBuf) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            path.file_stem().unwrap().to_str().unwrap().to_owned()
        })
        .collect()
}

/// Runs the inputs in a thread of their own, with the stack that they would have.
fn replay(run: fn(&[u8]), inputs: impl IntoIterator<Item = Vec<u8>> + Send + 'static) {
    let work = move || inputs.into_iter().for_each(|input| run(&input));
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    thread.spawn(work).unwrap().join().unwrap();
}

fn replay_corpus(target: &str) {
    let (_, run) = bodies::TARGETS
        .into_iter()
        .find(|(name, _)| *name == target)
        .unwrap();
    let corpus = fuzz().join("corpus").join(target);
    let inputs: Vec<_> = fs::read_dir(corpus)
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(!inputs.is_empty(), "the corpus of {target} is empty");
    replay(run, inputs);
}

#[test]
fn every_target_has_an_entry_point_and_a_corpus() {
    let targets: BTreeSet<_> = bodies::TARGETS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(names(fuzz().join("fuzz_targets")), targets);
    assert_eq!(names(fuzz().join("corpus")), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in targets {
        let entry = fs::read_to_string(fuzz().join(format!("fuzz_targets/{target}.rs"))).unwrap();
        let call = format!("fuzz_target!(|bytes: &[u8]| aqueduct_fuzz::{target}::run(bytes));");
        assert!(entry.contains(&call), "{target}");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")));
    }
}

#[test]
fn amf0_corpus() {
    replay_corpus("amf0");
}

#[test]
fn amf0_depth_corpus() {
    replay_corpus("amf0_depth");
}

#[test]
fn chunk_reader_corpus() {
    replay_corpus("chunk_reader");
}

#[test]
fn client_session_corpus() {
    replay_corpus("client_session");
}

#[test]
fn flv_corpus() {
    replay_corpus("flv");
}

#[test]
fn mp4_corpus() {
    replay_corpus("mp4");
}

#[test]
fn handshake_corpus() {
    replay_corpus("handshake");
}

#[test]
fn server_session_corpus() {
    replay_corpus("server_session");
}

#[test]
fn tag_corpus() {
    replay_corpus("tag");
}

#[test]
fn timeline_corpus() {
    replay_corpus("timeline");
}

#[test]
fn url_corpus() {
    replay_corpus("url");
}

/// What real encoders sent, in pieces of many lengths.
#[test]
fn recorded_sessions() {
    let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/session_recordings");
    for entry in fs::read_dir(recordings).unwrap() {
        let recording = fs::read(entry.unwrap().path()).unwrap();
        let cut = |beginning: fn(u8) -> Vec<u8>| {
            let wire = recording.clone();
            (0..=u8::MAX).map(move |piece| [&beginning(piece)[..], &wire].concat())
        };
        replay(bodies::chunk_reader::run, cut(|piece| vec![1, piece]));
        replay(
            bodies::server_session::run,
            cut(|piece| vec![0, 0, piece, 1]),
        );
    }
}
