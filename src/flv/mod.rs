//! FLV, as files and as HTTP-FLV have it: bytes in, tags out. No socket, no clock.
//!
//! The layout is that of Adobe's FLV 10.1 specification, annex E. A reader commits only whole tags, so bytes may come in any pieces.

pub mod limits;
mod reader;

pub use reader::{FlvError, FlvReader, FlvTag};
