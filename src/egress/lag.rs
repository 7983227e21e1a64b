//! How far behind a target is, counting what the kernel still holds for it.
//!
//! A peer that stops reading still "takes" megabytes, which is seconds of media; only what it has acknowledged has arrived.

use std::collections::VecDeque;
use std::time::Duration;

/// How far marks are apart, in milliseconds: lag is told so much too large at the most, and most batches leave no mark.
const MARK_DISTANCE_MS: i64 = 100;

/// Marks that are kept: most of a minute.
const MARKS_MAX: usize = 512;

/// Bytes that wait while none is acknowledged for this long make a connection worth giving up.
pub const STALL: Duration = Duration::from_secs(10);

/// The bytes on their way, and the media time that they belong to.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Flight {
    queued: u64,
    /// The time of what is queued behind the last mark, if anything is.
    open: Option<i64>,
    acknowledged: u64,
    marks: VecDeque<Mark>,
    /// When the peer last acknowledged something, or nothing was waiting.
    progress: Duration,
}

#[derive(Debug)]
struct Mark {
    /// The bytes queued up to here.
    end: u64,
    /// The time of the newest tag of the first batch among them, in milliseconds on the stream's clock.
    dts: i64,
}

impl Flight {
    /// An empty one, at a moment of its own clock.
    pub fn new(now: Duration) -> Self {
        Self {
            progress: now,
            ..Self::default()
        }
    }

    /// So many bytes were queued, the newest tag among them of this time.
    pub fn queued(&mut self, bytes: usize, dts: i64) {
        if let Some(open) = self.open {
            // What stays open covers more than it tells: lag is then told too large, never too small.
            if dts - open < MARK_DISTANCE_MS || self.marks.len() >= MARKS_MAX {
                self.queued += bytes as u64;
                return;
            }
            self.marks.push_back(Mark {
                end: self.queued,
                dts: open,
            });
        }
        self.open = Some(dts);
        self.queued += bytes as u64;
    }

    /// All bytes that were queued so far.
    pub fn queued_bytes(&self) -> u64 {
        self.queued
    }

    /// So many bytes of what was queued have not been acknowledged by the peer.
    pub fn outstanding(&mut self, bytes: u64, now: Duration) {
        let acknowledged = self.queued.saturating_sub(bytes);
        if acknowledged > self.acknowledged || bytes == 0 {
            self.progress = now;
        }
        self.acknowledged = self.acknowledged.max(acknowledged);
        while self
            .marks
            .front()
            .is_some_and(|mark| mark.end <= self.acknowledged)
        {
            self.marks.pop_front();
        }
        if self.acknowledged == self.queued {
            self.open = None;
        }
    }

    /// The time of the oldest media that has not been acknowledged, in milliseconds on the stream's clock.
    pub fn oldest(&self) -> Option<i64> {
        self.marks.front().map(|mark| mark.dts).or(self.open)
    }

    /// Whether bytes have waited for too long without one being acknowledged.
    pub fn is_stalled(&self, now: Duration) -> bool {
        self.queued > self.acknowledged && now.saturating_sub(self.progress) >= STALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn the_oldest_byte_in_flight_tells_the_lag() {
        let mut flight = Flight::new(seconds(0));
        for batch in 0..10 {
            flight.queued(1000, batch * 30);
        }
        assert_eq!(flight.oldest(), Some(0));
        flight.outstanding(4500, seconds(1));
        // The oldest byte in flight is of 150; the mark in front of it is of 120.
        assert_eq!(flight.oldest(), Some(120));
        flight.outstanding(0, seconds(2));
        assert_eq!(flight.oldest(), None);
    }

    #[test]
    fn bytes_that_wait_without_progress_are_a_stall() {
        let mut flight = Flight::new(seconds(0));
        assert!(!flight.is_stalled(seconds(60)), "nothing waits");
        flight.queued(1000, 0);
        flight.outstanding(1000, seconds(5));
        assert!(!flight.is_stalled(seconds(9)));
        assert!(flight.is_stalled(seconds(10)));
        flight.outstanding(999, seconds(11));
        assert!(!flight.is_stalled(seconds(20)));
        assert!(flight.is_stalled(seconds(21)));
    }

    #[test]
    fn an_idle_connection_starts_its_clock_when_bytes_come() {
        let mut flight = Flight::new(seconds(0));
        flight.outstanding(0, seconds(100));
        flight.queued(10, 0);
        flight.outstanding(10, seconds(101));
        assert!(!flight.is_stalled(seconds(109)));
        assert!(flight.is_stalled(seconds(110)));
    }

    #[test]
    fn marks_are_bounded() {
        let mut flight = Flight::new(seconds(0));
        for batch in 0..100_000 {
            flight.queued(10, batch);
        }
        assert!(flight.marks.len() <= MARKS_MAX);
        flight.outstanding(0, seconds(1));
        assert_eq!(flight.oldest(), None);
    }
}
