//! Publishers that are lost and come back: what their targets see, and who may come instead.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::gateway_parts::{
    AUDIO_HEADER, Gateway, HandClock, METADATA, Publisher, Seen, Setup, Target, Told, VIDEO_HEADER,
    audio, inter, key, rule, until,
};
use aqueduct::egress::TargetState;
use aqueduct::media::MediaKind;
use aqueduct::relay::{Presence, Terms};
use bytes::Bytes;
use std::collections::HashSet;
use std::time::Duration;

const WINDOWS: [u64; 2] = [0, 10];

fn setup(window: u64) -> Setup {
    Setup {
        window: Duration::from_millis(window),
        shards: 2,
        publish_keys: vec!["first", "second"],
        terms: Terms {
            grace: Duration::from_secs(3600),
            ..Terms::default()
        },
        ..Setup::default()
    }
}

fn is_away(gateway: &Gateway) -> bool {
    let stream = gateway.stream("cam");
    stream.is_some_and(|stream| stream.hold().borrow().presence == Presence::Away)
}

async fn lost(gateway: &Gateway) {
    until("the publisher is away", || is_away(gateway)).await;
}

/// A numbered life of an encoder: a GOP of 25 pictures with sound, whose stamps begin at `base`.
async fn live(publisher: &mut Publisher, base: u32, life: u32) {
    publisher.data(base, METADATA).await;
    publisher.video(base, VIDEO_HEADER).await;
    publisher.audio(base, AUDIO_HEADER).await;
    publisher.video(base, &numbered_key(life)).await;
    for frame in 1..25 {
        let number = life * 100 + frame;
        publisher
            .audio(base + frame * 40 - 20, &audio(number))
            .await;
        publisher.video(base + frame * 40, &inter(number)).await;
    }
}

