//! What does it cost to decode what FFmpeg says?
#![allow(clippy::expect_used, reason = "a bench")]

mod fixture;

use aqueduct::rtmp::amf0::{self, Value};
use criterion::{Criterion, Throughput};
use fixture::script::{CONNECT, ON_META_DATA};
use rml_rtmp::rml_amf0::{self, Amf0Value};
use std::hint::black_box;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, bytes) in [("connect", CONNECT), ("onMetaData", ON_META_DATA)] {
        assert_eq!(aqueduct(bytes).len(), rml_amf0(bytes).len());
        let mut group = criterion.benchmark_group(format!("AMF0, {name}"));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("aqueduct", |b| b.iter(|| aqueduct(black_box(bytes))));
        group.bench_function("rml_amf0", |b| b.iter(|| rml_amf0(black_box(bytes))));
        group.finish();
    }
    criterion.final_summary();
}

fn aqueduct(bytes: &[u8]) -> Vec<Value> {
    amf0::decode(bytes).expect("proper values")
}

fn rml_amf0(bytes: &[u8]) -> Vec<Amf0Value> {
    let mut input = std::io::Cursor::new(bytes);
    rml_amf0::deserialize(&mut input).expect("proper values")
}
