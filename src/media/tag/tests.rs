use super::*;
use proptest::prelude::*;

fn class_of(kind: MediaKind, payload: &[u8]) -> (Class, Codec, TrackId) {
    let shape = Shape::of(kind, payload);
    (shape.class, shape.codec, shape.track.id)
}

#[test]
fn video_tags_are_told_apart_by_their_first_bytes() {
    use Class::*;
    const T0: TrackId = TrackId::One(0);
    let ex = |tail: &[u8]| tail.to_vec();
    type Case = (&'static str, Vec<u8>, (Class, Codec, TrackId));
    let cases: Vec<Case> = vec![
        (
            "avc header",
            vec![0x17, 0, 0, 0, 0, 1],
            (SequenceHeader, Codec::Avc, T0),
        ),
        (
            "avc keyframe",
            vec![0x17, 1, 0, 0, 0],
            (Keyframe, Codec::Avc, T0),
        ),
        ("avc inter", vec![0x27, 1, 0, 0, 0], (Inter, Codec::Avc, T0)),
        (
            "avc disposable",
            vec![0x37, 1, 0, 0, 0],
            (Disposable, Codec::Avc, T0),
        ),
        (
            "avc inter that is no reference",
            vec![0x27, 1, 0, 0, 0, 0, 0, 0, 2, 0x01, 0x9A],
            (Disposable, Codec::Avc, T0),
        ),
        (
            "avc keyframe, whatever its units say",
            vec![0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x01, 0x9A],
            (Keyframe, Codec::Avc, T0),
        ),
        (
            "avc inter that is a reference",
            vec![0x27, 1, 0, 0, 0, 0, 0, 0, 2, 0x41, 0x9A],
            (Inter, Codec::Avc, T0),
        ),
        (
            "avc end",
            vec![0x17, 2, 0, 0, 0],
            (EndOfSequence, Codec::Avc, T0),
        ),
        (
            "a header marked as inter is still a header",
            vec![0x27, 0, 0, 0, 0],
            (SequenceHeader, Codec::Avc, T0),
        ),
        (
            "id 12 header",
            vec![0x1C, 0, 0, 0, 0],
            (SequenceHeader, Codec::Hevc, T0),
        ),
        (
            "id 12 keyframe",
            vec![0x1C, 1, 0, 0, 0],
            (Keyframe, Codec::Hevc, T0),
        ),
        (
            "id 13 is opaque",
            vec![0x1D, 0],
            (Keyframe, Codec::Legacy(13), T0),
        ),
        ("sorenson inter", vec![0x22], (Inter, Codec::Legacy(2), T0)),
        ("seek command", vec![0x57, 0], (Mark, Codec::Avc, T0)),
        (
            "hvc1 header",
            ex(b"\x90hvc1\x01"),
            (SequenceHeader, Codec::Hevc, T0),
        ),
        (
            "hvc1 keyframe",
            ex(b"\x91hvc1\0\0\0"),
            (Keyframe, Codec::Hevc, T0),
        ),
        (
            "hvc1 inter without cts",
            ex(b"\xA3hvc1"),
            (Inter, Codec::Hevc, T0),
        ),
        (
            "hvc1 disposable",
            ex(b"\xB1hvc1\0\0\0"),
            (Disposable, Codec::Hevc, T0),
        ),
        (
            "hvc1 inter that is no reference, behind its cts",
            ex(b"\xA1hvc1\0\0\0\0\0\0\x02\x00\x01"),
            (Disposable, Codec::Hevc, T0),
        ),
        (
            "avc1 inter that is no reference, without cts",
            ex(b"\xA3avc1\0\0\0\x02\x01\x9A"),
            (Disposable, Codec::Avc, T0),
        ),
        (
            "hvc1 end",
            ex(b"\x92hvc1"),
            (EndOfSequence, Codec::Hevc, T0),
        ),
        (
            "colour data, whatever its frame type",
            ex(b"\xD4hvc1"),
            (VideoMetadata, Codec::Hevc, T0),
        ),
        (
            "av1 ts header",
            ex(b"\x95av01"),
            (SequenceHeader, Codec::Av1, T0),
        ),
        ("vp9 keyframe", ex(b"\x91vp09"), (Keyframe, Codec::Vp9, T0)),
        (
            "unknown codec",
            ex(b"\x91abcd"),
            (Keyframe, Codec::FourCc(*b"abcd"), T0),
        ),
        (
            "enhanced command has no FourCC",
            ex(b"\xD1\x00"),
            (Mark, Codec::None, T0),
        ),
        (
            "mod ex of 3 bytes",
            ex(b"\x97\x02\x00\x00\x05\x01hvc1"),
            (Keyframe, Codec::Hevc, T0),
        ),
        (
            "one track",
            ex(b"\x96\x01avc1\x03\0\0\0"),
            (Keyframe, Codec::Avc, TrackId::One(3)),
        ),
        (
            "one track's header",
            ex(b"\x96\x00avc1\x03\0\0\0"),
            (SequenceHeader, Codec::Avc, TrackId::One(3)),
        ),
        (
            "many tracks",
            ex(b"\xA6\x11avc1\x00"),
            (Inter, Codec::Avc, TrackId::Several),
        ),
        (
            "many codecs",
            ex(b"\x96\x21hvc1\x00"),
            (Keyframe, Codec::None, TrackId::Several),
        ),
        (
            "multitrack in multitrack",
            ex(b"\x96\x06avc1\x00"),
            (Malformed, Codec::None, T0),
        ),
        (
            "cut in the FourCC",
            ex(b"\x91hvc"),
            (Malformed, Codec::None, T0),
        ),
        (
            "cut after the codec id",
            vec![0x17],
            (Malformed, Codec::None, T0),
        ),
        (
            "packet type 9",
            ex(b"\x99hvc1"),
            (Malformed, Codec::None, T0),
        ),
        ("empty", vec![], (Mark, Codec::None, T0)),
    ];
    for (name, payload, expected) in cases {
        assert_eq!(class_of(MediaKind::Video, &payload), expected, "{name}");
    }
}

#[test]
fn audio_tags_are_told_apart_by_their_first_bytes() {
    use Class::*;
    const T0: TrackId = TrackId::One(0);
    type Case = (&'static str, &'static [u8], (Class, Codec, TrackId));
    let cases: Vec<Case> = vec![
        (
            "aac header",
            b"\xAF\x00\x12\x10",
            (SequenceHeader, Codec::Aac, T0),
        ),
        ("aac frame", b"\xAF\x01\x21", (Audio, Codec::Aac, T0)),
        ("aac cut", b"\xAF", (Malformed, Codec::None, T0)),
        ("mp3", b"\x2F", (Audio, Codec::Mp3, T0)),
        ("speex", b"\xB2\x00", (Audio, Codec::Legacy(11), T0)),
        (
            "opus header",
            b"\x90Opus",
            (SequenceHeader, Codec::Opus, T0),
        ),
        ("opus frame", b"\x91Opus\x01", (Audio, Codec::Opus, T0)),
        ("opus end", b"\x92Opus", (EndOfSequence, Codec::Opus, T0)),
        (
            "channels",
            b"\x94Opus\x01\x02",
            (ChannelLayout, Codec::Opus, T0),
        ),
        (
            "second track",
            b"\x95\x01mp4a\x01\x00",
            (Audio, Codec::Aac, TrackId::One(1)),
        ),
        ("silence", b"", (Mark, Codec::None, T0)),
    ];
    for (name, payload, expected) in cases {
        assert_eq!(class_of(MediaKind::Audio, payload), expected, "{name}");
    }
}

#[test]
fn only_on_meta_data_is_kept_of_script_data() {
    let class = |bytes: &[u8]| Shape::of(MediaKind::Data, bytes).class;
    assert_eq!(class(b"\x02\x00\x0aonMetaData\x08"), Class::Metadata);
    assert_eq!(class(b"\x02\x00\x0aonTextData\x08"), Class::Script);
    assert_eq!(class(b""), Class::Script);
}

#[test]
fn a_run_of_mod_ex_is_bounded() {
    let mut payload = vec![0x97];
    for _ in 0..64 {
        payload.extend([0, 0xFF, 0x07]);
    }
    payload.extend(b"\x01hvc1");
    assert_eq!(
        Shape::of(MediaKind::Video, &payload).class,
        Class::Malformed
    );
}

proptest! {
    #[test]
    fn any_bytes_are_classified(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
        for kind in [MediaKind::Video, MediaKind::Audio, MediaKind::Data] {
            let shape = Shape::of(kind, &payload);
            prop_assert_eq!(shape.track.kind, kind);
        }
    }
}
