//! What publishers make of their clocks.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aqueduct_fuzz::timeline::run(bytes));
