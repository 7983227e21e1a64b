//! Aggregates: one message that holds several.

use aqueduct::rtmp::chunk::aggregate::{AggregateError, parts};
use aqueduct::rtmp::limits::{AGGREGATE_MESSAGES_MAX, AUDIO_BYTES_MAX};
use aqueduct::rtmp::message::{Message, MessageType};
use bytes::Bytes;

const AUDIO: u8 = MessageType::AUDIO;
const VIDEO: u8 = MessageType::VIDEO;

fn aggregate(timestamp: u32, payload: &[u8]) -> Message {
    let payload = Bytes::copy_from_slice(payload);
    Message {
        csid: 4,
        timestamp,
        type_id: MessageType::AGGREGATE,
        stream_id: 5,
        payload,
    }
}

fn part(type_id: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let [_, l0, l1, l2] = (payload.len() as u32).to_be_bytes();
    let [t3, t0, t1, t2] = timestamp.to_be_bytes();
    let back = (payload.len() as u32 + 11).to_be_bytes();
    [
        &[type_id, l0, l1, l2, t0, t1, t2, t3, 9, 9, 9][..],
        payload,
        &back,
    ]
    .concat()
}

fn split(message: Message) -> Result<Vec<Message>, AggregateError> {
    parts(message).collect()
}

#[test]
fn parts_share_the_bytes_and_keep_their_distance_in_time() {
    let payload = [
        part(AUDIO, 7000, b"aa"),
        part(VIDEO, 7040, b"vvv"),
        part(AUDIO, 6990, b""),
    ]
    .concat();
    let whole = aggregate(100, &payload);
    let within = whole.payload.as_ptr_range();
    let split = split(whole.clone()).unwrap();
    let told: Vec<_> = split
        .iter()
        .map(|m| (m.csid, m.stream_id, m.type_id, m.timestamp, &m.payload[..]))
        .collect();
    assert_eq!(
        told,
        [
            (4, 5, AUDIO, 100, &b"aa"[..]),
            (4, 5, VIDEO, 140, b"vvv"),
            (4, 5, AUDIO, 90, b"")
        ]
    );
    assert!(
        split[..2]
            .iter()
            .all(|message| within.contains(&message.payload.as_ptr())),
        "no copy"
    );
}

#[test]
fn the_high_byte_of_the_time_stands_last_and_time_wraps() {
    let payload = [
        part(AUDIO, 0xFFFF_FFF0, b"a"),
        part(AUDIO, 0x0000_0010, b"b"),
    ]
    .concat();
    let times: Vec<_> = split(aggregate(u32::MAX, &payload))
        .unwrap()
        .iter()
        .map(|m| m.timestamp)
        .collect();
    assert_eq!(times, [u32::MAX, 31]);
}

#[test]
fn cut_off_aggregates_give_what_is_whole_and_then_an_error() {
    let first = part(AUDIO, 0, b"aa");
    let whole = [&first[..], &part(VIDEO, 40, b"vvv")].concat();
    for end in 0..whole.len() {
        let read: Vec<_> = parts(aggregate(0, &whole[..end])).collect();
        let ends_a_part = [0, first.len() - 4, first.len(), whole.len() - 4].contains(&end);
        let errors = read.iter().filter(|part| part.is_err()).count();
        assert_eq!(
            errors,
            usize::from(!ends_a_part),
            "{end}: the last back pointer may be missing"
        );
        assert!(
            read.iter().rev().skip(1).all(Result::is_ok),
            "nothing follows an error"
        );
    }
}

#[test]
fn parts_out_of_bounds_are_errors() {
    let mut lying = part(AUDIO, 0, b"aa");
    lying[3] = 200;
    assert_eq!(split(aggregate(0, &lying)), Err(AggregateError::Truncated));
    lying[1] = 0xFF;
    let length = 0xFF_00C8;
    let too_long = AggregateError::PartTooLong {
        type_id: AUDIO,
        length,
        limit: AUDIO_BYTES_MAX,
    };
    assert_eq!(split(aggregate(0, &lying)), Err(too_long));
    let nested = part(MessageType::AGGREGATE, 0, &part(AUDIO, 0, b"a"));
    assert_eq!(split(aggregate(0, &nested)), Err(AggregateError::Nested));
}

#[test]
fn parts_are_bounded_in_number() {
    let most = part(AUDIO, 0, b"").repeat(AGGREGATE_MESSAGES_MAX);
    assert_eq!(
        split(aggregate(0, &most)).map(|parts| parts.len()),
        Ok(AGGREGATE_MESSAGES_MAX)
    );
    let more = [most, part(AUDIO, 0, b"")].concat();
    assert_eq!(
        split(aggregate(0, &more)),
        Err(AggregateError::TooManyParts)
    );
}
