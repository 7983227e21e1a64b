//! Chunk headers byte by byte: ids, formats, both habits of the extended timestamp, and headers inside a message.
#![allow(clippy::unwrap_used, reason = "a test")]

use aqueduct::rtmp::chunk::{ChunkError, Header, Reader, write};
use aqueduct::rtmp::message::{Message, MessageType};
use bytes::{Bytes, BytesMut};

const VIDEO: u8 = MessageType::VIDEO;

fn read(mut input: &[u8]) -> Result<Vec<Message>, ChunkError> {
    let mut reader = Reader::new();
    let mut messages = Vec::new();
    while let Some(message) = reader.read(&mut input)? {
        messages.push(message);
    }
    assert_eq!(input, b"", "all is read");
    Ok(messages)
}

/// The error of the last of the parts; everything before it is read.
fn error_of(parts: &[&[u8]]) -> ChunkError {
    let wire = parts.concat();
    let (before, _) = wire.split_at(wire.len() - parts.last().unwrap().len());
    read(before).unwrap();
    read(&wire).unwrap_err()
}

fn timestamps(parts: &[&[u8]]) -> Vec<u32> {
    read(&parts.concat())
        .unwrap()
        .iter()
        .map(|message| message.timestamp)
        .collect()
}

/// A format 0 header of chunk stream 6 and message stream 1, `time` as it stands in the 3-byte field.
fn full(time: u32, length: u32) -> Vec<u8> {
    let [_, t0, t1, t2] = time.to_be_bytes();
    let [_, l0, l1, l2] = length.to_be_bytes();
    vec![0x06, t0, t1, t2, l0, l1, l2, VIDEO, 1, 0, 0, 0]
}

fn format1(delta: u32, length: u32) -> Vec<u8> {
    let mut header = full(delta, length);
    header[0] = 0x46;
    header.truncate(8);
    header
}

fn format2(delta: u32) -> Vec<u8> {
    let mut header = full(delta, 0);
    header[0] = 0x86;
    header.truncate(4);
    header
}

const FORMAT3: &[u8] = &[0xC6];

#[test]
fn chunk_stream_ids_take_one_to_three_bytes() {
    let cases: &[(&[u8], u32)] = &[
        (&[2], 2),
        (&[3], 3),
        (&[63], 63),
        (&[0, 0], 64),
        (&[0, 1], 65),
        (&[0, 255], 319),
        // Three bytes may say what two bytes could.
        (&[1, 0, 0], 64),
        (&[1, 255, 0], 319),
        (&[1, 0, 1], 320),
        (&[1, 1, 1], 321),
        (&[1, 255, 255], 65_599),
    ];
    for &(basic, csid) in cases {
        let mut header = full(5, 2);
        header.splice(0..1, basic.iter().copied());
        let mut continued = basic.to_vec();
        continued[0] |= 0xC0;
        let messages = read(&[&header, &b"ab"[..], &continued, b"cd"].concat()).unwrap();
        let expected = |timestamp, payload: &'static [u8]| Message {
            csid,
            timestamp,
            type_id: VIDEO,
            stream_id: 1,
            payload: Bytes::from_static(payload),
        };
        assert_eq!(messages, [expected(5, b"ab"), expected(10, b"cd")]);
    }
}

#[test]
fn one_chunk_stream_is_the_same_in_every_spelling_of_its_id() {
    let mut header = full(5, 2);
    header.splice(0..1, [0, 10]);
    let messages = read(&[&header, &b"ab"[..], &[0xC1, 10, 0], b"cd"].concat()).unwrap();
    assert_eq!(
        messages
            .iter()
            .map(|message| message.csid)
            .collect::<Vec<_>>(),
        [74, 74]
    );
}

#[test]
fn the_message_stream_id_is_little_endian() {
    let mut header = full(0, 0);
    header[8..12].copy_from_slice(&[0x04, 0x03, 0x02, 0x01]);
    assert_eq!(read(&header).unwrap()[0].stream_id, 0x0102_0304);
}

#[test]
fn deltas_add_up_and_format_3_repeats_them() {
    assert_eq!(
        timestamps(&[&full(26, 0), FORMAT3, FORMAT3]),
        [26, 52, 78],
        "after format 0: its timestamp"
    );
    assert_eq!(
        timestamps(&[&full(1000, 0), &format1(40, 0), FORMAT3]),
        [1000, 1040, 1080]
    );
    assert_eq!(
        timestamps(&[&full(1000, 0), &format2(33), FORMAT3, &format2(0), FORMAT3]),
        [1000, 1033, 1066, 1066, 1066]
    );
    assert_eq!(
        timestamps(&[&full(1000, 0), &format2(33), &full(7, 0), &format2(1)]),
        [1000, 1033, 7, 8]
    );
}

