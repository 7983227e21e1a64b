//! What a connection costs in memory: bounded for a hostile one, given back after it, and little per message.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod counting_allocator;

use std::io::IoSlice;

use aqueduct::rtmp::amf0;
use aqueduct::rtmp::chunk::{ChunkError, Header, Outbox, Reader, write};
use aqueduct::rtmp::limits::{
    AMF0_DEPTH_MAX, AMF0_VALUES_MAX, BEFORE_PUBLISH_BYTES_MAX, COMMAND_BYTES_MAX,
    PARTIAL_BYTES_MAX, PARTIAL_MESSAGES_MAX, PAYLOAD_UNSEEN_BYTES_MAX,
};
use aqueduct::rtmp::message::{Message, MessageType};
use bytes::{Bytes, BytesMut};
use counting_allocator::{allocations_of, live_bytes, peak_of};

/// What one hostile connection may hold on the heap, in bytes.
const HOSTILE_HEAP_BYTES_MAX: usize = 16 << 20;
/// A reader's own state: the header state of 32 chunk streams.
const READER_BYTES_MAX: usize = 8 << 10;

fn header(csid: u8, type_id: u8, length: usize) -> Vec<u8> {
    let [_, l0, l1, l2] = (length as u32).to_be_bytes();
    vec![csid, 0, 0, 0, l0, l1, l2, type_id, 1, 0, 0, 0]
}

fn set_chunk_size(size: u32) -> Vec<u8> {
    [
        &header(2, MessageType::SET_CHUNK_SIZE, 4)[..],
        &size.to_be_bytes(),
    ]
    .concat()
}

/// Reads all of it, dropping what is whole.
fn feed(reader: &mut Reader, mut input: &[u8]) -> Result<(), ChunkError> {
    while reader.read(&mut input)?.is_some() {}
    Ok(())
}

#[test]
fn unfinished_messages_of_the_greatest_length_stay_within_the_bound() {
    let piece = vec![0; 100_000];
    let begin: Vec<_> = (3..63)
        .map(|csid| header(csid, MessageType::VIDEO, 8 << 20))
        .collect();
    for streams in 1..=PARTIAL_MESSAGES_MAX + 1 {
        let small_chunks = set_chunk_size(100_000);
        let mut error = None;
        let peak = peak_of(|| {
            let mut reader = Reader::new();
            reader.publish_accepted();
            feed(&mut reader, &small_chunks).unwrap();
            // A chunk of each in turn, and each stays one byte short of its end.
            for turn in 0..83 {
                for (csid, begin) in begin.iter().enumerate().take(streams) {
                    let basic = [0xC0 | (csid as u8 + 3)];
                    let head = if turn == 0 { &begin[..] } else { &basic };
                    error = error.or_else(|| {
                        feed(&mut reader, head)
                            .and_then(|()| feed(&mut reader, &piece))
                            .err()
                    });
                    assert!(reader.bytes_buffered() <= PARTIAL_BYTES_MAX);
                }
            }
        });
        let expected = match streams {
            1 => None,
            _ if streams <= PARTIAL_MESSAGES_MAX => Some(ChunkError::PartialMessagesTooLong {
                limit: PARTIAL_BYTES_MAX,
            }),
            _ => Some(ChunkError::TooManyPartialMessages),
        };
        assert_eq!(error, expected, "{streams} streams");
        assert!(
            peak <= PARTIAL_BYTES_MAX + READER_BYTES_MAX,
            "{streams} streams: {peak} bytes"
        );
        assert!(peak <= HOSTILE_HEAP_BYTES_MAX);
    }
}

#[test]
fn claims_without_bytes_cost_nothing_and_with_few_bytes_little() {
    for length in [0xFF_FFFF, 8 << 20] {
        let claim = header(3, MessageType::VIDEO, length);
        let peak = peak_of(|| {
            let mut reader = Reader::new();
            reader.publish_accepted();
            let _ = feed(&mut reader, &claim);
        });
        assert!(peak <= READER_BYTES_MAX, "{peak} bytes");
    }
    let begun: Vec<_> = (2..64)
        .map(|csid| [&header(csid, MessageType::VIDEO, 8 << 20)[..], &[0; 128]].concat())
        .collect();
    let peak = peak_of(|| {
        let mut reader = Reader::new();
        reader.publish_accepted();
        let error = begun
            .iter()
            .find_map(|chunk| feed(&mut reader, chunk).err());
        assert_eq!(error, Some(ChunkError::TooManyPartialMessages));
    });
    assert!(
        peak <= PARTIAL_MESSAGES_MAX * PAYLOAD_UNSEEN_BYTES_MAX + READER_BYTES_MAX,
        "{peak} bytes"
    );
}

