//! How well a target keeps up, and how much of its stream it is given for that. Pure: time is an argument.

use crate::relay::limits::{
    LAG_CALM_BYTES, LAG_CALM_MS, LAG_PATIENCE, LAG_SKIP_BYTES, LAG_SKIP_MS, LAG_SPARE_BYTES,
    LAG_SPARE_MS,
};
use std::time::Duration;

/// Which part of its stream a target is given, from the whole to the least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// All of it.
    #[default]
    All,
    /// All but frames that no other one needs.
    NoDisposable,
    /// No pictures, up to a keyframe before which the target has caught up. Sound and data go on.
    AudioUntilKeyframe,
}

/// How far a target is behind its stream: what is on its way to the target, in the kernel too, and what it is still to be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// From the oldest media that has not arrived to the stream's newest, in milliseconds.
    pub ms: u64,
    /// The same in bytes.
    pub bytes: u64,
}

impl Lag {
    fn is_within(self, ms: u64, bytes: u64) -> bool {
        self.ms <= ms && self.bytes <= bytes
    }

    fn least(self, other: Self) -> Self {
        Self {
            ms: self.ms.min(other.ms),
            bytes: self.bytes.min(other.bytes),
        }
    }

    fn beyond(self, allowance: Self) -> Self {
        Self {
            ms: self.ms.saturating_sub(allowance.ms),
            bytes: self.bytes.saturating_sub(allowance.bytes),
        }
    }
}

/// How a target has kept up since it began, or began again.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The least that it has been behind since it began with a backlog. Limits count on top of this, so that a start is not
    /// taken for slowness: nothing once it has caught up.
    allowance: Lag,
    /// Since when it has been behind for more than its mode stands for.
    strained: Option<Duration>,
    /// Whether it was close behind its stream when it was last looked at.
    is_calm: bool,
}

impl Pace {
    /// A target that begins so far behind.
    pub(super) fn from(backlog: Lag) -> Self {
        Self {
            allowance: backlog,
            strained: None,
            is_calm: false,
        }
    }

    /// Whether pictures may begin again at a keyframe.
    pub(super) fn is_calm(&self) -> bool {
        self.is_calm
    }

