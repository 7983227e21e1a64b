//! How often may a peer make us do something within a second?

use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A count that starts anew every second. The second begins with the first thing counted, so a burst that straddles a
/// boundary may reach twice the limit: these limits guard against floods and are no metering.
#[derive(Clone, Debug)]
pub(super) struct PerSecond {
    limit: u32,
    since: Duration,
    used: u32,
}

impl PerSecond {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            limit,
            since: Duration::ZERO,
            used: 0,
        }
    }

    /// Counts one; false where the second's limit is used up. A clock that steps back keeps the second open.
    pub(super) fn allows(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.since) >= SECOND {
            self.since = now;
            self.used = 0;
        }
        let allowed = self.used < self.limit;
        self.used = self.used.saturating_add(1);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_within_a_second_and_ends_with_it() {
        let mut rate = PerSecond::new(2);
        let at = Duration::from_millis;
        assert!(rate.allows(at(5000)));
        assert!(rate.allows(at(5500)));
        assert!(!rate.allows(at(5999)));
        assert!(!rate.allows(at(4000)));
        assert!(rate.allows(at(6000)));
        assert!(rate.allows(at(6000)));
        assert!(!rate.allows(at(6000)));
    }
}
