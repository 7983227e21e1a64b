//! Whether a track's clock moves on, and at what pace, against the time of arrival.

use super::limits::{CLAMP_MAX, FORWARD_MAX, PACE_WINDOW, STALL_SLACK, STUCK_AFTER, STUCK_FRAMES};
use std::time::Duration;

/// What a frame's stamp tells about its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing new.
    Goes,
    /// It has not moved on for a while, though frames came.
    Stuck,
    /// It has kept pace for a while.
    KeepsPace,
}

/// The watch over one track's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulse {
    short: Window,
    long: Window,
    off_pace: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    since: Option<Duration>,
    frames: u32,
    advance: i64,
}

impl Pulse {
    /// A frame whose stamp is `step` after the one before, `silence` after that one's arrival.
    pub(super) fn beat(&mut self, step: i64, silence: Duration, now: Duration) -> Verdict {
        let is_jump = !(-CLAMP_MAX..=FORWARD_MAX).contains(&step) && !is_pause(step, silence);
        // A jump says nothing about the pace.
        let advance = if is_jump { 0 } else { step };
        let stuck = self
            .short
            .add(advance, now, STUCK_AFTER, STUCK_FRAMES)
            .is_some_and(|(advance, _)| advance <= 0);
        let pace = self.long.add(advance, now, PACE_WINDOW, 0);
        if stuck {
            self.long = Window::default();
            return Verdict::Stuck;
        }
        let Some((advance, lasted)) = pace else {
            return Verdict::Goes;
        };
        self.off_pace = advance * 2 < lasted || advance > lasted * 2;
        if self.off_pace {
            Verdict::Goes
        } else {
            Verdict::KeepsPace
        }
    }

    /// Whether the clock ran at less than half, or more than twice, the wall clock's pace when it was last judged.
    pub(super) fn is_off_pace(&self) -> bool {
        self.off_pace
    }
}

impl Window {
    /// Adds a frame. Once the window is over and has seen enough, what the clock and the wall clock made of it, in milliseconds.
    fn add(
        &mut self,
        advance: i64,
        now: Duration,
        length: Duration,
        frames: u32,
    ) -> Option<(i64, i64)> {
        let since = *self.since.get_or_insert(now);
        self.frames = self.frames.saturating_add(1);
        self.advance += advance;
        let lasted = now.saturating_sub(since);
        if lasted < length || self.frames <= frames {
            return None;
        }
        let judged = (self.advance, millis(lasted));
        *self = Self {
            since: Some(now),
            ..Self::default()
        };
        Some(judged)
    }
}

/// Whether a step forward is what the wall clock says, too: then nobody's clock jumped.
pub(super) fn is_pause(step: i64, silence: Duration) -> bool {
    step > 0 && (millis(silence) - step).abs() <= STALL_SLACK.max(step / 5)
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdicts on a clock that makes `step` with each of the frames that come every `every` milliseconds.
    fn verdicts(step: i64, every: u64, frames: u64) -> Vec<Verdict> {
        let mut pulse = Pulse::default();
        let every = Duration::from_millis(every);
        let mut now = Duration::ZERO;
        let mut beat = |_| {
            now += every;
            pulse.beat(step, every, now)
        };
        let mut all: Vec<_> = (0..frames).map(&mut beat).collect();
        all.retain(|verdict| *verdict != Verdict::Goes);
        all
    }

    #[test]
    fn a_clock_is_judged_by_its_pace() {
        type Case = (&'static str, i64, u64, u64, &'static [Verdict]);
        let cases: &[Case] = &[
            ("in time", 33, 33, 400, &[Verdict::KeepsPace]),
            ("a little fast", 40, 33, 400, &[Verdict::KeepsPace]),
            ("much too fast", 99, 33, 400, &[]),
            ("much too slow", 3, 33, 400, &[]),
            ("standing", 0, 33, 40, &[Verdict::Stuck]),
            ("going back slowly", -2, 33, 40, &[Verdict::Stuck]),
            ("jumping", 60_000, 33, 40, &[Verdict::Stuck]),
            ("standing, but not for long", 0, 33, 30, &[]),
            ("standing for a few slow frames", 0, 100, 30, &[]),
            ("slides", 5000, 5000, 4, &[Verdict::KeepsPace]),
        ];
        for &(name, step, every, frames, expected) in cases {
            assert_eq!(verdicts(step, every, frames), expected, "{name}");
        }
    }

    #[test]
    fn a_pause_is_what_both_clocks_agree_on() {
        let cases = [
            (2000, 2000, true),
            (2000, 1700, true),
            (2000, 2400, true),
            (2000, 1000, false),
            (60_000, 10, false),
            (-2000, 2000, false),
        ];
        for (step, silence, expected) in cases {
            assert_eq!(
                is_pause(step, Duration::from_millis(silence)),
                expected,
                "{step} after {silence}"
            );
        }
    }
}