    /// The mode that follows on `mode` where the target is so far behind `now`. A lower mode is left only here; the lowest one
    /// at a keyframe, which the cursor finds.
    pub(super) fn observe(&mut self, mode: Mode, lag: Lag, now: Duration) -> Mode {
        self.allowance = match lag.is_within(LAG_CALM_MS, LAG_CALM_BYTES) {
            true => Lag::default(),
            false => self.allowance.least(lag),
        };
        let lag = lag.beyond(self.allowance);
        self.is_calm = lag.is_within(LAG_CALM_MS, LAG_CALM_BYTES);
        let asked = if !lag.is_within(LAG_SKIP_MS, LAG_SKIP_BYTES) {
            Mode::AudioUntilKeyframe
        } else if !lag.is_within(LAG_SPARE_MS, LAG_SPARE_BYTES) {
            Mode::NoDisposable
        } else {
            Mode::All
        };
        if asked <= mode {
            self.strained = None;
            return match mode {
                Mode::NoDisposable if self.is_calm => Mode::All,
                mode => mode,
            };
        }
        let since = *self.strained.get_or_insert(now);
        if now.saturating_sub(since) < LAG_PATIENCE {
            return mode;
        }
        self.strained = None;
        asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn behind(ms: u64) -> Lag {
        Lag { ms, bytes: 0 }
    }

    /// The modes of a target that is so far behind at these moments, in milliseconds.
    fn modes(pace: &mut Pace, looks: &[(u64, u64)]) -> Vec<Mode> {
        let mut mode = Mode::All;
        let mut after = |&(at, ms): &(u64, u64)| {
            mode = pace.observe(mode, behind(ms), Duration::from_millis(at));
            mode
        };
        looks.iter().map(&mut after).collect()
    }

    #[test]
    fn a_target_that_stays_behind_is_given_less_and_less() {
        use Mode::*;
        let looks = [
            (0, 100),
            (1000, 800),
            (1200, 900),
            (1600, 1100),
            (2000, 1600),
            (2200, 1700),
            (2600, 2000),
        ];
        assert_eq!(
            modes(&mut Pace::default(), &looks),
            [
                All,
                All,
                All,
                NoDisposable,
                NoDisposable,
                NoDisposable,
                AudioUntilKeyframe
            ]
        );
    }

    #[test]
    fn a_moment_of_lag_costs_nothing() {
        let looks = [
            (0, 100),
            (1000, 3000),
            (1200, 3000),
            (1400, 100),
            (2400, 3000),
            (2800, 100),
        ];
        let modes = modes(&mut Pace::default(), &looks);
        assert!(modes.iter().all(|&mode| mode == Mode::All), "{modes:?}");
    }

    #[test]
    fn frames_that_were_left_out_come_again_well_below_the_limit() {
        use Mode::*;
        let looks = [(0, 900), (500, 900), (700, 690), (900, 510), (1100, 490)];
        assert_eq!(
            modes(&mut Pace::default(), &looks),
            [All, NoDisposable, NoDisposable, NoDisposable, All]
        );
    }

    #[test]
    fn pictures_that_were_left_out_do_not_come_again_by_themselves() {
        let mut pace = Pace::default();
        let now = Duration::from_secs(1);
        assert_eq!(
            pace.observe(Mode::AudioUntilKeyframe, behind(600), now),
            Mode::AudioUntilKeyframe
        );
        assert!(!pace.is_calm());
        assert_eq!(
            pace.observe(Mode::AudioUntilKeyframe, behind(0), now),
            Mode::AudioUntilKeyframe
        );
        assert!(pace.is_calm());
    }

    #[test]
    fn limits_count_on_top_of_the_backlog_until_a_target_has_caught_up() {
        let mut pace = Pace::from(behind(9000));
        // It gains, loses again, but never as much as the limit.
        let looks = [
            (0, 9000),
            (1000, 9500),
            (2000, 6000),
            (3000, 7000),
            (4000, 6600),
        ];
        let seen = modes(&mut pace, &looks);
        assert!(seen[..3].iter().all(|&mode| mode == Mode::All), "{seen:?}");
        assert!(seen.iter().all(|&mode| mode < Mode::AudioUntilKeyframe));
        let mut pace = Pace::from(behind(9000));
        let looks = [
            (0, 9000),
            (1000, 3000),
            (2000, 400),
            (3000, 1600),
            (3500, 1600),
        ];
        assert_eq!(modes(&mut pace, &looks)[4], Mode::AudioUntilKeyframe);
        // One that only falls back never catches up.
        let mut pace = Pace::from(behind(2000));
        let looks = [(0, 2900), (500, 3400), (1000, 3800), (1500, 4200)];
        assert_eq!(modes(&mut pace, &looks)[3], Mode::AudioUntilKeyframe);
    }

    #[test]
    fn bytes_are_a_limit_of_their_own() {
        let many = |bytes| Lag { ms: 0, bytes };
        let mut pace = Pace::default();
        let mut mode = Mode::All;
        for (at, bytes, expected) in [
            (0, LAG_SPARE_BYTES + 1, Mode::All),
            (500, LAG_SPARE_BYTES + 1, Mode::NoDisposable),
            (600, LAG_SKIP_BYTES + 1, Mode::NoDisposable),
            (1100, LAG_SKIP_BYTES + 1, Mode::AudioUntilKeyframe),
        ] {
            mode = pace.observe(mode, many(bytes), Duration::from_millis(at));
            assert_eq!(mode, expected, "{bytes} bytes after {at} ms");
        }
        assert!(!pace.is_calm());
        pace.observe(mode, many(LAG_CALM_BYTES), Duration::from_secs(2));
        assert!(pace.is_calm());
    }
}
