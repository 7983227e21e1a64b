//! What do we say to an ingest, and what does it answer?
//!
//! The calls and their order are OBS's, because OBS is what every ingest is tested with: a chunk size, `connect` with
//! nothing in it that OBS or FFmpeg would not send, then `releaseStream`, `FCPublish` and `createStream` back to back,
//! of which only the last has to be answered, then `publish`, and media only after the server's start.
//!
//! Nothing that the server calls is answered: Twitch closes on an `_error` for its `onFCPublish`, and on a pong that it did
//! not ask for. Pings are answered, windows acknowledged, and whatever else arrives while we publish is read and dropped.

mod answers;
mod config;
mod event;

use std::time::Duration;

use bytes::BytesMut;

use super::link::{COMMAND_CSID, Incoming, Link};
use super::talk::Talk;
use super::{MediaKind, Stage};
use crate::rtmp::amf0::Value;
use crate::rtmp::chunk::Header;
use crate::rtmp::limits::AMF0_VALUES_MAX;

pub(in crate::rtmp::session) use config::connect_object;
pub use config::{ClientConfig, Enhanced, FLASH_VER};
pub use event::{ClientError, ClientEvent, Ended, Fault, Redirect, Refused};

/// Time after which the plain result of `publish` counts as the start, where no status follows it.
const START_WITHOUT_STATUS: Duration = Duration::from_secs(2);

/// Chunk stream of publish and of data.
const DATA_CSID: u8 = 4;
const AUDIO_CSID: u8 = 5;
const VIDEO_CSID: u8 = 6;

/// Transactions, as OBS numbers them.
mod transaction {
    pub const CONNECT: f64 = 1.0;
    pub const RELEASE_STREAM: f64 = 2.0;
    pub const FC_PUBLISH: f64 = 3.0;
    pub const CREATE_STREAM: f64 = 4.0;
    pub const PUBLISH: f64 = 5.0;
    pub const FC_UNPUBLISH: f64 = 6.0;
    pub const DELETE_STREAM: f64 = 7.0;
}

/// A push's session, from the end of its handshake on.
#[derive(Debug)]
pub struct ClientSession {
    config: ClientConfig,
    link: Link,
    step: Step,
    /// What createStream gave; 0 until then.
    stream_id: u32,
    /// It counts until the start.
    talk: Talk,
}

/// How one target wants its media: what stands in the headers of all messages towards it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaFraming {
    /// Chunk size, in payload bytes.
    pub chunk_size: u32,
    /// The message stream that createStream gave.
    pub stream_id: u32,
}

impl MediaFraming {
    /// The header of a message of media with this many payload bytes.
    pub fn header(self, kind: MediaKind, timestamp: u32, length: u32) -> Header {
        let csid = match kind {
            MediaKind::Data => DATA_CSID,
            MediaKind::Audio => AUDIO_CSID,
            MediaKind::Video => VIDEO_CSID,
        };
        Header {
            csid,
            timestamp,
            length,
            type_id: super::type_id(kind),
            stream_id: self.stream_id,
        }
    }
}

/// What we wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The answer to connect.
    Connecting,
    /// The answer to createStream.
    Creating,
    /// The start. The time is that of the plain result of publish, if one came.
    Publishing(Option<Duration>),
    /// The end.
    Live,
    /// The server's end, after we said ours at this stage.
    Finishing(Stage),
    /// Nothing, since it ended at this stage: what comes is swallowed.
    Over(Stage),
}

impl ClientSession {
    /// A session for a connection whose handshake is over. The first calls are in the output at once.
    pub fn new(config: ClientConfig) -> Self {
        let mut session = Self {
            // Adobe's servers measure a client's line with a call of some thousand values, as soon as it has connected.
            link: Link::new(AMF0_VALUES_MAX),
            step: Step::Connecting,
            stream_id: 0,
            talk: Talk::default(),
            config,
        };
        session.link.set_chunk_size(session.config.chunk_size);
        let object = config::connect_object(&session.config);
        session.link.command(
            COMMAND_CSID,
            0,
            "connect",
            transaction::CONNECT,
            object,
            Vec::new(),
        );
        session
    }

    /// Reads until something happens that the caller has to know, and moves `input` behind what was read.
    ///
    /// `None` means that more bytes are needed; offer the few that are left again, in front of the next ones. `now` is
    /// the time since any fixed start.
    ///
    /// # Errors
    /// [`ClientError`]; from then on input is swallowed.
    pub fn read(
        &mut self,
        input: &mut &[u8],
        now: Duration,
    ) -> Result<Option<ClientEvent>, ClientError> {
        self.read_on(input, now).map_err(|fault| {
            let stage = self.stage();
            self.step = Step::Over(stage);
            ClientError { stage, fault }
        })
    }

