//! Chunks read the plain way: one map, no bounds, and a chunk is taken when all of it is there. What the reader is compared
//! with; and, with a habit that readers have had, what has to be found out.

use std::collections::HashMap;

use aqueduct::rtmp::chunk::ChunkError;
use aqueduct::rtmp::limits::{CHUNK_SIZE_MAX, CHUNK_SIZE_MIN};
use aqueduct::rtmp::message::{Message, MessageType};
use bytes::Bytes;

use super::chunk_reader::Joins;

/// Mistakes of other readers. They are silent here: nothing panics, what is read is wrong.
#[derive(Clone, Copy, Default)]
pub struct Habits {
    /// One buffer holds what has come of a message, whichever chunk stream it is on (rml_rtmp 0.8.0).
    pub shares_one_buffer: bool,
    /// A header inside a message changes its length (scuffle-rtmp 0.2.3, CVE-2016-10191).
    pub obeys_length_inside: bool,
}

/// Reads chunks.
pub struct Naive {
    habits: Habits,
    wire: Vec<u8>,
    /// Bytes of `wire` that are read.
    at: usize,
    chunk_size: u32,
    streams: HashMap<u32, Stream>,
    buffers: HashMap<u32, Vec<u8>>,
}

/// What the next header of a chunk stream may refer to.
#[derive(Clone, Copy, Default)]
struct Stream {
    timestamp: u32,
    delta: u32,
    extended: Option<u32>,
    length: usize,
    type_id: u8,
    stream_id: u32,
    is_inside: bool,
}

impl Naive {
    /// A reader with these habits.
    pub fn new(habits: Habits) -> Self {
        Self {
            habits,
            wire: Vec::new(),
            at: 0,
            chunk_size: 128,
            streams: HashMap::new(),
            buffers: HashMap::new(),
        }
    }

    /// One chunk; the message where that was its end, and none where the chunk is not all there.
    fn chunk(&mut self) -> Option<Result<Option<Message>, ChunkError>> {
        let mut rest = Rest(&self.wire[self.at..]);
        let first = rest.number(1)?;
        let csid = match first & 0x3F {
            0 => rest.number(1)? + 64,
            1 => u32::from((rest.number(2)? as u16).swap_bytes()) + 64,
            small => small,
        };
        let format = (first >> 6) as u8;
        let known = self.streams.get(&csid).copied();
        let stream = match self.header(csid, format, known, &mut rest)? {
            Ok(stream) => stream,
            Err(error) => return Some(Err(error)),
        };
        let place = if self.habits.shares_one_buffer {
            0
        } else {
            csid
        };
        let have = self.buffers.get(&place).map_or(0, Vec::len);
        let payload = rest.bytes(
            stream
                .length
                .saturating_sub(have)
                .min(self.chunk_size as usize),
        )?;
        let buffer = self.buffers.entry(place).or_default();
        buffer.extend(payload);
        let is_whole = buffer.len() >= stream.length;
        let message = is_whole.then(|| Message {
            csid,
            timestamp: stream.timestamp,
            type_id: stream.type_id,
            stream_id: stream.stream_id,
            payload: Bytes::from(std::mem::take(buffer)),
        });
        self.at = self.wire.len() - rest.0.len();
        let is_inside = !is_whole;
        self.streams.insert(
            csid,
            Stream {
                is_inside,
                ..stream
            },
        );
        Some(match message {
            Some(message) => self.obey(&message).map(|()| Some(message)),
            None => Ok(None),
        })
    }

    /// The stream as the rest of a header leaves it.
    fn header(
        &self,
        csid: u32,
        format: u8,
        known: Option<Stream>,
        rest: &mut Rest<'_>,
    ) -> Option<Result<Stream, ChunkError>> {
        let mut stream = known.unwrap_or_default();
        let mut said = Stream {
            extended: None,
            ..stream
        };
        if format < 3 {
            said.delta = rest.number(3)?;
        }
        if format < 2 {
            (said.length, said.type_id) = (rest.number(3)? as usize, rest.number(1)? as u8);
        }
        if format < 1 {
            said.stream_id = rest.number(4)?.swap_bytes();
        }
        if format < 3 && said.delta == 0xFF_FFFF {
            said.delta = rest.number(4)?;
            said.extended = Some(said.delta);
        }
        if format == 3
            && let Some(time) = stream.extended
        {
            said.extended = stream.extended;
            let time = time.to_be_bytes();
            if rest.0.starts_with(&time) {
                rest.bytes(4)?;
            } else if time.starts_with(rest.0) {
                return None;
            }
        }
        if known.is_none() && format > 1 {
            return Some(Err(ChunkError::NoHeaderBefore { csid, format }));
        }
        if stream.is_inside {
            let is_same = (said.length, said.type_id) == (stream.length, stream.type_id);
            if self.habits.obeys_length_inside {
                stream.length = said.length;
            } else if format == 0 || !is_same {
                return Some(Err(ChunkError::HeaderInsideMessage { csid }));
            }
            return Some(Ok(stream));
        }
        let before = if format == 0 { 0 } else { stream.timestamp };
        said.timestamp = before.wrapping_add(said.delta);
        Some(Ok(said))
    }

    fn obey(&mut self, message: &Message) -> Result<(), ChunkError> {
        let number = Rest(&message.payload).number(4);
        match (message.type_id, number) {
            (MessageType::SET_CHUNK_SIZE, None) => {
                let length = message.payload.len();
                Err(ChunkError::ChunkSizeCutOff { length })
            }
            (MessageType::SET_CHUNK_SIZE, Some(size))
                if !(CHUNK_SIZE_MIN..=CHUNK_SIZE_MAX).contains(&size) =>
            {
                Err(ChunkError::ChunkSizeOutOfRange { size })
            }
            (MessageType::SET_CHUNK_SIZE, Some(size)) => {
                self.chunk_size = size;
                Ok(())
            }
            (MessageType::ABORT, Some(csid)) => {
                if let Some(stream) = self.streams.get_mut(&csid) {
                    stream.is_inside = false;
                    self.buffers.remove(&csid);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Joins for Naive {
    fn publish_accepted(&mut self) {}

    fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        self.wire.extend_from_slice(input);
        *input = &[];
        while let Some(chunk) = self.chunk() {
            if let Some(message) = chunk? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    fn bytes_buffered(&self) -> usize {
        0
    }
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// A number of so many bytes, most significant first.
    fn number(&mut self, length: usize) -> Option<u32> {
        let bytes = self.bytes(length)?;
        Some(
            bytes
                .iter()
                .fold(0, |number, &byte| number << 8 | u32::from(byte)),
        )
    }
}
