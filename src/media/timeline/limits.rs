//! What a timeline takes for jitter, for a step back, and for a jump. All in milliseconds, unless another unit is named.

use std::time::Duration;

/// Tracks whose place is remembered at the most; Enhanced RTMP's track ids would allow 512. Those beyond share one place.
pub const TRACKS_MAX: usize = 64;

/// A step back of less than this is clamped: an encoder's retry replays some 20 to 40 ms, and bad interleaving a few hundred.
/// More is a jump.
pub(super) const CLAMP_MAX: i64 = 500;

/// A step back of at least this that was clamped is remembered, so that the other track's part of it is judged alike.
pub(super) const CLAMP_DEEP: i64 = 250;

/// By how much the other track's part of a jump may differ from the first one's: their frames lie apart by one step of either.
pub(super) const FOLLOW_SLACK: i64 = 250;

/// A step forward of more than this, against the newest frame of any track, is a jump; Tencent reports longer ones as errors.
pub(super) const FORWARD_MAX: i64 = 1_000;

/// How far from where it should be a frame may be on a line of before, for its clock to have jumped back to it. Lines lie 500
/// apart at least when they begin.
pub(super) const RETURN_MAX: i64 = 250;

/// A track without frames for longer than this was silent, and goes on where the others are by now.
pub(super) const SILENCE: Duration = Duration::from_millis(500);

/// How far a track that appears may lie behind the others: encoders that start with video alone send seconds of it.
pub(super) const LATE_TRACK_MAX: i64 = 5_000;

/// How far a track that was there before may lie behind the first frame of the input that follows.
pub(super) const LATE_RETURN_MAX: i64 = 1_000;

/// How much later a new input may begin so that it is shown behind the last one. B frames reorder some hundred; more is no encoder's.
pub(super) const JOIN_MAX: i64 = 500;

/// How far tags without a frame (script data, seek marks) may lie ahead of the newest frame; more would push the track's frames.
pub(super) const ASIDE_AHEAD_MAX: i64 = 200;

/// How far such tags may lie behind.
pub(super) const ASIDE_BEHIND_MAX: i64 = 1_000;

/// Lines that a source may go back to, the one that it is on among them. Jumps to and fro need two; the rest is room for tracks
/// that jump one after the other.
pub(super) const EPOCHS_MAX: usize = 4;

/// How long a line that no track is on can be gone back to, and how long a deep clamp is remembered.
pub(super) const EPOCH_LIFE: Duration = Duration::from_secs(5);

/// The bounds of a track's usual step, which is what follows a jump.
pub(super) const STEP: std::ops::RangeInclusive<i64> = 1..=200;

/// A gap is a pause of the publisher, and no jump of its clock, where the wall clock agrees to this, or to a fifth of it.
pub(super) const STALL_SLACK: i64 = 300;

/// Jumps of one input that are repaired within [`JUMPS_WINDOW`]; with more there is no clock to be repaired.
pub(super) const JUMPS_MAX: usize = 10;

/// See [`JUMPS_MAX`].
pub(super) const JUMPS_WINDOW: Duration = Duration::from_secs(60);

/// A clock that has not moved on over more than this many frames of a track, and for [`STUCK_AFTER`], is stuck.
pub(super) const STUCK_FRAMES: u32 = 30;

/// See [`STUCK_FRAMES`].
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(1);

/// How long a clock's pace is watched before it is judged.
pub(super) const PACE_WINDOW: Duration = Duration::from_secs(10);
