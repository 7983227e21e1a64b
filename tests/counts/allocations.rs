//! Allocations: two for each tag, its payload's buffer and the count of those who share it, and none for each target.

use crate::counting_allocator::allocations_of;
use crate::fixture::passage::Passage;
use crate::fixture::script::{BEAT, KBPS, Wire, media};
use aqueduct::rtmp::limits::PAYLOAD_UNSEEN_BYTES_MAX;

const TARGETS: [usize; 3] = [1, 8, 64];
/// Ten seconds are measured behind ten in which the ring and the outboxes grow to what they need.
const GOPS: u32 = 10;
/// TCP payload of a packet on Ethernet, in bytes.
const SEGMENT: usize = 1448;

/// What a stretch of the stream cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    tags: usize,
    /// From the publisher's bytes to the ring.
    receiving: usize,
    /// From the ring to the slices of every target's write.
    sending: usize,
}

#[test]
fn every_beat_costs_two_allocations_a_tag_and_none_a_target() {
    let wire = Wire::new(KBPS, GOPS, 4096);
    let costs = TARGETS.map(|targets| carried(&wire, targets, |beat| vec![beat]));
    for (targets, beats) in TARGETS.iter().zip(&costs) {
        for (at, beat) in beats.iter().enumerate() {
            assert!(
                beat.receiving + beat.sending <= 2 * beat.tags,
                "{targets} targets, beat {at}: {beat:?}"
            );
        }
        assert_eq!(*beats, costs[0], "{targets} targets cost what one costs");
    }
    let all = total(&costs[0]);
    assert!(all.tags > 700, "{all:?} in ten seconds");
    assert!(all.receiving >= all.tags, "every payload has a buffer");
}

#[test]
fn a_stream_that_arrives_in_packets_costs_no_more() {
    // Slow enough for a keyframe to stay below what is reserved at once for bytes that have not come.
    let kbps = 2500;
    let keyframe = media(kbps, 1)[0].payload.len();
    assert!((PAYLOAD_UNSEEN_BYTES_MAX / 2..PAYLOAD_UNSEEN_BYTES_MAX).contains(&keyframe));
    let wire = Wire::new(kbps, GOPS, 4096);
    for targets in TARGETS {
        let all = total(&carried(&wire, targets, |beat| {
            beat.chunks(SEGMENT).collect()
        }));
        assert!(all.tags > 700, "{all:?} in ten seconds");
        assert!(
            all.receiving + all.sending <= 2 * all.tags,
            "{targets} targets: {all:?}"
        );
    }
}

fn total(beats: &[Cost]) -> Cost {
    let sum = |part: fn(&Cost) -> usize| beats.iter().map(part).sum();
    Cost {
        tags: sum(|beat| beat.tags),
        receiving: sum(|beat| beat.receiving),
        sending: sum(|beat| beat.sending),
    }
}

/// Carries the stream to so many targets, each beat in the reads that `cut` makes of it; the costs of the second half's beats.
fn carried(wire: &Wire, targets: usize, cut: impl Fn(&[u8]) -> Vec<&[u8]>) -> Vec<Cost> {
    let mut passage = Passage::new(targets);
    let mut costs = Vec::new();
    let mut begin = 0;
    for beat in &wire.beats {
        passage.advance(BEAT);
        let reads = cut(&wire.bytes[begin..beat.end]);
        let mut tags = 0;
        let mut sent = 0;
        let mut read = begin;
        let receiving = allocations_of(|| {
            let mut arrived = begin;
            for piece in &reads {
                arrived += piece.len();
                let mut unread = &wire.bytes[read..arrived];
                tags += passage.receive(&mut unread);
                read = arrived - unread.len();
            }
        });
        let sending = allocations_of(|| sent = passage.send());
        assert_eq!((tags, read), (beat.messages, beat.end));
        assert!(
            tags == 0 || sent >= targets * (beat.end - begin) / 2,
            "all of it goes out"
        );
        begin = beat.end;
        costs.push(Cost {
            tags,
            receiving,
            sending,
        });
    }
    costs.split_off(costs.len() / 2)
}
