//! Why the chunk layer, AMF0 and the sessions are ours: what rml_rtmp 0.8.0 and rml_amf0 0.3.0 do with input that real or
//! hostile peers send, and what our layer makes of the same bytes.
//!
//! When one of these fails, the library has changed: read `docs/decisions/2026-11-20-own-chunk-layer.md` again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command as Program, Stdio};

use aqueduct::rtmp::amf0::{self, Amf0Error, Value};
use aqueduct::rtmp::chunk::{ChunkError, Header, Reader, write};
use aqueduct::rtmp::command::Command;
use aqueduct::rtmp::message::{Message, MessageType};
use bytes::{Bytes, BytesMut};
use rml_rtmp::chunk_io::{ChunkDeserializer, ChunkSerializer};
use rml_rtmp::messages::{MessagePayload, RtmpMessage};
use rml_rtmp::rml_amf0::{self, Amf0Value};
use rml_rtmp::sessions::{
    ServerSession, ServerSessionConfig, ServerSessionEvent, ServerSessionResult,
};
use rml_rtmp::time::RtmpTimestamp;

const AUDIO: u8 = MessageType::AUDIO;
const VIDEO: u8 = MessageType::VIDEO;
const DATA: u8 = MessageType::DATA_AMF0;
const COMMAND: u8 = MessageType::COMMAND_AMF0;

/// A format 0 header of message stream 1.
fn header(csid: u8, time: u32, type_id: u8, length: usize) -> Vec<u8> {
    let [_, t0, t1, t2] = time.to_be_bytes();
    let [_, l0, l1, l2] = (length as u32).to_be_bytes();
    vec![csid, t0, t1, t2, l0, l1, l2, type_id, 1, 0, 0, 0]
}

fn message(csid: u8, type_id: u8, payload: &[u8]) -> Vec<u8> {
    [&header(csid, 0, type_id, payload.len()), payload].concat()
}

fn ours(wire: &[u8]) -> Result<Vec<Message>, ChunkError> {
    let mut input = wire;
    let mut reader = Reader::new();
    let mut messages = Vec::new();
    while let Some(message) = reader.read(&mut input)? {
        messages.push(message);
    }
    Ok(messages)
}

/// All messages that the library reads, or its error as text.
fn theirs(wire: &[u8]) -> Result<Vec<MessagePayload>, String> {
    let mut deserializer = ChunkDeserializer::new();
    let mut input = wire;
    let mut messages = Vec::new();
    while let Some(message) = deserializer
        .get_next_message(input)
        .map_err(|error| error.to_string())?
    {
        messages.push(message);
        input = &[];
    }
    Ok(messages)
}

fn panics<T>(work: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err()
}

fn server() -> ServerSession {
    ServerSession::new(ServerSessionConfig::new()).unwrap().0
}

/// What the library's serializer makes of messages, each with (timestamp, length).
fn serialized(messages: &[(u32, usize)], force_uncompressed: bool) -> Vec<Vec<u8>> {
    let mut serializer = ChunkSerializer::new();
    let packets = messages.iter().map(|&(timestamp, length)| {
        let timestamp = RtmpTimestamp::new(timestamp);
        let data = Bytes::from(vec![7; length]);
        let message = MessagePayload {
            timestamp,
            type_id: VIDEO,
            message_stream_id: 1,
            data,
        };
        serializer
            .serialize(&message, force_uncompressed, false)
            .unwrap()
            .bytes
    });
    packets.collect()
}

#[test]
fn one_payload_buffer_for_all_chunk_streams_panics_on_a_short_message_inside_a_long_one() {
    let wire = [
        &header(6, 0, VIDEO, 300)[..],
        &[1; 128],
        &message(4, AUDIO, &[9; 10]),
        &[0xC6],
        &[2; 128],
        &[0xC6],
        &[3; 44],
    ]
    .concat();
    assert!(panics(|| theirs(&wire)));
    let lengths: Vec<_> = ours(&wire)
        .unwrap()
        .iter()
        .map(|message| message.payload.len())
        .collect();
    assert_eq!(lengths, [10, 300]);
}

#[test]
fn one_payload_buffer_for_all_chunk_streams_mixes_two_long_messages() {
    let wire = [
        &header(6, 0, VIDEO, 200)[..],
        &[1; 128],
        &header(4, 0, AUDIO, 256),
        &[2; 128],
        &[0xC6],
        &[1; 72],
        &[0xC4],
        &[2; 128],
    ]
    .concat();
    let mixed = theirs(&wire).unwrap_or_default();
    assert!(
        mixed
            .iter()
            .any(|message| message.data.contains(&1) && message.data.contains(&2))
    );
    let apart = ours(&wire).unwrap();
    assert_eq!(apart[0].payload, [1; 200][..]);
    assert_eq!(apart[1].payload, [2; 256][..]);
}

#[test]
fn a_chunk_stream_that_begins_with_format_1_is_refused() {
    // librtmp's first ping.
    let wire = [
        &[0x42, 0, 0, 0, 0, 0, 10, 4][..],
        &[0, 3, 0, 0, 0, 1, 0, 0, 0, 100],
    ]
    .concat();
    assert!(theirs(&wire).is_err());
    assert_eq!(ours(&wire).unwrap().len(), 1);
}

