//! What follows from a push's failures: how long it rests, when it gives up, and which of its rule's two URLs comes next.
//! Pure: time is an argument. `docs/retries.md` has the table.

use super::failure::{Failure, Next};
use crate::backoff::{Backoff, BackoffPolicy};
use crate::rule::Role;
use std::collections::VecDeque;
use std::time::Duration;

/// So many failures in a row send a push to its other URL: what broke, and two attempts that did not mend it. Where the target
/// refuses at once, that is three seconds.
pub const FAILURES_MAX: u32 = 3;

/// A consent that held this long has mended what was before it. The ladders of [`BackoffPolicy`] begin anew then, too.
const STABLE: Duration = Duration::from_secs(60);

/// A target that closes this soon after its consent has not taken the stream.
const FAST_CLOSE: Duration = Duration::from_secs(5);

/// So many fast closes in a row are an answer: with the usual backoff, they take a minute and a half.
const FAST_CLOSES_MAX: u32 = 8;

/// So many stalls within [`STALLS_WINDOW`] are an answer, too: a target that takes nothing at all stalls as often in some five minutes, and
/// one that takes the stream for a minute at a time is no use to anybody either.
pub const STALLS_MAX: usize = 10;

/// See [`STALLS_MAX`].
pub const STALLS_WINDOW: Duration = Duration::from_secs(15 * 60);

/// A session that was ended for another one after less than this was not worth it: an encoder that changes its codec all the time
/// is no reason to call a target all the time.
const RECYCLE_CALM: Duration = Duration::from_secs(10);

/// What is known of the URL that a push is not at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Other {
    /// There is none, or another push has it.
    Absent,
    /// There is one.
    Unknown,
    /// It has just answered.
    Well,
}

/// What follows from one failure.
#[derive(Debug)]
pub(super) struct Setback {
    /// The failure, or what it comes to with those before it.
    pub failure: Failure,
    /// How long to rest before the next attempt at the same URL; none where it is given up.
    pub here: Option<Duration>,
    /// How long to rest before the next attempt at the other URL, where the push is to go there.
    pub there: Option<Duration>,
}

/// Where a push stands with its targets.
#[derive(Debug)]
pub(super) struct Retries {
    role: Role,
    main: Target,
    backup: Target,
    returns: Backoff,
    well_for: Duration,
}

/// One URL's record.
#[derive(Debug)]
struct Target {
    usual: Backoff,
    busy: Backoff,
    /// Failures in a row.
    failures: u32,
    fast_closes: u32,
    /// When it has stalled, on the push's clock: the last few times within the window.
    stalls: VecDeque<Duration>,
    /// When the rest after its last failure is over, on the push's clock.
    rested: Duration,
    given_up: bool,
}

impl Retries {
    /// A push that has not tried anything. The seed decides how its rests are spread.
    pub fn new(seed: u64) -> Self {
        Self {
            role: Role::Main,
            main: Target::new(seed),
            // Another seed, so that the two are not spread alike.
            backup: Target::new(!seed),
            returns: Backoff::new(BackoffPolicy::return_to_main(), seed),
            well_for: Duration::ZERO,
        }
    }

    /// How long the main URL has to be well before the push returns to it; none while it is there, or has given it up.
    pub fn well_for(&self) -> Option<Duration> {
        (self.role == Role::Backup && !self.main.given_up).then_some(self.well_for)
    }

    /// An attempt failed, or a consent broke that had held for so long.
    pub fn failed(
        &mut self,
        failure: Failure,
        held: Option<Duration>,
        now: Duration,
        other: Other,
    ) -> Setback {
        if self.role == Role::Main {
            self.returns.stable_for(held.unwrap_or_default());
        }
        let here = self.at(self.role);
        let failure = here.count(failure, held, now);
        let rest = here.rest(&failure, held, now);
        let is_enough = rest.is_none() || here.failures >= FAILURES_MAX;
        // On the backup, what broke is an occasion to return that costs nobody anything.
        let is_occasion = self.role == Role::Backup && held.is_some() && other == Other::Well;
        let there = self.at(self.role.other());
        let goes_there = other != Other::Absent && !there.given_up && (is_enough || is_occasion);
        let until_rested = match other {
            Other::Well => Duration::ZERO,
            _ => there.rested.saturating_sub(now),
        };
        Setback {
            failure,
            here: rest,
            there: goes_there.then_some(until_rested),
        }
    }

