//! The bounds of the Tencent door: the vendor's, and ours where the vendor names none.

use std::time::Duration;

/// How far a caller's clock may be off, in either direction, in seconds; exactly this much still passes.
pub(super) const TIMESTAMP_TOLERANCE_SECONDS: u64 = 300;

/// Bytes of a GET's query.
pub(super) const MAX_QUERY_BYTES: usize = 32 * 1024;

/// Bytes of a form, which a v1 signature covers.
pub(super) const MAX_FORM_BYTES: usize = 1024 * 1024;

/// Bytes of a JSON body, which a TC3 signature covers.
pub(super) const MAX_JSON_BYTES: usize = 10 * 1024 * 1024;

/// Requests that may have more than [`MAX_BODY_BYTES`](crate::api::server::limits::MAX_BODY_BYTES) at one time: 80 MB in all,
/// whoever sends them. Others wait for their turn.
pub(super) const LARGE_BODIES_MAX: usize = 8;

/// The window in which calls are counted.
pub(super) const RATE_WINDOW: Duration = Duration::from_secs(1);

/// Calls of one action in that window, for each SecretId.
pub(super) const RATE: usize = 20;

/// How deep a flat name may nest; the deepest that any action knows has 5.
pub(super) const MAX_NAME_PARTS: usize = 8;

/// The longest name of a project, in characters.
pub(super) const MAX_NAME_CHARS: usize = 30;

/// The longest id of an owner, in characters.
pub(super) const MAX_OWNER_CHARS: usize = 128;

/// The longest platform, in characters.
pub(super) const MAX_PLATFORM_CHARS: usize = 128;

/// Projects that one call may name.
pub(super) const MAX_PROJECT_IDS: usize = 20;

/// Projects in one answer.
pub(super) const MAX_PAGE: u64 = 100;

/// Projects in one answer where the caller does not say how many.
pub(super) const DEFAULT_PAGE: u64 = 10;

/// Headers that one signature may be about; each may be there once. The SDKs sign two or three.
pub(super) const MAX_SIGNED_HEADERS: usize = 64;

/// Public names of the gateway that a signature is tried with.
pub(super) const MAX_PUBLIC_NAMES: usize = 16;
