//! How often a publisher's clock jumped lately.

use super::limits::{JUMPS_MAX, JUMPS_WINDOW};
use std::time::Duration;

/// The newest jumps of one input.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Jumps {
    at: [Option<Duration>; JUMPS_MAX + 1],
    next: usize,
}

impl Jumps {
    pub(super) fn note(&mut self, now: Duration) {
        if let Some(oldest) = self.at.get_mut(self.next) {
            *oldest = Some(now);
        }
        self.next = (self.next + 1) % self.at.len();
    }

    /// How many there were within [`JUMPS_WINDOW`].
    pub(super) fn count(&self, now: Duration) -> usize {
        let is_late = |at: &&Duration| now.saturating_sub(**at) <= JUMPS_WINDOW;
        self.at.iter().flatten().filter(is_late).count()
    }

    /// Whether there were more than [`JUMPS_MAX`] within [`JUMPS_WINDOW`].
    pub(super) fn are_too_many(&self, now: Duration) -> bool {
        let oldest = self.at.get(self.next).copied().flatten();
        oldest.is_some_and(|at| now.saturating_sub(at) <= JUMPS_WINDOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_ten_in_a_minute_are_too_many() {
        let mut jumps = Jumps::default();
        let second = Duration::from_secs;
        for at in 0..10 {
            jumps.note(second(at));
        }
        assert!(!jumps.are_too_many(second(10)));
        assert_eq!([10, 65, 100].map(|at| jumps.count(second(at))), [10, 5, 0]);
        jumps.note(second(60));
        assert!(jumps.are_too_many(second(60)));
        assert!(!jumps.are_too_many(second(61)));
    }
}
