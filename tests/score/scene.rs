//! Streams and targets that note when what was sent and what arrived.

use super::common::eventually;
use super::frames::{self, Mark};
use super::target::{self, Ear, Mood};
use super::wire;
use aqueduct::media::MediaKind;
use aqueduct::rtmp::session::Media;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// How long whatever is waited for may take before a figure is given up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How a stream is published: pictures only.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From one picture to the next.
    pub step: Duration,
    /// Bytes of one.
    pub bytes: usize,
}

impl Pace {
    /// 2.5 Mbit/s at 25 pictures a second.
    pub const USUAL: Self = Self {
        step: Duration::from_millis(40),
        bytes: 12_500,
    };
    /// Enough to see that a target takes media, of hundreds of streams.
    pub const SLOW: Self = Self {
        step: Duration::from_millis(200),
        bytes: 300,
    };
}

/// A stream that is published until the value is dropped, which is the loss of its connection.
pub struct Stream {
    sent: Arc<Mutex<Vec<Instant>>>,
    is_silent: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Stream {
    /// Publishes `live/NAME`; returns once the first picture is sent. The session's number tells its pictures from those of another one.
    pub async fn start(gateway: SocketAddr, name: &str, session: u32, pace: Pace) -> Self {
        let mut published = wire::publish(gateway, name).await.expect("a publish");
        let header = frames::header(MediaKind::Video, session);
        published
            .send(MediaKind::Video, 0, &header)
            .await
            .expect("a header");
        let sent = Arc::new(Mutex::new(Vec::new()));
        let is_silent = Arc::new(AtomicBool::new(false));
        let (noted, silent) = (Arc::clone(&sent), Arc::clone(&is_silent));
        let began = Instant::now();
        let task = tokio::spawn(async move {
            for number in 0_u32.. {
                let due = pace.step * number;
                sleep_until(began + due).await;
                if silent.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
                let mark = Mark { session, number };
                let picture = frames::of_size(MediaKind::Video, mark, pace.bytes);
                lock(&noted).push(Instant::now());
                let stamp = u32::try_from(due.as_millis()).unwrap_or_default();
                let sent = published.send(MediaKind::Video, stamp, &picture).await;
                if sent.and_then(|()| published.hear()).is_err() {
                    return;
                }
            }
        });
        eventually("the first picture", PATIENCE, || async {
            (!lock(&sent).is_empty()).then_some(())
        })
        .await;
        Self {
            sent,
            is_silent,
            task,
        }
    }

    /// Sends nothing more; the connection stands.
    pub fn fall_silent(&self) {
        self.is_silent.store(true, Ordering::Relaxed);
    }

    /// When each picture was sent, by its number.
    pub fn sent(&self) -> Vec<Instant> {
        lock(&self.sent).clone()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection of the gateway's.
#[derive(Clone, Debug)]
pub struct Visit {
    /// What it publishes as.
    pub name: String,
    pub came: Instant,
    /// When its first picture arrived.
    pub first: Option<Instant>,
    /// Every picture, where they are kept.
    pub pictures: Vec<(Mark, Instant)>,
    pub said_goodbye: bool,
    /// When it ended, and whether in order.
    pub ended: Option<(Instant, bool)>,
}

/// A server that takes all pushes of a scene.
pub struct Sink {
    address: SocketAddr,
    visits: Arc<Mutex<Vec<Visit>>>,
}

impl Sink {
    /// All connections are treated so; pictures are kept, or only the first of a connection.
    pub fn start(mood: Mood, keeps: bool) -> Self {
        let listener = target::listen(matches!(mood, Mood::Takes)).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let visits = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&visits);
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let mut noting = Noting::new(&noted, keeps);
                tokio::spawn(async move {
                    let orderly = target::serve(tcp, mood, &mut noting).await.is_ok();
                    noting.note(|visit| visit.ended = Some((Instant::now(), orderly)));
                });
            }
        });
        Self { address, visits }
    }

    pub fn url(&self, name: &str) -> String {
        format!("rtmp://{}/app/{name}", self.address)
    }

    pub fn visits(&self) -> Vec<Visit> {
        lock(&self.visits).clone()
    }

    /// The visits that began after that moment, with a picture.
    pub fn live_since(&self, moment: Instant) -> Vec<Visit> {
        let visits = lock(&self.visits);
        let since = visits
            .iter()
            .filter(|visit| visit.came >= moment && visit.first.is_some());
        since.cloned().collect()
    }

    /// Waits until so many visits that began after that moment have a picture.
    pub async fn until_live(&self, count: usize, moment: Instant) -> Vec<Visit> {
        eventually("all targets are live", PATIENCE, || async {
            let live = self.live_since(moment);
            (live.len() >= count).then_some(live)
        })
        .await
    }
}

