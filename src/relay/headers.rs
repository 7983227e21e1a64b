//! What a decoder, and a CDN, must be given before any media: metadata and the newest sequence header of every track.

use super::limits::{HEADERS_BYTES_MAX, HEADERS_MAX};
use crate::media::{Class, Codec, MediaKind, Shape, Tag, Track};
use bytes::Bytes;

/// The kept tags of a stream, in the order in which a target gets them: metadata, video, audio.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    tags: Vec<Tag>,
}

/// What became of a tag that was offered to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Byte for byte what is there already.
    Same,
    /// It is new, or differs from the one that it replaces.
    Changed,
    /// There is no room: the bounds of what a publisher may have kept are reached.
    Refused,
}

/// What decoders can do with a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decodable {
    /// All that they need is there, or it is no frame.
    Now,
    /// The sequence header of its track has not come.
    Later,
    /// The sequence header of its track is another codec's.
    Never,
}

impl Headers {
    /// Keeps the tag in the place of the one of the same track and class.
    pub fn keep(&mut self, tag: &Tag) -> Kept {
        let others = self
            .tags
            .iter()
            .filter(|kept| !same_place(kept, tag))
            .map(|kept| kept.payload.len())
            .sum::<usize>();
        if others + tag.payload.len() > HEADERS_BYTES_MAX {
            return Kept::Refused;
        }
        if let Some(kept) = self.tags.iter_mut().find(|kept| same_place(kept, tag)) {
            if kept.payload == tag.payload {
                return Kept::Same;
            }
            *kept = alone(tag);
            return Kept::Changed;
        }
        if self.tags.len() >= HEADERS_MAX {
            return Kept::Refused;
        }
        let at = self.tags.partition_point(|kept| rank(kept) <= rank(tag));
        self.tags.insert(at, alone(tag));
        Kept::Changed
    }

    /// Lets go what is kept of the track.
    pub fn forget(&mut self, track: Track) {
        self.tags.retain(|kept| kept.shape.track != track);
    }

    /// Whether a frame of the track can be decoded with what is kept.
    pub fn serves(&self, track: Track, codec: Codec) -> bool {
        !codec.needs_header() || self.decoder(track).is_some()
    }

    /// Whether a tag can be decoded with what is kept, where it has to be.
    pub fn decodable(&self, shape: &Shape) -> Decodable {
        if !shape.class.is_frame() {
            return Decodable::Now;
        }
        match self.decoder(shape.track) {
            Some(codec) if codec != shape.codec && shape.codec != Codec::None => Decodable::Never,
            None if shape.codec.needs_header() => Decodable::Later,
            _ => Decodable::Now,
        }
    }

    /// The codec of the track's sequence header, if that is kept.
    fn decoder(&self, track: Track) -> Option<Codec> {
        let is_its_header =
            |shape: &Shape| shape.class == Class::SequenceHeader && shape.track == track;
        let kept = self.tags.iter().find(|kept| is_its_header(&kept.shape))?;
        Some(kept.shape.codec)
    }

    /// Whether the stream has said that it has video.
    pub fn has_video(&self) -> bool {
        self.tags
            .iter()
            .any(|kept| kept.shape.track.kind == MediaKind::Video)
    }

    /// The kept tags, in the order in which a target gets them.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        self.tags.iter()
    }
}

/// The same tag in memory of its own: it outlives those that its payload may lie beside.
fn alone(tag: &Tag) -> Tag {
    Tag {
        payload: Bytes::copy_from_slice(&tag.payload),
        ..*tag
    }
}

fn same_place(a: &Tag, b: &Tag) -> bool {
    a.shape.track == b.shape.track && a.shape.class == b.shape.class
}

