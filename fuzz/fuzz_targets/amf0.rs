//! AMF0 from the network.
#![no_main]

#[path = "../bodies/amf0.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::run(bytes));
