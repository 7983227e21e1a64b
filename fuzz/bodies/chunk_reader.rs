//! Whatever comes: no panic, bounded memory, and the same messages in one piece and in many.

use aqueduct::rtmp::chunk::{ChunkError, Header, Outbox, Reader, aggregate, write};
use aqueduct::rtmp::limits::PARTIAL_BYTES_MAX;
use aqueduct::rtmp::message::{Message, MessageType, payload_bytes_max};
use bytes::BytesMut;

/// The first byte says whether a publish is accepted, the second how long the pieces are.
pub fn run(bytes: &[u8]) {
    let [mode, piece, wire @ ..] = bytes else {
        return;
    };
    let publishing = mode & 1 == 1;
    let whole = read(wire, publishing, wire.len().max(1));
    let pieces = read(wire, publishing, usize::from(*piece) + 1);
    assert_eq!(whole, pieces, "pieces make no difference");
    for message in whole.0 {
        assert!(message.payload.len() <= payload_bytes_max(message.type_id));
        check_writing(&message);
        if message.type_id == MessageType::AGGREGATE {
            let parts = aggregate::parts(message).filter_map(Result::ok);
            parts.for_each(|part| assert_ne!(part.type_id, MessageType::AGGREGATE));
        }
    }
}

/// What is read until all is read or an error comes.
fn read(wire: &[u8], publishing: bool, piece: usize) -> (Vec<Message>, Option<ChunkError>) {
    let mut reader = Reader::new();
    if publishing {
        reader.publish_accepted();
    }
    let mut messages = Vec::new();
    let (mut start, mut end) = (0, 0);
    while end < wire.len() {
        end = wire.len().min(end + piece);
        let mut input = &wire[start..end];
        loop {
            match reader.read(&mut input) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
            assert!(reader.bytes_buffered() <= PARTIAL_BYTES_MAX);
        }
        assert!(input.len() < 18, "only a header is left unread");
        start = end - input.len();
    }
    (messages, None)
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
    let (read, error) = read(&written, true, written.len());
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
