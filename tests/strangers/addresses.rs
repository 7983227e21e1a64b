//! How many connections one address gets, at a listener. Loopback stands for the world here, where it counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::gateway_parts::{Gateway, Publisher, Setup, soon, until};
use aqueduct::egress::status::TargetState;
use aqueduct::net::permits::{AddressLimits, ConnectionLimits};
use aqueduct::telemetry::Snapshot;
use std::net::SocketAddr;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};

async fn gateway(pending: usize, connections: u32, per_second: u32) -> Gateway {
    Gateway::start(Setup {
        connections: ConnectionLimits {
            pending,
            address: AddressLimits {
                connections,
                per_second,
                loopback: true,
            },
        },
        ..Setup::default()
    })
    .await
}

async fn from(address: &str, gateway: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(format!("{address}:0").parse().unwrap())
        .unwrap();
    socket.connect(gateway).await.unwrap()
}

/// Whether the gateway closes at once. One that is let in is greeted when it says hello.
async fn is_closed(tcp: &mut TcpStream) -> bool {
    use tokio::io::AsyncWriteExt;
    let mut hands = [0; 1537];
    hands[0] = 3;
    let _ = tcp.write_all(&hands).await;
    let mut byte = [0];
    !matches!(
        soon("an answer or a close", tcp.read(&mut byte)).await,
        Ok(1)
    )
}

fn refused(gateway: &Gateway, reason: &str) -> u64 {
    let page = gateway.metrics.render(&Snapshot::<TargetState> {
        streams: 0,
        streams_in_grace: 0,
        ring_bytes: 0,
        targets: Vec::new(),
    });
    let series = format!("aqueduct_publish_rejected_total{{reason=\"{reason}\"}} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_address_has_its_connections_and_another_one_its_own() {
    let gateway = gateway(100, 2, 0).await;
    let publisher = soon("a publish", Publisher::connect(gateway.address, "cam")).await;
    let mut second = from("127.0.0.1", gateway.address).await;
    assert!(!is_closed(&mut second).await);
    for refusals in 1..=3 {
        let mut third = from("127.0.0.1", gateway.address).await;
        assert!(is_closed(&mut third).await);
        assert_eq!(refused(&gateway, "address_limit"), refusals);
    }
    let mut elsewhere = from("127.0.0.2", gateway.address).await;
    assert!(!is_closed(&mut elsewhere).await);
    drop(publisher);
    until("its place is free", || {
        !gateway.diary.about("ended").is_empty()
    })
    .await;
    drop(second);
    let again = soon("a publish", Publisher::connect(gateway.address, "cam")).await;
    drop(again);
}

#[tokio::test]
async fn an_address_that_hurries_is_refused_before_anything_is_read() {
    let gateway = gateway(1000, 0, 1).await;
    let mut let_in = 0;
    let mut kept = Vec::new();
    // A second may pass while this runs, so there may be one more than the burst, or a few.
    for _ in 0..60 {
        let mut tcp = from("127.0.0.1", gateway.address).await;
        if is_closed(&mut tcp).await {
            continue;
        }
        let_in += 1;
        kept.push(tcp);
    }
    assert!((10..40).contains(&let_in), "{let_in}");
    assert_eq!(refused(&gateway, "address_rate"), 60 - let_in);
    let mut elsewhere = from("127.0.0.2", gateway.address).await;
    assert!(!is_closed(&mut elsewhere).await);
}

#[tokio::test]
async fn one_address_fills_half_of_the_strangers_room() {
    let gateway = gateway(8, 1000, 0).await;
    let mut kept = Vec::new();
    for number in 0..20 {
        let mut tcp = from("127.0.0.1", gateway.address).await;
        let closed = is_closed(&mut tcp).await;
        assert_eq!(closed, number >= 4, "{number}");
        if !closed {
            kept.push(tcp);
        }
    }
    assert_eq!(refused(&gateway, "address_share"), 16);
    let mut elsewhere = from("127.0.0.2", gateway.address).await;
    assert!(!is_closed(&mut elsewhere).await);
}
