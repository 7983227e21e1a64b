//! RTMPS: the same stream, through TLS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::gateway_parts::{Authority, Gateway, Publisher, Setup, Target, inter, key, rule, soon};
use aqueduct::media::MediaKind::Video;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const WINDOWS: [u64; 2] = [0, 30];

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_comes_through_tls_whole() {
    let authority = Authority::new();
    for window in WINDOWS {
        let gateway = Gateway::start(Setup {
            window: Duration::from_millis(window),
            shards: 2,
            tls: Some(authority.server(&["localhost"])),
            ..Setup::default()
        })
        .await;
        let mut target = Target::open().await;
        gateway.wish([rule(1, &target.url("x"))]);
        let roots = authority.client();
        let mut publisher = Publisher::connect_tls(gateway.address, &roots, "cam").await;
        publisher.start(0).await;
        target.publish().await;
        target.tags(4).await;
        for frame in 1..50 {
            publisher.video(frame * 40, &inter(frame)).await;
            let expected = (Video, frame * 40, inter(frame).into());
            assert_eq!(target.tag().await, expected, "{window} ms");
        }
        publisher.finish().await;
        target.goodbye().await;
    }
}

/// A beat may bring more than one TLS record.
#[tokio::test(flavor = "multi_thread")]
async fn a_fast_stream_is_not_slowed_down_by_the_beat() {
    let authority = Authority::new();
    for window in WINDOWS {
        let gateway = Gateway::start(Setup {
            window: Duration::from_millis(window),
            shards: 2,
            tls: Some(authority.server(&["localhost"])),
            ..Setup::default()
        })
        .await;
        let mut target = Target::open().await;
        gateway.wish([rule(1, &target.url("x"))]);
        let roots = authority.client();
        let mut publisher = Publisher::connect_tls(gateway.address, &roots, "cam").await;
        publisher.start(0).await;
        target.publish().await;
        target.tags(4).await;
        let began = Instant::now();
        for frame in 1..40 {
            publisher.video(frame * 40, &key(250_000)).await;
        }
        target.tags(39).await;
        // Ten megabytes: 80 Mbit for which a publisher at the bound of 100 Mbit/s has a second, and a slow machine a few.
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "{:?}",
            began.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_without_tls_is_closed_with_its_reason() {
    let authority = Authority::new();
    let gateway = Gateway::start(Setup {
        tls: Some(authority.server(&["localhost"])),
        ..Setup::default()
    })
    .await;
    let mut tcp = TcpStream::connect(gateway.address).await.unwrap();
    tcp.write_all(&[3; 1537]).await.unwrap();
    let mut all = Vec::new();
    let _ = soon("the close", tcp.read_to_end(&mut all)).await;
    let line = gateway.diary.until_line("not published").await;
    assert!(line.contains("corrupt message"), "{line}");
    assert_eq!(gateway.diary.lines().len(), 1);
}

/// Many encoders close the socket and never end TLS.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_without_a_close_notify_is_an_end() {
    let authority = Authority::new();
    for window in WINDOWS {
        let gateway = Gateway::start(Setup {
            window: Duration::from_millis(window),
            shards: 1,
            tls: Some(authority.server(&["localhost"])),
            ..Setup::default()
        })
        .await;
        let roots = authority.client();
        let mut publisher = Publisher::connect_tls(gateway.address, &roots, "cam").await;
        publisher.start(0).await;
        drop(publisher);
        assert_eq!(
            gateway.diary.until_line("ended").await,
            "ended live/cam: the connection was closed without an unpublish"
        );
    }
}
