//! What encoders do to their stamps, one by one: on each track a target sees no step back, no stamp twice, and no step of more
//! than a second.

use crate::script::{Sent, frame, placed, session, steps, total};
use aqueduct::media::timeline::{GapPolicy, RepairKind, Repairs, Symptoms, Timeline};
use aqueduct::media::{MediaKind, Track};
use std::time::Duration;

const MINUTE: i64 = 60_000;

struct Malady {
    name: &'static str,
    sent: Vec<Sent>,
    /// What must have been repaired, by kind; a kind that is not named may have been.
    repairs: &'static [(RepairKind, std::ops::RangeInclusive<u64>)],
    /// How much audio may be shifted against video at the end, in milliseconds.
    shift: i64,
}

/// Numbers from a seed, the same at every run.
fn noise(seed: u64) -> impl FnMut(i64) -> i64 {
    let mut state = seed;
    move |amplitude| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as i64 % (2 * amplitude + 1) - amplitude
    }
}

/// Two sessions of the same publisher, with a pause between them.
fn and_again(first: Vec<Sent>, pause: u64, mut second: Vec<Sent>) -> Vec<Sent> {
    let end = first.last().unwrap().at + pause;
    second.iter_mut().for_each(|tag| tag.at += end);
    second[0].begins = true;
    first.into_iter().chain(second).collect()
}

