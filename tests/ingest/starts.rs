//! How a stream begins for its targets, whatever a publisher sends first.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::gateway_parts::{
    AUDIO_HEADER, Authority, Gateway, HandClock, Pipe, Publisher, Setup, Target, VIDEO_HEADER,
    audio, inter, key, rule, soon, until,
};
use crate::session_peer::{Mouth, object, text};
use aqueduct::media::MediaKind::{Audio, Video};
use aqueduct::rtmp::handshake;
use bytes::BytesMut;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const WINDOWS: [u64; 2] = [0, 10];

fn setup(window: u64) -> Setup {
    Setup {
        window: Duration::from_millis(window),
        ..Setup::default()
    }
}

async fn begun(setup: Setup) -> (Gateway, Target, Publisher) {
    let gateway = Gateway::start(setup).await;
    let target = Target::open().await;
    gateway.wish([rule(1, &target.url("x"))]);
    let publisher = Publisher::connect(gateway.address, "cam").await;
    (gateway, target, publisher)
}

#[tokio::test]
async fn audio_alone_starts_after_a_second_with_its_very_first_frame() {
    for window in WINDOWS {
        let clock = HandClock::stop();
        let (gateway, mut target, mut publisher) = begun(setup(window)).await;
        publisher.audio(0, AUDIO_HEADER).await;
        publisher.audio(500, &audio(1)).await;
        clock.beat(&publisher).await;
        clock.advance(Duration::from_millis(950)).await;
        publisher.audio(1450, &audio(2)).await;
        clock.beat(&publisher).await;
        clock.settle().await;
        assert_eq!(gateway.diary.received().audio, 3);
        assert_eq!(target.seen(), None, "video may still come");
        clock.advance(Duration::from_millis(100)).await;
        publisher.audio(1550, &audio(3)).await;
        clock.beat(&publisher).await;
        target.publish().await;
        let expected = [(Audio, 0), (Audio, 0), (Audio, 950), (Audio, 1050)];
        assert_eq!(target.tags(4).await, expected);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn video_alone_starts_at_once() {
    for window in WINDOWS {
        let (_gateway, mut target, mut publisher) = begun(setup(window)).await;
        publisher.video(0, VIDEO_HEADER).await;
        publisher.video(700, &key(10)).await;
        target.publish().await;
        assert_eq!(target.tags(2).await, [(Video, 0), (Video, 0)]);
    }
}

#[tokio::test]
async fn media_waits_for_a_late_header_and_loses_nothing() {
    for window in WINDOWS {
        let clock = HandClock::stop();
        let (gateway, mut target, mut publisher) = begun(setup(window)).await;
        publisher.video(0, VIDEO_HEADER).await;
        publisher.audio(0, &audio(1)).await;
        publisher.video(10, &key(10)).await;
        publisher.audio(23, &audio(2)).await;
        clock.beat(&publisher).await;
        clock.advance(Duration::from_millis(2900)).await;
        assert_eq!(gateway.diary.received().audio, 2);
        assert_eq!(target.seen(), None);
        publisher.audio(0, AUDIO_HEADER).await;
        publisher.video(50, &inter(1)).await;
        clock.beat(&publisher).await;
        target.publish().await;
        // The first audio frame is older than the keyframe that the target begins with.
        let expected = [(Video, 0), (Audio, 0), (Video, 0), (Audio, 13), (Video, 40)];
        assert_eq!(target.tags(5).await, expected);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn after_three_seconds_the_stream_starts_without_the_track_that_has_no_header() {
    for window in WINDOWS {
        let clock = HandClock::stop();
        let (gateway, mut target, mut publisher) = begun(setup(window)).await;
        publisher.video(0, VIDEO_HEADER).await;
        publisher.audio(0, &audio(1)).await;
        publisher.video(10, &key(10)).await;
        clock.beat(&publisher).await;
        clock.advance(Duration::from_millis(3100)).await;
        publisher.audio(23, &audio(2)).await;
        publisher.video(50, &inter(1)).await;
        clock.beat(&publisher).await;
        target.publish().await;
        let expected = [(Video, 0), (Video, 0), (Video, 40)];
        assert_eq!(target.tags(3).await, expected);
        until("the loss is told", || {
            gateway
                .diary
                .received()
                .losses
                .is_some_and(|losses| losses.drops.no_header == 2)
        })
        .await;
        // It is not too late for the track.
        publisher.audio(0, AUDIO_HEADER).await;
        publisher.audio(60, &audio(3)).await;
        clock.beat(&publisher).await;
        let got = target.tags(2).await;
        assert_eq!((got[0].0, got[1]), (Audio, (Audio, 50)));
        tokio::time::resume();
    }
}

#[tokio::test]
async fn changed_headers_reach_running_targets_and_repeated_ones_do_not() {
    for window in WINDOWS {
        let (_gateway, mut target, mut publisher) = begun(setup(window)).await;
        publisher.start(0).await;
        target.publish().await;
        target.tags(4).await;
        publisher.video(0, VIDEO_HEADER).await;
        publisher.audio(0, AUDIO_HEADER).await;
        publisher.data(0, crate::gateway_parts::METADATA).await;
        publisher.video(40, &inter(1)).await;
        assert_eq!(target.tags(1).await, [(Video, 40)], "nothing has changed");
        let changed: &[u8] = &[0x17, 0, 0, 0, 0, 2];
        publisher.video(0, changed).await;
        publisher.video(80, &key(10)).await;
        assert_eq!(target.tag().await, (Video, 40, changed.into()));
        assert_eq!(target.tags(1).await, [(Video, 80)]);
    }
}

/// Media in the wire's form, on message stream 1.
fn media(mouth: &mut Mouth, size: usize) {
    let video = |mouth: &mut Mouth, at, payload: &[u8]| {
        mouth.message(6, 9, 1, at, payload);
    };
    video(mouth, 0, VIDEO_HEADER);
    video(mouth, 0, &key(size));
    for frame in 1..50 {
        video(mouth, frame * 40, &inter(frame));
    }
}

/// Says everything at once, from `connect` to the fiftieth frame, and hears nothing.
async fn rush(mut pipe: Pipe, size: usize) -> Pipe {
    let mut inbox = BytesMut::new();
    let mut hands = handshake::Client::plain(7);
    let mut mouth = Mouth::default();
    let connect = [("app", text("live")), ("tcUrl", text("rtmp://h/live"))];
    mouth
        .set_chunk_size(4096)
        .connect(object(&connect))
        .call("createStream", 2.0, &[])
        .publish(1, 3.0, &crate::session_peer::cam());
    media(&mut mouth, size);
    loop {
        let mut unread: &[u8] = &inbox;
        let progress = hands.read(&mut unread).unwrap();
        let left = unread.len();
        inbox = inbox.split_off(inbox.len() - left);
        let mut output = progress.output;
        if progress.done {
            output.extend(mouth.take());
        }
        pipe.write_all(&output).await.unwrap();
        pipe.flush().await.unwrap();
        if progress.done {
            return pipe;
        }
        assert_ne!(pipe.read_buf(&mut inbox).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn an_encoder_that_does_not_wait_for_the_start_loses_nothing() {
    let authority = Authority::new();
    // All of it in one TLS record, which our first reads have no room for; and in many.
    for size in [6_000, 200_000] {
        for window in WINDOWS {
            for is_tls in [false, true] {
                let tls = is_tls.then_some(&authority);
                everything_said_at_once_arrives(window, tls, size).await;
            }
        }
    }
}

async fn everything_said_at_once_arrives(window: u64, tls: Option<&Authority>, size: usize) {
    let gateway = Gateway::start(Setup {
        tls: tls.map(|authority| authority.server(&["localhost"])),
        ..setup(window)
    })
    .await;
    let mut target = Target::open().await;
    gateway.wish([rule(1, &target.url("x"))]);
    let tcp = TcpStream::connect(gateway.address).await.unwrap();
    let pipe: Pipe = match tls {
        None => Box::new(tcp),
        Some(authority) => {
            let roots = authority.client();
            let tls = aqueduct::net::tls::connect(&roots, "localhost", tcp);
            Box::new(tls.await.unwrap())
        }
    };
    let _open = soon("all is sent", rush(pipe, size)).await;
    assert_eq!(target.publish().await, "x");
    assert_eq!(target.tag().await, (Video, 0, VIDEO_HEADER.into()));
    assert_eq!(target.tag().await, (Video, 0, key(size).into()));
    for frame in 1..50 {
        let expected = (Video, frame * 40, inter(frame).into());
        assert_eq!(target.tag().await, expected);
    }
    until("early media is counted", || {
        gateway.diary.received().video == 51
    })
    .await;
}

#[tokio::test]
async fn one_byte_at_a_time_is_as_good_as_any() {
    let (_gateway, mut target, mut publisher) = begun(setup(0)).await;
    let mut all = Vec::new();
    for (at, payload) in [(0, VIDEO_HEADER.to_vec()), (0, key(700)), (40, inter(1))] {
        all.extend(publisher.chunks(Video, at, &payload));
    }
    for byte in all {
        publisher.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    target.publish().await;
    assert_eq!(target.tag().await, (Video, 0, VIDEO_HEADER.into()));
    assert_eq!(target.tag().await, (Video, 0, key(700).into()));
    assert_eq!(target.tag().await, (Video, 40, inter(1).into()));
}
