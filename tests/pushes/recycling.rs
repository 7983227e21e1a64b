//! Sessions that are ended properly for another one: a codec that changes, and a clock that nears its end.

use super::{claim, stream, tag};
use crate::gateway_parts::{
    Gateway, Host, Setup, Target, VIDEO_HEADER, Visit, inter, key, rule, until,
};
use aqueduct::egress::TargetState;
use aqueduct::media::MediaKind;
use aqueduct::relay::Terms;
use aqueduct::relay::limits::{CLOCK_MAX_MS, CLOCK_RECYCLE_MS};
use std::time::Duration;

const HEVC_HEADER: &[u8] = b"\x90hvc1\x01\x02";
const HEVC_KEY: &[u8] = b"\x91hvc1\0\0\0\x26";

fn setup() -> Setup {
    Setup {
        terms: Terms {
            grace: Duration::from_secs(600),
            ..Terms::default()
        },
        ..Setup::default()
    }
}

#[tokio::test]
async fn another_codec_is_another_publish() {
    for how in ["return", "takeover", "the same publisher"] {
        let gateway = Gateway::start(setup()).await;
        let host = Host::open().await;
        gateway.wish([rule(1, &host.url("app/x"))]);
        let mut producer = stream(&gateway, "cam");
        let mut visit = host.visit().await;
        assert!(!accept(&mut visit).await, "plain H.264 needs no word");
        tag(&producer, 40, &inter(1));
        for _ in 0..3 {
            visit.message().await;
        }
        if how == "return" {
            drop(producer);
            producer = claim(&gateway, "cam");
        } else if how == "takeover" {
            producer = claim(&gateway, "cam");
        }
        tag(&producer, 0, HEVC_HEADER);
        // The old session ends as it should, with all that came before.
        visit.until("FCUnpublish").await;
        visit.until("deleteStream").await;
        assert!(visit.is_closed_properly().await);
        drop(visit);
        tag(&producer, 0, HEVC_KEY);
        let mut visit = host.visit().await;
        assert!(accept(&mut visit).await, "and HEVC does");
        for expected in [HEVC_HEADER, HEVC_KEY] {
            let message = visit.message().await.unwrap();
            assert_eq!((message.timestamp, &*message.payload), (0, expected));
        }
        let told = gateway.diary.about("failed");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("the stream has another codec"), "{told:?}");
    }
}

/// Lets the push publish; says whether it has announced codecs.
async fn accept(visit: &mut Visit) -> bool {
    let connect = visit.until("connect").await;
    visit
        .say(|mouth| {
            mouth.result(1.0, &[crate::session_peer::ingest::connect_success()]);
        })
        .await;
    visit.accept_create_stream().await;
    visit.until("publish").await;
    visit.start().await;
    connect.object.property("fourCcList").is_some()
}

#[tokio::test]
async fn a_session_ends_at_a_keyframe_before_its_clock_reaches_31_bits() {
    let start_clock = u32::try_from(CLOCK_RECYCLE_MS - 5_000).unwrap();
    let gateway = Gateway::start(Setup {
        start_clock,
        ..setup()
    })
    .await;
    let mut target = Target::open().await;
    gateway.wish([rule(1, &target.url("x"))]);
    let producer = stream(&gateway, "cam");
    target.publish().await;
    target.tags(2).await;
    let status = gateway.push();
    until("it is live", || status.phase().state == TargetState::Live).await;
    for second in 1..6 {
        tag(&producer, second * 1000, &inter(second));
    }
    tag(&producer, 6000, &key(9));
    tag(&producer, 6040, &inter(9));
    for second in 1..6 {
        let expected = (MediaKind::Video, start_clock + second * 1000);
        assert_eq!(target.tags(1).await, [expected]);
    }
    target.goodbye().await;
    target.publish().await;
    let expected = [VIDEO_HEADER.to_vec(), key(9), inter(9)];
    for (payload, after) in expected.into_iter().zip([0, 0, 40]) {
        let expected = (MediaKind::Video, start_clock + after, payload.into());
        assert_eq!(target.tag().await, expected);
    }
    assert!(i64::from(start_clock) + 6000 < CLOCK_MAX_MS);
    let told = gateway.diary.about("failed");
    assert!(
        told[0].contains("the session's clock nears its end"),
        "{told:?}"
    );
}
