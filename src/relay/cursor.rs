//! A target's place in a ring: where it begins, what it is given next, and where it goes on after it fell behind.

use super::headers::Headers;
use super::outflow::Fresh;
use super::ring::Ring;
use crate::media::{Class, MediaKind, Tag};
use std::sync::Arc;

/// A target's own way through a ring. It holds no tags: the ring is the queue.
#[derive(Debug, Default)]
pub struct Cursor {
    state: State,
    /// The stream's time that is 0 for the target; set by its first frame.
    base: Option<i64>,
    skipped: u64,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing sent yet, or overtaken: goes on at a start point.
    #[default]
    Waiting,
    /// Sending; `next` is the place of the next tag.
    Reading { next: u64, picture: Picture },
}

/// Whether inter frames can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Picture {
    Running,
    WantsKeyframe,
}

/// Where a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The ring's end.
    End,
    /// The budget's end; there is more.
    Budget,
    /// The ring has no start point yet.
    NoStart,
}

impl Cursor {
    /// A cursor that begins at the newest start point there is, as soon as there is one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `sink` the next tags with their time for this target, until about `budget` bytes are passed.
    ///
    /// A cursor that begins, or that was overtaken, first gives the headers in force at its start point. The time is in
    /// milliseconds since the target's first frame; a target that lives for 49 days sees it wrap, as RTMP has it.
    pub fn drain(
        &mut self,
        ring: &Ring,
        budget: usize,
        mut sink: impl FnMut(&Tag, u32),
    ) -> Reached {
        let mut passed = 0;
        if !self.ensure_reading(ring, &mut sink) {
            return Reached::NoStart;
        }
        let State::Reading { next, picture } = &mut self.state else {
            return Reached::NoStart;
        };
        let base = self.base.unwrap_or_default();
        while let Some(tag) = ring.at(*next) {
            if passed >= budget {
                return Reached::Budget;
            }
            *next += 1;
            if is_wanted(tag, base, picture) {
                passed += tag.payload.len();
                sink(tag, stamp(tag.dts, base));
            }
        }
        Reached::End
    }

    /// The stream's time that is 0 for a target which is to be given just what is fresh: it stands in front of it, and wants all
    /// of it. Others drain the ring.
    pub fn in_step(&self, fresh: &Fresh) -> Option<i64> {
        let State::Reading { next, picture } = self.state else {
            return None;
        };
        let wants_pictures = picture == Picture::Running || !fresh.has_pictures();
        let in_step = next == fresh.from() && wants_pictures;
        self.base
            .filter(|&base| in_step && fresh.is_all_after(base))
    }

    /// It was given what is fresh, for which it was [`in_step`](Self::in_step).
    pub fn keep_step(&mut self, fresh: &Fresh) {
        if let State::Reading { next, .. } = &mut self.state {
            *next = fresh.end();
        }
    }

    /// How far behind the newest tag the next one is, in milliseconds.
    pub fn lag_ms(&self, ring: &Ring) -> u64 {
        let State::Reading { next, .. } = self.state else {
            return 0;
        };
        let behind = ring.at(next).map(|tag| tag.dts);
        match (behind, ring.newest_dts()) {
            (Some(behind), Some(newest)) => u64::try_from(newest - behind).unwrap_or(0),
            _ => 0,
        }
    }

    /// Tags that the ring let go before this target could be given them.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    fn ensure_reading(&mut self, ring: &Ring, sink: &mut impl FnMut(&Tag, u32)) -> bool {
        let overtaken = match self.state {
            State::Waiting => None,
            State::Reading { next, .. } if next >= ring.first() => return true,
            State::Reading { next, .. } => Some(next),
        };
        let Some(start) = ring.newest_start() else {
            // The gap is counted once, when a start point tells how wide it is.
            return false;
        };
        if let Some(next) = overtaken {
            self.skipped += start.place.saturating_sub(next);
        }
        let base = *self.base.get_or_insert(start.dts);
        send_headers(&start.headers, stamp(start.dts, base), sink);
        let begins_with_picture = ring
            .at(start.place)
            .is_some_and(|tag| tag.shape.class == Class::Keyframe);
        self.state = State::Reading {
            next: start.place,
            picture: if begins_with_picture {
                Picture::Running
            } else {
                Picture::WantsKeyframe
            },
        };
        true
    }
}

fn send_headers(headers: &Arc<Headers>, stamp: u32, sink: &mut impl FnMut(&Tag, u32)) {
    for tag in headers.iter() {
        sink(tag, stamp);
    }
}

/// Leaves out what the target cannot use: pictures before its first keyframe, and audio from before its beginning.
fn is_wanted(tag: &Tag, base: i64, picture: &mut Picture) -> bool {
    match (tag.shape.track.kind, tag.shape.class) {
        (MediaKind::Video, Class::Keyframe) => {
            *picture = Picture::Running;
            true
        }
        (MediaKind::Video, class) if class.is_frame() => *picture == Picture::Running,
        (MediaKind::Audio, Class::Audio) => tag.dts >= base,
        _ => true,
    }
}

