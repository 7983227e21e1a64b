//! Epochs: the lines that a publisher's stamps lie on. A jump of its clock begins a new one; the old one stays for the track
//! that has not jumped yet, and for a clock that jumps back.

use super::limits::{
    CLAMP_DEEP, CLAMP_MAX, EPOCH_LIFE, EPOCHS_MAX, FOLLOW_SLACK, FORWARD_MAX, LATE_RETURN_MAX,
    LATE_TRACK_MAX, RETURN_MAX, SILENCE,
};
use super::repair::RepairKind;
use super::track_clock::TrackClock;
use std::time::Duration;

/// Names a line. Never given out twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EpochId(u64);

/// One line: what is to be added to the stamps that lie on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch {
    pub(super) id: EpochId,
    offset: i64,
    /// What a track's change to it is counted as.
    pub(super) cause: RepairKind,
    used: Duration,
    /// The deepest step back that was clamped on it, and when.
    absorbed: Option<(i64, Duration)>,
}

/// The lines that a source may be on, the one that was changed to last at the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Epochs {
    live: Vec<Epoch>,
    made: u64,
}

/// A frame that looks for its line.
pub(super) struct Candidate {
    src: i64,
    now: Duration,
    line: Option<EpochId>,
    last_out: Option<i64>,
    /// The newest place of any track.
    newest: i64,
    /// Where the track's next frame should be.
    expected: i64,
}

impl Candidate {
    pub(super) fn new(
        clock: &TrackClock,
        src: i64,
        silence: Duration,
        newest: i64,
        now: Duration,
    ) -> Self {
        let expected = match clock.last_out() {
            // A track that was silent goes on where the others are.
            Some(last) if newest - last > FORWARD_MAX && silence > SILENCE => newest,
            Some(last) => last + clock.step(),
            None => newest,
        };
        Self {
            src,
            now,
            line: clock.line(),
            last_out: clock.last_out(),
            newest,
            expected,
        }
    }

    fn distance(&self, epoch: &Epoch) -> i64 {
        (epoch.place(self.src) - self.expected).abs()
    }

    /// Whether it is on the line, where its track steps back by `back` at the most.
    fn fits(&self, epoch: &Epoch, back: i64) -> bool {
        let place = epoch.place(self.src);
        place <= self.newest + FORWARD_MAX
            && self.last_out.is_none_or(|last| last + 1 - place <= back)
    }

    /// Whether it goes on with the line that its track is on.
    fn stays(&self, own: &Epoch) -> bool {
        self.fits(own, own.clamp_max(self.now))
    }

    /// Whether it goes where another track went before.
    fn follows(&self, other: &Epoch) -> bool {
        self.fits(other, other.clamp_max(self.now) + FOLLOW_SLACK)
    }

    /// Whether it is the first of its track in this input and belongs beside the others.
    fn appears(&self, epoch: &Epoch) -> bool {
        self.fits(epoch, LATE_RETURN_MAX) && epoch.place(self.src) >= self.newest - LATE_TRACK_MAX
    }

    /// Whether its clock has jumped back to a line of before.
    fn returns(&self, epoch: &Epoch) -> bool {
        self.line != Some(epoch.id)
            && self.fits(epoch, CLAMP_MAX)
            && self.distance(epoch) <= RETURN_MAX
    }
}

impl Epoch {
    /// A stamp's place on the line.
    pub(super) fn place(&self, src: i64) -> i64 {
        src + self.offset
    }

    fn clamp_max(&self, now: Duration) -> i64 {
        match self.absorbed {
            Some((depth, at)) if now.saturating_sub(at) <= EPOCH_LIFE => {
                CLAMP_MAX.max(depth + FOLLOW_SLACK)
            }
            _ => CLAMP_MAX,
        }
    }
}

impl Epochs {
    /// The line that was changed to last.
    pub(super) fn current(&self) -> Option<&Epoch> {
        self.live.last()
    }

    pub(super) fn find(&self, id: EpochId) -> Option<&Epoch> {
        self.live.iter().find(|epoch| epoch.id == id)
    }

