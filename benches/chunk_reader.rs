//! How fast does a publisher's byte stream become messages, by its chunk size?
#![allow(clippy::expect_used, reason = "a bench")]

mod fixture;

use aqueduct::rtmp::chunk::Reader;
use aqueduct::rtmp::message::MessageType;
use criterion::{BenchmarkId, Criterion, Throughput};
use fixture::script::{KBPS, Wire};
use rml_rtmp::chunk_io::ChunkDeserializer;

/// 128 is the protocol's own, 4096 what OBS sends with, 60000 what FFmpeg takes over from us.
const CHUNK_SIZES: [u32; 3] = [128, 4096, 60_000];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("chunk reader");
    for chunk_size in CHUNK_SIZES {
        let wire = Wire::new(KBPS, 1, chunk_size);
        assert_eq!(aqueduct(&wire), rml_rtmp(&wire), "both read the same");
        group.throughput(Throughput::Bytes(wire.bytes.len() as u64));
        group.bench_with_input(
            BenchmarkId::new("aqueduct", chunk_size),
            &wire,
            |b, wire| {
                b.iter(|| aqueduct(wire));
            },
        );
        group.bench_with_input(
            BenchmarkId::new("rml_rtmp", chunk_size),
            &wire,
            |b, wire| {
                b.iter(|| rml_rtmp(wire));
            },
        );
    }
    group.finish();
    criterion.final_summary();
}

/// Reads beat by beat; the messages, and the bytes of their payloads.
fn aqueduct(wire: &Wire) -> (usize, usize) {
    let mut reader = Reader::new();
    reader.publish_accepted();
    let (mut messages, mut bytes, mut read) = (0, 0, 0);
    for beat in &wire.beats {
        let mut unread = &wire.bytes[read..beat.end];
        while let Some(message) = reader.read(&mut unread).expect("proper chunks") {
            messages += 1;
            bytes += message.payload.len();
        }
        read = beat.end - unread.len();
    }
    (messages, bytes)
}

fn rml_rtmp(wire: &Wire) -> (usize, usize) {
    let mut reader = ChunkDeserializer::new();
    let (mut messages, mut bytes, mut read) = (0, 0, 0);
    for beat in &wire.beats {
        let mut unread = &wire.bytes[read..beat.end];
        while let Some(message) = reader.get_next_message(unread).expect("proper chunks") {
            messages += 1;
            bytes += message.data.len();
            if message.type_id == MessageType::SET_CHUNK_SIZE {
                let size = message.data[..].try_into().expect("four bytes");
                let size = u32::from_be_bytes(size) as usize;
                reader.set_max_chunk_size(size).expect("a proper size");
            }
            unread = &[];
        }
        read = beat.end;
    }
    (messages, bytes)
}
