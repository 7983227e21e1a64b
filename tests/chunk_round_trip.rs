//! What is written is read again, however it is interleaved, cut and handed over.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::IoSlice;

use aqueduct::rtmp::chunk::{Header, Outbox, Reader, rewrite_header, write};
use aqueduct::rtmp::limits::CHUNK_SIZE_MIN;
use aqueduct::rtmp::message::{Message, MessageType};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use proptest::sample::Index;

/// One write after the other, each of a message of which only the first `pieces` are set.
#[derive(Debug, Clone)]
struct Sent {
    csid: u8,
    timestamp: u32,
    type_id: u8,
    stream_id: u32,
    payload: Bytes,
}

impl Sent {
    fn header(&self) -> Header {
        Header {
            csid: self.csid,
            timestamp: self.timestamp,
            length: self.payload.len() as u32,
            type_id: self.type_id,
            stream_id: self.stream_id,
        }
    }

    fn expected(&self) -> Message {
        Message {
            csid: self.csid.into(),
            timestamp: self.timestamp,
            type_id: self.type_id,
            stream_id: self.stream_id,
            payload: self.payload.clone(),
        }
    }

    /// The chunks of this message, apart.
    fn chunks(&self, chunk_size: u32) -> Vec<Vec<u8>> {
        let mut whole = BytesMut::new();
        write(&mut whole, self.header(), &self.payload, chunk_size);
        let extended = if self.timestamp >= 0xFF_FFFF { 4 } else { 0 };
        let mut rest = &whole[..];
        let mut chunks = Vec::new();
        let mut overhead = 12 + extended;
        let mut left = self.payload.len();
        loop {
            let payload = left.min(chunk_size as usize);
            let (chunk, behind) = rest.split_at(overhead + payload);
            chunks.push(chunk.to_vec());
            rest = behind;
            left -= payload;
            overhead = 1 + extended;
            if left == 0 {
                assert!(rest.is_empty());
                return chunks;
            }
        }
    }
}

fn timestamp() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        prop::sample::select(vec![
            0,
            1,
            0xFF_FFFE,
            0xFF_FFFF,
            0x100_0000,
            0x7FFF_FFFF,
            0x8000_0000,
            u32::MAX
        ]),
    ]
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![0_usize..40, 120_usize..140, 0_usize..3000]
}

prop_compose! {
    fn sent(csids: std::ops::Range<u8>)(
        csid in csids,
        timestamp in timestamp(),
        type_id in prop::sample::select(vec![MessageType::AUDIO, MessageType::VIDEO, MessageType::DATA_AMF0]),
        stream_id in any::<u32>(),
        fill in any::<u8>(),
        length in length(),
    ) -> Sent {
        let payload = (0..length).map(|at| fill.wrapping_add(at as u8)).collect();
        Sent { csid, timestamp, type_id, stream_id, payload }
    }
}

fn chunk_size() -> impl Strategy<Value = u32> {
    prop_oneof![
        CHUNK_SIZE_MIN..300,
        Just(4096),
        Just(60_000),
        Just(0x7FFF_FFFF)
    ]
}

fn set_chunk_size(out: &mut BytesMut, size: u32) {
    let header = Header {
        csid: 2,
        timestamp: 0,
        length: 4,
        type_id: MessageType::SET_CHUNK_SIZE,
        stream_id: 0,
    };
    write(out, header, &size.to_be_bytes(), CHUNK_SIZE_MIN);
}

fn read_all(reader: &mut Reader, mut input: &[u8]) -> (Vec<Message>, usize) {
    let mut messages = Vec::new();
    while let Some(message) = reader.read(&mut input).unwrap() {
        if message.type_id != MessageType::SET_CHUNK_SIZE {
            messages.push(message);
        }
    }
    (messages, input.len())
}

