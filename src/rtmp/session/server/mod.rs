//! What does a publisher say, and what do we answer?
//!
//! The answers and their order are the union of what SRS, nginx-rtmp, ZLMediaKit and gortmplib give, because each of them is
//! what some encoder was built against.
//!
//! # Two questions
//! The session stops at [`ServerEvent::ConnectRequested`] and at [`ServerEvent::PublishRequested`]: [`ServerSession::read`]
//! gives `None` and leaves its input untouched until the caller has accepted or rejected. So an encoder that sends media
//! right behind its `publish` loses none of it while its key is looked up, and the session holds none of it either: it
//! waits in the caller's buffer, and behind that in the socket. Nothing is media before a publish is accepted.
//!
//! # One publish a connection
//! After an unpublish the connection has done its work. A second `publish` is an error, as every server closes here; an
//! encoder that starts again connects again.

mod calls;
mod event;

use std::time::Duration;

use bytes::BytesMut;

use super::connect::{self, object};
use super::link::{COMMAND_CSID, Incoming, Link};
use super::script;
use super::talk::Talk;
use crate::rtmp::amf0::Value;
use crate::rtmp::limits::{BEFORE_PUBLISH_VALUES_MAX, WINDOW_BYTES};

pub use super::connect::ConnectRequest;
pub use event::{
    ConnectRefusal, PublishRequest, Refusal, ServerError, ServerEvent, UnpublishReason,
};

/// Chunk stream of what is said about a stream.
const STATUS_CSID: u8 = 5;
/// Status code of an ended stream.
const UNPUBLISHED: &str = "NetStream.Unpublish.Success";
/// What status objects name us.
const CLIENT_ID: &str = "aqueduct";

/// What we tell publishers about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Chunk size of our answers, in bytes. FFmpeg takes it over for what it sends and otherwise stays at 128.
    pub chunk_size_out: u32,
    /// Window that we announce, in bytes.
    pub window: u32,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            chunk_size_out: 60_000,
            window: WINDOW_BYTES,
        }
    }
}

/// A publisher's session, from the end of its handshake on.
#[derive(Debug)]
pub struct ServerSession {
    config: ServerConfig,
    link: Link,
    stage: Stage,
    /// It counts until a publish is accepted.
    talk: Talk,
    streams: u32,
    fc_publish: bool,
}

#[derive(Debug)]
enum Stage {
    /// Waits for `connect`.
    Fresh,
    /// Waits for the caller's answer to `connect`.
    ConnectAsked {
        transaction: f64,
        request: ConnectRequest,
    },
    /// Waits for `publish`.
    Connected(ConnectRequest),
    /// Waits for the caller's answer to `publish`.
    PublishAsked {
        stream_id: u32,
    },
    Publishing {
        stream_id: u32,
    },
    /// The publisher is done; it may still say so in a second way.
    Unpublished {
        stream_id: u32,
        told: bool,
    },
    /// We are done: whatever comes is swallowed.
    Closed,
}

impl ServerSession {
    /// A session for a connection whose handshake is over. It says nothing until the publisher has.
    pub fn new(config: ServerConfig) -> Self {
        Self {
            config,
            link: Link::new(BEFORE_PUBLISH_VALUES_MAX),
            stage: Stage::Fresh,
            talk: Talk::default(),
            streams: 0,
            fc_publish: false,
        }
    }

    /// Reads until something happens that the caller has to know, and moves `input` behind what was read.
    ///
    /// `None` means that more bytes are needed (offer the few that are left again, in front of the next ones), or that
    /// [`Self::awaits_answer`]: then `input` is untouched. After a rejection or [`Self::finish`] input is swallowed. `now`
    /// is the time since any fixed start.
    ///
    /// # Errors
    /// [`ServerError`]; from then on input is swallowed.
    pub fn read(
        &mut self,
        input: &mut &[u8],
        now: Duration,
    ) -> Result<Option<ServerEvent>, ServerError> {
        loop {
            match self.stage {
                Stage::ConnectAsked { .. } | Stage::PublishAsked { .. } => return Ok(None),
                Stage::Closed => {
                    self.link.discard(input);
                    return Ok(None);
                }
                _ => {}
            }
            let outcome = match self.link.next(input, now) {
                Ok(None) => return Ok(None),
                Ok(Some(Incoming::Media(message))) if self.publishes() => {
                    match script::media(message) {
                        Some(media) => return Ok(Some(ServerEvent::Media(media))),
                        None => continue,
                    }
                }
                Ok(Some(incoming)) => self.attend(incoming),
                Err(error) => Err(error.into()),
            };
            match outcome {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(error) => {
                    self.stage = Stage::Closed;
                    return Err(error);
                }
            }
        }
    }

