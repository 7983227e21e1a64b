//! The bounds of what is fetched, each with its unit and its reason.

use std::time::Duration;

/// How long a server may take for its answer, from the request on.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a live stream may send no frame before its connection is given up and made anew.
pub const MEDIA_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a server may take for the next bytes of a file.
pub const FILE_TIMEOUT: Duration = Duration::from_secs(15);

/// Places that one attempt is sent on to.
pub const REDIRECTS_MAX: u32 = 5;

/// The longest head of an HTTP answer, in bytes.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What is read of a file at once, in bytes: a second of the fastest film.
pub const BLOCK_BYTES: u64 = 1024 * 1024;

/// Blocks of a file that are held: where pictures and sound lie apart, each is read from its own.
pub const BLOCKS_MAX: usize = 4;

/// How often a server without ranges is read again from the file's beginning, because what is wanted lies before what was read: once
/// for an index at the end, and a little more for tracks that lie apart.
pub const REWINDS_MAX: u32 = 8;

/// The longest step of time within a file, in milliseconds; a longer one is a slip of whoever wrote it, and is taken for
/// [`SLIP_STEP_MS`].
pub const FILE_STEP_MAX_MS: i64 = 5_000;

/// What follows a slip, in milliseconds: a picture's time.
pub const SLIP_STEP_MS: i64 = 40;

/// Frames that are sent at once where a file is late, and of one turn in any case.
pub const TURN_FRAMES_MAX: usize = 512;

/// Files of a list that fail one after the other before the input has failed.
pub const FAILED_FILES_MAX: u32 = 100;

/// How often a server may refuse (401, 403, 410, or as RTMP says it) before the input has failed: about two minutes.
pub const REFUSALS_MAX: u32 = 6;
