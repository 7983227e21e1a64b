//! AMF0 that nests.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aqueduct_fuzz::amf0_depth::run(bytes));
