//! A thousand connections that come to nothing, and the one publisher that has to get in meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::gateway_parts::{
    Gateway, HandClock, Publisher, Setup, Told, delivered, inter, soon, until,
};
use crate::session_peer::Mouth;
use crate::session_peer::publisher::connect_object;
use aqueduct::net::permits::ConnectionLimits;
use aqueduct::relay::limits::STREAMS_MAX;
use aqueduct::relay::{Claim, ClaimRefused, Credential, DuplicatePolicy};
use aqueduct::rule::StreamKey;
use std::io::Write;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

const STRANGERS: usize = 1000;

const SECOND: Duration = Duration::from_secs(1);

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Connections that the gateway has accepted, each of which has said this much.
async fn crowd(gateway: &Gateway, count: usize, said: impl Fn(usize) -> Vec<u8>) -> Vec<TcpStream> {
    aqueduct::net::descriptors::raise_limit().unwrap();
    let before = tasks();
    let mut crowd = Vec::new();
    for number in 0..count {
        let mut tcp = TcpStream::connect(gateway.address).await.unwrap();
        tcp.write_all(&said(number)).await.unwrap();
        crowd.push(tcp);
    }
    until("all are accepted", || tasks() == before + count).await;
    crowd
}

async fn closed(tcp: &mut TcpStream) {
    let mut heard = Vec::new();
    let ended = soon("the gateway's close", tcp.read_to_end(&mut heard)).await;
    assert!(ended.is_ok(), "a close, not a reset");
}

#[tokio::test]
async fn a_thousand_idle_connections_wake_nobody() {
    let clock = HandClock::stop();
    let gateway = Gateway::start(Setup::default()).await;
    let crowd = crowd(&gateway, STRANGERS, |_| vec![3]).await;
    for tcp in &crowd {
        delivered(tcp).await;
    }
    clock.settle().await;
    // Time moves by itself from here on, from timer to timer and only while nobody has anything to do.
    drop(clock);
    let parked = || Handle::current().metrics().worker_park_count(0);
    tokio::time::sleep(Duration::from_millis(10)).await;
    let before = parked();
    tokio::time::sleep(Duration::from_millis(4900)).await;
    let woken = parked() - before;
    assert!(woken <= 10, "{woken} times in five seconds");
    assert_eq!(gateway.diary.lines(), [""; 0]);
    drop(crowd);
}

#[tokio::test]
async fn slow_strangers_are_gone_within_ten_seconds_and_a_publisher_gets_in_at_once() {
    let clock = HandClock::stop();
    let gateway = Gateway::start(Setup::default()).await;
    let mut hands = vec![0; 3073];
    hands[0] = 3;
    let connected = {
        let mut mouth = Mouth::default();
        mouth.raw(&hands).connect(connect_object("live"));
        mouth.take()
    };
    // A message that never ends.
    let begun = [3, 0, 0, 0, 0, 0xFF, 0, 20, 0, 0, 0, 0];
    let said = |number: usize| match number % 4 {
        0 => Vec::new(),
        1 => vec![3],
        2 => [&hands[..], &begun].concat(),
        _ => [&connected[..], &begun].concat(),
    };
    let mut crowd = crowd(&gateway, STRANGERS, said).await;
    for (number, tcp) in crowd.iter().enumerate() {
        if number % 4 != 0 {
            delivered(tcp).await;
        }
    }
    clock.settle().await;
    for second in 0..11 {
        for (number, tcp) in crowd.iter_mut().enumerate() {
            // All but the silent ones drip; those that are closed already cannot.
            if number % 4 != 0 {
                let _ = tcp.write_all(&[5]).await;
            }
        }
        if second == 3 {
            // Without the clock having moved at all.
            let began = tokio::time::Instant::now();
            let mut publisher = soon("a publish", Publisher::connect(gateway.address, "cam")).await;
            publisher.start(0).await;
            assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
            assert!(gateway.stream("cam").is_some());
            drop(publisher);
        }
        clock.leap(SECOND).await;
    }
    for tcp in &mut crowd {
        closed(tcp).await;
    }
    let told = |reason: &str| {
        gateway
            .diary
            .about(&format!("not published : {reason}"))
            .len()
    };
    assert_eq!(told("no complete handshake within 5s"), STRANGERS / 2);
    assert_eq!(told("no connect within 10s"), STRANGERS / 4);
    assert_eq!(told("no publish within 10s"), STRANGERS / 4);
}

