//! A thousand rules are no storm of connects.

use super::stream;
use crate::gateway_parts::{Gateway, Names, Setup, rule};
use aqueduct::rule::{Rule, RuleId, StreamPattern};
use aqueduct::store::{RuleStore, SqliteStore};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const STARTS_PER_SECOND: usize = 50;

/// The most that any second has, wherever it begins. The moments are in order.
fn most_within_a_second(moments: &[Instant]) -> usize {
    let ends = moments.iter().map(|&at| at + Duration::from_secs(1));
    let counts = ends.enumerate().map(|(first, end)| {
        let within = moments[first..].iter().take_while(|&&at| at < end);
        within.count()
    });
    counts.max().unwrap_or_default()
}

/// Ten rules for each of a hundred streams, written by a process that was killed.
fn rules_that_outlived_their_process() -> Vec<Rule> {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    for number in 0..1000u16 {
        let [high, low] = number.to_be_bytes();
        let stored = Rule {
            id: RuleId::from_random([high, low, 0, 0, 0, 0, 0, 0]),
            stream: StreamPattern::parse(&format!("cam{}", number / 10)).unwrap(),
            revision: u64::from(number) + 1,
            ..rule(1, &format!("rtmp://gone.example/app/x{number}"))
        };
        store.insert(&stored).unwrap();
    }
    // What the file and its log hold at this moment is what a kill leaves behind.
    let copy = tempfile::tempdir().unwrap();
    for name in ["rules.db", "rules.db-wal"] {
        std::fs::copy(directory.path().join(name), copy.path().join(name)).unwrap();
    }
    SqliteStore::open(copy.path()).unwrap().load().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_targets_of_a_hundred_streams_come_back_at_the_gates_rate_retries_included() {
    let names = Names::none();
    let gateway = Gateway::start(Setup {
        names: Arc::clone(&names),
        starts_per_second: STARTS_PER_SECOND as u32,
        ..Setup::default()
    })
    .await;
    let rules = rules_that_outlived_their_process();
    assert_eq!(rules.len(), 1000);
    gateway.wish(rules);
    let began = Instant::now();
    let producers: Vec<_> = (0..100)
        .map(|number| stream(&gateway, &format!("cam{number}")))
        .collect();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let starts = names.asked("gone.example");
    assert!(most_within_a_second(&starts) <= STARTS_PER_SECOND);
    // The gate is never idle while somebody waits, and the last of the thousand has its turn as soon as there can be one.
    let busy = starts
        .iter()
        .filter(|&&at| at < began + Duration::from_secs(40));
    assert!(busy.count() >= 40 * (STARTS_PER_SECOND - 1));
    let pushes = gateway.board.pushes();
    assert_eq!(pushes.len(), 1000);
    assert!(pushes.iter().all(|(_, push)| push.phase().attempt > 0));
    let first_turns = starts.iter().take(1000).max().unwrap();
    assert!(*first_turns - began <= Duration::from_secs(21));
    drop(producers);
}
