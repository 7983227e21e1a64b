//! What is said to the chunk layer itself, Set Chunk Size and Abort, and the bounds on all the rest.
#![allow(clippy::unwrap_used, reason = "a test")]

use aqueduct::rtmp::chunk::{ChunkError, Reader};
use aqueduct::rtmp::limits::{
    AUDIO_BYTES_MAX, BEFORE_PUBLISH_BYTES_MAX, CHUNK_SIZE_CHANGES_MAX, CHUNK_STREAMS_MAX,
    PARTIAL_MESSAGES_MAX, VIDEO_BYTES_MAX,
};
use aqueduct::rtmp::message::{Message, MessageType, payload_bytes_max};

/// A format 0 header of message stream 1 with timestamp 0.
fn header(csid: u8, type_id: u8, length: usize) -> Vec<u8> {
    let [_, l0, l1, l2] = (length as u32).to_be_bytes();
    vec![csid, 0, 0, 0, l0, l1, l2, type_id, 1, 0, 0, 0]
}

fn message(csid: u8, type_id: u8, payload: &[u8]) -> Vec<u8> {
    [&header(csid, type_id, payload.len()), payload].concat()
}

fn set_chunk_size(size: u32) -> Vec<u8> {
    message(2, MessageType::SET_CHUNK_SIZE, &size.to_be_bytes())
}

fn abort(csid: u32) -> Vec<u8> {
    message(2, MessageType::ABORT, &csid.to_be_bytes())
}

fn read(reader: &mut Reader, wire: &[u8]) -> Result<Vec<Message>, ChunkError> {
    let mut input = wire;
    let mut messages = Vec::new();
    while let Some(message) = reader.read(&mut input)? {
        messages.push(message);
    }
    assert_eq!(input, b"");
    Ok(messages)
}

fn read_new(parts: &[&[u8]]) -> Result<Vec<Message>, ChunkError> {
    read(&mut Reader::new(), &parts.concat())
}

const VIDEO: u8 = MessageType::VIDEO;

#[test]
fn a_new_chunk_size_holds_from_the_next_chunk_on() {
    let first = [&header(6, VIDEO, 300)[..], &[1; 128]].concat();
    let smaller_then = [
        &first[..],
        &set_chunk_size(150),
        &[0xC6],
        &[2; 150],
        &[0xC6],
        &[3; 22],
    ];
    let messages = read_new(&smaller_then).unwrap();
    assert_eq!(
        messages[0].type_id,
        MessageType::SET_CHUNK_SIZE,
        "it is delivered too"
    );
    assert_eq!(
        messages[1].payload,
        [&[1; 128][..], &[2; 150], &[3; 22]].concat()
    );
    let messages =
        read_new(&[&first[..], &set_chunk_size(0x7FFF_FFFF), &[0xC6], &[2; 172]]).unwrap();
    assert_eq!(messages[1].payload, [&[1; 128][..], &[2; 172]].concat());
}

#[test]
fn any_chunk_stream_may_carry_control_messages() {
    for csid in [3, 4, 6, 63] {
        let control = message(csid, MessageType::SET_CHUNK_SIZE, &4096_u32.to_be_bytes());
        let messages = read_new(&[&control, &message(5, VIDEO, &[1; 4096])]).unwrap();
        assert_eq!(messages[1].payload, [1; 4096][..]);
    }
}

#[test]
fn chunk_sizes_out_of_range_are_errors() {
    for size in [0, 1, 127, 0x8000_0000, u32::MAX] {
        assert_eq!(
            read_new(&[&set_chunk_size(size)]),
            Err(ChunkError::ChunkSizeOutOfRange { size })
        );
    }
    for size in [128, 129, 65_536, 0xFF_FFFF, 0x100_0000, 0x7FFF_FFFF] {
        assert!(read_new(&[&set_chunk_size(size)]).is_ok(), "{size}");
    }
    for length in 0..4 {
        let cut = message(2, MessageType::SET_CHUNK_SIZE, &[0, 0, 16][..length.min(3)]);
        assert!(matches!(
            read_new(&[&cut]),
            Err(ChunkError::ChunkSizeCutOff { .. })
        ));
    }
    let long = message(2, MessageType::SET_CHUNK_SIZE, &[0, 0, 16, 0, 99]);
    assert!(
        read_new(&[&long, &message(6, VIDEO, &[1; 4096])]).is_ok(),
        "what follows the size is ignored"
    );
}

