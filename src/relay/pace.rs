//! How much comes in a second, over the last few.

use std::time::Duration;

/// The whole seconds that are looked at: fewer would show the beat, and more be slow to tell of a change.
const SECONDS: usize = 4;

/// What came of one track, second by second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// The second in which the first of it came, which was no whole one.
    began: Option<u64>,
    second: u64,
    open: Count,
    /// The last whole seconds, the newest first.
    closed: [Count; SECONDS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    bytes: u64,
    frames: u64,
}

impl Pace {
    /// Counts a frame, or a header, that came at `now`.
    pub(super) fn add(&mut self, bytes: usize, is_frame: bool, now: Duration) {
        self.roll(now);
        self.open.bytes += bytes as u64;
        self.open.frames += u64::from(is_frame);
    }

    /// Closes the seconds that have passed, so that silence shows.
    pub(super) fn roll(&mut self, now: Duration) {
        let second = now.as_secs();
        if self.began.is_none() {
            *self = Self {
                began: Some(second),
                second,
                ..Self::default()
            };
        }
        let passed = second.saturating_sub(self.second).min(SECONDS as u64);
        for _ in 0..passed {
            self.closed.rotate_right(1);
            if let Some(newest) = self.closed.first_mut() {
                *newest = std::mem::take(&mut self.open);
            }
        }
        self.second = second;
    }

    /// Payload bits in a second; none before a whole second has passed.
    pub fn bitrate(&self) -> Option<u64> {
        let (seconds, count) = self.whole()?;
        Some(count.bytes * 8 / seconds)
    }

    /// Frames in a second; none before a whole second has passed.
    pub fn fps(&self) -> Option<f64> {
        let (seconds, count) = self.whole()?;
        Some(count.frames as f64 / seconds as f64)
    }

    /// What came in the whole seconds of the last few, and how many those are.
    fn whole(&self) -> Option<(u64, Count)> {
        let since = self.second.saturating_sub(self.began? + 1);
        let seconds = since.min(SECONDS as u64);
        if seconds == 0 {
            return None;
        }
        let mut sum = Count::default();
        for count in self.closed.iter().take(seconds as usize) {
            sum.bytes += count.bytes;
            sum.frames += count.frames;
        }
        Some((seconds, sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_steady_pace_is_told_from_the_first_whole_second_on() {
        let mut pace = Pace::default();
        for frame in 0..300u64 {
            let now = millis(500 + frame * 40);
            pace.add(1000, true, now);
            let is_told = now.as_secs() >= 2;
            assert_eq!(pace.fps(), is_told.then_some(25.0), "{now:?}");
            assert_eq!(pace.bitrate(), is_told.then_some(200_000));
        }
    }

    #[test]
    fn few_frames_and_silence_are_told() {
        let mut pace = Pace::default();
        for frame in 0..10 {
            pace.add(100, true, millis(frame * 2000));
        }
        assert_eq!(pace.fps(), Some(0.5));
        pace.add(100, false, millis(18_100));
        assert_eq!(pace.fps(), Some(0.5), "a header is no frame");
        pace.roll(millis(21_000));
        assert_eq!(pace.fps(), Some(0.25));
        pace.roll(millis(99_000));
        assert_eq!((pace.fps(), pace.bitrate()), (Some(0.0), Some(0)));
    }

    #[test]
    fn nothing_is_told_of_what_never_came() {
        assert_eq!(Pace::default().fps(), None);
    }
}