    fn read_on(&mut self, input: &mut &[u8], now: Duration) -> Result<Option<ClientEvent>, Fault> {
        loop {
            if let Some(event) = self.on_time(now) {
                return Ok(Some(event));
            }
            if let Step::Over(_) = self.step {
                self.link.discard(input);
                return Ok(None);
            }
            let Some(incoming) = self.link.next(input, now)? else {
                return Ok(None);
            };
            let event = match incoming {
                Incoming::Command { command, .. } => self.answer(&command, now)?,
                Incoming::Acknowledged(total) => Some(ClientEvent::Acknowledged(total)),
                Incoming::Media(_) | Incoming::Quiet => None,
            };
            self.bound_the_wait()?;
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// What the time alone brings about: the start, where a plain result of `publish` was not followed by a status.
    pub fn on_time(&mut self, now: Duration) -> Option<ClientEvent> {
        let due = self.deadline().is_some_and(|deadline| now >= deadline);
        due.then(|| self.start())
    }

    /// When to call [`Self::on_time`], where that may bring something about.
    pub fn deadline(&self) -> Option<Duration> {
        match self.step {
            Step::Publishing(Some(result)) => Some(result.saturating_add(START_WITHOUT_STATUS)),
            _ => None,
        }
    }

    /// Bytes to send, in order. The caller drains them after every call of a method, in front of media.
    pub fn output(&mut self) -> &mut BytesMut {
        self.link.output()
    }

    /// Bytes read since the handshake.
    pub fn bytes_in(&self) -> u64 {
        self.link.bytes_in()
    }

    /// Bytes that unfinished messages hold.
    pub fn bytes_buffered(&self) -> usize {
        self.link.bytes_buffered()
    }

    /// How far the push has come.
    pub fn stage(&self) -> Stage {
        match self.step {
            Step::Connecting => Stage::Connect,
            Step::Creating => Stage::CreateStream,
            Step::Publishing(_) => Stage::Publish,
            Step::Live => Stage::Live,
            Step::Finishing(stage) | Step::Over(stage) => stage,
        }
    }

    /// How media is framed towards this server; right from [`ClientEvent::Published`] on.
    pub fn media_framing(&self) -> MediaFraming {
        MediaFraming {
            chunk_size: self.config.chunk_size,
            stream_id: self.stream_id,
        }
    }

    /// Says goodbye, behind the media: takes back what was said so far, once. Reading goes on, for acknowledgements and the
    /// server's own goodbye.
    pub fn finish(&mut self) {
        let stage = self.stage();
        let (published, created) = match self.step {
            Step::Connecting => (false, false),
            Step::Creating => (true, false),
            Step::Publishing(_) | Step::Live => (true, true),
            Step::Finishing(_) | Step::Over(_) => return,
        };
        if published {
            self.call("FCUnpublish", transaction::FC_UNPUBLISH, vec![self.name()]);
        }
        if created {
            self.call(
                "deleteStream",
                transaction::DELETE_STREAM,
                vec![f64::from(self.stream_id).into()],
            );
        }
        self.step = Step::Finishing(stage);
    }

    /// After `connect`: the three calls that OBS sends without waiting in between.
    fn create_stream(&mut self) {
        self.call(
            "releaseStream",
            transaction::RELEASE_STREAM,
            vec![self.name()],
        );
        self.call("FCPublish", transaction::FC_PUBLISH, vec![self.name()]);
        self.call("createStream", transaction::CREATE_STREAM, Vec::new());
        self.step = Step::Creating;
    }

    /// The type has to be `live`: YouTube refuses anything else.
    fn publish(&mut self, stream_id: u32) {
        self.stream_id = stream_id;
        let args = vec![self.name(), "live".into()];
        self.link.command(
            DATA_CSID,
            stream_id,
            "publish",
            transaction::PUBLISH,
            Value::Null,
            args,
        );
        self.step = Step::Publishing(None);
    }

    fn start(&mut self) -> ClientEvent {
        self.link.publish_accepted();
        self.step = Step::Live;
        ClientEvent::Published
    }

    fn call(&mut self, name: &str, transaction: f64, args: Vec<Value>) {
        self.link
            .command(COMMAND_CSID, 0, name, transaction, Value::Null, args);
    }

    fn name(&self) -> Value {
        self.config.name.expose().into()
    }

    fn bound_the_wait(&mut self) -> Result<(), Fault> {
        if matches!(self.step, Step::Live | Step::Finishing(_) | Step::Over(_)) {
            return Ok(());
        }
        self.talk.message().then_some(()).ok_or(Fault::NoAnswer)
    }
}
