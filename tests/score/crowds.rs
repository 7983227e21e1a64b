//! Items about many at once, and many after each other.

use super::Extent;
use super::bill;
use super::common::eventually;
use super::common::gateway::{Gateway, Site};
use super::frames::{self, Mark};
use super::level::{self, Sample};
use super::row::{Row, Verdict};
use super::scene::{PATIENCE, Pace, Sink, Stream, seconds};
use super::target::Mood;
use super::wire;
use aqueduct::media::MediaKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// Item 16.
pub async fn goodbyes(extent: Extent) -> Row {
    const STREAMS: u32 = 16;
    const TARGETS: u32 = 256;
    let (mut proper, mut all, mut took) = (0, 0, Vec::new());
    for _ in 0..extent.of(10, 2) {
        let site = Site::new("starts_per_second = 1000", "");
        let gateway = site.start().await;
        let sink = Sink::start(Mood::Takes, false);
        for number in 0..TARGETS {
            let url = sink.url(&format!("key{number}"));
            gateway
                .create_rule(&format!("cam{}", number % STREAMS), &url)
                .await;
        }
        let began = Instant::now();
        let mut streams = Vec::new();
        for number in 0..STREAMS {
            let name = format!("cam{number}");
            streams.push(Stream::start(gateway.rtmp, &name, 0, Pace::SLOW).await);
        }
        sink.until_live(TARGETS as usize, began).await;
        let told = Instant::now();
        gateway.sigterm();
        let (status, output) = gateway.wait(PATIENCE).await;
        took.push(told.elapsed());
        assert!(status.success(), "{output}");
        eventually("all connections end", PATIENCE, || async {
            sink.visits()
                .iter()
                .all(|visit| visit.ended.is_some())
                .then_some(())
        })
        .await;
        let visits = sink.visits();
        all += visits.len();
        let is_proper = |end: &Option<(Instant, bool)>| end.is_some_and(|(_, orderly)| orderly);
        proper += visits
            .iter()
            .filter(|visit| visit.said_goodbye && is_proper(&visit.ended))
            .count();
    }
    took.sort_unstable();
    let longest = took.last().copied().unwrap_or_default();
    Row {
        item: 16,
        what: "SIGTERM with 256 targets of 16 streams",
        how: format!("{} times; looked at every 25 ms", took.len()),
        value: format!(
            "{proper} of {all} have a goodbye, then the end and no reset; exit after {} at most",
            seconds(longest)
        ),
        promise: "all; 2 s",
        verdict: Verdict::of(proper == all && longest <= Duration::from_secs(2)),
    }
}

/// Item 26.
pub async fn churn(extent: Extent) -> Row {
    let sessions = extent.of(40_000, 3_000);
    let site = Site::new("starts_per_second = 1000", "");
    let gateway = site.start().await;
    let sink = Sink::start(Mood::Takes, false);
    gateway.create_rule("cam0", &sink.url("key")).await;
    publish_again_and_again(gateway.rtmp, sessions / 10).await;
    let before = at_rest(&gateway).await;
    let began = Instant::now();
    publish_again_and_again(gateway.rtmp, sessions).await;
    let took = began.elapsed();
    let after = at_rest(&gateway).await;
    let growth = after.rss as f64 / before.rss as f64 * 100.0 - 100.0;
    let threads = (
        bill::threads(gateway.pid()),
        before.descriptors,
        after.descriptors,
    );
    Row {
        item: 26,
        what: "publishers that come, send a GOP and go, sixteen at a time, one name with a target",
        how: format!(
            "{sessions} sessions in {}, after a tenth as many to warm up",
            seconds(took)
        ),
        value: format!(
            "memory {:.1} -> {:.1} MiB ({growth:+.1} %), open files {} -> {}, {} threads",
            before.rss as f64 / f64::from(1 << 20),
            after.rss as f64 / f64::from(1 << 20),
            threads.1,
            threads.2,
            threads.0
        ),
        promise: "back to the start, 2 % more or less",
        verdict: Verdict::of(growth <= 2.0 && after.descriptors <= before.descriptors),
    }
}

async fn publish_again_and_again(gateway: SocketAddr, sessions: u32) {
    let left = Arc::new(AtomicU32::new(sessions));
    let publishers = (0..16).map(|name| {
        let left = Arc::clone(&left);
        tokio::spawn(async move {
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                })
                .is_ok()
            {
                publish_once(gateway, &format!("cam{name}"))
                    .await
                    .expect("a session");
            }
        })
    });
    for publisher in publishers.collect::<Vec<_>>() {
        publisher.await.expect("a publisher");
    }
}

async fn publish_once(gateway: SocketAddr, name: &str) -> std::io::Result<()> {
    let mut published = wire::publish(gateway, name).await?;
    let header = frames::header(MediaKind::Video, 0);
    published.send(MediaKind::Video, 0, &header).await?;
    for number in 0..frames::GOP {
        let mark = Mark { session: 0, number };
        let picture = frames::of_size(MediaKind::Video, mark, 300);
        published
            .send(MediaKind::Video, number * 40, &picture)
            .await?;
    }
    published.say_goodbye().await?;
    // As encoders do; the gateway waits a moment for those that do not.
    published.tcp.shutdown().await?;
    let mut scrap = Vec::new();
    published.tcp.read_to_end(&mut scrap).await?;
    Ok(())
}

/// What it has when nothing goes on any more, and the allocator has had time to give back.
async fn at_rest(gateway: &Gateway) -> Sample {
    sleep(Duration::from_secs(5)).await;
    level::look(gateway.pid(), Duration::ZERO).expect("it lives")
}

/// Item 35: its memory with a thousand strangers who have said something and no more.
pub async fn idle_strangers() -> Row {
    const STRANGERS: usize = 1000;
    let site = Site::new("starts_per_second = 1000", "");
    let gateway = site.start().await;
    let before = at_rest(&gateway).await;
    let mut strangers = Vec::new();
    for _ in 0..STRANGERS {
        let mut tcp = TcpStream::connect(gateway.rtmp)
            .await
            .expect("a connection");
        // A plain handshake, and then a message that claims as much as one may, of which a chunk comes.
        let mut said = vec![0; 3073];
        said[0] = 3;
        said.extend([3, 0, 0, 0, 0, 0xFF, 0xFF, 20, 0, 0, 0, 0]);
        said.extend([2; 128]);
        tcp.write_all(&said).await.expect("room in the kernel");
        strangers.push(tcp);
    }
    sleep(Duration::from_secs(2)).await;
    let open = level::look(gateway.pid(), Duration::ZERO).expect("it lives");
    let held = open.descriptors.saturating_sub(before.descriptors);
    let grown = open.rss.saturating_sub(before.rss) as f64 / STRANGERS as f64;
    let sent = 3073.0 + 140.0;
    drop(strangers);
    Row {
        item: 35,
        what: "a thousand strangers with a handshake and the beginning of a message",
        how: format!("resident memory with {held} of them open"),
        value: format!(
            "{:.1} MiB, {:.1} kB for each, {:.1} times what it has sent",
            open.rss as f64 / f64::from(1 << 20),
            grown / 1000.0,
            grown / sent
        ),
        promise: "128 MiB; 10 times",
        verdict: Verdict::of(held >= 900 && open.rss <= 128 << 20 && grown / sent <= 10.0),
    }
}
