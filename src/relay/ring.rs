//! A stream's newest tags, cut in GOPs: the way from its producer to its consumers, and its GOP cache.

mod order;

use super::headers::{Headers, Kept};
use super::limits::{
    AUDIO_ONLY_AFTER, AUDIO_START_DISTANCE_MS, RING_BYTES_MAX, RING_GOPS_MAX, RING_WINDOW_MS,
    TAG_OVERHEAD_BYTES,
};
use crate::media::{Class, MediaKind, Shape, Tag, TrackId};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The bounds of one ring.
#[derive(Clone, Copy, Debug)]
pub struct RingLimits {
    /// Payloads and bookkeeping, in bytes.
    pub bytes: usize,
    /// How much complete media it keeps beside the open GOP, in milliseconds.
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
    headers: Arc<Headers>,
    seen_video: bool,
    began: Option<(Duration, u64, i64)>,
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
            headers: Arc::default(),
            seen_video: false,
            began: None,
            wants_keyframe: true,
            window: u64::MAX,
        }
    }

    /// Whether the stream, or its new publisher, still has to show a keyframe.
    pub fn wants_keyframe(&self) -> bool {
        self.wants_keyframe
    }

    /// Whether a tag of this shape would be let go, because the stream, or its new publisher, has not shown a keyframe yet. A
    /// picture that is asked about counts as seen.
    pub fn passes_over(&mut self, shape: &Shape) -> bool {
        self.seen_video |= shape.track.kind == MediaKind::Video;
        let may_begin = shape.class == Class::Keyframe && can_begin(shape);
        self.wants_keyframe && self.seen_video && !may_begin && !shape.class.is_kept()
    }

    /// Appends a tag that arrived at `now` on the stream's own clock.
    pub fn append(&mut self, tag: Tag, now: Duration) -> Appended {
        self.seen_video |= tag.shape.track.kind == MediaKind::Video;
        if tag.shape.class.is_kept() {
            let mut headers = Headers::clone(&self.headers);
            match headers.keep(&tag) {
                Kept::Same => return Appended::Repeated,
                Kept::Refused => return Appended::Refused,
                Kept::Changed => self.headers = Arc::new(headers),
            }
        }
        let begins_gop = self.begins_gop(&tag);
        if begins_gop {
            self.wants_keyframe = false;
        } else if self.wants_keyframe && self.seen_video && !tag.shape.class.is_kept() {
            return Appended::BeforeKeyframe;
        }
        let (class, dts) = (tag.shape.class, tag.dts);
        self.bytes += cost(&tag);
        self.tags.push_back(tag);
        let place = self.settle(begins_gop);
        if begins_gop {
            self.push_start(place, dts);
        } else if class == Class::Audio && !self.seen_video {
            self.consider_audio_start(place, dts, now);
        }
        self.evict();
        Appended::Kept
    }

    /// Another publisher goes on with the stream: its headers are its own, nothing of it is worth having before its first
    /// keyframe, and no target begins with what the one before left.
    pub fn interrupt(&mut self) {
        self.wants_keyframe = true;
        self.seen_video = false;
        self.began = None;
        self.headers = Arc::default();
        self.starts.clear();
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

    /// What the ring holds, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The distance of the last two start points, in milliseconds.
    pub fn gop_ms(&self) -> Option<i64> {
        let mut newest_first = self.starts.iter().rev();
        let (newest, before) = (newest_first.next()?, newest_first.next()?);
        Some(newest.dts - before.dts)
    }

    fn begins_gop(&self, tag: &Tag) -> bool {
        let shape = tag.shape;
        shape.class == Class::Keyframe
            && can_begin(&shape)
            && self.headers.serves(shape.track, shape.codec)
    }

    /// A stream that has shown no video for a while is taken for audio alone; then its very first frame is a start, too.
    fn consider_audio_start(&mut self, place: u64, dts: i64, now: Duration) {
        let &mut (began, first_place, first_dts) = self.began.get_or_insert((now, place, dts));
        if now.saturating_sub(began) < AUDIO_ONLY_AFTER {
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
        self.starts.push_back(Start {
            place,
            dts,
            headers: Arc::clone(&self.headers),
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
mod tests {
    use super::*;
    use crate::relay::testing::{aac_header, audio, avc_header, inter, key, metadata};

    const SECOND: Duration = Duration::from_secs(1);

    fn filled(tags: impl IntoIterator<Item = Tag>) -> Ring {
        let mut ring = Ring::new(RingLimits::default());
        for tag in tags {
            ring.append(tag, Duration::ZERO);
        }
        ring
    }

    #[test]
    fn a_keyframe_is_a_start_with_the_headers_in_force_there() {
        let ring = filled([metadata(), avc_header(1), aac_header(), key(0), inter(33)]);
        let start = ring.newest_start().unwrap();
        assert_eq!((start.place, start.dts), (3, 0));
        assert_eq!(start.headers.iter().count(), 3);
    }

    #[test]
    fn pictures_before_the_first_keyframe_are_not_kept() {
        let mut ring = filled([avc_header(1)]);
        assert_eq!(
            ring.append(inter(0), Duration::ZERO),
            Appended::BeforeKeyframe
        );
        assert_eq!(
            ring.append(audio(0), Duration::ZERO),
            Appended::BeforeKeyframe
        );
        assert_eq!(ring.append(key(40), Duration::ZERO), Appended::Kept);
        assert_eq!(ring.append(audio(41), Duration::ZERO), Appended::Kept);
    }

    #[test]
    fn a_keyframe_without_its_header_is_no_start() {
        assert!(filled([key(0)]).newest_start().is_none());
    }

    #[test]
    fn a_repeated_header_is_left_out_and_a_changed_one_is_in_order() {
        let mut ring = filled([avc_header(1), key(0)]);
        assert_eq!(ring.append(avc_header(1), SECOND), Appended::Repeated);
        assert_eq!(ring.append(avc_header(2), SECOND), Appended::Kept);
        ring.append(key(40), SECOND);
        let start = ring.newest_start().unwrap();
        assert_eq!(start.place, 3);
        assert_eq!(
            start.headers.iter().next().unwrap().payload,
            avc_header(2).payload
        );
    }

    #[test]
    fn audio_alone_starts_after_a_second_at_its_first_frame() {
        let mut ring = filled([aac_header(), audio(0)]);
        ring.append(audio(900), Duration::from_millis(900));
        assert!(ring.newest_start().is_none());
        ring.append(audio(1000), SECOND);
        assert_eq!(ring.newest_start().unwrap().place, 1);
        ring.append(audio(1500), SECOND * 2);
        assert_eq!(ring.newest_start().unwrap().dts, 1500);
        ring.append(audio(2400), SECOND * 2);
        assert_eq!(ring.newest_start().unwrap().dts, 1500);
        ring.append(audio(2500), SECOND * 3);
        assert_eq!(ring.newest_start().unwrap().dts, 2500);
    }

    #[test]
    fn video_alone_starts_at_once() {
        assert!(filled([avc_header(1), key(0)]).newest_start().is_some());
    }

    #[test]
    fn whole_gops_leave_when_the_window_is_covered_without_them() {
        let mut ring = filled([avc_header(1)]);
        for gop in 0..10 {
            ring.append(key(gop * 2000), SECOND);
            ring.append(inter(gop * 2000 + 1000), SECOND);
        }
        // The open GOP begins at 18 s, so two complete ones cover the 4 s before it.
        let oldest = ring.at(ring.first()).unwrap();
        assert_eq!((oldest.shape.class, oldest.dts), (Class::Keyframe, 14_000));
        assert_eq!(ring.newest_start().unwrap().dts, 18_000);
    }

    #[test]
    fn one_complete_gop_stays_however_long_it_is() {
        let ring = filled([
            avc_header(1),
            key(0),
            inter(9_000),
            key(20_000),
            inter(29_000),
        ]);
        assert_eq!(ring.at(ring.first()).unwrap().dts, 0);
        let ring = filled([avc_header(1), key(0), key(20_000), key(40_000)]);
        assert_eq!(ring.at(ring.first()).unwrap().dts, 20_000);
    }

    #[test]
    fn a_gop_over_the_cap_is_no_start_and_the_ring_stays_bounded() {
        let limits = RingLimits {
            bytes: 10 * (TAG_OVERHEAD_BYTES + 16),
            ..RingLimits::default()
        };
        let mut ring = Ring::new(limits);
        ring.append(avc_header(1), SECOND);
        ring.append(key(0), SECOND);
        for frame in 1..100 {
            ring.append(inter(frame * 33), SECOND);
            assert!(ring.bytes() <= limits.bytes);
        }
        assert!(ring.newest_start().is_none());
        ring.append(key(4000), SECOND);
        assert_eq!(ring.newest_start().unwrap().dts, 4000);
    }

    #[test]
    fn a_stream_of_keyframes_remembers_a_bounded_number_of_starts() {
        let mut ring = filled([avc_header(1)]);
        for frame in 0..5_000 {
            ring.append(key(frame), SECOND);
        }
        assert!(ring.starts.len() <= RING_GOPS_MAX);
    }

    #[test]
    fn a_new_publisher_must_show_a_keyframe_first() {
        let mut ring = filled([avc_header(1), key(0), inter(33)]);
        ring.interrupt();
        assert!(ring.newest_start().is_none());
        assert_eq!(ring.append(avc_header(1), SECOND), Appended::Kept);
        assert_eq!(ring.append(inter(66), SECOND), Appended::BeforeKeyframe);
        assert_eq!(ring.append(key(99), SECOND), Appended::Kept);
    }
}
