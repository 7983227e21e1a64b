//! What both sides of a conversation do with the connection itself: control messages, acknowledgements, bounds.

use std::fmt;
use std::time::Duration;

use bytes::BytesMut;
use thiserror::Error;

use super::rate::PerSecond;
use crate::rtmp::amf0::Value;
use crate::rtmp::chunk::aggregate::{self, AggregateError, Parts};
use crate::rtmp::chunk::{self, ChunkError, Header, Reader};
use crate::rtmp::command::{Command, CommandError};
use crate::rtmp::limits::{
    AMF0_VALUES_MAX, CHUNK_SIZE_CHANGES_PER_SECOND_MAX, CHUNK_SIZE_INITIAL,
    COMMANDS_PER_SECOND_MAX, OUTPUT_BYTES_MAX, PONGS_PER_SECOND_MAX, UNKNOWN_MESSAGES_IN_A_ROW_MAX,
    WINDOW_BYTES, WINDOW_BYTES_MIN,
};
use crate::rtmp::message::{Message, MessageType, is_media};

/// Chunk stream of control messages (RTMP 1.0, section 5.4).
const CONTROL_CSID: u8 = 2;
/// Chunk stream of commands. All of ours stay below 32, where nginx-rtmp ends by default.
pub(super) const COMMAND_CSID: u8 = 3;

const STREAM_BEGIN: u16 = 0;
const SET_BUFFER_LENGTH: u16 = 3;
const PING_REQUEST: u16 = 6;
const PING_RESPONSE: u16 = 7;

/// What makes a connection unusable. The peer broke the protocol or a bound: close it. The same peer may connect again.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LinkError {
    /// The bytes are no chunk stream.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A command cannot be read.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A message of messages cannot be taken apart.
    #[error(transparent)]
    Aggregate(#[from] AggregateError),
    /// Messages of types that do not exist: the peer lost its place in its own stream.
    #[error("{UNKNOWN_MESSAGES_IN_A_ROW_MAX} messages of unknown type in a row")]
    UnknownMessages,
    /// More commands than a peer has use for.
    #[error("too many commands")]
    TooManyCommands,
    /// The chunk size changes too often.
    #[error(
        "more than {CHUNK_SIZE_CHANGES_PER_SECOND_MAX} changes of the chunk size within a second"
    )]
    ChunkSizeChanges,
    /// Our answers pile up because nobody takes them.
    #[error("more than {OUTPUT_BYTES_MAX} bytes of answers wait to be sent")]
    OutputUnread,
}

/// What a message is for, once the connection's own business is done.
#[derive(Debug)]
pub(super) enum Incoming {
    /// Audio, video or data, for the session.
    Media(Message),
    /// A command, for the session.
    Command { stream_id: u32, command: Command },
    /// The peer has received so many bytes of ours, modulo 2^32.
    Acknowledged(u32),
    /// Done with, or nothing for us.
    Quiet,
}

/// One side's end of the connection, without its socket.
pub(super) struct Link {
    reader: Reader,
    parts: Option<Parts>,
    output: BytesMut,
    chunk_size: u32,
    received: Received,
    pongs: PerSecond,
    commands: PerSecond,
    chunk_sizes: PerSecond,
    command_values_max: usize,
    unknown_in_a_row: u32,
    window_sent: Option<u32>,
}

/// Buffers hold names and keys as bytes, so none of them is printed.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("received", &self.received)
            .field("bytes_to_send", &self.output.len())
            .finish_non_exhaustive()
    }
}

impl Link {
    /// A command may have so many values until a publish is accepted.
    pub(super) fn new(command_values_max: usize) -> Self {
        Self {
            reader: Reader::new(),
            parts: None,
            output: BytesMut::new(),
            chunk_size: CHUNK_SIZE_INITIAL,
            received: Received::default(),
            pongs: PerSecond::new(PONGS_PER_SECOND_MAX),
            commands: PerSecond::new(COMMANDS_PER_SECOND_MAX),
            chunk_sizes: PerSecond::new(CHUNK_SIZE_CHANGES_PER_SECOND_MAX),
            command_values_max,
            unknown_in_a_row: 0,
            window_sent: None,
        }
    }

    pub(super) fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    pub(super) fn bytes_in(&self) -> u64 {
        self.received.total
    }

    pub(super) fn bytes_buffered(&self) -> usize {
        self.reader.bytes_buffered()
    }

    pub(super) fn publish_accepted(&mut self) {
        self.reader.publish_accepted();
        self.command_values_max = AMF0_VALUES_MAX;
    }

