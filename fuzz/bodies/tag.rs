//! Whatever a body holds: no panic, a shape that fits its medium, a composition time that is read where it is written, and a
//! description of sequence headers alone.

use aqueduct::media::{Class, Codec, Composition, Description, MediaKind, Shape, TrackId};
use bytes::Bytes;

/// The first byte says what the body is, the next three are another composition time, and the rest is the body.
pub fn run(bytes: &[u8]) {
    let [kind, c0, c1, c2, body @ ..] = bytes else {
        return;
    };
    let kind = match kind % 3 {
        0 => MediaKind::Video,
        1 => MediaKind::Audio,
        _ => MediaKind::Data,
    };
    let shape = Shape::of(kind, body);
    check_shape(kind, body, &shape);
    check_beginnings(kind, body);
    let another = i32::from_be_bytes([*c0, *c1, *c2, 0]) >> 8;
    check_composition(&shape, body, another);
    let said = Description::of(&shape, body);
    assert!(said == Description::default() || shape.class == Class::SequenceHeader);
}

fn check_shape(kind: MediaKind, body: &[u8], shape: &Shape) {
    assert_eq!(shape.track.kind, kind);
    let fits = match shape.class {
        Class::Malformed => true,
        Class::Mark => kind != MediaKind::Data,
        Class::Keyframe | Class::Inter | Class::Disposable | Class::VideoMetadata => {
            kind == MediaKind::Video
        }
        Class::Audio | Class::ChannelLayout => kind == MediaKind::Audio,
        Class::SequenceHeader | Class::EndOfSequence => kind != MediaKind::Data,
        Class::Metadata | Class::Script => kind == MediaKind::Data,
    };
    assert!(fits, "{shape:?}");
    let says_enhanced = match (kind, body.first()) {
        (MediaKind::Video, Some(first)) => first & 0x80 != 0,
        (MediaKind::Audio, Some(first)) => first >> 4 == 9,
        _ => false,
    };
    assert_eq!(
        shape.enhanced,
        says_enhanced && shape.class != Class::Malformed
    );
    assert!(
        shape.enhanced || shape.track.id == TrackId::One(0),
        "only the new form has tracks"
    );
    assert!(!(shape.class.is_frame() && shape.class.is_kept()));
    if matches!(shape.codec, Codec::None) {
        let has_none = matches!(
            shape.class,
            Class::Mark | Class::Malformed | Class::Metadata | Class::Script
        );
        assert!(has_none || shape.track.id == TrackId::Several, "{shape:?}");
    }
    if let (true, Some(four_cc)) = (shape.enhanced, shape.codec.four_cc()) {
        assert!(body.windows(4).any(|window| window == four_cc), "{shape:?}");
    }
}

/// A body is judged by its beginning: once that says what it is, nothing that follows changes it.
fn check_beginnings(kind: MediaKind, body: &[u8]) {
    let whole = Shape::of(kind, body);
    for end in 1..body.len().min(64) {
        let cut = Shape::of(kind, &body[..end]);
        let is_known = !matches!(cut.class, Class::Malformed | Class::Script);
        assert!(
            !is_known || cut == whole,
            "{cut:?} of {end} bytes and {whole:?}"
        );
    }
}

fn check_composition(shape: &Shape, body: &[u8], another: i32) {
    let Some(found) = Composition::of(shape, body) else {
        return;
    };
    assert!(shape.class.is_frame() && matches!(shape.codec, Codec::Avc | Codec::Hevc | Codec::Vvc));
    assert_eq!(
        found.write(found.ms(), Bytes::copy_from_slice(body)),
        body,
        "its own changes nothing"
    );
    let written = found.write(another, Bytes::copy_from_slice(body));
    let changed = |at: &usize| written[*at] != body[*at];
    let changed: Vec<usize> = (0..body.len()).filter(changed).collect();
    assert_eq!(written.len(), body.len());
    if let (Some(first), Some(last)) = (changed.first(), changed.last()) {
        assert!(last - first < 3, "three bytes and no others");
    }
    assert_eq!(Shape::of(shape.track.kind, &written), *shape);
    let read = Composition::of(shape, &written).map(Composition::ms);
    assert_eq!(read, Some(another));
}
