//! Items about what others notice of somebody's trouble.

use super::Extent;
use super::bill;
use super::common::eventually;
use super::common::gateway::{Gateway, Site};
use super::decoded::Watched;
use super::level;
use super::row::{Row, Verdict};
use super::scene::{
    PATIENCE, Pace, Sink, Stream, Visit, latencies, millis, missing, percentile, seconds,
};
use super::target::Mood;
use super::wire;
use aqueduct::rtmp::handshake;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, sleep, timeout};

const HEALTHY: usize = 8;

/// How long a target that stalls behaves before: its consent is behind it then.
const READS_FOR: Duration = Duration::from_secs(2);

/// A stream with eight targets that take everything.
struct Healthy {
    _site: Site,
    gateway: Gateway,
    stream: Stream,
    sink: Sink,
    began: Instant,
}

impl Healthy {
    async fn start() -> Self {
        let site = Site::new("", "");
        let gateway = site.start().await;
        let sink = Sink::start(Mood::Takes, true);
        for number in 0..HEALTHY {
            gateway
                .create_rule("cam", &sink.url(&format!("key{number}")))
                .await;
        }
        let began = Instant::now();
        let stream = Stream::start(gateway.rtmp, "cam", 0, Pace::USUAL).await;
        sink.until_live(HEALTHY, began).await;
        sleep(Duration::from_secs(2)).await;
        Self {
            _site: site,
            gateway,
            stream,
            sink,
            began,
        }
    }

    /// Latencies of what is sent in so many seconds from now on, in order, and what is missing of it. Panics where nothing was sent, on a
    /// machine that had no time for the publisher: nothing would pass for a figure then.
    async fn during(&self, length: Duration) -> (Vec<Duration>, usize) {
        let from = Instant::now();
        sleep(length).await;
        let within = (from, Instant::now());
        sleep(Duration::from_secs(2)).await;
        let visits = self.sink.live_since(self.began);
        if visits.len() != HEALTHY {
            // What the one connection has missed of it, and what the other one has, is counted as lost.
            eprintln!(
                "score: {HEALTHY} healthy targets have had {} connections",
                visits.len()
            );
        }
        let latencies = latencies(&self.stream, &visits, within);
        assert!(!latencies.is_empty(), "something is sent, and arrives");
        (latencies, missing(&self.stream, &visits, within))
    }

    fn resident(&self) -> u64 {
        level::look(self.gateway.pid(), Duration::ZERO).map_or(0, |sample| sample.rss)
    }
}