#[test]
fn a_chunk_size_changes_only_so_often() {
    let mut reader = Reader::new();
    for change in 0..CHUNK_SIZE_CHANGES_MAX {
        assert!(read(&mut reader, &set_chunk_size(200 + change)).is_ok());
    }
    let last = set_chunk_size(200 + CHUNK_SIZE_CHANGES_MAX - 1);
    assert!(
        read(&mut reader, &last).is_ok(),
        "to say it again is no change"
    );
    assert_eq!(
        read(&mut reader, &set_chunk_size(128)),
        Err(ChunkError::TooManyChunkSizeChanges)
    );
}

#[test]
fn abort_drops_the_unfinished_message_of_its_chunk_stream_only() {
    let mut reader = Reader::new();
    let begun = [
        &header(6, VIDEO, 300)[..],
        &[1; 128],
        &header(7, VIDEO, 200),
        &[2; 128],
    ]
    .concat();
    assert_eq!(read(&mut reader, &begun), Ok(vec![]));
    let both = reader.bytes_buffered();
    let messages = read(&mut reader, &abort(6)).unwrap();
    assert_eq!(
        messages[0].type_id,
        MessageType::ABORT,
        "it is delivered too"
    );
    assert!(reader.bytes_buffered() < both);
    // Chunk stream 6 begins anew, with the header that it had; 7 goes on.
    let wire = [
        &[0xC6][..],
        &[3; 128],
        &[0xC7],
        &[4; 72],
        &[0xC6],
        &[5; 128],
        &[0xC6],
        &[6; 44],
    ]
    .concat();
    let messages = read(&mut reader, &wire).unwrap();
    assert_eq!(messages[0].payload, [&[2; 128][..], &[4; 72]].concat());
    assert_eq!(
        messages[1].payload,
        [&[3; 128][..], &[5; 128], &[6; 44]].concat()
    );
    assert_eq!(reader.bytes_buffered(), 0);
}

#[test]
fn an_abort_of_nothing_is_nothing() {
    let begun = message(6, VIDEO, b"x");
    let cut = message(2, MessageType::ABORT, &[0, 0, 6]);
    for abort in [abort(6), abort(7), abort(0), abort(2), abort(u32::MAX), cut] {
        assert_eq!(
            read_new(&[&begun, &abort, &[0xC6], b"y"]).map(|messages| messages.len()),
            Ok(3)
        );
    }
}

fn publishing() -> Reader {
    let mut reader = Reader::new();
    reader.publish_accepted();
    reader
}

#[test]
fn each_type_has_its_longest_message() {
    for type_id in 0..=u8::MAX {
        let limit = payload_bytes_max(type_id);
        assert_eq!(
            read(&mut publishing(), &header(6, type_id, limit)),
            Ok(vec![])
        );
        let too_long = ChunkError::MessageTooLong {
            type_id,
            length: limit as u32 + 1,
            limit,
        };
        assert_eq!(
            read(&mut publishing(), &header(6, type_id, limit + 1)),
            Err(too_long)
        );
    }
    assert_eq!(payload_bytes_max(VIDEO), VIDEO_BYTES_MAX);
    assert_eq!(payload_bytes_max(MessageType::AUDIO), AUDIO_BYTES_MAX);
}

#[test]
fn before_a_publish_every_message_is_short() {
    let limit = BEFORE_PUBLISH_BYTES_MAX;
    for type_id in [
        VIDEO,
        MessageType::AUDIO,
        MessageType::DATA_AMF0,
        MessageType::AGGREGATE,
        0,
        255,
    ] {
        assert_eq!(read_new(&[&header(6, type_id, limit)]), Ok(vec![]));
        let too_long = ChunkError::MessageTooLong {
            type_id,
            length: limit as u32 + 1,
            limit,
        };
        assert_eq!(read_new(&[&header(6, type_id, limit + 1)]), Err(too_long));
    }
}

