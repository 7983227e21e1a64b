//! Publishers that are none, or stop being one: each is closed with one reason, and costs nobody else anything.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::gateway_parts::{
    Gateway, Publisher, Setup, Target, Told, inter, key, rule, soon, until,
};
use aqueduct::media::MediaKind;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const WINDOWS: [u64; 2] = [0, 10];

fn setup(window: u64) -> Setup {
    Setup {
        window: Duration::from_millis(window),
        shards: 1,
        ..Setup::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_rtmp_is_closed_with_its_reason_said_once() {
    let table: &[(&[u8], &str)] = &[
        (b"", "it closed before it had asked to publish"),
        (
            b"GET / HTTP/1.1\r\n\r\n",
            "handshake: handshake begins with 0x47 and not 0x03 (HTTP on a port for RTMP?)",
        ),
        (
            &[0x16, 3, 1, 2, 0],
            "handshake: handshake begins with 0x16 and not 0x03 (TLS on a port for plain RTMP?)",
        ),
        (
            &[0xFF; 5000],
            "handshake: handshake begins with 0xff and not 0x03",
        ),
    ];
    for (bytes, reason) in table {
        let gateway = Gateway::start(setup(0)).await;
        let mut tcp = TcpStream::connect(gateway.address).await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut all = Vec::new();
        soon("the close", tcp.read_to_end(&mut all)).await.unwrap();
        gateway.diary.until_line("not published").await;
        assert_eq!(gateway.diary.lines(), [format!("not published : {reason}")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_the_middle_of_a_publish_ends_it_with_its_reason_said_once() {
    for window in WINDOWS {
        let gateway = Gateway::start(setup(window)).await;
        let mut target = Target::open().await;
        gateway.wish([rule(1, &target.url("x"))]);
        let mut publisher = Publisher::connect(gateway.address, "cam").await;
        publisher.start(0).await;
        publisher.video(40, &inter(1)).await;
        target.publish().await;
        target.tags(5).await;
        // A header of format 3 on a chunk stream that nobody has opened, behind a frame that is whole.
        let mut bytes = publisher.chunks(MediaKind::Video, 80, &inter(2));
        bytes.extend_from_slice(&[0xC0 | 40; 3000]);
        publisher.write(&bytes).await;
        assert_eq!(target.tags(1).await, [(MediaKind::Video, 80)]);
        target.goodbye().await;
        assert_eq!(publisher.told().await, Told::Closed);
        let ended = gateway.diary.until_line("ended").await;
        assert!(ended.starts_with("ended live/cam: protocol: "), "{ended}");
        assert_eq!(gateway.diary.about("ended").len(), 1);
    }
}

/// Writes as fast as it can from a thread of its own, until it may not any more or is dropped.
struct Flood {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<Duration>>,
}

impl Flood {
    fn over(tcp: TcpStream, bytes: Vec<u8>) -> Self {
        let mut tcp = tcp.into_std().unwrap();
        tcp.set_nonblocking(false).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let began = Instant::now();
            while !stopped.load(Ordering::Relaxed) && tcp.write_all(&bytes).is_ok() {}
            began.elapsed()
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    fn is_over(&self) -> bool {
        self.thread
            .as_ref()
            .is_none_or(|thread| thread.is_finished())
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // What it still writes has to be read by somebody, so it is not waited for.
        drop(self.thread.take());
    }
}

async fn another_stream_gets_through(gateway: SocketAddr, target: &mut Target) {
    let mut publisher = soon("a publish", Publisher::connect(gateway, "cam")).await;
    publisher.start(0).await;
    target.publish().await;
    target.tags(4).await;
    for frame in 1..20 {
        publisher.video(frame * 40, &inter(frame)).await;
        assert_eq!(target.tags(1).await, [(MediaKind::Video, frame * 40)]);
    }
    publisher.finish().await;
    target.goodbye().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_never_stops_talking_holds_up_nobody() {
    let gateway = Gateway::start(setup(0)).await;
    let mut target = Target::open().await;
    gateway.wish([rule(1, &target.url("x"))]);
    let tcp = TcpStream::connect(gateway.address).await.unwrap();
    let flood = Flood::over(tcp, vec![0xFF; 1 << 20]);
    gateway.diary.until_line("not published").await;
    another_stream_gets_through(gateway.address, &mut target).await;
    until("it is cut off", || flood.is_over()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_floods_is_slowed_down_and_holds_up_nobody() {
    for window in WINDOWS {
        let gateway = Gateway::start(setup(window)).await;
        let mut target = Target::open().await;
        let mut literal = rule(1, &target.url("x"));
        literal.stream = aqueduct::rule::StreamPattern::parse("cam").unwrap();
        gateway.wish([literal]);
        let began = Instant::now();
        let mut publisher = Publisher::connect(gateway.address, "flood").await;
        publisher.start(0).await;
        let chunks = publisher.chunks(MediaKind::Video, 0, &key(4_000_000));
        let flood = Flood::over(publisher.into_tcp(), chunks.to_vec());
        // More than ten seconds' worth at 100 Mbit/s comes at once; what is beyond waits in the socket.
        until("its allowance is used up", || {
            gateway.diary.received().bytes >= 130_000_000
        })
        .await;
        another_stream_gets_through(gateway.address, &mut target).await;
        // Counted from the beginning: on a slow machine a part of the burst is unspent here.
        let received = gateway.diary.received().bytes;
        let allowed = 12_500_000.0 * (10.5 + began.elapsed().as_secs_f64());
        assert!(
            (received as f64) < allowed,
            "{received} bytes in {:?}",
            began.elapsed()
        );
        assert!(!flood.is_over(), "it waits and is not cut off");
    }
}
