//! The bounds of what is read as FLV, each with its unit and its reason.

/// The longest header of a file, in bytes. It is nine in every file; the field is there for a future that did not come.
pub const HEADER_BYTES_MAX: u32 = 64;

/// The longest video tag, in bytes: what is taken from a publisher, too.
pub const VIDEO_TAG_BYTES_MAX: u32 = 8 * 1024 * 1024;

/// The longest audio tag, in bytes.
pub const AUDIO_TAG_BYTES_MAX: u32 = 256 * 1024;

/// The longest script tag, in bytes: a list of all keyframes of a long film stands in one.
pub const SCRIPT_TAG_BYTES_MAX: u32 = 4 * 1024 * 1024;

/// What is reserved for a tag before its bytes come, in bytes: a length that is only claimed costs no more.
pub const UNSEEN_BYTES_MAX: usize = 64 * 1024;
