//! What a rule says of how its target is spoken to: in order, and with a digest.

use super::stream;
use crate::gateway_parts::{
    Gateway, HandClock, Host, Publisher, Setup, Target, audio, inter, rule,
};
use aqueduct::media::MediaKind::{Audio, Video};
use aqueduct::rule::Rule;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn a_target_that_asks_for_it_gets_sound_and_pictures_in_order_and_no_other_one_waits() {
    for window in [0, 10] {
        let clock = HandClock::stop();
        let gateway = Gateway::start(Setup {
            window: Duration::from_millis(window),
            ..Setup::default()
        })
        .await;
        let (mut strict, mut plain) = (Target::open().await, Target::open().await);
        let in_order = Rule {
            strict_interleave: true,
            ..rule(1, &strict.url("x"))
        };
        gateway.wish([in_order, rule(2, &plain.url("y"))]);
        let mut publisher = Publisher::connect(gateway.address, "cam").await;
        publisher.start(0).await;
        clock.beat(&publisher).await;
        strict.publish().await;
        plain.publish().await;
        strict.tags(3).await;
        plain.tags(4).await;

        for at in [40, 80, 120] {
            publisher.video(at, &inter(at)).await;
        }
        clock.beat(&publisher).await;
        assert_eq!(
            plain.tags(3).await,
            [(Video, 40), (Video, 80), (Video, 120)]
        );
        clock.settle().await;
        assert_eq!(strict.seen(), None, "they wait for their sound");
        for at in [20, 60, 100] {
            publisher.audio(at, &audio(at)).await;
        }
        clock.beat(&publisher).await;
        assert_eq!(
            plain.tags(3).await,
            [(Audio, 20), (Audio, 60), (Audio, 100)]
        );
        let expected = [
            (Video, 0),
            (Audio, 20),
            (Video, 40),
            (Audio, 60),
            (Video, 80),
            (Audio, 100),
        ];
        assert_eq!(strict.tags(6).await, expected);
        clock.settle().await;
        assert_eq!(strict.seen(), None);
        // Nothing comes that it could wait for.
        clock.advance(Duration::from_millis(110)).await;
        assert_eq!(strict.tags(1).await, [(Video, 120)]);

        // What comes too late is given the time of what it should have come before.
        publisher.audio(110, &audio(110)).await;
        clock.beat(&publisher).await;
        clock.advance(Duration::from_millis(110)).await;
        assert_eq!(strict.tags(1).await, [(Audio, 120)]);
        assert_eq!(plain.tags(1).await, [(Audio, 110)]);
        let late = |number| gateway.push_of(number).figures.late.load(Ordering::Relaxed);
        // Targets are looked at once in a thousand beats of a millisecond.
        for _ in 0..5000 {
            if late(1) > 0 {
                break;
            }
            clock.nudge(Duration::from_millis(1)).await;
        }
        assert_eq!((late(1), late(2)), (1, 0));

        // The end comes behind all that waits.
        publisher.video(160, &inter(160)).await;
        publisher.session.finish();
        let goodbye = publisher.session.output().split();
        publisher.write(&goodbye).await;
        clock.advance(Duration::from_millis(60)).await;
        assert_eq!(strict.tags(1).await, [(Video, 160)]);
        strict.goodbye().await;
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_target_that_is_behind_gets_all_of_it_in_order() {
    let clock = HandClock::stop();
    let gateway = Gateway::start(Setup::default()).await;
    let mut strict = Target::open().await;
    let mut publisher = Publisher::connect(gateway.address, "cam").await;
    publisher.start(0).await;
    for at in 1..40 {
        publisher.video(at * 40, &inter(at)).await;
        clock.beat(&publisher).await;
        publisher.audio(at * 40 - 30, &audio(at)).await;
        clock.beat(&publisher).await;
    }
    gateway.wish([Rule {
        strict_interleave: true,
        ..rule(1, &strict.url("x"))
    }]);
    strict.publish().await;
    strict.tags(3).await;
    clock.advance(Duration::from_millis(200)).await;
    let at: Vec<u32> = strict.tags(79).await.iter().map(|tag| tag.1).collect();
    assert!(at.is_sorted(), "{at:?}");
    assert_eq!((at[0], at[78]), (0, 39 * 40));
}

#[tokio::test]
async fn a_handshake_has_a_digest_where_the_rule_says_so() {
    for digest_handshake in [false, true] {
        let gateway = Gateway::start(Setup::default()).await;
        let host = Host::open().await;
        gateway.wish([Rule {
            digest_handshake,
            ..rule(1, &host.url("app/x"))
        }]);
        let _producer = stream(&gateway, "cam");
        let mut tcp = host.accept().await;
        let mut hello = [0; 1 + 1536];
        tcp.read_exact(&mut hello).await.unwrap();
        // C1 says its version where there is a digest, and four zeros where there is none.
        assert_eq!(hello[5..9] != [0; 4], digest_handshake);
    }
}
