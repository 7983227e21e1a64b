//! Why chunks cannot be read on.

use thiserror::Error;

use crate::rtmp::limits::{
    CHUNK_SIZE_CHANGES_MAX, CHUNK_SIZE_MAX, CHUNK_SIZE_MIN, CHUNK_STREAMS_MAX, PARTIAL_MESSAGES_MAX,
};

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
    /// Unfinished messages hold more than they may together.
    #[error("unfinished messages pass {limit} bytes")]
    PartialMessagesTooLong {
        /// Bytes allowed at this point.
        limit: usize,
    },
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
