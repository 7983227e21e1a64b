//! The index of an MP4 file, and its fragments.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aqueduct_fuzz::mp4::run(bytes));
