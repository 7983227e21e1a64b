//! Memory and open files that grow are found, and those that only move are not.

use super::level::{Level, Sample};
use std::time::Duration;

/// A process that is looked at once a second, and has so much at that second.
fn faults(seconds: u64, rss: fn(u64) -> u64, descriptors: fn(u64) -> u64) -> Vec<String> {
    let samples: Vec<_> = (0..seconds)
        .map(|second| Sample {
            at: Duration::from_secs(second),
            rss: rss(second),
            descriptors: descriptors(second),
        })
        .collect();
    let warm_up = Duration::from_secs(seconds / 4);
    Level::of(&samples, warm_up).unwrap().faults()
}

const fn megabytes(count: u64) -> u64 {
    count << 20
}

#[test]
fn what_moves_is_level() {
    let rss = |second: u64| megabytes(25) + megabytes(second * 7 % 20);
    let descriptors = |second: u64| 40 + second * 5 % 13;
    assert!(faults(120, rss, descriptors).is_empty());
    assert!(faults(7200, rss, descriptors).is_empty());
}

#[test]
fn a_leak_of_memory_is_found() {
    let found = faults(120, |second| megabytes(25 + second), |_| 40);
    assert!(found[0].starts_with("memory grew"), "{found:?}");
    // Too slow for the first and the last third; not for the hour.
    let found = faults(7200, |second| megabytes(25) + second * 3000, |_| 40);
    assert!(found[0].starts_with("memory grows by"), "{found:?}");
}

#[test]
fn a_leak_of_open_files_is_found() {
    let found = faults(120, |_| megabytes(25), |second| 40 + second / 2);
    assert!(found[0].starts_with("open files grew"), "{found:?}");
}