#[test]
fn before_a_publish_a_connection_holds_little() {
    let begun: Vec<_> = (3..63)
        .map(|csid| {
            [
                &header(csid, MessageType::COMMAND_AMF0, BEFORE_PUBLISH_BYTES_MAX)[..],
                &[0; 128],
            ]
            .concat()
        })
        .collect();
    let peak = peak_of(|| {
        let mut reader = Reader::new();
        let error = begun
            .iter()
            .find_map(|chunk| feed(&mut reader, chunk).err());
        assert_eq!(error, Some(ChunkError::TooManyPartialMessages));
    });
    assert!(
        peak <= PARTIAL_MESSAGES_MAX * 128 + READER_BYTES_MAX,
        "{peak} bytes"
    );
}

#[test]
fn before_a_publish_all_unfinished_messages_share_the_length_of_one() {
    let long = [0; BEFORE_PUBLISH_BYTES_MAX / 2];
    let begun: Vec<_> = (3..6)
        .map(|csid| {
            let head = header(csid, MessageType::COMMAND_AMF0, BEFORE_PUBLISH_BYTES_MAX);
            [&head[..], &long].concat()
        })
        .collect();
    let halves = set_chunk_size(long.len() as u32);
    let peak = peak_of(|| {
        let mut reader = Reader::new();
        feed(&mut reader, &halves).unwrap();
        for chunk in &begun {
            // The first two fill it; one message of the greatest length is always taken.
            match feed(&mut reader, chunk) {
                Ok(()) => assert!(reader.bytes_buffered() <= BEFORE_PUBLISH_BYTES_MAX),
                Err(error) => {
                    let limit = BEFORE_PUBLISH_BYTES_MAX;
                    assert_eq!(error, ChunkError::PartialMessagesTooLong { limit });
                    return;
                }
            }
        }
        panic!("three halves are no whole");
    });
    assert!(
        peak <= BEFORE_PUBLISH_BYTES_MAX + READER_BYTES_MAX,
        "{peak} bytes"
    );
    let whole = [
        &header(3, MessageType::COMMAND_AMF0, BEFORE_PUBLISH_BYTES_MAX)[..],
        &[0; BEFORE_PUBLISH_BYTES_MAX],
    ]
    .concat();
    let mut reader = Reader::new();
    feed(&mut reader, &set_chunk_size(0xFF_FFFF)).unwrap();
    for piece in whole.chunks(1000) {
        feed(&mut reader, piece).unwrap();
    }
    assert_eq!(reader.bytes_buffered(), 0);
}

#[test]
fn hostile_amf0_costs_a_small_multiple_of_its_bytes() {
    let nested = b"\x03\x00\x01a".repeat(COMMAND_BYTES_MAX / 4);
    let arrays = b"\x0a\xff\xff\xff\xff".repeat(COMMAND_BYTES_MAX / 5);
    let counts = [&b"\x0a\xff\xff\xff\xff"[..], &[5].repeat(COMMAND_BYTES_MAX)].concat();
    let texts = b"\x02\x00\x01a".repeat(COMMAND_BYTES_MAX / 4);
    let objects = b"\x03\x00\x01a\x05\x00\x00\x09".repeat(AMF0_VALUES_MAX / 2);
    let repaired = [&b"\x0c\x00\x00\xff\xf0"[..], &[0xFF].repeat(0xFFF0)].concat();
    for bytes in [nested, arrays, counts, texts, objects, repaired] {
        let peak = peak_of(|| drop(amf0::decode(&bytes)));
        assert!(peak <= 2 << 20, "{peak} bytes for {:02x?}", &bytes[..8]);
    }
    let deepest = [&b"\x0a\x00\x00\x00\x01".repeat(AMF0_DEPTH_MAX)[..], &[5]].concat();
    assert!(amf0::decode(&deepest).is_ok());
}

fn written(chunk_size: u32, lengths: &[usize]) -> BytesMut {
    let mut wire = BytesMut::new();
    for &length in lengths {
        let header = Header {
            csid: 6,
            timestamp: 9,
            length: length as u32,
            type_id: MessageType::VIDEO,
            stream_id: 1,
        };
        write(&mut wire, header, &vec![7; length], chunk_size);
    }
    wire
}

