//! Whether the fuzzing would notice: bugs that other implementations had are planted in small readers of their own, and the
//! functions that are fuzzed have to find them again, by a bounded number of mutations of the kept inputs. The same readers
//! without the bug pass.
//!
//! The mutations come from a fixed seed, so that a canary that is found once is found always. `docs/fuzzing.md` has the figures.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test, and its figures"
)]

mod depth;
mod hunt;

#[allow(dead_code, reason = "the corpus test uses the rest")]
#[path = "../../fuzz/bodies/mod.rs"]
mod bodies;

use aqueduct::rtmp::chunk::Reader;
use bodies::naive::{Habits, Naive};
use bodies::{amf0_depth, chunk_reader};
use hunt::Hunt;

/// A plain reader with these habits, held against the project's own.
fn against_the_reader(habits: Habits) -> impl Fn(&[u8]) {
    move |bytes| {
        chunk_reader::check(bytes, || Naive::new(habits), Reader::new);
    }
}

#[test]
fn a_length_that_shrinks_inside_a_message_is_found() {
    let habits = Habits {
        obeys_length_inside: true,
        ..Habits::default()
    };
    let found = Hunt::with("chunk_reader").run(against_the_reader(habits));
    assert_finding(found, "two ways to read the same");
}

#[test]
fn one_buffer_for_all_chunk_streams_is_found() {
    let habits = Habits {
        shares_one_buffer: true,
        ..Habits::default()
    };
    let found = Hunt::with("chunk_reader").run(against_the_reader(habits));
    assert_finding(found, "two ways to read the same");
}

#[test]
fn amf0_without_a_bound_on_its_depth_is_found() {
    let found = Hunt::with("amf0_depth").run(|bytes| amf0_depth::run_with(bytes, depth::unbounded));
    assert_finding(found, "levels");
}

#[test]
fn nothing_is_found_in_readers_without_a_bug() {
    let bounded = |bytes: &[u8]| amf0_depth::run_with(bytes, depth::bounded);
    for found in [
        Hunt::with("chunk_reader").run(against_the_reader(Habits::default())),
        Hunt::with("amf0_depth").run(bounded),
    ] {
        assert_eq!((found.kept, found.finding), (0, None));
    }
}

/// Found by mutations of those kept inputs that show nothing by themselves, and for the right reason.
fn assert_finding(found: hunt::Found, reason: &str) {
    println!("{found:?}");
    let message = found.finding.unwrap().message;
    assert!(message.contains(reason), "another finding: {message}");
}
