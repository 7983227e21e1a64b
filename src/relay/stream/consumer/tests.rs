//! What the ring keeps for those who read it.

use super::*;
use crate::media::MediaKind;
use crate::relay::claim::DuplicatePolicy;
use crate::relay::hub::Hub;
use crate::relay::limits::TAG_OVERHEAD_BYTES;
use crate::relay::ring::RingLimits;
use crate::relay::stream::Producer;
use crate::relay::testing::claim;
use crate::rule::StreamKey;
use bytes::Bytes;
use futures::FutureExt;

/// Pictures of a GOP, 100 ms each.
const GOP: u32 = 10;
/// What one takes in the ring.
const COST: usize = 100 + TAG_OVERHEAD_BYTES;

fn producer() -> Producer {
    let key = StreamKey::parse("live", "cam").unwrap();
    let hub = Hub::new(RingLimits::default());
    let producer = hub.claim(&key, claim(), DuplicatePolicy::Takeover);
    let producer = producer.ok().unwrap();
    let mut batch = producer.batch().unwrap();
    batch.push(
        MediaKind::Video,
        0,
        Bytes::from_static(&[0x17, 0, 0, 0, 0, 1]),
    );
    drop(batch);
    producer
}

/// One picture, a delivery of its own.
fn picture(producer: &Producer, number: u32) {
    append(producer, number);
    producer.deliver().now_or_never().unwrap();
}

fn append(producer: &Producer, number: u32) {
    let mut payload = vec![0x27, 1, 0, 0, 0];
    if number.is_multiple_of(GOP) {
        payload[0] = 0x17;
    }
    payload.resize(100, number as u8);
    let mut batch = producer.batch().unwrap();
    batch.push(MediaKind::Video, number * 100, payload.into());
}

/// The times of what it is given next.
fn read(consumer: &mut Consumer) -> Vec<u32> {
    let mut times = Vec::new();
    let drained = consumer.drain(usize::MAX, |_, at| times.push(at));
    assert_eq!(drained, Drained::CaughtUp);
    times
}

fn ring_bytes(producer: &Producer) -> usize {
    producer.stream().snapshot().ring_bytes
}

#[tokio::test]
async fn a_stream_without_readers_keeps_what_a_target_would_begin_with() {
    let producer = producer();
    for number in 0..GOP * 5 {
        picture(&producer, number);
        // The GOP before goes with the delivery behind that of the keyframe.
        let open = number % GOP + 1;
        let before = if number >= GOP && open == 1 { GOP } else { 0 };
        assert_eq!(
            ring_bytes(&producer) / COST,
            (open + before) as usize,
            "{number}"
        );
    }
    let snapshot = producer.stream().snapshot();
    assert_eq!(snapshot.keyframe_interval_ms, Some(1000));
    assert_eq!(snapshot.since_keyframe_ms, Some(900));
    let mut late = producer.stream().consume();
    assert_eq!(read(&mut late).len(), 1 + GOP as usize, "and the header");
}

#[tokio::test]
async fn a_consumer_that_reads_by_itself_has_the_window_behind_it_kept() {
    let producer = producer();
    picture(&producer, 0);
    let mut consumer = producer.stream().consume();
    assert_eq!(read(&mut consumer), [0, 0]);
    consumer.attend();
    consumer.read_by_itself();
    for number in 1..GOP * 4 {
        picture(&producer, number);
    }
    let times: Vec<_> = (1..GOP * 4).map(|number| number * 100).collect();
    assert_eq!(read(&mut consumer), times);
    assert_eq!(consumer.left_out().total(), 0);

    let kept = ring_bytes(&producer);
    consumer.attend();
    picture(&producer, GOP * 4);
    picture(&producer, GOP * 4 + 1);
    assert!(ring_bytes(&producer) < kept / 10, "it has read it all");
}

#[tokio::test]
async fn one_that_has_gone_has_nothing_kept() {
    let producer = producer();
    picture(&producer, 0);
    let mut consumer = producer.stream().consume();
    read(&mut consumer);
    for number in 1..GOP * 3 {
        picture(&producer, number);
    }
    let kept = ring_bytes(&producer);
    assert_eq!(kept / COST, 3 * GOP as usize);
    drop(consumer);
    picture(&producer, GOP * 3);
    picture(&producer, GOP * 3 + 1);
    assert_eq!(ring_bytes(&producer) / COST, 2);
}

#[tokio::test]
async fn one_that_has_not_begun_has_nothing_kept_and_begins_with_the_newest_picture() {
    let producer = producer();
    // A target is connected to, or tried again and again.
    let mut consumer = producer.stream().consume();
    for number in 0..GOP * 3 {
        picture(&producer, number);
    }
    assert_eq!(ring_bytes(&producer) / COST, GOP as usize);
    let from_its_start: Vec<_> = (0..GOP).map(|number| number * 100).collect();
    assert_eq!(
        read(&mut consumer)[1..],
        from_its_start,
        "behind the header"
    );
    for number in GOP * 3..GOP * 5 {
        picture(&producer, number);
    }
    assert_eq!(read(&mut consumer).len(), 2 * GOP as usize, "it has begun");
}

/// While targets come and go, one may be left out of a delivery.
#[tokio::test]
async fn one_that_was_left_out_of_a_delivery_with_a_keyframe_misses_nothing() {
    let producer = producer();
    for number in 0..GOP - 1 {
        picture(&producer, number);
    }
    let mut consumer = producer.stream().consume();
    read(&mut consumer);
    consumer.attend();
    // The keyframe comes in the middle of the delivery that it is left out of; of the next one it is told.
    append(&producer, GOP - 1);
    picture(&producer, GOP);
    picture(&producer, GOP + 1);
    assert_eq!(read(&mut consumer), [900, 1000, 1100]);
    assert_eq!(consumer.left_out().total(), 0);
}
