//! Who has a stream: a second publisher takes over or is refused, and an operator may end a publish.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::gateway_parts::{Gateway, Publisher, Seen, Setup, Target, Told, inter, key, rule};
use aqueduct::media::MediaKind;
use std::time::Duration;

const WINDOWS: [u64; 2] = [0, 10];

fn keyed(window: u64) -> Setup {
    Setup {
        window: Duration::from_millis(window),
        shards: 2,
        publish_keys: vec!["first", "second"],
        ..Setup::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_takes_over_and_the_target_goes_on_in_time() {
    for window in WINDOWS {
        let gateway = Gateway::start(keyed(window)).await;
        let mut target = Target::open().await;
        gateway.wish([rule(1, &target.url("x"))]);
        let mut old = Publisher::connect(gateway.address, "cam?key=first").await;
        old.start(50_000).await;
        old.video(50_040, &inter(1)).await;
        target.publish().await;
        target.tags(5).await;

        let mut new = Publisher::connect(gateway.address, "cam?key=first").await;
        assert_eq!(
            old.told().await,
            Told::Ended("NetStream.Unpublish.Success".into())
        );
        assert_eq!(old.told().await, Told::Closed);
        new.start(7).await;
        new.video(47, &inter(2)).await;
        // Its headers are the same, and so are not told again; time goes on by one step.
        let got = target.tags(2).await;
        assert_eq!(got, [(MediaKind::Video, 73), (MediaKind::Video, 113)]);
        let line = gateway.diary.until_line("ended").await;
        assert_eq!(
            line,
            "ended live/cam: another publisher took the stream over"
        );
        assert_eq!(
            gateway.diary.about("started"),
            ["started live/cam new", "started live/cam takeover"]
        );

        new.finish().await;
        target.goodbye().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_with_another_key_is_refused_and_changes_nothing() {
    for window in WINDOWS {
        let gateway = Gateway::start(keyed(window)).await;
        let mut target = Target::open().await;
        let mut owner = gateway.relay(&mut target, "cam?key=first", 0).await;
        for (name, code) in [
            ("cam?key=second", "NetStream.Publish.BadName"),
            ("cam?key=third", "NetStream.Publish.Denied"),
            ("cam", "NetStream.Publish.Denied"),
        ] {
            let refused = Publisher::ask(gateway.address, name).await.err();
            assert_eq!(refused, Some(Told::Refused(code.into())), "{name}");
        }
        owner.video(40, &inter(1)).await;
        assert_eq!(target.tags(1).await, [(MediaKind::Video, 40)]);
        assert_eq!(
            gateway.diary.about("not published"),
            [
                "not published live: the stream has a publisher already",
                "not published live: the publish key is missing or wrong",
                "not published live: the publish key is missing or wrong",
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_duplicates_are_rejected_the_first_publisher_stays() {
    let setup = Setup {
        reject_duplicates: true,
        ..keyed(10)
    };
    let gateway = Gateway::start(setup).await;
    let owner = Publisher::connect(gateway.address, "cam?key=first").await;
    let refused = Publisher::ask(gateway.address, "cam?key=first").await.err();
    assert_eq!(
        refused,
        Some(Told::Refused("NetStream.Publish.BadName".into()))
    );
    owner.finish().await;
    gateway.diary.until_line("ended").await;
    let again = Publisher::ask(gateway.address, "cam?key=first").await;
    assert!(again.is_ok(), "the stream is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kicked_publisher_is_told_and_its_targets_get_what_it_sent() {
    for window in WINDOWS {
        let gateway = Gateway::start(keyed(window)).await;
        let mut target = Target::open().await;
        let mut publisher = gateway.relay(&mut target, "cam?key=first", 0).await;
        publisher.video(40, &key(100_000)).await;
        target.tags(1).await;
        gateway.stream("cam").unwrap().kick();
        assert_eq!(
            publisher.told().await,
            Told::Ended("NetStream.Unpublish.Success".into())
        );
        assert_eq!(publisher.told().await, Told::Closed);
        target.goodbye().await;
        assert_eq!(
            gateway.diary.until_line("ended").await,
            "ended live/cam: ended through the API"
        );
        assert!(gateway.stream("cam").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_was_taken_over_cannot_disturb_the_new_one() {
    let gateway = Gateway::start(keyed(10)).await;
    let mut target = Target::open().await;
    let mut old = gateway.relay(&mut target, "cam?key=first", 0).await;
    let mut new = Publisher::connect(gateway.address, "cam?key=first").await;
    // Whatever the old one still sends is nobody's.
    for at in 1..100 {
        let chunks = old.chunks(MediaKind::Video, at * 40, &key(1000));
        if tokio::io::AsyncWriteExt::write_all(&mut old.pipe, &chunks)
            .await
            .is_err()
        {
            break;
        }
    }
    new.start(0).await;
    let Seen::Tag(kind, at, payload) = target.next().await else {
        panic!("the push goes on");
    };
    assert_eq!((kind, at, payload.len()), (MediaKind::Video, 33, 105));
    drop(old);
    new.video(40, &inter(1)).await;
    assert_eq!(target.tags(1).await, [(MediaKind::Video, 73)]);
}
