//! Whatever is sent, the promises are kept; `fuzz` holds the timeline to the same ones.

use crate::promises;
use crate::script::{Sent, placed, total};
use aqueduct::media::timeline::GapPolicy;
use aqueduct::media::{Class, MediaKind, Track, TrackId};
use proptest::prelude::*;
use std::collections::HashMap;

/// How one stamp relates to the ones before.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// From the track's last one.
    By(i32),
    /// Anything.
    To(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1i32..60).prop_map(Step::By),
        2 => (-40i32..80).prop_map(Step::By),
        1 => Just(Step::By(0)),
        1 => (-2000i32..3000).prop_map(Step::By),
        1 => prop::sample::select(vec![-60_000, 60_000, -501, -500, -499, 999, 1000, 1001, 1035])
            .prop_map(Step::By),
        1 => any::<u32>().prop_map(Step::To),
    ]
}

fn pause() -> impl Strategy<Value = u64> {
    prop_oneof![12 => 0u64..40, 1 => 0u64..8000]
}

fn tag() -> impl Strategy<Value = (u8, Class, Step, u64, Option<i32>, bool)> {
    let class = prop_oneof![
        12 => Just(Class::Inter), 1 => Just(Class::Mark), 1 => Just(Class::EndOfSequence), 1 => Just(Class::Script)
    ];
    let cts = prop::option::weighted(
        0.7,
        prop_oneof![4 => -100i32..200, 1 => -8_388_608..8_388_608],
    );
    (
        0u8..6,
        class,
        step(),
        pause(),
        cts,
        prop::bool::weighted(0.01),
    )
}

/// Anything that a publisher might send.
fn anything() -> impl Strategy<Value = Vec<Sent>> {
    prop::collection::vec(tag(), 1..400).prop_map(|tags| {
        let mut last: HashMap<Track, u32> = HashMap::new();
        let mut at = 0;
        let mut sent = |(number, class, step, pause, cts, begins)| {
            let track = match number {
                0 | 1 => Track::AUDIO,
                2..=4 => Track::VIDEO,
                _ => Track {
                    kind: MediaKind::Video,
                    id: TrackId::One(1),
                },
            };
            let (track, class) = match (track.kind, class) {
                (_, Class::Script) => (Track::DATA, class),
                (MediaKind::Audio, Class::Inter) => (track, Class::Audio),
                _ => (track, class),
            };
            let before = last.entry(track).or_default();
            *before = match step {
                Step::By(by) => before.wrapping_add_signed(by),
                Step::To(to) => to,
            };
            at += pause;
            Sent {
                track,
                class,
                wire: *before,
                at,
                cts,
                begins,
            }
        };
        tags.into_iter().map(&mut sent).collect()
    })
}

fn any_policy() -> impl Strategy<Value = GapPolicy> {
    prop_oneof![Just(GapPolicy::Compress), Just(GapPolicy::Wall)]
}

proptest! {
    #[test]
    fn every_track_rises_strictly(sent in anything(), gap in any_policy()) {
        promises::every_track_rises(gap, &sent);
    }

    #[test]
    fn the_front_moves_by_a_second_at_the_most(sent in anything()) {
        promises::front_moves_by_a_second_at_most(&sent);
    }

    #[test]
    fn headers_stand_between_frames(sent in anything(), gap in any_policy()) {
        promises::headers_stand_between_frames(gap, &sent);
    }

    #[test]
    fn composition_times_stay_in_range(sent in anything(), gap in any_policy()) {
        promises::composition_times_stay_in_range(gap, &sent);
    }

    /// A good stream is left alone, however its packets arrive.
    #[test]
    fn good_input_is_left_alone(
        start in 0i64..0x7000_0000, audio in prop::collection::vec(1i64..200, 1..200),
        video in prop::collection::vec(1i64..500, 1..200), lag in -400i64..400, pauses in prop::collection::vec(pause(), 400),
    ) {
        let mut frames = Vec::new();
        for (track, steps, lag) in [(Track::AUDIO, audio, lag), (Track::VIDEO, video, 0)] {
            let mut moment = 0;
            for step in steps {
                moment += step;
                frames.push((moment + lag, moment, track));
            }
        }
        frames.sort_by_key(|frame| frame.0);
        let mut at = 0;
        let sent: Vec<_> = frames.iter().zip(pauses).map(|(&(_, moment, track), pause)| {
            at += pause;
            let mut frame = crate::script::frame(track, start + moment, at as i64);
            frame.cts = Some(66);
            frame
        }).collect();
        let all = placed(GapPolicy::Compress, &sent);
        let first = i64::from(sent[0].wire);
        for (sent, placed) in sent.iter().zip(&all) {
            prop_assert_eq!(placed.dts, i64::from(sent.wire) - first);
            prop_assert_eq!(placed.cts, Some(66));
        }
        prop_assert_eq!(total(&all).total(), 0);
    }

    #[test]
    fn every_repair_is_counted(sent in anything(), gap in any_policy()) {
        promises::every_repair_is_counted(gap, &promises::far_from_wraps(sent));
    }

    #[test]
    fn repairing_twice_changes_nothing(sent in anything()) {
        promises::repairing_twice_changes_nothing(&sent);
    }
}
