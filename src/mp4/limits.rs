//! The bounds of what is read as MP4, each with its unit and its reason.

/// The longest index of a file (`moov`), in bytes: a film of ten hours has some 20 MiB of it.
pub const MOOV_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The longest index of a fragment (`moof`), in bytes.
pub const MOOF_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Samples of one fragment: minutes of it.
pub const FRAGMENT_SAMPLES_MAX: usize = 65_536;

/// The longest video sample, in bytes: a message's bound, less what stands in front of the sample in it.
pub const VIDEO_SAMPLE_BYTES_MAX: u32 = 8_388_592;

/// The longest audio sample, in bytes, by the same reckoning.
pub const AUDIO_SAMPLE_BYTES_MAX: u32 = 262_128;
