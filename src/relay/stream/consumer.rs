//! A target's hold on a stream.

use super::Stream;
use crate::media::Tag;
use crate::relay::cursor::{Cursor, Reached, Recycle};
use crate::relay::hold::End;
use crate::relay::outflow::Fresh;
use std::sync::Arc;

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

    /// How far behind the newest tag this target's next one is, in milliseconds.
    pub fn lag_ms(&self) -> u64 {
        self.cursor.lag_ms(&self.stream.lock().intake.ring)
    }

    /// The time of the stream's newest tag, in milliseconds.
    pub fn newest_dts(&self) -> Option<i64> {
        self.stream.lock().intake.ring.newest_dts()
    }

    /// Tags that this target could not be given because it fell too far behind.
    pub fn skipped(&self) -> u64 {
        self.cursor.skipped()
    }
}
