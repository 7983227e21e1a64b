//! FLV, as files and HTTP have it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aqueduct_fuzz::flv::run(bytes));
