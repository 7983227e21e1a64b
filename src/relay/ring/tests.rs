//! What a ring keeps, and where a target may begin.

use super::*;
use crate::media::Codec;
use crate::relay::testing::{aac_header, audio, avc_header, inter, key, metadata};

const SECOND: Duration = Duration::from_secs(1);

fn filled(tags: impl IntoIterator<Item = Tag>) -> Ring {
    let mut ring = Ring::new(RingLimits::default());
    for tag in tags {
        ring.append(tag, Duration::ZERO);
    }
    ring
}

#[test]
fn a_keyframe_is_a_start_with_the_headers_in_force_there() {
    let ring = filled([metadata(), avc_header(1), aac_header(), key(0), inter(33)]);
    let start = ring.newest_start().unwrap();
    assert_eq!((start.place, start.dts), (3, 0));
    assert_eq!(start.headers.iter().count(), 3);
}

#[test]
fn pictures_before_the_first_keyframe_are_not_kept() {
    let mut ring = filled([avc_header(1)]);
    assert_eq!(
        ring.append(inter(0), Duration::ZERO),
        Appended::BeforeKeyframe
    );
    assert_eq!(
        ring.append(audio(0), Duration::ZERO),
        Appended::BeforeKeyframe
    );
    assert_eq!(ring.append(key(40), Duration::ZERO), Appended::Kept);
    assert_eq!(ring.append(audio(41), Duration::ZERO), Appended::Kept);
}

#[test]
fn a_keyframe_without_its_header_is_no_start() {
    assert!(filled([key(0)]).newest_start().is_none());
}

#[test]
fn a_repeated_header_is_left_out_and_a_changed_one_is_in_order() {
    let mut ring = filled([avc_header(1), key(0)]);
    assert_eq!(ring.append(avc_header(1), SECOND), Appended::Repeated);
    assert_eq!(ring.append(avc_header(2), SECOND), Appended::Kept);
    ring.append(key(40), SECOND);
    let start = ring.newest_start().unwrap();
    assert_eq!(start.place, 3);
    assert_eq!(
        start.headers.iter().next().unwrap().payload,
        avc_header(2).payload
    );
}

#[test]
fn audio_alone_starts_after_a_second_at_its_first_frame() {
    let mut ring = filled([aac_header(), audio(0)]);
    ring.append(audio(900), Duration::from_millis(900));
    assert!(ring.newest_start().is_none());
    ring.append(audio(1000), SECOND);
    assert_eq!(ring.newest_start().unwrap().place, 1);
    ring.append(audio(1500), SECOND * 2);
    assert_eq!(ring.newest_start().unwrap().dts, 1500);
    ring.append(audio(2400), SECOND * 2);
    assert_eq!(ring.newest_start().unwrap().dts, 1500);
    ring.append(audio(2500), SECOND * 3);
    assert_eq!(ring.newest_start().unwrap().dts, 2500);
}

#[test]
fn video_alone_starts_at_once() {
    assert!(filled([avc_header(1), key(0)]).newest_start().is_some());
}

#[test]
fn whole_gops_leave_when_the_window_is_covered_without_them() {
    let mut ring = filled([avc_header(1)]);
    for gop in 0..10 {
        ring.append(key(gop * 2000), SECOND);
        ring.append(inter(gop * 2000 + 1000), SECOND);
    }
    // The open GOP begins at 18 s, so two complete ones cover the 4 s before it.
    let oldest = ring.at(ring.first()).unwrap();
    assert_eq!((oldest.shape.class, oldest.dts), (Class::Keyframe, 14_000));
    assert_eq!(ring.newest_start().unwrap().dts, 18_000);
}

#[test]
fn one_complete_gop_stays_however_long_it_is() {
    let ring = filled([
        avc_header(1),
        key(0),
        inter(9_000),
        key(20_000),
        inter(29_000),
    ]);
    assert_eq!(ring.at(ring.first()).unwrap().dts, 0);
    let ring = filled([avc_header(1), key(0), key(20_000), key(40_000)]);
    assert_eq!(ring.at(ring.first()).unwrap().dts, 20_000);
}

#[test]
fn a_gop_over_the_cap_is_no_start_and_the_ring_stays_bounded() {
    let limits = RingLimits {
        bytes: 10 * (TAG_OVERHEAD_BYTES + 16),
        ..RingLimits::default()
    };
    let mut ring = Ring::new(limits);
    ring.append(avc_header(1), SECOND);
    ring.append(key(0), SECOND);
    for frame in 1..100 {
        ring.append(inter(frame * 33), SECOND);
        assert!(ring.bytes() <= limits.bytes);
    }
    assert!(ring.newest_start().is_none());
    ring.append(key(4000), SECOND);
    assert_eq!(ring.newest_start().unwrap().dts, 4000);
}