    /// A consent broke while there was nothing to send, which says nothing of its URL.
    pub fn starved(&mut self, failure: Failure, held: Option<Duration>, now: Duration) -> Setback {
        let here = self.at(self.role);
        here.held(held.unwrap_or_default());
        let rest = here.rest(&failure, held, now);
        Setback {
            failure,
            here: rest,
            there: None,
        }
    }

    /// The push goes to the other URL after a failure.
    pub fn switched(&mut self) {
        self.role = self.role.other();
        if self.role == Role::Backup {
            self.well_for = self.returns.next();
        }
    }

    /// The push leaves its backup, which had held for so long, since the main URL is well. Should that fail, it is back at once.
    pub fn returned(&mut self, held: Duration) {
        self.backup.held(held);
        self.main.failures = FAILURES_MAX;
        self.role = Role::Main;
    }

    fn at(&mut self, role: Role) -> &mut Target {
        match role {
            Role::Main => &mut self.main,
            Role::Backup => &mut self.backup,
        }
    }
}

impl Target {
    fn new(seed: u64) -> Self {
        Self {
            usual: Backoff::new(BackoffPolicy::reconnect(), seed),
            busy: Backoff::new(BackoffPolicy::name_in_use(), seed),
            failures: 0,
            fast_closes: 0,
            stalls: VecDeque::new(),
            rested: Duration::ZERO,
            given_up: false,
        }
    }

    /// A consent held for so long. Only that forgets what was before: an attempt that fails on the way to a consent says nothing of
    /// what a consent is worth.
    fn held(&mut self, held: Duration) {
        self.usual.stable_for(held);
        self.busy.stable_for(held);
        if held >= FAST_CLOSE {
            self.fast_closes = 0;
        }
        if held >= STABLE {
            self.failures = 0;
        }
    }

    /// Counts a failure, and turns one too many of a kind into an answer for good.
    fn count(&mut self, failure: Failure, held: Option<Duration>, now: Duration) -> Failure {
        self.held(held.unwrap_or_default());
        if let Failure::Recycled(_) = failure {
            // We have ended it, and nothing has failed.
            return failure;
        }
        self.failures = self.failures.saturating_add(1);
        match (failure, held) {
            (last @ Failure::Stalled(_), _) => {
                self.stalls.push_back(now);
                while self
                    .stalls
                    .front()
                    .is_some_and(|&at| now.saturating_sub(at) > STALLS_WINDOW)
                {
                    self.stalls.pop_front();
                }
                match self.stalls.len() {
                    ..STALLS_MAX => last,
                    times => Failure::Stalls {
                        times,
                        within: STALLS_WINDOW,
                        last: last.to_string(),
                    },
                }
            }
            (last @ (Failure::Closed(_) | Failure::Io(_) | Failure::Ended(_)), Some(held))
                if held < FAST_CLOSE =>
            {
                self.fast_closes += 1;
                match self.fast_closes {
                    ..FAST_CLOSES_MAX => last,
                    times => Failure::FastCloses {
                        times,
                        within: FAST_CLOSE,
                        last: last.to_string(),
                    },
                }
            }
            (failure, _) => failure,
        }
    }

    /// How long to rest, by the failure's class; none where the target is given up.
    fn rest(
        &mut self,
        failure: &Failure,
        held: Option<Duration>,
        now: Duration,
    ) -> Option<Duration> {
        let rest = match failure.next() {
            Next::Now if held >= Some(RECYCLE_CALM) => Some(Duration::ZERO),
            Next::Now | Next::Backoff => Some(self.usual.next()),
            Next::Busy if !self.busy.is_exhausted() => Some(self.busy.next()),
            Next::Busy | Next::Never => None,
        };
        match rest {
            Some(rest) => self.rested = now + rest,
            None => self.given_up = true,
        }
        rest
    }
}

#[cfg(test)]
mod tests;
