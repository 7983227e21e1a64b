//! A stream's newest tags, cut in GOPs: the way from its producer to its consumers, and its GOP cache.

mod lineup;
mod order;

pub use lineup::LineupId;

use super::headers::{Headers, Kept};
use super::limits::{
    AUDIO_ONLY_AFTER, AUDIO_START_DISTANCE_MS, RING_BYTES_MAX, RING_GOPS_MAX, RING_WINDOW_MS,
    TAG_OVERHEAD_BYTES,
};
use crate::media::{Class, MediaKind, Shape, Tag, TrackId};
use lineup::Lineups;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The bounds of one ring.
#[derive(Clone, Copy, Debug)]
pub struct RingLimits {
    /// Payloads and bookkeeping, in bytes.
    pub bytes: usize,
    /// How much complete media it keeps beside the open GOP, in milliseconds, until it is told that nobody reads it.
    pub window_ms: i64,
    /// How many start points it remembers.
    pub gops: usize,
}

impl Default for RingLimits {
    fn default() -> Self {
        Self {
            bytes: RING_BYTES_MAX,
            window_ms: RING_WINDOW_MS,
            gops: RING_GOPS_MAX,
        }
    }
}

/// Where a target may begin: a keyframe, or a frame of an audio-only stream.
#[derive(Clone, Debug)]
pub struct Start {
    /// The tag's place in the stream.
    pub place: u64,
    /// Its time, in milliseconds.
    pub dts: i64,
    /// What was in force there.
    pub headers: Arc<Headers>,
    /// The codecs from there on.
    pub lineup: LineupId,
}

/// What became of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is in the ring.
    Kept,
    /// A header that is in force already: nobody needs it again.
    Repeated,
    /// A frame that no target could begin with or decode: the stream, or its new publisher, has not shown a keyframe yet.
    BeforeKeyframe,
    /// Headers beyond what may be kept.
    Refused,
}

/// The ring. Places count from 0 and never return.
#[derive(Debug)]
pub struct Ring {
    limits: RingLimits,
    tags: VecDeque<Tag>,
    first: u64,
    bytes: usize,
    starts: VecDeque<Start>,
    /// The distance of the last two of them, in milliseconds.
    gop_ms: Option<i64>,
    /// What the current input has shown.
    headers: Arc<Headers>,
    /// What the input before has given to everybody, until there is a start of this one.
    given: Option<Headers>,
    lineups: Lineups,
    seen_video: bool,
    /// Whether the input before had video, so that sound alone is not taken for all there is at once.
    expects_video: bool,
    /// When this input's first sound came, and where the ring has it, while it has shown no video.
    sound_since: Option<Duration>,
    first_sound: Option<(u64, i64)>,
    wants_keyframe: bool,
    /// The place from which tags may still change their order; none may before the first window.
    window: u64,
}

impl Ring {
    /// An empty ring.
    pub fn new(limits: RingLimits) -> Self {
        Self {
            limits,
            tags: VecDeque::new(),
            first: 0,
            bytes: 0,
            starts: VecDeque::new(),
            gop_ms: None,
            headers: Arc::default(),
            given: None,
            lineups: Lineups::default(),
            seen_video: false,
            expects_video: false,
            sound_since: None,
            first_sound: None,
            wants_keyframe: true,
            window: u64::MAX,
        }
    }

    /// Whether the stream, or its new publisher, still has to show a keyframe.
    pub fn wants_keyframe(&self) -> bool {
        self.wants_keyframe
    }

    /// Whether a tag of this shape, which arrives at `now`, would be let go, because the stream, or its new publisher, has not
    /// shown a keyframe yet. A picture that is asked about counts as seen.
    pub fn passes_over(&mut self, shape: &Shape, now: Duration) -> bool {
        let is_early = self.is_early(shape, now);
        let may_begin = shape.class == Class::Keyframe && can_begin(shape);
        is_early && !may_begin
    }

    /// Whether a tag of this shape is in another codec than its track so far; see [`change_codec`](Self::change_codec).
    pub fn changes_codec(&mut self, shape: &Shape) -> bool {
        self.lineups.is_left_by(shape)
    }

    /// What follows is for other sessions of the targets than what came so far, since a track has another codec: no cursor reads
    /// on, and those that begin wait for a keyframe.
    pub fn change_codec(&mut self, shape: &Shape) {
        self.lineups.begin(shape, self.end());
        self.begin_window();
        let mut headers = Headers::clone(&self.headers);
        headers.forget(shape.track);
        self.headers = Arc::new(headers);
        self.given = None;
        self.begin_anew();
    }

