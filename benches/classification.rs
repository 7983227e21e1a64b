//! What does it cost to say what a tag is, to find its composition time, and to write another one?

mod fixture;

use aqueduct::media::{Composition, MediaKind, Shape};
use bytes::Bytes;
use criterion::Criterion;
use fixture::script::ON_META_DATA;
use std::hint::black_box;

/// One of each form, with what stands behind it cut short: nobody looks at it.
const TAGS: &[(&str, MediaKind, &[u8])] = &[
    ("AVC header", MediaKind::Video, &[0x17, 0, 0, 0, 0, 1, 0x64]),
    ("AVC keyframe", MediaKind::Video, &[0x17, 1, 0, 0, 67, 0, 0]),
    ("AVC picture", MediaKind::Video, &[0x27, 1, 0, 0, 33, 0, 0]),
    (
        "HEVC picture",
        MediaKind::Video,
        b"\xA1hvc1\0\0\x21\0\0\0\x02",
    ),
    ("AV1 picture", MediaKind::Video, b"\xA1av01\x12\0\x0A\x0B"),
    (
        "HEVC picture of a second track",
        MediaKind::Video,
        b"\xA6\x01hvc1\x01\0\0\x21\0\0",
    ),
    ("AAC", MediaKind::Audio, &[0xAF, 1, 0x21, 0x10, 4]),
    ("Opus", MediaKind::Audio, b"\x91Opus\xFC\xFF\xFE"),
    ("metadata", MediaKind::Data, ON_META_DATA),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    classify(&mut criterion);
    compose(&mut criterion);
    criterion.final_summary();
}

fn classify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("classification");
    for (name, kind, payload) in TAGS {
        group.bench_function(*name, |b| {
            b.iter(|| Shape::of(black_box(*kind), black_box(payload)));
        });
    }
    group.finish();
}

fn compose(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("composition time");
    for (name, kind, payload) in TAGS {
        let shape = Shape::of(*kind, payload);
        let Some(composition) = Composition::of(&shape, payload) else {
            continue;
        };
        group.bench_function(format!("found, {name}"), |b| {
            b.iter(|| Composition::of(black_box(&shape), black_box(payload)));
        });
        // Nobody else holds it, so that it is changed where it is.
        let mut payload = Bytes::copy_from_slice(payload);
        let mut ms = 0;
        group.bench_function(format!("written, {name}"), |b| {
            b.iter(|| {
                ms = (ms + 1) % 1000;
                payload = composition.write(ms, std::mem::take(&mut payload));
            });
        });
    }
    group.finish();
}