/// Items 10, 11 and 12, and the issue's own figure: a target that stalls, one at a tenth of the bitrate, one that resets every 5 s, one that refuses.
pub async fn bad_neighbours(extent: Extent) -> Vec<Row> {
    let scene = Healthy::start().await;
    let length = Duration::from_secs(extent.of(60, 15).into());
    let (without, _) = scene.during(length / 2).await;
    let rss = scene.resident();
    let stalled = Sink::start(Mood::Stalls(READS_FOR, PATIENCE * 10), true);
    let began = Instant::now();
    scene
        .gateway
        .create_rule("cam", &stalled.url("stalled"))
        .await;
    let (with_one, missing_with_one) = scene.during(length).await;
    let stalled_rss = scene.resident().saturating_sub(rss);
    // 2.5 Mbit/s are 31 kB in a tenth of a second.
    let slow = Sink::start(Mood::Crawls(3100), true);
    let half = Sink::start(Mood::Crawls(15_600), true);
    let resets = Sink::start(Mood::Resets(Duration::from_secs(5)), false);
    let refuses = Sink::start(Mood::Refuses, false);
    for (sink, name) in [(&slow, "slow"), (&resets, "resets"), (&refuses, "refuses")] {
        scene.gateway.create_rule("cam", &sink.url(name)).await;
    }
    let (with_four, missing_with_four) = scene.during(length).await;
    scene.gateway.create_rule("cam", &half.url("half")).await;
    let watched = Watched::start(&scene.gateway, extent.of(60, 15)).await;
    let (_, missing_with_five) = scene.during(length).await;
    let decoded = watched.decode();

    let [alone, one, four] = [&without, &with_one, &with_four].map(|of| percentile(of, 99));
    let ratio = four.as_secs_f64() / alone.as_secs_f64().max(1e-9);
    let found = remade(&stalled.visits(), began);
    let cuts = Cuts::of(&half.visits());
    let megabytes = stalled_rss as f64 / f64::from(1 << 20);
    vec![
        Row {
            item: 10,
            what: "one target of nine takes nothing: p99 of the eight others",
            how: format!(
                "one stream of 2.5 Mbit/s, over {} s without it and {} s with it",
                length.as_secs() / 2,
                length.as_secs()
            ),
            value: format!(
                "{} -> {}; {missing_with_one} pictures lost; memory {megabytes:+.1} MiB",
                millis(alone),
                millis(one)
            ),
            promise: "5 ms more at the most; 0 lost; 16 MiB",
            verdict: Verdict::of(
                one <= alone + Duration::from_millis(5)
                    && missing_with_one == 0
                    && megabytes <= 16.0,
            ),
        },
        Row {
            item: 10,
            what: "beside four: one stalls, one takes a tenth of the bitrate, one resets every 5 s, one refuses",
            how: format!("p99 of the eight others over {} s", length.as_secs()),
            value: format!(
                "{} -> {}, {ratio:.2} times; {missing_with_four} pictures lost",
                millis(alone),
                millis(four)
            ),
            promise: "1.5 times at the most; 0 lost",
            verdict: Verdict::of(ratio <= 1.5 && missing_with_four == 0),
        },
        Row {
            item: 11,
            what: "a target that takes nothing is called again",
            how: "from its last reading to its next connection, a rest of 1 s among it".to_owned(),
            value: found.map_or("never".to_owned(), seconds),
            promise: "found after 10 s without an acknowledged byte",
            verdict: Verdict::of(found.is_some_and(|found| found < Duration::from_secs(13))),
        },
        Row {
            item: 12,
            what: "a target at half the bitrate: what is left out for it",
            how: format!("pictures are numbered; {} s", length.as_secs()),
            value: format!(
                "{} gaps in {} pictures, {} of them end within a GOP; {missing_with_five} lost at the eight others",
                cuts.gaps, cuts.pictures, cuts.within
            ),
            promise: "it goes on at keyframes only",
            verdict: Verdict::of(cuts.gaps > 0 && cuts.within == 0 && missing_with_five == 0),
        },
        Row {
            item: 12,
            what: "a target at half the bitrate of an encoder's H.264 with B pictures and AAC: what a decoder makes of it",
            how: format!(
                "ffmpeg publishes {} s and decodes what the target has of it; each picture is compared with the source's",
                length.as_secs()
            ),
            value: format!(
                "{} of {} pictures, {} decoder errors, {} pictures unlike the source's",
                decoded.arrived, decoded.published, decoded.errors, decoded.spoilt
            ),
            promise: "0 errors; every picture as the source's",
            verdict: Verdict::of(
                (1..decoded.published).contains(&decoded.arrived)
                    && decoded.errors == 0
                    && decoded.spoilt == 0,
            ),
        },
    ]
}

/// How long after a target had stopped to read the next connection came.
fn remade(visits: &[Visit], began: Instant) -> Option<Duration> {
    let came: Vec<_> = visits
        .iter()
        .map(|visit| visit.came)
        .filter(|&came| came >= began)
        .collect();
    Some(*came.get(1)? - *came.first()? - READS_FOR)
}

#[derive(Default)]
struct Cuts {
    pictures: usize,
    gaps: usize,
    /// Gaps that something other than a keyframe follows on.
    within: usize,
}

impl Cuts {
    fn of(visits: &[Visit]) -> Self {
        let mut cuts = Self::default();
        for visit in visits {
            cuts.pictures += visit.pictures.len();
            for pair in visit.pictures.windows(2) {
                let [(before, _), (after, _)] = pair else {
                    continue;
                };
                if after.number != before.number + 1 {
                    cuts.gaps += 1;
                    cuts.within += usize::from(!after.is_key());
                }
            }
        }
        cuts
    }
}

/// Item 15: a second publisher takes over.
pub async fn takeovers(extent: Extent) -> Row {
    let scene = Healthy::start().await;
    let mut took = Vec::new();
    let mut before = None;
    for session in 1..=extent.of(30, 5) {
        let began = Instant::now();
        let stream = Stream::start(scene.gateway.rtmp, "cam", session, Pace::USUAL).await;
        let arrived = eventually("the new publisher's picture", PATIENCE, || async {
            let visit = scene.sink.live_since(scene.began).into_iter().next()?;
            let of_session = visit
                .pictures
                .into_iter()
                .find(|(mark, _)| mark.session == session);
            of_session.map(|(_, at)| at)
        })
        .await;
        took.push(arrived - began);
        before = Some(stream);
        sleep(Duration::from_millis(300)).await;
    }
    drop(before);
    took.sort_unstable();
    let (median, most) = (percentile(&took, 50), percentile(&took, 100));
    Row {
        item: 15,
        what: "a returning publisher takes its stream over",
        how: format!(
            "from its TCP connection to its first picture at a target, {} times",
            took.len()
        ),
        value: format!("p50 {}, longest {}", millis(median), millis(most)),
        promise: "100 ms at most",
        verdict: Verdict::of(most <= Duration::from_millis(100)),
    }
}

