//! The feed: every change of state, in order, for whoever tells somebody of it - the native door's events, webhooks, callbacks.
//!
//! # What it promises
//!
//! - A [`Change`] is announced where its event logs and counts (`telemetry::events`), never on the way of a frame: announcing takes one
//!   short lock and wakes those who wait. It waits for nobody.
//! - Changes are numbered from 1 without a gap, in the order in which they were announced. For one stream that is: a publish starts, it
//!   ends, the stream waits for the encoder or ends; for one push it is the order of its states. What happens to different streams, or
//!   to a stream and its targets, comes in no promised order; where a publisher takes over, its start may come before the other's end.
//! - The newest [`HISTORY_MAX`] changes are kept. A [`Reader`] has its own place among them; one that is slower than that is told how
//!   many it has missed, and goes on with the oldest that is left.
//! - Numbers begin anew with each process. [`Feed::era`] tells one run's from another's.
//! - After [`Feed::close`] nothing is announced any more; readers get what is left, and then the end.
//!
//! # How to use it
//!
//! `metrics.feed().reader()` before the first change that one wants to see, then [`Reader::next`] in a task of one's own, until
//! [`Read::End`]. A change holds values and no handles; nothing has to be looked up while it is told. URLs and rules print masked, and
//! whoever needs the bare URL asks it for that by name.

mod change;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;
use tokio::sync::watch;

pub use change::{
    Change, PublishChange, PublishStart, RuleChange, StreamChange, TargetChange, What,
};

/// Changes that are kept for readers that come back or are slow. One takes about 1 KB with its rule or URL; a restart of a thousand
/// publishers with four targets each is 9000 changes, for which a reader has seconds.
pub const HISTORY_MAX: usize = 4096;

/// The feed of one gateway.
#[derive(Debug)]
pub struct Feed {
    era: u64,
    history: Mutex<History>,
    mark: watch::Sender<Mark>,
}

#[derive(Debug, Default)]
struct History {
    newest: u64,
    /// Without a gap; the last one's number is `newest`.
    kept: VecDeque<Arc<Change>>,
}

/// How far the feed has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    newest: u64,
    closed: bool,
}

impl Feed {
    /// A feed without changes, whose era is this moment.
    pub fn new() -> Arc<Self> {
        let now = OffsetDateTime::now_utc();
        let millis = now.unix_timestamp_nanos() / 1_000_000;
        Arc::new(Self {
            era: u64::try_from(millis).unwrap_or_default(),
            history: Mutex::default(),
            mark: watch::Sender::new(Mark::default()),
        })
    }

    /// Tells this run's numbers from another's: the milliseconds since 1970 at which it began.
    pub const fn era(&self) -> u64 {
        self.era
    }

    /// Adds a change, and wakes those who wait for it. Nothing happens once the feed is closed.
    pub fn announce(&self, what: What) {
        let at = OffsetDateTime::now_utc();
        let mut history = self.lock();
        if self.mark.borrow().closed {
            return;
        }
        history.newest += 1;
        let number = history.newest;
        if history.kept.len() >= HISTORY_MAX {
            history.kept.pop_front();
        }
        history
            .kept
            .push_back(Arc::new(Change { number, at, what }));
        // Under the lock, so that marks rise.
        self.mark.send_modify(|mark| mark.newest = number);
    }

    /// Ends the feed: readers get what is left, and then the end.
    pub fn close(&self) {
        let _history = self.lock();
        self.mark.send_modify(|mark| mark.closed = true);
    }

    /// A reader of all that is announced from now on.
    pub fn reader(self: &Arc<Self>) -> Reader {
        let newest = self.lock().newest;
        self.reader_at(newest + 1)
    }

    /// A reader of all that came after the change with this number, as far as it is kept: else it begins with what it missed. None
    /// where no such change was announced in this era.
    pub fn reader_after(self: &Arc<Self>, number: u64) -> Option<Reader> {
        let newest = self.lock().newest;
        (number <= newest).then(|| self.reader_at(number + 1))
    }

    fn reader_at(self: &Arc<Self>, next: u64) -> Reader {
        Reader {
            feed: Arc::clone(self),
            next,
            mark: self.mark.subscribe(),
        }
    }

    /// What a reader at this place gets next, if it is there.
    fn read(&self, next: u64) -> Option<Read> {
        let history = self.lock();
        let oldest = history.kept.front()?.number;
        if next < oldest {
            return Some(Read::Missed {
                count: oldest - next,
            });
        }
        let place = usize::try_from(next - oldest).ok()?;
        history.kept.get(place).cloned().map(Read::Change)
    }

