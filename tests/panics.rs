//! A panic is a fault of ours. It ends the session that it is in, is logged and counted, and nothing else is touched.
//!
//! One test and no other: what watches over panics is the whole process's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod gateway_parts;
mod log_lines;
mod session_peer;

use std::panic;
use std::sync::Arc;

use aqueduct::egress::TargetState;
use aqueduct::media::MediaKind;
use aqueduct::telemetry::labels::StoreOperation;
use aqueduct::telemetry::log::subscriber;
use aqueduct::telemetry::{LogConfig, Metrics, Snapshot, panics};
use gateway_parts::{Gateway, Publisher, Setup, Target, Told, inter, rule, until};
use log_lines::Lines;

/// As the gateway watches; a failure of this test is printed all the same.
fn watch_and_print(metrics: &Arc<Metrics>) {
    let print = panic::take_hook();
    panics::watch(Arc::clone(metrics));
    let watch = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        print(info);
        watch(info);
    }));
}

fn counted(metrics: &Metrics) -> u64 {
    let page = metrics.render(&Snapshot::<StoreOperation> {
        streams: 0,
        streams_in_grace: 0,
        ring_bytes: 0,
        targets: Vec::new(),
    });
    let panics = |line: &str| line.strip_prefix("aqueduct_panics_total ")?.parse().ok();
    page.lines().find_map(panics).unwrap()
}

#[tokio::test]
async fn a_panic_ends_its_session_and_no_other() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = subscriber(&LogConfig::default(), false, move || writer.clone()).unwrap();
    let _log = tracing::subscriber::set_default(log);
    let gateway = Gateway::start(Setup::default()).await;
    watch_and_print(&gateway.metrics);

    let (mut healthy, mut struck) = (Target::open().await, Target::open().await);
    gateway.wish([
        rule(1, &healthy.url("{stream}")),
        rule(2, &struck.url("{stream}")),
    ]);
    gateway.diary.plant("started live/boom");
    gateway.diary.plant("live r-0202");

    // In a push, as often as it begins, and in another publisher's session.
    let mut publisher = Publisher::connect(gateway.address, "cam").await;
    publisher.start(0).await;
    assert_eq!(healthy.publish().await, "cam");
    let push = gateway.push_of(2);
    until("the push that panicked rests", || {
        push.phase().state == TargetState::BackingOff
    })
    .await;
    let reason = push.phase().reason;
    assert_eq!(
        reason.as_deref(),
        Some("a fault of the gateway's own, which its log tells of")
    );
    let mut boom = Publisher::connect(gateway.address, "boom").await;
    assert!(matches!(boom.told().await, Told::Closed | Told::Reset));
    assert_eq!(counted(&gateway.metrics), 2);

    let first: Vec<_> = healthy.tags(4).await;
    assert_eq!(first.last(), Some(&(MediaKind::Video, 0)));
    for frame in 1..100 {
        publisher.video(frame * 40, &inter(frame)).await;
    }
    for frame in 1..100 {
        assert_eq!(healthy.tag().await.1, frame * 40);
    }
    // Without the fault, all is well by itself.
    gateway.diary.clear_planted();
    let mut again = Publisher::connect(gateway.address, "boom").await;
    again.start(0).await;
    assert_eq!(healthy.publish().await, "boom");
    until("the push is tried again", || {
        push.phase().state == TargetState::Live
    })
    .await;
    let text = lines.text();
    let told: Vec<_> = text
        .lines()
        .filter(|line| line.contains("a task has panicked"))
        .collect();
    assert_eq!(told.len(), 2, "{text}");
    for line in told {
        assert!(
            line.contains("planted") && line.contains("diary.rs:"),
            "{line}"
        );
    }
    drop(struck.seen());
}
