//! Names that nobody may publish: until further notice, or for a while after a kick.

use super::limits::KICK_BARS_MAX;
use crate::rule::StreamKey;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// The barred names.
#[derive(Debug, Default)]
pub(super) struct Bars {
    forbidden: HashSet<StreamKey>,
    kicked: HashMap<StreamKey, Instant>,
}

/// Why a name may not be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Barred {
    /// Somebody forbade it, and has not taken that back.
    Forbidden,
    /// Its last publisher was kicked a short while ago.
    Kicked,
}

impl Bars {
    /// Whether a name may be published at `now`.
    pub(super) fn judge(&self, key: &StreamKey, now: Instant) -> Result<(), Barred> {
        if self.forbidden.contains(key) {
            return Err(Barred::Forbidden);
        }
        match self.kicked.get(key) {
            Some(&until) if now < until => Err(Barred::Kicked),
            _ => Ok(()),
        }
    }

    pub(super) fn forbid(&mut self, key: StreamKey) {
        self.forbidden.insert(key);
    }

    pub(super) fn permit(&mut self, key: &StreamKey) {
        self.forbidden.remove(key);
        self.kicked.remove(key);
    }

    /// Bars a name whose publisher was kicked at `now`.
    pub(super) fn kick(&mut self, key: StreamKey, now: Instant, time: Duration) {
        self.kicked.retain(|_, &mut until| now < until);
        if time.is_zero() {
            return;
        }
        // Among so many the one that is over first is worth the least.
        if self.kicked.len() >= KICK_BARS_MAX
            && let Some(first) = self.kicked.iter().min_by_key(|&(_, &until)| until)
        {
            let first = first.0.clone();
            self.kicked.remove(&first);
        }
        self.kicked.insert(key, now + time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> StreamKey {
        StreamKey::parse("live", name).unwrap()
    }

    #[test]
    fn a_kick_bars_for_a_while_and_a_forbid_until_it_is_taken_back() {
        let (mut bars, now) = (Bars::default(), Instant::now());
        let second = Duration::from_secs(1);
        bars.kick(key("a"), now, second);
        bars.kick(key("b"), now, Duration::ZERO);
        bars.forbid(key("c"));
        assert_eq!(bars.judge(&key("a"), now), Err(Barred::Kicked));
        assert_eq!(bars.judge(&key("a"), now + second), Ok(()));
        assert_eq!(bars.judge(&key("b"), now), Ok(()));
        assert_eq!(
            bars.judge(&key("c"), now + 3600 * second),
            Err(Barred::Forbidden)
        );
        let other_app = StreamKey::parse("other", "c").unwrap();
        assert_eq!(bars.judge(&other_app, now), Ok(()));
        bars.permit(&key("a"));
        bars.permit(&key("c"));
        assert_eq!(bars.judge(&key("a"), now), Ok(()));
        assert_eq!(bars.judge(&key("c"), now), Ok(()));
    }

    #[test]
    fn kicked_names_are_bounded_and_those_that_are_over_are_forgotten() {
        let (mut bars, now) = (Bars::default(), Instant::now());
        for i in 0..KICK_BARS_MAX as u64 + 1 {
            bars.kick(
                key(&i.to_string()),
                now,
                Duration::from_secs(10) + Duration::from_millis(i),
            );
        }
        assert_eq!(bars.kicked.len(), KICK_BARS_MAX);
        assert_eq!(bars.judge(&key("0"), now), Ok(()));
        assert_eq!(bars.judge(&key("1"), now), Err(Barred::Kicked));
        bars.kick(
            key("x"),
            now + Duration::from_secs(60),
            Duration::from_secs(1),
        );
        assert_eq!(bars.kicked.len(), 1);
    }
}
