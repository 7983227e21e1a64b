//! How often strangers may make us write a line.
//!
//! Who can connect can fail as often as he likes; every failure is counted, but the log is not his to fill.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Lines at a bounded rate, with a burst at first; those left out are counted for the next one.
#[derive(Debug)]
pub(super) struct Throttle {
    per_second: f64,
    burst: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: f64,
    since: Option<Instant>,
    omitted: u64,
}

impl Throttle {
    /// So many lines a second, and at first so many at once.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: per_second.into(),
            burst: burst.into(),
            state: Mutex::new(State {
                tokens: burst.into(),
                since: None,
                omitted: 0,
            }),
        }
    }

    /// Whether a line may be written now; if so, how many were left out since the last one.
    pub(super) fn take(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = state.since {
            let earned = now.saturating_duration_since(since).as_secs_f64() * self.per_second;
            state.tokens = (state.tokens + earned).min(self.burst);
        }
        state.since = Some(now);
        if state.tokens < 1.0 {
            state.omitted = state.omitted.saturating_add(1);
            return None;
        }
        state.tokens -= 1.0;
        Some(std::mem::take(&mut state.omitted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn after_the_burst_lines_come_at_the_rate_and_say_what_was_left_out() {
        let throttle = Throttle::new(2, 3);
        let start = Instant::now();
        let at = |millis| throttle.take(start + Duration::from_millis(millis));
        assert_eq!([at(0), at(0), at(0)], [Some(0); 3]);
        assert_eq!([at(0), at(100), at(200)], [None; 3]);
        assert_eq!(at(600), Some(3));
        assert_eq!(at(700), None);
        // A long silence earns no more than the burst.
        assert_eq!(
            [at(60_000), at(60_000), at(60_000)],
            [Some(1), Some(0), Some(0)]
        );
        assert_eq!(at(60_000), None);
    }
}
