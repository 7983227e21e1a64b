//! Targets while their stream's publisher is away.

use super::ladder::Play;
use super::{claim, stream, tag};
use crate::gateway_parts::{
    Gateway, HandClock, Host, Setup, VIDEO_HEADER, inter, key, rule, until,
};
use aqueduct::egress::TargetState;
use aqueduct::relay::Terms;
use std::time::Duration;

const REASON: &str = "waiting for the encoder";

async fn play() -> Play {
    let play = Play::begin().await;
    play.gateway.hub.set_terms(Terms {
        grace: Duration::from_secs(600),
        ..Terms::default()
    });
    play
}

fn state(play: &Play) -> (TargetState, Option<String>) {
    let phase = play.gateway.push().phase();
    (phase.state, phase.reason)
}

async fn until_waiting(play: &Play) {
    let waiting = || state(play) == (TargetState::Waiting, Some(REASON.into()));
    until("it waits for the encoder", waiting).await;
}

#[tokio::test]
async fn a_push_that_begins_meanwhile_waits_for_the_encoder() {
    let play = play().await;
    let rules = play.gateway.rules.borrow().clone();
    play.gateway.wish([]);
    drop(stream(&play.gateway, "cam"));
    play.gateway.rules.send_replace(rules);
    until("there is a push", || {
        !play.gateway.board.pushes().is_empty()
    })
    .await;
    until_waiting(&play).await;
    play.clock.leap(Duration::from_secs(60)).await;
    assert!(
        play.host.is_left_alone_now().await,
        "there is nothing to send"
    );
    let producer = stream(&play.gateway, "cam");
    tag(&producer, 40, &inter(1));
    let visit = play.accept().await;
    assert_eq!(state(&play), (TargetState::Live, None));
    assert_eq!(play.gateway.push().phase().attempt, 1);
    drop((producer, visit));
}

#[tokio::test]
async fn a_target_that_is_lost_meanwhile_is_called_again_once_there_is_something_to_send() {
    let play = play().await;
    let producer = stream(&play.gateway, "cam");
    let visit = play.accept().await;
    drop(producer);
    until("it says so", || state(&play).1.as_deref() == Some(REASON)).await;
    // A target that closes when nothing comes any more.
    drop(visit);
    until("it backs off", || state(&play).0 == TargetState::BackingOff).await;
    play.clock.leap(Duration::from_secs(60)).await;
    until_waiting(&play).await;
    assert!(play.host.is_left_alone_now().await);
    // The return alone is no media.
    let producer = claim(&play.gateway, "cam");
    play.clock.leap(Duration::from_secs(60)).await;
    assert!(play.host.is_left_alone_now().await);
    tag(&producer, 0, VIDEO_HEADER);
    tag(&producer, 0, &key(7));
    let mut visit = play.host.visit().await;
    visit.accept_publish().await;
    assert_eq!(visit.message().await.unwrap().payload, VIDEO_HEADER);
    let first = visit.message().await.unwrap();
    assert_eq!((first.timestamp, &*first.payload), (0, &*key(7)));
}

#[tokio::test]
async fn the_encoders_return_cuts_a_backoff_short() {
    let play = play().await;
    let producer = stream(&play.gateway, "cam");
    // Up to a rung of some ten seconds.
    for _ in 0..4 {
        drop(play.accept().await);
        play.again().await;
    }
    drop(play.accept().await);
    until("it backs off", || state(&play).0 == TargetState::BackingOff).await;
    drop(producer);
    play.clock.nudge(Duration::from_millis(50)).await;
    assert!(play.host.is_left_alone_now().await);
    // The clock stands still: nothing has to pass.
    let _producer = stream(&play.gateway, "cam");
    let _visit = play.accept().await;
    assert_eq!(state(&play), (TargetState::Live, None));
}

#[tokio::test]
async fn targets_that_close_when_nothing_comes_are_not_given_up() {
    let play = play().await;
    // More often than fast closes are an answer.
    for _ in 0..10 {
        let producer = stream(&play.gateway, "cam");
        let visit = play.accept().await;
        drop(producer);
        until("it says so", || state(&play).1.as_deref() == Some(REASON)).await;
        drop(visit);
        until("it backs off", || state(&play).0 == TargetState::BackingOff).await;
    }
}

#[tokio::test]
async fn a_push_whose_turn_comes_after_the_loss_calls_nobody() {
    let clock = HandClock::stop();
    let gateway = Gateway::start(Setup {
        starts_per_second: 1,
        terms: Terms {
            grace: Duration::from_secs(600),
            ..Terms::default()
        },
        ..Setup::default()
    })
    .await;
    let (first, second) = (Host::open().await, Host::open().await);
    gateway.wish([rule(1, &first.url("app/x")), rule(2, &second.url("app/y"))]);
    let producer = stream(&gateway, "cam");
    let mut visit = first.visit().await;
    visit.accept_publish().await;
    drop(producer);
    clock.leap(Duration::from_secs(5)).await;
    let push = gateway.push_of(2);
    let waiting = || push.phase().reason.as_deref() == Some(REASON);
    until("it waits for the encoder", waiting).await;
    assert!(second.is_left_alone_now().await);
    let _producer = stream(&gateway, "cam");
    clock.leap(Duration::from_secs(1)).await;
    second.visit().await.accept_publish().await;
}