fn numbered_key(life: u32) -> Vec<u8> {
    [key(100), life.to_be_bytes().to_vec()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_returns_are_one_publish_for_every_target() {
    for window in WINDOWS {
        let gateway = Gateway::start(setup(window)).await;
        let mut targets = [Target::open().await, Target::open().await];
        gateway.wish([rule(1, &targets[0].url("x")), rule(2, &targets[1].url("y"))]);
        let mut got: [Vec<(MediaKind, u32, Bytes)>; 2] = Default::default();
        for life in 0..6u32 {
            let mut publisher = Publisher::connect(gateway.address, "cam?key=first").await;
            live(&mut publisher, life * 700_000 % 900_000, life).await;
            for (target, got) in targets.iter_mut().zip(&mut got) {
                if life == 0 {
                    target.publish().await;
                }
                let until = Bytes::from(inter(life * 100 + 24));
                while got.last().is_none_or(|last| last.2 != until) {
                    got.push(target.tag().await);
                }
            }
            drop(publisher);
            lost(&gateway).await;
            for number in [1, 2] {
                let push = gateway.push_of(number);
                let told = || push.phase().reason.as_deref() == Some("waiting for the encoder");
                until("it says what it waits for", told).await;
                assert_eq!(push.phase().state, TargetState::Live);
                assert_eq!(push.phase().attempt, 1);
            }
        }
        for got in &got {
            assert_eq!(
                got.len(),
                3 + 6 * 49,
                "headers come once, and nothing twice"
            );
            let payloads: HashSet<_> = got.iter().map(|tag| &tag.2).collect();
            assert_eq!(payloads.len(), got.len());
            for life in 0..6 {
                let first = &got[3 + 49 * life].2;
                assert_eq!(*first, numbered_key(u32::try_from(life).unwrap()));
            }
            // Sound is where it was beside its pictures, 20 ms before those with its number.
            let at = |payload: Vec<u8>| got.iter().find(|tag| *tag.2 == *payload).unwrap().1;
            for number in (0..6).flat_map(|life| (1..25).map(move |frame| life * 100 + frame)) {
                let apart = i64::from(at(inter(number))) - i64::from(at(audio(number)));
                assert!((apart - 20).abs() <= 40, "{number}: {apart} ms");
            }
            for kind in [MediaKind::Video, MediaKind::Audio] {
                let of_kind = got.iter().skip(3).filter(|tag| tag.0 == kind);
                let at: Vec<u32> = of_kind.map(|tag| tag.1).collect();
                let steps = at
                    .windows(2)
                    .map(|pair| i64::from(pair[1]) - i64::from(pair[0]));
                assert!(
                    steps.clone().all(|step| (1..=100).contains(&step)),
                    "{at:?}"
                );
            }
        }
        let started = gateway.diary.about("started");
        assert_eq!(started[0], "started live/cam new");
        assert!(
            started[1..]
                .iter()
                .all(|line| line == "started live/cam return")
        );
        assert_eq!(
            gateway.diary.about("live ").len(),
            2,
            "no target reconnected"
        );
        // A return makes the reason go.
        let publisher = Publisher::connect(gateway.address, "cam?key=first").await;
        let push = gateway.push_of(1);
        until("it waits no longer", || push.phase().reason.is_none()).await;
        publisher.finish().await;
        for target in &mut targets {
            target.goodbye().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_headers_come_before_the_keyframe_of_a_return() {
    let gateway = Gateway::start(setup(10)).await;
    let mut target = Target::open().await;
    let publisher = gateway.relay(&mut target, "cam?key=first", 5000).await;
    drop(publisher);
    lost(&gateway).await;
    let mut publisher = Publisher::connect(gateway.address, "cam?key=first").await;
    let other = [VIDEO_HEADER, &[9]].concat();
    publisher.data(0, METADATA).await;
    // In the middle of a GOP.
    publisher.video(0, &inter(1)).await;
    publisher.audio(0, &audio(1)).await;
    publisher.video(10, &other).await;
    publisher.audio(10, AUDIO_HEADER).await;
    publisher.video(10, &inter(2)).await;
    publisher.video(50, &key(7)).await;
    assert_eq!(target.tag().await, (MediaKind::Video, 0, other.into()));
    assert_eq!(target.tag().await, (MediaKind::Video, 33, key(7).into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_place_of_a_lost_publisher_is_kept_from_others() {
    let mut setup = setup(10);
    setup.reject_duplicates = true;
    let gateway = Gateway::start(setup).await;
    let publisher = Publisher::connect(gateway.address, "cam?key=first").await;
    let stream = gateway.stream("cam").unwrap().id();
    drop(publisher);
    lost(&gateway).await;
    let other = Publisher::ask(gateway.address, "cam?key=second").await;
    let busy = Told::Refused("NetStream.Publish.BadName".into());
    assert_eq!(other.err(), Some(busy));
    assert_eq!(
        gateway.diary.until_line("not published").await,
        "not published live: the stream waits for the publisher that it had"
    );
    // It is the second of none, though second publishers are refused.
    let _back = Publisher::connect(gateway.address, "cam?key=first").await;
    assert_eq!(gateway.stream("cam").unwrap().id(), stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_kicked_drained_or_ends_it_is_not_waited_for() {
    for how in [
        "kick",
        "unpublish",
        "garbage",
        "kick in grace",
        "drain in grace",
    ] {
        let gateway = Gateway::start(setup(10)).await;
        let mut target = Target::open().await;
        gateway.wish([rule(1, &target.url("x"))]);
        let mut publisher = Publisher::connect(gateway.address, "cam?key=first").await;
        publisher.start(0).await;
        publisher.video(40, &inter(1)).await;
        target.publish().await;
        target.tags(4).await;
        let stream = gateway.stream("cam").unwrap();
        match how {
            "kick" => stream.kick(),
            "unpublish" => publisher.finish().await,
            // A chunk stream that was never begun.
            "garbage" => publisher.write(&[0xC0 | 33; 64]).await,
            _ => {
                drop(publisher);
                lost(&gateway).await;
                assert_eq!(target.tags(1).await, [(MediaKind::Video, 40)]);
                match how {
                    "kick in grace" => stream.kick(),
                    _ => gateway.gate.drain.cancel(),
                }
                target.goodbye().await;
                assert!(gateway.stream("cam").is_none(), "{how}");
                continue;
            }
        }
        assert_eq!(target.tags(1).await, [(MediaKind::Video, 40)], "{how}");
        target.goodbye().await;
        assert!(gateway.stream("cam").is_none(), "{how}");
    }
}

#[tokio::test]
async fn a_publisher_that_falls_silent_is_waited_for_and_then_given_up() {
    for window in WINDOWS {
        let clock = HandClock::stop();
        let mut setup = setup(window);
        setup.shards = 0;
        setup.terms.grace = Duration::from_secs(15);
        let gateway = Gateway::start(setup).await;
        let mut target = Target::open().await;
        gateway.wish([rule(1, &target.url("x"))]);
        let mut publisher = Publisher::connect(gateway.address, "cam?key=first").await;
        publisher.start(0).await;
        clock.beat(&publisher).await;
        target.publish().await;
        target.tags(4).await;
        clock.advance(Duration::from_millis(15_100)).await;
        assert_eq!(
            publisher.told().await,
            Told::Ended("NetStream.Unpublish.Success".into())
        );
        assert!(is_away(&gateway));
        clock.advance(Duration::from_millis(14_800)).await;
        assert!(is_away(&gateway));
        assert_eq!(target.seen(), None, "its targets see nothing of it");
        clock.advance(Duration::from_millis(300)).await;
        target.goodbye().await;
        assert!(gateway.stream("cam").is_none());
        tokio::time::resume();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_reset_is_a_loss_too() {
    let gateway = Gateway::start(setup(10)).await;
    let mut target = Target::open().await;
    let publisher = gateway.relay(&mut target, "cam?key=first", 0).await;
    let tcp = publisher.into_tcp();
    let socket = socket2::SockRef::from(&tcp);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    drop(tcp);
    lost(&gateway).await;
    let mut publisher = Publisher::connect(gateway.address, "cam?key=first").await;
    publisher.start(90_000).await;
    assert_eq!(target.tags(1).await, [(MediaKind::Video, 33)]);
    assert!(!matches!(target.seen(), Some(Seen::End)));
}