fn maladies() -> Vec<Malady> {
    use RepairKind::{Clamp, Cts, Gap, Rebase, Stuck, Wrap};
    let mut jitter = noise(1);
    let mut equal = (0, 0);
    vec![
        Malady {
            name: "nothing",
            sent: session(MINUTE, |_, t| 1000 + t),
            repairs: &[
                (Clamp, 0..=0),
                (Rebase, 0..=0),
                (Gap, 0..=0),
                (Wrap, 0..=0),
                (Cts, 0..=0),
                (Stuck, 0..=0),
            ],
            shift: 0,
        },
        Malady {
            name: "1.5 s back for one second in five",
            sent: session(2 * MINUTE, |_, t| {
                10_000 + t - if t % 5000 >= 4000 { 1500 } else { 0 }
            }),
            // Both tracks go 24 times, and come back 23 times.
            repairs: &[(Rebase, 94..=94), (Gap, 0..=0), (Stuck, 0..=0)],
            shift: 0,
        },
        Malady {
            name: "a minute forward every ten seconds",
            sent: session(MINUTE, |_, t| t + t / 10_000 * MINUTE),
            repairs: &[(Rebase, 10..=10), (Clamp, 0..=2)],
            shift: 0,
        },
        Malady {
            name: "a minute back every ten seconds",
            sent: session(MINUTE, |_, t| 1_000_000 + t - t / 10_000 * MINUTE),
            repairs: &[(Rebase, 10..=10), (Clamp, 0..=2)],
            shift: 0,
        },
        Malady {
            name: "a minute to and fro every three seconds",
            sent: session(MINUTE, |_, t| MINUTE + t + t / 3_000 % 2 * MINUTE),
            repairs: &[(Rebase, 38..=38), (Stuck, 0..=0)],
            shift: 0,
        },
        Malady {
            name: "half of all numbers forward",
            sent: session(MINUTE, |_, t| {
                1000 + t + if t < 20_000 { 0 } else { 1 << 31 }
            }),
            repairs: &[(Rebase, 2..=2)],
            shift: 0,
        },
        Malady {
            name: "a wrap of 32 bits",
            sent: session(MINUTE, |_, t| (1 << 32) - 20_000 + t),
            repairs: &[(Wrap, 2..=2), (Clamp, 0..=0), (Rebase, 0..=0)],
            shift: 0,
        },
        Malady {
            name: "a wrap of 31 bits",
            sent: session(MINUTE, |_, t| ((1 << 31) - 20_000 + t) & 0x7FFF_FFFF),
            repairs: &[(Wrap, 2..=2), (Clamp, 0..=0), (Rebase, 0..=0)],
            shift: 0,
        },
        Malady {
            name: "stamps in groups of five equal ones",
            sent: session(MINUTE, |track, t| {
                let (count, stamp) = if track == Track::VIDEO {
                    (&mut equal.0, 167)
                } else {
                    (&mut equal.1, 107)
                };
                *count += 1;
                let _ = t;
                (*count - 1) / 5 * stamp
            }),
            repairs: &[(Clamp, 3000..=4000), (Rebase, 0..=0), (Stuck, 0..=0)],
            shift: 200,
        },
        Malady {
            name: "jitter of 36 ms either way",
            sent: session(MINUTE, |_, t| 1000 + t + jitter(36)),
            repairs: &[
                (Clamp, 1..=4000),
                (Rebase, 0..=0),
                (Gap, 0..=0),
                (Stuck, 0..=0),
            ],
            shift: 80,
        },
        Malady {
            name: "a return after 2 s with stamps from 0",
            sent: and_again(
                session(20_000, |_, t| 777_000 + t),
                2000,
                session(20_000, |_, t| t),
            ),
            repairs: &[(Clamp, 0..=2), (Rebase, 0..=0), (Gap, 0..=0)],
            shift: 0,
        },
        Malady {
            name: "a return on the same connection, with stamps from 0",
            sent: session(
                MINUTE,
                |_, t| if t < 20_000 { 777_000 + t } else { t - 20_000 },
            ),
            repairs: &[(Rebase, 2..=2)],
            shift: 0,
        },
        Malady {
            name: "a retry that replays 40 ms of audio",
            sent: session(MINUTE, |track, t| {
                1000 + t
                    - if track == Track::AUDIO && t % 7000 > 6900 {
                        40
                    } else {
                        0
                    }
            }),
            repairs: &[(Clamp, 1..=60), (Rebase, 0..=0)],
            shift: 0,
        },
        Malady {
            name: "steps back of 400 ms, which are made good by and by",
            sent: session(MINUTE, |_, t| 10_000 + t - t / 10_000 * 400),
            repairs: &[(Clamp, 50..=400), (Rebase, 0..=0)],
            shift: 0,
        },
        Malady {
            name: "a pause of five seconds",
            sent: session(MINUTE, |_, t| t)
                .into_iter()
                .filter(|tag| !(20_000..25_000).contains(&tag.at))
                .collect(),
            repairs: &[(Gap, 2..=2), (Clamp, 0..=2), (Rebase, 0..=0)],
            shift: 0,
        },
        Malady {
            name: "audio that pauses beside steady video",
            sent: session(MINUTE, |_, t| t)
                .into_iter()
                .filter(|tag| tag.track == Track::VIDEO || !(20_000..20_900).contains(&tag.at))
                .collect(),
            repairs: &[(Clamp, 0..=0), (Gap, 0..=0), (Rebase, 0..=0)],
            shift: 0,
        },
        Malady {
            name: "a clock that stands still",
            sent: session(MINUTE, |_, t| t.min(20_000)),
            repairs: &[(Stuck, 2800..=3100), (Rebase, 0..=0)],
            shift: 40,
        },
        Malady {
            name: "all stamps zero",
            sent: session(MINUTE, |_, _| 0),
            repairs: &[(Stuck, 4300..=4700), (Rebase, 0..=0)],
            shift: 40,
        },
        Malady {
            name: "audio whose clock stands still",
            sent: session(MINUTE, |track, t| if track == Track::AUDIO { 0 } else { t }),
            repairs: &[(Stuck, 2600..=2800)],
            shift: 40,
        },
        Malady {
            name: "a clock that stands still for ten seconds",
            sent: session(MINUTE, |_, t| {
                if t < 10_000 {
                    t
                } else {
                    (t - 10_000).max(10_000)
                }
            }),
            repairs: &[(Stuck, 700..=2400), (Rebase, 2..=4)],
            shift: 100,
        },
        Malady {
            name: "a clock that goes backwards",
            sent: session(MINUTE, |_, t| 1_000_000 - t),
            repairs: &[(Stuck, 4000..=4700), (Rebase, 0..=2)],
            shift: 100,
        },
        Malady {
            name: "a clock for each track",
            sent: session(MINUTE, |track, t| {
                if track == Track::AUDIO {
                    t
                } else {
                    9_000_000 + t
                }
            }),
            repairs: &[(Rebase, 1..=1), (Clamp, 0..=0)],
            shift: 40,
        },
        Malady {
            name: "script data stamped 0",
            sent: {
                let mut sent = session(MINUTE, |_, t| 50_000 + t);
                for at in [5_000, 20_000, 40_000] {
                    let place = sent.partition_point(|tag| tag.at < at);
                    sent.insert(place, frame(Track::DATA, 0, at as i64));
                }
                sent
            },
            repairs: &[(Clamp, 3..=3), (Rebase, 0..=0)],
            shift: 0,
        },
        Malady {
            name: "composition times of a minute",
            sent: {
                let mut sent = session(MINUTE, |_, t| t);
                let video = sent.iter_mut().filter(|tag| tag.track == Track::VIDEO);
                video.for_each(|tag| tag.cts = Some(60_000));
                sent
            },
            repairs: &[(Cts, 1800..=1800), (Clamp, 0..=0)],
            shift: 0,
        },
    ]
}

