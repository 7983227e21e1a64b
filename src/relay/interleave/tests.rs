//! What a target that insists on order is given, and when.

use super::*;
use crate::media::{Class, Shape};
use crate::relay::testing::{aac_header, audio, avc_header, inter, key};
use proptest::prelude::*;

const NOTHING: [u32; 0] = [];

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Pushes tags with their own times; what leaves at once.
fn push(order: &mut Interleave, now: u64, tags: impl IntoIterator<Item = Tag>) -> Vec<u32> {
    for tag in tags {
        let at = u32::try_from(tag.dts).unwrap();
        order.push(&tag, at, millis(now));
    }
    leave(order, now)
}

fn leave(order: &mut Interleave, now: u64) -> Vec<u32> {
    std::iter::from_fn(|| order.pop(millis(now)))
        .map(|(_, at)| at)
        .collect()
}

#[test]
fn a_frame_leaves_once_the_other_track_has_come_as_far() {
    let mut order = Interleave::default();
    assert_eq!(push(&mut order, 0, [avc_header(1), aac_header()]), [0, 0]);
    assert_eq!(push(&mut order, 0, [key(0), inter(33), inter(66)]), NOTHING);
    // In another beat, and each behind what it belongs before.
    assert_eq!(
        push(&mut order, 30, [audio(20), audio(41)]),
        [0, 20, 33, 41]
    );
    assert_eq!(push(&mut order, 60, [inter(99), audio(62)]), [62]);
    assert_eq!(push(&mut order, 90, [audio(83)]), [66, 83]);
    assert_eq!(order.late(), 0);
}

#[test]
fn nothing_waits_for_longer_than_a_tenth_of_a_second() {
    let mut order = Interleave::default();
    assert_eq!(push(&mut order, 0, [key(0), audio(5)]), [0]);
    assert_eq!(order.due(), Some(millis(100)));
    assert_eq!(push(&mut order, 50, [audio(26)]), NOTHING);
    assert_eq!(leave(&mut order, 99), NOTHING);
    assert_eq!(leave(&mut order, 100), [5]);
    assert_eq!(order.due(), Some(millis(150)));
    assert_eq!(leave(&mut order, 150), [26]);
    assert_eq!(order.due(), None);
}

#[test]
fn what_comes_before_those_that_wait_has_no_time_of_its_own() {
    let mut order = Interleave::default();
    assert_eq!(push(&mut order, 0, [key(50)]), NOTHING);
    // It would be first, and the other one has waited long enough.
    assert_eq!(push(&mut order, 90, [inter(60)]), NOTHING);
    assert_eq!(leave(&mut order, 100), [50]);
}

#[test]
fn who_comes_too_late_is_given_a_later_time_and_shown_in_time() {
    let mut order = Interleave::default();
    assert_eq!(push(&mut order, 0, [audio(100)]), NOTHING);
    assert_eq!(leave(&mut order, 100), [100]);
    let picture = |at, cts| {
        let payload: &[u8] = &[0x27, 1, 0, 0, cts, 0x41];
        Tag {
            shape: Shape::of(MediaKind::Video, payload),
            dts: at,
            payload: bytes::Bytes::copy_from_slice(payload),
        }
    };
    order.push(&picture(40, 80), 40, millis(110));
    order.push(&picture(41, 10), 41, millis(110));
    order.push(&picture(200, 80), 200, millis(110));
    order.push(&audio(150), 150, millis(110));
    let given: Vec<_> = std::iter::from_fn(|| order.pop(millis(110)))
        .map(|(tag, at)| {
            (
                at,
                Composition::of(&tag.shape, &tag.payload).map(Composition::ms),
            )
        })
        .collect();
    // 40 + 80 = 100 + 20; 41 + 10 cannot be kept, and stands behind its track's last frame.
    assert_eq!(given, [(100, Some(20)), (101, Some(0)), (150, None)]);
    assert_eq!(order.late(), 2);
}

