//! What time it is, as a value that a test can set.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// The two times that a door needs.
pub trait Clock: Send + Sync + 'static {
    /// The time of day, UTC: what callers sign, and what `created_at` shows. It may jump.
    fn now(&self) -> OffsetDateTime;

    /// Time since some fixed moment, for windows and limits. It never steps back.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose `elapsed` begins now.
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
