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

/// For how long an accepted `Sequence` holds back smaller ones.
pub(super) const SEQUENCE_WINDOW: Duration = Duration::from_secs(10);

/// Calls of one app that are remembered where repeated ones are refused, each about 120 bytes. An app that makes more within the
/// twenty minutes in which a signature may count is told to slow down: forgetting one would let it pass again.
pub(super) const MAX_REMEMBERED_CALLS: usize = 100_000;

/// For how long a push URL that is handed out is good where it is signed, in seconds: what the vendor says of its own.
pub(super) const DISPATCHED_SECONDS: i64 = 7_200;