struct Noting {
    visits: Arc<Mutex<Vec<Visit>>>,
    place: usize,
    keeps: bool,
    has_first: bool,
}

impl Noting {
    fn new(visits: &Arc<Mutex<Vec<Visit>>>, keeps: bool) -> Self {
        let mut all = lock(visits);
        all.push(Visit {
            name: String::new(),
            came: Instant::now(),
            first: None,
            pictures: Vec::new(),
            said_goodbye: false,
            ended: None,
        });
        Self {
            visits: Arc::clone(visits),
            place: all.len() - 1,
            keeps,
            has_first: false,
        }
    }

    fn note(&self, note: impl FnOnce(&mut Visit)) {
        if let Some(visit) = lock(&self.visits).get_mut(self.place) {
            note(visit);
        }
    }
}

impl Ear for Noting {
    fn begins(&mut self, name: &str) {
        self.note(|visit| name.clone_into(&mut visit.name));
    }

    fn media(&mut self, media: &Media) -> io::Result<()> {
        let is_header = media.payload.get(1) == Some(&0);
        if media.kind != MediaKind::Video || is_header || (self.has_first && !self.keeps) {
            return Ok(());
        }
        let now = Instant::now();
        let mark = frames::mark(media.kind, &media.payload);
        self.note(|visit| {
            visit.first.get_or_insert(now);
            if self.keeps {
                visit.pictures.extend(mark.map(|mark| (mark, now)));
            }
        });
        self.has_first = true;
        Ok(())
    }

    fn goodbye(&mut self) {
        self.note(|visit| visit.said_goodbye = true);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long pictures that were sent within that time took to all visits, in order.
pub fn latencies(stream: &Stream, visits: &[Visit], within: (Instant, Instant)) -> Vec<Duration> {
    let sent = stream.sent();
    let mut latencies: Vec<_> = visits
        .iter()
        .flat_map(|visit| &visit.pictures)
        .filter_map(|(mark, arrived)| {
            let sent = *sent.get(mark.number as usize)?;
            (within.0..within.1)
                .contains(&sent)
                .then(|| *arrived - sent)
        })
        .collect();
    latencies.sort_unstable();
    latencies
}

/// Pictures that were sent within that time and are missing at some visit.
pub fn missing(stream: &Stream, visits: &[Visit], within: (Instant, Instant)) -> usize {
    let sent = stream.sent();
    let is_within = |number: u32| {
        let at = sent.get(number as usize);
        at.is_some_and(|at| (within.0..within.1).contains(at))
    };
    let expected = (0..sent.len() as u32)
        .filter(|&number| is_within(number))
        .count();
    let missing = visits.iter().map(|visit| {
        let numbers = visit.pictures.iter().map(|(mark, _)| mark.number);
        let mut arrived: Vec<_> = numbers.filter(|&number| is_within(number)).collect();
        arrived.sort_unstable();
        arrived.dedup();
        expected - arrived.len()
    });
    missing.sum()
}

/// The value below which so many of a hundred are; of ordered ones.
pub fn percentile(ordered: &[Duration], percent: usize) -> Duration {
    let at = (ordered.len() * percent).div_ceil(100).saturating_sub(1);
    ordered.get(at).copied().unwrap_or_default()
}

/// Milliseconds with one decimal place.
pub fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

/// Seconds with two decimal places.
pub fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}