    /// Takes what is no medium of an accepted publish.
    #[cold]
    fn attend(&mut self, incoming: Incoming) -> Result<Option<ServerEvent>, ServerError> {
        let event = match incoming {
            Incoming::Command { stream_id, command } => self.call(stream_id, &command)?,
            Incoming::Media(_) | Incoming::Acknowledged(_) | Incoming::Quiet => None,
        };
        self.bound_the_wait()?;
        Ok(event)
    }

    /// Bytes to send, in order. The caller drains them after every call of a method.
    pub fn output(&mut self) -> &mut BytesMut {
        self.link.output()
    }

    /// Whether the session stands still until the caller accepts or rejects.
    pub fn awaits_answer(&self) -> bool {
        matches!(
            self.stage,
            Stage::ConnectAsked { .. } | Stage::PublishAsked { .. }
        )
    }

    /// Bytes read since the handshake.
    pub fn bytes_in(&self) -> u64 {
        self.link.bytes_in()
    }

    /// Bytes that unfinished messages hold.
    pub fn bytes_buffered(&self) -> usize {
        self.link.bytes_buffered()
    }

    /// Lets the publisher connect. Without a waiting `connect` it does nothing.
    pub fn accept_connect(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Closed) {
            Stage::ConnectAsked {
                transaction,
                request,
            } => {
                self.announce();
                let args = vec![connect::success()];
                self.link.command(
                    COMMAND_CSID,
                    0,
                    "_result",
                    transaction,
                    connect::server_properties(),
                    args,
                );
                self.stage = Stage::Connected(request);
            }
            other => self.stage = other,
        }
    }

    /// Turns the publisher away; then close after a flush. Without a waiting `connect` it does nothing.
    ///
    /// The description is shown by the encoder; it must hold nothing secret.
    pub fn reject_connect(&mut self, refusal: ConnectRefusal, description: &str) {
        if let Stage::ConnectAsked { transaction, .. } = self.stage {
            self.announce();
            let args = vec![connect::status("error", refusal.code(), description)];
            self.link
                .command(COMMAND_CSID, 0, "_error", transaction, Value::Null, args);
            self.stage = Stage::Closed;
        }
    }

    /// Lets the publisher publish: from here on its messages are events. Without a waiting `publish` it does nothing.
    pub fn accept_publish(&mut self) {
        if let Stage::PublishAsked { stream_id } = self.stage {
            self.link.publish_accepted();
            self.link.stream_begin(stream_id);
            let (code, description) = ("NetStream.Publish.Start", "Publishing started.");
            if self.fc_publish {
                let info = object([("code", code.into()), ("description", description.into())]);
                self.link.command(
                    STATUS_CSID,
                    stream_id,
                    "onFCPublish",
                    0.0,
                    Value::Null,
                    vec![info],
                );
            }
            self.on_status(stream_id, "status", code, description);
            self.stage = Stage::Publishing { stream_id };
        }
    }

    /// Turns the publish away; then close after a flush. Without a waiting `publish` it does nothing.
    ///
    /// The description is shown by the encoder; it must hold nothing secret.
    pub fn reject_publish(&mut self, refusal: Refusal, description: &str) {
        if let Stage::PublishAsked { stream_id } = self.stage {
            self.on_status(stream_id, "error", refusal.code(), description);
            self.stage = Stage::Closed;
        }
    }

    /// Ends the conversation: says that the stream is unpublished, if there is one and it was not said before. Then close
    /// after a flush.
    pub fn finish(&mut self) {
        if let Stage::Publishing { stream_id }
        | Stage::Unpublished {
            stream_id,
            told: false,
        } = self.stage
        {
            self.tell_unpublished(stream_id);
        }
        self.stage = Stage::Closed;
    }

    fn publishes(&self) -> bool {
        matches!(self.stage, Stage::Publishing { .. })
    }

    /// The chunk size comes before the answer to connect: OBS broke where that answer was longer than a chunk.
    fn announce(&mut self) {
        self.link.window_ack_size(self.config.window);
        self.link.set_peer_bandwidth(self.config.window);
        self.link.set_chunk_size(self.config.chunk_size_out);
    }

    fn tell_unpublished(&mut self, stream_id: u32) {
        self.on_status(stream_id, "status", UNPUBLISHED, "Stream is unpublished.");
    }

    fn on_status(&mut self, stream_id: u32, level: &str, code: &str, description: &str) {
        let info = object([
            ("level", level.into()),
            ("code", code.into()),
            ("description", description.into()),
            ("clientid", CLIENT_ID.into()),
        ]);
        self.link.command(
            STATUS_CSID,
            stream_id,
            "onStatus",
            0.0,
            Value::Null,
            vec![info],
        );
    }

    /// A peer that only talks never gets to the point.
    fn bound_the_wait(&mut self) -> Result<(), ServerError> {
        if !matches!(self.stage, Stage::Fresh | Stage::Connected(_)) {
            return Ok(());
        }
        self.talk
            .message()
            .then_some(())
            .ok_or(ServerError::NoPublish)
    }
}
