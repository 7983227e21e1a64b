//! The conversations that RTMP knows: a publisher talks to us ([`server`]), we talk to an ingest ([`client`]), and we talk to a
//! server whose stream we play ([`player`]).
//!
//! All are values: bytes and the time go in, events and bytes to send come out. There is no socket, clock, task, lock
//! or log here, and no handle either, so a session can be stored, moved and tested at every split point of its input.
//!
//! `docs/rtmp.md` says which answer or tolerance is owed to which program.

pub mod client;
pub mod player;
pub mod server;

mod address;
mod answer;
mod connect;
mod link;
mod rate;
mod script;
mod status;
mod talk;
mod text;

use bytes::Bytes;

pub use link::LinkError;
pub use status::{Action, Meaning, Stage, meaning};

pub use crate::media::MediaKind;

use super::message::MessageType;

/// The message type that carries this media; data travels as AMF0, whatever it came as.
fn type_id(kind: MediaKind) -> u8 {
    match kind {
        MediaKind::Audio => MessageType::AUDIO,
        MediaKind::Video => MessageType::VIDEO,
        MediaKind::Data => MessageType::DATA_AMF0,
    }
}

/// One message of a live stream. The payload is the reader's own buffer, shared and not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// What the payload is.
    pub kind: MediaKind,
    /// Milliseconds, modulo 2^32, as the publisher sent it.
    pub timestamp: u32,
    /// The tag body; it may be empty (silence, in audio).
    pub payload: Bytes,
}
