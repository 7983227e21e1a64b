//! How long a stranger may take, from its first byte to its publish.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::gateway_parts::{Authority, Gateway, HandClock, Setup, delivered, soon};
use aqueduct::rtmp::handshake;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn closed(tcp: &mut TcpStream) {
    let mut all = Vec::new();
    let ended = soon("the gateway's close", tcp.read_to_end(&mut all)).await;
    assert!(ended.is_ok(), "a close, not a reset");
}

/// A handshake that is done, C2 included.
async fn greeted(gateway: &Gateway) -> TcpStream {
    let mut tcp = TcpStream::connect(gateway.address).await.unwrap();
    let mut inbox = bytes::BytesMut::new();
    let mut hands = handshake::Client::plain(7);
    loop {
        let mut unread: &[u8] = &inbox;
        let progress = hands.read(&mut unread).unwrap();
        let left = unread.len();
        inbox = inbox.split_off(inbox.len() - left);
        tcp.write_all(&progress.output).await.unwrap();
        if progress.done {
            return tcp;
        }
        tcp.read_buf(&mut inbox).await.unwrap();
    }
}

#[tokio::test]
async fn a_handshake_has_five_seconds_in_all_however_it_drips() {
    let clock = HandClock::stop();
    let gateway = Gateway::start(Setup::default()).await;
    let mut tcp = TcpStream::connect(gateway.address).await.unwrap();
    tcp.write_all(&[3]).await.unwrap();
    delivered(&tcp).await;
    clock.settle().await;
    for _ in 0..48 {
        clock.advance(Duration::from_millis(100)).await;
        tcp.write_all(&[0]).await.unwrap();
        delivered(&tcp).await;
    }
    assert_eq!(gateway.diary.lines(), [""; 0]);
    clock.advance(Duration::from_millis(300)).await;
    closed(&mut tcp).await;
    assert_eq!(
        gateway.diary.lines(),
        ["not published : no complete handshake within 5s"]
    );
}

#[tokio::test]
async fn tls_counts_into_the_handshake() {
    let clock = HandClock::stop();
    let gateway = Gateway::start(Setup {
        tls: Some(Authority::new().server(&["localhost"])),
        ..Setup::default()
    })
    .await;
    let mut tcp = TcpStream::connect(gateway.address).await.unwrap();
    // The head of a ClientHello, and no more.
    tcp.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    delivered(&tcp).await;
    clock.settle().await;
    clock.advance(Duration::from_millis(4900)).await;
    assert_eq!(gateway.diary.lines(), [""; 0]);
    clock.advance(Duration::from_millis(200)).await;
    closed(&mut tcp).await;
    assert_eq!(
        gateway.diary.lines(),
        ["not published : no complete handshake within 5s"]
    );
}

#[tokio::test]
async fn a_connect_has_ten_seconds_from_the_first_byte_on() {
    let clock = HandClock::stop();
    let gateway = Gateway::start(Setup::default()).await;
    let mut tcp = greeted(&gateway).await;
    delivered(&tcp).await;
    clock.settle().await;
    clock.advance(Duration::from_millis(9900)).await;
    assert_eq!(gateway.diary.lines(), [""; 0]);
    clock.advance(Duration::from_millis(200)).await;
    closed(&mut tcp).await;
    assert_eq!(
        gateway.diary.lines(),
        ["not published : no connect within 10s"]
    );
}

#[tokio::test]
async fn a_publish_has_ten_seconds_from_the_first_byte_on_however_the_rest_drips() {
    let clock = HandClock::stop();
    let gateway = Gateway::start(Setup::default()).await;
    let mut tcp = greeted(&gateway).await;
    delivered(&tcp).await;
    clock.advance(Duration::from_secs(4)).await;
    let config = aqueduct::rtmp::session::client::ClientConfig::new("live", "rtmp://h/live", "x");
    let mut session = aqueduct::rtmp::session::client::ClientSession::new(config);
    tcp.write_all(session.output()).await.unwrap();
    soon("the answer to connect", tcp.readable()).await.unwrap();
    // An endless message, a byte every 100 ms.
    tcp.write_all(&[0x03, 0, 0, 0, 0, 0xFF, 0, 20, 0, 0, 0, 0])
        .await
        .unwrap();
    for _ in 0..59 {
        clock.advance(Duration::from_millis(100)).await;
        tcp.write_all(&[5]).await.unwrap();
        delivered(&tcp).await;
    }
    assert_eq!(gateway.diary.lines(), [""; 0]);
    clock.advance(Duration::from_millis(200)).await;
    closed(&mut tcp).await;
    assert_eq!(
        gateway.diary.lines(),
        ["not published : no publish within 10s"]
    );
}
