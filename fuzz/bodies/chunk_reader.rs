//! Whatever comes: no panic, bounded memory, the same messages in one piece and in many, and the messages that a plain reader
//! without bounds reads.

use std::io::IoSlice;

use aqueduct::rtmp::chunk::{ChunkError, Header, Outbox, Reader, aggregate, write};
use aqueduct::rtmp::limits::{
    BEFORE_PUBLISH_BYTES_MAX, PARTIAL_BYTES_MAX, PARTIAL_MESSAGES_MAX, PAYLOAD_UNSEEN_BYTES_MAX,
};
use aqueduct::rtmp::message::{Message, MessageType, payload_bytes_max};
use bytes::BytesMut;

use super::naive::{Habits, Naive};
use super::pieces::{Cuts, feed};

/// What joins chunks to messages, as [`Reader`] does.
pub trait Joins {
    /// See [`Reader::publish_accepted`].
    fn publish_accepted(&mut self);
    /// See [`Reader::read`].
    fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError>;
    /// See [`Reader::bytes_buffered`].
    fn bytes_buffered(&self) -> usize;
}

impl Joins for Reader {
    fn publish_accepted(&mut self) {
        Reader::publish_accepted(self);
    }

    fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
        Reader::read(self, input)
    }

    fn bytes_buffered(&self) -> usize {
        Reader::bytes_buffered(self)
    }
}

/// The first byte says whether a publish is accepted and, with the second one, how the rest is cut into reads.
pub fn run(bytes: &[u8]) {
    let messages = check(bytes, Reader::new, || Naive::new(Habits::default()));
    for message in messages {
        assert!(message.payload.len() <= payload_bytes_max(message.type_id));
        check_writing(&message);
        if message.type_id == MessageType::AGGREGATE {
            let parts = aggregate::parts(message).filter_map(Result::ok);
            parts.for_each(|part| assert_ne!(part.type_id, MessageType::AGGREGATE));
        }
    }
}

/// Compares two that should read the same; gives what the first one read.
pub fn check<A: Joins, B: Joins>(
    bytes: &[u8],
    tested: impl Fn() -> A,
    known: impl Fn() -> B,
) -> Vec<Message> {
    let [mode, piece, wire @ ..] = bytes else {
        return Vec::new();
    };
    let publishing = mode & 1 == 1;
    let whole = read(tested(), wire, publishing, Cuts::WHOLE);
    let pieces = read(tested(), wire, publishing, Cuts::chosen(mode >> 1, *piece));
    assert_eq!(whole, pieces, "pieces make no difference");
    let due = read(known(), wire, publishing, Cuts::WHOLE);
    if is_bound(whole.1) {
        assert!(
            due.0.starts_with(&whole.0),
            "two ways to read the same, up to a bound"
        );
    } else if is_bound(due.1) {
        assert!(
            whole.0.starts_with(&due.0),
            "two ways to read the same, up to a bound"
        );
    } else {
        assert_eq!(whole, due, "two ways to read the same");
    }
    whole.0
}

/// Whether the bytes are chunks that are too much, and not bytes that are no chunks.
fn is_bound(error: Option<ChunkError>) -> bool {
    match error {
        None => false,
        Some(
            ChunkError::NoHeaderBefore { .. }
            | ChunkError::HeaderInsideMessage { .. }
            | ChunkError::ChunkSizeCutOff { .. }
            | ChunkError::ChunkSizeOutOfRange { .. },
        ) => false,
        Some(
            ChunkError::MessageTooLong { .. }
            | ChunkError::TooManyChunkStreams
            | ChunkError::TooManyPartialMessages
            | ChunkError::PartialMessagesTooLong { .. }
            | ChunkError::TooManyChunkSizeChanges,
        ) => true,
    }
}

/// What is read until all is read or an error comes.
fn read(
    mut reader: impl Joins,
    wire: &[u8],
    publishing: bool,
    cuts: Cuts,
) -> (Vec<Message>, Option<ChunkError>) {
    let (most, unseen) = match publishing {
        true => (PARTIAL_BYTES_MAX, PAYLOAD_UNSEEN_BYTES_MAX),
        false => (BEFORE_PUBLISH_BYTES_MAX, 0),
    };
    if publishing {
        reader.publish_accepted();
    }
    let most = most.min(PARTIAL_MESSAGES_MAX * unseen.max(2 * wire.len()));
    let mut messages = Vec::new();
    let end = feed(wire, cuts, |input| {
        while let Some(message) = reader.read(input)? {
            messages.push(message);
            assert!(reader.bytes_buffered() <= most, "a length is only a claim");
        }
        assert!(reader.bytes_buffered() <= most, "a length is only a claim");
        Ok(())
    });
    (messages, end.err())
}

/// A message that was read can be written, by both ways alike, and reads as itself.
fn check_writing(message: &Message) {
    let csid = 2 + (message.csid % 62) as u8;
    let length = message.payload.len() as u32;
    let header = Header {
        csid,
        timestamp: message.timestamp,
        length,
        type_id: message.type_id,
        stream_id: message.stream_id,
    };
    let mut written = BytesMut::new();
    write(&mut written, header, &message.payload, 128);
    let mut outbox = Outbox::new(128);
    outbox.push(header, message.payload.clone());
    assert_eq!(outbox.len_bytes(), written.len());
    assert_eq!(sent(outbox), written, "two ways to write the same");
    let (read, error) = read(Reader::new(), &written, true, Cuts::WHOLE);
    let refused = matches!(message.type_id, MessageType::SET_CHUNK_SIZE) && error.is_some();
    assert!(
        refused
            || read
                == [Message {
                    csid: csid.into(),
                    ..message.clone()
                }]
    );
}

/// What an outbox holds, in writes that end where the socket likes.
fn sent(mut outbox: Outbox) -> Vec<u8> {
    let mut sent = Vec::new();
    while !outbox.is_empty() {
        let mut slices = [IoSlice::new(&[]); 3];
        let filled = outbox.slices(&mut slices);
        let offered: Vec<u8> = slices[..filled]
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        // All but a byte of what is offered, or the byte.
        let taken = (offered.len() - 1).max(1);
        sent.extend_from_slice(&offered[..taken]);
        outbox.advance(taken);
    }
    sent
}
