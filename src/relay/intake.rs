//! What becomes of a publisher's message: it is classified, placed in time, admitted, and appended to the ring.

use super::headers::Decodable;
use super::opening::{Admitted, Opening};
use super::ring::{Appended, Ring, RingLimits};
use super::status::StreamFigures;
use crate::media::timeline::{GapPolicy, Timeline};
use crate::media::{Class, Composition, MediaKind, Shape, Tag, Track};
use bytes::Bytes;
use std::time::Duration;

/// How long before a keyframe pictures may be shown that are decoded behind it, in milliseconds. What lies further back is a clock that
/// has jumped.
const LEAD_MAX: i64 = 1_000;

/// A stream's media, from the message to the ring. Outlives its publishers.
pub(super) struct Intake {
    pub(super) ring: Ring,
    pub(super) timeline: Timeline,
    pub(super) figures: StreamFigures,
    opening: Opening,
    lead: Lead,
}

/// What is left out of the pictures behind an input's first keyframe: those that are shown before it belong to a GOP that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    /// The stream's first input begins with whatever it has; and those that came later have shown all of that.
    None,
    /// The keyframe has not come.
    Awaited,
    /// It has: when it is shown, on the input's own clock.
    Behind(i64),
}

impl Intake {
    pub(super) fn new(limits: RingLimits, gap: GapPolicy) -> Self {
        Self {
            ring: Ring::new(limits),
            timeline: Timeline::new(gap),
            figures: StreamFigures::default(),
            opening: Opening::new(),
            lead: Lead::None,
        }
    }

    /// The publisher is gone; another one may follow. What it has sent goes to those who read it, and nobody begins with it any more.
    pub(super) fn end_input(&mut self, now: Duration) {
        self.finish(now);
        self.ring.interrupt();
    }

    /// Another publisher follows.
    pub(super) fn begin_input(&mut self) {
        self.timeline.begin_input();
        self.opening = Opening::new();
        self.lead = Lead::Awaited;
        self.figures.begin_input();
    }

    /// Takes a message with its wire timestamp, which arrived at `now` on the stream's own clock.
    pub(super) fn push(&mut self, kind: MediaKind, wire: u32, payload: Bytes, now: Duration) {
        let shape = Shape::of(kind, &payload);
        self.figures.count(&shape, payload.len(), now);
        if shape.class == Class::Malformed {
            self.figures.drops.malformed += 1;
            return;
        }
        // A tag of one byte has nothing in it that is coded.
        if payload.len() > 1 && self.ring.changes_codec(&shape) {
            self.change_codec(&shape, now);
        }
        let decodable = self.ring.headers().decodable(&shape);
        if decodable == Decodable::Never {
            self.figures.drops.no_header += 1;
            return;
        }
        if shape.class.is_kept() {
            let dts = self.timeline.place_of_header(shape.track);
            self.append(
                Tag {
                    shape,
                    dts,
                    payload,
                },
                now,
            );
            return;
        }
        // What nobody is given takes no time: a publisher's line begins with its first keyframe.
        if self.ring.wants_keyframe() && !self.waits(&shape) && self.ring.passes_over(&shape, now) {
            self.figures.drops.before_keyframe += 1;
            return;
        }
        if self.lead != Lead::None && self.leads(&shape, wire, &payload) {
            self.figures.drops.before_keyframe += 1;
            return;
        }
        let tag = self.place(shape, wire, payload, now);
        if decodable == Decodable::Now && !self.opening.is_holding() {
            // As nearly always.
            self.append(tag, now);
            return;
        }
        let admitted = self.opening.admit(tag, self.ring.headers(), now);
        self.admit(admitted, now);
    }

    /// Whether a picture is shown before the keyframe that its input has begun with.
    fn leads(&mut self, shape: &Shape, wire: u32, payload: &Bytes) -> bool {
        if shape.track != Track::VIDEO || !shape.class.is_frame() {
            return false;
        }
        let cts = Composition::of(shape, payload).map_or(0, Composition::ms);
        let shown = i64::from(wire) + i64::from(cts);
        match (self.lead, shape.class) {
            (Lead::Awaited, Class::Keyframe) => {
                self.lead = Lead::Behind(shown);
                false
            }
            (Lead::Behind(key), Class::Inter | Class::Disposable)
                if (key - LEAD_MAX..key).contains(&shown) =>
            {
                true
            }
            (Lead::Behind(_), _) => {
                self.lead = Lead::None;
                false
            }
            _ => false,
        }
    }

    /// Nothing comes any more: what waits for a header is judged by those that came.
    pub(super) fn finish(&mut self, now: Duration) {
        // What was appended before may have been read.
        self.ring.begin_window();
        let left = self.opening.finish(self.ring.headers());
        self.admit(left, now);
    }

    /// Whether a tag of this shape would wait for a header. Where targets read on from the publisher before, none waits in front of
    /// the keyframe: it would take time that shows as a gap in the pictures.
    fn waits(&self, shape: &Shape) -> bool {
        if self.ring.goes_on() {
            self.opening.is_holding()
        } else {
            self.opening.holds(shape, self.ring.headers())
        }
    }

    /// What waits for a header in the codec before is judged by those that came.
    fn change_codec(&mut self, shape: &Shape, now: Duration) {
        let left = self.opening.finish(self.ring.headers());
        self.admit(left, now);
        self.opening = Opening::new();
        self.ring.change_codec(shape);
    }