    /// The next message; `None` where more bytes are needed. One message is taken at a time, so that a caller that stops
    /// leaves the rest unread.
    pub(super) fn next(
        &mut self,
        input: &mut &[u8],
        now: Duration,
    ) -> Result<Option<Incoming>, LinkError> {
        if self.output.len() > OUTPUT_BYTES_MAX {
            return Err(LinkError::OutputUnread);
        }
        if let Some(parts) = &mut self.parts {
            match parts.next().transpose()? {
                Some(part) => return self.sort(part, now).map(Some),
                None => self.parts = None,
            }
        }
        let offered = input.len();
        let message = self.reader.read(input);
        self.received.count(offered.saturating_sub(input.len()));
        if let Some(total) = self.received.due() {
            self.control(MessageType::ACKNOWLEDGEMENT, &total.to_be_bytes());
        }
        match message? {
            Some(message) => self.sort(message, now).map(Some),
            None => Ok(None),
        }
    }

    /// Swallows input that nobody wants any more: unread bytes at a close would reset the connection and take our last
    /// answer with them.
    pub(super) fn discard(&mut self, input: &mut &[u8]) {
        self.received.count(input.len());
        *input = &[];
    }

    fn sort(&mut self, message: Message, now: Duration) -> Result<Incoming, LinkError> {
        if is_media(message.type_id) {
            self.unknown_in_a_row = 0;
            return Ok(Incoming::Media(message));
        }
        self.heed(message, now)
    }

    /// Takes a message that carries no media.
    #[cold]
    fn heed(&mut self, message: Message, now: Duration) -> Result<Incoming, LinkError> {
        let known = self.unknown_in_a_row;
        self.unknown_in_a_row = 0;
        match message.type_id {
            MessageType::COMMAND_AMF0 | MessageType::COMMAND_AMF3 => {
                if !self.commands.allows(now) {
                    return Err(LinkError::TooManyCommands);
                }
                let command = Command::decode_within(
                    message.type_id,
                    &message.payload,
                    self.command_values_max,
                )?;
                return Ok(Incoming::Command {
                    stream_id: message.stream_id,
                    command,
                });
            }
            MessageType::AGGREGATE => self.parts = Some(aggregate::parts(message)),
            MessageType::ACKNOWLEDGEMENT => {
                return Ok(
                    first_u32(&message.payload).map_or(Incoming::Quiet, Incoming::Acknowledged)
                );
            }
            MessageType::SET_CHUNK_SIZE => {
                // The reader has applied it; only we know the time.
                if !self.chunk_sizes.allows(now) {
                    return Err(LinkError::ChunkSizeChanges);
                }
            }
            MessageType::USER_CONTROL => self.answer_ping(&message.payload, now),
            MessageType::WINDOW_ACK_SIZE => {
                if let Some(window) = first_u32(&message.payload) {
                    self.received.ask(window);
                }
            }
            MessageType::SET_PEER_BANDWIDTH => self.answer_bandwidth(&message.payload, now),
            MessageType::ABORT
            | MessageType::SHARED_OBJECT_AMF0
            | MessageType::SHARED_OBJECT_AMF3 => {}
            _ => {
                self.unknown_in_a_row = known + 1;
                if self.unknown_in_a_row >= UNKNOWN_MESSAGES_IN_A_ROW_MAX {
                    return Err(LinkError::UnknownMessages);
                }
            }
        }
        Ok(Incoming::Quiet)
    }

    /// Only event 6 is answered. Twitch closes on a pong that nobody asked for, and events that we do not know are nobody's
    /// mistake.
    fn answer_ping(&mut self, payload: &[u8], now: Duration) {
        if let Some((event, rest)) = payload.split_first_chunk()
            && u16::from_be_bytes(*event) == PING_REQUEST
            && let Some(time) = first_u32(rest)
            && self.pongs.allows(now)
        {
            self.user_control(PING_RESPONSE, time);
        }
    }

    /// A peer that limits us wants to hear our window, unless it is the one that it was told last (RTMP 1.0, 5.4.5).
    fn answer_bandwidth(&mut self, payload: &[u8], now: Duration) {
        if let Some(window) = first_u32(payload)
            && self.window_sent != Some(window)
            && self.pongs.allows(now)
        {
            self.window_ack_size(window);
        }
    }

    pub(super) fn set_chunk_size(&mut self, size: u32) {
        self.control(MessageType::SET_CHUNK_SIZE, &size.to_be_bytes());
        self.chunk_size = size;
    }

