//! A publisher that comes and goes, with a clock that is wrong in all the ways that encoders' clocks are.

use super::book::{Book, Ended};
use super::clock::{Border, Clock};
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

/// How long the gateway may take to let a publisher in.
const ADMISSION: Duration = Duration::from_secs(15);

pub struct Publisher {
    pub stream: usize,
    pub border: Border,
    pub gateway: SocketAddr,
    pub grace: Duration,
    pub book: Arc<Book>,
    pub rng: Rng,
}

impl Publisher {
    /// Comes and goes until that moment; then leaves with a goodbye.
    pub async fn run(mut self, until: Instant) {
        let mut session = 0;
        while Instant::now() < until {
            if let Err(error) = self.live(session, until).await {
                let stream = self.stream;
                self.book.wrong(format!(
                    "publisher of stream {stream}, session {session}: {error}"
                ));
                return;
            }
            session += 1;
        }
    }

    async fn live(&mut self, session: u32, until: Instant) -> io::Result<()> {
        // Drawn first, so that the schedule depends on the seed alone.
        let (seed, length) = (self.rng.u64(..), self.rng.u64(4000..20_000));
        let how = [Ended::Goodbye, Ended::Lost, Ended::Lost, Ended::Reset][self.rng.usize(0..4)];
        let pause = self.pause(how);
        let mut clock = Clock::new(self.border, Rng::with_seed(seed));

        let mut published = self.come().await?;
        self.book.begins(self.stream, session);
        let end = until.min(Instant::now() + Duration::from_millis(length));
        self.send(&mut published, &mut clock, session, end).await?;
        let how = if end == until { Ended::Goodbye } else { how };
        self.book
            .count(|figures| figures.clock_faults += clock.faults);
        self.leave(published, session, how).await?;
        if end < until {
            sleep(pause).await;
        }
        Ok(())
    }

    /// How long it stays away: mostly within the grace, and now and then beyond it.
    fn pause(&mut self, how: Ended) -> Duration {
        let grace = u64::try_from(self.grace.as_millis()).unwrap_or(u64::MAX);
        let within = self.rng.u64(50..grace.saturating_sub(1200).max(100));
        let beyond = grace + self.rng.u64(1200..2500);
        let millis = match how {
            Ended::Goodbye => within,
            _ if self.rng.u8(0..3) == 0 => beyond,
            _ => within,
        };
        Duration::from_millis(millis)
    }

    /// Connects, as often as an encoder would.
    async fn come(&self) -> io::Result<Published> {
        let deadline = Instant::now() + ADMISSION;
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
        let _ = timeout(
            Duration::from_secs(5),
            published.tcp.read_to_end(&mut scrap),
        )
        .await;
        Ok(())
    }
}
