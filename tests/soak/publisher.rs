//! A publisher that comes and goes, with a clock that is wrong in all the ways that encoders' clocks are.

use super::book::{Book, Ended};
use super::clock::{Border, Clock};
use super::door::Door;
use super::frames::{self, AUDIO_STEP, Mark, VIDEO_STEP};
use super::wire::{self, Published};
use aqueduct::media::MediaKind;
use fastrand::Rng;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long the gateway may take to let a publisher in, and to see one out. It takes milliseconds, and a machine that is busy takes
/// what it likes.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a publisher is away.
#[derive(Clone, Copy, Debug)]
enum Absence {
    Short,
    /// Until its stream is over.
    Long,
}

pub struct Publisher {
    pub stream: usize,
    pub border: Border,
    pub gateway: SocketAddr,
    pub door: Door,
    pub grace: Duration,
    pub book: Arc<Book>,
    pub rng: Rng,
}

impl Publisher {
    /// Comes and goes until that moment; then leaves with a goodbye.
    pub async fn run(mut self, until: Instant) {
        let mut absence = Absence::Short;
        for session in 0.. {
            if Instant::now() >= until {
                return;
            }
            match self.live(session, absence, until).await {
                Ok(next) => absence = next,
                Err(error) => {
                    let stream = self.stream;
                    self.book.wrong(format!(
                        "publisher of stream {stream}, session {session}: {error}"
                    ));
                    return;
                }
            }
        }
    }

    /// One session, after such an absence; how long it was away after it.
    async fn live(&mut self, session: u32, before: Absence, until: Instant) -> io::Result<Absence> {
        // Drawn first, so that the schedule depends on the seed alone.
        let (seed, length) = (self.rng.u64(..), self.rng.u64(4000..20_000));
        let how = [Ended::Goodbye, Ended::Lost, Ended::Lost, Ended::Reset][self.rng.usize(0..4)];
        let (absence, pause) = self.absence(how);
        let mut clock = Clock::new(self.border, Rng::with_seed(seed));

        let mut published = self.come().await?;
        let was_over = matches!(before, Absence::Long);
        self.book.begins(self.stream, session, was_over);
        let end = until.min(Instant::now() + Duration::from_millis(length));
        self.send(&mut published, &mut clock, session, end).await?;
        let how = if end == until { Ended::Goodbye } else { how };
        self.book
            .count(|figures| figures.clock_faults += clock.faults);
        self.leave(published, session, how).await?;
        if end < until {
            sleep(pause).await;
            if matches!(absence, Absence::Long) {
                self.stream_is_over().await?;
            }
        }
        Ok(absence)
    }

    /// How long it stays away: mostly within the grace, and now and then beyond it.
    fn absence(&mut self, how: Ended) -> (Absence, Duration) {
        let grace = u64::try_from(self.grace.as_millis()).unwrap_or(u64::MAX);
        let within = self.rng.u64(50..grace.saturating_sub(1200).max(100));
        let is_long = how != Ended::Goodbye && self.rng.u8(0..3) == 0;
        match is_long {
            true => (Absence::Long, self.grace),
            false => (Absence::Short, Duration::from_millis(within)),
        }
    }

    /// Waits until the gateway has given the stream up, as it should about now.
    async fn stream_is_over(&self) -> io::Result<()> {
        let over = async {
            while self.door.has_stream(self.stream).await {
                sleep(Duration::from_millis(100)).await;
            }
        };
        let over = timeout(PATIENCE, over).await;
        over.map_err(|_| io::Error::other("the stream outlives its grace"))
    }

    /// Connects, as often as an encoder would.
    async fn come(&self) -> io::Result<Published> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match wire::publish(self.gateway, &format!("cam{}", self.stream)).await {
                Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(200)).await,
                outcome => return outcome,
            }
        }
    }

    /// Headers, and then frames in the order of their time and at their time.
    async fn send(
        &self,
        published: &mut Published,
        clock: &mut Clock,
        session: u32,
        end: Instant,
    ) -> io::Result<()> {
        let began = Instant::now();
        let first = clock.stamp(MediaKind::Video, 0);
        for kind in [MediaKind::Video, MediaKind::Audio] {
            published
                .send(kind, first, &frames::header(kind, session))
                .await?;
        }
        let mut next = [0_u32; 2];
        loop {
            let kind = match next[0] * VIDEO_STEP <= next[1] * AUDIO_STEP {
                true => MediaKind::Video,
                false => MediaKind::Audio,
            };
            let track = usize::from(kind == MediaKind::Audio);
            let number = next[track];
            let mark = Mark { session, number };
            let due = began + Duration::from_millis(mark.ideal(kind).into());
            if due >= end {
                return Ok(());
            }
            sleep_until(due).await;
            published.hear()?;
            let stamp = clock.stamp(kind, mark.ideal(kind));
            published
                .send(kind, stamp, &frames::frame(kind, mark))
                .await?;
            self.book.sent(self.stream, session, track);
            next[track] += 1;
        }
    }

    async fn leave(&self, mut published: Published, session: u32, how: Ended) -> io::Result<()> {
        self.book.ended(self.stream, session, how);
        match how {
            Ended::Reset => {
                socket2::SockRef::from(&published.tcp).set_linger(Some(Duration::ZERO))?;
                return Ok(());
            }
            Ended::Goodbye => published.say_goodbye().await?,
            Ended::Lost => published.tcp.shutdown().await?,
        }
        // Read to the end: a close with unread input would be a reset.
        let mut scrap = Vec::new();
        match timeout(PATIENCE, published.tcp.read_to_end(&mut scrap)).await {
            // It may as well be a reset: our part has arrived before it.
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other("the gateway does not see it out")),
        }
    }
}
