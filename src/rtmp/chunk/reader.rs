//! Chunks in, messages out.

use bytes::Bytes;

use super::block::Block;
use super::error::ChunkError;
use super::header::{self, ChunkHeader, Fields};
use super::stream::{ChunkStream, Payload, reserve};
use crate::rtmp::limits::{
    BEFORE_PUBLISH_BYTES_MAX, CHUNK_SIZE_CHANGES_MAX, CHUNK_SIZE_INITIAL, CHUNK_SIZE_MAX,
    CHUNK_SIZE_MIN, CHUNK_STREAMS_MAX, MESSAGE_LENGTH_MAX, PARTIAL_BYTES_MAX, PARTIAL_MESSAGES_MAX,
    PAYLOAD_UNSEEN_BYTES_MAX,
};
use crate::rtmp::message::{Message, MessageType};

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
    /// Where short payloads of media go, once a publish is accepted.
    block: Block,
}

/// Where in the byte stream the reader is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Before a chunk's header.
    Header,
    /// In the payload of a chunk of `streams[stream]`, with `left` bytes to come, at least one.
    Payload { stream: usize, left: usize },
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
            block: Block::default(),
        }
    }

    /// From here on each type has its own bound, instead of
    /// [`BEFORE_PUBLISH_BYTES_MAX`](crate::rtmp::limits::BEFORE_PUBLISH_BYTES_MAX) for all.
    pub fn publish_accepted(&mut self) {
        self.publishing = true;
    }

    /// Bytes of memory that unfinished messages hold, at most [`PARTIAL_BYTES_MAX`], and [`BEFORE_PUBLISH_BYTES_MAX`] until a
    /// publish is accepted.
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
        let Some(stream) = self.streams.get_mut(at) else {
            return Ok(None);
        };
        let begins = matches!(stream.payload, Payload::None);
        let left = stream.take_header(header.fields, self.publishing)?;
        // One that ends with this chunk leaves nothing behind, however its bytes arrive.
        if begins && left > self.chunk_size && self.partial_messages >= PARTIAL_MESSAGES_MAX {
            return Err(ChunkError::TooManyPartialMessages);
        }
        *input = input.get(size..).unwrap_or_default();
        Ok(Some((at, left.min(self.chunk_size))))
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
        if let Payload::None = stream.payload {
            let length = stream.length as usize;
            if left == length
                && let Some((whole, rest)) = input.split_at_checked(length)
            {
                // The whole message at once: the common case for all but large frames.
                *input = rest;
                self.place = Place::Header;
                // Whoever sends no media says little, and is one of very many: a target, or a stranger.
                let payload = match self.publishing && stream.carries_media() {
                    true => self.block.keep(whole),
                    false => Bytes::copy_from_slice(whole),
                };
                return Ok(Some(stream.message(payload)));
            }
            self.partial_messages += 1;
            stream.payload = Payload::Partial(Vec::new());
        }
        self.join(at, left, input)
    }

    /// Adds to an unfinished message what is there of its chunk, and of the chunks behind it that only go on with it.
    fn join(
        &mut self,
        at: usize,
        mut left: usize,
        input: &mut &[u8],
    ) -> Result<Option<Message>, ChunkError> {
        let Some(stream) = self.streams.get_mut(at) else {
            return Ok(None);
        };
        let length = stream.length as usize;
        let continuation = stream.continuation();
        let Payload::Partial(bytes) = &mut stream.payload else {
            return Ok(None);
        };
        loop {
            let (here, rest) = input.split_at(left.min(input.len()));
            if here.len() > bytes.capacity() - bytes.len() {
                let (most, unseen) = match self.publishing {
                    true => (PARTIAL_BYTES_MAX, PAYLOAD_UNSEEN_BYTES_MAX),
                    false => (BEFORE_PUBLISH_BYTES_MAX, 0),
                };
                let allowed = most.saturating_sub(self.partial_bytes);
                let more = reserve(bytes, here.len(), input.len(), length, unseen, allowed);
                self.partial_bytes +=
                    more.ok_or(ChunkError::PartialMessagesTooLong { limit: most })?;
            }
            bytes.extend_from_slice(here);
            *input = rest;
            left -= here.len();
            if left > 0 {
                self.place = Place::Payload { stream: at, left };
                return Ok(None);
            }
            if bytes.len() == length {
                self.place = Place::Header;
                return Ok(self.finish(at));
            }
            // Nearly always the message goes on at once, behind one byte that says no more than that.
            let Some((_, rest)) =
                (input.split_first()).filter(|next| Some(*next.0) == continuation)
            else {
                self.place = Place::Header;
                return Ok(None);
            };
            *input = rest;
            left = (length - bytes.len()).min(self.chunk_size);
        }
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
