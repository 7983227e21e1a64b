//! Who publishes a stream, what it showed for that, and why another one may not.

use super::bars::Barred;
use super::limits::STREAMS_MAX;
use crate::rule::SourceKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// What a publisher showed to be let in; who shows the same may take its stream over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The digest of the key that matched. It never leaves the process.
    Key([u8; 32]),
    /// No key was asked for: the peer's address.
    Address(IpAddr),
    /// Nobody: the gateway fetches it, since somebody has wished for it.
    Wish,
}

/// Who publishes.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What it showed.
    pub credential: Credential,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// The encoder's name for itself.
    pub client: String,
    /// What it feeds that somebody has put; none for a plain publisher.
    pub input: Option<InputClaim>,
}

/// What is known of an input that somebody has put, while it is claimed.
#[derive(Clone, Debug)]
pub struct InputClaim {
    /// How its media comes.
    pub kind: SourceKind,
    /// Counts the bytes of its media, whether it is on the air or stands by.
    pub bytes: Arc<AtomicU64>,
}

/// What happens when a second publisher comes for a live stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicatePolicy {
    /// It takes the stream over, if it shows the same credential.
    #[default]
    Takeover,
    /// It is refused.
    Reject,
}

/// Why a claim was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRefused {
    /// Another publisher has it, and may keep it.
    #[error("the stream has a publisher already")]
    Busy,
    /// The publisher that it had was lost, and its place is kept for a while.
    #[error("the stream waits for the publisher that it had")]
    Awaited,
    /// Nobody may publish this name until that is taken back.
    #[error("publishing this stream is forbidden")]
    Forbidden,
    /// Its publisher was kicked, and nobody may publish it for a while.
    #[error("the stream's publisher was kicked a short while ago")]
    Kicked,
    /// The gateway carries as many streams as it may.
    #[error("the gateway carries {STREAMS_MAX} streams and takes no more")]
    Full,
}

impl From<Barred> for ClaimRefused {
    fn from(barred: Barred) -> Self {
        match barred {
            Barred::Forbidden => Self::Forbidden,
            Barred::Kicked => Self::Kicked,
        }
    }
}
