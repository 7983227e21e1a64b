//! What does a beat cost on its way from the ring to the wires of so many targets, on the publisher's turn?

mod fixture;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use fixture::passage::{Likeness, Passage};
use fixture::script::{self, BEAT, GOP_MS, KBPS, Message};
use fixture::wire::Takes;
use std::time::{Duration, Instant};

const LINES: [usize; 4] = [1, 8, 64, 512];
/// More than a ring keeps, in beats.
const WARM_UP_BEATS: usize = 400;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("fan-out of a beat");
    for lines in LINES {
        group.throughput(Throughput::Elements(lines as u64));
        measure(&mut group, "alike", lines, Takes::All, Likeness::Alike);
        measure(&mut group, "all differ", lines, Takes::All, Likeness::Apart);
        measure(&mut group, "behind", lines, Takes::Nothing, Likeness::Alike);
    }
    group.finish();
    criterion.final_summary();
}

fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    lines: usize,
    takes: Takes,
    likeness: Likeness,
) {
    let mut stream = Stream::new(Passage::new(lines, takes, likeness));
    group.bench_function(BenchmarkId::new(name, lines), |b| {
        b.iter_custom(|beats| (0..beats).map(|_| stream.beat()).sum());
    });
}

/// A stream whose ring is full, and the beats that follow.
struct Stream {
    passage: Passage,
    /// The messages of one GOP, by beats.
    beats: Vec<Vec<Message>>,
    next: usize,
}

impl Stream {
    fn new(mut passage: Passage) -> Self {
        let mut beats: Vec<Vec<Message>> = Vec::new();
        for message in script::media(KBPS, 1) {
            let beat = u128::from(message.timestamp) / BEAT.as_millis();
            beats.resize_with(beats.len().max(beat as usize + 1), Vec::new);
            beats[beat as usize].push(message);
        }
        passage.append(&script::start(), 0);
        let mut stream = Self {
            passage,
            beats,
            next: 0,
        };
        for _ in 0..WARM_UP_BEATS {
            stream.beat();
        }
        stream
    }

    /// Appends the next beat, and delivers it; how long the delivery took. Behind the last beat of the GOP comes the first one
    /// again, later.
    fn beat(&mut self) -> Duration {
        let gop = self.next / self.beats.len();
        let beat = &self.beats[self.next % self.beats.len()];
        self.next += 1;
        self.passage.advance(BEAT);
        self.passage.append(beat, GOP_MS * gop as u32);
        let began = Instant::now();
        let delivery = self.passage.send();
        let took = began.elapsed();
        let payload: usize = beat.iter().map(|message| message.payload.len()).sum();
        assert!(
            delivery.bytes >= payload * self.passage.targets(),
            "all of it goes out"
        );
        took
    }
}
