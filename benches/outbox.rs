//! What does it cost to make a beat's messages ready for one socket by themselves, by the chunk size? So a target that is behind gets
//! them.
#![allow(clippy::expect_used, reason = "a bench")]

mod fixture;

use aqueduct::media::MediaKind;
use aqueduct::rtmp::chunk::{self, Outbox};
use bytes::BytesMut;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use fixture::script::{self, KBPS, Message};
use rml_rtmp::chunk_io::ChunkSerializer;
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::time::RtmpTimestamp;
use std::hint::black_box;
use std::io::IoSlice;

/// Slices of one write, as the gateway has it.
const SLICES_MAX: usize = 256;

/// What we send with by default, and what encoders ask for at the most.
const CHUNK_SIZES: [u32; 2] = [4096, 60_000];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let gop = script::media(KBPS, 1);
    let (pictures, sound): (Vec<_>, Vec<_>) = gop
        .into_iter()
        .partition(|message| message.kind == MediaKind::Video);
    // A target writes a keyframe with what is around it, a beat of a single picture, or sound alone, which is all headers.
    let beats = [
        ("keyframe", [&pictures[..1], &sound[..2]].concat()),
        ("picture", [&pictures[1..2], &sound[..1]].concat()),
        ("16 of sound", sound[..16].to_vec()),
    ];
    for (name, messages) in &beats {
        let mut group = criterion.benchmark_group(format!("write of a beat, {name}"));
        group.throughput(Throughput::Elements(messages.len() as u64));
        for chunk_size in CHUNK_SIZES {
            compare(&mut group, chunk_size, messages);
        }
        group.finish();
    }
    criterion.final_summary();
}

fn compare(group: &mut BenchmarkGroup<'_, WallTime>, chunk_size: u32, messages: &[Message]) {
    let mut outbox = Outbox::new(chunk_size);
    let mut buffer = BytesMut::new();
    let mut serializer = ChunkSerializer::new();
    let set = RtmpTimestamp::new(0);
    serializer
        .set_max_chunk_size(chunk_size, set)
        .expect("a proper size");
    let wire = shared(&mut outbox, messages);
    assert_eq!(copied(&mut buffer, messages, chunk_size), wire);
    // Theirs shortens headers where it may.
    assert!(rml_rtmp(&mut serializer, messages).abs_diff(wire) < 16 * messages.len());
    group.bench_function(BenchmarkId::new("aqueduct, shared", chunk_size), |b| {
        b.iter(|| shared(&mut outbox, messages));
    });
    group.bench_function(BenchmarkId::new("aqueduct, copied", chunk_size), |b| {
        b.iter(|| copied(&mut buffer, messages, chunk_size));
    });
    group.bench_function(BenchmarkId::new("rml_rtmp", chunk_size), |b| {
        b.iter(|| rml_rtmp(&mut serializer, messages));
    });
}

/// As media goes out to a target that is behind: header bytes and slices of payloads that are shared; the bytes of all writes.
fn shared(outbox: &mut Outbox, messages: &[Message]) -> usize {
    for message in messages {
        outbox.push(message.header(), message.payload.clone());
    }
    let mut bytes = 0;
    while !outbox.is_empty() {
        bytes += write(outbox);
    }
    bytes
}

/// One vectored write, of which a socket takes all; its bytes.
fn write(outbox: &mut Outbox) -> usize {
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    let count = outbox.slices(&mut slices);
    let filled = black_box(&slices[..count]);
    let bytes = filled.iter().map(|slice| slice.len()).sum();
    outbox.advance(bytes);
    bytes
}

/// As commands go out: everything in one buffer.
fn copied(buffer: &mut BytesMut, messages: &[Message], chunk_size: u32) -> usize {
    buffer.clear();
    for message in messages {
        chunk::write(buffer, message.header(), &message.payload, chunk_size);
    }
    black_box(&buffer[..]).len()
}

fn rml_rtmp(serializer: &mut ChunkSerializer, messages: &[Message]) -> usize {
    let mut bytes = 0;
    for message in messages {
        let header = message.header();
        let payload = MessagePayload {
            timestamp: RtmpTimestamp::new(header.timestamp),
            type_id: header.type_id,
            message_stream_id: header.stream_id,
            data: message.payload.clone(),
        };
        let packet = serializer.serialize(&payload, false, false);
        bytes += black_box(packet.expect("a proper message").bytes).len();
    }
    bytes
}
