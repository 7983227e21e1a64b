//! Goodbyes over real sockets: the target sees the end of a publish, and never a reset.

use super::{stream, tag};
use crate::gateway_parts::{
    Authority, Gateway, HandClock, Host, Setup, Visit, inter, key, rule, until,
};
use aqueduct::egress::TargetState;
use aqueduct::rtmp::message::MessageType;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Reads what is left of a push; the messages, whose end has to be a proper one.
async fn rest(visit: &mut Visit) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(message) = visit.message().await {
        lines.push(match message.type_id {
            MessageType::VIDEO => format!("video {}", message.payload.len()),
            MessageType::COMMAND_AMF0 => {
                let command =
                    aqueduct::rtmp::command::Command::decode(message.type_id, &message.payload);
                command.unwrap().name
            }
            other => format!("type {other}"),
        });
    }
    lines
}

#[tokio::test]
async fn a_rule_that_goes_in_the_middle_of_a_message_ends_behind_it() {
    go_in_the_middle_of_a_message(None).await;
}

#[tokio::test]
async fn a_rule_that_goes_in_the_middle_of_a_message_over_tls_ends_behind_it() {
    go_in_the_middle_of_a_message(Some(Authority::new())).await;
}

/// Over TLS where there is an authority.
async fn go_in_the_middle_of_a_message(authority: Option<Authority>) {
    let gateway = Gateway::start(Setup {
        roots: authority.as_ref().map(Authority::client),
        ..Setup::default()
    })
    .await;
    let host = Host::open().await;
    let url = host.url("app/x");
    gateway.wish([match authority {
        Some(_) => rule(1, &url.replace("rtmp://", "rtmps://")),
        None => rule(1, &url),
    }]);
    let producer = stream(&gateway, "cam");
    let mut visit = match authority {
        Some(authority) => host.visit_tls(&authority.server(&["127.0.0.1"])).await,
        None => host.visit().await,
    };
    visit.accept_publish().await;
    let status = gateway.push();
    until("it is live", || status.phase().state == TargetState::Live).await;
    // Larger than what two kernels take while nobody reads.
    tag(&producer, 40, &key(8_000_000));
    let sent = || status.figures.bytes.load(Ordering::Relaxed);
    let mut before = 0;
    until("the target takes no more", || {
        std::mem::replace(&mut before, sent()) == sent() && sent() > 100_000
    })
    .await;
    assert!(sent() < 8_000_000);
    // A goodbye has its time, and how long a busy machine takes for eight megabytes is no affair of this test.
    let _clock = HandClock::stop();
    gateway.wish([]);
    // Words that are never read by the push, as a CDN says them all the time.
    visit
        .say(|mouth| {
            mouth.message(2, MessageType::ACKNOWLEDGEMENT, 0, 0, &[0, 0, 1, 0]);
        })
        .await;
    assert_eq!(
        rest(&mut visit).await,
        [
            "video 6",
            "video 105",
            "video 8000005",
            "FCUnpublish",
            "deleteStream"
        ]
    );
    drop(visit);
    until("the push is gone", || gateway.board.pushes().is_empty()).await;
    drop(producer);
}

#[tokio::test]
async fn a_stream_that_ends_is_delivered_to_a_target_that_talks_meanwhile() {
    let gateway = Gateway::start(Setup::default()).await;
    let host = Host::open().await;
    gateway.wish([rule(1, &host.url("app/x"))]);
    let producer = stream(&gateway, "cam");
    let mut visit = host.visit().await;
    visit.accept_publish().await;
    let status = gateway.push();
    until("it is live", || status.phase().state == TargetState::Live).await;
    for frame in 1..100 {
        tag(
            &producer,
            frame * 40,
            &[inter(frame), vec![0; 20_000]].concat(),
        );
        visit
            .say(|mouth| {
                mouth.message(2, MessageType::ACKNOWLEDGEMENT, 0, 0, &[0, 0, 1, 0]);
            })
            .await;
    }
    producer.finish();
    for _ in 0..100 {
        visit
            .say(|mouth| {
                mouth.message(2, MessageType::ACKNOWLEDGEMENT, 0, 0, &[0, 0, 1, 0]);
            })
            .await;
    }
    let got = rest(&mut visit).await;
    assert_eq!(got.len(), 2 + 99 + 2);
    assert_eq!(got[101..], ["FCUnpublish", "deleteStream"]);
}

#[tokio::test]
async fn the_figures_of_a_push_outlive_its_attempts() {
    let gateway = Gateway::start(Setup::default()).await;
    let host = Host::open().await;
    gateway.wish([rule(1, &host.url("app/x"))]);
    let producer = Arc::new(stream(&gateway, "cam"));
    let mut visit = host.visit().await;
    visit.accept_publish().await;
    let status = gateway.push();
    tag(&producer, 10_000, &inter(1));
    // A step back of a frame's length is repaired.
    tag(&producer, 9_960, &inter(2));
    tag(&producer, 10_040, &inter(3));
    for _ in 0..5 {
        visit.message().await;
    }
    let frames = || status.figures.frames.load(Ordering::Relaxed);
    until("the frames are counted", || frames() == 4).await;
    drop(visit);
    until("it backs off", || {
        status.phase().state == TargetState::BackingOff
    })
    .await;
    let repaired = status.figures.repaired.load(Ordering::Relaxed);
    assert_eq!(repaired, gateway.stream("cam").unwrap().repairs());
    assert!(repaired > 0);
    let mut visit = host.visit().await;
    visit.accept_publish().await;
    tag(&producer, 10_080, &inter(4));
    until("the frames are counted", || frames() > 8).await;
    drop(visit);
    until("it backs off", || {
        status.phase().state == TargetState::BackingOff
    })
    .await;
    assert_eq!(status.figures.repaired.load(Ordering::Relaxed), repaired);
}