#[test]
fn timestamps_wrap() {
    let absolute = [&full(0xFF_FFFF, 0)[..], &u32::MAX.to_be_bytes()].concat();
    assert_eq!(timestamps(&[&absolute, &format2(3)]), [u32::MAX, 2]);
}

#[test]
fn a_length_and_type_are_inherited_until_they_change() {
    let wire = [
        &full(0, 3)[..],
        b"abc",
        &format2(1),
        b"def",
        &format1(1, 1),
        b"g",
        FORMAT3,
        b"h",
    ]
    .concat();
    let payloads: Vec<_> = read(&wire)
        .unwrap()
        .into_iter()
        .map(|message| message.payload)
        .collect();
    assert_eq!(payloads, [&b"abc"[..], b"def", b"g", b"h"]);
}

#[test]
fn a_chunk_stream_may_begin_with_format_1_but_not_with_less() {
    // As librtmp's first ping: no stream yet, so stream 0.
    let messages = read(&[&format1(9, 1)[..], b"x"].concat()).unwrap();
    let payload = Bytes::from_static(b"x");
    assert_eq!(
        messages,
        [Message {
            csid: 6,
            timestamp: 9,
            type_id: VIDEO,
            stream_id: 0,
            payload
        }]
    );
    assert_eq!(
        error_of(&[&format2(0)]),
        ChunkError::NoHeaderBefore { csid: 6, format: 2 }
    );
    assert_eq!(
        error_of(&[FORMAT3]),
        ChunkError::NoHeaderBefore { csid: 6, format: 3 }
    );
    // What another chunk stream has does not count.
    assert_eq!(
        error_of(&[&full(0, 0), &[0xC7]]),
        ChunkError::NoHeaderBefore { csid: 7, format: 3 }
    );
}

#[test]
fn absolute_timestamps_extend_at_their_border() {
    for timestamp in [0, 0xFF_FFFE, 0xFF_FFFF, 0x100_0000, 0x7FFF_FFFF, u32::MAX] {
        let extended = if timestamp < 0xFF_FFFF {
            Vec::new()
        } else {
            timestamp.to_be_bytes().to_vec()
        };
        let head = [full(timestamp.min(0xFF_FFFF), 300), extended.clone()].concat();
        let payload = [0xEE; 300];
        let repeating = [&extended[..], &payload[..]];
        for (habit, repeated) in [("repeats", repeating[0]), ("omits", b"")] {
            let continued = [FORMAT3, repeated].concat();
            let wire = [
                &head[..],
                &payload[..128],
                &continued,
                &payload[128..256],
                &continued,
                &payload[256..],
                // And a second message that adds the same time.
                &continued,
                &payload[..128],
                &continued,
                &payload[128..256],
                &continued,
                &payload[256..],
            ];
            let messages = read(&wire.concat()).unwrap();
            assert_eq!(messages.len(), 2, "{timestamp:#x} {habit}");
            assert_eq!(messages[0].timestamp, timestamp, "{habit}");
            assert_eq!(messages[1].timestamp, timestamp.wrapping_mul(2), "{habit}");
            assert!(
                messages
                    .iter()
                    .all(|message| message.payload == payload[..]),
                "{timestamp:#x} {habit}"
            );

            let mut written = BytesMut::new();
            write(
                &mut written,
                Header {
                    csid: 6,
                    timestamp,
                    length: 300,
                    type_id: VIDEO,
                    stream_id: 1,
                },
                &payload,
                128,
            );
            assert_eq!(
                written == wire[..6].concat(),
                habit == "repeats" || extended.is_empty(),
                "we repeat it"
            );
        }
    }
}

#[test]
fn deltas_extend_too_and_may_be_small() {
    let wide = |header: Vec<u8>, delta: u32| [&header[..], &delta.to_be_bytes()].concat();
    for delta in [0_u32, 40, 0xFF_FFFE, 0xFF_FFFF, 0x100_0000, u32::MAX] {
        let begun = full(10, 1);
        let expected = [
            10,
            10_u32.wrapping_add(delta),
            10_u32.wrapping_add(delta.wrapping_mul(2)),
        ];
        let repeated = wide(FORMAT3.to_vec(), delta);
        for header in [
            wide(format1(0xFF_FFFF, 1), delta),
            wide(format2(0xFF_FFFF), delta),
        ] {
            assert_eq!(
                timestamps(&[&begun, b"a", &header, b"b", &repeated, b"c"]),
                expected
            );
            assert_eq!(
                timestamps(&[&begun, b"a", &header, b"b", FORMAT3, b"c"]),
                expected
            );
        }
    }
}

