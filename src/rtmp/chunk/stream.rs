//! What one chunk stream remembers from chunk to chunk (RTMP 1.0, section 5.3.1.2).

use bytes::Bytes;

use super::error::ChunkError;
use super::header::{Fields, Time};
use crate::rtmp::limits::BEFORE_PUBLISH_BYTES_MAX;
use crate::rtmp::message::{Message, is_media, payload_bytes_max};

/// What the next chunk of this stream may refer to (RTMP 1.0, section 5.3.1.2), and its unfinished message.
#[derive(Debug)]
pub(super) struct ChunkStream {
    /// 2 to 65599.
    pub csid: u32,
    timestamp: u32,
    /// What a format 3 header that begins a message adds; after a format 0 header that header's timestamp.
    delta: u32,
    /// The extended timestamp field of the last header that had a time, if that had one: what format 3 chunks repeat.
    pub extended: Option<u32>,
    /// Payload bytes of the whole message.
    pub length: u32,
    type_id: u8,
    stream_id: u32,
    pub payload: Payload,
}

/// What there is of a stream's message.
#[derive(Debug)]
pub(super) enum Payload {
    /// The next chunk begins a message.
    None,
    /// The next chunk continues this one, which is shorter than `length`.
    Partial(Vec<u8>),
}

impl ChunkStream {
    pub(super) fn new(csid: u32) -> Self {
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

    /// The header of a chunk that goes on with the message, where that is one byte: of format 3, with a 1-byte id and no extended
    /// timestamp to look for.
    pub(super) fn continuation(&self) -> Option<u8> {
        if self.extended.is_some() {
            return None;
        }
        let csid = u8::try_from(self.csid).ok().filter(|csid| *csid < 64)?;
        Some(0xC0 | csid)
    }

    /// Whether its message is sound, a picture, or data.
    pub(super) fn carries_media(&self) -> bool {
        is_media(self.type_id)
    }

    /// Takes over what a chunk's header says; gives the payload bytes of the message that are still to come.
    ///
    /// # Errors
    /// Where the header does not fit the unfinished message, or begins one that is too long.
    pub(super) fn take_header(
        &mut self,
        fields: Fields,
        publishing: bool,
    ) -> Result<usize, ChunkError> {
        if let Payload::Partial(bytes) = &self.payload {
            self.check_continuation(fields)?;
            return Ok(self.length as usize - bytes.len());
        }
        self.begin_message(fields);
        let (type_id, length) = (self.type_id, self.length);
        let limit = payload_bytes_max(type_id);
        let limit = if publishing {
            limit
        } else {
            limit.min(BEFORE_PUBLISH_BYTES_MAX)
        };
        if length as usize > limit {
            return Err(ChunkError::MessageTooLong {
                type_id,
                length,
                limit,
            });
        }
        Ok(length as usize)
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

    pub(super) fn message(&self, payload: Bytes) -> Message {
        Message {
            csid: self.csid,
            timestamp: self.timestamp,
            type_id: self.type_id,
            stream_id: self.stream_id,
            payload,
        }
    }
}

/// Makes room for `more` bytes of a message of `length` bytes, which the capacity does not suffice for and of which `seen` have
/// reached us, `more` among them. Gives the growth of the capacity, or none where `allowed` does not suffice.
///
/// Never reserves far beyond what has come, `unseen` bytes at the most: a length is only a claim. Small lengths and those
/// that have come in whole are reserved once; others double, so that all copying stays linear.
pub(super) fn reserve(
    bytes: &mut Vec<u8>,
    more: usize,
    seen: usize,
    length: usize,
    unseen: usize,
    allowed: usize,
) -> Option<usize> {
    let before = bytes.capacity();
    let needed = bytes.len() + more;
    let wanted = (bytes.len() + seen).max(2 * before).max(unseen).min(length);
    let wanted = wanted.min(before + allowed);
    if wanted < needed {
        return None;
    }
    bytes.reserve_exact(wanted - bytes.len());
    Some(bytes.capacity() - before)
}
