//! What can change: of publishers, of streams, of targets and of rules.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::rule::{Rule, RuleId, SourceKind, StreamKey, TargetUrl};
use crate::telemetry::labels::{DropReason, PublishEnd, Role, Setback, StreamEnd};

/// One change of state.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its place in the feed, from 1, without a gap.
    pub number: u64,
    /// When.
    pub at: OffsetDateTime,
    /// What has changed, and how.
    pub what: What,
}

/// What has changed, and how.
#[derive(Clone, Debug)]
pub enum What {
    /// A publisher's connection, or an input in its stead.
    Publish {
        /// Its stream.
        stream: StreamKey,
        /// Where it comes from; port 0 where the gateway fetches or plays it.
        peer: SocketAddr,
        /// The kind of input, where one was put; none for a plain publisher.
        input: Option<SourceKind>,
        /// What it did.
        change: PublishChange,
    },
    /// A stream, beyond its publisher.
    Stream {
        /// Which.
        stream: StreamKey,
        /// What became of it.
        change: StreamChange,
    },
    /// One rule's push of one stream.
    Target {
        /// The rule.
        rule: RuleId,
        /// The stream.
        stream: StreamKey,
        /// Where it goes, or went. Prints masked.
        url: TargetUrl,
        /// The attempt, from 1; 0 where none was made.
        attempt: u32,
        /// Its new state.
        change: TargetChange,
    },
    /// A rule.
    Rule {
        /// As it is now, or was when it was deleted.
        rule: Arc<Rule>,
        /// What was done.
        change: RuleChange,
    },
}

impl What {
    /// The app that it belongs to.
    pub fn app(&self) -> &str {
        match self {
            Self::Publish { stream, .. }
            | Self::Stream { stream, .. }
            | Self::Target { stream, .. } => stream.app.as_str(),
            Self::Rule { rule, .. } => rule.app.as_str(),
        }
    }

    /// The stream that it is about; none for a rule, which may be for many.
    pub const fn stream(&self) -> Option<&StreamKey> {
        match self {
            Self::Publish { stream, .. }
            | Self::Stream { stream, .. }
            | Self::Target { stream, .. } => Some(stream),
            Self::Rule { .. } => None,
        }
    }
}

/// What a publisher did.
#[derive(Clone, Debug, PartialEq)]
pub enum PublishChange {
    /// It was let in, and publishes.
    Started {
        /// How it came.
        how: PublishStart,
        /// The encoder's name for itself.
        client: String,
    },
    /// It publishes no more. Whether its stream ends with it, or waits for it, is a change of the stream that follows.
    Ended {
        /// Why.
        reason: PublishEnd,
        /// Payload bytes that arrived.
        bytes: u64,
        /// How long it lasted.
        lasted: Duration,
    },
}

/// How a publisher came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishStart {
    /// The stream begins with it.
    New,
    /// It took the stream over from one that was there.
    Takeover,
    /// It returned within the time of grace.
    Return,
    /// It is the stream's other input, and stands by.
    Beside,
}

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamChange {
    /// Its publisher was lost, and may return within this time; targets stay connected.
    Waiting {
        /// The time of grace.
        grace: Duration,
    },
    /// It is over. The same name may be published again, as a new stream.
    Ended {
        /// Why.
        reason: StreamEnd,
    },
}

/// The new state of a push.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetChange {
    /// An attempt begins.
    Connecting,
    /// The target takes media.
    Live,
    /// The attempt failed or the live push broke, and another attempt follows.
    BackingOff {
        /// The class of the reason.
        reason: Setback,
        /// The reason in words, the key masked.
        detail: String,
        /// When the next attempt begins, from then.
        retry_in: Duration,
    },
    /// The live push ended its session, as it should, and begins another one at once.
    Recycled {
        /// The class of the reason.
        reason: Setback,
    },
    /// It is given up for good, until its rule or its stream changes.
    Failed {
        /// The class of the reason.
        reason: Setback,
        /// The reason in words, the key masked.
        detail: String,
    },
    /// It does not keep up, and is given less.
    Slow {
        /// What it is not given.
        left_out: DropReason,
        /// How far behind it is.
        lag: Duration,
    },
    /// It was slow, and has been given all for a while.
    CaughtUp,
    /// It goes to the other one of its rule's two URLs, which is the change's `url`.
    Switched {
        /// Which one that is.
        to: Role,
    },
    /// It ended as it should: its rule or its stream is gone.
    Stopped {
        /// Bytes handed to its connections.
        bytes: u64,
    },
}

/// What was done to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleChange {
    /// It is new.
    Created,
    /// It says something else, or is switched on or off.
    Changed,
    /// It is gone.
    Deleted,
}
