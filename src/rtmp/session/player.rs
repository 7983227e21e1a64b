//! What do we say to a server whose stream we play, and what does it answer?
//!
//! The calls are FFmpeg's: `connect`, the window and `createStream`, then the length of our buffer and `play`, which asks for a live
//! stream and otherwise a recorded one. Some servers say nothing about the start and just send, and some say nothing at all while
//! nobody publishes: media is the only sign that counts, and its absence is for the caller to judge.

use std::time::Duration;

use bytes::BytesMut;

use super::answer::{Denial, code, denial, ended, level, stream_number};
use super::client::{ClientConfig, ClientError, Ended, Fault, Redirect, Refused, connect_object};
use super::link::{COMMAND_CSID, Incoming, Link};
use super::talk::Talk;
use super::{Action, Media, Stage, script};
use crate::rtmp::amf0::Value;
use crate::rtmp::auth::Challenge;
use crate::rtmp::command::Command;
use crate::rtmp::limits::{AMF0_VALUES_MAX, WINDOW_BYTES};

/// What FFmpeg calls itself to servers that it plays from.
const FLASH_VER: &str = "LNX 9,0,124,2";

/// Chunk stream of `play`.
const PLAY_CSID: u8 = 8;

/// "A live stream of this name, and where there is none a recorded one" (RTMP 1.0, 7.2.2.1).
const LIVE_OR_RECORDED: f64 = -2000.0;

/// How much we say that we buffer, in milliseconds: servers send so much at once from what they have, where they have it.
const BUFFER_MS: u32 = 1000;

/// Transactions, as FFmpeg numbers them.
mod transaction {
    pub const CONNECT: f64 = 1.0;
    pub const CREATE_STREAM: f64 = 2.0;
    pub const PLAY: f64 = 4.0;
    pub const DELETE_STREAM: f64 = 5.0;
}

/// What a server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlayEvent {
    /// A message of media.
    Media(Media),
    /// It does not let us play. Close.
    Refused(Refused),
    /// It wants us elsewhere. Close; the caller judges the address and counts the hops.
    Redirect(Redirect),
    /// It wants to know who we are; see [`ClientEvent::Auth`](super::client::ClientEvent::Auth).
    Auth(Challenge),
    /// The stream has ended, or its publisher is gone.
    Ended(Ended),
}

/// A player's session, from the end of its handshake on.
#[derive(Debug)]
pub struct PlayerSession {
    config: ClientConfig,
    link: Link,
    step: Step,
    stream_id: u32,
    /// It counts until the first media.
    talk: Talk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The answer to connect is waited for.
    Connecting,
    /// The answer to createStream is.
    Creating,
    /// `play` was said, and no media has come.
    Asking,
    /// Media comes.
    Playing,
    /// What comes is swallowed.
    Over(Stage),
}

impl PlayerSession {
    /// A session for a connection whose handshake is over. The first calls are in the output at once. Of the configuration's chunk
    /// size nothing is made: we send next to nothing.
    pub fn new(config: ClientConfig) -> Self {
        let config = ClientConfig {
            flash_ver: FLASH_VER.to_owned(),
            ..config
        };
        let mut session = Self {
            link: Link::new(AMF0_VALUES_MAX),
            step: Step::Connecting,
            stream_id: 0,
            talk: Talk::default(),
            config,
        };
        let object = connect_object(&session.config);
        session.call(0, "connect", transaction::CONNECT, object, Vec::new());
        session
    }

    /// Reads until something happens that the caller has to know, and moves `input` behind what was read.
    ///
    /// `None` means that more bytes are needed; offer the few that are left again, in front of the next ones. `now` is the time since
    /// any fixed start.
    ///
    /// # Errors
    /// [`ClientError`]; from then on input is swallowed.
    pub fn read(
        &mut self,
        input: &mut &[u8],
        now: Duration,
    ) -> Result<Option<PlayEvent>, ClientError> {
        self.read_on(input, now).map_err(|fault| {
            let stage = self.stage();
            self.step = Step::Over(stage);
            ClientError { stage, fault }
        })
    }

