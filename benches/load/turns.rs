//! Whose turn it is, where relays that run at the same time are given the load one after the other.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A round of members, of whom one has the turn.
pub struct Turns {
    round: Mutex<Round>,
    passed: Condvar,
}

struct Round {
    at: usize,
    /// Who is still there.
    present: Vec<bool>,
}

/// A member's place in the round; it is left by dropping this.
pub struct Place<'a> {
    turns: &'a Turns,
    number: usize,
}

impl Turns {
    /// A round of so many members; the first one has the turn.
    pub fn of(members: usize) -> Self {
        Self {
            round: Mutex::new(Round {
                at: 0,
                present: vec![true; members],
            }),
            passed: Condvar::new(),
        }
    }

    /// The place of a member, which takes it once.
    pub fn place(&self, number: usize) -> Place<'_> {
        Place {
            turns: self,
            number,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Round {
    fn pass_on(&mut self) {
        let count = self.present.len();
        let next = (1..=count)
            .map(|step| (self.at + step) % count)
            .find(|&next| self.present[next]);
        self.at = next.unwrap_or(self.at);
    }
}

impl Place<'_> {
    /// Waits for the member's turn.
    pub fn wait(&self) {
        let mut round = self.turns.lock();
        while round.at != self.number {
            round = self
                .turns
                .passed
                .wait(round)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives the turn to the next member.
    pub fn pass_on(&self) {
        self.turns.lock().pass_on();
        self.turns.passed.notify_all();
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut round = self.turns.lock();
        round.present[self.number] = false;
        if round.at == self.number {
            round.pass_on();
        }
        drop(round);
        self.turns.passed.notify_all();
    }
}