    pub(super) fn window_ack_size(&mut self, window: u32) {
        self.window_sent = Some(window);
        self.control(MessageType::WINDOW_ACK_SIZE, &window.to_be_bytes());
    }

    /// Limit type 2 (dynamic), as every server has it.
    pub(super) fn set_peer_bandwidth(&mut self, window: u32) {
        let [a, b, c, d] = window.to_be_bytes();
        self.control(MessageType::SET_PEER_BANDWIDTH, &[a, b, c, d, 2]);
    }

    pub(super) fn stream_begin(&mut self, stream_id: u32) {
        self.user_control(STREAM_BEGIN, stream_id);
    }

    /// How much of a stream we buffer, in milliseconds.
    pub(super) fn buffer_length(&mut self, stream_id: u32, millis: u32) {
        let [e0, e1] = SET_BUFFER_LENGTH.to_be_bytes();
        let [s0, s1, s2, s3] = stream_id.to_be_bytes();
        let [m0, m1, m2, m3] = millis.to_be_bytes();
        let payload = [e0, e1, s0, s1, s2, s3, m0, m1, m2, m3];
        self.control(MessageType::USER_CONTROL, &payload);
    }

    fn user_control(&mut self, event: u16, value: u32) {
        let [e0, e1] = event.to_be_bytes();
        let [v0, v1, v2, v3] = value.to_be_bytes();
        self.control(MessageType::USER_CONTROL, &[e0, e1, v0, v1, v2, v3]);
    }

    fn control(&mut self, type_id: u8, payload: &[u8]) {
        self.write(CONTROL_CSID, type_id, 0, payload);
    }

    /// Writes a command, a call or an answer.
    pub(super) fn command(
        &mut self,
        csid: u8,
        stream_id: u32,
        name: &str,
        transaction: f64,
        object: Value,
        args: Vec<Value>,
    ) {
        let payload = Command::new(name, transaction, object, args).encode();
        self.write(csid, MessageType::COMMAND_AMF0, stream_id, &payload);
    }

    /// All of it bears timestamp 0, so that OBS, which does not read the extended timestamp on continuations, never meets
    /// one.
    fn write(&mut self, csid: u8, type_id: u8, stream_id: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let header = Header {
            csid,
            timestamp: 0,
            length,
            type_id,
            stream_id,
        };
        chunk::write(&mut self.output, header, payload, self.chunk_size);
    }
}

/// Bytes received and what of them was acknowledged. An acknowledgement carries the total since the start, modulo 2^32.
#[derive(Debug)]
struct Received {
    total: u64,
    acknowledged: u64,
    window: u32,
}

impl Default for Received {
    fn default() -> Self {
        // Some encoders stall without acknowledgements although they never announced a window.
        Self {
            total: 0,
            acknowledged: 0,
            window: WINDOW_BYTES,
        }
    }
}

impl Received {
    fn count(&mut self, bytes: usize) {
        self.total += bytes as u64;
    }

    fn ask(&mut self, window: u32) {
        if window >= WINDOW_BYTES_MIN {
            self.window = window.min(WINDOW_BYTES);
        }
    }

    fn due(&mut self) -> Option<u32> {
        if self.total - self.acknowledged < u64::from(self.window) {
            return None;
        }
        self.acknowledged = self.total;
        // Modulo 2^32 is what the cast means.
        Some(self.total as u32)
    }
}

fn first_u32(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().copied().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_are_totals_and_wrap() {
        let mut received = Received::default();
        received.count(2_499_999);
        assert_eq!(received.due(), None);
        received.count(1);
        assert_eq!(received.due(), Some(2_500_000));
        assert_eq!(received.due(), None);
        received.count(2_500_000);
        assert_eq!(received.due(), Some(5_000_000));
        received.count(usize::try_from(u32::MAX).expect("64 bits"));
        assert_eq!(received.due(), Some(4_999_999));
    }

    #[test]
    fn small_windows_are_ignored_and_large_ones_clamped() {
        for (asked, window) in [
            (0, WINDOW_BYTES),
            (1, WINDOW_BYTES),
            (WINDOW_BYTES_MIN - 1, WINDOW_BYTES),
            (WINDOW_BYTES_MIN, WINDOW_BYTES_MIN),
            (100_000, 100_000),
            (u32::MAX, WINDOW_BYTES),
        ] {
            let mut received = Received::default();
            received.ask(asked);
            assert_eq!(received.window, window, "{asked}");
        }
    }
}
