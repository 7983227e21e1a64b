//! The codecs of a stream's tracks, and where in the ring they change. A target was told of them when its session began, and few
//! can do with others in the same one; so no session is given anything from behind such a change.

use crate::media::timeline::TRACKS_MAX;
use crate::media::{Class, Codec, Shape, Track};
use std::collections::VecDeque;

/// Numbers what a stream's tracks were coded in, one after the other. It rises with every change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineupId(u64);

/// The codecs of now, and the changes that the ring still holds.
#[derive(Debug, Default)]
pub(super) struct Lineups {
    newest: LineupId,
    /// The codec of each track, and whether it comes in the FourCC form.
    tracks: Vec<(Track, (Codec, bool))>,
    /// Where the lineups after the first one begin.
    begins: VecDeque<(LineupId, u64)>,
}

impl Lineups {
    pub(super) fn newest(&self) -> LineupId {
        self.newest
    }

    /// Whether the tag's track was in another codec so far. A track that was not seen yet changes nothing; those beyond the bound
    /// are not looked at.
    pub(super) fn is_left_by(&mut self, shape: &Shape) -> bool {
        if !tells_codec(shape) {
            return false;
        }
        match self.tracks.iter().find(|known| known.0 == shape.track) {
            Some(&(_, form)) => form != form_of(shape),
            None => {
                if self.tracks.len() < TRACKS_MAX {
                    self.tracks.push((shape.track, form_of(shape)));
                }
                false
            }
        }
    }

    /// The tag's track is in its codec from this place on.
    pub(super) fn begin(&mut self, shape: &Shape, place: u64) {
        let known = self.tracks.iter_mut().find(|known| known.0 == shape.track);
        if let Some((_, form)) = known {
            *form = form_of(shape);
        }
        self.newest.0 += 1;
        match self.begins.back_mut() {
            // Nothing came in the one before.
            Some(last) if last.1 == place => last.0 = self.newest,
            _ => self.begins.push_back((self.newest, place)),
        }
    }

    pub(super) fn end_of(&self, lineup: LineupId) -> u64 {
        let next = self.begins.partition_point(|begin| begin.0 <= lineup);
        self.begins.get(next).map_or(u64::MAX, |begin| begin.1)
    }

    /// What begins before this place is nobody's border any more: who stood there was overtaken.
    pub(super) fn forget_before(&mut self, place: u64) {
        while self.begins.front().is_some_and(|begin| begin.1 < place) {
            self.begins.pop_front();
        }
    }
}

/// Whether a decoder of the tag's codec begins with it: anything else may be a slip, and is nobody's reason to begin anew.
fn tells_codec(shape: &Shape) -> bool {
    match shape.class {
        Class::SequenceHeader => shape.codec != Codec::None,
        Class::Keyframe | Class::Audio => shape.codec != Codec::None && !shape.codec.needs_header(),
        _ => false,
    }
}

fn form_of(shape: &Shape) -> (Codec, bool) {
    (shape.codec, shape.enhanced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MediaKind;

    fn video(payload: &[u8]) -> Shape {
        Shape::of(MediaKind::Video, payload)
    }

    #[test]
    fn a_lineup_ends_where_the_next_one_begins() {
        let (avc, enhanced, hevc) = (
            video(&[0x17, 0, 0, 0, 0, 1]),
            video(b"\x90avc1\x01"),
            video(b"\x90hvc1\x01"),
        );
        let mut lineups = Lineups::default();
        let first = lineups.newest();
        assert!(!lineups.is_left_by(&avc) && !lineups.is_left_by(&avc));
        assert!(
            !lineups.is_left_by(&video(&[0x57, 0])),
            "a mark has no codec"
        );
        let audio = |payload| Shape::of(MediaKind::Audio, payload);
        assert!(!lineups.is_left_by(&audio(&[0xAF, 0, 0x12])));
        assert!(
            !lineups.is_left_by(&video(b"\x91hvc1\0\0\0")),
            "a picture whose header never came"
        );
        assert!(
            !lineups.is_left_by(&video(&[0x24, 0])),
            "nobody begins with an inter frame"
        );
        assert_eq!(lineups.end_of(first), u64::MAX);
        assert!(
            lineups.is_left_by(&enhanced),
            "another form wants another connect"
        );
        lineups.begin(&enhanced, 10);
        // Nothing came in between.
        assert!(lineups.is_left_by(&hevc));
        lineups.begin(&hevc, 10);
        let third = lineups.newest();
        assert!(lineups.is_left_by(&avc));
        lineups.begin(&avc, 20);
        assert_eq!((lineups.end_of(first), lineups.end_of(third)), (10, 20));
        assert_eq!(lineups.end_of(lineups.newest()), u64::MAX);
        lineups.forget_before(11);
        assert_eq!(lineups.begins.len(), 1);
        assert_eq!(lineups.end_of(third), 20);
    }
}
