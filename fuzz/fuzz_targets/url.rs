//! Targets' URLs, templates and patterns.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aqueduct_fuzz::url::run(bytes));
