//! A target's hold on a stream.

use super::Stream;
use crate::media::Tag;
use crate::relay::cursor::{Cursor, Lag, LeftOut, Mode, Reached, Recycle};
use crate::relay::hold::End;
use crate::relay::outflow::Fresh;
use std::sync::Arc;
use std::time::Duration;

/// A target's hold on a stream.
pub struct Consumer {
    pub(super) stream: Arc<Stream>,
    pub(super) cursor: Cursor,
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

    /// Its time for what is fresh, where it is to be given all of that and nothing else; see [`Cursor::in_step`].
    pub fn in_step(&self, fresh: &Fresh) -> Option<i64> {
        self.cursor.in_step(fresh)
    }

    /// It was given what is fresh.
    pub fn keep_step(&mut self, fresh: &Fresh) {
        self.cursor.keep_step(fresh);
    }

    /// Gives `sink` the next tags with their time for this target; see [`Cursor::drain`]. The stream's lock is held meanwhile.
    pub fn drain(&mut self, budget: usize, sink: impl FnMut(&Tag, u32)) -> Drained {
        let shared = self.stream.lock();
        match (
            self.cursor.drain(&shared.intake.ring, budget, sink),
            shared.end(),
        ) {
            (Reached::Budget, _) => Drained::More,
            (Reached::Recycle(why), _) => Drained::Recycle(why),
            (Reached::End | Reached::NoStart, Some(end)) => Drained::Ended(end),
            (Reached::End | Reached::NoStart, None) => Drained::CaughtUp,
        }
    }

    /// Judges `now` how the target keeps up, with what is on its way to it; see [`Cursor::observe`].
    pub fn observe(&mut self, oldest: Option<i64>, bytes: u64, now: Duration) -> Lag {
        let shared = self.stream.lock();
        self.cursor.observe(&shared.intake.ring, oldest, bytes, now)
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