#[test]
fn a_header_that_inherits_a_length_is_held_to_the_bound_of_its_type() {
    // A video of a length that audio may not have, then format 1 that makes it audio.
    let mut reader = publishing();
    let length = AUDIO_BYTES_MAX + 1;
    let video = [&header(6, VIDEO, length)[..], &[1; 128], &abort(6)].concat();
    read(&mut reader, &video).unwrap();
    let [_, l0, l1, l2] = (length as u32).to_be_bytes();
    let audio = [0x46, 0, 0, 0, l0, l1, l2, MessageType::AUDIO];
    assert!(matches!(
        read(&mut reader, &audio),
        Err(ChunkError::MessageTooLong { .. })
    ));
}

#[test]
fn chunk_streams_are_bounded_in_number() {
    let mut reader = Reader::new();
    let id = |at: usize| (at + 40) as u8;
    for at in 0..CHUNK_STREAMS_MAX {
        // Half of them with ids of two bytes.
        let wire = message(id(at), VIDEO, b"x");
        let wire = if id(at) < 64 {
            wire
        } else {
            [&[0, id(at)][..], &wire[1..]].concat()
        };
        assert_eq!(
            read(&mut reader, &wire).map(|messages| messages.len()),
            Ok(1)
        );
    }
    assert_eq!(
        read(&mut reader, &message(3, VIDEO, b"x")),
        Err(ChunkError::TooManyChunkStreams)
    );
    assert!(
        read(&mut reader, &message(40, VIDEO, b"x")).is_ok(),
        "those that are known go on"
    );
}

#[test]
fn unfinished_messages_are_bounded_in_number() {
    let mut reader = Reader::new();
    for at in 0..PARTIAL_MESSAGES_MAX {
        let begun = [&header(3 + at as u8, VIDEO, 129)[..], &[1; 128]].concat();
        assert_eq!(read(&mut reader, &begun), Ok(vec![]));
    }
    let short = message(40, VIDEO, b"short");
    for end in 0..short.len() {
        let (first, last) = short.split_at(end);
        let mut input = first;
        assert_eq!(reader.read(&mut input), Ok(None));
        let read = read(&mut reader, &[input, last].concat());
        assert_eq!(
            read.map(|messages| messages.len()),
            Ok(1),
            "short messages are read, whole or cut at {end}"
        );
    }
    let one_more = [&header(41, VIDEO, 129)[..], &[1; 128]].concat();
    assert_eq!(
        read(&mut reader, &one_more),
        Err(ChunkError::TooManyPartialMessages)
    );
    // Ending one makes room.
    assert_eq!(
        read(&mut reader, &[0xC3, 1]).map(|messages| messages.len()),
        Ok(1)
    );
    // Nobody has published, so no more is reserved than has come.
    assert_eq!(reader.bytes_buffered(), 128 * (PARTIAL_MESSAGES_MAX - 1));
}

#[test]
fn a_claimed_length_of_16_mib_is_refused_on_every_chunk_stream() {
    for csid in 2..66_u8 {
        let claim = header(csid, VIDEO, 0xFF_FFFF);
        let claim = if csid < 64 {
            claim
        } else {
            [&[0, csid - 64], &claim[1..]].concat()
        };
        for mut reader in [Reader::new(), publishing()] {
            assert!(matches!(
                read(&mut reader, &claim),
                Err(ChunkError::MessageTooLong { .. })
            ));
            assert_eq!(reader.bytes_buffered(), 0);
        }
    }
}

#[test]
fn memory_follows_the_bytes_that_came_and_not_the_length_that_was_claimed() {
    let mut reader = publishing();
    read(&mut reader, &set_chunk_size(0x7FFF_FFFF)).unwrap();
    assert_eq!(
        read(&mut reader, &header(6, VIDEO, VIDEO_BYTES_MAX)),
        Ok(vec![])
    );
    assert_eq!(reader.bytes_buffered(), 0, "nothing for a header");
    let mut received = 0;
    while received < VIDEO_BYTES_MAX - 10_000 {
        assert_eq!(read(&mut reader, &[1; 10_000]), Ok(vec![]));
        received += 10_000;
        assert!(
            reader.bytes_buffered() <= (2 * received).max(64 * 1024),
            "{received}"
        );
    }
    let rest = vec![1; VIDEO_BYTES_MAX - received];
    assert_eq!(
        read(&mut reader, &rest).unwrap()[0].payload.len(),
        VIDEO_BYTES_MAX
    );
    assert_eq!(reader.bytes_buffered(), 0);
}
