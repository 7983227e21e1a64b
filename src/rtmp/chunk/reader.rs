//! Chunks in, messages out.

use bytes::Bytes;
use thiserror::Error;

use super::header::{self, ChunkHeader, Fields, Time};
use crate::rtmp::limits::{
    BEFORE_PUBLISH_BYTES_MAX, CHUNK_SIZE_CHANGES_MAX, CHUNK_SIZE_INITIAL, CHUNK_SIZE_MAX,
    CHUNK_SIZE_MIN, CHUNK_STREAMS_MAX, MESSAGE_LENGTH_MAX, PARTIAL_BYTES_MAX, PARTIAL_MESSAGES_MAX,
    PAYLOAD_UNSEEN_BYTES_MAX,
};
use crate::rtmp::message::{Message, MessageType, payload_bytes_max};

/// Why a connection's bytes cannot be read on. The place in the stream is lost: close the connection; the same peer may
/// connect again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChunkError {
    /// A header that leans on an earlier one of its chunk stream, where there is none.
    #[error(
        "chunk stream {csid} begins with format {format}, which repeats a header that was never sent"
    )]
    NoHeaderBefore {
        /// Chunk stream.
        csid: u32,
        /// Header format, 2 or 3.
        format: u8,
    },
    /// A message of the chunk stream is unfinished and the header begins another, or changes its length or type.
    #[error("chunk stream {csid}: a new message header inside a message")]
    HeaderInsideMessage {
        /// Chunk stream.
        csid: u32,
    },
    /// A declared length beyond the bound of its type, or beyond what is taken before a publish.
    #[error("message of type {type_id} declares {length} bytes; the limit is {limit}")]
    MessageTooLong {
        /// Message type.
        type_id: u8,
        /// Declared bytes.
        length: u32,
        /// Bytes allowed at this point.
        limit: usize,
    },
    /// More chunk streams than [`CHUNK_STREAMS_MAX`].
    #[error("more than {CHUNK_STREAMS_MAX} chunk streams")]
    TooManyChunkStreams,
    /// More unfinished messages than [`PARTIAL_MESSAGES_MAX`].
    #[error("more than {PARTIAL_MESSAGES_MAX} unfinished messages at one time")]
    TooManyPartialMessages,
    /// Unfinished messages hold more than [`PARTIAL_BYTES_MAX`].
    #[error("unfinished messages pass {PARTIAL_BYTES_MAX} bytes")]
    PartialMessagesTooLong,
    /// Set Chunk Size with fewer than four bytes.
    #[error("Set Chunk Size of {length} bytes; it has 4")]
    ChunkSizeCutOff {
        /// Bytes of its payload.
        length: usize,
    },
    /// Set Chunk Size with 0, with less than [`CHUNK_SIZE_MIN`], or with more than [`CHUNK_SIZE_MAX`].
    #[error("chunk size {size}; {CHUNK_SIZE_MIN} to {CHUNK_SIZE_MAX} is taken")]
    ChunkSizeOutOfRange {
        /// The size that the peer set, in bytes.
        size: u32,
    },
    /// More changes of the chunk size than [`CHUNK_SIZE_CHANGES_MAX`].
    #[error("chunk size changed more than {CHUNK_SIZE_CHANGES_MAX} times")]
    TooManyChunkSizeChanges,
}

/// Joins the chunks of one connection and one direction into messages.
///
/// It obeys Set Chunk Size and Abort by itself and still delivers them, so that whoever counts messages sees all of them.
#[derive(Debug)]
pub struct Reader {
    /// Payload bytes of a full chunk, [`CHUNK_SIZE_MIN`] to [`MESSAGE_LENGTH_MAX`].
    chunk_size: usize,
    chunk_size_changes: u32,
    publishing: bool,
    streams: Vec<ChunkStream>,
    /// Place in `streams`, plus one, of each chunk stream with a 1-byte id; 0 where it was not seen yet.
    places: [u8; 64],
    place: Place,
    partial_messages: usize,
    /// Capacity of all unfinished payloads.
    partial_bytes: usize,
}

/// Where in the byte stream the reader is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Before a chunk's header.
    Header,
    /// In the payload of a chunk of `streams[stream]`, with `left` bytes to come, at least one.
    Payload { stream: usize, left: usize },
}

