//! A target's place in a ring: where it begins, what it is given next, and where it goes on after it fell behind.

mod pace;

pub use pace::{Lag, Mode};

use super::headers::Headers;
use super::limits::{CLOCK_MAX_MS, CLOCK_RECYCLE_MS};
use super::outflow::Fresh;
use super::ring::{LineupId, Ring, Start};
use crate::media::{Class, MediaKind, Tag};
use pace::Pace;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

/// A target's own way through a ring. It holds no tags: the ring is the queue.
#[derive(Debug, Default)]
pub struct Cursor {
    state: State,
    /// What the target's session was begun for.
    lineup: LineupId,
    /// The time of its first frame for the target, in milliseconds.
    clock: u32,
    /// The same frame's time on the stream's clock, once there is one.
    base: Option<i64>,
    record: Box<Record>,
}

/// How a target has kept up so far. It is kept apart, since a beat of a target that does keep up has nothing to do with it.
#[derive(Debug, Default)]
struct Record {
    pace: Pace,
    left_out: LeftOut,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing sent yet, or overtaken: goes on at a start point.
    #[default]
    Waiting,
    /// Sending; `next` is the place of the next tag.
    Reading { next: u64, pictures: Pictures },
}

/// Which pictures a target is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pictures {
    All,
    NoDisposable,
    /// None up to a start point before which the target has caught up.
    Skipped,
    /// None up to the first keyframe: it has begun with sound.
    Joining,
}

/// What a target was not given since it was too slow, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Frames that no other one needs.
    pub disposable: u64,
    /// Pictures up to the keyframe at which it went on.
    pub until_keyframe: u64,
    /// Tags that the ring let go before their turn came.
    pub overtaken: u64,
}

/// Where a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The ring's end.
    End,
    /// The budget's end; there is more.
    Budget,
    /// The ring has no start point yet.
    NoStart,
    /// What follows is for another session of the target.
    Recycle(Recycle),
}

/// Why a target's session is ended, properly and at a start point, for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recycle {
    /// A track has another codec, which few targets take within a session.
    Codec,
    /// The session's clock nears 2^31 ms.
    Clock,
}

impl Cursor {
    /// A cursor that begins at the newest start point there is, as soon as there is one, for a session that is begun with these
    /// codecs. `clock` is the time of its first frame for the target, in milliseconds.
    pub fn new(lineup: LineupId, clock: u32) -> Self {
        Self {
            lineup,
            clock,
            ..Self::default()
        }
    }

    /// Gives `sink` the next tags with their time for this target, until about `budget` bytes are passed.
    ///
    /// A cursor that begins, that was overtaken, or that goes on with pictures first gives the headers in force at its start
    /// point. The time is in milliseconds; a cursor that has come near 2^31 of them goes no further.
    pub fn drain(
        &mut self,
        ring: &Ring,
        budget: usize,
        mut sink: impl FnMut(&Tag, u32),
    ) -> Reached {
        let mut passed = 0;
        if let Some(reached) = self.ensure_reading(ring, &mut sink) {
            return reached;
        }
        if let Some(reached) = self.skip(ring, budget, &mut passed, &mut sink) {
            return reached;
        }
        let State::Reading { next, pictures } = &mut self.state else {
            return Reached::NoStart;
        };
        let (clock, base) = (self.clock, self.base.unwrap_or_default());
        let end = ring.end_of(self.lineup);
        while *next < end
            && let Some(tag) = ring.at(*next)
        {
            if passed >= budget {
                return Reached::Budget;
            }
            let at = time(tag.dts, base, clock);
            if at >= CLOCK_RECYCLE_MS && (at >= CLOCK_MAX_MS || ring.is_start(*next)) {
                return Reached::Recycle(Recycle::Clock);
            }
            *next += 1;
            if is_wanted(tag, base, pictures) {
                passed += tag.payload.len();
                sink(tag, at as u32);
            } else if *pictures == Pictures::NoDisposable && tag.shape.class == Class::Disposable {
                self.record.left_out.disposable += 1;
            }
        }
        if *next >= end {
            return Reached::Recycle(Recycle::Codec);
        }
        Reached::End
    }