#[test]
fn a_chunk_size_of_0_is_taken() {
    assert!(ChunkDeserializer::new().set_max_chunk_size(0).is_ok());
    let wire = message(2, MessageType::SET_CHUNK_SIZE, &[0; 4]);
    assert_eq!(
        ours(&wire),
        Err(ChunkError::ChunkSizeOutOfRange { size: 0 })
    );
}

#[test]
fn any_number_of_chunk_streams_is_taken() {
    let wire: Vec<u8> = (0..=u16::MAX)
        .flat_map(|id| [&[1][..], &id.to_le_bytes(), &header(0, 0, VIDEO, 0)[1..]].concat())
        .collect();
    assert_eq!(theirs(&wire).unwrap().len(), 65_536);
    assert_eq!(ours(&wire), Err(ChunkError::TooManyChunkStreams));
}

#[test]
fn an_abort_aborts_nothing_or_panics() {
    let begun = [&header(6, 0, VIDEO, 300)[..], &[1; 128]].concat();
    let abort = message(2, MessageType::ABORT, &[0, 0, 0, 6]);
    let wire = [&begun[..], &abort, &message(6, VIDEO, b"next")].concat();
    assert!(panics(|| theirs(&wire)));
    assert_eq!(ours(&wire).unwrap()[1].payload, b"next"[..]);
}

#[test]
fn a_peer_that_omits_the_extended_timestamp_on_format_3_stalls() {
    let wire = [
        &header(6, 0xFF_FFFF, VIDEO, 130)[..],
        &0x0100_0000_u32.to_be_bytes(),
        &[7; 128],
        &[0xC6],
        &[7; 2],
    ];
    assert!(theirs(&wire.concat()).unwrap().is_empty());
    assert_eq!(ours(&wire.concat()).unwrap()[0].payload, [7; 130][..]);
}

#[test]
fn a_small_extended_delta_panics() {
    let wire = [
        &message(6, VIDEO, b"a")[..],
        &[0x86, 0xFF, 0xFF, 0xFF, 0, 0, 0, 40],
        b"b",
    ]
    .concat();
    assert!(panics(|| theirs(&wire)));
    assert_eq!(ours(&wire).unwrap()[1].timestamp, 40);
}

fn header_for_write(timestamp: u32, length: usize) -> Header {
    Header {
        csid: 6,
        timestamp,
        length: length as u32,
        type_id: VIDEO,
        stream_id: 1,
    }
}

#[test]
fn an_empty_message_is_not_sent() {
    assert_eq!(serialized(&[(0, 0)], false), [Vec::<u8>::new()]);
    let mut wire = BytesMut::new();
    write(&mut wire, header_for_write(0, 0), b"", 128);
    assert_eq!(ours(&wire).unwrap().len(), 1);
}

#[test]
fn full_headers_are_repeated_inside_a_message() {
    let packets = serialized(&[(0, 129)], true);
    let second_chunk = packets[0][12 + 128];
    assert_eq!(
        second_chunk >> 6,
        0,
        "format 0, where only format 3 continues a message"
    );
    assert!(matches!(
        ours(&packets[0]),
        Err(ChunkError::HeaderInsideMessage { .. })
    ));
    let mut wire = BytesMut::new();
    write(&mut wire, header_for_write(0, 129), &[7; 129], 128);
    assert_eq!(wire[12 + 128] >> 6, 3);
}

#[test]
fn messages_begin_with_format_3_which_servers_read_in_two_ways() {
    let packets = serialized(&[(33, 5), (66, 5)], false);
    assert_eq!(packets[1][0] >> 6, 3);
    let mut wire = BytesMut::new();
    write(&mut wire, header_for_write(66, 5), &[7; 5], 128);
    assert_eq!(wire[0] >> 6, 0);
}

#[test]
fn a_step_back_in_time_is_sent_as_a_huge_delta() {
    let packets = serialized(&[(100, 5), (90, 6)], false);
    assert_eq!(
        packets[1][1..4],
        [0xFF; 3],
        "an extended delta of almost 2^32"
    );
}

/// Sends a message to the library's server session.
fn given(session: &mut ServerSession, wire: &[u8]) -> Result<Vec<ServerSessionResult>, String> {
    session
        .handle_input(wire)
        .map_err(|error| error.to_string())
}

#[test]
fn acknowledgements_count_from_the_last_one_and_not_from_the_start() {
    let (mut session, mut results) = ServerSession::new(ServerSessionConfig::new()).unwrap();
    let window = message(2, MessageType::WINDOW_ACK_SIZE, &[0, 0, 0, 100]);
    results.extend(given(&mut session, &window).unwrap());
    for _ in 0..3 {
        results.extend(given(&mut session, &message(4, 99, &[0; 100])).unwrap());
    }
    let mut deserializer = ChunkDeserializer::new();
    let mut totals = Vec::new();
    for result in results {
        let ServerSessionResult::OutboundResponse(packet) = result else {
            continue;
        };
        let message = deserializer.get_next_message(&packet.bytes).unwrap();
        let message = message.unwrap().to_rtmp_message();
        if let Ok(RtmpMessage::Acknowledgement { sequence_number }) = message {
            totals.push(sequence_number);
        }
    }
    assert_eq!(totals, [112, 112, 112], "the protocol wants 128, 240, 352");
}

