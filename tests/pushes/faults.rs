//! A supervisor that panics: what runs goes on, and what it has missed is made up for.

use super::{stream, tag};
use crate::gateway_parts::{Gateway, Names, Setup, Target, inter, rule, until};
use aqueduct::egress::plan::{self, Running, Step};
use aqueduct::relay::StreamId;
use aqueduct::rule::{RuleSet, StreamKey};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

/// Plans as it should, but for so many turns that there are two rules to carry out.
fn plan_badly(
    panics: &AtomicU32,
    rules: &RuleSet,
    live: &[(StreamId, StreamKey)],
    running: &[Running],
    now: OffsetDateTime,
) -> Vec<Step> {
    let is_struck = rules.len() == 2
        && panics
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
            .is_ok();
    assert!(!is_struck, "planted");
    plan::plan(rules, live, running, now)
}

#[tokio::test]
async fn a_turn_that_panics_costs_no_push_and_is_made_up_for() {
    static PANICS: AtomicU32 = AtomicU32::new(1);
    let gateway = Gateway::start(Setup {
        planner: |rules, live, running, now| plan_badly(&PANICS, rules, live, running, now),
        ..Setup::default()
    })
    .await;
    let (mut first, mut second) = (Target::open().await, Target::open().await);
    gateway.wish([rule(1, &first.url("x"))]);
    let producer = stream(&gateway, "cam");
    first.publish().await;
    first.tags(2).await;
    gateway.wish([rule(1, &first.url("x")), rule(2, &second.url("y"))]);
    gateway.diary.until_line("stumbled").await;
    tag(&producer, 40, &inter(1));
    assert_eq!(first.tag().await.1, 40, "what runs goes on");
    second.publish().await;
    second.tags(3).await;
    tag(&producer, 80, &inter(2));
    assert_eq!(first.tag().await.1, 80);
    assert_eq!(gateway.diary.about("stumbled").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn turns_that_panic_again_and_again_are_rare_and_do_not_hold_up_a_drain() {
    static PANICS: AtomicU32 = AtomicU32::new(u32::MAX);
    let gateway = Gateway::start(Setup {
        names: Names::none(),
        planner: |rules, live, running, now| plan_badly(&PANICS, rules, live, running, now),
        ..Setup::default()
    })
    .await;
    gateway.wish([
        rule(1, "rtmp://gone.example/app/x"),
        rule(2, "rtmp://gone.example/app/y"),
    ]);
    let _producers: Vec<_> = (0..100)
        .map(|number| stream(&gateway, &format!("cam{number}")))
        .collect();
    sleep(Duration::from_secs(600)).await;
    let turns = gateway.diary.about("stumbled").len();
    // After 1, 2, 4, 8, 15, 30, 30 ... seconds, a fifth more or less.
    assert!((18..32).contains(&turns), "{turns} turns in ten minutes");
    let began = Instant::now();
    gateway.gate.drain.cancel();
    until("the supervisor has ended", || {
        gateway.rules.receiver_count() == 0
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(1));
}
