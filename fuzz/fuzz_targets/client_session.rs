//! An ingest's whole conversation.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aqueduct_fuzz::client_session::run(bytes));