    /// Appends a tag that arrived at `now` on the stream's own clock.
    pub fn append(&mut self, tag: Tag, now: Duration) -> Appended {
        self.seen_video |= tag.shape.track.kind == MediaKind::Video;
        if tag.shape.class.is_kept()
            && let Some(outcome) = self.keep(&tag)
        {
            return outcome;
        }
        let begins_gop = self.begins_gop(&tag);
        if begins_gop {
            self.wants_keyframe = false;
        } else if self.is_early(&tag.shape, now) {
            return Appended::BeforeKeyframe;
        }
        let (class, dts) = (tag.shape.class, tag.dts);
        self.bytes += cost(&tag);
        self.tags.push_back(tag);
        let place = self.settle(begins_gop);
        let starts = self.starts.len();
        if begins_gop {
            self.push_start(place, dts);
        } else if class == Class::Audio && !self.seen_video {
            self.consider_audio_start(place, dts, now);
        }
        // Nothing else takes it beyond its bounds.
        if self.starts.len() != starts || self.bytes > self.limits.bytes {
            self.evict();
        }
        Appended::Kept
    }

    /// The publisher is gone, and perhaps another one goes on with the stream: its headers are its own, though targets need only
    /// those that differ; nothing of it is worth having before its first keyframe, and no target begins with what the one before
    /// left.
    pub fn interrupt(&mut self) {
        let headers = std::mem::take(&mut self.headers);
        self.given.get_or_insert_with(|| Headers::clone(&headers));
        self.expects_video = self.seen_video || (self.wants_keyframe && self.expects_video);
        self.seen_video = false;
        self.sound_since = None;
        self.begin_anew();
    }

    /// The tag at a place, if the ring still holds it.
    pub fn at(&self, place: u64) -> Option<&Tag> {
        let index = usize::try_from(place.checked_sub(self.first)?).ok()?;
        self.tags.get(index)
    }

    /// The place of the oldest tag.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The place that the next tag gets.
    pub fn end(&self) -> u64 {
        self.first + self.tags.len() as u64
    }

    /// Where a target that begins now gets the most recent picture.
    pub fn newest_start(&self) -> Option<&Start> {
        self.starts.back()
    }

    /// What is in force for the newest tag.
    pub fn headers(&self) -> &Arc<Headers> {
        &self.headers
    }

    /// The time of the newest tag, in milliseconds.
    pub fn newest_dts(&self) -> Option<i64> {
        self.tags.back().map(|tag| tag.dts)
    }

    /// Whether another publisher goes on with the stream and has not begun yet.
    pub fn goes_on(&self) -> bool {
        self.given.is_some()
    }

    /// The codecs of now.
    pub fn lineup(&self) -> LineupId {
        self.lineups.newest()
    }

    /// The place at which the lineup has ended, or [`u64::MAX`] while it is that of now.
    pub fn end_of(&self, lineup: LineupId) -> u64 {
        self.lineups.end_of(lineup)
    }

    /// Whether a target may begin at this place.
    pub fn is_start(&self, place: u64) -> bool {
        self.start_at(place).is_some()
    }

    /// The start point at this place, where it is one.
    pub fn start_at(&self, place: u64) -> Option<&Start> {
        let found = self
            .starts
            .binary_search_by_key(&place, |start| start.place);
        self.starts.get(found.ok()?)
    }

    /// Whether the current input has shown video.
    pub fn has_pictures(&self) -> bool {
        self.seen_video
    }

