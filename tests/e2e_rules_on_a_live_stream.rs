//! Rules that come and go while the stream runs.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::flv::{self, Tag};
use common::gateway::Site;
use common::target::{Arrival, Behaviour, Target};
use common::{encoder, eventually, media};

/// The `n`th keyframe that a target was sent.
fn keyframe(target: &Target, n: usize) -> Option<Arrival> {
    target
        .visits()
        .first()?
        .arrivals
        .iter()
        .filter(|arrival| arrival.tag.is_keyframe())
        .nth(n)
        .cloned()
}

#[tokio::test]
async fn a_new_rule_starts_with_the_cached_gop_and_a_deleted_one_ends_alone() {
    // One GOP of ten seconds: whoever comes in its middle and waits for the next keyframe, waits long.
    let source = media::h264_aac(12, 10);
    let sent = flv::read(&source);
    let sent_keyframe = sent.iter().find(|tag| tag.is_keyframe()).unwrap();
    let standing = Target::start(Behaviour::Records).await;
    let late = Target::start(Behaviour::Records).await;
    let ended = Target::start(Behaviour::Records).await;
    let site = Site::new("", "");
    let gateway = site.start().await;
    gateway
        .create_rule("cam", &standing.url("app/standing"))
        .await;
    let to_end = gateway.create_rule("cam", &ended.url("app/ended")).await;

    let mut publisher = encoder::ffmpeg(Path::new("ffmpeg"), &source, &gateway.publish_url("cam"));
    eventually(
        "the stream has run for three seconds",
        Duration::from_secs(15),
        || async {
            let visit = standing.visits().into_iter().next()?;
            visit
                .arrivals
                .last()
                .filter(|last| last.tag.timestamp > 3000)
                .map(|_| ())
        },
    )
    .await;
    gateway.create_rule("cam", &late.url("app/late")).await;
    gateway.delete_rule(&to_end).await;

    let first = eventually(
        "the late target gets a keyframe",
        Duration::from_secs(5),
        || async { keyframe(&late, 0) },
    );
    let first = first.await;
    assert!(
        keyframe(&standing, 1).is_none(),
        "the source's next keyframe is still to come"
    );
    assert_eq!(
        first.tag.payload, sent_keyframe.payload,
        "it is the cached one"
    );

    let visit = ended
        .visit(
            "the deleted rule's push ends",
            Duration::from_secs(5),
            |visit| visit.end.is_some(),
        )
        .await;
    visit.assert_goodbye();

    publisher.succeed(Duration::from_secs(30)).await;
    for (what, target) in [("standing", &standing), ("late", &late)] {
        let visit = target
            .visit(
                "the push ends with the stream",
                Duration::from_secs(10),
                |visit| visit.end.is_some(),
            )
            .await;
        assert_eq!(target.visits().len(), 1, "{what}: one connection");
        assert_opens_with_headers(what, &visit.tags());
        flv::assert_same_tracks(what, &visit.tags(), &sent);
    }
    assert_eq!(ended.visits().len(), 1, "a deleted rule does not come back");
}

/// Metadata and both sequence headers come before any frame, and the first picture is a keyframe at time 0 or near.
fn assert_opens_with_headers(what: &str, tags: &[Tag]) {
    let first_frame = tags.iter().position(Tag::is_frame).unwrap();
    let before = &tags[..first_frame];
    assert_eq!(before[0].kind, flv::DATA, "{what}: metadata comes first");
    for kind in [flv::VIDEO, flv::AUDIO] {
        assert!(
            before.iter().any(|tag| tag.kind == kind && tag.is_header()),
            "{what}: header of kind {kind}"
        );
    }
    let first_picture = tags
        .iter()
        .find(|tag| tag.kind == flv::VIDEO && tag.is_frame())
        .unwrap();
    assert!(
        first_picture.is_keyframe(),
        "{what}: starts with a keyframe"
    );
    assert!(
        first_picture.timestamp < 200,
        "{what}: starts at {} ms",
        first_picture.timestamp
    );
    for kind in [flv::VIDEO, flv::AUDIO] {
        let times: Vec<u32> = tags
            .iter()
            .filter(|tag| tag.kind == kind)
            .map(|tag| tag.timestamp)
            .collect();
        assert!(
            times.is_sorted(),
            "{what}: time steps back in kind {kind}: {times:?}"
        );
    }
}
