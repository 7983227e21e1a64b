//! When a message is tried again: a value, without clock and sleep.

use crate::backoff::{Backoff, BackoffPolicy};
use std::time::Duration;

/// The pauses that ZEGO documents for its callbacks, each counted from the try that failed. Tencent documents none; its events take the
/// same.
pub const VENDOR_STEPS: &[Duration] = &[
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(32),
];

/// When a message is tried again, and when it is given up.
#[derive(Clone, Debug, PartialEq)]
pub enum Retries {
    /// After each of these pauses once; then it is given up.
    Steps(&'static [Duration]),
    /// After ever longer pauses, spread at random, until so much time has passed since its first try.
    Backoff {
        /// The pauses.
        policy: BackoffPolicy,
        /// The time after which no further try begins.
        give_up_after: Duration,
    },
}

/// Where one message stands.
#[derive(Debug)]
pub(super) enum Standing {
    Steps(std::slice::Iter<'static, Duration>),
    Backoff {
        backoff: Backoff,
        give_up_after: Duration,
    },
}

impl Retries {
    /// A message that was not tried yet. The seed decides how pauses are spread.
    pub(super) fn begin(&self, seed: u64) -> Standing {
        match self {
            Self::Steps(steps) => Standing::Steps(steps.iter()),
            Self::Backoff {
                policy,
                give_up_after,
            } => Standing::Backoff {
                backoff: Backoff::new(policy.clone(), seed),
                give_up_after: *give_up_after,
            },
        }
    }
}

impl Standing {
    /// The pause after a try that failed, so long after the first one began; none where the message is given up.
    pub(super) fn next(&mut self, since_first: Duration) -> Option<Duration> {
        match self {
            Self::Steps(steps) => steps.next().copied(),
            Self::Backoff {
                backoff,
                give_up_after,
            } => {
                let pause = backoff.next();
                (since_first + pause <= *give_up_after).then_some(pause)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_taken_once_each() {
        let mut standing = Retries::Steps(VENDOR_STEPS).begin(0);
        let pauses: Vec<_> = std::iter::from_fn(|| standing.next(Duration::ZERO)).collect();
        assert_eq!(pauses, VENDOR_STEPS);
    }

    #[test]
    fn a_backoff_ends_with_its_time() {
        let retries = Retries::Backoff {
            policy: BackoffPolicy {
                jitter: 0.0,
                ..BackoffPolicy::reconnect()
            },
            give_up_after: Duration::from_secs(60),
        };
        let mut standing = retries.begin(0);
        let mut since = Duration::ZERO;
        let mut pauses = Vec::new();
        while let Some(pause) = standing.next(since) {
            since += pause;
            pauses.push(pause.as_secs());
        }
        assert_eq!(
            pauses,
            [1, 2, 4, 8, 15, 30],
            "the next 30 s would end at 90 s"
        );
    }
}