    /// The stream's time that is 0 for a target which is to be given just what is fresh: it stands in front of it, and wants all
    /// of it in its present session. Others drain the ring.
    pub fn in_step(&self, fresh: &Fresh) -> Option<i64> {
        let State::Reading { next, pictures } = self.state else {
            return None;
        };
        let wants_pictures = pictures == Pictures::All || !fresh.has_pictures();
        let in_step = next == fresh.from() && wants_pictures && fresh.lineup() == self.lineup;
        let base = self
            .base
            .filter(|&base| in_step && fresh.is_all_after(base))?;
        let newest = time(fresh.newest_dts()?, base, self.clock);
        (newest < CLOCK_RECYCLE_MS).then(|| base - i64::from(self.clock))
    }

    /// It was given what is fresh, for which it was [`in_step`](Self::in_step).
    pub fn keep_step(&mut self, fresh: &Fresh) {
        if let State::Reading { next, .. } = &mut self.state {
            *next = fresh.end();
        }
    }

    /// Judges `now`, on a clock of the target's own, how the target keeps up: `oldest` is the time of the oldest media that is on its
    /// way to it, in milliseconds on the stream's clock, and `bytes` are all that are. What it is given next follows from that.
    pub fn observe(&mut self, ring: &Ring, oldest: Option<i64>, bytes: u64, now: Duration) -> Lag {
        let lag = self.lag(ring, oldest, bytes);
        let mode = self.mode();
        let asked = self.record.pace.observe(mode, lag, now);
        if let State::Reading { pictures, .. } = &mut self.state {
            match asked {
                // Without pictures there is nothing that could be left out.
                lower if lower > mode && !ring.has_pictures() => {}
                Mode::NoDisposable if *pictures == Pictures::Joining => {}
                asked if asked == mode => {}
                Mode::All => *pictures = Pictures::All,
                Mode::NoDisposable => *pictures = Pictures::NoDisposable,
                Mode::AudioUntilKeyframe => *pictures = Pictures::Skipped,
            }
        }
        lag
    }

    /// Which part of its stream the target is given.
    pub fn mode(&self) -> Mode {
        match self.state {
            State::Waiting => Mode::All,
            State::Reading { pictures, .. } => match pictures {
                Pictures::All | Pictures::Joining => Mode::All,
                Pictures::NoDisposable => Mode::NoDisposable,
                Pictures::Skipped => Mode::AudioUntilKeyframe,
            },
        }
    }

    /// What the target was not given so far.
    pub fn left_out(&self) -> LeftOut {
        self.record.left_out
    }

    fn lag(&self, ring: &Ring, oldest: Option<i64>, bytes: u64) -> Lag {
        let next = match self.state {
            State::Waiting => ring.end(),
            State::Reading { next, .. } => next,
        };
        let oldest = oldest.or_else(|| ring.at(next).map(|tag| tag.dts));
        let ms = match (oldest, ring.newest_dts()) {
            (Some(oldest), Some(newest)) => u64::try_from(newest - oldest).unwrap_or(0),
            _ => 0,
        };
        let bytes = bytes + ring.payload_bytes_from(next);
        Lag { ms, bytes }
    }

    /// Goes to a start point where it has to; none where it can read.
    fn ensure_reading(&mut self, ring: &Ring, sink: &mut impl FnMut(&Tag, u32)) -> Option<Reached> {
        let overtaken = match self.state {
            State::Waiting => None,
            State::Reading { next, .. } if next >= ring.first() => return None,
            State::Reading { next, .. } => Some(next),
        };
        let Some(start) = ring.newest_start() else {
            // The gap is counted once, when a start point tells how wide it is.
            return Some(Reached::NoStart);
        };
        if start.lineup != self.lineup {
            return Some(Reached::Recycle(Recycle::Codec));
        }
        if let Some(next) = overtaken {
            self.record.left_out.overtaken += start.place.saturating_sub(next);
        }
        self.begin_at(ring, start, sink);
        // What it begins with is no slowness.
        self.record.pace = Pace::from(self.lag(ring, None, 0));
        None
    }

