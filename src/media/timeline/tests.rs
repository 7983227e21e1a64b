//! The short way of a frame that goes on, against the long one; `tests/timeline` has what a timeline is to do.

use super::*;
use proptest::prelude::*;

/// A track, the step of its stamp, and the time that passes before the next frame.
fn frame() -> impl Strategy<Value = (Track, i64, u64)> {
    let step = prop_oneof![
        8 => 1..60i64,
        1 => -700..=0i64,
        1 => 500..3_000i64,
    ];
    let passes = prop_oneof![9 => 0..40u64, 1 => 0..9_000u64];
    (
        prop::sample::select(vec![Track::VIDEO, Track::AUDIO]),
        step,
        passes,
    )
}

#[test]
fn a_frame_behind_another_one_goes_on() {
    let mut timeline = Timeline::default();
    let shape = Shape::of(MediaKind::Audio, &[0xAF, 1, 0x21]);
    for (wire, expected) in [(5000, 0), (5021, 21)] {
        let placed = timeline.place(&shape, wire, None, Duration::ZERO);
        assert_eq!(placed.dts, expected);
    }
    let clock = timeline.tracks.clock(Track::AUDIO);
    let mut place = |src| timeline.epochs.go_on(clock, src, 21, Duration::ZERO);
    assert_eq!(place(5042), Some(42));
    assert_eq!(
        (place(5042), place(7000)),
        (None, None),
        "a clamp, and a jump"
    );
}

proptest! {
    /// The short way of the frames that go on leaves everything as the long way does.
    #[test]
    fn a_frame_that_goes_on_is_placed_as_any_other(
        frames in prop::collection::vec(frame(), 1..200),
        keeps_gaps in any::<bool>(),
    ) {
        let gap = if keeps_gaps { GapPolicy::Wall } else { GapPolicy::Compress };
        let mut timeline = Timeline::new(gap);
        let (mut stamps, mut now) = ([100_000i64; 2], Duration::ZERO);
        for (track, step, passes) in frames {
            let stamp = &mut stamps[usize::from(track == Track::AUDIO)];
            *stamp += step;
            let wire = u32::try_from(*stamp).unwrap_or_default();
            let mut long = timeline.clone();
            let clock = long.tracks.clock(track);
            let src = long.unwrap.place(wire, clock.source().or(long.source));
            long.source = Some(src);
            let heard = clock.hear(src, wire, now);
            let mut short = long.clone();
            let (dts, late) = long.place_anew(track, src, heard, None, now);
            if heard.verdict != Verdict::Stuck
                && let Some(newest) = short.front.newest
                && short.tracks.clock(track).stamping == Stamping::Source
                && let Some(going_on) =
                    short.epochs.go_on(short.tracks.clock(track), src, newest, now)
            {
                prop_assert_eq!((going_on, 0), (dts, late));
                prop_assert_eq!(format!("{short:?}"), format!("{long:?}"));
            }
            let payload: &[u8] = if track == Track::AUDIO { &[0xAF, 1] } else { &[0x22, 1] };
            let shape = Shape::of(track.kind, payload);
            prop_assert_eq!(timeline.place(&shape, wire, None, now).dts, dts);
            now += Duration::from_millis(passes);
        }
    }
}
