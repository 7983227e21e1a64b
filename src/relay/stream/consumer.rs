//! A target's hold on a stream.

use super::Stream;
use crate::media::Tag;
use crate::relay::cursor::{Cursor, Lag, LeftOut, Mode, Reached, Recycle};
use crate::relay::hold::End;
use crate::relay::interleave::Interleave;
use crate::relay::outflow::Fresh;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// A target's hold on a stream.
pub struct Consumer {
    pub(super) stream: Arc<Stream>,
    pub(super) reading: Reading,
    pub(super) cursor: Cursor,
    /// What waits for its turn, where the target is to have sound and pictures strictly in order.
    pub(super) order: Option<Box<Interleave>>,
}

/// How a consumer comes to what it is given.
#[derive(Default)]
pub(super) enum Reading {
    /// It has not begun, and will at the newest start point there is then.
    #[default]
    NotYet,
    /// From the ring, in its own time.
    ByItself(#[expect(dead_code, reason = "it is there to be dropped")] Reader),
    /// It has read all, and is told of all that is fresh.
    Attentive,
}

/// For as long as one is there, the stream's ring keeps what its window has, and not only what a target needs that begins now.
pub(super) struct Reader(Arc<Stream>);

impl Reader {
    pub(super) fn of(stream: &Arc<Stream>) -> Self {
        stream.readers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(stream))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// There is more right now.
    More,
    /// Nothing more until the stream is appended to.
    CaughtUp,
    /// Nothing more ever.
    Ended(End),
    /// What follows is for another session of the target.
    Recycle(Recycle),
}

impl Consumer {
    /// The stream that it reads.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// The same for a target that is to have sound and pictures strictly in the order of their times: they wait for each other, up to
    /// [`INTERLEAVE_HOLD`](crate::relay::limits::INTERLEAVE_HOLD). It is never [in step](Self::in_step) with others.
    #[must_use]
    pub fn in_order(self) -> Self {
        Self {
            order: Some(Box::default()),
            ..self
        }
    }

    /// It reads the ring in its own time, as every consumer does from its first drain on: what it has not read is kept for it, within the
    /// ring's bounds.
    pub fn read_by_itself(&mut self) {
        if !matches!(self.reading, Reading::ByItself(_)) {
            self.reading = Reading::ByItself(Reader::of(&self.stream));
        }
    }

    /// It has read all, and is told of all that is fresh from here on: nothing is kept for it.
    pub fn attend(&mut self) {
        self.reading = Reading::Attentive;
    }

    /// Whether the target is given its tags [in order](Self::in_order).
    pub fn is_in_order(&self) -> bool {
        self.order.is_some()
    }

    /// When the next tag that waits for its turn has to be drained, at the latest.
    pub fn due(&self) -> Option<Instant> {
        let due = self.order.as_ref()?.due()?;
        Some(self.stream.began + due)
    }

    /// Frames that were given a later time, so that they are in order.
    pub fn late(&self) -> u64 {
        self.order.as_ref().map_or(0, |order| order.late())
    }

    /// Its time for what is fresh, where it is to be given all of that and nothing else; see [`Cursor::in_step`].
    pub fn in_step(&self, fresh: &Fresh) -> Option<i64> {
        match self.order {
            None => self.cursor.in_step(fresh),
            Some(_) => None,
        }
    }

    /// It was given what is fresh.
    pub fn keep_step(&mut self, fresh: &Fresh) {
        self.cursor.keep_step(fresh);
    }

    /// Gives `sink` the next tags with their time for this target; see [`Cursor::drain`]. The stream's lock is held meanwhile.
    pub fn drain(&mut self, budget: usize, sink: impl FnMut(&Tag, u32)) -> Drained {
        if matches!(self.reading, Reading::NotYet) {
            self.read_by_itself();
        }
        let shared = self.stream.lock();
        let (ring, end) = (&shared.intake.ring, shared.end());
        let reached = match &mut self.order {
            None => self.cursor.drain(ring, budget, sink),
            Some(order) => {
                let now = self.stream.began.elapsed();
                let drain = |order: &mut Interleave| {
                    let hold = |tag: &Tag, at| order.push(tag, at, now);
                    let reached = self.cursor.drain(ring, budget, hold);
                    let is_last = end.is_some() && reached != Reached::Budget;
                    if is_last || matches!(reached, Reached::Recycle(_)) {
                        order.release();
                    }
                    reached
                };
                drained_in_order(order, now, drain, sink)
            }
        };
        match (reached, end) {
            (Reached::Budget, _) => Drained::More,
            (Reached::Recycle(why), _) => Drained::Recycle(why),
            (Reached::End | Reached::NoStart, Some(end)) => Drained::Ended(end),
            (Reached::End | Reached::NoStart, None) => Drained::CaughtUp,
        }
    }

    /// Judges `now` how the target keeps up, with what is on its way to it; see [`Cursor::observe`]. What waits for its turn is.
    pub fn observe(&mut self, oldest: Option<i64>, bytes: u64, now: Duration) -> Lag {
        let waiting = self.order.as_ref().and_then(|order| order.oldest_dts());
        let shared = self.stream.lock();
        let ring = &shared.intake.ring;
        self.cursor.observe(ring, oldest.or(waiting), bytes, now)
    }

    /// Which part of the stream the target is given.
    pub fn mode(&self) -> Mode {
        self.cursor.mode()
    }

    /// What this target was not given, because it was too slow.
    pub fn left_out(&self) -> LeftOut {
        self.cursor.left_out()
    }
}

/// Drains until something is passed on or there is no more: what came may have been taken in to wait.
fn drained_in_order(
    order: &mut Interleave,
    now: Duration,
    mut drain: impl FnMut(&mut Interleave) -> Reached,
    mut sink: impl FnMut(&Tag, u32),
) -> Reached {
    loop {
        let reached = drain(order);
        let mut is_idle = true;
        while let Some((tag, at)) = order.pop(now) {
            is_idle = false;
            sink(&tag, at);
        }
        if reached != Reached::Budget || !is_idle {
            return reached;
        }
    }
}

#[cfg(test)]
mod tests;