/// The low 32 bits of the time since the target's first frame, as RTMP carries it.
pub(super) fn stamp(dts: i64, base: i64) -> u32 {
    (dts - base).max(0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::limits::TAG_OVERHEAD_BYTES;
    use crate::relay::ring::RingLimits;
    use crate::relay::testing::{aac_header, audio, avc_header, inter, key, metadata};
    use proptest::prelude::*;
    use std::time::Duration;

    const ALL: usize = usize::MAX;

    fn filled(tags: impl IntoIterator<Item = Tag>) -> Ring {
        let mut ring = Ring::new(RingLimits::default());
        for tag in tags {
            ring.append(tag, Duration::ZERO);
        }
        ring
    }

    fn drained(cursor: &mut Cursor, ring: &Ring) -> Vec<(Class, u32)> {
        let mut got = Vec::new();
        cursor.drain(ring, ALL, |tag, at| got.push((tag.shape.class, at)));
        got
    }

    #[test]
    fn a_target_begins_with_metadata_headers_and_the_newest_keyframe_at_zero() {
        let ring = filled([
            avc_header(1),
            metadata(),
            aac_header(),
            key(0),
            inter(33),
            key(2000),
            audio(1990),
            inter(2033),
            audio(2040),
        ]);
        let mut cursor = Cursor::new();
        let expected = [
            (Class::Metadata, 0),
            (Class::SequenceHeader, 0),
            (Class::SequenceHeader, 0),
            (Class::Keyframe, 0),
            (Class::Inter, 33),
            (Class::Audio, 40),
        ];
        assert_eq!(drained(&mut cursor, &ring), expected);
        assert_eq!(drained(&mut cursor, &ring), []);
    }

    #[test]
    fn a_target_that_comes_before_the_first_keyframe_waits_for_it() {
        let mut ring = filled([avc_header(1)]);
        let mut cursor = Cursor::new();
        assert_eq!(cursor.drain(&ring, ALL, |_, _| {}), Reached::NoStart);
        ring.append(key(70), Duration::ZERO);
        assert_eq!(
            drained(&mut cursor, &ring),
            [(Class::SequenceHeader, 0), (Class::Keyframe, 0)]
        );
    }

    #[test]
    fn a_budget_ends_a_drain_between_two_tags() {
        let ring = filled([avc_header(1), key(0), inter(33), inter(66)]);
        let mut cursor = Cursor::new();
        let mut count = 0;
        while cursor.drain(&ring, 1, |_, _| count += 1) == Reached::Budget {}
        assert_eq!(count, 4);
    }

    #[test]
    fn a_target_that_was_overtaken_goes_on_at_a_keyframe_behind_headers() {
        let limits = RingLimits {
            bytes: 8 * (TAG_OVERHEAD_BYTES + 6),
            ..RingLimits::default()
        };
        let mut ring = Ring::new(limits);
        let mut cursor = Cursor::new();
        for tag in [avc_header(1), key(0), inter(33)] {
            ring.append(tag, Duration::ZERO);
        }
        assert_eq!(drained(&mut cursor, &ring).len(), 3);
        for gop in 1..4 {
            ring.append(key(gop * 1000), Duration::ZERO);
            for frame in 1..5 {
                ring.append(inter(gop * 1000 + frame * 33), Duration::ZERO);
            }
        }
        let got = drained(&mut cursor, &ring);
        assert_eq!(got[0], (Class::SequenceHeader, 3000));
        assert_eq!(got[1], (Class::Keyframe, 3000));
        assert_eq!(cursor.skipped(), 10);
    }

    #[test]
    fn pictures_that_join_an_audio_stream_wait_for_their_keyframe() {
        let mut ring = filled([aac_header(), audio(0)]);
        ring.append(audio(1000), Duration::from_secs(1));
        let mut cursor = Cursor::new();
        assert_eq!(drained(&mut cursor, &ring).len(), 3);
        for tag in [
            avc_header(1),
            inter(1033),
            audio(1040),
            key(1066),
            inter(1099),
        ] {
            ring.append(tag, Duration::from_secs(1));
        }
        let classes: Vec<_> = drained(&mut cursor, &ring)
            .into_iter()
            .map(|got| got.0)
            .collect();
        assert_eq!(
            classes,
            [
                Class::SequenceHeader,
                Class::Audio,
                Class::Keyframe,
                Class::Inter
            ]
        );
    }

    proptest! {
        /// Whatever a stream does and however a target is drained: it begins with a header and a keyframe, time never steps
        /// back, and after a gap comes a keyframe.
        #[test]
        fn a_target_never_begins_or_goes_on_in_the_middle_of_a_gop(
            script in proptest::collection::vec((0u8..8, 1usize..400), 1..300), cap in 10usize..60,
        ) {
            let limits = RingLimits { bytes: cap * (TAG_OVERHEAD_BYTES + 6), ..RingLimits::default() };
            let mut ring = Ring::new(limits);
            let mut cursor = Cursor::new();
            ring.append(avc_header(1), Duration::ZERO);
            let (mut dts, mut last, mut skipped, mut begun) = (0, 0, 0, false);
            for (action, budget) in script {
                dts += 20;
                let tag = match action { 0 => key(dts), 1..=3 => inter(dts), _ => audio(dts) };
                ring.append(tag, Duration::ZERO);
                if action != 7 { continue; }
                let mut got = Vec::new();
                cursor.drain(&ring, budget, |tag, at| got.push((tag.shape.class, at)));
                if !begun || cursor.skipped() > skipped {
                    let first_media = got.iter().find(|got| got.0.is_frame());
                    prop_assert!(first_media.is_none_or(|got| got.0 == Class::Keyframe));
                    prop_assert!(got.first().is_none_or(|got| got.0 == Class::SequenceHeader));
                }
                skipped = cursor.skipped();
                begun |= !got.is_empty();
                for (_, at) in got {
                    prop_assert!(at >= last);
                    last = at;
                }
            }
        }
    }
}