#[test]
fn no_malady_reaches_a_target() {
    for malady in maladies() {
        let name = malady.name;
        let all = placed(GapPolicy::Compress, &malady.sent);
        for track in [Track::VIDEO, Track::AUDIO, Track::DATA] {
            for step in steps(&all, track) {
                let most = if track == Track::DATA { i64::MAX } else { 1000 };
                assert!(
                    (1..=most).contains(&step),
                    "{name}: {track:?} steps by {step}"
                );
            }
        }
        let repairs = total(&all);
        for (kind, expected) in malady.repairs {
            let count = repairs.of(*kind);
            assert!(
                expected.contains(&count),
                "{name}: {kind:?} {count}, not {expected:?}"
            );
        }
        // In these sessions a frame's arrival is its true time.
        let offset = |track| {
            let at = all
                .iter()
                .rposition(|placed| placed.track == track)
                .unwrap();
            all[at].dts - malady.sent[at].at as i64
        };
        let shift = (offset(Track::AUDIO) - offset(Track::VIDEO)).abs();
        assert!(
            shift <= malady.shift,
            "{name}: audio is shifted by {shift} ms"
        );
    }
}

#[test]
fn jitter_moves_no_line() {
    let mut jitter = noise(7);
    let sent = session(MINUTE, |_, t| 100_000 + t + jitter(36));
    for (sent, placed) in sent.iter().zip(placed(GapPolicy::Compress, &sent)) {
        let moved = placed.dts - (i64::from(sent.wire) - i64::from(100_000));
        assert!((-36..=110).contains(&moved), "{moved}");
    }
}

#[test]
fn a_pause_is_kept_where_the_wall_clock_counts() {
    let pause = |tag: &Sent| !(20_000..25_000).contains(&tag.at);
    let sent: Vec<_> = session(40_000, |_, t| 5000 + t)
        .into_iter()
        .filter(pause)
        .collect();
    let all = placed(GapPolicy::Wall, &sent);
    assert_eq!(total(&all), Repairs::default());
    assert!(
        all.iter()
            .zip(&sent)
            .all(|(placed, sent)| placed.dts == sent.at as i64)
    );

    // A jump of the clock alone is none: time goes on with the wall clock.
    let sent = session(40_000, |_, t| if t < 20_000 { t } else { 9_000_000 + t });
    let all = placed(GapPolicy::Wall, &sent);
    for (sent, placed) in sent.iter().zip(&all) {
        assert!(
            (placed.dts - sent.at as i64).abs() <= 40,
            "{sent:?} {placed:?}"
        );
    }
}

#[test]
fn a_clamped_picture_is_shown_when_it_should_be() {
    let stamps = [0, 33, 20, 25, 100, 99];
    let composition = [66, 66, 66, 0, 3000, -10];
    let mut sent = Vec::new();
    for (at, (&stamp, &cts)) in stamps.iter().zip(&composition).enumerate() {
        let mut tag = frame(Track::VIDEO, stamp, at as i64);
        tag.cts = Some(cts);
        sent.push(tag);
    }
    let all: Vec<_> = placed(GapPolicy::Compress, &sent)
        .iter()
        .map(|placed| (placed.dts, placed.cts.unwrap()))
        .collect();
    // 20 + 66 = 34 + 52; 25 + 0 cannot be kept; 99 - 10 = 101 - 12.
    assert_eq!(
        all,
        [
            (0, 66),
            (33, 66),
            (34, 52),
            (35, 0),
            (100, 3000),
            (101, -12)
        ]
    );
}

