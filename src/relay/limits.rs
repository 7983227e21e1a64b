//! The bounds of the relay, each with its unit and its reason.

use std::time::Duration;

/// What a stream's ring holds at the most, payloads and bookkeeping together: 5 s at 50 Mbit/s, the most that a platform takes.
pub const RING_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Counted for every tag in the ring beside its payload, so that a flood of empty tags is bounded too.
pub const TAG_OVERHEAD_BYTES: usize = 128;

/// Complete GOPs older than this, in milliseconds, are let go: a target that lags further than this is better served by a new
/// keyframe.
pub const RING_WINDOW_MS: i64 = 4_000;

/// Start points that the ring remembers; only streams of keyframes alone have so many within the window.
pub const RING_GOPS_MAX: usize = 512;

/// Sequence headers, metadata and the like, kept for targets that start later, in bytes.
pub const HEADERS_BYTES_MAX: usize = 1024 * 1024;

/// The same in number: Enhanced RTMP names tracks by a byte, and no encoder sends more than a handful.
pub const HEADERS_MAX: usize = 64;

/// How long media waits for the header that it needs.
pub const HEADER_WAIT: Duration = Duration::from_secs(3);

/// What waits for a header at the most, in bytes.
pub const HEADER_WAIT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long a stream may go without a video header before its audio alone is worth starting with.
pub const AUDIO_ONLY_AFTER: Duration = Duration::from_secs(1);

/// The distance of an audio-only stream's start points, in milliseconds.
pub const AUDIO_START_DISTANCE_MS: i64 = 1_000;

/// Live streams of one gateway. Each may hold a ring, so this bounds memory only together with the machine; it keeps a flood of
/// publishes from growing the registry for ever.
pub const STREAMS_MAX: usize = 10_000;

/// Names that are barred because their publisher was kicked, each about 300 bytes. Beyond this number the one that is over first
/// is published again early.
pub const KICK_BARS_MAX: usize = 10_000;

/// From here on a target's own clock, in milliseconds, is worth ending its session for: at the next start point it gets another
/// one, which begins anew. Two hours before 2^31, where receivers with signed clocks see time step back; so a pause of the
/// longest time of grace, where the wall clock counts, does not leap over it.
pub const CLOCK_RECYCLE_MS: i64 = 2_140_283_648;

/// What a target's own clock never reaches, in milliseconds, half an hour before 2^31: a GOP of an hour and a half is not waited for.
pub const CLOCK_MAX_MS: i64 = 2_145_683_648;

/// What a target takes from the ring before it writes, in bytes: enough for a whole GOP of a slow stream, small against the
/// socket's buffer, so that a target which catches up yields to the others.
pub const DRAIN_BYTES: usize = 256 * 1024;

/// From here on, in milliseconds, a target that has caught up once is spared frames that no other one needs. More than a round trip to
/// the other side of the world, and what a flush interval and the marks of lag add.
pub const LAG_SPARE_MS: u64 = 700;

/// The same in bytes, for streams whose media is more than their time says: 700 ms at 100 Mbit/s.
pub const LAG_SPARE_BYTES: u64 = 8 * 1024 * 1024;

/// From here on, in milliseconds, it is given no pictures up to a keyframe: what it has not been given yet still fits into the ring, so that
/// all of its sound does.
pub const LAG_SKIP_MS: u64 = 1_500;

/// The same in bytes: half of the ring.
pub const LAG_SKIP_BYTES: u64 = 16 * 1024 * 1024;

/// A target is given all again once it is no further behind than this, in milliseconds: well below the limits, so that it does not go to
/// and fro.
pub const LAG_CALM_MS: u64 = 500;

/// The same in bytes.
pub const LAG_CALM_BYTES: u64 = 4 * 1024 * 1024;

/// How long a target has to be behind before it is given less. A burst of its publisher, or a moment without a processor, is no
/// slowness.
pub const LAG_PATIENCE: Duration = Duration::from_millis(500);

/// How long a tag waits for the other kind, for a target whose rule says `strict_interleave`: more than encoders' tracks are apart,
/// and little against the seconds that a CDN adds.
pub const INTERLEAVE_HOLD: Duration = Duration::from_millis(100);

/// So many frames of one kind in a row mean that there is no other one to wait for.
pub const INTERLEAVE_ALONE_FRAMES: u32 = 10;

/// So does this time without the other kind.
pub const INTERLEAVE_ALONE_AFTER: Duration = Duration::from_secs(1);

/// Tags that one such target waits with, so that a flood of small ones is bounded; encoders send some ten in that time.
pub const INTERLEAVE_TAGS_MAX: usize = 256;

/// Their payloads, in bytes, shared with the ring while that has them: 100 ms at 80 Mbit/s.
pub const INTERLEAVE_BYTES_MAX: usize = 1024 * 1024;
