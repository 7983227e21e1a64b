//! Chunks from the network, in pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aqueduct_fuzz::chunk_reader::run(bytes));
