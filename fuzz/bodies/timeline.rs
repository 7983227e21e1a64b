//! Whatever clocks publishers have, the timeline keeps what `tests/timeline` says that it promises.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aqueduct::media::timeline::{GapPolicy, TRACKS_MAX, Timeline};
use aqueduct::media::{Class, MediaKind, Track, TrackId};
use script::Sent;

#[path = "../../tests/timeline/promises.rs"]
mod promises;
#[path = "../../tests/timeline/script.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod script;

/// Tags of one script: every promise is kept or broken within so many.
const TAGS_MAX: usize = 400;

/// The first byte says what becomes of gaps; every eight that follow are a tag.
pub fn run(bytes: &[u8]) {
    let Some((policy, tags)) = bytes.split_first() else {
        return;
    };
    let gap = match policy & 1 {
        0 => GapPolicy::Compress,
        _ => GapPolicy::Wall,
    };
    let sent = sent(tags);
    promises::every_track_rises(gap, &sent);
    promises::front_moves_by_a_second_at_most(&sent);
    promises::headers_stand_between_frames(gap, &sent);
    promises::composition_times_stay_in_range(gap, &sent);
    promises::repairing_twice_changes_nothing(&sent);
    let own = with_own_places(promises::far_from_wraps(sent.clone()));
    promises::every_repair_is_counted(gap, &own);
    check_copy(gap, &sent);
}

fn sent(tags: &[u8]) -> Vec<Sent> {
    let mut last: HashMap<Track, u32> = HashMap::new();
    let mut at = 0;
    let (tags, _) = tags.as_chunks::<8>();
    let one = |&[what, how, s0, s1, p0, p1, c0, c1]: &[u8; 8]| {
        let track = match what & 7 {
            0..=2 => Track::VIDEO,
            3 | 4 => Track::AUDIO,
            5 => Track::DATA,
            number => Track {
                kind: if number == 6 {
                    MediaKind::Video
                } else {
                    MediaKind::Audio
                },
                id: TrackId::One(p1),
            },
        };
        let class = match (track.kind, what >> 3 & 7) {
            (MediaKind::Data, _) => Class::Script,
            (_, 0) => Class::Mark,
            (_, 1) => Class::EndOfSequence,
            (MediaKind::Audio, _) => Class::Audio,
            (MediaKind::Video, 2) => Class::Keyframe,
            (MediaKind::Video, _) => Class::Inter,
        };
        let step = i16::from_be_bytes([s0, s1]);
        let before = last.entry(track).or_default();
        *before = match how & 7 {
            0..=3 => before.wrapping_add_signed(i32::from(step % 64)),
            4 => before.wrapping_add_signed(i32::from(step % 4096)),
            5 => before.wrapping_add_signed(i32::from(step) * 32),
            6 => u32::from_be_bytes([s0, s1, p0, c0]),
            // Beside the end of 31 or 32 bits.
            _ => (u32::from(how >> 7) << 31).wrapping_add_signed(i32::from(step)),
        };
        at += match how >> 3 & 3 {
            3 => u64::from(p0) * 64,
            _ => u64::from(p0 & 63),
        };
        let cts = i16::from_be_bytes([c0, c1]);
        Sent {
            track,
            class,
            wire: *before,
            at,
            cts: match how >> 5 & 3 {
                0 => None,
                1 => Some(i32::from(cts) * 256),
                _ => Some(i32::from(cts % 512)),
            },
            begins: what >= 0xF8,
        }
    };
    tags.iter().take(TAGS_MAX).map(one).collect()
}

/// What is sent on the first tracks: those that are more than a timeline remembers share a place, and move each other's.
fn with_own_places(mut sent: Vec<Sent>) -> Vec<Sent> {
    let mut tracks = HashSet::new();
    sent.retain(|tag| {
        tracks.contains(&tag.track) || (tracks.len() < TRACKS_MAX && tracks.insert(tag.track))
    });
    sent
}

/// A timeline is a value: a copy that is taken anywhere goes on as the original does.
fn check_copy(gap: GapPolicy, sent: &[Sent]) {
    let mut timeline = Timeline::new(gap);
    let place = |timeline: &mut Timeline, tag: &Sent| {
        if tag.begins {
            timeline.begin_input();
        }
        let now = Duration::from_millis(tag.at);
        let placed = timeline.place(&script::shape(tag.track, tag.class), tag.wire, tag.cts, now);
        (placed, timeline.is_erratic(now), timeline.symptoms())
    };
    let (first, second) = sent.split_at(sent.len() / 2);
    for tag in first {
        place(&mut timeline, tag);
    }
    let mut copy = timeline.clone();
    for tag in second {
        assert_eq!(place(&mut timeline, tag), place(&mut copy, tag));
    }
}
