//! What a timeline promises for any input, one function a promise; a broken one panics.

use std::collections::HashMap;
use std::time::Duration;

use aqueduct::media::Track;
use aqueduct::media::timeline::{GapPolicy, RepairKind, Timeline};

use super::script::{Sent, placed, shape};

/// Every tag has a place; a frame's is above the one before on its track, and no other's is below it.
pub fn every_track_rises(gap: GapPolicy, sent: &[Sent]) {
    let all = placed(gap, sent);
    assert_eq!(all.len(), sent.len());
    let mut last: HashMap<Track, i64> = HashMap::new();
    for (sent, each) in sent.iter().zip(all) {
        if let Some(last) = last.insert(each.track, each.dts) {
            let least = last + i64::from(sent.class.is_frame());
            assert!(each.dts >= least, "{each:?} after {last}");
        }
    }
}

/// No step of the output is longer than what a CDN takes, measured against the newest frame of any track. It is what
/// [`GapPolicy::Compress`] is for.
pub fn front_moves_by_a_second_at_most(sent: &[Sent]) {
    let mut newest = None;
    let all = placed(GapPolicy::Compress, sent);
    for each in all.iter().filter(|each| each.track != Track::DATA) {
        let before = newest.unwrap_or(each.dts);
        assert!(each.dts <= before + 1000, "{each:?} after {before}");
        newest = Some(before.max(each.dts));
    }
}

/// A header stands between its track's last frame and the next one.
pub fn headers_stand_between_frames(gap: GapPolicy, sent: &[Sent]) {
    let mut timeline = Timeline::new(gap);
    let mut headers: HashMap<Track, i64> = HashMap::new();
    for tag in sent {
        if tag.begins {
            timeline.begin_input();
        }
        let now = Duration::from_millis(tag.at);
        let dts = timeline
            .place(&shape(tag.track, tag.class), tag.wire, None, now)
            .dts;
        let header = timeline.place_of_header(tag.track);
        assert!(header >= dts);
        if let Some(before) = headers.insert(tag.track, header) {
            assert!(dts >= before + i64::from(tag.class.is_frame()));
        }
    }
}

/// Composition times stay within what encoders mean, and pictures are shown when they should be wherever that is possible.
pub fn composition_times_stay_in_range(gap: GapPolicy, sent: &[Sent]) {
    for (sent, placed) in sent.iter().zip(placed(gap, sent)) {
        let (Some(own), Some(cts), true) = (sent.cts, placed.cts, sent.class.is_frame()) else {
            continue;
        };
        assert!((-5000..=5000).contains(&cts));
        assert!(own < 0 || cts >= 0);
        if placed.repairs.of(RepairKind::Clamp) + placed.repairs.of(RepairKind::Cts) == 0 {
            assert_eq!(cts, own);
        }
    }
}

/// The same tags as a script of one publisher whose clock is far from its wraps, and of frames alone.
pub fn far_from_wraps(mut sent: Vec<Sent>) -> Vec<Sent> {
    sent.retain(|tag| tag.class.is_frame());
    for tag in &mut sent {
        tag.begins = false;
        tag.wire = 0x2000_0000 + (tag.wire.wrapping_add(0x0800_0000) & 0x0FFF_FFFF);
    }
    sent
}

/// What is added to a track's stamps changes only where that is counted; `sent` is [`far_from_wraps`], and has no more tracks than
/// a timeline remembers.
pub fn every_repair_is_counted(gap: GapPolicy, sent: &[Sent]) {
    let mut offsets: HashMap<Track, i64> = HashMap::new();
    for (sent, placed) in sent.iter().zip(placed(gap, sent)) {
        let counted = |kind| placed.repairs.of(kind) > 0;
        if [RepairKind::Rebase, RepairKind::Gap, RepairKind::Stuck]
            .into_iter()
            .any(counted)
        {
            offsets.remove(&sent.track);
        }
        if counted(RepairKind::Clamp) || counted(RepairKind::Stuck) {
            continue;
        }
        let offset = placed.dts - i64::from(sent.wire);
        let before = *offsets.entry(sent.track).or_insert(offset);
        assert_eq!(offset, before, "{sent:?} {placed:?}");
    }
}

/// What comes out is a good stream: run through again, it stays as it is.
pub fn repairing_twice_changes_nothing(sent: &[Sent]) {
    let once = placed(GapPolicy::Compress, sent);
    let again: Vec<_> = sent
        .iter()
        .zip(&once)
        .map(|(sent, placed)| Sent {
            wire: u32::try_from(placed.dts + 10_000_000).unwrap(),
            cts: placed.cts.filter(|_| sent.class.is_frame()),
            begins: false,
            ..*sent
        })
        .collect();
    let twice = placed(GapPolicy::Compress, &again);
    for ((once, twice), sent) in once.iter().zip(&twice).zip(&again) {
        assert_eq!(once.dts, twice.dts);
        assert_eq!(sent.cts, twice.cts);
        assert_eq!(twice.repairs.total(), 0, "{sent:?}");
    }
}
