//! The gateway's one beat: reads and writes of all streams fall together, so that one wake-up serves them all.

use std::time::Duration;
use tokio::time::Instant;

/// What is done at once is done together within this time.
pub const AT_ONCE: Duration = Duration::from_millis(1);

/// Moments at whole multiples of an interval since one common beginning.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    began: Instant,
    interval: Duration,
}

impl Tick {
    /// A beat that begins now. An interval of 0 means at once, which is [`AT_ONCE`].
    pub fn new(interval: Duration) -> Self {
        Self {
            began: Instant::now(),
            interval,
        }
    }

    /// Whether nothing is to wait for a beat, other than for that of [`AT_ONCE`].
    pub fn is_at_once(&self) -> bool {
        self.interval.is_zero()
    }

    /// From one beat to the next.
    pub fn interval(&self) -> Duration {
        match self.is_at_once() {
            true => AT_ONCE,
            false => self.interval,
        }
    }

    /// The first beat after `now`.
    pub fn after(&self, now: Instant) -> Instant {
        let interval = self.interval().as_nanos();
        let since = now.saturating_duration_since(self.began).as_nanos();
        let beats = since / interval + 1;
        // It fits: 500 years are below 2^64 ns.
        let offset = u64::try_from(beats * interval).unwrap_or(u64::MAX);
        self.began + Duration::from_nanos(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_are_woken_at_the_same_moments() {
        let tick = Tick::new(Duration::from_millis(30));
        let began = Instant::now();
        let at = |millis| tick.after(began + Duration::from_millis(millis)) - began;
        assert_eq!(at(0).as_millis(), 30);
        assert_eq!(at(29).as_millis(), 30);
        assert_eq!(at(30).as_millis(), 60);
        assert_eq!(at(1000).as_millis(), 1020);
    }
}