    /// Places a frame on its track's line, where that is the only one and nothing has to be repaired for it: nearly every frame. What
    /// [`line_of`](Self::line_of) and [`used`](Self::used) say comes to the same.
    pub(super) fn go_on(
        &mut self,
        clock: &mut TrackClock,
        src: i64,
        newest: i64,
        now: Duration,
    ) -> Option<i64> {
        let [only] = self.live.as_mut_slice() else {
            return None;
        };
        let place = only.place(src);
        let goes_on = clock.line() == Some(only.id)
            && clock.last_out().is_some_and(|last| last < place)
            && place <= newest + FORWARD_MAX;
        if !goes_on {
            return None;
        }
        only.used = now;
        clock.follow(only.id, place);
        Some(clock.settle(place))
    }

    /// The line that a frame is on, if it is on any.
    ///
    /// A track that is where the others went stays there while it can. One that is still on an older line has perhaps jumped by
    /// now, and takes the line that is nearest. Where neither is possible, the clock may have jumped back to where it was.
    pub(super) fn line_of(&self, frame: &Candidate) -> Option<Epoch> {
        let current = self.live.last()?;
        let own = frame.line.and_then(|id| self.find(id));
        let here = match own {
            None => frame.appears(current).then_some(current),
            Some(own) if own.id == current.id => frame.stays(own).then_some(own),
            Some(_) => None,
        };
        let is_possible = |epoch: &&Epoch| match own {
            Some(own) if own.id == current.id => frame.returns(epoch),
            Some(own) if own.id == epoch.id => frame.stays(epoch),
            Some(_) if epoch.id == current.id => frame.follows(epoch),
            _ => frame.returns(epoch),
        };
        let nearest = || {
            let possible = self.live.iter().filter(is_possible);
            possible.min_by_key(|epoch| frame.distance(epoch))
        };
        here.or_else(nearest).copied()
    }

    /// Begins a line on which `src` is at `out`.
    pub(super) fn open(&mut self, src: i64, out: i64, cause: RepairKind, now: Duration) -> Epoch {
        if self.live.len() >= EPOCHS_MAX {
            self.live.remove(0);
        }
        self.made += 1;
        let epoch = Epoch {
            id: EpochId(self.made),
            offset: out - src,
            cause,
            used: now,
            absorbed: None,
        };
        self.live.push(epoch);
        epoch
    }

    /// A track has changed from the line `before`. Where that was the current one, it is the first to jump, and the others will
    /// follow it; else it has only followed.
    pub(super) fn enter(&mut self, id: EpochId, before: Option<EpochId>) {
        let current = self.live.last().map(|epoch| epoch.id);
        if before.is_some() && before != current {
            return;
        }
        if let Some(place) = self.live.iter().position(|epoch| epoch.id == id) {
            let epoch = self.live.remove(place);
            self.live.push(epoch);
        }
    }

    /// A frame was placed on the line, `depth` milliseconds later than it wanted. A deep one is remembered, so that the other
    /// track's part of the same step back is clamped, too, though it may be a little deeper.
    pub(super) fn used(&mut self, id: EpochId, depth: i64, is_first: bool, now: Duration) {
        let Some(epoch) = self.live.iter_mut().find(|epoch| epoch.id == id) else {
            return;
        };
        epoch.used = now;
        if depth > CLAMP_DEEP && (depth <= CLAMP_MAX || is_first) {
            let before = match epoch.absorbed {
                Some((before, at)) if now.saturating_sub(at) <= EPOCH_LIFE => before,
                _ => 0,
            };
            epoch.absorbed = Some((depth.max(before), now));
        }
    }

    /// Forgets the lines that no track has been on for a while.
    pub(super) fn retire(&mut self, now: Duration) {
        if let Some((_, older @ [_, ..])) = self.live.split_last()
            && older.iter().any(|epoch| is_over(epoch, now))
        {
            let current = self.live.last().map(|epoch| epoch.id);
            self.live
                .retain(|epoch| Some(epoch.id) == current || !is_over(epoch, now));
        }
    }

    /// Forgets them all: another clock follows.
    pub(super) fn clear(&mut self) {
        self.live.clear();
    }
}

fn is_over(epoch: &Epoch, now: Duration) -> bool {
    now.saturating_sub(epoch.used) > EPOCH_LIFE
}
