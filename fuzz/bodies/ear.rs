//! What we owe any peer in whatever we say.

use aqueduct::rtmp::chunk::Reader;
use aqueduct::rtmp::command::Command;
use aqueduct::rtmp::message::{Message, MessageType};

/// Reads what a session of ours says, and holds it to what we owe any peer.
#[derive(Default)]
pub struct Ear {
    reader: Reader,
    left: Vec<u8>,
    /// Every acknowledgement, in order.
    pub acknowledged: Vec<u32>,
    /// The names of the calls and answers, in order.
    pub calls: Vec<String>,
    /// All messages but acknowledgements, as (chunk stream, type, stream, payload).
    pub said: Vec<(u32, u8, u32, Vec<u8>)>,
}

impl Ear {
    /// # Panics
    /// Where the bytes are no chunks, where a message bears a time, and where a command cannot be read.
    pub fn hear(&mut self, bytes: &[u8]) {
        self.left.extend_from_slice(bytes);
        let mut input = self.left.as_slice();
        while let Some(message) = self.reader.read(&mut input).expect("proper chunks") {
            assert_eq!(message.timestamp, 0);
            assert!(message.csid < 32, "what nginx-rtmp reads");
            match message.type_id {
                MessageType::ACKNOWLEDGEMENT => {
                    let total = message.payload.first_chunk().expect("a number");
                    self.acknowledged.push(u32::from_be_bytes(*total));
                    continue;
                }
                MessageType::COMMAND_AMF0 => {
                    let command = Command::decode(message.type_id, &message.payload);
                    self.calls.push(command.expect("a command").name);
                }
                type_id => assert!(matches!(
                    type_id,
                    MessageType::SET_CHUNK_SIZE
                        | MessageType::USER_CONTROL
                        | MessageType::WINDOW_ACK_SIZE
                        | MessageType::SET_PEER_BANDWIDTH
                )),
            }
            let Message {
                csid,
                type_id,
                stream_id,
                payload,
                ..
            } = message;
            self.said.push((csid, type_id, stream_id, payload.to_vec()));
        }
        self.left = input.to_vec();
    }

    /// # Panics
    /// Where a message is begun and not ended, or an acknowledgement counts wrongly.
    pub fn end(&self, bytes_in: usize) {
        assert!(
            self.left.is_empty() && self.reader.bytes_buffered() == 0,
            "a started message is finished"
        );
        assert!(self.acknowledged.is_sorted(), "acknowledgements are totals");
        assert!(
            self.acknowledged
                .iter()
                .all(|&total| total as usize <= bytes_in)
        );
    }
}