/// What the next chunk of this stream may refer to (RTMP 1.0, section 5.3.1.2), and its unfinished message.
#[derive(Debug)]
struct ChunkStream {
    csid: u32,
    timestamp: u32,
    /// What a format 3 header that begins a message adds; after a format 0 header that header's timestamp.
    delta: u32,
    /// The extended timestamp field of the last header that had a time, if that had one: what format 3 chunks repeat.
    extended: Option<u32>,
    length: u32,
    type_id: u8,
    stream_id: u32,
    payload: Payload,
}

#[derive(Debug)]
enum Payload {
    /// The next chunk begins a message.
    None,
    /// The next chunk continues this one, which is shorter than `length`.
    Partial(Vec<u8>),
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// A reader for a connection whose handshake is over.
    pub fn new() -> Self {
        Self {
            chunk_size: CHUNK_SIZE_INITIAL as usize,
            chunk_size_changes: 0,
            publishing: false,
            streams: Vec::new(),
            places: [0; 64],
            place: Place::Header,
            partial_messages: 0,
            partial_bytes: 0,
        }
    }

    /// From here on each type has its own bound, instead of [`BEFORE_PUBLISH_BYTES_MAX`] for all.
    pub fn publish_accepted(&mut self) {
        self.publishing = true;
    }

    /// Bytes of memory that unfinished messages hold, at most [`PARTIAL_BYTES_MAX`].
    pub fn bytes_buffered(&self) -> usize {
        self.partial_bytes
    }