    fn read_on(&mut self, input: &mut &[u8], now: Duration) -> Result<Option<PlayEvent>, Fault> {
        loop {
            if let Step::Over(_) = self.step {
                self.link.discard(input);
                return Ok(None);
            }
            let Some(incoming) = self.link.next(input, now)? else {
                return Ok(None);
            };
            let event = match incoming {
                Incoming::Command { command, .. } => self.answer(&command)?,
                Incoming::Media(message) if self.has_asked() => {
                    script::media(message).map(|media| {
                        self.step = Step::Playing;
                        PlayEvent::Media(media)
                    })
                }
                Incoming::Media(_) | Incoming::Acknowledged(_) | Incoming::Quiet => None,
            };
            self.bound_the_wait()?;
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// Bytes to send, in order. The caller drains them after every call of a method.
    pub fn output(&mut self) -> &mut BytesMut {
        self.link.output()
    }

    /// Bytes read since the handshake.
    pub fn bytes_in(&self) -> u64 {
        self.link.bytes_in()
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        match self.step {
            Step::Connecting => Stage::Connect,
            Step::Creating => Stage::CreateStream,
            Step::Asking => Stage::Play,
            Step::Playing => Stage::Live,
            Step::Over(stage) => stage,
        }
    }

    /// Says goodbye; then close after a flush.
    pub fn finish(&mut self) {
        if self.has_asked() {
            let args = vec![f64::from(self.stream_id).into()];
            self.call(
                0,
                "deleteStream",
                transaction::DELETE_STREAM,
                Value::Null,
                args,
            );
        }
        self.step = Step::Over(self.stage());
    }

    fn answer(&mut self, command: &Command) -> Result<Option<PlayEvent>, Fault> {
        self.talk.command();
        Ok(match command.name.as_str() {
            "_result" => return self.result(command),
            "_error" => self.error(command),
            "onStatus" => self.status(command),
            "close" => Some(self.end(command)),
            _ => None,
        })
    }

    fn result(&mut self, command: &Command) -> Result<Option<PlayEvent>, Fault> {
        let answers = |call: f64| command.transaction == call || command.transaction == 0.0;
        match self.step {
            Step::Connecting if answers(transaction::CONNECT) => {
                if is_error(level(command)) {
                    return Ok(Some(self.refuse(command)));
                }
                self.link.window_ack_size(WINDOW_BYTES);
                let name = "createStream";
                self.call(0, name, transaction::CREATE_STREAM, Value::Null, Vec::new());
                self.step = Step::Creating;
            }
            Step::Creating if answers(transaction::CREATE_STREAM) => {
                let number = command.args.first().unwrap_or(&command.object).as_number();
                let stream_id = number.and_then(stream_number).ok_or(Fault::StreamNumber)?;
                self.play(stream_id);
            }
            _ => {}
        }
        Ok(None)
    }

    fn play(&mut self, stream_id: u32) {
        self.stream_id = stream_id;
        self.link.buffer_length(stream_id, BUFFER_MS);
        let args = vec![self.config.name.expose().into(), LIVE_OR_RECORDED.into()];
        self.link.command(
            PLAY_CSID,
            stream_id,
            "play",
            transaction::PLAY,
            Value::Null,
            args,
        );
        // Pictures may come from here on.
        self.link.publish_accepted();
        self.step = Step::Asking;
    }

    fn error(&mut self, command: &Command) -> Option<PlayEvent> {
        let call = match self.step {
            Step::Connecting => transaction::CONNECT,
            Step::Creating => transaction::CREATE_STREAM,
            Step::Asking => transaction::PLAY,
            Step::Playing | Step::Over(_) => return None,
        };
        let ours = command.transaction == call || command.transaction == 0.0;
        ours.then(|| self.refuse(command))
    }

    fn status(&mut self, command: &Command) -> Option<PlayEvent> {
        match code(command) {
            "NetStream.Play.UnpublishNotify"
            | "NetStream.Play.Stop"
            | "NetStream.Play.Complete"
            | "NetConnection.Connect.Closed" => Some(self.end(command)),
            // OBS's and FFmpeg's servers have no others that say no without the level.
            "NetStream.Play.StreamNotFound" | "NetStream.Play.Failed" => Some(self.refuse(command)),
            _ if is_error(level(command)) => Some(self.refuse(command)),
            _ => None,
        }
    }

    fn refuse(&mut self, command: &Command) -> PlayEvent {
        let stage = self.stage();
        self.step = Step::Over(stage);
        let action = match code(command) {
            "NetConnection.Connect.Rejected" | "NetConnection.Connect.InvalidApp" => {
                Action::Permanent
            }
            _ => Action::RetryBackoff,
        };
        match denial(command, stage, action, &self.config.name) {
            Denial::Refused(refused) => PlayEvent::Refused(refused),
            Denial::Redirect(redirect) => PlayEvent::Redirect(redirect),
            Denial::Auth(challenge) => PlayEvent::Auth(challenge),
        }
    }

    fn end(&mut self, command: &Command) -> PlayEvent {
        self.step = Step::Over(self.stage());
        PlayEvent::Ended(ended(command, &self.config.name))
    }

    fn call(
        &mut self,
        stream_id: u32,
        name: &str,
        transaction: f64,
        object: Value,
        args: Vec<Value>,
    ) {
        self.link
            .command(COMMAND_CSID, stream_id, name, transaction, object, args);
    }

    fn has_asked(&self) -> bool {
        matches!(self.step, Step::Asking | Step::Playing)
    }

    /// A server that only talks never gets to the point.
    fn bound_the_wait(&mut self) -> Result<(), Fault> {
        if matches!(self.step, Step::Playing | Step::Over(_)) {
            return Ok(());
        }
        self.talk.message().then_some(()).ok_or(Fault::NoAnswer)
    }
}

fn is_error(level: &str) -> bool {
    matches!(level, "error" | "_error")
}

#[cfg(test)]
mod tests;
