//! A connection's round-trip time, which is asked for rarely.

use crate::egress::transport::Wire;
use std::time::Duration;

/// How old the time that is told may become. Nothing is decided by it, and the kernel takes several times as long to tell it as
/// to tell all else that a look asks.
const FRESH: Duration = Duration::from_secs(5);

/// The time as it was last told.
#[derive(Debug, Default)]
pub(super) struct RoundTrip {
    time: Option<Duration>,
    /// When it is asked for again, on the line's clock.
    next: Duration,
}

impl RoundTrip {
    /// The time at a look: as the kernel tells it at the first one, and then every few seconds.
    pub(super) fn at(&mut self, now: Duration, wire: &impl Wire) -> Option<Duration> {
        if now >= self.next {
            self.time = wire.rtt();
            self.next = now + FRESH;
        }
        self.time
    }
}
