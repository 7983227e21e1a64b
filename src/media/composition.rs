//! Composition time: how much later than it is decoded a picture is shown. The only field of a tag's body that the gateway
//! ever changes, and only where the frame's decoding time had to be changed.

use super::tag::{self, Shape};
use super::track::{Codec, MediaKind};
use bytes::{Bytes, BytesMut};

/// The field's width: a signed 24-bit number.
const BYTES: usize = 3;

/// Where a frame's composition time stands in its payload, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composition {
    at: usize,
    ms: i32,
}

impl Composition {
    /// The composition time of a video frame, if its form has one: AVC, HEVC and VVC in legacy tags, and in the `CodedFrames`
    /// packets of Enhanced RTMP (`CodedFramesX` is the form for 0). A message of several tracks has several, and is left
    /// alone.
    pub fn of(shape: &Shape, payload: &[u8]) -> Option<Self> {
        let has_one = shape.track.kind == MediaKind::Video
            && shape.class.is_frame()
            && matches!(shape.codec, Codec::Avc | Codec::Hevc | Codec::Vvc);
        if !has_one {
            return None;
        }
        let at = if shape.enhanced {
            tag::coded_frame_at(payload)?
        } else {
            2
        };
        let &[high, middle, low] = payload.get(at..)?.first_chunk::<BYTES>()?;
        let ms = i32::from_be_bytes([high, middle, low, 0]) >> 8;
        Some(Self { at, ms })
    }

    /// The composition time in milliseconds, of 24 bits with a sign.
    pub fn ms(self) -> i32 {
        self.ms
    }

    /// The composition time that keeps the moment at which the picture is shown, though it is decoded `late` milliseconds later; 0
    /// where there is none.
    pub fn after(self, late: i64) -> i32 {
        delayed(self.ms.into(), late)
    }

    /// The payload with another composition time, whose low 24 bits are written. A payload that nobody else holds yet is
    /// changed where it is; one that is shared is copied once, for all targets.
    pub fn write(self, ms: i32, payload: Bytes) -> Bytes {
        let mut bytes = payload
            .try_into_mut()
            .unwrap_or_else(|shared| BytesMut::from(&*shared));
        let [_, field @ ..] = ms.to_be_bytes();
        if let Some(place) = bytes.get_mut(self.at..self.at + BYTES) {
            place.copy_from_slice(&field);
        }
        bytes.freeze()
    }
}

/// Composition times beyond this, either way, are no encoder's; B frames of a slow stream need some thousand. In milliseconds.
pub(super) const COMPOSITION_MAX: i64 = 5_000;

/// The composition time of a picture that is decoded `late` milliseconds later and shown when it was to be; 0 where that is not
/// possible.
pub(super) fn delayed(own: i64, late: i64) -> i32 {
    let kept = own - late;
    let is_possible = kept >= -COMPOSITION_MAX && (kept >= 0 || own < 0);
    let kept = if is_possible { kept } else { 0 };
    i32::try_from(kept).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &[u8]) -> Option<(usize, i32)> {
        let shape = Shape::of(MediaKind::Video, payload);
        Composition::of(&shape, payload).map(|found| (found.at, found.ms))
    }

    #[test]
    fn the_field_is_found_in_every_form_that_has_it() {
        type Case = (&'static str, &'static [u8], Option<(usize, i32)>);
        let cases: &[Case] = &[
            ("avc", &[0x27, 1, 0, 0, 66, 9], Some((2, 66))),
            ("negative", &[0x27, 1, 0xFF, 0xFF, 0xFE], Some((2, -2))),
            ("hevc as id 12", &[0x1C, 1, 0, 1, 0], Some((2, 256))),
            ("avc header", &[0x17, 0, 0, 0, 66], None),
            ("sorenson", &[0x22, 1, 0, 0, 66], None),
            ("cut", &[0x27, 1, 0, 0], None),
            ("enhanced hevc", b"\xA1hvc1\0\0\x21", Some((5, 33))),
            ("without the field", b"\xA3hvc1\0\0\x21", None),
            ("av1 has none", b"\xA1av01\0\0\x21", None),
            ("vvc", b"\xA1vvc1\0\0\x21", Some((5, 33))),
            (
                "behind mod ex",
                b"\xA7\x02\x00\x00\x05\x01hvc1\0\0\x21",
                Some((10, 33)),
            ),
            (
                "one track of several",
                b"\xA6\x01avc1\x03\0\0\x21",
                Some((7, 33)),
            ),
            ("several tracks", b"\xA6\x11avc1\x00\0\0\x21", None),
        ];
        for (name, payload, expected) in cases {
            assert_eq!(read(payload), *expected, "{name}");
        }
    }

    #[test]
    fn only_the_field_is_changed_and_a_shared_payload_stays_as_it_is() {
        let original = Bytes::from_static(&[0x27, 1, 0, 0, 66, 9, 8]);
        let shape = Shape::of(MediaKind::Video, &original);
        let found = Composition::of(&shape, &original).unwrap();
        for shared in [Some(original.clone()), None] {
            let payload = match &shared {
                Some(shared) => shared.clone(),
                None => Bytes::copy_from_slice(&original),
            };
            let before = payload.as_ptr();
            let written = found.write(-2, payload);
            assert_eq!(&*written, &[0x27, 1, 0xFF, 0xFF, 0xFE, 9, 8]);
            assert_eq!(&*original, &[0x27, 1, 0, 0, 66, 9, 8]);
            assert_eq!(shared.is_none(), written.as_ptr() == before);
        }
    }
}
