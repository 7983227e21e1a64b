//! A publisher, the gateway's media path and a target, all of them this project's own, in one process: what goes in comes
//! out, behind its headers, from a keyframe on.

mod gateway_parts;
mod session_peer;

use aqueduct::egress::TargetState;
use aqueduct::media::MediaKind;
use gateway_parts::{Gateway, Publisher, Setup, Target, inter, key, rule, until};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_reaches_its_target_whole_and_says_goodbye() {
    for window in [0, 30] {
        let setup = Setup {
            window: Duration::from_millis(window),
            shards: 2,
            ..Setup::default()
        };
        let gateway = Gateway::start(setup).await;
        let mut target = Target::open().await;
        gateway.wish([rule(1, &target.url("{stream}"))]);
        let mut publisher = Publisher::connect(gateway.address, "cam").await;
        publisher.start(5000).await;
        for frame in 1..50u32 {
            publisher.video(5000 + frame * 40, &inter(frame)).await;
        }
        assert_eq!(target.publish().await, "cam");
        let kinds = [
            MediaKind::Data,
            MediaKind::Video,
            MediaKind::Audio,
            MediaKind::Video,
        ];
        assert_eq!(target.tags(4).await, kinds.map(|kind| (kind, 0)));
        for frame in 1..50u32 {
            let expected = (MediaKind::Video, frame * 40, inter(frame).into());
            assert_eq!(target.tag().await, expected);
        }
        publisher.video(7000, &key(10)).await;
        publisher.finish().await;
        assert_eq!(target.tags(1).await, [(MediaKind::Video, 2000)]);
        target.goodbye().await;
        until("the push is gone", || gateway.board.pushes().is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_comes_late_gets_the_cached_gop_and_leaves_the_others_alone() {
    let setup = Setup {
        shards: 2,
        ..Setup::default()
    };
    let gateway = Gateway::start(setup).await;
    let (mut first, mut second) = (Target::open().await, Target::open().await);
    let (one, two) = (rule(1, &first.url("x")), rule(2, &second.url("y")));
    gateway.wish([one.clone()]);
    let mut publisher = Publisher::connect(gateway.address, "cam").await;
    publisher.start(0).await;
    for frame in 1..10 {
        publisher.video(frame * 40, &inter(frame)).await;
    }
    first.publish().await;
    first.tags(13).await;
    gateway.wish([one, two.clone()]);
    second.publish().await;
    let got = second.tags(13).await;
    assert_eq!(got[3], (MediaKind::Video, 0));
    assert_eq!(got[12], (MediaKind::Video, 360));

    gateway.wish([two]);
    first.goodbye().await;
    publisher.video(400, &inter(10)).await;
    assert_eq!(second.tags(1).await, [(MediaKind::Video, 400)]);
    until("one push is left", || gateway.board.pushes().len() == 1).await;
    assert_eq!(gateway.push().phase().state, TargetState::Live);
}
