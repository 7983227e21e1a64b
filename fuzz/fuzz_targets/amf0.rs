//! AMF0 from the network.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| aqueduct_fuzz::amf0::run(bytes));
