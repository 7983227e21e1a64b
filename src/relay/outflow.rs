//! The way out of a stream: what was appended, and who carries it on while it is fresh.

use super::cursor::stamp;
use super::ring::LineupId;
use crate::media::{Class, MediaKind, Tag};

/// Tags that there is room for from one beat to the next; a beat brings a handful.
const TAGS_KEPT: usize = 64;

/// Whoever carries a stream's tags to its targets on the producer's own turn.
///
/// A target that keeps up so costs its stream no wake-up. Targets that cannot take what is there now are served by their own
/// tasks, from the ring.
pub trait Outflow: Send + Sync {
    /// Serves some targets, those from number `from` on, with what was appended, at least one tag; says from where to go on, if there are more.
    /// Neither waits nor takes long, and the stream's lock is not held.
    fn flow(&self, fresh: &Fresh, from: usize) -> Option<usize>;
}

/// What was appended to a ring since its targets were last served, in order and without gaps.
#[derive(Debug, Default)]
pub struct Fresh {
    from: u64,
    lineup: LineupId,
    tags: Vec<Tag>,
    oldest_audio: i64,
    has_pictures: bool,
    frames: u64,
    bytes: usize,
}

impl Fresh {
    /// Nothing yet, from a place of the ring on whose newest codecs are these.
    pub(super) fn begin(&mut self, from: u64, lineup: LineupId) {
        *self = Self {
            from,
            lineup,
            oldest_audio: i64::MAX,
            has_pictures: false,
            frames: 0,
            bytes: 0,
            tags: std::mem::take(&mut self.tags),
        };
    }

    /// The same room, empty: the ring alone decides how long a payload lives.
    pub(super) fn cleared(mut self) -> Self {
        self.tags.clear();
        self.tags.shrink_to(TAGS_KEPT);
        self
    }

    pub(super) fn push(&mut self, tag: &Tag) {
        match (tag.shape.track.kind, tag.shape.class) {
            (_, Class::Audio) => self.oldest_audio = self.oldest_audio.min(tag.dts),
            (MediaKind::Video, class) => self.has_pictures |= class.is_frame(),
            _ => {}
        }
        self.frames += u64::from(tag.shape.class.is_frame());
        self.bytes += tag.payload.len();
        self.tags.push(tag.clone());
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
        self.from + self.tags.len() as u64
    }

    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
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
        self.tags.last().map(|tag| tag.dts)
    }

    /// The tags with their time for a target whose first frame was at `base`; see [`Cursor`](super::cursor::Cursor).
    pub fn stamped(&self, base: i64) -> impl Iterator<Item = (&Tag, u32)> {
        let tags = self.tags.iter();
        tags.map(move |tag| (tag, stamp(tag.dts, base)))
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