#[test]
fn a_command_of_fewer_than_three_values_panics() {
    let short = b"\x02\x00\x05close";
    assert!(panics(|| given(&mut server(), &message(3, COMMAND, short))));
    assert_eq!(
        Command::decode(COMMAND, short).unwrap(),
        Command::new("close", 0.0, Value::Null, vec![])
    );
}

#[test]
fn a_lone_set_data_frame_panics() {
    let lone = b"\x02\x00\x0d@setDataFrame";
    assert!(panics(|| given(&mut server(), &message(4, DATA, lone))));
    assert_eq!(amf0::decode(lone), Ok(vec!["@setDataFrame".into()]));
}

#[test]
fn an_unknown_user_control_event_ends_the_session() {
    for event in [5, 26, 33] {
        let wire = message(2, MessageType::USER_CONTROL, &[0, event, 0, 0, 0, 1]);
        assert!(given(&mut server(), &wire).is_err());
        assert!(ours(&wire).is_ok());
    }
}

#[test]
fn data_of_type_15_with_its_format_byte_ends_the_session() {
    let body = [&[0][..], b"\x02\x00\x0aonMetaData", b"\x08\0\0\0\0\0\0\x09"].concat();
    let wire = message(4, MessageType::DATA_AMF3, &body);
    assert!(given(&mut server(), &wire).is_err());
}

#[test]
fn real_amf0_markers_end_the_session() {
    let bodies: [&[u8]; 6] = [
        b"\x07\x00\x01",
        b"\x0b\0\0\0\0\0\0\0\0\0\0",
        b"\x0c\0\0\0\x01a",
        b"\x0d",
        b"\x0f\0\0\0\x01a",
        b"\x10\x00\x01C\0\0\x09",
    ];
    for body in bodies {
        assert!(
            rml_amf0::deserialize(&mut &body[..]).is_err(),
            "{body:02x?}"
        );
        assert!(amf0::decode(body).is_ok(), "{body:02x?}");
    }
}

#[test]
fn a_string_that_is_cut_off_is_filled_with_zeroes() {
    let cut = b"\x02\x00\x05hi";
    let read = rml_amf0::deserialize(&mut &cut[..]).unwrap();
    assert_eq!(read, [Amf0Value::Utf8String("hi\0\0\0".to_owned())]);
    assert_eq!(amf0::decode(cut), Err(Amf0Error::Truncated { offset: 3 }));
}

#[test]
fn duplicates_and_the_kind_of_an_array_are_lost() {
    let array = b"\x08\0\0\0\x02\x00\x01a\x05\x00\x01a\x01\x01\0\0\x09";
    let read = rml_amf0::deserialize(&mut &array[..]).unwrap();
    let again = rml_amf0::serialize(&read).unwrap();
    assert_eq!(again[0], 3, "an object comes out where an array came in");
    assert!(again.len() < array.len());
    let mut kept = Vec::new();
    amf0::decode(array)
        .unwrap()
        .iter()
        .for_each(|value| amf0::encode(&mut kept, value));
    assert_eq!(kept, array);
}

#[test]
fn a_connect_shows_its_app_and_nothing_else() {
    let object = Value::Object(vec![
        ("app".to_owned(), "live".into()),
        ("tcUrl".to_owned(), "rtmp://h/live".into()),
    ]);
    let body = Command::new("connect", 1.0, object, vec![]).encode();
    let results = given(&mut server(), &message(3, COMMAND, &body)).unwrap();
    let [ServerSessionResult::RaisedEvent(event)] = &results[..] else {
        panic!("one event and nothing else");
    };
    // A variant with another field would not be this pattern.
    assert!(
        matches!(event, ServerSessionEvent::ConnectionRequested { request_id: _, app_name } if app_name == "live")
    );
}

/// 16 KiB of objects in objects, 4 bytes each.
fn nested() -> Vec<u8> {
    b"\x03\x00\x01a".repeat(4096)
}

/// Set for the process that is to abort.
const ABORTING: &str = "AQUEDUCT_TEST_NESTED_AMF0";

#[test]
fn nested_amf0_aborts_the_whole_process() {
    if std::env::var_os(ABORTING).is_some() {
        let bytes = nested();
        let decode = move || drop(rml_amf0::deserialize(&mut &bytes[..]));
        // The stack of a thread of tokio.
        let thread = std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(decode)
            .unwrap();
        let _ = thread.join();
        return;
    }
    assert_eq!(amf0::decode(&nested()), Err(Amf0Error::TooDeep));
    // No catch_unwind stops it, so it happens to a process of its own.
    let status = Program::new(std::env::current_exe().unwrap())
        .args(["--exact", "nested_amf0_aborts_the_whole_process"])
        .env(ABORTING, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), None, "ended by a signal");
}
