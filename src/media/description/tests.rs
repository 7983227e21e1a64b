//! Sequence headers as encoders send them (x264, x265, SVT-AV1, FFmpeg), and as nobody does.

use super::*;
use crate::media::track::MediaKind;
use proptest::prelude::*;

/// What describes it, the header, and what it says: profile, level, size, pictures in a second; samples in a second, channels.
type Case = (&'static str, MediaKind, &'static str, Said);
type Said = (
    Option<&'static str>,
    Option<&'static str>,
    Option<(u32, u32)>,
    Option<f64>,
    Option<u32>,
    Option<u8>,
);

const CASES: &[Case] = &[
    (
        "h264, cropped",
        MediaKind::Video,
        "170000000001640028ffe1001b67640028acd940780227e5c044000003000400000300f03c60c65801000668ebe3cb22c0fdf8f800",
        (
            Some("High"),
            Some("4.0"),
            Some((1920, 1080)),
            Some(30.0),
            None,
            None,
        ),
    ),
    (
        "h264, of another time base",
        MediaKind::Video,
        "17000000000142c01effe100186742c01ed900a02ff9701100000303e90000ea600f162e4801000568cb83cb20",
        (
            Some("Constrained Baseline"),
            Some("3.0"),
            Some((640, 360)),
            Some(29.97),
            None,
            None,
        ),
    ),
    (
        "h264, in fields, 4:2:2",
        MediaKind::Video,
        "1700000000017a001effe1001a677a001eb6cd940b424d808800000300080000030190f8a14cb001000668fba3cb22c0fefafa00",
        (
            Some("High 4:2:2"),
            Some("3.0"),
            Some((720, 576)),
            Some(25.0),
            None,
            None,
        ),
    ),
    (
        "hevc, ten bits",
        MediaKind::Video,
        "906876633101022000000090000000000078f000fcfdfafa00000f04200001001840010c01ffff022000000300900000030000030078959809210001002a420101022000000300900000030000030078a00280802d1365959a4932bc05a02000000300200000064122000100074401c172b46240",
        (
            Some("Main 10"),
            Some("4.0"),
            Some((1280, 720)),
            None,
            None,
            None,
        ),
    ),
    (
        "hevc, cropped",
        MediaKind::Video,
        "906876633101016000000090000000000078f000fcfdf8f800000f04200001001840010c01ffff016000000300900000030000030078959809210001002c420101016000000300900000030000030078a002ac80301d796566924caf016808000003000800000301904022000100074401c172b46240",
        (
            Some("Main"),
            Some("4.0"),
            Some((1366, 768)),
            None,
            None,
            None,
        ),
    ),
    (
        "av1",
        MediaKind::Video,
        "906176303181010c000a0c0200000d6627fb3805f00080",
        (
            Some("Main"),
            Some("2.1"),
            Some((640, 360)),
            None,
            None,
            None,
        ),
    ),
    (
        "aac",
        MediaKind::Audio,
        "af00121056e500",
        (Some("LC"), None, None, None, Some(44_100), Some(2)),
    ),
    (
        "aac, six channels",
        MediaKind::Audio,
        "af0011b056e500",
        (Some("LC"), None, None, None, Some(48_000), Some(6)),
    ),
    (
        "he-aac, told at once",
        MediaKind::Audio,
        "af002b920800",
        (Some("HE-AAC"), None, None, None, Some(44_100), Some(2)),
    ),
    (
        "he-aac, told behind",
        MediaKind::Audio,
        "af00139056e5a0",
        (Some("HE-AAC"), None, None, None, Some(44_100), Some(2)),
    ),
    (
        "he-aac of two kinds",
        MediaKind::Audio,
        "af00eb8a0800",
        (Some("HE-AACv2"), None, None, None, Some(44_100), Some(2)),
    ),
    (
        "a rate of its own",
        MediaKind::Audio,
        "af00178056e110",
        (Some("LC"), None, None, None, Some(44_482), Some(2)),
    ),
    (
        "opus",
        MediaKind::Audio,
        "904f7075734f707573486561640102380180bb0000000000",
        (None, None, None, None, Some(48_000), Some(2)),
    ),
    (
        "flac",
        MediaKind::Audio,
        "90664c6143040004000000000010980bb802f00000000000000000000000000000000000000000",
        (None, None, None, None, Some(48_000), Some(2)),
    ),
    (
        "h264 whose parameter set is cut",
        MediaKind::Video,
        "170000000001640028ffe1001b6764",
        (Some("High"), Some("4.0"), None, None, None, None),
    ),
    (
        "no description",
        MediaKind::Video,
        "1700000000",
        (None, None, None, None, None, None),
    ),
    (
        "a frame",
        MediaKind::Video,
        "1701000000640028",
        (None, None, None, None, None, None),
    ),
];

fn described(kind: MediaKind, payload: &[u8]) -> Description {
    Description::of(&Shape::of(kind, payload), payload)
}

#[test]
fn headers_of_encoders_are_understood() {
    for &(name, kind, header, expected) in CASES {
        let payload = hex::decode(header).unwrap();
        let said = described(kind, &payload);
        let hundredths = |rate: f64| (rate * 100.0).round() / 100.0;
        let picture = said.picture.map(|picture| (picture.width, picture.height));
        assert_eq!(
            (
                said.profile.as_deref(),
                said.level.as_deref(),
                picture,
                said.frame_rate.map(hundredths),
                said.sample_rate,
                said.channels,
            ),
            expected,
            "{name}"
        );
    }
}

proptest! {
    /// Whatever comes is read to some end, and a size that is told is one that a picture may have.
    #[test]
    fn anything_is_read(
        case in 0..CASES.len(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(), more in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let (_, kind, header, _) = CASES[case];
        let mut payload = hex::decode(header).unwrap();
        payload.extend(more);
        for (place, byte) in changes {
            let place = place.index(payload.len());
            payload[place] = byte;
        }
        payload.truncate(cut.index(payload.len() + 1));
        if let Some(picture) = described(kind, &payload).picture {
            prop_assert!(u64::from(picture.width.max(picture.height)) <= SIDE_MAX);
        }
    }
}
