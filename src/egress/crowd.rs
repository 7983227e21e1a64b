//! How many targets are to have the very same piece: known when all were served, and wanted before.
//!
//! Targets seldom come and go, so a turn is like the one before it. To ask the targets first would touch each of them twice.

/// Which of a turn's pieces most plain sockets were to take, and how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Crowd {
    /// The piece's number in the turn.
    piece: u32,
    takers: u32,
}

/// The count of one turn.
pub(super) struct Census {
    before: Crowd,
    greatest: Crowd,
    /// That of the piece which is counted now.
    current: Crowd,
}

impl Census {
    /// The count of a turn; `before` is that of the last one.
    pub(super) fn expecting(before: Crowd) -> Self {
        Self {
            before,
            greatest: Crowd::default(),
            current: Crowd::default(),
        }
    }

    /// Another piece follows.
    pub(super) fn next_piece(&mut self) {
        self.greatest = self.greatest();
        self.current = Crowd {
            piece: self.current.piece + 1,
            takers: 0,
        };
    }

    /// A socket takes the piece.
    pub(super) fn count(&mut self) {
        self.current.takers += 1;
    }

    /// How many are likely to take the piece: none where it is not the one that most took last time.
    pub(super) fn expected(&self) -> u32 {
        match self.before.piece == self.current.piece {
            true => self.before.takers,
            false => 0,
        }
    }

    /// The greatest crowd so far.
    pub(super) fn greatest(&self) -> Crowd {
        match self.current.takers > self.greatest.takers {
            true => self.current,
            false => self.greatest,
        }
    }
}
