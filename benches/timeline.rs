//! What does a tag's place in time cost, on a clean clock and on one that has to be repaired?

mod fixture;

use aqueduct::media::timeline::{Placed, Timeline};
use aqueduct::media::{Composition, MediaKind, Shape};
use criterion::{Criterion, Throughput};
use fixture::script::{self, KBPS};
use std::hint::black_box;
use std::time::Duration;

/// Ten seconds.
const GOPS: u32 = 5;

/// A tag as the timeline is asked about it.
struct Arrival {
    shape: Shape,
    wire: u32,
    cts: Option<i32>,
    now: Duration,
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let clean = arrivals(|wire, _| wire);
    // The 32 bits end in the middle of it.
    let wrapping = arrivals(|wire, _| wire.wrapping_sub(5000));
    // Every tenth tag is stamped too early.
    let clamped =
        arrivals(|wire, number| wire.saturating_sub(if number % 10 == 9 { 100 } else { 0 }));
    assert_eq!(repairs(&clean), 0);
    assert!(repairs(&wrapping) > 0);
    assert!(repairs(&clamped) > clamped.len() as u64 / 20);
    let mut group = criterion.benchmark_group("timeline");
    for (name, arrivals) in [
        ("clean", clean),
        ("wrapping", wrapping),
        ("clamped", clamped),
    ] {
        group.throughput(Throughput::Elements(arrivals.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut timeline = Timeline::default();
                for arrival in &arrivals {
                    black_box(place(&mut timeline, arrival));
                }
            });
        });
    }
    group.finish();
    criterion.final_summary();
}

/// The script's tags, with stamps of their own, each arriving when its time has come.
fn arrivals(stamp: impl Fn(u32, usize) -> u32) -> Vec<Arrival> {
    let media = script::media(KBPS, GOPS);
    let arrival = |(number, message): (usize, script::Message)| {
        let shape = Shape::of(message.kind, &message.payload);
        Arrival {
            shape,
            wire: stamp(message.timestamp, number),
            cts: Composition::of(&shape, &message.payload).map(Composition::ms),
            now: Duration::from_millis(message.timestamp.into()),
        }
    };
    let arrivals: Vec<_> = media.into_iter().enumerate().map(arrival).collect();
    let pictures = |arrival: &&Arrival| arrival.shape.track.kind == MediaKind::Video;
    assert!(arrivals.iter().filter(pictures).all(|a| a.cts.is_some()));
    arrivals
}

fn place(timeline: &mut Timeline, arrival: &Arrival) -> Placed {
    timeline.place(&arrival.shape, arrival.wire, arrival.cts, arrival.now)
}

fn repairs(arrivals: &[Arrival]) -> u64 {
    let mut timeline = Timeline::default();
    for arrival in arrivals {
        place(&mut timeline, arrival);
    }
    timeline.repairs().total()
}
