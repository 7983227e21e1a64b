//! A target's place in a ring: where it begins, what it is given next, and where it goes on after it fell behind.

use super::headers::Headers;
use super::limits::{CLOCK_MAX_MS, CLOCK_RECYCLE_MS};
use super::outflow::Fresh;
use super::ring::{LineupId, Ring};
use crate::media::{Class, MediaKind, Tag};
use std::sync::Arc;

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
    skipped: u64,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing sent yet, or overtaken: goes on at a start point.
    #[default]
    Waiting,
    /// Sending; `next` is the place of the next tag.
    Reading { next: u64, picture: Picture },
}

/// Whether inter frames can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Picture {
    Running,
    WantsKeyframe,
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
    /// A cursor that begins, or that was overtaken, first gives the headers in force at its start point. The time is in
    /// milliseconds; a cursor that has come near 2^31 of them goes no further.
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
        let State::Reading { next, picture } = &mut self.state else {
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
            if is_wanted(tag, base, picture) {
                passed += tag.payload.len();
                sink(tag, at as u32);
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
        let State::Reading { next, picture } = self.state else {
            return None;
        };
        let wants_pictures = picture == Picture::Running || !fresh.has_pictures();
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

    /// How far behind the newest tag the next one is, in milliseconds.
    pub fn lag_ms(&self, ring: &Ring) -> u64 {
        let State::Reading { next, .. } = self.state else {
            return 0;
        };
        let behind = ring.at(next).map(|tag| tag.dts);
        match (behind, ring.newest_dts()) {
            (Some(behind), Some(newest)) => u64::try_from(newest - behind).unwrap_or(0),
            _ => 0,
        }
    }

    /// Tags that the ring let go before this target could be given them.
    pub fn skipped(&self) -> u64 {
        self.skipped
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
            self.skipped += start.place.saturating_sub(next);
        }
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
            picture: if begins_with_picture {
                Picture::Running
            } else {
                Picture::WantsKeyframe
            },
        };
        None
    }
}

fn send_headers(headers: &Arc<Headers>, stamp: u32, sink: &mut impl FnMut(&Tag, u32)) {
    for tag in headers.iter() {
        sink(tag, stamp);
    }
}

/// Leaves out what the target cannot use: pictures before its first keyframe, and audio from before its beginning.
fn is_wanted(tag: &Tag, base: i64, picture: &mut Picture) -> bool {
    match (tag.shape.track.kind, tag.shape.class) {
        (MediaKind::Video, Class::Keyframe) => {
            *picture = Picture::Running;
            true
        }
        (MediaKind::Video, class) if class.is_frame() => *picture == Picture::Running,
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
