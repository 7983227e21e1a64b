//! Allocations: one for each picture, its payload's buffer, one block with its count for a dozen frames of sound, and none for each target
//! that keeps up. The first of those who do not shares a picture, which makes a count for all.

use crate::counting_allocator::allocations_of;
use crate::fixture::passage::{Delivery, Likeness, Passage};
use crate::fixture::script::{BEAT, KBPS, Wire, media};
use crate::fixture::wire::Takes;
use aqueduct::egress::fanout::LINES_PER_TURN;
use aqueduct::rtmp::limits::PAYLOAD_UNSEEN_BYTES_MAX;

const TARGETS: [usize; 3] = [1, 8, 64];
/// Ten seconds are measured behind ten in which the ring and all rooms grow to what they need.
const GOPS: u32 = 10;
/// TCP payload of a packet on Ethernet, in bytes.
const SEGMENT: usize = 1448;

/// What a stretch of the stream cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    tags: usize,
    /// From the publisher's bytes to the ring.
    receiving: usize,
    /// From the ring to every target's write. A payload's count is made when it is first shared, which is here.
    sending: usize,
}

#[test]
fn targets_that_keep_up_cost_no_allocation_and_one_write_a_beat() {
    costs_so_many_allocations_a_tag(1, Takes::All, Likeness::Alike, |targets, delivery| {
        assert_eq!((delivery.writes, delivery.woken), (targets, 0));
    });
}

#[test]
fn targets_that_differ_cost_no_allocation_and_one_write_a_beat() {
    costs_so_many_allocations_a_tag(1, Takes::All, Likeness::Apart, |targets, delivery| {
        assert_eq!((delivery.writes, delivery.woken), (targets, 0));
    });
}

#[test]
fn targets_whose_sockets_fill_up_cost_no_allocation() {
    costs_so_many_allocations_a_tag(2, Takes::Half, Likeness::Alike, |targets, delivery| {
        assert_eq!(delivery.woken, targets, "each sends the rest by itself");
        assert!(delivery.writes >= 2 * targets, "{delivery:?}");
    });
}

#[test]
fn targets_that_are_behind_cost_no_allocation() {
    costs_so_many_allocations_a_tag(2, Takes::Nothing, Likeness::Alike, |targets, delivery| {
        assert_eq!(delivery.woken, targets, "each catches up by itself");
        assert!(delivery.writes >= targets, "{delivery:?}");
    });
}

#[test]
fn a_stream_that_arrives_in_packets_costs_no_more() {
    // Slow enough for a keyframe to stay below what is reserved at once for bytes that have not come.
    let kbps = 2500;
    let keyframe = media(kbps, 1)[0].payload.len();
    assert!((PAYLOAD_UNSEEN_BYTES_MAX / 2..PAYLOAD_UNSEEN_BYTES_MAX).contains(&keyframe));
    let wire = Wire::new(kbps, GOPS, 4096);
    for targets in TARGETS {
        let mut passage = Passage::new(targets, Takes::All, Likeness::Alike);
        let all = total(&carried(&wire, &mut passage, SEGMENT, |_| ()));
        assert!(all.tags > 700, "{all:?} in ten seconds");
        assert!(
            all.receiving + all.sending <= all.tags,
            "{targets} targets: {all:?}"
        );
    }
}

/// Every beat, for any number of targets; `check` is shown what each delivery came to.
fn costs_so_many_allocations_a_tag(
    most: usize,
    takes: Takes,
    likeness: Likeness,
    check: impl Fn(usize, Delivery),
) {
    let wire = Wire::new(KBPS, GOPS, 4096);
    let costs = TARGETS.map(|targets| {
        let mut passage = Passage::new(targets, takes, likeness);
        carried(&wire, &mut passage, usize::MAX, |delivery| {
            assert_eq!(delivery.turns, targets.div_ceil(LINES_PER_TURN));
            check(targets, delivery);
        })
    });
    for (targets, beats) in TARGETS.iter().zip(&costs) {
        for (at, beat) in beats.iter().enumerate() {
            // A block for sound that begins is two.
            assert!(
                beat.receiving + beat.sending <= most * beat.tags + 1,
                "{targets} targets, beat {at}: {beat:?}"
            );
        }
        let more = |beat: &&Cost| beat.receiving + beat.sending > most * beat.tags;
        assert!(
            beats.iter().filter(more).count() <= beats.len() / 8,
            "a block lasts for a quarter of a second"
        );
        assert_eq!(*beats, costs[0], "{targets} targets cost what one costs");
    }
    let all = total(&costs[0]);
    assert!(all.tags > 700, "{all:?} in ten seconds");
    assert!(
        all.receiving + all.sending <= most * all.tags * 6 / 10,
        "{all:?}: sound lies side by side"
    );
    assert!(
        all.receiving >= all.tags * 4 / 10,
        "{all:?}: every picture has a buffer"
    );
}

fn total(beats: &[Cost]) -> Cost {
    let sum = |part: fn(&Cost) -> usize| beats.iter().map(part).sum();
    Cost {
        tags: sum(|beat| beat.tags),
        receiving: sum(|beat| beat.receiving),
        sending: sum(|beat| beat.sending),
    }
}

/// Carries the stream, in reads of at most so many bytes; the costs of the second half's beats, of which `check` is shown every
/// delivery.
fn carried(
    wire: &Wire,
    passage: &mut Passage,
    read_bytes: usize,
    check: impl Fn(Delivery),
) -> Vec<Cost> {
    let mut costs = Vec::new();
    let mut begin = 0;
    for (at, beat) in wire.beats.iter().enumerate() {
        passage.advance(BEAT);
        let mut tags = 0;
        let mut read = begin;
        let receiving = allocations_of(|| {
            let mut arrived = begin;
            for piece in wire.bytes[begin..beat.end].chunks(read_bytes) {
                arrived += piece.len();
                let mut unread = &wire.bytes[read..arrived];
                tags += passage.receive(&mut unread);
                read = arrived - unread.len();
            }
        });
        let mut delivery = Delivery::default();
        let sending = allocations_of(|| delivery = passage.send());
        assert_eq!((tags, read), (beat.messages, beat.end));
        assert!(
            delivery.bytes >= passage.targets() * (beat.end - begin) / 2,
            "all of it goes out"
        );
        if at >= wire.beats.len() / 2 && tags > 0 {
            check(delivery);
        }
        begin = beat.end;
        costs.push(Cost {
            tags,
            receiving,
            sending,
        });
    }
    costs.split_off(costs.len() / 2)
}
