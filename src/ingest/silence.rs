//! Silence: when is a publisher that sends nothing, or nothing that is media, taken for gone?

use super::Received;
use super::outcome::Ended;
use crate::rtmp::limits::{IDLE_TIMEOUT, MEDIA_TIMEOUT};
use tokio::time::Instant;

/// When a publisher was last heard.
pub(super) struct Silence {
    byte: Instant,
    media: Instant,
}

impl Silence {
    /// Begins to listen.
    pub(super) fn since(now: Instant) -> Self {
        Self {
            byte: now,
            media: now,
        }
    }

    /// Takes note of what one turn brought.
    pub(super) fn heard(&mut self, received: &Received, now: Instant) {
        if received.bytes > 0 {
            self.byte = now;
        }
        if received.video + received.audio + received.data > 0 {
            self.media = now;
        }
    }

    /// Why the publisher is taken for gone, where it is.
    pub(super) fn over(&self, now: Instant) -> Option<Ended> {
        if now >= self.byte + IDLE_TIMEOUT {
            return Some(Ended::Idle);
        }
        (now >= self.media + MEDIA_TIMEOUT).then_some(Ended::NoMedia)
    }

    /// When it will be, unless it is heard before.
    pub(super) fn deadline(&self) -> Instant {
        (self.byte + IDLE_TIMEOUT).min(self.media + MEDIA_TIMEOUT)
    }
}