#[test]
fn a_stream_of_keyframes_remembers_a_bounded_number_of_starts() {
    let mut ring = filled([avc_header(1)]);
    for frame in 0..5_000 {
        ring.append(key(frame), SECOND);
    }
    assert!(ring.starts.len() <= RING_GOPS_MAX);
}

#[test]
fn a_new_publisher_must_show_a_keyframe_first() {
    let mut ring = filled([avc_header(1), key(0), inter(33)]);
    ring.interrupt();
    assert!(ring.newest_start().is_none());
    assert_eq!(
        ring.append(key(50), SECOND),
        Appended::BeforeKeyframe,
        "the header of the one before does not count"
    );
    assert_eq!(ring.append(avc_header(1), SECOND), Appended::Repeated);
    assert_eq!(ring.append(inter(66), SECOND), Appended::BeforeKeyframe);
    assert_eq!(ring.append(key(99), SECOND), Appended::Kept);
    assert_eq!(ring.newest_start().unwrap().headers.iter().count(), 1);
}

#[test]
fn the_headers_of_a_new_publisher_come_again_where_they_differ() {
    let mut ring = filled([metadata(), avc_header(1), aac_header(), key(0)]);
    ring.interrupt();
    assert_eq!(ring.append(metadata(), SECOND), Appended::Repeated);
    assert_eq!(ring.append(avc_header(2), SECOND), Appended::Kept);
    assert_eq!(
        ring.append(avc_header(1), SECOND),
        Appended::Kept,
        "those who read were given another one meanwhile"
    );
    // It is gone again before it has begun.
    ring.interrupt();
    assert_eq!(ring.append(avc_header(1), SECOND), Appended::Repeated);
    ring.append(key(40), SECOND);
    let start = ring.newest_start().unwrap();
    assert_eq!(start.headers.iter().count(), 1);
    assert_eq!(
        ring.append(aac_header(), SECOND),
        Appended::Kept,
        "who has begun here was not given it"
    );
}

#[test]
fn sound_waits_for_pictures_behind_a_publisher_that_had_them() {
    let millis = Duration::from_millis;
    let mut ring = filled([avc_header(1), aac_header(), key(0), audio(10)]);
    for _ in 0..2 {
        ring.interrupt();
        ring.append(aac_header(), SECOND);
        assert_eq!(ring.append(audio(50), SECOND), Appended::BeforeKeyframe);
    }
    let almost = SECOND + millis(999);
    assert_eq!(ring.append(audio(950), almost), Appended::BeforeKeyframe);
    assert_eq!(ring.append(audio(980), SECOND * 2), Appended::Kept);
    let start = ring.newest_start().unwrap();
    assert_eq!(start.dts, 980, "it is a stream of sound now");
    ring.interrupt();
    ring.append(aac_header(), SECOND * 3);
    assert_eq!(ring.append(audio(1000), SECOND * 3), Appended::Kept);
}

#[test]
fn another_codec_ends_what_a_session_may_be_given() {
    let hevc = |payload: &'static [u8]| Tag {
        shape: Shape::of(MediaKind::Video, payload),
        dts: 80,
        payload: payload.into(),
    };
    let mut ring = filled([avc_header(1), aac_header(), key(0), audio(10)]);
    let before = ring.lineup();
    let (header, keyframe) = (hevc(b"\x90hvc1\x01"), hevc(b"\x91hvc1\0\0\0\x26"));
    assert!(!ring.changes_codec(&avc_header(1).shape));
    assert!(ring.changes_codec(&header.shape));
    ring.change_codec(&header.shape);
    assert_eq!((ring.end_of(before), ring.end()), (4, 4));
    assert!(ring.newest_start().is_none());
    ring.append(header, SECOND);
    assert_eq!(ring.append(audio(60), SECOND), Appended::BeforeKeyframe);
    ring.append(keyframe, SECOND);
    let start = ring.newest_start().unwrap();
    assert_eq!(start.lineup, ring.lineup());
    let headers: Vec<_> = start.headers.iter().map(|tag| tag.shape.codec).collect();
    assert_eq!(headers, [Codec::Hevc, Codec::Aac]);
}

#[test]
fn what_nobody_reads_goes_up_to_the_newest_start_before_a_place() {
    let mut ring = filled([avc_header(1), key(0), inter(40), key(80), inter(120)]);
    ring.append(key(160), SECOND);
    ring.let_go(0);
    assert_eq!(ring.first(), 0);
    ring.let_go(4);
    assert_eq!(ring.first(), 3, "the keyframe at 80 ms");
    ring.let_go(3);
    assert_eq!(ring.first(), 3);
    assert_eq!(ring.bytes(), 3 * (TAG_OVERHEAD_BYTES + 6));
    ring.let_go(u64::MAX);
    assert_eq!(ring.newest_start().map(|start| start.place), Some(5));
    assert_eq!((ring.first(), ring.end()), (5, 6));
    assert_eq!(ring.gop_ms(), Some(80), "it is known all the same");
}