    /// Goes to a start point, behind the headers in force there.
    fn begin_at(&mut self, ring: &Ring, start: &Start, sink: &mut impl FnMut(&Tag, u32)) {
        let base = *self.base.get_or_insert(start.dts);
        let at = time(start.dts, base, self.clock);
        if at < CLOCK_MAX_MS {
            send_headers(&start.headers, at as u32, sink);
        }
        let begins_with_picture = ring
            .at(start.place)
            .is_some_and(|tag| tag.shape.class == Class::Keyframe);
        self.state = State::Reading {
            next: start.place,
            pictures: if begins_with_picture {
                Pictures::All
            } else {
                Pictures::Joining
            },
        };
    }

    /// Leaves pictures out where they are to be skipped, up to a start point at which the target may go on with them; none where it
    /// reads on from there, or skips nothing.
    fn skip(
        &mut self,
        ring: &Ring,
        budget: usize,
        passed: &mut usize,
        sink: &mut impl FnMut(&Tag, u32),
    ) -> Option<Reached> {
        let State::Reading {
            next,
            pictures: Pictures::Skipped,
        } = &mut self.state
        else {
            return None;
        };
        let (clock, base) = (self.clock, self.base.unwrap_or_default());
        let end = ring.end_of(self.lineup);
        while *next < end
            && let Some(tag) = ring.at(*next)
        {
            if *passed >= budget {
                return Some(Reached::Budget);
            }
            let at = time(tag.dts, base, clock);
            let start = ring.start_at(*next);
            if at >= CLOCK_RECYCLE_MS && (at >= CLOCK_MAX_MS || start.is_some()) {
                return Some(Reached::Recycle(Recycle::Clock));
            }
            if let Some(start) = start.filter(|_| self.record.pace.is_calm()) {
                self.begin_at(ring, start, sink);
                return None;
            }
            *next += 1;
            match (tag.shape.track.kind, tag.shape.class) {
                (MediaKind::Video, class) => {
                    self.record.left_out.until_keyframe += u64::from(class.is_frame());
                }
                (MediaKind::Audio, Class::Audio) if tag.dts < base => {}
                _ => {
                    *passed += tag.payload.len();
                    sink(tag, at as u32);
                }
            }
        }
        Some(match *next >= end {
            true => Reached::Recycle(Recycle::Codec),
            false => Reached::End,
        })
    }
}

impl LeftOut {
    /// All of it.
    pub fn total(self) -> u64 {
        self.disposable + self.until_keyframe + self.overtaken
    }

    /// What came on top of an earlier count.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            disposable: self.disposable - before.disposable,
            until_keyframe: self.until_keyframe - before.until_keyframe,
            overtaken: self.overtaken - before.overtaken,
        }
    }
}

impl AddAssign for LeftOut {
    fn add_assign(&mut self, more: Self) {
        self.disposable += more.disposable;
        self.until_keyframe += more.until_keyframe;
        self.overtaken += more.overtaken;
    }
}

fn send_headers(headers: &Arc<Headers>, stamp: u32, sink: &mut impl FnMut(&Tag, u32)) {
    for tag in headers.iter() {
        sink(tag, stamp);
    }
}

/// Leaves out what the target cannot use, or is not to be given: pictures before its first keyframe, those that no other one needs
/// where it is behind, and audio from before its beginning.
fn is_wanted(tag: &Tag, base: i64, pictures: &mut Pictures) -> bool {
    match (tag.shape.track.kind, tag.shape.class) {
        (MediaKind::Video, Class::Keyframe) => {
            if *pictures == Pictures::Joining {
                *pictures = Pictures::All;
            }
            true
        }
        (MediaKind::Video, class) if class.is_frame() => match *pictures {
            Pictures::All => true,
            Pictures::NoDisposable => class != Class::Disposable,
            Pictures::Skipped | Pictures::Joining => false,
        },
        (MediaKind::Audio, Class::Audio) => tag.dts >= base,
        _ => true,
    }
}

/// The low 32 bits of the time since `base`, as RTMP carries it.
pub(super) fn stamp(dts: i64, base: i64) -> u32 {
    (dts - base).max(0) as u32
}

/// A tag's time for a target whose first frame was at `base` on the stream's clock, and at `clock` on its own. What stands before
/// that frame is given its time.
fn time(dts: i64, base: i64, clock: u32) -> i64 {
    i64::from(clock) + (dts - base).max(0)
}

#[cfg(test)]
mod tests;
