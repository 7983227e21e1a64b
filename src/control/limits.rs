//! The bounds of what a caller of the doors can make grow, each with its unit and its reason.

use std::time::Duration;

/// Rules that doors may hold in all. A rule takes about 2 KB with its places in the index.
pub const MAX_RULES: usize = 50_000;

/// Rules that doors may hold for one stream name or pattern of an app, where the configuration names no other number. A publisher's upload is multiplied by this number,
/// and nobody has been seen to need more destinations for one stream.
pub const MAX_RULES_PER_STREAM: usize = 20;

/// Inputs of all streams together: as many as streams that can be live ([`STREAMS_MAX`](crate::relay::limits::STREAMS_MAX)).
pub const MAX_INPUTS: usize = 10_000;

/// Projects that the gateway may hold in all. Each is a document of at most some 300 KB (a hundred files' URLs for each of two inputs,
/// twenty outputs), and of 1 KB as people make them.
pub const MAX_PROJECTS: usize = 10_000;

/// Deletions that took effect but could not be stored yet, and are tried again. Each is one id. Beyond this number a
/// deletion still takes effect, and is tried again only when the same rule is deleted again.
pub const MAX_UNSTORED_DELETIONS: usize = 10_000;

/// The pause before an unstored deletion is tried again, the first time; it doubles up to the longest pause.
pub const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest pause between two tries to store a deletion: a disk that was freed is noticed within this time.
pub const RETRY_LONGEST: Duration = Duration::from_secs(30);

/// Streams that an app may have forbidden. Each is a name of up to 256 bytes, in memory and in the store.
pub const MAX_FORBIDS: usize = 10_000;

/// Streams whose last life is remembered, each about 300 bytes; live ones among them. Beyond this number those that ended first
/// are forgotten early.
pub const MAX_CLOSED_STREAMS: usize = 20_000;
