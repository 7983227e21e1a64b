//! What happens on the way in.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tracing::{debug, error, info, warn};

use crate::rule::{SourceKind, StreamKey};
use crate::secret::{mask_name, printable};
use crate::telemetry::feed::{PublishChange, PublishStart, StreamChange, What};
use crate::telemetry::labels::{Label, PublishEnd, PublishRefusal, Rejection, StreamEnd};
use crate::telemetry::metrics::Metrics;

/// A publisher begins to publish.
pub struct PublishStarted<'a> {
    /// The stream.
    pub stream: &'a StreamKey,
    /// Who publishes it; port 0 where the gateway fetches or plays it.
    pub peer: SocketAddr,
    /// The kind of input, where one was put.
    pub input: Option<SourceKind>,
    /// The encoder's name for itself.
    pub client: &'a str,
    /// How it came.
    pub how: PublishStart,
}

impl PublishStarted<'_> {
    /// Logs, counts and announces.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.publishes_started.increment(1);
        let client = printable(self.client);
        info!(
            stream = %self.stream,
            peer = shown(self.peer),
            input = self.input.map(SourceKind::as_str),
            client,
            takeover = self.how == PublishStart::Takeover,
            returned = self.how == PublishStart::Return,
            "publish started"
        );
        metrics.feed.announce(What::Publish {
            stream: self.stream.clone(),
            peer: self.peer,
            input: self.input,
            change: PublishChange::Started {
                how: self.how,
                client,
            },
        });
    }
}

/// Where a publisher comes from, where it does from somewhere.
fn shown(peer: SocketAddr) -> Option<tracing::field::DisplayValue<SocketAddr>> {
    (peer.port() > 0).then(|| tracing::field::display(peer))
}

/// A publisher is told no. Counted always, logged within a rate.
pub struct PublishRefused<'a> {
    /// The app as it was asked for.
    pub app: &'a str,
    /// The name as it was asked for, its query included; that is cut off here.
    pub name: &'a str,
    /// Who asked.
    pub peer: SocketAddr,
    /// Why it may not.
    pub reason: PublishRefusal,
    /// The same in words, where the app's publish hook has some.
    pub detail: Option<&'a str>,
}

impl PublishRefused<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.publish_rejected.add(self.reason, 1);
        let Some(omitted) = metrics.stranger_lines.take(Instant::now()) else {
            return;
        };
        warn!(
            app = %mask_name(self.app),
            name = %mask_name(self.name),
            peer = %self.peer,
            reason = self.reason.as_str(),
            detail = self.detail.map(printable),
            omitted,
            "publish refused"
        );
    }
}

/// A publish is over.
pub struct PublishEnded<'a> {
    /// The stream.
    pub stream: &'a StreamKey,
    /// Who published it; port 0 where the gateway fetched or played it.
    pub peer: SocketAddr,
    /// The kind of input, where one was put.
    pub input: Option<SourceKind>,
    /// Why it ended.
    pub reason: PublishEnd,
    /// What the connection or the protocol said, where they said something.
    pub detail: Option<&'a dyn Display>,
    /// Payload bytes that arrived.
    pub bytes: u64,
    /// How long it lasted.
    pub lasted: Duration,
}

impl PublishEnded<'_> {
    /// Logs, counts and announces.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.publishes_ended.add(self.reason, 1);
        info!(
            stream = %self.stream,
            peer = shown(self.peer),
            input = self.input.map(SourceKind::as_str),
            reason = self.reason.as_str(),
            detail = self.detail.map(|detail| tracing::field::display(printable(&detail.to_string()))),
            bytes = self.bytes,
            seconds = self.lasted.as_secs_f64(),
            "publish ended"
        );
        metrics.feed.announce(What::Publish {
            stream: self.stream.clone(),
            peer: self.peer,
            input: self.input,
            change: PublishChange::Ended {
                reason: self.reason,
                bytes: self.bytes,
                lasted: self.lasted,
            },
        });
    }
}

