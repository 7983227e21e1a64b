//! Reads, writes and wake-ups, counted on sockets against the beats that struck: a machine that is busy leaves beats out, and has
//! fewer of all.

use crate::gateway_parts::{Gateway, Host, Publisher, Setup, audio, key, rule, until};
use aqueduct::relay::Shard;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// The default `flush_interval_ms`.
const WINDOW: Duration = Duration::from_millis(30);
/// The beats of a count.
const BEATS: u64 = 100;
/// More than one a beat, in per cent, is too many: two in every twentieth beat.
const TOLERANCE: u64 = 5;
/// A beat that strikes while two figures are looked up may be in one of them alone, at either end of a count.
const AT_THE_ENDS: u64 = 2;

/// How often a shard's thread sleeps for a beat: its timer is the kernel's, in the event queue, and targets are looked after at
/// beats, so that nothing else wakes it.
const PARKS: u64 = 1;

const PUBLISHERS: usize = 2;
const TARGETS: usize = 4;
const PUSHES: u64 = (PUBLISHERS * TARGETS) as u64;
/// A picture and the sound beside it, in bytes: a whole count stays far below what the kernel's buffers hold, so that every socket
/// always takes it, however late whoever reads it is.
const PICTURE_BYTES: usize = 800;
const FRAME: Duration = Duration::from_millis(33);

/// All that is counted, at one moment or over a stretch.
#[derive(Clone, Copy, Debug)]
struct Counts {
    beats: u64,
    reads: u64,
    writes: u64,
    parks: u64,
}

/// A gateway of one shard, with its publishers and targets.
struct Scene {
    gateway: Gateway,
    shard: Shard,
    publishers: Vec<Publisher>,
    /// Hold the targets' connections.
    _targets: Vec<tokio::task::JoinHandle<()>>,
}

#[tokio::test]
async fn a_window_costs_one_read_a_publisher_and_one_write_a_target() {
    let mut scene = Scene::open().await;
    let before = scene.gateway.diary.sent().bytes;
    let mut encoder = Encoder::new();
    let mut publishers = std::mem::take(&mut scene.publishers);
    let counts = scene
        .count(async || encoder.send(&mut publishers).await)
        .await;
    counts.assert_at_most("reads", counts.reads, PUBLISHERS as u64);
    counts.assert_at_most("writes", counts.writes, PUSHES);
    counts.assert_at_most("parks", counts.parks, PARKS);
    assert!(
        counts.reads >= (counts.beats - AT_THE_ENDS) * PUBLISHERS as u64,
        "every beat reads: {counts:?}"
    );
    scene.settle().await;
    let sent = scene.gateway.diary.sent().bytes - before;
    let pictures = encoder.pictures() * PUBLISHERS * TARGETS;
    assert!(sent > pictures * PICTURE_BYTES, "all has gone out");
}

#[tokio::test]
async fn connections_that_say_nothing_are_woken_for_by_the_beat_alone() {
    let scene = Scene::open().await;
    let counts = scene.count(async || sleep(WINDOW).await).await;
    assert_eq!(counts.writes, 0, "{counts:?}");
    counts.assert_at_most("parks", counts.parks, PARKS);
}

#[tokio::test]
async fn a_shard_without_publishers_is_never_woken() {
    let setup = Setup {
        window: WINDOW,
        shards: 2,
        ..Setup::default()
    };
    let gateway = Gateway::start(setup).await;
    // Connections take the shards in turn, so that the first one has the publisher.
    let [busy, idle] = [gateway.shards.pick().clone(), gateway.shards.pick().clone()];
    let mut publisher = Publisher::connect(gateway.address, "s").await;
    publisher.start(0).await;
    let parks = || idle.handle.metrics().worker_park_count(0);
    until("the idle shard sleeps", || parks() > 0).await;
    let (strikes, before) = (busy.beat.strikes(), parks());
    until("a second of beats", || busy.beat.strikes() >= strikes + 34).await;
    assert_eq!(parks(), before);
    assert_eq!(idle.beat.strikes(), 0);
}

impl Scene {
    async fn open() -> Self {
        let setup = Setup {
            window: WINDOW,
            shards: 1,
            ..Setup::default()
        };
        let gateway = Gateway::start(setup).await;
        let hosts: [_; TARGETS] = futures::future::join_all((0..TARGETS).map(|_| Host::open()))
            .await
            .try_into()
            .ok()
            .unwrap();
        let rules = hosts
            .iter()
            .zip(1..)
            .map(|(host, number)| rule(number, &host.url("app/{stream}")));
        gateway.wish(rules);
        let mut publishers = Vec::new();
        for number in 0..PUBLISHERS {
            let mut publisher = Publisher::connect(gateway.address, &format!("s{number}")).await;
            publisher.start(0).await;
            publishers.push(publisher);
        }
        let mut targets = Vec::new();
        for host in &hosts {
            for _ in 0..PUBLISHERS {
                let mut visit = host.visit().await;
                visit.accept_publish().await;
                targets.push(tokio::spawn(async move { visit.discard().await }));
            }
        }
        let live = || gateway.diary.about("live").len() as u64 == PUSHES;
        until("all targets are live", live).await;
        let shard = gateway.shards.pick().clone();
        let scene = Self {
            gateway,
            shard,
            publishers,
            _targets: targets,
        };
        scene.settle().await;
        scene
    }

    /// Waits until all that was sent so far has gone out.
    async fn settle(&self) {
        loop {
            let before = self.gateway.diary.sent().writes;
            let beats = self.counts().beats;
            until("ten beats", || self.counts().beats >= beats + 10).await;
            if self.gateway.diary.sent().writes == before {
                return;
            }
        }
    }

    fn counts(&self) -> Counts {
        Counts {
            beats: self.shard.beat.strikes(),
            reads: self.gateway.diary.received().reads.into(),
            writes: self.gateway.diary.sent().writes.into(),
            parks: self.shard.handle.metrics().worker_park_count(0),
        }
    }

    /// Counts while `step` is done again and again.
    async fn count(&self, mut step: impl AsyncFnMut()) -> Counts {
        let before = self.counts();
        while self.shard.beat.strikes() < before.beats + BEATS {
            step().await;
        }
        self.counts().since(before)
    }
}

impl Counts {
    /// Fails where there are more than so many for each beat.
    fn assert_at_most(&self, what: &str, count: u64, each: u64) {
        let most = (self.beats + AT_THE_ENDS) * each * (100 + TOLERANCE);
        assert!(count * 100 <= most, "{what}: {self:?}");
    }

    fn since(self, before: Self) -> Self {
        Self {
            beats: self.beats - before.beats,
            reads: self.reads - before.reads,
            writes: self.writes - before.writes,
            parks: self.parks - before.parks,
        }
    }
}

/// What encoders send: a picture and the sound that belongs to it, one half of a frame's time after the other.
struct Encoder {
    began: Instant,
    halves: u32,
}

impl Encoder {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            halves: 0,
        }
    }

    /// Waits until the next picture or sound is due, and sends it on all connections.
    async fn send(&mut self, publishers: &mut [Publisher]) {
        self.halves += 1;
        let at = FRAME / 2 * self.halves;
        sleep_until(self.began + at).await;
        // Behind the picture that the stream began with.
        let at = at.as_millis() as u32;
        for publisher in publishers {
            match self.halves % 2 {
                1 => publisher.video(at, &key(PICTURE_BYTES)).await,
                _ => publisher.audio(at, &audio(self.halves)).await,
            }
        }
    }

    fn pictures(&self) -> usize {
        self.halves.div_ceil(2) as usize
    }
}
