//! The bounds of the HTTP listener, each with its unit and its reason.

use std::time::Duration;

/// Connections at one time, on all listeners of the doors. A connection that sends nothing costs about 10 KB here, and one that fills
/// its header buffer [`MAX_HEADER_BYTES`] more: at worst 95 MB. A thousand slow callers behind a local proxy leave room for others.
pub const MAX_CONNECTIONS: usize = 1280;

/// Connections from one address, so that one slow client cannot keep the others out. Loopback is not counted: everything
/// behind a local proxy comes from there.
pub const MAX_CONNECTIONS_PER_ADDRESS: u32 = 128;

/// The time for one request's headers, and for the TLS handshake. Also the time that a kept-alive connection may stay
/// without a new request.
pub const HEADER_DEADLINE: Duration = Duration::from_secs(10);

/// The time for one request's body.
pub const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// The time without one byte in either direction. Longer than any answer takes to begin (a preflight is the slowest).
pub const IDLE_DEADLINE: Duration = Duration::from_secs(75);

/// The time for running requests when the listener stops.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(3);

/// Callers that listen to events at one time. Each has a connection, and a place in the feed.
pub const MAX_EVENT_LISTENERS: usize = 64;

/// The time between two signs of life to who listens to events: below [`IDLE_DEADLINE`], and below what proxies wait (60 s).
pub const EVENTS_KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Bytes of a request's head. A vendor's GET carries a URL of 2048 bytes, percent-encoded at worst three times as long.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Header fields of a request. Browsers behind a proxy send about 30.
pub const MAX_HEADERS: usize = 64;

/// Rows of one answer of a list. A rule's row has about 300 bytes, so an answer has some megabytes at the most; who does not ask for
/// pages sees everything in all but the largest gateways.
pub const MAX_PAGE_ROWS: usize = 10_000;

/// Characters of a problem's sentence. Ours have some hundreds; what is longer quotes a member of the request.
pub const MAX_DETAIL_CHARS: usize = 1000;

/// Bytes of a request's body. The largest that a door knows is a rule with its URL.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
