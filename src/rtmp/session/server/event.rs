//! What does a publisher's session tell its caller, and what may the caller reply?

use std::fmt;

use thiserror::Error;

use crate::rtmp::limits::{
    COMMANDS_MAX, CREATE_STREAMS_MAX, MESSAGES_BEFORE_PUBLISH_MAX, NAME_BYTES_MAX,
};
use crate::rtmp::session::connect::ConnectRequest;
use crate::rtmp::session::{LinkError, Media};
use crate::secret::{Secret, mask_name};

/// What a publisher does.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerEvent {
    /// It wants to connect. Answer with [`accept_connect`] or [`reject_connect`].
    ///
    /// [`accept_connect`]: super::ServerSession::accept_connect
    /// [`reject_connect`]: super::ServerSession::reject_connect
    ConnectRequested(ConnectRequest),
    /// It wants to publish. Answer with [`accept_publish`] or [`reject_publish`].
    ///
    /// [`accept_publish`]: super::ServerSession::accept_publish
    /// [`reject_publish`]: super::ServerSession::reject_publish
    PublishRequested(PublishRequest),
    /// A message of the accepted stream.
    Media(Media),
    /// It is done: [`finish`](super::ServerSession::finish), then close after a flush. Further events do not come.
    Unpublished(UnpublishReason),
}

/// A publisher's wish to publish.
#[derive(Clone, PartialEq, Eq)]
pub struct PublishRequest {
    /// The app, as [`ConnectRequest::app`] unless the stream's name stood in the address.
    pub app: String,
    /// The name as it came, its query included; never empty and never only a query.
    pub name: String,
    /// [`ConnectRequest::query`].
    pub query: Secret,
}

impl fmt::Debug for PublishRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishRequest")
            .field("app", &self.app)
            .field("name", &mask_name(&self.name))
            .field("query", &self.query)
            .finish()
    }
}

/// How a publisher said that it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnpublishReason {
    /// `FCUnpublish`.
    FcUnpublish,
    /// `deleteStream`.
    DeleteStream,
    /// `closeStream`, or `close`.
    CloseStream,
}

/// Why a publisher may not connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectRefusal {
    /// There is no such app.
    InvalidApp,
    /// Not this publisher, or not now.
    Rejected,
    /// The gateway is about to end.
    ShuttingDown,
}

impl ConnectRefusal {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::InvalidApp => "NetConnection.Connect.InvalidApp",
            Self::Rejected => "NetConnection.Connect.Rejected",
            Self::ShuttingDown => "NetConnection.Connect.AppShutdown",
        }
    }
}

/// Why a publisher may not publish. The codes are those that OBS and GStreamer tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The stream has a publisher.
    Busy,
    /// The key is missing or wrong.
    Denied,
    /// Policy: the name, the number of streams, a shutdown.
    Rejected,
}

impl Refusal {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Busy => "NetStream.Publish.BadName",
            Self::Denied => "NetStream.Publish.Denied",
            Self::Rejected => "NetStream.Publish.Rejected",
        }
    }
}

/// Why a publisher's connection cannot go on. Send what [`output`](super::ServerSession::output) still holds, then close;
/// the publisher may connect again.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ServerError {
    /// The connection's own rules are broken.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A command came before `connect`.
    #[error("a command came before connect")]
    NotConnected,
    /// `connect` came twice.
    #[error("connect came twice")]
    SecondConnect,
    /// `createStream` came too often.
    #[error("more than {CREATE_STREAMS_MAX} createStream on one connection")]
    TooManyStreams,
    /// `publish` came twice.
    #[error("publish came twice on one connection")]
    SecondPublish,
    /// Messages went on and on and no publish came of them.
    #[error(
        "more than {MESSAGES_BEFORE_PUBLISH_MAX} messages, or {COMMANDS_MAX} commands, without a publish"
    )]
    NoPublish,
    /// Neither the name nor the address names a stream. The publisher was told.
    #[error("publish without a stream name")]
    NoStreamName,
    /// An app, tcUrl or name is too long.
    #[error("an app, tcUrl or stream name passes {NAME_BYTES_MAX} bytes")]
    NameTooLong,
}
