//! How a publish ends: with a word, without one, or in silence.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::gateway_parts::{
    Gateway, HandClock, Publisher, Seen, Setup, Target, Told, inter, rule, until,
};
use aqueduct::media::MediaKind;
use aqueduct::media::timeline::RepairKind;
use std::time::Duration;

const WINDOWS: [u64; 2] = [0, 10];

fn setup(window: u64) -> Setup {
    Setup {
        window: Duration::from_millis(window),
        shards: 2,
        ..Setup::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_an_unpublish_arrives_before_the_goodbye() {
    for window in WINDOWS {
        let gateway = Gateway::start(setup(window)).await;
        let mut target = Target::open().await;
        let mut publisher = gateway.relay(&mut target, "cam", 0).await;
        let mut all = Vec::new();
        for frame in 1..200 {
            all.extend(publisher.chunks(MediaKind::Video, frame * 40, &inter(frame)));
        }
        publisher.session.finish();
        all.extend(publisher.session.output().split());
        publisher.write(&all).await;
        for frame in 1..200 {
            let expected = (MediaKind::Video, frame * 40, inter(frame).into());
            assert_eq!(target.tag().await, expected);
        }
        target.goodbye().await;
        let told = publisher.told().await;
        assert_eq!(told, Told::Ended("NetStream.Unpublish.Success".into()));
        until("it is over", || !gateway.diary.about("ended").is_empty()).await;
        assert_eq!(
            gateway.diary.about("ended"),
            ["ended live/cam: the publisher ended it"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_before_the_connection_was_lost_arrives_all_the_same() {
    for window in WINDOWS {
        let gateway = Gateway::start(setup(window)).await;
        let mut target = Target::open().await;
        let mut publisher = gateway.relay(&mut target, "cam", 0).await;
        let mut all = Vec::new();
        for frame in 1..200 {
            all.extend(publisher.chunks(MediaKind::Video, frame * 40, &inter(frame)));
        }
        // Half a message at the end is nothing that could be delivered.
        all.extend(
            publisher
                .chunks(MediaKind::Video, 8000, &inter(200))
                .split_to(14),
        );
        publisher.write(&all).await;
        drop(publisher);
        for frame in 1..200 {
            let expected = (MediaKind::Video, frame * 40, inter(frame).into());
            assert_eq!(target.tag().await, expected);
        }
        target.goodbye().await;
        assert_eq!(
            gateway.diary.until_line("ended").await,
            "ended live/cam: the connection was closed without an unpublish"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_all_the_time_ends_the_publish_and_costs_no_frame() {
    for window in WINDOWS {
        let gateway = Gateway::start(setup(window)).await;
        let mut target = Target::open().await;
        let mut publisher = gateway.relay(&mut target, "cam", 0).await;
        let mut all = Vec::new();
        for frame in 1..=11 {
            all.extend(publisher.chunks(MediaKind::Video, frame * 60_000, &inter(frame)));
        }
        publisher.write(&all).await;
        for frame in 1..=11 {
            let expected = (MediaKind::Video, frame * 33, inter(frame).into());
            assert_eq!(target.tag().await, expected);
        }
        target.goodbye().await;
        assert_eq!(
            gateway.diary.until_line("ended").await,
            "ended live/cam: its timestamps jumped more than ten times in a minute"
        );
        let repairs = gateway.diary.received().losses.unwrap_or_default().repairs;
        assert_eq!(repairs.of(RepairKind::Rebase), 11);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_read_is_counted_to_the_last_byte() {
    for window in WINDOWS {
        let gateway = Gateway::start(setup(window)).await;
        let mut publisher = Publisher::connect(gateway.address, "cam").await;
        let mut all = Vec::new();
        all.extend(publisher.chunks(MediaKind::Video, 0, crate::gateway_parts::VIDEO_HEADER));
        all.extend(publisher.chunks(MediaKind::Video, 0, &inter(0)));
        all.extend(publisher.chunks(MediaKind::Video, 0, &crate::gateway_parts::key(200_000)));
        all.extend(publisher.chunks(MediaKind::Audio, 0, &[0xAF]));
        publisher.write(&all).await;
        drop(publisher);
        gateway.diary.until_line("ended").await;
        let received = gateway.diary.received();
        assert_eq!(received.bytes, all.len());
        assert_eq!((received.video, received.audio), (3, 1));
        let drops = received.losses.unwrap_or_default().drops;
        assert_eq!(drops.before_keyframe, 1, "the picture before a keyframe");
        assert_eq!(drops.malformed, 1, "AAC without its second byte");
    }
}

#[tokio::test]
async fn a_publisher_that_falls_silent_is_gone_after_fifteen_seconds() {
    for window in WINDOWS {
        let clock = HandClock::stop();
        let gateway = Gateway::start(Setup {
            shards: 0,
            ..setup(window)
        })
        .await;
        let mut target = Target::open().await;
        gateway.wish([rule(1, &target.url("x"))]);
        let mut publisher = Publisher::connect(gateway.address, "cam").await;
        publisher.start(0).await;
        clock.beat(&publisher).await;
        target.publish().await;
        target.tags(4).await;
        clock.advance(Duration::from_secs(14)).await;
        publisher.video(40, &inter(1)).await;
        clock.beat(&publisher).await;
        clock.advance(Duration::from_millis(14_900)).await;
        assert!(
            gateway.diary.about("ended").is_empty(),
            "a byte starts anew"
        );
        clock.advance(Duration::from_millis(200)).await;
        assert_eq!(
            publisher.told().await,
            Told::Ended("NetStream.Unpublish.Success".into())
        );
        target.tags(1).await;
        target.goodbye().await;
        assert_eq!(
            gateway.diary.about("ended"),
            ["ended live/cam: nothing came for 15s"]
        );
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_publisher_that_drips_without_media_is_gone_after_thirty_seconds() {
    for window in WINDOWS {
        let clock = HandClock::stop();
        let gateway = Gateway::start(Setup {
            shards: 0,
            ..setup(window)
        })
        .await;
        let mut target = Target::open().await;
        gateway.wish([rule(1, &target.url("x"))]);
        let mut publisher = Publisher::connect(gateway.address, "cam").await;
        publisher.start(0).await;
        clock.beat(&publisher).await;
        target.publish().await;
        target.tags(4).await;
        // A frame that never ends, a byte every ten seconds.
        let frame = publisher.chunks(MediaKind::Video, 40, &inter(1));
        for byte in &frame[..3] {
            clock.leap(Duration::from_millis(9_800)).await;
            assert!(gateway.diary.about("ended").is_empty());
            publisher.write(&[*byte]).await;
            clock.beat(&publisher).await;
        }
        clock.leap(Duration::from_secs(1)).await;
        assert_eq!(
            publisher.told().await,
            Told::Ended("NetStream.Unpublish.Success".into())
        );
        target.goodbye().await;
        assert_eq!(
            gateway.diary.about("ended"),
            ["ended live/cam: no media came for 30s"]
        );
        tokio::time::resume();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_no_bytes_and_of_one_are_no_reason_to_end() {
    for window in WINDOWS {
        let gateway = Gateway::start(setup(window)).await;
        let mut target = Target::open().await;
        let mut publisher = gateway.relay(&mut target, "cam", 0).await;
        for byte in 0..=u8::MAX {
            for kind in [MediaKind::Video, MediaKind::Audio, MediaKind::Data] {
                publisher.send(kind, 40, &[]).await;
                publisher.send(kind, 40, &[byte]).await;
            }
        }
        let last = inter(1);
        publisher.video(80, &last).await;
        publisher.finish().await;
        let mut arrived = false;
        loop {
            match target.next().await {
                Seen::Tag(_, _, payload) => arrived |= payload == last,
                Seen::Unpublished => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(arrived);
        assert_eq!(
            gateway.diary.about("ended"),
            ["ended live/cam: the publisher ended it"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ends_tells_its_publishers_and_delivers_what_it_has() {
    for window in WINDOWS {
        let gateway = Gateway::start(setup(window)).await;
        let mut target = Target::open().await;
        let mut publisher = gateway.relay(&mut target, "cam", 0).await;
        gateway.gate.drain.cancel();
        assert_eq!(
            publisher.told().await,
            Told::Ended("NetStream.Unpublish.Success".into())
        );
        assert_eq!(publisher.told().await, Told::Closed);
        target.goodbye().await;
        assert_eq!(
            gateway.diary.until_line("ended").await,
            "ended live/cam: the gateway is shutting down"
        );
    }
}
