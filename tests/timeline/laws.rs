//! Laws that hold for any input.

use crate::script::{Placed, Sent, placed, total};
use aqueduct::media::timeline::{GapPolicy, RepairKind, Timeline};
use aqueduct::media::{Class, MediaKind, Track, TrackId};
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

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

/// The same, as a script of one publisher whose clock is far from its wraps, and of frames alone.
fn one_input() -> impl Strategy<Value = Vec<Sent>> {
    anything().prop_map(|mut sent| {
        sent.retain(|tag| tag.class.is_frame());
        for tag in &mut sent {
            tag.begins = false;
            tag.wire = 0x2000_0000 + (tag.wire.wrapping_add(0x0800_0000) & 0x0FFF_FFFF);
        }
        sent
    })
}

fn any_policy() -> impl Strategy<Value = GapPolicy> {
    prop_oneof![Just(GapPolicy::Compress), Just(GapPolicy::Wall)]
}

fn assert_rising(sent: &[Sent], all: &[Placed]) -> Result<(), TestCaseError> {
    let mut last: HashMap<Track, i64> = HashMap::new();
    for (sent, each) in sent.iter().zip(all) {
        if let Some(last) = last.insert(each.track, each.dts) {
            let least = last + i64::from(sent.class.is_frame());
            prop_assert!(each.dts >= least, "{each:?} after {last}");
        }
    }
    Ok(())
}

proptest! {
    /// Every tag has a place; a frame's is above the one before on its track, and no other's is below it.
    #[test]
    fn every_track_rises_strictly(sent in anything(), gap in any_policy()) {
        let all = placed(gap, &sent);
        prop_assert_eq!(all.len(), sent.len());
        assert_rising(&sent, &all)?;
    }

    /// No step of the output is longer than what a CDN takes, measured against the newest frame of any track.
    #[test]
    fn the_front_moves_by_a_second_at_the_most(sent in anything()) {
        let mut newest = None;
        for each in placed(GapPolicy::Compress, &sent).iter().filter(|each| each.track.kind != MediaKind::Data) {
            let before = newest.unwrap_or(each.dts);
            prop_assert!(each.dts <= before + 1000, "{each:?} after {before}");
            newest = Some(before.max(each.dts));
        }
    }

    /// A header stands between its track's last frame and the next one.
    #[test]
    fn headers_stand_between_frames(sent in anything()) {
        let mut timeline = Timeline::default();
        let mut header: HashMap<Track, i64> = HashMap::new();
        for tag in &sent {
            if tag.begins { timeline.begin_input(); }
            let shape = crate::script::shape(tag.track, tag.class);
            let dts = timeline.place(&shape, tag.wire, None, Duration::from_millis(tag.at)).dts;
            if let Some(header) = header.get(&tag.track) {
                prop_assert!(dts >= *header + i64::from(tag.class.is_frame()));
            }
            header.insert(tag.track, timeline.place_of_header(tag.track));
            prop_assert!(header[&tag.track] >= dts);
        }
    }

    /// Composition times stay within what encoders mean, and pictures are shown when they should be wherever that is possible.
    #[test]
    fn composition_times_stay_in_range(sent in anything()) {
        for (sent, placed) in sent.iter().zip(placed(GapPolicy::Compress, &sent)) {
            let (Some(own), Some(cts), true) = (sent.cts, placed.cts, sent.class.is_frame()) else { continue };
            prop_assert!((-5000..=5000).contains(&cts));
            prop_assert!(own < 0 || cts >= 0);
            if placed.repairs.of(RepairKind::Clamp) + placed.repairs.of(RepairKind::Cts) == 0 {
                prop_assert_eq!(cts, own);
            }
        }
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

    /// What is added to a track's stamps changes only where that is counted.
    #[test]
    fn every_repair_is_counted(sent in one_input(), gap in any_policy()) {
        let mut offsets: HashMap<Track, i64> = HashMap::new();
        for (sent, placed) in sent.iter().zip(placed(gap, &sent)) {
            let changed = [RepairKind::Rebase, RepairKind::Gap, RepairKind::Stuck];
            if changed.iter().any(|&kind| placed.repairs.of(kind) > 0) {
                offsets.remove(&sent.track);
            }
            if placed.repairs.of(RepairKind::Clamp) > 0 || placed.repairs.of(RepairKind::Stuck) > 0 {
                continue;
            }
            let offset = placed.dts - i64::from(sent.wire);
            let before = *offsets.entry(sent.track).or_insert(offset);
            prop_assert_eq!(offset, before, "{:?} {:?}", sent, placed);
        }
    }

    /// What comes out is a good stream: run through again, it stays as it is.
    #[test]
    fn repairing_twice_changes_nothing(sent in anything()) {
        let once = placed(GapPolicy::Compress, &sent);
        let again: Vec<_> = sent.iter().zip(&once).map(|(sent, placed)| Sent {
            wire: u32::try_from(placed.dts + 10_000_000).unwrap(),
            cts: placed.cts.filter(|_| sent.class.is_frame()),
            begins: false,
            ..*sent
        }).collect();
        let twice = placed(GapPolicy::Compress, &again);
        for ((once, twice), sent) in once.iter().zip(&twice).zip(&again) {
            prop_assert_eq!(once.dts, twice.dts);
            prop_assert_eq!(sent.cts, twice.cts);
            prop_assert_eq!(twice.repairs.total(), 0, "{:?}", sent);
        }
    }
}