fn rank(tag: &Tag) -> u8 {
    match (tag.shape.track.kind, tag.shape.class) {
        (MediaKind::Data, _) => 0,
        (MediaKind::Video, Class::SequenceHeader) => 1,
        (MediaKind::Video, _) => 2,
        (MediaKind::Audio, Class::SequenceHeader) => 3,
        (MediaKind::Audio, _) => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(kind: MediaKind, payload: &[u8]) -> Tag {
        Tag {
            shape: Shape::of(kind, payload),
            dts: 0,
            payload: Bytes::copy_from_slice(payload),
        }
    }

    #[test]
    fn headers_come_out_metadata_first_then_video_then_audio() {
        let mut headers = Headers::default();
        let audio = tag(MediaKind::Audio, b"\xAF\x00\x12");
        let video = tag(MediaKind::Video, b"\x17\x00\x00\x00\x00\x01");
        let metadata = tag(MediaKind::Data, b"\x02\x00\x0aonMetaData");
        for each in [&audio, &video, &metadata] {
            assert_eq!(headers.keep(each), Kept::Changed);
        }
        let order: Vec<_> = headers.iter().map(|kept| kept.shape.track.kind).collect();
        assert_eq!(order, [MediaKind::Data, MediaKind::Video, MediaKind::Audio]);
    }

    #[test]
    fn what_is_kept_holds_on_to_nothing_that_its_payload_lay_beside() {
        let block = Bytes::from(b"\xAF\x00\x12\x10\xAF\x01\x21".to_vec());
        for header in [&b"\xAF\x00\x12\x10"[..], b"\xAF\x00\x11\x90"] {
            let mut headers = Headers::default();
            headers.keep(&tag(MediaKind::Audio, header));
            let kept = Tag {
                payload: block.slice(..4),
                ..tag(MediaKind::Audio, &block[..4])
            };
            headers.keep(&kept);
            drop(kept);
            assert_eq!(headers.iter().next().unwrap().payload, block[..4]);
            assert!(block.is_unique());
        }
    }

    #[test]
    fn a_frame_in_another_codec_than_its_header_is_of_no_use() {
        let mut headers = Headers::default();
        let video = |payload: &[u8]| Shape::of(MediaKind::Video, payload);
        let hevc = b"\x91hvc1\x00\x00\x00";
        assert_eq!(
            headers.decodable(&video(hevc)),
            Decodable::Later,
            "it may still come"
        );
        headers.keep(&tag(MediaKind::Video, b"\x17\x00\x00\x00\x00\x01"));
        assert_eq!(headers.decodable(&video(hevc)), Decodable::Never);
        for of_its_own in [
            &b"\x27\x01\x00\x00\x00"[..],
            b"\x91avc1\x00\x00\x00",
            b"\x96\x01hvc1",
            b"\x57\x00",
        ] {
            let shape = video(of_its_own);
            assert_eq!(headers.decodable(&shape), Decodable::Now, "{of_its_own:?}");
        }
        headers.forget(Track::VIDEO);
        assert_eq!(headers.decodable(&video(hevc)), Decodable::Later);
    }

    #[test]
    fn a_repeated_header_is_no_change_and_a_new_one_takes_its_place() {
        let mut headers = Headers::default();
        let first = tag(MediaKind::Audio, b"\xAF\x00\x12");
        let second = tag(MediaKind::Audio, b"\xAF\x00\x13");
        assert_eq!(headers.keep(&first), Kept::Changed);
        assert_eq!(headers.keep(&first), Kept::Same);
        assert_eq!(headers.keep(&second), Kept::Changed);
        assert_eq!(headers.iter().count(), 1);
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes_and_in_number() {
        let mut headers = Headers::default();
        let huge = [b"\xAF\x00".as_slice(), &vec![0; HEADERS_BYTES_MAX]].concat();
        assert_eq!(headers.keep(&tag(MediaKind::Audio, &huge)), Kept::Refused);
        let kept = (0..=255u8)
            .map(|id| [b"\x96\x00avc1".as_slice(), &[id, 1]].concat())
            .filter(|header| headers.keep(&tag(MediaKind::Video, header)) == Kept::Changed)
            .count();
        assert_eq!(kept, HEADERS_MAX);
    }
}