#[test]
fn a_clock_that_jumps_all_the_time_is_given_up() {
    let mut timeline = Timeline::default();
    let shape = crate::script::shape(Track::VIDEO, aqueduct::media::Class::Inter);
    let mut given_up = None;
    for (number, tag) in session(MINUTE, |_, t| t + t / 2000 * MINUTE)
        .iter()
        .enumerate()
    {
        if tag.track != Track::VIDEO {
            continue;
        }
        let now = Duration::from_millis(tag.at);
        timeline.place(&shape, tag.wire, None, now);
        if timeline.is_erratic(now) && given_up.is_none() {
            given_up = Some((number, tag.at));
        }
    }
    // The eleventh jump comes after 22 s.
    assert_eq!(given_up.map(|(_, at)| at), Some(22_000));
    timeline.begin_input();
    assert!(
        !timeline.is_erratic(Duration::from_secs(60)),
        "another publisher is innocent"
    );
}

#[test]
fn a_clock_at_the_wrong_pace_is_only_told_of() {
    let run = |factor: (i64, i64)| {
        let mut timeline = Timeline::default();
        for tag in session(30_000, |_, t| t * factor.0 / factor.1) {
            let class = crate::script::frame(tag.track, 0, 0).class;
            let shape = crate::script::shape(tag.track, class);
            timeline.place(&shape, tag.wire, None, Duration::from_millis(tag.at));
        }
        (timeline.symptoms(), timeline.repairs().total())
    };
    let off_pace = Symptoms {
        stuck: false,
        off_pace: true,
    };
    assert_eq!(run((1, 1)), (Symptoms::default(), 0));
    assert_eq!(run((3, 2)), (Symptoms::default(), 0));
    assert_eq!(run((5, 2)), (off_pace, 0));
    assert_eq!(run((1, 3)), (off_pace, 0));
    assert!(run((0, 1)).0.stuck);
}

#[test]
fn the_next_input_goes_on_one_step_later() {
    let mut timeline = Timeline::default();
    let mut place = |track: Track, wire, begins: bool| {
        if begins {
            timeline.begin_input();
        }
        let class = frame(track, 0, 0).class;
        timeline
            .place(
                &crate::script::shape(track, class),
                wire,
                None,
                Duration::ZERO,
            )
            .dts
    };
    assert_eq!(place(Track::VIDEO, 5000, false), 0);
    assert_eq!(place(Track::AUDIO, 5100, false), 100);
    assert_eq!(place(Track::VIDEO, 77, true), 133);
    assert_eq!(place(Track::AUDIO, 87, false), 143);
    assert_eq!(timeline.repairs(), &Repairs::default());
    assert_eq!(timeline.place_of_header(Track::VIDEO), 133);
    assert_eq!(
        timeline.place_of_header(Track {
            kind: MediaKind::Data,
            ..Track::VIDEO
        }),
        143
    );
}

#[test]
fn the_next_input_is_shown_behind_the_last_one() {
    // The last picture's composition time, that of the next input's first, and where that one is placed.
    let cases = [
        (66, 66, 66),
        (10, 66, 66),
        // It is shown after some that would have come behind it.
        (200, 66, 200),
        // No encoder reorders so much.
        (5000, 0, 566),
    ];
    for (last, first, expected) in cases {
        let mut timeline = Timeline::default();
        let shape = crate::script::shape(Track::VIDEO, aqueduct::media::Class::Inter);
        let place = |timeline: &mut Timeline, wire, cts| {
            let placed = timeline.place(&shape, wire, Some(cts), Duration::ZERO);
            (placed.dts, placed.cts)
        };
        place(&mut timeline, 5000, 66);
        assert_eq!(place(&mut timeline, 5033, last), (33, None));
        timeline.begin_input();
        assert_eq!(place(&mut timeline, 7, first), (expected, None), "{last}");
        assert_eq!(timeline.repairs(), &Repairs::default());
    }
}

#[test]
fn tracks_beyond_the_bound_rise_all_the_same() {
    let mut timeline = Timeline::default();
    let mut last = std::collections::HashMap::new();
    for round in 0..3u32 {
        for id in 0..=255u8 {
            let track = Track {
                kind: MediaKind::Video,
                id: aqueduct::media::TrackId::One(id),
            };
            let shape = crate::script::shape(track, aqueduct::media::Class::Inter);
            let dts = timeline.place(&shape, round * 33, None, Duration::ZERO).dts;
            assert!(last.insert(id, dts).is_none_or(|last| dts > last));
        }
    }
}
