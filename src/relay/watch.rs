//! Who is told what becomes of streams.

use super::hold::End;
use crate::rule::StreamKey;
use std::time::Duration;

/// Is told what becomes of streams beyond their publishers: the logs, the metrics, the feed. Called where a stream changes, so it
/// waits for nothing.
pub trait Watch: Send + Sync {
    /// The publisher was lost, and its place is kept for so long.
    fn awaited(&self, stream: &StreamKey, time: Duration);
    /// It did not return in that time. The stream's end follows.
    fn given_up(&self, stream: &StreamKey, time: Duration);
    /// The stream is over.
    fn ended(&self, stream: &StreamKey, end: End);
}

/// Nobody is told.
pub(super) struct Unwatched;

impl Watch for Unwatched {
    fn awaited(&self, _: &StreamKey, _: Duration) {}
    fn given_up(&self, _: &StreamKey, _: Duration) {}
    fn ended(&self, _: &StreamKey, _: End) {}
}