    /// Reads until a message is whole and moves `input` behind what was read.
    ///
    /// None means that more bytes are needed. Then `input` holds at most 17 bytes of a header that is not all there; offer
    /// them again with what follows.
    ///
    /// # Errors
    /// [`ChunkError`]; after one the reader is of no further use.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        loop {
            let (stream, left) = match self.place {
                Place::Payload { stream, left } => (stream, left),
                Place::Header => match self.begin_chunk(input)? {
                    Some(begun) => begun,
                    None => return Ok(None),
                },
            };
            if let Some(message) = self.read_payload(stream, left, input)? {
                self.obey(&message)?;
                return Ok(Some(message));
            }
            if matches!(self.place, Place::Payload { .. }) {
                return Ok(None);
            }
        }
    }

    /// Reads one chunk header; gives the chunk's stream and payload length, or none while the header is not all there.
    fn begin_chunk(&mut self, input: &mut &[u8]) -> Result<Option<(usize, usize)>, ChunkError> {
        let Some(header) = header::parse(input) else {
            return Ok(None);
        };
        let known = self.find(header.csid);
        let mut size = header.size;
        if let (Fields::Nothing, Some(expected)) = (
            header.fields,
            known.and_then(|at| self.streams.get(at)?.extended),
        ) {
            match repeats(expected, input.get(size..).unwrap_or_default()) {
                Some(true) => size += 4,
                Some(false) => {}
                None => return Ok(None),
            }
        }
        let at = match known {
            Some(at) => at,
            None => self.open(&header)?,
        };
        let left = self.apply(at, header.fields)?;
        *input = input.get(size..).unwrap_or_default();
        Ok(Some((at, left)))
    }

    fn find(&self, csid: u32) -> Option<usize> {
        match self.places.get(csid as usize) {
            Some(&place) => usize::from(place).checked_sub(1),
            None => self.streams.iter().position(|stream| stream.csid == csid),
        }
    }

    /// A chunk stream's first header. Format 1 is taken beside 0: librtmp begins its control stream with it.
    fn open(&mut self, header: &ChunkHeader) -> Result<usize, ChunkError> {
        let csid = header.csid;
        match header.fields {
            Fields::Full { .. } | Fields::SameStream { .. } => {}
            Fields::DeltaOnly { .. } => return Err(ChunkError::NoHeaderBefore { csid, format: 2 }),
            Fields::Nothing => return Err(ChunkError::NoHeaderBefore { csid, format: 3 }),
        }
        if self.streams.len() >= CHUNK_STREAMS_MAX {
            return Err(ChunkError::TooManyChunkStreams);
        }
        self.streams.push(ChunkStream::new(csid));
        if let Some(place) = self.places.get_mut(csid as usize) {
            // At most 32.
            *place = self.streams.len() as u8;
        }
        Ok(self.streams.len() - 1)
    }

    /// Takes over the header's fields; gives the payload bytes of this chunk.
    fn apply(&mut self, at: usize, fields: Fields) -> Result<usize, ChunkError> {
        let Some(stream) = self.streams.get_mut(at) else {
            return Ok(0);
        };
        let received = match &stream.payload {
            Payload::Partial(bytes) => {
                stream.check_continuation(fields)?;
                bytes.len()
            }
            Payload::None => {
                stream.begin_message(fields);
                let limit = payload_bytes_max(stream.type_id);
                let limit = if self.publishing {
                    limit
                } else {
                    limit.min(BEFORE_PUBLISH_BYTES_MAX)
                };
                if stream.length as usize > limit {
                    return Err(ChunkError::MessageTooLong {
                        type_id: stream.type_id,
                        length: stream.length,
                        limit,
                    });
                }
                0
            }
        };
        Ok((stream.length as usize - received).min(self.chunk_size))
    }

    /// Takes what is there of a chunk's payload; gives the message where that was its end.
    fn read_payload(
        &mut self,
        at: usize,
        left: usize,
        input: &mut &[u8],
    ) -> Result<Option<Message>, ChunkError> {
        let Some(stream) = self.streams.get_mut(at) else {
            return Ok(None);
        };
        let length = stream.length as usize;
        let (here, rest) = input.split_at(left.min(input.len()));
        if let Payload::None = stream.payload {
            if here.len() == length {
                // The whole message at once: the common case for all but large frames.
                *input = rest;
                self.place = Place::Header;
                return Ok(Some(stream.message(Bytes::copy_from_slice(here))));
            }
            if self.partial_messages >= PARTIAL_MESSAGES_MAX {
                return Err(ChunkError::TooManyPartialMessages);
            }
            self.partial_messages += 1;
            stream.payload = Payload::Partial(Vec::new());
        }
        let Payload::Partial(bytes) = &mut stream.payload else {
            return Ok(None);
        };
        let allowed = PARTIAL_BYTES_MAX.saturating_sub(self.partial_bytes);
        self.partial_bytes += reserve(bytes, here.len(), input.len(), length, allowed)
            .ok_or(ChunkError::PartialMessagesTooLong)?;
        bytes.extend_from_slice(here);
        *input = rest;
        let left = left - here.len();
        if left > 0 {
            self.place = Place::Payload { stream: at, left };
            return Ok(None);
        }
        self.place = Place::Header;
        if bytes.len() < length {
            return Ok(None);
        }
        Ok(self.finish(at))
    }

    fn finish(&mut self, at: usize) -> Option<Message> {
        let bytes = self.drop_partial(at)?;
        Some(self.streams.get(at)?.message(Bytes::from(bytes)))
    }

    /// Ends the unfinished message of a stream, if there is one, and gives what came of it.
    fn drop_partial(&mut self, at: usize) -> Option<Vec<u8>> {
        let stream = self.streams.get_mut(at)?;
        let Payload::Partial(bytes) = std::mem::replace(&mut stream.payload, Payload::None) else {
            return None;
        };
        self.partial_messages -= 1;
        self.partial_bytes -= bytes.capacity();
        Some(bytes)
    }

    /// Carries out what is said to the chunk layer itself. It may come on any chunk stream: cameras use 3 to 6.
    fn obey(&mut self, message: &Message) -> Result<(), ChunkError> {
        match message.type_id {
            MessageType::SET_CHUNK_SIZE => self.set_chunk_size(&message.payload),
            MessageType::ABORT => {
                if let Some(csid) = message.payload.first_chunk()
                    && let Some(at) = self.find(u32::from_be_bytes(*csid))
                {
                    self.drop_partial(at);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Messages that are unfinished go on in chunks of the new size.
    fn set_chunk_size(&mut self, payload: &[u8]) -> Result<(), ChunkError> {
        let Some(size) = payload.first_chunk() else {
            return Err(ChunkError::ChunkSizeCutOff {
                length: payload.len(),
            });
        };
        let size = u32::from_be_bytes(*size);
        if !(CHUNK_SIZE_MIN..=CHUNK_SIZE_MAX).contains(&size) {
            return Err(ChunkError::ChunkSizeOutOfRange { size });
        }
        let size = size.min(MESSAGE_LENGTH_MAX) as usize;
        if size == self.chunk_size {
            return Ok(());
        }
        if self.chunk_size_changes >= CHUNK_SIZE_CHANGES_MAX {
            return Err(ChunkError::TooManyChunkSizeChanges);
        }
        self.chunk_size_changes += 1;
        self.chunk_size = size;
        Ok(())
    }
}

impl ChunkStream {
    fn new(csid: u32) -> Self {
        Self {
            csid,
            timestamp: 0,
            delta: 0,
            extended: None,
            length: 0,
            type_id: 0,
            stream_id: 0,
            payload: Payload::None,
        }
    }

    fn begin_message(&mut self, fields: Fields) {
        match fields {
            Fields::Full {
                time,
                length,
                type_id,
                stream_id,
            } => {
                // A difference of 0 to what follows: the timestamp is set and not added.
                self.timestamp = 0;
                self.set_delta(time);
                (self.length, self.type_id, self.stream_id) = (length, type_id, stream_id);
            }
            Fields::SameStream {
                delta,
                length,
                type_id,
            } => {
                self.set_delta(delta);
                (self.length, self.type_id) = (length, type_id);
            }
            Fields::DeltaOnly { delta } => self.set_delta(delta),
            // FMLE begins messages so, after format 0 too, and means the spec's reading (section 5.3.1.2.4): add again.
            Fields::Nothing => {}
        }
        self.timestamp = self.timestamp.wrapping_add(self.delta);
    }

    fn set_delta(&mut self, time: Time) {
        self.delta = time.millis;
        self.extended = time.extended.then_some(time.millis);
    }

    /// Only format 3 should continue a message. Some senders write a header of format 1 or 2 that says the same, which is
    /// harmless; its delta is not a step in time. Anything else is a peer that lost its place, or CVE-2016-10191.
    fn check_continuation(&self, fields: Fields) -> Result<(), ChunkError> {
        match fields {
            Fields::Nothing | Fields::DeltaOnly { .. } => Ok(()),
            Fields::SameStream {
                length, type_id, ..
            } if (length, type_id) == (self.length, self.type_id) => Ok(()),
            Fields::SameStream { .. } | Fields::Full { .. } => {
                Err(ChunkError::HeaderInsideMessage { csid: self.csid })
            }
        }
    }

    fn message(&self, payload: Bytes) -> Message {
        Message {
            csid: self.csid,
            timestamp: self.timestamp,
            type_id: self.type_id,
            stream_id: self.stream_id,
            payload,
        }
    }
}

/// Whether `bytes` begin with the extended timestamp; none while too few are there to tell.
///
/// The spec has format 3 chunks repeat it (section 5.3.1.3); older FFmpeg and librtmp and some hardware leave it out. Four
/// bytes of media that equal the timestamp are the risk that every receiver takes.
fn repeats(expected: u32, bytes: &[u8]) -> Option<bool> {
    let expected = expected.to_be_bytes();
    if bytes.len() >= expected.len() {
        return Some(bytes.starts_with(&expected));
    }
    // A byte that differs decides at once: the end of a message must not wait for the next one.
    if expected.starts_with(bytes) {
        None
    } else {
        Some(false)
    }
}

/// Makes room for `more` bytes of a message of `length` bytes, of which `seen` have reached us, `more` among them. Gives the
/// growth of the capacity, or none where `allowed` does not suffice.
///
/// Never reserves far beyond what has come: a length is only a claim. Small lengths and those that have come in whole
/// are reserved once; others double, so that all copying stays linear.
fn reserve(
    bytes: &mut Vec<u8>,
    more: usize,
    seen: usize,
    length: usize,
    allowed: usize,
) -> Option<usize> {
    let before = bytes.capacity();
    let needed = bytes.len() + more;
    if needed <= before {
        return Some(0);
    }
    let wanted = (bytes.len() + seen)
        .max(2 * before)
        .max(PAYLOAD_UNSEEN_BYTES_MAX)
        .min(length);
    let wanted = wanted.min(before + allowed);
    if wanted < needed {
        return None;
    }
    bytes.reserve_exact(wanted - bytes.len());
    Some(bytes.capacity() - before)
}
