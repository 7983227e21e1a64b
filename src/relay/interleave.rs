//! Order across tracks, for a target that insists on it: sound and pictures wait for each other, for a moment.
//!
//! Encoders send them in turns that are not quite those of their stamps. Within a beat the ring puts them in order for everybody
//! and holds nothing back; a target whose rule says `strict_interleave` is given them in order across beats, too, a little later.

use super::limits::{
    INTERLEAVE_ALONE_AFTER, INTERLEAVE_ALONE_FRAMES, INTERLEAVE_BYTES_MAX, INTERLEAVE_HOLD,
    INTERLEAVE_TAGS_MAX,
};
use crate::media::timeline::TRACKS_MAX;
use crate::media::{Composition, MediaKind, Tag, Track};
use std::collections::VecDeque;
use std::time::Duration;

/// The tags that one target waits with, in the order of their time there.
#[derive(Debug, Default)]
pub struct Interleave {
    held: VecDeque<Held>,
    /// So many of the first ones wait no longer.
    released: usize,
    /// What came without the other kind in between.
    run: Option<Run>,
    /// The time of the newest tag that has left.
    last: u32,
    /// The same of each track's newest frame.
    tracks: Vec<(Track, u32)>,
    late: u64,
}

#[derive(Debug)]
struct Held {
    tag: Tag,
    at: u32,
    since: Duration,
}

/// Frames of one kind in a row.
#[derive(Clone, Copy, Debug)]
struct Run {
    kind: MediaKind,
    frames: u32,
    since: Duration,
}

impl Interleave {
    /// Takes the target's next tag in the stream's order, with its time there in milliseconds, at a moment of the stream's own clock.
    pub fn push(&mut self, tag: &Tag, at: u32, now: Duration) {
        let held = Held {
            tag: tag.clone(),
            at,
            since: now,
        };
        if tag.shape.class.is_kept() {
            // What follows may need it, and what came before is not decoded with it.
            self.held.push_back(held);
            self.release();
            return;
        }
        let mut place = self.held.len();
        while place > self.released
            && let Some(before) = self.held.get(place - 1)
            && before.at > at
        {
            place -= 1;
        }
        self.held.insert(place, held);
        if is_timed(tag) {
            self.follow(tag.shape.track.kind, now);
        }
        while self.is_full() {
            self.released += 1;
        }
    }

    /// Lets all of it go: nothing follows that it could wait for.
    pub fn release(&mut self) {
        self.released = self.held.len();
    }

    /// The next tag that waits no longer, with the time that it is given. Nothing that was given before is later; a frame that
    /// comes too late for its own time is given a later one, and is shown when it should be, where that is possible.
    pub fn pop(&mut self, now: Duration) -> Option<(Tag, u32)> {
        if self.released == 0 && !self.may_leave(now) {
            return None;
        }
        let Held { tag, at, .. } = self.held.pop_front()?;
        self.released = self.released.saturating_sub(1);
        Some(self.settle(tag, at))
    }

    /// When the next one waits no longer, at the latest; nothing where none waits.
    pub fn due(&self) -> Option<Duration> {
        let oldest = self.held.iter().map(|held| held.since).min()?;
        Some(oldest + INTERLEAVE_HOLD)
    }

    /// The stream's time of the first one that waits, in milliseconds.
    pub fn oldest_dts(&self) -> Option<i64> {
        self.held.front().map(|held| held.tag.dts)
    }

    /// Frames that were given a later time, so that order is kept.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Whether more waits than may.
    fn is_full(&self) -> bool {
        let waiting = self.held.iter().skip(self.released);
        let bytes: usize = waiting.clone().map(|held| held.tag.payload.len()).sum();
        waiting.len() > INTERLEAVE_TAGS_MAX || bytes > INTERLEAVE_BYTES_MAX
    }

    /// Whether nothing can come any more that belongs before the first one, or has had its time to come.
    fn may_leave(&self, now: Duration) -> bool {
        self.has_both() || self.is_alone(now) || self.due().is_some_and(|due| now >= due)
    }

    fn has_both(&self) -> bool {
        let has = |kind| {
            let mut held = self.held.iter();
            held.any(|held| held.tag.shape.track.kind == kind && is_timed(&held.tag))
        };
        has(MediaKind::Video) && has(MediaKind::Audio)
    }

    /// Whether there is only one kind, as far as can be told.
    fn is_alone(&self, now: Duration) -> bool {
        self.run.is_some_and(|run| {
            run.frames >= INTERLEAVE_ALONE_FRAMES
                || now.saturating_sub(run.since) >= INTERLEAVE_ALONE_AFTER
        })
    }

    fn follow(&mut self, kind: MediaKind, now: Duration) {
        match &mut self.run {
            Some(run) if run.kind == kind => run.frames = run.frames.saturating_add(1),
            run => {
                *run = Some(Run {
                    kind,
                    frames: 1,
                    since: now,
                });
            }
        }
    }

    fn settle(&mut self, mut tag: Tag, at: u32) -> (Tag, u32) {
        let mut settled = at.max(self.last);
        if is_timed(&tag) {
            settled = self.rise(tag.shape.track, settled);
            if settled > at {
                self.late += 1;
                show_in_time(&mut tag, settled - at);
            }
        }
        self.last = settled;
        (tag, settled)
    }

    /// The time of a track's frame that belongs at `at`: there, or right behind the one before.
    fn rise(&mut self, track: Track, at: u32) -> u32 {
        if let Some((_, last)) = self.tracks.iter_mut().find(|known| known.0 == track) {
            *last = at.max(last.saturating_add(1));
            return *last;
        }
        // Those beyond the bound share one place on the stream's clock, too.
        if self.tracks.len() < TRACKS_MAX {
            self.tracks.push((track, at));
        }
        at
    }
}

fn is_timed(tag: &Tag) -> bool {
    tag.shape.class.is_frame()
}

/// Shortens the composition time of a picture that is decoded so many milliseconds later, in a payload of this target's own.
fn show_in_time(tag: &mut Tag, late: u32) {
    if let Some(composition) = Composition::of(&tag.shape, &tag.payload) {
        let cts = composition.after(i64::from(late));
        if cts != composition.ms() {
            tag.payload = composition.write(cts, tag.payload.clone());
        }
    }
}

#[cfg(test)]
mod tests;