#[tokio::test]
async fn whoever_publishes_leaves_the_strangers_room() {
    let gateway = Gateway::start(Setup {
        connections: ConnectionLimits {
            pending: 1,
            ..ConnectionLimits::default()
        },
        ..Setup::default()
    })
    .await;
    let mut live = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let mut publisher = soon("a publish", Publisher::connect(gateway.address, name)).await;
        publisher.start(0).await;
        live.push(publisher);
    }
    // A full room keeps out who is new and disturbs nobody who is live.
    let stranger = TcpStream::connect(gateway.address).await.unwrap();
    let mut waiting = TcpStream::connect(gateway.address).await.unwrap();
    waiting.write_all(&[3]).await.unwrap();
    for publisher in &mut live {
        publisher.video(40, &inter(1)).await;
    }
    until("they are heard", || gateway.diary.received().video >= 12).await;
    assert_eq!(gateway.diary.about("not published"), [""; 0]);
    drop((stranger, waiting));
    let late = soon("a publish", Publisher::connect(gateway.address, "e")).await;
    drop(late);
}

#[tokio::test]
async fn a_full_gateway_takes_no_more_streams_and_carries_on_those_it_has() {
    let gateway = Gateway::start(Setup::default()).await;
    let mut publisher = Publisher::connect(gateway.address, "cam").await;
    publisher.start(0).await;
    until("it is heard", || gateway.diary.received().video >= 2).await;
    let claim = |number: usize| {
        let key = StreamKey::parse("live", &format!("s{number}")).unwrap();
        let claim = Claim {
            credential: Credential::Address([192, 0, 2, 1].into()),
            peer: "192.0.2.1:4000".parse().unwrap(),
            client: String::new(),
            input: None,
        };
        gateway.hub.claim(&key, claim, DuplicatePolicy::Takeover)
    };
    let mut producers: Vec<_> = (1..STREAMS_MAX).map(|n| claim(n).unwrap()).collect();
    assert_eq!(claim(0).err(), Some(ClaimRefused::Full));
    let refused = Publisher::ask(gateway.address, "one-more").await.err();
    let code = "NetStream.Publish.Rejected".to_owned();
    assert_eq!(refused, Some(Told::Refused(code)));
    publisher.video(40, &inter(1)).await;
    until("it goes on", || gateway.diary.received().video >= 3).await;
    drop(producers.pop());
    drop(soon("a publish", Publisher::connect(gateway.address, "one-more")).await);
}

#[tokio::test]
async fn a_refused_publisher_that_talks_on_keeps_its_place_for_two_seconds() {
    let clock = HandClock::stop();
    let gateway = Gateway::start(Setup {
        publish_keys: vec!["right"],
        connections: ConnectionLimits {
            pending: 1,
            ..ConnectionLimits::default()
        },
        ..Setup::default()
    })
    .await;
    let mut mouth = Mouth::default();
    let mut hands = vec![0; 3073];
    hands[0] = 3;
    mouth.raw(&hands).connect(connect_object("live"));
    mouth.call("createStream", 2.0, &[]);
    mouth.publish(1, 3.0, &[crate::session_peer::text("cam?key=wrong")]);
    let mut tcp = TcpStream::connect(gateway.address).await.unwrap();
    tcp.write_all(&mouth.take()).await.unwrap();
    gateway.diary.until_line("not published").await;
    // It does not take the hint.
    let mut tcp = tcp.into_std().unwrap();
    tcp.set_nonblocking(false).unwrap();
    let talking = std::thread::spawn(move || while tcp.write_all(&[5; 100_000]).is_ok() {});
    let good = Publisher::connect(gateway.address, "cam?key=right");
    let patient = async {
        clock.advance(Duration::from_millis(1900)).await;
        assert!(!talking.is_finished(), "it may read our answer first");
        clock.advance(Duration::from_millis(200)).await;
        until("it is cut off", || talking.is_finished()).await;
    };
    let (good, ()) = tokio::join!(soon("a publish", good), patient);
    drop(good);
    let lines = gateway.diary.lines();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("the publish key is missing or wrong"),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("started live/cam"), "{lines:?}");
}