    /// The payloads from a place on, in bytes. It looks at each of them.
    pub fn payload_bytes_from(&self, place: u64) -> u64 {
        let passed = usize::try_from(place.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let left = self.tags.range(passed.min(self.tags.len())..);
        left.map(|tag| tag.payload.len() as u64).sum()
    }

    /// What the ring holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The distance of the last two start points, in milliseconds.
    pub fn gop_ms(&self) -> Option<i64> {
        self.gop_ms
    }

    /// How long the open GOP is so far, in milliseconds.
    pub fn open_gop_ms(&self) -> Option<i64> {
        Some(self.newest_dts()? - self.starts.back()?.dts)
    }

    /// Lets go of what comes before the newest start point up to this place: nobody reads there, and who begins gets no older picture.
    pub fn let_go(&mut self, up_to: u64) {
        let is_behind = |start: &&Start| start.place <= up_to;
        let newest = self.starts.iter().rev().find(is_behind);
        if let Some(place) = newest.map(|start| start.place)
            && place > self.first
        {
            self.drop_before(place);
        }
    }

    /// Keeps a header; what became of it, where it does not go into the ring.
    #[cold]
    fn keep(&mut self, tag: &Tag) -> Option<Appended> {
        let mut headers = Headers::clone(&self.headers);
        match headers.keep(tag) {
            Kept::Same => return Some(Appended::Repeated),
            Kept::Refused => return Some(Appended::Refused),
            Kept::Changed => self.headers = Arc::new(headers),
        }
        let given = self.given.as_mut()?;
        match given.keep(tag) {
            Kept::Same => return Some(Appended::Repeated),
            Kept::Changed => {}
            // There is no room to remember it: whatever comes for the track is told.
            Kept::Refused => given.forget(tag.shape.track),
        }
        None
    }

    fn begins_gop(&self, tag: &Tag) -> bool {
        let shape = tag.shape;
        shape.class == Class::Keyframe
            && can_begin(&shape)
            && self.headers.serves(shape.track, shape.codec)
    }

    fn begin_anew(&mut self) {
        self.wants_keyframe = true;
        self.first_sound = None;
        self.starts.clear();
        self.gop_ms = None;
    }

    /// Whether a tag that begins no GOP comes before one has begun. Behind an input that had video, sound waits for it as long as it
    /// takes to be taken for a stream of its own.
    fn is_early(&mut self, shape: &Shape, now: Duration) -> bool {
        self.seen_video |= shape.track.kind == MediaKind::Video;
        if !self.wants_keyframe || shape.class.is_kept() {
            return false;
        }
        if shape.track.kind == MediaKind::Audio {
            self.sound_since.get_or_insert(now);
        }
        let is_sound_alone = self
            .sound_since
            .is_some_and(|since| now.saturating_sub(since) >= AUDIO_ONLY_AFTER);
        self.seen_video || (self.expects_video && !is_sound_alone)
    }

    /// A stream that has shown no video for a while is taken for audio alone; then its very first frame is a start, too.
    fn consider_audio_start(&mut self, place: u64, dts: i64, now: Duration) {
        let since = *self.sound_since.get_or_insert(now);
        let (first_place, first_dts) = *self.first_sound.get_or_insert((place, dts));
        if now.saturating_sub(since) < AUDIO_ONLY_AFTER {
            return;
        }
        self.wants_keyframe = false;
        match self.starts.back() {
            None if self.at(first_place).is_some() => self.push_start(first_place, first_dts),
            None => self.push_start(place, dts),
            Some(last) if dts - last.dts >= AUDIO_START_DISTANCE_MS => self.push_start(place, dts),
            Some(_) => {}
        }
    }

    fn push_start(&mut self, place: u64, dts: i64) {
        // Whoever begins here has been given no more than this.
        self.given = None;
        self.gop_ms = self.starts.back().map(|before| dts - before.dts);
        self.starts.push_back(Start {
            place,
            dts,
            headers: Arc::clone(&self.headers),
            lineup: self.lineups.newest(),
        });
    }

    fn evict(&mut self) {
        loop {
            let next = self.starts.iter().find(|start| start.place > self.first);
            let open = self.starts.back();
            let cut = match (next, open) {
                (Some(next), _) if self.bytes > self.limits.bytes => next.place,
                (Some(next), _) if self.starts.len() > self.limits.gops => next.place,
                (Some(next), Some(open))
                    if open.place > next.place && open.dts - next.dts >= self.limits.window_ms =>
                {
                    next.place
                }
                (None, _) if self.bytes > self.limits.bytes => self.first + 1,
                _ => return,
            };
            self.drop_before(cut);
        }
    }

    fn drop_before(&mut self, place: u64) {
        while self.first < place {
            let Some(tag) = self.tags.pop_front() else {
                break;
            };
            self.bytes -= cost(&tag);
            self.first += 1;
        }
        self.lineups.forget_before(self.first);
        while self
            .starts
            .front()
            .is_some_and(|start| start.place < self.first)
        {
            self.starts.pop_front();
        }
    }
}

/// Whether its track is one that GOPs are cut by.
fn can_begin(shape: &Shape) -> bool {
    matches!(shape.track.id, TrackId::One(0) | TrackId::Several)
}

fn cost(tag: &Tag) -> usize {
    tag.payload.len() + TAG_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests;