#[test]
fn a_message_costs_its_buffer_and_its_shared_count_and_a_short_one_nothing() {
    let cases = [
        // Whole in one chunk, whole in many chunks, and long ones that have come already.
        (60_000, vec![0, 1, 400, 25_000, 400, 59_999]),
        (4096, vec![0, 1, 400, 25_000, 400, 65_536]),
        (4096, vec![70_000, 300_000, 2_000_000]),
        (128, vec![25_000]),
    ];
    for (chunk_size, lengths) in cases {
        let wire = written(chunk_size, &lengths);
        let mut reader = Reader::new();
        reader.publish_accepted();
        feed(&mut reader, &set_chunk_size(chunk_size)).unwrap();
        // The header state of chunk stream 6 is made once.
        feed(&mut reader, &header(6, MessageType::VIDEO, 0)).unwrap();
        let mut input = &wire[..];
        for length in lengths {
            let mut message = None;
            let allocations = allocations_of(|| {
                message = reader.read(&mut input).unwrap();
                // The ring and a target share it.
                let shared = message
                    .as_ref()
                    .map(|message: &Message| message.payload.clone());
                drop(shared);
            });
            assert_eq!(message.unwrap().payload.len(), length);
            let allowed = match length {
                // In the block that the first short one has begun, whose count they share.
                0 | 400 => 0,
                _ => 2,
            };
            assert_eq!(
                allocations, allowed,
                "{length} bytes in chunks of {chunk_size}"
            );
        }
    }
}

#[test]
fn a_peer_that_sends_no_media_holds_no_block() {
    let mut reader = Reader::new();
    reader.publish_accepted();
    let acknowledgement = [
        &header(2, MessageType::ACKNOWLEDGEMENT, 4)[..],
        &7_u32.to_be_bytes(),
    ]
    .concat();
    feed(&mut reader, &acknowledgement).unwrap();
    let before = live_bytes();
    for _ in 0..100 {
        feed(&mut reader, &acknowledgement).unwrap();
    }
    assert_eq!(live_bytes(), before);
    feed(&mut reader, &written(128, &[100])).unwrap();
    assert!(live_bytes() > before + 1024, "media begins one");
}

#[test]
fn a_message_that_arrives_in_pieces_costs_the_same_up_to_64_kib() {
    let wire = written(4096, &[65_536]);
    let mut reader = Reader::new();
    reader.publish_accepted();
    feed(&mut reader, &set_chunk_size(4096)).unwrap();
    feed(&mut reader, &header(6, MessageType::VIDEO, 0)).unwrap();
    let mut messages = 0;
    let allocations = allocations_of(|| {
        for piece in wire.chunks(1448) {
            // Chunk headers of one byte are never cut, but the first one may be; 1448 is more than it has.
            let mut input = piece;
            while let Some(message) = reader.read(&mut input).unwrap() {
                drop(message.payload.clone());
                messages += 1;
            }
        }
    });
    assert_eq!((messages, allocations), (1, 2));
}

#[test]
fn an_outbox_allocates_nothing_in_steady_state() {
    let payload = Bytes::from(vec![7; 25_000]);
    let _shared = payload.clone();
    let mut outbox = Outbox::new(4096);
    let mut tick = |messages: u32, taken: usize| {
        for at in 0..messages {
            let length = payload.len() as u32;
            let header = Header {
                csid: 6,
                timestamp: at,
                length,
                type_id: MessageType::VIDEO,
                stream_id: 1,
            };
            outbox.push(header, payload.clone());
        }
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); 64];
            let filled = outbox.slices(&mut slices);
            let offered: usize = slices[..filled].iter().map(|slice| slice.len()).sum();
            outbox.advance(offered.min(taken));
        }
    };
    tick(8, usize::MAX);
    assert_eq!(
        allocations_of(|| (0..100).for_each(|_| tick(8, usize::MAX))),
        0
    );
    assert_eq!(
        allocations_of(|| (0..100).for_each(|_| tick(8, 10_001))),
        0,
        "with partial writes"
    );
    // A target that catches up leaves no memory behind.
    let before = live_bytes();
    tick(20_000, usize::MAX);
    assert!(live_bytes() <= before + 32 * 1024);
}
