//! The way out of a stream: what was appended, and who carries it on while it is fresh.

use super::ring::{LineupId, Ring};
use super::stream::Stream;
use crate::media::{Class, MediaKind, Tag};

/// Whoever carries a stream's tags to its targets on the producer's own turn.
///
/// A target that keeps up so costs its stream no wake-up. Targets that cannot take what is there now are served by their own
/// tasks, from the ring.
pub trait Outflow: Send + Sync {
    /// Serves some targets of the stream, those from number `from` on, with what was appended, at least one tag; says from where to go on,
    /// if there are more. Neither waits nor takes long, and the stream's lock is not held.
    fn flow(&self, stream: &Stream, fresh: &Fresh, from: usize) -> Option<usize>;
}

/// What was appended to a ring since its targets were last served, in order and without gaps. It holds no tags, which stay where they are:
/// a second hold on a payload would cost it an allocation, and the ring alone decides how long it lives. [`Stream::stamped`] gives them.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    from: u64,
    end: u64,
    lineup: LineupId,
    newest_dts: Option<i64>,
    oldest_audio: i64,
    has_pictures: bool,
    frames: u64,
    bytes: usize,
}

impl Fresh {
    /// What a ring has from this place on.
    pub(super) fn of(ring: &Ring, from: u64) -> Self {
        let mut fresh = Self {
            from,
            end: from,
            lineup: ring.lineup(),
            newest_dts: None,
            oldest_audio: i64::MAX,
            has_pictures: false,
            frames: 0,
            bytes: 0,
        };
        while let Some(tag) = ring.at(fresh.end) {
            fresh.push(tag);
        }
        fresh
    }

    fn push(&mut self, tag: &Tag) {
        match (tag.shape.track.kind, tag.shape.class) {
            (_, Class::Audio) => self.oldest_audio = self.oldest_audio.min(tag.dts),
            (MediaKind::Video, class) => self.has_pictures |= class.is_frame(),
            _ => {}
        }
        self.frames += u64::from(tag.shape.class.is_frame());
        self.bytes += tag.payload.len();
        self.newest_dts = Some(tag.dts);
        self.end += 1;
    }

    /// The place of the first tag.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// The codecs of the last tag. A target whose session was begun for them takes all tags.
    pub(super) fn lineup(&self) -> LineupId {
        self.lineup
    }

    /// The place behind the last tag.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.end == self.from
    }

    /// Payload bytes of all tags.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Coded frames among the tags.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// The time of the newest tag, in milliseconds on the stream's clock.
    pub fn newest_dts(&self) -> Option<i64> {
        self.newest_dts
    }

    /// Whether no audio is from before `base`.
    pub(super) fn is_all_after(&self, base: i64) -> bool {
        self.oldest_audio >= base
    }

    /// Whether there is a coded picture among the tags.
    pub(super) fn has_pictures(&self) -> bool {
        self.has_pictures
    }
}
