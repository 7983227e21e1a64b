//! The bounds of notifications, each with its unit and its reason.

use std::time::Duration;

/// Messages that wait for one destination. One is about 1 KB before it is shaped; a destination that is away for longer than this number
/// lasts is behind by more than it could use.
pub const QUEUE_MAX: usize = 1024;

/// The time for one try, from the look-up of the name to the status of the answer.
pub const TRY_TIMEOUT: Duration = Duration::from_secs(10);

/// The head of an answer, in bytes; what follows it is not read.
pub const ANSWER_HEAD_BYTES_MAX: usize = 16 * 1024;