#[test]
fn one_track_alone_waits_for_nobody() {
    let mut order = Interleave::default();
    for frame in 1..10 {
        assert_eq!(push(&mut order, 0, [inter(frame * 4)]), NOTHING);
    }
    let all: Vec<u32> = (1..=10).map(|frame| frame * 4).collect();
    assert_eq!(push(&mut order, 0, [inter(40)]), all);
    assert_eq!(push(&mut order, 0, [inter(44)]), [44]);
    // The other one is there again.
    assert_eq!(push(&mut order, 0, [audio(30)]), NOTHING);
    assert_eq!(push(&mut order, 10, [inter(48)]), [44]);
    assert_eq!(order.late(), 1);
    let mut slow = Interleave::default();
    assert_eq!(push(&mut slow, 0, [inter(0)]), NOTHING);
    assert_eq!(leave(&mut slow, 100), [0]);
    assert_eq!(push(&mut slow, 1000, [inter(1000)]), [1000]);
}

#[test]
fn headers_are_passed_by_nobody_and_wait_for_nobody() {
    let mut order = Interleave::default();
    assert_eq!(push(&mut order, 0, [inter(40)]), NOTHING);
    assert_eq!(push(&mut order, 10, [avc_header(2)]), [40, 40]);
    assert_eq!(push(&mut order, 10, [key(80), audio(20)]), [40]);
    assert_eq!(order.late(), 1);
}

#[test]
fn what_waits_is_bounded_in_number_and_in_bytes() {
    let mut order = Interleave::default();
    for script in 0..2 * INTERLEAVE_TAGS_MAX {
        let payload: &[u8] = b"\x02\x00\x01x";
        let tag = Tag {
            shape: Shape::of(MediaKind::Data, payload),
            dts: 0,
            payload: payload.into(),
        };
        assert_eq!(tag.shape.class, Class::Script);
        order.push(&tag, script as u32, Duration::ZERO);
        while order.pop(Duration::ZERO).is_some() {}
        assert!(order.held.len() <= INTERLEAVE_TAGS_MAX);
    }
    let mut order = Interleave::default();
    for frame in 0..8 {
        let mut tag = key(frame);
        tag.payload = vec![0x17; INTERLEAVE_BYTES_MAX / 3].into();
        order.push(&tag, frame as u32, Duration::ZERO);
        while order.pop(Duration::ZERO).is_some() {}
        assert!(order.held.len() <= 3);
    }
}

proptest! {
    /// Whatever comes, whenever: nothing is lost, the order is that of the times, each track rises, and nothing waits too long.
    #[test]
    fn order_is_kept_and_nothing_is_lost(
        script in prop::collection::vec((0u8..8, 0i64..80, 0u64..60), 1..200),
    ) {
        let mut order = Interleave::default();
        let (mut now, mut video_at, mut audio_at) = (0, 0, 0);
        let mut given = Vec::new();
        let mut count = 0;
        for (what, step, pause) in script {
            now += pause;
            let tag = match what {
                0..=3 => { video_at += 1 + step; inter(video_at) }
                4..=6 => { audio_at += 1 + step; audio(audio_at) }
                _ => avc_header(1),
            };
            let at = if tag.shape.class.is_kept() { video_at } else { tag.dts };
            order.push(&tag, at as u32, millis(now));
            count += 1;
            given.extend(std::iter::from_fn(|| order.pop(millis(now))));
            prop_assert!(order.due().is_none_or(|due| due > millis(now)));
        }
        order.release();
        given.extend(std::iter::from_fn(|| order.pop(millis(now))));
        prop_assert_eq!(given.len(), count);
        prop_assert!(given.is_sorted_by_key(|given| given.1));
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let of_kind = given.iter().filter(|given| {
                given.0.shape.track.kind == kind && given.0.shape.class.is_frame()
            });
            let at: Vec<u32> = of_kind.map(|given| given.1).collect();
            prop_assert!(at.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
