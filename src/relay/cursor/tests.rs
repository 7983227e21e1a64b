mod modes;

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
    let mut cursor = Cursor::default();
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
    let mut cursor = Cursor::default();
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
    let mut cursor = Cursor::default();
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
    let mut cursor = Cursor::default();
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
    assert_eq!(cursor.left_out().overtaken, 10);
}

#[test]
fn pictures_that_join_an_audio_stream_wait_for_their_keyframe() {
    let mut ring = filled([aac_header(), audio(0)]);
    ring.append(audio(1000), Duration::from_secs(1));
    let mut cursor = Cursor::default();
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

fn hevc_header() -> Tag {
    let payload = b"\x90hvc1\x01";
    Tag {
        shape: crate::media::Shape::of(MediaKind::Video, payload),
        dts: 60,
        payload: payload[..].into(),
    }
}

#[test]
fn a_targets_clock_begins_where_it_is_told_to() {
    let ring = filled([
        avc_header(1),
        aac_header(),
        key(500),
        audio(480),
        inter(533),
    ]);
    let mut cursor = Cursor::new(LineupId::default(), 0xFF_FFF0);
    let times: Vec<_> = drained(&mut cursor, &ring)
        .iter()
        .map(|got| got.1)
        .collect();
    assert_eq!(times, [0xFF_FFF0, 0xFF_FFF0, 0xFF_FFF0, 0x100_0011]);
}

#[test]
fn a_session_ends_before_its_clock_does_at_a_start_point_or_anywhere() {
    let minute = 60_000;
    assert_eq!(CLOCK_RECYCLE_MS, (1 << 31) - 120 * minute);
    assert_eq!(CLOCK_MAX_MS, (1 << 31) - 30 * minute);
    let clock = u32::try_from(CLOCK_RECYCLE_MS).unwrap();
    let begun = || Cursor::new(LineupId::default(), clock - 1000);
    let mut ring = filled([avc_header(1), key(0), inter(999)]);
    let (mut cursor, mut late) = (begun(), begun());
    assert_eq!(drained(&mut cursor, &ring).len(), 3);
    assert_eq!(drained(&mut late, &ring).len(), 3);
    for tag in [inter(1033), key(1066), inter(1100)] {
        ring.append(tag, Duration::ZERO);
    }
    let mut last = 0;
    for _ in 0..2 {
        let reached = cursor.drain(&ring, ALL, |_, at| last = at);
        assert_eq!(reached, Reached::Recycle(Recycle::Clock));
        assert_eq!(last, clock + 33, "it is whole up to the keyframe");
    }
    let mut next = Cursor::new(LineupId::default(), 0);
    let expected = [
        (Class::SequenceHeader, 0),
        (Class::Keyframe, 0),
        (Class::Inter, 34),
    ];
    assert_eq!(drained(&mut next, &ring), expected);

    // A GOP that does not end.
    let mut ring = filled([avc_header(1), key(0), inter(999)]);
    assert_eq!(drained(&mut late, &ring).len(), 0);
    let left = CLOCK_MAX_MS - i64::from(clock) + 1000;
    for dts in [left - 1, left, left + (1 << 40)] {
        ring.append(inter(dts), Duration::ZERO);
    }
    let reached = late.drain(&ring, ALL, |_, at| last = at);
    assert_eq!(reached, Reached::Recycle(Recycle::Clock));
    assert_eq!(i64::from(last), CLOCK_MAX_MS - 1);
}

#[test]
fn a_session_is_given_nothing_from_behind_another_codec() {
    let mut ring = filled([avc_header(1), key(0), inter(33)]);
    let before = ring.lineup();
    let mut slow = Cursor::new(before, 0);
    let mut waiting = Cursor::new(before, 0);
    slow.drain(&ring, 1, |_, _| {});
    ring.change_codec(&hevc_header().shape);
    ring.append(hevc_header(), Duration::ZERO);
    let mut got = Vec::new();
    let reached = slow.drain(&ring, ALL, |tag, _| got.push(tag.shape.class));
    assert_eq!(reached, Reached::Recycle(Recycle::Codec));
    assert_eq!(got.last(), Some(&Class::Inter), "all before it");
    assert_eq!(waiting.drain(&ring, ALL, |_, _| {}), Reached::NoStart);
    let payload = b"\x91hvc1\0\0\0\x26";
    let keyframe = Tag {
        shape: crate::media::Shape::of(MediaKind::Video, payload),
        dts: 60,
        payload: payload[..].into(),
    };
    ring.append(keyframe, Duration::ZERO);
    let reached = waiting.drain(&ring, ALL, |_, _| panic!("it is not for it"));
    assert_eq!(reached, Reached::Recycle(Recycle::Codec));
    let mut next = Cursor::new(ring.lineup(), 0);
    let expected = [(Class::SequenceHeader, 0), (Class::Keyframe, 0)];
    assert_eq!(drained(&mut next, &ring), expected);
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
        let mut cursor = Cursor::default();
        ring.append(avc_header(1), Duration::ZERO);
        let (mut dts, mut last, mut skipped, mut begun) = (0, 0, 0, false);
        for (action, budget) in script {
            dts += 20;
            let tag = match action { 0 => key(dts), 1..=3 => inter(dts), _ => audio(dts) };
            ring.append(tag, Duration::ZERO);
            if action != 7 { continue; }
            let mut got = Vec::new();
            cursor.drain(&ring, budget, |tag, at| got.push((tag.shape.class, at)));
            if !begun || cursor.left_out().overtaken > skipped {
                let first_media = got.iter().find(|got| got.0.is_frame());
                prop_assert!(first_media.is_none_or(|got| got.0 == Class::Keyframe));
                prop_assert!(got.first().is_none_or(|got| got.0 == Class::SequenceHeader));
            }
            skipped = cursor.left_out().overtaken;
            begun |= !got.is_empty();
            for (_, at) in got {
                prop_assert!(at >= last);
                last = at;
            }
        }
    }
}
