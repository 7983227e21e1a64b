//! When a push gives up, and what brings it back.

use super::ladder::Play;
use super::{stream, tag};
use crate::gateway_parts::{
    Authority, Gateway, HandClock, Host, Names, Setup, key, rule, soon, until,
};
use aqueduct::egress::TargetState;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test]
async fn a_name_in_use_is_tried_for_two_minutes_and_then_given_up() {
    let play = Play::begin().await;
    let _producer = stream(&play.gateway, "cam");
    let mut waits = Vec::new();
    for attempt in 1..=7 {
        let mut visit = play.host.visit().await;
        visit.publish().await;
        visit
            .say(|mouth| {
                mouth.status("error", "NetStream.Publish.BadName", "already publishing");
            })
            .await;
        if attempt <= 6 {
            waits.push(play.again().await);
        }
    }
    for (wait, middle) in waits.iter().zip([5.0, 10.0, 15.0, 30.0, 30.0, 30.0]) {
        assert!((wait / middle - 1.0).abs() <= 0.22, "{waits:?}");
    }
    let status = play.gateway.push();
    until("it is given up", || {
        status.phase().state == TargetState::Failed
    })
    .await;
    let reason = "refused at publish: NetStream.Publish.BadName (already publishing)";
    assert_eq!(status.phase().reason.as_deref(), Some(reason));
    play.clock.leap(Duration::from_secs(600)).await;
    assert!(play.host.is_left_alone_now().await);
}

#[tokio::test]
async fn a_refusal_for_good_stays_until_the_rule_changes_or_the_stream_goes() {
    let play = Play::begin().await;
    let producer = stream(&play.gateway, "cam");
    let deny = async || {
        let mut visit = play.host.visit().await;
        visit.publish().await;
        visit
            .say(|mouth| {
                mouth.status("error", "NetStream.Publish.Denied", "no x");
            })
            .await;
        let status = play.gateway.push_of(1);
        until("it is given up", || {
            status.phase().state == TargetState::Failed
        })
        .await;
    };
    deny().await;
    play.clock.leap(Duration::from_secs(600)).await;
    assert!(play.host.is_left_alone_now().await);
    let lines = play.gateway.diary.about("failed");
    assert_eq!(
        lines,
        [
            "failed r-0101010101010101: refused at publish: NetStream.Publish.Denied (no ***); never again"
        ]
    );

    // Another rule does not touch it; a change of its own begins anew.
    let port = play.host.address.port();
    let url = format!("rtmp://live.example:{port}/app/x");
    let other = rule(2, "rtmp://gone.example/app/y");
    play.gateway.wish([rule(1, &url), other.clone()]);
    play.clock.settle().await;
    assert!(play.host.is_left_alone_now().await);
    let mut changed = rule(1, &url);
    changed.chunk_size = Some(60_000);
    play.gateway.wish([changed, other]);
    deny().await;

    // The stream's next life begins anew, too.
    producer.finish();
    until("the push is gone", || {
        play.gateway.board.pushes().is_empty()
    })
    .await;
    play.gateway.wish([rule(1, &url)]);
    let _producer = stream(&play.gateway, "cam");
    deny().await;
}

#[tokio::test]
async fn eight_closes_soon_after_the_consent_are_an_answer() {
    let play = Play::begin().await;
    let _producer = stream(&play.gateway, "cam");
    for close in 1..=8 {
        drop(play.accept().await);
        if close < 8 {
            play.again().await;
        }
    }
    let status = play.gateway.push();
    until("it is given up", || {
        status.phase().state == TargetState::Failed
    })
    .await;
    let reason = "closed 8 times within 5 s of its consent; last: the target closed the connection while it was live";
    assert_eq!(status.phase().reason.as_deref(), Some(reason));
}

#[tokio::test]
async fn only_a_consent_that_held_forgets_the_fast_closes_before_it() {
    let play = Play::begin().await;
    let _producer = stream(&play.gateway, "cam");
    for _ in 0..7 {
        drop(play.accept().await);
        play.again().await;
    }
    // It held for a while: what was before is forgotten.
    let visit = play.accept().await;
    play.clock.leap(Duration::from_secs(6)).await;
    drop(visit);
    play.again().await;
    for _ in 0..7 {
        drop(play.accept().await);
        play.again().await;
        // An attempt that fails in another way, and slowly, says nothing of what a consent is worth.
        let visit = play.host.visit().await;
        play.clock.leap(Duration::from_secs(16)).await;
        drop(visit);
        play.again().await;
    }
    drop(play.accept().await);
    let status = play.gateway.push();
    until("it is given up", || {
        status.phase().state == TargetState::Failed
    })
    .await;
}

#[tokio::test]
async fn ten_stalls_in_a_row_are_an_answer() {
    let play = Play::begin().await;
    let producer = stream(&play.gateway, "cam");
    // Larger than what two kernels take while nobody reads.
    tag(&producer, 40, &key(8_000_000));
    for stall in 1..=10 {
        let mut visit = play.host.visit().await;
        visit.accept_publish().await;
        let status = play.gateway.push();
        until("it is live", || status.phase().state == TargetState::Live).await;
        let began = Instant::now();
        while status.phase().state == TargetState::Live {
            play.clock.nudge(Duration::from_millis(250)).await;
            assert!(began.elapsed() < Duration::from_secs(60));
        }
        if stall < 10 {
            let reason = status.phase().reason.unwrap();
            let stalled = "nothing was acknowledged for 10 s while media waited";
            assert_eq!(reason, stalled);
            play.again().await;
        }
    }
    let status = play.gateway.push();
    assert_eq!(status.phase().state, TargetState::Failed);
    let reason = "too slow for the stream: stalled 10 times within 15 min; last: nothing was acknowledged for 10 s while media waited";
    assert_eq!(status.phase().reason.as_deref(), Some(reason));
    play.clock.leap(Duration::from_secs(120)).await;
    assert!(play.host.is_left_alone_now().await);
}

#[tokio::test]
async fn what_only_another_rule_can_mend_is_not_tried_again() {
    let clock = HandClock::stop();
    let authority = Authority::new();
    let tls = authority.server(&["other.example"]);
    let setup = Setup {
        names: Names::of(&[("live.example", "127.0.0.1")]),
        roots: Some(authority.client()),
        ..Setup::default()
    };
    let gateway = Gateway::start(setup).await;
    let host = Host::open().await;
    let port = host.address.port();
    gateway.wish([
        rule(1, &format!("rtmps://live.example:{port}/app/x")),
        rule(2, "rtmp://0.0.0.0/app/x"),
        rule(3, &format!("rtmp://{}/app/x", gateway.address)),
    ]);
    let _producer = stream(&gateway, "cam");
    let tcp = host.accept().await;
    let _ = soon("TLS", aqueduct::net::tls::accept(&tls, host.address, tcp)).await;
    for (number, state) in [
        // Operators renew certificates.
        (1, TargetState::BackingOff),
        (2, TargetState::Failed),
        (3, TargetState::Failed),
    ] {
        let status = gateway.push_of(number);
        until("the attempt is over", || status.phase().state == state).await;
    }
    clock.leap(Duration::from_secs(120)).await;
    for (number, is_left_alone) in [(1, false), (2, true), (3, true)] {
        let attempts = gateway.push_of(number).phase().attempt;
        assert_eq!(attempts == 1, is_left_alone, "{number}");
    }
}
