//! Chunks: how messages of several streams share one connection (RTMP 1.0, section 5.3).
//!
//! [`Reader`] joins chunks into messages, [`Outbox`] and [`write()`] cut messages into chunks, and [`aggregate`] takes
//! apart the messages that hold messages.

pub mod aggregate;
mod block;
mod error;
mod header;
mod outbox;
mod reader;
mod stream;
mod writer;

pub use error::ChunkError;
pub use outbox::Outbox;
pub use reader::Reader;
pub use writer::{Header, rewrite_header, write};

/// Value of a 3-byte timestamp field which says that the timestamp stands in four bytes behind the header.
const TIMESTAMP_EXTENDED: u32 = 0x00FF_FFFF;
