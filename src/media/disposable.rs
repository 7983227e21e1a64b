//! Whether other pictures need a picture: told by the headers of its NAL units, and never by what is in them.
//!
//! FLV has a frame type for pictures that no other one needs, and hardly an encoder uses it: OBS and FFmpeg call all inter
//! frames alike. H.264 and HEVC say it themselves, in the first byte of each unit.

use super::track::Codec;

/// NAL units that are looked at. A picture of more is taken for one that others need.
const NALS_MAX: usize = 64;

/// What the header of a NAL unit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nal {
    /// Others are decoded from it, or with it.
    Needed,
    /// A part of a picture that no other one of its layer is decoded from.
    Disposable,
    /// No part of a picture: a delimiter, or a remark.
    Beside,
}

/// Whether a picture of this codec, whose NAL units are these behind lengths of four bytes, may be left out without harm to others.
///
/// What is not understood is needed: another codec, lengths of another size, which do not add up, and units beyond the bound.
pub(super) fn is_disposable(codec: Codec, nals: &[u8]) -> bool {
    let judge = match codec {
        Codec::Avc => avc,
        Codec::Hevc => hevc,
        _ => return false,
    };
    let mut is_picture = false;
    let mut rest = nals;
    for _ in 0..NALS_MAX {
        let Some((length, behind)) = rest.split_first_chunk::<4>() else {
            return is_picture && rest.is_empty();
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((nal, next)) = behind.split_at_checked(length) else {
            return false;
        };
        match nal.first().map(|&header| judge(header)) {
            Some(Nal::Needed) => return false,
            Some(Nal::Disposable) => is_picture = true,
            Some(Nal::Beside) | None => {}
        }
        rest = next;
    }
    false
}

/// H.264, 7.3.1 and 7.4.1: `nal_ref_idc` and the type. Parameter sets are needed whatever they say.
fn avc(header: u8) -> Nal {
    match (header & 0x1F, (header >> 5) & 0x03) {
        (1..=4, 0) => Nal::Disposable,
        (1..=5 | 7 | 8 | 13 | 15 | 20 | 21, _) => Nal::Needed,
        _ => Nal::Beside,
    }
}

/// HEVC, 7.3.1.2 and table 7-1: the sub-layer non-reference pictures are those of even types up to 14. Others of their own
/// sub-layer do not need them; streams of several, whose higher ones may, are not made for RTMP.
fn hevc(header: u8) -> Nal {
    match (header >> 1) & 0x3F {
        0 | 2 | 4 | 6 | 8 | 10 | 12 | 14 => Nal::Disposable,
        0..=34 => Nal::Needed,
        _ => Nal::Beside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nals(headers: &[u8]) -> Vec<u8> {
        let nal = |&header: &u8| [0, 0, 0, 3, header, 0xFF, 0x80];
        headers.iter().flat_map(nal).collect()
    }

    #[test]
    fn a_picture_is_disposable_where_all_of_its_slices_are() {
        // A delimiter and SEI stand beside; 0x41 and 0x01 are slices with and without reference.
        for (what, codec, headers, expected) in [
            ("a B frame", Codec::Avc, &[0x01][..], true),
            ("of slices", Codec::Avc, &[0x09, 0x06, 0x01, 0x01], true),
            ("a P frame", Codec::Avc, &[0x41], false),
            ("a field that is needed", Codec::Avc, &[0x01, 0x41], false),
            ("an IDR picture", Codec::Avc, &[0x65], false),
            (
                "with parameter sets",
                Codec::Avc,
                &[0x67, 0x68, 0x01],
                false,
            ),
            ("a remark alone", Codec::Avc, &[0x06], false),
            ("nothing", Codec::Avc, &[], false),
            ("TRAIL_N", Codec::Hevc, &[0x00], true),
            (
                "RASL_N behind a delimiter",
                Codec::Hevc,
                &[0x46, 0x10],
                true,
            ),
            ("TRAIL_R", Codec::Hevc, &[0x02], false),
            ("an IDR picture of HEVC", Codec::Hevc, &[0x26], false),
            (
                "with a parameter set of HEVC",
                Codec::Hevc,
                &[0x42, 0x00],
                false,
            ),
            ("another codec", Codec::Av1, &[0x01], false),
        ] {
            assert_eq!(is_disposable(codec, &nals(headers)), expected, "{what}");
        }
    }

    #[test]
    fn what_does_not_add_up_is_needed() {
        let picture = nals(&[0x01]);
        assert!(is_disposable(Codec::Avc, &picture));
        for cut in 1..picture.len() {
            assert!(!is_disposable(Codec::Avc, &picture[..cut]), "{cut}");
        }
        // Lengths of two bytes.
        assert!(!is_disposable(Codec::Avc, &[0, 3, 0x01, 0xFF, 0x80]));
        assert!(is_disposable(Codec::Avc, &nals(&[0x01; NALS_MAX - 1])));
        assert!(!is_disposable(Codec::Avc, &nals(&[0x01; NALS_MAX + 1])));
    }

    proptest! {
        /// Whatever the bytes are, and however long a unit claims to be.
        #[test]
        fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for codec in [Codec::Avc, Codec::Hevc] {
                is_disposable(codec, &bytes);
            }
        }
    }
}