    fn lock(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the feed.
#[derive(Debug)]
pub struct Reader {
    feed: Arc<Feed>,
    next: u64,
    mark: watch::Receiver<Mark>,
}

/// What a reader gets.
#[derive(Clone, Debug)]
pub enum Read {
    /// The next change.
    Change(Arc<Change>),
    /// It was too slow, or away for too long: so many changes are lost to it. The next ones follow.
    Missed {
        /// How many.
        count: u64,
    },
    /// The feed is closed, and everything was read.
    End,
}

impl Reader {
    /// Waits for the next change. Whoever stops waiting loses nothing.
    pub async fn next(&mut self) -> Read {
        loop {
            // Marked as seen before the history is read: what comes meanwhile wakes us again.
            let closed = self.mark.borrow_and_update().closed;
            match self.feed.read(self.next) {
                Some(read) => {
                    self.next += match &read {
                        Read::Missed { count } => *count,
                        Read::Change(_) | Read::End => 1,
                    };
                    return read;
                }
                None if closed => return Read::End,
                None => {}
            }
            // The sender lives in the feed that `self` holds.
            let _ = self.mark.changed().await;
        }
    }

    /// The number of the last change that was read, or missed.
    pub const fn place(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// The feed's [era](Feed::era).
    pub fn era(&self) -> u64 {
        self.feed.era
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::StreamKey;
    use crate::telemetry::labels::StreamEnd;
    use futures::FutureExt;

    fn ended() -> What {
        What::Stream {
            stream: StreamKey::parse("live", "cam").unwrap(),
            change: StreamChange::Ended {
                reason: StreamEnd::Finished,
            },
        }
    }

    /// What is there at this moment.
    fn now(reader: &mut Reader) -> Option<Read> {
        reader.next().now_or_never()
    }

    fn number(read: Option<Read>) -> u64 {
        match read {
            Some(Read::Change(change)) => change.number,
            other => panic!("a change is expected, not {other:?}"),
        }
    }

    #[tokio::test]
    async fn every_reader_sees_every_change_in_order() {
        let feed = Feed::new();
        let mut early = feed.reader();
        assert!(now(&mut early).is_none());
        feed.announce(ended());
        let mut late = feed.reader();
        feed.announce(ended());
        assert_eq!(number(now(&mut early)), 1);
        assert_eq!(number(now(&mut early)), 2);
        assert_eq!(number(now(&mut late)), 2);
        assert!(now(&mut early).is_none() && now(&mut late).is_none());
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken() {
        let feed = Feed::new();
        let mut reader = feed.reader();
        let waits = tokio::spawn(async move { reader.next().await });
        tokio::task::yield_now().await;
        feed.announce(ended());
        assert_eq!(number(Some(waits.await.unwrap())), 1);
    }

    #[tokio::test]
    async fn a_slow_reader_is_told_what_it_missed_and_goes_on() {
        let feed = Feed::new();
        let mut slow = feed.reader();
        for _ in 0..HISTORY_MAX + 3 {
            feed.announce(ended());
        }
        assert!(matches!(now(&mut slow), Some(Read::Missed { count: 3 })));
        assert_eq!(number(now(&mut slow)), 4);
        assert_eq!(
            feed.lock().kept.len(),
            HISTORY_MAX,
            "the history is bounded"
        );
    }

    #[tokio::test]
    async fn a_reader_comes_back_to_its_place() {
        let feed = Feed::new();
        for _ in 0..5 {
            feed.announce(ended());
        }
        let mut back = feed.reader_after(3).unwrap();
        assert_eq!(number(now(&mut back)), 4);
        assert_eq!(number(now(&mut back)), 5);
        let mut uptodate = feed.reader_after(5).unwrap();
        assert!(now(&mut uptodate).is_none());
        assert!(feed.reader_after(6).is_none(), "nobody has seen that one");
    }

    #[tokio::test]
    async fn a_closed_feed_is_read_to_its_end() {
        let feed = Feed::new();
        let mut reader = feed.reader();
        feed.announce(ended());
        feed.close();
        feed.announce(ended());
        assert_eq!(number(now(&mut reader)), 1);
        assert!(matches!(now(&mut reader), Some(Read::End)));
        assert!(matches!(now(&mut reader), Some(Read::End)));
    }
}
