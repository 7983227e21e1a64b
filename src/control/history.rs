//! Streams that were published and are not any more, remembered for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use super::limits::MAX_CLOSED_STREAMS;
use crate::rule::StreamKey;
use crate::telemetry::feed::{PublishChange, PublishStart, Read, Reader, StreamChange, What};

/// A stream's last life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When it began.
    pub began: OffsetDateTime,
    /// When it ended; none while it lasts.
    pub ended: Option<OffsetDateTime>,
}

/// The last lives of streams, in memory.
#[derive(Debug)]
pub struct History(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    kept: Duration,
    lives: HashMap<StreamKey, Life>,
}

/// Remembers what the feed tells, to its end.
pub async fn follow(history: Arc<History>, mut feed: Reader) {
    loop {
        let change = match feed.next().await {
            Read::Change(change) => change,
            // Those are streams that are remembered late or not at all.
            Read::Missed { .. } => continue,
            Read::End => return,
        };
        match &change.what {
            What::Publish {
                stream,
                change:
                    PublishChange::Started {
                        how: PublishStart::New,
                        ..
                    },
                ..
            } => history.begin(stream.clone(), change.at),
            What::Stream {
                stream,
                change: StreamChange::Ended { .. },
            } => history.end(stream.clone(), change.at),
            _ => {}
        }
    }
}

impl History {
    /// Remembers streams for this long after their end.
    pub fn new(kept: Duration) -> Self {
        Self(Mutex::new(Inner {
            kept,
            lives: HashMap::new(),
        }))
    }

    /// Changes how long streams are remembered.
    pub fn keep(&self, kept: Duration) {
        self.lock().kept = kept;
    }

    /// A stream began.
    pub fn begin(&self, key: StreamKey, at: OffsetDateTime) {
        let life = Life {
            began: at,
            ended: None,
        };
        self.lock().lives.insert(key, life);
    }

    /// A stream ended.
    pub fn end(&self, key: StreamKey, at: OffsetDateTime) {
        let mut inner = self.lock();
        let life = inner.lives.entry(key).or_insert(Life {
            began: at,
            ended: None,
        });
        life.ended = Some(at);
        inner.forget(at);
    }

    /// The last life of a stream, if it is remembered at `now`.
    pub fn find(&self, key: &StreamKey, now: OffsetDateTime) -> Option<Life> {
        let inner = self.lock();
        let life = inner.lives.get(key)?;
        (!inner.is_over(life, now)).then_some(*life)
    }

    /// Every step leaves it whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn is_over(&self, life: &Life, now: OffsetDateTime) -> bool {
        life.ended.is_some_and(|ended| now - ended >= self.kept)
    }

    /// Once there are too many, those whose time is over go, and if that is not enough the older half of what has ended: looking
    /// for a single one each time would cost every end of a stream a look at all.
    fn forget(&mut self, now: OffsetDateTime) {
        if self.lives.len() <= MAX_CLOSED_STREAMS {
            return;
        }
        let kept = self.kept;
        let is_fresh = |ended: OffsetDateTime| now - ended < kept;
        self.lives.retain(|_, life| life.ended.is_none_or(is_fresh));
        if self.lives.len() <= MAX_CLOSED_STREAMS {
            return;
        }
        let mut ends: Vec<_> = self.lives.values().filter_map(|life| life.ended).collect();
        ends.sort_unstable();
        let Some(&middle) = ends.get(ends.len() / 2) else {
            return;
        };
        self.lives
            .retain(|_, life| life.ended.is_none_or(|ended| ended > middle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> StreamKey {
        StreamKey::parse("live", name).unwrap()
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    #[test]
    fn a_closed_stream_is_remembered_for_its_time() {
        let history = History::new(Duration::from_secs(60));
        let find = |seconds| history.find(&key("cam"), at(seconds));
        assert_eq!(find(0), None);
        history.begin(key("cam"), at(10));
        let life = |ended| {
            Some(Life {
                began: at(10),
                ended,
            })
        };
        assert_eq!(find(10_000), life(None));
        history.end(key("cam"), at(100));
        assert_eq!(find(159), life(Some(at(100))));
        assert_eq!(find(160), None);
        history.keep(Duration::from_secs(600));
        assert_eq!(find(160), life(Some(at(100))));
        history.begin(key("cam"), at(200));
        assert_eq!(find(100_000).unwrap().began, at(200), "a new life");
        history.end(key("late"), at(300));
        assert!(history.find(&key("late"), at(300)).is_some());
        assert!(
            history
                .find(&StreamKey::parse("other", "late").unwrap(), at(300))
                .is_none()
        );
    }

    #[test]
    fn what_is_remembered_is_bounded_and_live_streams_stay() {
        let history = History::new(Duration::from_secs(1_000_000));
        history.begin(key("live"), at(0));
        for i in 0..MAX_CLOSED_STREAMS as i64 + 1 {
            history.end(key(&i.to_string()), at(i));
        }
        let now = at(MAX_CLOSED_STREAMS as i64);
        assert!(history.lock().lives.len() <= MAX_CLOSED_STREAMS);
        assert!(history.find(&key("live"), now).is_some());
        assert!(history.find(&key("0"), now).is_none());
        assert!(
            history
                .find(&key(&MAX_CLOSED_STREAMS.to_string()), now)
                .is_some()
        );
    }
}
