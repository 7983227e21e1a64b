//! The bounds of the ZEGO door: the vendor's, and ours where the vendor names none.

use std::time::Duration;

/// How far a caller's clock may be off, in either direction, in seconds; exactly this much still passes.
pub(super) const TIMESTAMP_TOLERANCE_SECONDS: u64 = 600;

/// The longest `SignatureNonce`, in characters. The vendor says 16, and breaks it in its own sample.
pub(super) const MAX_NONCE_CHARS: usize = 64;

/// The longest `StreamId`, in characters.
pub(super) const MAX_STREAM_ID_CHARS: usize = 256;

/// The longest `CDNUrl`, in bytes, decoded.
pub(super) const MAX_CDN_URL_BYTES: usize = 2048;

/// The window in which calls are counted.
pub(super) const RATE_WINDOW: Duration = Duration::from_secs(1);

/// Calls of one action in that window, in the production environment of an app.
pub(super) const RATE_PRODUCTION: usize = 10;

/// Calls of one action in that window, in its test environment.
pub(super) const RATE_TEST: usize = 5;

/// For how long an accepted `Sequence` holds back smaller ones.
pub(super) const SEQUENCE_WINDOW: Duration = Duration::from_secs(10);
