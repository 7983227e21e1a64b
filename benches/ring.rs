//! What does a beat cost in the ring: the append of its tags, and their way out by so many cursors?

mod fixture;

use aqueduct::media::Tag;
use aqueduct::relay::cursor::{Cursor, Reached};
use aqueduct::relay::limits::DRAIN_BYTES;
use aqueduct::relay::ring::{Appended, Ring, RingLimits};
use criterion::{BenchmarkId, Criterion, Throughput};
use fixture::script::{self, GOP_MS, KBPS};
use std::hint::black_box;
use std::time::Duration;

const CURSORS: [usize; 4] = [1, 8, 64, 512];
/// More than a ring keeps, in beats.
const WARM_UP_BEATS: usize = 400;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("ring, a beat");
    let mut stream = Stream::new();
    group.bench_function("append", |b| b.iter(|| stream.append()));
    for count in CURSORS {
        let mut stream = Stream::new();
        let mut cursors: Vec<_> = (0..count).map(|_| Cursor::default()).collect();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::new("append and drain", count), |b| {
            b.iter(|| {
                stream.append();
                for cursor in &mut cursors {
                    drain(&stream.ring, cursor);
                }
            });
        });
    }
    group.finish();
    criterion.final_summary();
}

/// A ring that is full, and the beats that follow.
struct Stream {
    ring: Ring,
    /// The tags of one GOP, by beats.
    beats: Vec<Vec<Tag>>,
    next: usize,
}

impl Stream {
    fn new() -> Self {
        let mut beats: Vec<Vec<Tag>> = Vec::new();
        for message in script::media(KBPS, 1) {
            let beat = u128::from(message.timestamp) / script::BEAT.as_millis();
            beats.resize_with(beats.len().max(beat as usize + 1), Vec::new);
            beats[beat as usize].push(message.tag());
        }
        let mut ring = Ring::new(RingLimits::default());
        for message in script::start() {
            ring.append(message.tag(), Duration::ZERO);
        }
        let mut stream = Self {
            ring,
            beats,
            next: 0,
        };
        (0..WARM_UP_BEATS).for_each(|_| stream.append());
        assert!(stream.ring.first() > 0, "the ring lets go of what it held");
        stream
    }

    /// Appends the next beat; behind the last one of the GOP comes the first one again, later.
    fn append(&mut self) {
        let gop = self.next / self.beats.len();
        let offset = i64::from(GOP_MS) * gop as i64;
        let now = Duration::from_millis(offset as u64);
        self.ring.begin_window();
        for tag in &self.beats[self.next % self.beats.len()] {
            let mut tag = tag.clone();
            tag.dts += offset;
            assert_eq!(self.ring.append(tag, now), Appended::Kept);
        }
        self.next += 1;
    }
}

fn drain(ring: &Ring, cursor: &mut Cursor) {
    let reached = cursor.drain(ring, DRAIN_BYTES, |tag, at| {
        black_box((tag.payload.as_ptr(), at));
    });
    assert_ne!(reached, Reached::NoStart);
}
