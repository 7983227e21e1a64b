//! Both sides of a handshake.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aqueduct_fuzz::handshake::run(bytes));
