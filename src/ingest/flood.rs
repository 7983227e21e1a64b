//! Floods: how much a publisher may send. Bytes beyond the bound wait in its socket; messages beyond it end the connection.

use crate::rtmp::limits::{INGEST_BITS_PER_SECOND_MAX, MESSAGES_PER_SECOND_MAX};
use std::time::Duration;

/// How many seconds' worth may come at once. An encoder that was cut off for a while sends what it has kept in one go.
const BURST_SECONDS: u64 = 10;

const BYTES_PER_SECOND: u64 = INGEST_BITS_PER_SECOND_MAX / 8;

/// What a publisher has left to send now.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// Below zero where a read took more than was left: what is owed is waited for, or many small overdrafts would be a
    /// rate of their own.
    bytes: i64,
    messages: u64,
    filled: Duration,
}

impl Allowance {
    /// A full allowance.
    pub fn new(now: Duration) -> Self {
        Self {
            bytes: (BYTES_PER_SECOND * BURST_SECONDS).cast_signed(),
            messages: u64::from(MESSAGES_PER_SECOND_MAX) * BURST_SECONDS,
            filled: now,
        }
    }

    /// Whether anything may be read now.
    pub fn may_read(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.bytes > 0
    }

    /// Takes what was read; says whether the messages are still within bounds.
    pub fn take(&mut self, bytes: usize, messages: u64) -> bool {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.bytes = self.bytes.saturating_sub(bytes);
        let within = self.messages >= messages;
        self.messages = self.messages.saturating_sub(messages);
        within
    }

    fn fill(&mut self, now: Duration) {
        let millis = now.saturating_sub(self.filled).as_millis();
        let Ok(millis @ 1..) = u64::try_from(millis) else {
            return;
        };
        // Whole milliseconds only: what is left of one counts at the next time.
        self.filled += Duration::from_millis(millis);
        let grown = |per_second: u64| per_second.saturating_mul(millis) / 1000;
        let bytes = i64::try_from(grown(BYTES_PER_SECOND)).unwrap_or(i64::MAX);
        let full = (BYTES_PER_SECOND * BURST_SECONDS).cast_signed();
        self.bytes = self.bytes.saturating_add(bytes).min(full);
        let messages = u64::from(MESSAGES_PER_SECOND_MAX);
        self.messages = self
            .messages
            .saturating_add(grown(messages))
            .min(messages * BURST_SECONDS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_at_the_bound_is_never_held_up() {
        let mut allowance = Allowance::new(Duration::ZERO);
        for tick in 1..10_000u32 {
            let now = Duration::from_millis(30) * tick;
            assert!(allowance.may_read(now));
            assert!(allowance.take(375_000, 60));
        }
    }

    #[test]
    fn a_flood_of_bytes_waits_until_time_has_passed() {
        let mut allowance = Allowance::new(Duration::ZERO);
        allowance.take(125_000_000, 0);
        assert!(!allowance.may_read(Duration::ZERO));
        assert!(allowance.may_read(Duration::from_millis(30)));
    }

    #[test]
    fn a_flood_in_large_reads_keeps_to_the_rate() {
        let mut allowance = Allowance::new(Duration::ZERO);
        let mut taken = 0u64;
        // Looked at four times a millisecond for ten seconds, 256 KiB whenever anything may be read.
        for quarter in 0..40_000u32 {
            if allowance.may_read(Duration::from_micros(250) * quarter) {
                allowance.take(256 * 1024, 0);
                taken += 256 * 1024;
            }
        }
        let due = BYTES_PER_SECOND * (BURST_SECONDS + 10);
        assert!(
            (due - 512 * 1024..due + 512 * 1024).contains(&taken),
            "{taken}"
        );
    }

    #[test]
    fn a_flood_of_messages_is_told() {
        let mut allowance = Allowance::new(Duration::ZERO);
        assert!(allowance.take(0, 20_000));
        assert!(!allowance.take(0, 1));
    }
}
