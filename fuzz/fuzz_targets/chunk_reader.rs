//! Chunks from the network, in pieces.
#![no_main]

#[path = "../bodies/chunk_reader.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::run(bytes));
