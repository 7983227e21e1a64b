//! Audio against video, after any sequence of jumps.

use crate::script::{Sent, frame, moments, placed};
use aqueduct::media::Track;
use aqueduct::media::timeline::GapPolicy;
use proptest::prelude::*;

/// A jump of the publisher's clock, so many milliseconds after the one before.
fn jump() -> impl Strategy<Value = (i64, i64)> {
    let by = prop_oneof![
        4 => -120_000i64..120_000,
        2 => -1_600i64..1_600,
        1 => prop::sample::select(vec![-1_500i64, 1_500, -60_000, 60_000, -3_600_000]),
        1 => -560i64..-440,
        1 => 900i64..1_100,
    ];
    (prop_oneof![3 => 1_500i64..9_000, 1 => 600i64..1_500], by)
}

/// A source whose clock jumps, and whose audio arrives by `lag` later than its video.
fn jumping(jumps: &[(i64, i64)], lag: i64) -> (Vec<Sent>, Vec<i64>) {
    let end: i64 = jumps.iter().map(|jump| jump.0).sum::<i64>() + 12_000;
    let mut all: Vec<_> = moments(end)
        .into_iter()
        .map(|(track, moment)| {
            let late = if track == Track::AUDIO {
                lag.max(0)
            } else {
                (-lag).max(0)
            };
            (moment + late, track, moment)
        })
        .collect();
    all.sort_by_key(|frame| frame.0);
    let mut sent = Vec::new();
    let mut truth = Vec::new();
    for (at, track, moment) in all {
        let mut wire = 500_000_000 + moment;
        let mut since = 0;
        for &(after, by) in jumps {
            since += after;
            wire += if moment >= since { by } else { 0 };
        }
        sent.push(frame(track, wire, at));
        truth.push(moment);
    }
    (sent, truth)
}

/// How much audio is shifted against video at the end.
fn shift(sent: &[Sent], truth: &[i64]) -> i64 {
    let all = placed(GapPolicy::Compress, sent);
    let offset = |track| {
        let at = all
            .iter()
            .rposition(|placed| placed.track == track)
            .unwrap();
        all[at].dts - truth[at]
    };
    (offset(Track::AUDIO) - offset(Track::VIDEO)).abs()
}

proptest! {
    #[test]
    fn audio_keeps_its_distance_to_video(jumps in prop::collection::vec(jump(), 0..8), lag in -250i64..250) {
        let (sent, truth) = jumping(&jumps, lag);
        let shift = shift(&sent, &truth);
        prop_assert!(shift <= 100, "shifted by {shift}");
    }
}
