//! Bodies of audio, video and data messages.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aqueduct_fuzz::tag::run(bytes));