/// Item 8: no file can be opened any more.
pub async fn descriptors(extent: Extent) -> Row {
    let scene = Healthy::start().await;
    let gateway = &scene.gateway;
    let before = limit(gateway, Some(3));
    let rtmp = gateway.rtmp;
    let waiting: Vec<_> = (0..5)
        .map(|number| {
            tokio::spawn(async move { wire::publish(rtmp, &format!("late{number}")).await })
        })
        .collect();
    let (cpu, lines) = (bill::cpu(gateway.pid()), complaints(gateway));
    let length = Duration::from_secs(extent.of(30, 5).into());
    let (_, lost) = scene.during(length).await;
    let cpu = (bill::cpu(gateway.pid()) - cpu).as_secs_f64() / (length.as_secs_f64() + 2.0);
    let lines = complaints(gateway) - lines;
    let lifted = Instant::now();
    limit(gateway, before);
    let mut slowest = Duration::ZERO;
    for waiting in waiting {
        let admitted = timeout(PATIENCE, waiting).await;
        let admitted = admitted.expect("it is let in").expect("a task");
        admitted.expect("it is let in");
        slowest = slowest.max(lifted.elapsed());
    }
    let per_second = lines as f64 / length.as_secs_f64();
    Row {
        item: 8,
        what: "open files exhausted, one stream with eight targets live, five publishers wait",
        how: format!("for {} s", length.as_secs()),
        value: format!(
            "{lost} pictures lost, {:.1} % CPU with the stream's own, {per_second:.1} log lines a second, the last one in {} later",
            cpu * 100.0,
            millis(slowest)
        ),
        promise: "0 lost, below 5 %, 1 line a second, 1 s",
        verdict: Verdict::of(
            lost == 0 && cpu < 0.05 && per_second <= 1.1 && slowest <= Duration::from_secs(1),
        ),
    }
}

fn limit(gateway: &Gateway, current: Option<u64>) -> Option<u64> {
    let pid = i32::try_from(gateway.pid()).ok().and_then(Pid::from_raw);
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let before = prlimit(pid, Resource::Nofile, Rlimit { current, maximum });
    before.expect("a child's limit").current
}

fn complaints(gateway: &Gateway) -> usize {
    let output = gateway.output();
    let lines = output.lines();
    lines
        .filter(|line| line.contains("cannot be accepted"))
        .count()
}

/// Item 24: strangers come and go all the time.
pub async fn strangers(extent: Extent) -> Row {
    const A_SECOND: u64 = 500;
    let scene = Healthy::start().await;
    let length = Duration::from_secs(extent.of(60, 10).into());
    let (without, _) = scene.during(length / 2).await;
    let done = Arc::new(AtomicU64::new(0));
    let coming = tokio::spawn({
        let (rtmp, done) = (scene.gateway.rtmp, Arc::clone(&done));
        async move {
            let mut each = interval(Duration::from_micros(1_000_000 / A_SECOND));
            loop {
                each.tick().await;
                let done = Arc::clone(&done);
                tokio::spawn(async move {
                    if shake_hands(rtmp).await.is_ok() {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        }
    });
    let from = Instant::now();
    let (with, lost) = scene.during(length).await;
    let rate = done.load(Ordering::Relaxed) as f64 / from.elapsed().as_secs_f64();
    coming.abort();
    let [alone, beside] = [&without, &with].map(|of| percentile(of, 99));
    Row {
        item: 24,
        what: "500 new RTMP connections a second, each with its whole handshake: p99 of eight targets",
        how: format!(
            "for {} s, with the strangers in the same program as the targets",
            length.as_secs()
        ),
        value: format!(
            "{} -> {}; {lost} pictures lost; {rate:.0} handshakes a second",
            millis(alone),
            millis(beside)
        ),
        promise: "20 ms more at the most",
        verdict: Verdict::of(
            beside <= alone + Duration::from_millis(20) && lost == 0 && rate > 400.0,
        ),
    }
}

async fn shake_hands(gateway: std::net::SocketAddr) -> std::io::Result<()> {
    let mut tcp = TcpStream::connect(gateway).await?;
    let mut hands = handshake::Client::plain(7);
    let mut inbox = Vec::new();
    loop {
        let mut unread: &[u8] = &inbox;
        let progress = hands.read(&mut unread).map_err(std::io::Error::other)?;
        let left = unread.len();
        inbox.drain(..inbox.len() - left);
        tcp.write_all(&progress.output).await?;
        if progress.done {
            return Ok(());
        }
        if tcp.read_buf(&mut inbox).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
