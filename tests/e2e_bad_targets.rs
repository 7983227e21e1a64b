//! One target's trouble is its own: four bad targets beside good ones that lose nothing.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::gateway::{Gateway, Site};
use common::target::{Behaviour, Target};
use common::{encoder, eventually, flv, media, nginx::Nginx, packets};

/// Waits until a target is in `state` for a reason that holds one of these words.
async fn shows(gateway: &Gateway, rule: &str, what: &str, states: &[&str], words: &[&str]) {
    let mut seen = serde_json::Value::Null;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
    while tokio::time::Instant::now() < deadline {
        seen = gateway.target(rule).await.unwrap_or_default();
        let reason = seen["reason"].as_str().unwrap_or_default().to_lowercase();
        let state = seen["state"].as_str().unwrap_or_default();
        if states.contains(&state) && words.iter().any(|word| reason.contains(word)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: wanted {states:?} with one of {words:?} as reason, last seen {seen:#}");
}

#[tokio::test]
async fn bad_targets_say_why_and_good_ones_lose_nothing() {
    let ffmpeg = Path::new("ffmpeg");
    // Longer than the ten seconds after which a target that takes nothing is given up.
    let source = media::h264_aac(14, 2);
    let nginx = Nginx::start().await;
    let good = Target::start(Behaviour::Records).await;
    let never_reads = Target::start(Behaviour::NeverReads).await;
    let resets = Target::start(Behaviour::Resets).await;
    let behaviour = Behaviour::Refuses {
        code: "NetStream.Publish.BadName",
        description: "Somebody is publishing here",
    };
    let refuses = Target::start(behaviour).await;

    let gateway = Site::new("", "").start().await;
    gateway.create_rule("cam", &nginx.url("good")).await;
    let good_rule = gateway.create_rule("cam", &good.url("app/good")).await;
    let never_reads_rule = gateway
        .create_rule("cam", &never_reads.url("app/never-reads"))
        .await;
    let resets_rule = gateway.create_rule("cam", &resets.url("app/resets")).await;
    let refuses_rule = gateway
        .create_rule("cam", &refuses.url("app/refuses"))
        .await;
    let nowhere_rule = gateway
        .create_rule("cam", "rtmp://no-such-host.invalid/app/nowhere")
        .await;

    let mut publisher = encoder::ffmpeg(ffmpeg, &source, &gateway.publish_url("cam"));
    gateway.target_in(&good_rule, &["live"]).await;
    shows(
        &gateway,
        &resets_rule,
        "resets",
        &["backing_off"],
        &["reset", "closed"],
    )
    .await;
    shows(
        &gateway,
        &refuses_rule,
        "refuses",
        &["backing_off", "failed"],
        &["netstream.publish.badname"],
    )
    .await;
    shows(
        &gateway,
        &refuses_rule,
        "refuses",
        &["backing_off", "failed"],
        &["somebody is publishing here"],
    )
    .await;
    shows(
        &gateway,
        &nowhere_rule,
        "does not resolve",
        &["backing_off"],
        &["resolve", "dns", "name"],
    )
    .await;
    shows(
        &gateway,
        &never_reads_rule,
        "never reads",
        &["backing_off"],
        &["nothing was acknowledged"],
    )
    .await;
    publisher.succeed(Duration::from_secs(30)).await;

    let recording = nginx.recording("good").await;
    for track in ['v', 'a'] {
        let sent = packets::of_track(ffmpeg, &source, track);
        let received = packets::of_track(ffmpeg, &recording, track);
        assert_eq!(
            packets::assert_is_a_tail("nginx", &received, &sent),
            0,
            "all of track {track}"
        );
    }
    eventually("the good push ends", Duration::from_secs(10), || async {
        good.visits().first()?.end.clone()
    })
    .await;
    let visits = good.visits();
    assert_eq!(visits.len(), 1, "the good target was never left");
    flv::assert_same_tracks("good", &visits[0].tags(), &flv::read(&source));
}