/// Hands over `bytes` in pieces that end at the given places, and offers again what was not read.
fn read_in_pieces(bytes: &[u8], mut ends: Vec<usize>) -> Vec<Message> {
    let mut reader = Reader::new();
    reader.publish_accepted();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut messages = Vec::new();
    let mut start = 0;
    for end in ends {
        let (read, left) = read_all(&mut reader, &bytes[start..end]);
        messages.extend(read);
        assert!(left < 18, "only a header is left unread");
        start = end - left;
    }
    assert_eq!(start, bytes.len(), "all is read in the end");
    assert_eq!(reader.bytes_buffered(), 0);
    messages
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_header_is_written_over_where_the_other_one_is_as_long(
        payload in prop::collection::vec(any::<u8>(), 0..2000),
        stamps in (timestamp(), timestamp()),
        stream_ids in any::<(u32, u32)>(),
        chunk_size in prop_oneof![1_u32..10, 100_u32..3000],
    ) {
        let header = |timestamp, stream_id| Header {
            csid: 6,
            timestamp,
            length: payload.len() as u32,
            type_id: 9,
            stream_id,
        };
        let laid = |header| {
            let mut bytes = BytesMut::new();
            write(&mut bytes, header, &payload, chunk_size);
            bytes
        };
        let (before, after) = (header(stamps.0, stream_ids.0), header(stamps.1, stream_ids.1));
        let mut message = laid(before);
        let is_extended = |stamp: u32| stamp >= 0xFF_FFFF;
        let fits = rewrite_header(&mut message, after, chunk_size);
        prop_assert_eq!(fits, is_extended(stamps.0) == is_extended(stamps.1));
        prop_assert_eq!(message, laid(if fits { after } else { before }));
    }

    #[test]
    fn interleaved_messages_are_read_whatever_the_pieces(
        messages in prop::collection::vec(sent(3..11), 1..12),
        size in chunk_size(),
        turns in prop::collection::vec(any::<Index>(), 64),
        ends in prop::collection::vec(any::<Index>(), 0..40),
    ) {
        // Each chunk stream is a queue of chunks; whose chunk is next is drawn.
        let mut queues: Vec<Vec<(usize, Vec<u8>)>> = vec![Vec::new(); 64];
        for (at, message) in messages.iter().enumerate() {
            let chunks = message.chunks(size);
            queues[usize::from(message.csid)].extend(chunks.into_iter().map(|chunk| (at, chunk)));
        }
        queues.iter_mut().for_each(|queue| queue.reverse());
        let mut wire = BytesMut::new();
        set_chunk_size(&mut wire, size);
        let mut finished = Vec::new();
        for turn in turns.iter().cycle() {
            let open: Vec<_> = (0..64).filter(|&csid| !queues[csid].is_empty()).collect();
            if open.is_empty() {
                break;
            }
            let queue = &mut queues[open[turn.index(open.len())]];
            let (at, chunk) = queue.pop().unwrap();
            wire.extend_from_slice(&chunk);
            if queue.last().is_none_or(|(next, _)| *next != at) {
                finished.push(messages[at].expected());
            }
        }
        let ends = ends.iter().map(|end| end.index(wire.len())).collect();
        prop_assert_eq!(read_in_pieces(&wire, ends), finished);
    }

    #[test]
    fn an_outbox_sends_what_write_serialises(
        messages in prop::collection::vec(sent(2..64), 1..12),
        controls in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 12),
        sizes in prop::collection::vec(1_u32..700, 12),
        steps in prop::collection::vec((1_usize..9, any::<Index>()), 1..64),
    ) {
        let mut expected = BytesMut::new();
        let mut outbox = Outbox::new(128);
        for ((message, control), size) in messages.iter().zip(&controls).zip(sizes) {
            outbox.set_chunk_size(size);
            outbox.push_control(control);
            outbox.push(message.header(), message.payload.clone());
            expected.extend_from_slice(control);
            write(&mut expected, message.header(), &message.payload, size);
        }
        let mut sent = Vec::new();
        for (places, taken) in steps.iter().cycle() {
            prop_assert_eq!(outbox.len_bytes(), expected.len() - sent.len());
            prop_assert_eq!(outbox.is_empty(), expected.len() == sent.len());
            if outbox.is_empty() {
                break;
            }
            let mut slices = vec![IoSlice::new(&[]); *places];
            let filled = outbox.slices(&mut slices);
            prop_assert!(filled > 0 && slices[..filled].iter().all(|slice| !slice.is_empty()));
            let offered: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
            prop_assert!(filled == *places || offered.len() == outbox.len_bytes());
            // The socket takes a part of it.
            let taken = 1 + taken.index(offered.len());
            sent.extend_from_slice(&offered[..taken]);
            outbox.advance(taken);
            outbox.advance(0);
        }
        prop_assert_eq!(&sent[..], &expected[..]);
    }

    #[test]
    fn an_outbox_has_no_more_slices_than_it_says(
        messages in prop::collection::vec(sent(2..64), 1..6),
        size in 1..300_u32,
        taken in any::<Index>(),
    ) {
        let mut outbox = Outbox::new(size);
        for message in &messages {
            outbox.push(message.header(), message.payload.clone());
        }
        outbox.advance(taken.index(outbox.len_bytes()));
        let mut slices = vec![IoSlice::new(&[]); outbox.slices_at_most() + 1];
        prop_assert!(outbox.slices(&mut slices) <= outbox.slices_at_most());
    }
}

#[test]
fn every_split_point_of_a_session_reads_the_same() {
    let mut wire = BytesMut::new();
    set_chunk_size(&mut wire, 200);
    let payload: Bytes = (0..450_u32).map(|at| at as u8).collect();
    let mut expected = Vec::new();
    for (csid, timestamp, length) in [
        (3, 0, 0),
        (4, 40, 1),
        (6, 0xFF_FFFF, 450),
        (6, 0x100_0000, 200),
        (4, 80, 201),
    ] {
        let payload = payload.slice(..length);
        let message = Sent {
            csid,
            timestamp,
            type_id: MessageType::VIDEO,
            stream_id: 1,
            payload,
        };
        write(&mut wire, message.header(), &message.payload, 200);
        expected.push(message.expected());
    }
    for end in 0..wire.len() {
        assert_eq!(read_in_pieces(&wire, vec![end]), expected, "cut at {end}");
    }
    assert_eq!(
        read_in_pieces(&wire, (0..wire.len()).collect()),
        expected,
        "byte by byte"
    );
}

#[test]
fn advancing_by_more_than_waits_empties_the_outbox() {
    let mut outbox = Outbox::new(128);
    outbox.push_control(b"chunks");
    outbox.advance(usize::MAX);
    assert!(outbox.is_empty());
    assert_eq!(outbox.len_bytes(), 0);
    assert_eq!(outbox.slices(&mut [IoSlice::new(&[])]), 0);
}