    fn place(&mut self, shape: Shape, wire: u32, payload: Bytes, now: Duration) -> Tag {
        let composition = Composition::of(&shape, &payload);
        let cts = composition.map(Composition::ms);
        let placed = self.timeline.place(&shape, wire, cts, now);
        if let Some(cts) = placed.cts.or(cts)
            && shape.track == Track::VIDEO
        {
            self.figures.show(placed.dts + i64::from(cts));
        }
        Tag {
            shape,
            dts: placed.dts,
            payload: match (composition, placed.cts) {
                (Some(composition), Some(cts)) => composition.write(cts, payload),
                _ => payload,
            },
        }
    }

    fn admit(&mut self, admitted: Admitted, now: Duration) {
        match admitted {
            Admitted::Now(tag) => self.append(tag, now),
            Admitted::Held => {}
            Admitted::Dropped => self.figures.drops.no_header += 1,
            Admitted::Released { tags, dropped } => {
                self.figures.drops.no_header += dropped as u64;
                for tag in tags {
                    self.append(tag, now);
                }
            }
        }
    }

    fn append(&mut self, tag: Tag, now: Duration) {
        match self.ring.append(tag, now) {
            Appended::Kept | Appended::Repeated => {}
            Appended::BeforeKeyframe => self.figures.drops.before_keyframe += 1,
            Appended::Refused => self.figures.drops.headers_full += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::timeline::RepairKind;

    const VIDEO_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1];
    const AUDIO_HEADER: &[u8] = &[0xAF, 0, 0x12, 0x10];
    const KEY: &[u8] = &[0x17, 1, 0, 0, 66, 0x65];
    const INTER: &[u8] = &[0x27, 1, 0, 0, 66, 0x41];
    const AUDIO: &[u8] = &[0xAF, 1, 0x21];

    fn push(intake: &mut Intake, messages: &[(u32, &'static [u8])]) {
        for &(wire, payload) in messages {
            let kind = if payload[0] == 0xAF {
                MediaKind::Audio
            } else {
                MediaKind::Video
            };
            intake.push(kind, wire, Bytes::from_static(payload), Duration::ZERO);
        }
    }

    fn frames(intake: &Intake) -> Vec<(i64, &[u8])> {
        let ring = &intake.ring;
        (ring.first()..ring.end())
            .filter_map(|place| ring.at(place))
            .filter(|tag| tag.shape.class.is_frame())
            .map(|tag| (tag.dts, &*tag.payload))
            .collect()
    }

    #[test]
    fn a_return_goes_on_one_step_after_the_last_frame_whatever_comes_before_its_keyframe() {
        let mut intake = Intake::new(RingLimits::default(), GapPolicy::Compress);
        let headers = [(0, VIDEO_HEADER), (0, AUDIO_HEADER)];
        push(&mut intake, &headers);
        push(&mut intake, &[(7000, KEY), (7010, AUDIO), (7033, INTER)]);
        intake.end_input(Duration::ZERO);
        intake.begin_input();
        push(&mut intake, &headers);
        // The tail of a GOP, and audio, of a second and a half.
        push(&mut intake, &[(0, AUDIO), (10, INTER), (1500, AUDIO)]);
        push(&mut intake, &[(1520, KEY), (1521, AUDIO), (1553, INTER)]);
        let dts: Vec<_> = frames(&intake).iter().map(|frame| frame.0).collect();
        assert_eq!(dts, [0, 10, 33, 66, 67, 99]);
        assert_eq!(intake.figures.drops.before_keyframe, 3);
        assert_eq!(intake.timeline.repairs().total(), 0);
    }

    #[test]
    fn sound_that_comes_before_the_pictures_of_a_return_takes_no_time() {
        let mut intake = Intake::new(RingLimits::default(), GapPolicy::Compress);
        push(&mut intake, &[(0, VIDEO_HEADER), (0, AUDIO_HEADER)]);
        push(&mut intake, &[(0, KEY), (10, AUDIO)]);
        intake.end_input(Duration::ZERO);
        intake.begin_input();
        // Its own header comes late, and that of the pictures later still.
        push(&mut intake, &[(0, AUDIO), (21, AUDIO), (21, AUDIO_HEADER)]);
        push(&mut intake, &[(42, AUDIO), (900, VIDEO_HEADER), (900, KEY)]);
        push(&mut intake, &[(921, AUDIO)]);
        let dts: Vec<_> = frames(&intake).iter().map(|frame| frame.0).collect();
        assert_eq!(dts, [0, 10, 43, 64]);
    }

    #[test]
    fn what_waits_for_a_header_goes_before_another_codec() {
        let mut intake = Intake::new(RingLimits::default(), GapPolicy::Compress);
        push(&mut intake, &[(0, VIDEO_HEADER), (0, KEY), (20, AUDIO)]);
        push(&mut intake, &[(33, INTER), (40, AUDIO_HEADER)]);
        let before = intake.ring.lineup();
        let hevc = b"\x90hvc1\x01";
        push(&mut intake, &[(50, hevc)]);
        assert_ne!(intake.ring.lineup(), before);
        let end = intake.ring.end_of(before);
        let last = intake.ring.at(end - 1).unwrap();
        assert_eq!((last.dts, &*last.payload), (33, INTER));
        assert_eq!(&*intake.ring.at(end).unwrap().payload, hevc);
    }

    #[test]
    fn a_clamped_picture_keeps_the_moment_at_which_it_is_shown() {
        let mut intake = Intake::new(RingLimits::default(), GapPolicy::Compress);
        push(&mut intake, &[(0, VIDEO_HEADER)]);
        push(
            &mut intake,
            &[(0, KEY), (40, INTER), (20, INTER), (80, INTER)],
        );
        let mended: &[u8] = &[0x27, 1, 0, 0, 45, 0x41];
        assert_eq!(
            frames(&intake),
            [(0, KEY), (40, INTER), (41, mended), (80, INTER)]
        );
        assert_eq!(intake.timeline.repairs().of(RepairKind::Clamp), 1);
    }
}
