//! A rule that goes and a stream that ends cut every wait at once.

use super::ladder::Play;
use super::stream;
use crate::gateway_parts::{Gateway, Names, Setup, until};
use aqueduct::egress::TargetState;
use aqueduct::relay::Producer;
use std::sync::Arc;

/// Where a push may be when it is cut short.
#[derive(Clone, Copy, Debug)]
enum Wait {
    Start,
    Handshake,
    Answer,
    Backoff,
    Failed,
}

const WAITS: [Wait; 5] = [
    Wait::Start,
    Wait::Handshake,
    Wait::Answer,
    Wait::Backoff,
    Wait::Failed,
];

async fn in_wait(play: &Play, wait: Wait) -> (Producer, Box<dyn std::any::Any>) {
    let producer = stream(&play.gateway, "cam");
    let status = || play.gateway.push().phase().state;
    let kept: Box<dyn std::any::Any> = match wait {
        Wait::Start => Box::new(()),
        Wait::Handshake => Box::new(play.host.accept().await),
        Wait::Answer => {
            let mut visit = play.host.visit().await;
            visit.publish().await;
            Box::new(visit.pipe)
        }
        Wait::Backoff => {
            drop(play.host.accept().await);
            until("it backs off", || status() == TargetState::BackingOff).await;
            Box::new(())
        }
        Wait::Failed => {
            let mut visit = play.host.visit().await;
            visit.publish().await;
            visit
                .say(|mouth| {
                    mouth.status("error", "NetStream.Publish.Denied", "");
                })
                .await;
            until("it has failed", || status() == TargetState::Failed).await;
            Box::new(visit.pipe)
        }
    };
    (producer, kept)
}

/// The clock stands still: nothing may have to pass.
#[tokio::test]
async fn a_rule_that_goes_cuts_every_wait() {
    for wait in WAITS {
        let play = Play::begin().await;
        let (_producer, _kept) = in_wait(&play, wait).await;
        until("there is a push", || {
            !play.gateway.board.pushes().is_empty()
        })
        .await;
        let status = play.gateway.push();
        play.gateway.wish([]);
        until("the push is gone", || {
            play.gateway.board.pushes().is_empty()
        })
        .await;
        let phase = status.phase();
        assert_eq!(phase.state, TargetState::Stopped, "{wait:?}");
        let reason = "the rule is gone, disabled or changed";
        assert_eq!(phase.reason.as_deref(), Some(reason), "{wait:?}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_stream_that_ends_cuts_every_wait() {
    for wait in WAITS {
        let play = Play::begin().await;
        let (producer, _kept) = in_wait(&play, wait).await;
        until("there is a push", || {
            !play.gateway.board.pushes().is_empty()
        })
        .await;
        let status = play.gateway.push();
        drop(producer);
        until("the push is gone", || {
            play.gateway.board.pushes().is_empty()
        })
        .await;
        let phase = status.phase();
        assert_eq!(phase.state, TargetState::Stopped, "{wait:?}");
        assert_eq!(
            phase.reason.as_deref(),
            Some("the stream ended"),
            "{wait:?}"
        );
        tokio::time::resume();
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_that_waits_for_its_turn_is_cut_too() {
    let gateway = Gateway::start(Setup {
        names: Arc::clone(&Names::none()),
        starts_per_second: 1,
        ..Setup::default()
    })
    .await;
    let rules = (0..100).map(|number| {
        crate::gateway_parts::rule(number, &format!("rtmp://gone.example/app/x{number}"))
    });
    gateway.wish(rules);
    let producer = stream(&gateway, "cam");
    while gateway.board.pushes().len() < 100 {
        tokio::task::yield_now().await;
    }
    let began = tokio::time::Instant::now();
    producer.finish();
    while !gateway.board.pushes().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(began.elapsed().is_zero());
}