/// A publisher's connection was lost, and its stream waits for its return.
pub struct PublisherAwaited<'a> {
    /// The stream.
    pub stream: &'a StreamKey,
    /// How long it waits.
    pub time: Duration,
}

impl PublisherAwaited<'_> {
    /// Logs and announces. The streams that wait are counted from what runs.
    pub fn emit(&self, metrics: &Metrics) {
        info!(
            stream = %self.stream,
            grace_seconds = self.time.as_secs_f64(),
            "waiting for the encoder"
        );
        metrics.feed.announce(What::Stream {
            stream: self.stream.clone(),
            change: StreamChange::Waiting { grace: self.time },
        });
    }
}

/// A publisher did not return in time: its stream ends.
pub struct PublisherGivenUp<'a> {
    /// The stream.
    pub stream: &'a StreamKey,
    /// How long it has waited.
    pub waited: Duration,
}

impl PublisherGivenUp<'_> {
    /// Logs.
    pub fn emit(&self) {
        warn!(
            stream = %self.stream,
            grace_seconds = self.waited.as_secs_f64(),
            "the encoder did not come back: the stream ends"
        );
    }
}

/// A stream is over.
pub struct StreamEnded<'a> {
    /// Which.
    pub stream: &'a StreamKey,
    /// Why.
    pub reason: StreamEnd,
}

impl StreamEnded<'_> {
    /// Announces. The log says so with its publish's end, or with the end of the wait for it.
    pub fn emit(&self, metrics: &Metrics) {
        debug!(
            stream = %self.stream,
            reason = self.reason.as_str(),
            "stream ended"
        );
        metrics.feed.announce(What::Stream {
            stream: self.stream.clone(),
            change: StreamChange::Ended {
                reason: self.reason,
            },
        });
    }
}

/// A connection is closed before it published. Counted always, logged within a rate.
pub struct ConnectionRejected<'a> {
    /// Whose.
    pub peer: SocketAddr,
    /// Why.
    pub reason: Rejection,
    /// What exactly was wrong.
    pub detail: &'a dyn Display,
}

impl ConnectionRejected<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.connections_rejected.add(self.reason, 1);
        let Some(omitted) = metrics.stranger_lines.take(Instant::now()) else {
            return;
        };
        warn!(
            peer = %self.peer,
            reason = self.reason.as_str(),
            detail = %printable(&self.detail.to_string()),
            omitted,
            "connection rejected"
        );
    }
}

/// Whom a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// Publishers, over RTMP or RTMPS.
    Publishers,
    /// Callers of the doors, over HTTP or HTTPS.
    Doors,
}

/// A connection is closed as soon as it is there, because of the address that it comes from. Counted always, logged within
/// a rate.
pub struct CallerRefused<'a> {
    /// Whose.
    pub peer: SocketAddr,
    /// Whom the listener is for.
    pub callers: Callers,
    /// Why.
    pub reason: PublishRefusal,
    /// The bound that it is beyond.
    pub detail: &'a dyn Display,
}

impl CallerRefused<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        match self.callers {
            Callers::Publishers => metrics.publish_rejected.add(self.reason, 1),
            Callers::Doors => metrics.connections_rejected.add(Rejection::AddressLimit, 1),
        }
        let Some(omitted) = metrics.stranger_lines.take(Instant::now()) else {
            return;
        };
        warn!(
            peer = %self.peer,
            reason = self.reason.as_str(),
            detail = %self.detail,
            omitted,
            "connection refused"
        );
    }
}

/// Connections wait that cannot be accepted. Counted always, logged once a second at most.
pub struct AcceptFailed<'a> {
    /// The listener's address.
    pub listener: SocketAddr,
    /// What the kernel said.
    pub error: &'a std::io::Error,
}

impl AcceptFailed<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.accept_errors.increment(1);
        let Some(omitted) = metrics.accept_lines.take(Instant::now()) else {
            return;
        };
        error!(
            listener = %self.listener,
            error = %self.error,
            omitted,
            "connections cannot be accepted; the limit of open files may be too low"
        );
    }
}
