//! Messages within a message (type 22; RTMP 1.0, section 7.1.6).

use bytes::{Buf, Bytes};
use thiserror::Error;

use crate::rtmp::limits::AGGREGATE_MESSAGES_MAX;
use crate::rtmp::message::{Message, MessageType, payload_bytes_max};

/// Bytes of a part's header: type, size, timestamp, stream id.
const HEADER_BYTES: usize = 11;
/// Bytes behind a part that repeat its size.
const BACK_POINTER_BYTES: usize = 4;

/// Why an aggregate cannot be taken apart. Its first parts may have been given already; the rest is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AggregateError {
    /// It ends inside a part, or a part says that it is longer than what is left.
    #[error("aggregate ends inside a part")]
    Truncated,
    /// An aggregate within an aggregate.
    #[error("aggregate within an aggregate")]
    Nested,
    /// A part beyond the bound of its type.
    #[error(
        "aggregate holds a message of type {type_id} with {length} bytes; the limit is {limit}"
    )]
    PartTooLong {
        /// Message type of the part.
        type_id: u8,
        /// Declared bytes.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// More parts than [`AGGREGATE_MESSAGES_MAX`].
    #[error("aggregate of more than {AGGREGATE_MESSAGES_MAX} messages")]
    TooManyParts,
}

/// The messages of an aggregate, in order. Their payloads are slices of the aggregate's; after an error it ends.
#[derive(Debug)]
pub struct Parts {
    csid: u32,
    stream_id: u32,
    timestamp: u32,
    first: Option<u32>,
    count: usize,
    rest: Bytes,
}

/// Takes a message of type 22 apart.
///
/// A part's timestamp is the aggregate's plus its distance to the first part; its stream is the aggregate's.
pub fn parts(aggregate: Message) -> Parts {
    Parts {
        csid: aggregate.csid,
        stream_id: aggregate.stream_id,
        timestamp: aggregate.timestamp,
        first: None,
        count: 0,
        rest: aggregate.payload,
    }
}

impl Iterator for Parts {
    type Item = Result<Message, AggregateError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let part = self.part();
        if part.is_err() {
            self.rest.clear();
        }
        Some(part)
    }
}

impl Parts {
    fn part(&mut self) -> Result<Message, AggregateError> {
        if self.count >= AGGREGATE_MESSAGES_MAX {
            return Err(AggregateError::TooManyParts);
        }
        self.count += 1;
        // The stream id of the part (s) gives way to the aggregate's. The timestamp has its high byte last, as in FLV.
        let Some(&[type_id, l0, l1, l2, t0, t1, t2, t3, _s0, _s1, _s2]) =
            self.rest.first_chunk::<HEADER_BYTES>()
        else {
            return Err(AggregateError::Truncated);
        };
        if type_id == MessageType::AGGREGATE {
            return Err(AggregateError::Nested);
        }
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let limit = payload_bytes_max(type_id);
        if length > limit {
            return Err(AggregateError::PartTooLong {
                type_id,
                length,
                limit,
            });
        }
        self.rest.advance(HEADER_BYTES);
        if length > self.rest.len() {
            return Err(AggregateError::Truncated);
        }
        let payload = self.rest.split_to(length);
        self.skip_back_pointer()?;
        let timestamp = u32::from_be_bytes([t3, t0, t1, t2]);
        let first = *self.first.get_or_insert(timestamp);
        Ok(Message {
            csid: self.csid,
            timestamp: self.timestamp.wrapping_add(timestamp.wrapping_sub(first)),
            type_id,
            stream_id: self.stream_id,
            payload,
        })
    }

    /// Nobody needs its value, and the last one may be missing.
    fn skip_back_pointer(&mut self) -> Result<(), AggregateError> {
        match self.rest.len() {
            0 => Ok(()),
            1..BACK_POINTER_BYTES => Err(AggregateError::Truncated),
            _ => {
                self.rest.advance(BACK_POINTER_BYTES);
                Ok(())
            }
        }
    }
}
