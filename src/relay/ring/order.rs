//! Order across tracks: the tags of one batch go by their time.
//!
//! Encoders send audio and video in turns that are not quite those of their stamps, and each read of a socket brings a few of
//! them at once. Those are put in order, since nobody has seen them yet; nothing is held back for it.

use super::Ring;
use crate::media::Tag;

/// How many tags a late one is moved past at the most: more than a beat of any encoder brings, and a bound on what a flood of
/// small tags in the wrong order costs.
const REORDER_MAX: usize = 64;

impl Ring {
    /// Tags from here on are put in order among themselves; those before may have been read.
    pub fn begin_window(&mut self) {
        self.window = self.end();
    }

    /// Moves the newest tag before those of the window that are later than it; its place then. Headers are passed by nobody, and
    /// pass nobody, and a start (`is_start`) never passes another one.
    pub(super) fn settle(&mut self, is_start: bool) -> u64 {
        let newest = self.tags.len().saturating_sub(1);
        let window = usize::try_from(self.window.saturating_sub(self.first)).unwrap_or(newest);
        let floor = window.max(newest.saturating_sub(REORDER_MAX));
        let last_start = self.starts.back().map(|start| start.place);
        let mut at = newest;
        while at > floor {
            let pair = (self.tags.get(at - 1), self.tags.get(at));
            let (Some(before), Some(tag)) = pair else {
                break;
            };
            let passes_start = is_start && last_start == Some(self.first + at as u64 - 1);
            if !may_pass(before, tag) || passes_start {
                break;
            }
            self.tags.swap(at - 1, at);
            at -= 1;
        }
        let place = self.first + at as u64;
        if at < newest {
            self.shift(place);
        }
        place
    }

    /// What stood at a place or behind it stands one further now.
    fn shift(&mut self, place: u64) {
        let moved = self.starts.iter_mut().rev();
        for start in moved.take_while(|start| start.place >= place) {
            start.place += 1;
        }
        if let Some((first, _)) = &mut self.first_sound
            && *first >= place
        {
            *first += 1;
        }
    }
}

fn may_pass(before: &Tag, tag: &Tag) -> bool {
    before.dts > tag.dts && !before.shape.class.is_kept() && !tag.shape.class.is_kept()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Class;
    use crate::relay::ring::RingLimits;
    use crate::relay::testing::{aac_header, audio, avc_header, inter, key};
    use proptest::prelude::*;
    use std::time::Duration;

    fn append(ring: &mut Ring, tags: impl IntoIterator<Item = Tag>) {
        ring.begin_window();
        for tag in tags {
            ring.append(tag, Duration::ZERO);
        }
    }

    fn times(ring: &Ring) -> Vec<i64> {
        (ring.first()..ring.end())
            .filter_map(|place| ring.at(place))
            .filter(|tag| tag.shape.class.is_frame())
            .map(|tag| tag.dts)
            .collect()
    }

    #[test]
    fn the_tags_of_a_batch_go_by_their_time() {
        let mut ring = Ring::new(RingLimits::default());
        append(&mut ring, [avc_header(1), aac_header(), key(0)]);
        append(&mut ring, [inter(33), inter(66), audio(20), audio(41)]);
        assert_eq!(times(&ring), [0, 20, 33, 41, 66]);
    }

    #[test]
    fn what_may_have_been_read_stays_where_it_is() {
        let mut ring = Ring::new(RingLimits::default());
        append(&mut ring, [avc_header(1), aac_header(), key(0), inter(33)]);
        append(&mut ring, [audio(20), inter(66), audio(41)]);
        assert_eq!(times(&ring), [0, 33, 20, 41, 66]);
    }

    #[test]
    fn headers_are_passed_by_nobody() {
        let mut ring = Ring::new(RingLimits::default());
        let changed = avc_header(2);
        append(&mut ring, [avc_header(1), aac_header(), key(0), inter(33)]);
        append(
            &mut ring,
            [inter(66), changed, audio(20), key(99), audio(41)],
        );
        assert_eq!(times(&ring), [0, 33, 66, 20, 41, 99]);
    }

    #[test]
    fn a_start_is_found_where_it_went() {
        let mut ring = Ring::new(RingLimits::default());
        append(&mut ring, [avc_header(1), aac_header(), key(0)]);
        // The keyframe moves before an audio frame, and another one moves before both.
        append(&mut ring, [audio(80), key(66), audio(50), inter(99)]);
        assert_eq!(times(&ring), [0, 50, 66, 80, 99]);
        let start = ring.newest_start().unwrap();
        let tag = ring.at(start.place).unwrap();
        assert_eq!(
            (tag.shape.class, tag.dts, start.dts),
            (Class::Keyframe, 66, 66)
        );
    }

    proptest! {
        /// Whatever comes, each track keeps its order, a batch is as sorted as its headers allow, and every start is a keyframe.
        #[test]
        fn order_never_costs_anything_else(
            script in prop::collection::vec((0u8..8, 1i64..60, prop::bool::weighted(0.2)), 1..200),
        ) {
            let mut ring = Ring::new(RingLimits::default());
            append(&mut ring, [avc_header(1), aac_header(), key(0)]);
            let (mut video_at, mut audio_at, mut count) = (0, 0, 1);
            for (what, step, begins) in script {
                if begins { ring.begin_window(); }
                let at = if what < 4 { &mut video_at } else { &mut audio_at };
                *at += step;
                let tag = match what { 0 => key(*at), 1..=3 => inter(*at), _ => audio(*at) };
                ring.append(tag, Duration::ZERO);
                count += 1;
            }
            prop_assert_eq!(times(&ring).len(), count);
            for kind in [crate::media::MediaKind::Video, crate::media::MediaKind::Audio] {
                let track: Vec<_> = (ring.first()..ring.end())
                    .filter_map(|place| ring.at(place))
                    .filter(|tag| tag.shape.track.kind == kind && tag.shape.class.is_frame())
                    .map(|tag| tag.dts)
                    .collect();
                prop_assert!(track.is_sorted());
            }
            for start in &ring.starts {
                let tag = ring.at(start.place).unwrap();
                prop_assert_eq!((tag.shape.class, tag.dts), (Class::Keyframe, start.dts));
            }
        }
    }
}