#[test]
fn the_end_of_a_message_is_not_held_back_to_look_for_an_extended_timestamp() {
    let head = [
        &full(0xFF_FFFF, 130)[..],
        &0x0100_0000_u32.to_be_bytes(),
        &[0xEE; 128],
    ]
    .concat();
    // Two bytes that cannot be the timestamp are the end of the payload, without waiting for two more.
    let messages = read(&[&head[..], FORMAT3, &[0xEE; 2]].concat()).unwrap();
    assert_eq!(messages.len(), 1);
    // Two bytes that can be are waited for.
    let mut reader = Reader::new();
    let wire = [&head[..], FORMAT3, &[0x01, 0x00]].concat();
    let mut input = &wire[..];
    assert_eq!(reader.read(&mut input), Ok(None));
    assert_eq!(input, [0xC6, 0x01, 0x00]);
    let mut input = &[0xC6, 0x01, 0x00, 0x00, 0x00, 0xAA, 0xBB][..];
    let message = reader.read(&mut input).unwrap().unwrap();
    assert_eq!(message.payload[128..], [0xAA, 0xBB]);
}

#[test]
fn inside_a_message_only_headers_that_say_the_same_are_taken() {
    let begun = [&full(50, 200)[..], &[1; 128]].concat();
    let rest = [2; 72];
    for header in [
        FORMAT3.to_vec(),
        format2(999),
        format1(999, 200),
        format1(0xFF_FFFF, 200),
    ] {
        let extended: &[u8] = if header[1..].starts_with(&[0xFF; 3]) {
            &[0; 4]
        } else {
            &[]
        };
        let wire = [
            &begun[..],
            &header,
            extended,
            &rest,
            FORMAT3,
            &[3; 128],
            FORMAT3,
            &[3; 72],
        ]
        .concat();
        let messages = read(&wire).unwrap();
        assert_eq!(messages[0].payload, [&[1; 128][..], &rest].concat());
        assert_eq!(
            messages[0].timestamp, 50,
            "a delta inside a message is no step in time"
        );
        assert_eq!(messages[1].timestamp, 100, "nor is it the next message's");
    }
    let mut other_type = format1(0, 200);
    other_type[7] = MessageType::AUDIO;
    for header in [
        full(50, 200),
        format1(0, 199),
        format1(0, 0),
        format1(0, 0xFF_FFFF),
        other_type,
    ] {
        assert_eq!(
            error_of(&[&begun, &header]),
            ChunkError::HeaderInsideMessage { csid: 6 }
        );
    }
}

#[test]
fn empty_messages_are_delivered() {
    let messages = read(&[&full(5, 0)[..], FORMAT3, &full(5, 1), b"x"].concat()).unwrap();
    let lengths: Vec<_> = messages
        .iter()
        .map(|message| message.payload.len())
        .collect();
    assert_eq!(lengths, [0, 0, 1]);
}

#[test]
fn a_cut_header_stays_in_the_input() {
    let mut header = full(0xFF_FFFF, 1);
    header.splice(0..1, [1, 0, 1]);
    header.extend_from_slice(&7_u32.to_be_bytes());
    assert_eq!(header.len(), 18, "the longest header");
    for end in 0..header.len() {
        let mut reader = Reader::new();
        let mut input = &header[..end];
        assert_eq!(reader.read(&mut input), Ok(None));
        assert_eq!(input, &header[..end]);
    }
}

#[test]
fn messages_of_several_chunk_streams_do_not_touch_each_other() {
    // A long video with a short audio message inside: the case that a single payload buffer gets wrong.
    let mut audio = full(20, 10);
    (audio[0], audio[7]) = (0x04, MessageType::AUDIO);
    let wire = [
        &full(10, 300)[..],
        &[1; 128],
        &audio,
        &[9; 10],
        FORMAT3,
        &[2; 128],
        &[0xC4],
        &[8; 10],
        FORMAT3,
        &[3; 44],
    ];
    let messages = read(&wire.concat()).unwrap();
    let told: Vec<_> = messages
        .iter()
        .map(|m| (m.csid, m.timestamp, m.type_id, m.payload.len()))
        .collect();
    assert_eq!(
        told,
        [
            (4, 20, MessageType::AUDIO, 10),
            (4, 40, MessageType::AUDIO, 10),
            (6, 10, VIDEO, 300)
        ]
    );
    assert_eq!(
        messages[2].payload,
        [&[1; 128][..], &[2; 128], &[3; 44]].concat()
    );
}
