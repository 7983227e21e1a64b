//! What is fuzzed, apart from what does the fuzzing: each target is a plain function of bytes that asserts what has to hold for
//! any of them. `docs/fuzzing.md` has the list, and how to run it.
//!
//! `fuzz_targets` calls them by libFuzzer, and `tests/fuzz_corpus.rs` with any compiler over the kept inputs.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic is how a fuzzer is told"
)]

pub mod amf0;
pub mod amf0_depth;
pub mod chunk_reader;
pub mod client_session;
mod conversation;
mod ear;
pub mod flv;
pub mod handshake;
pub mod mp4;
pub mod naive;
mod pieces;
pub mod server_session;
pub mod tag;
pub mod timeline;
pub mod url;
mod ways;

/// A target's name, which is also that of its corpus, and the function that takes any bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 11] = [
    ("amf0", amf0::run),
    ("amf0_depth", amf0_depth::run),
    ("chunk_reader", chunk_reader::run),
    ("client_session", client_session::run),
    ("flv", flv::run),
    ("handshake", handshake::run),
    ("mp4", mp4::run),
    ("server_session", server_session::run),
    ("tag", tag::run),
    ("timeline", timeline::run),
    ("url", url::run),
];
