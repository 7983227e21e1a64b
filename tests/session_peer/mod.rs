//! The other end of a conversation: writes what a peer says, and reads what a session answers as lines of text.

// A test binary uses its own part of this, and a broken answer ends the test.
#![allow(dead_code, reason = "each program uses a part of it")]
#![allow(clippy::expect_used, reason = "scenery of tests")]

pub mod ingest;
pub mod publisher;

use aqueduct::rtmp::amf0::Value;
use aqueduct::rtmp::chunk::{self, Header, Reader};
use aqueduct::rtmp::command::Command;
use aqueduct::rtmp::message::{Message, MessageType};
use bytes::BytesMut;

/// Writes messages as a peer would, in chunks of its own size.
pub struct Mouth {
    pub bytes: BytesMut,
    pub chunk_size: u32,
}

impl Default for Mouth {
    fn default() -> Self {
        Self {
            bytes: BytesMut::new(),
            chunk_size: 128,
        }
    }
}

impl Mouth {
    pub fn message(
        &mut self,
        csid: u8,
        type_id: u8,
        stream_id: u32,
        timestamp: u32,
        payload: &[u8],
    ) -> &mut Self {
        let length = u32::try_from(payload.len()).expect("a short message");
        let header = Header {
            csid,
            timestamp,
            length,
            type_id,
            stream_id,
        };
        chunk::write(&mut self.bytes, header, payload, self.chunk_size);
        self
    }

    pub fn set_chunk_size(&mut self, size: u32) -> &mut Self {
        self.message(2, MessageType::SET_CHUNK_SIZE, 0, 0, &size.to_be_bytes());
        self.chunk_size = size;
        self
    }

    /// Transaction 1, with this command object.
    pub fn connect(&mut self, object: Value) -> &mut Self {
        self.call_on(3, 0, "connect", 1.0, object, vec![])
    }

    /// A command without an object, on message stream 0.
    pub fn call(&mut self, name: &str, transaction: f64, args: &[Value]) -> &mut Self {
        self.call_on(3, 0, name, transaction, Value::Null, args.to_vec())
    }

    pub fn publish(&mut self, stream_id: u32, transaction: f64, args: &[Value]) -> &mut Self {
        self.call_on(
            4,
            stream_id,
            "publish",
            transaction,
            Value::Null,
            args.to_vec(),
        )
    }

    pub fn call_on(
        &mut self,
        csid: u8,
        stream_id: u32,
        name: &str,
        transaction: f64,
        object: Value,
        args: Vec<Value>,
    ) -> &mut Self {
        let payload = Command::new(name, transaction, object, args).encode();
        self.message(csid, MessageType::COMMAND_AMF0, stream_id, 0, &payload)
    }

    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub fn take(&mut self) -> Vec<u8> {
        self.bytes.split().to_vec()
    }
}

/// Reads what a session says; keeps its place between calls.
#[derive(Default)]
pub struct Ear {
    reader: Reader,
    left: Vec<u8>,
}

impl Ear {
    pub fn messages(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.left.extend_from_slice(bytes);
        let mut input = self.left.as_slice();
        let mut messages = Vec::new();
        while let Some(message) = self
            .reader
            .read(&mut input)
            .expect("a session writes proper chunks")
        {
            messages.push(message);
        }
        self.left = input.to_vec();
        messages
    }

    /// One line a message: chunk stream, message stream, and what it says.
    pub fn lines(&mut self, bytes: &[u8]) -> Vec<String> {
        self.messages(bytes).iter().map(line).collect()
    }
}

pub fn line(message: &Message) -> String {
    assert_eq!(
        message.timestamp, 0,
        "control messages and commands bear timestamp 0"
    );
    let number = |at: usize| {
        let bytes = message.payload.get(at..at + 4).expect("four bytes");
        u32::from_be_bytes(bytes.try_into().expect("four bytes"))
    };
    let said = match message.type_id {
        MessageType::SET_CHUNK_SIZE => format!("chunk {}", number(0)),
        MessageType::ACKNOWLEDGEMENT => format!("ack {}", number(0)),
        MessageType::USER_CONTROL => format!("event {} {}", message.payload[1], number(2)),
        MessageType::WINDOW_ACK_SIZE => format!("window {}", number(0)),
        MessageType::SET_PEER_BANDWIDTH => {
            format!("bandwidth {} {}", number(0), message.payload[4])
        }
        MessageType::COMMAND_AMF0 => {
            let command = Command::decode(message.type_id, &message.payload).expect("a command");
            let mut text = format!(
                "{} {} {}",
                command.name,
                command.transaction,
                value(&command.object)
            );
            for arg in &command.args {
                text = format!("{text} {}", value(arg));
            }
            text
        }
        other => format!("type {other}"),
    };
    format!("{}/{} {said}", message.csid, message.stream_id)
}

pub fn value(value: &Value) -> String {
    let properties = |list: &[(String, Value)]| {
        list.iter()
            .map(|(key, value)| format!("{key}={}", self::value(value)))
            .collect::<Vec<_>>()
            .join(",")
    };
    match value {
        Value::Number(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::String(text) => format!("'{text}'"),
        Value::Object(list) => format!("{{{}}}", properties(list)),
        Value::EcmaArray(list) => format!("[{}]", properties(list)),
        Value::StrictArray(list) => format!(
            "({})",
            list.iter().map(self::value).collect::<Vec<_>>().join(",")
        ),
        Value::Null => "null".to_owned(),
        Value::Undefined => "undefined".to_owned(),
        other => format!("{other:?}"),
    }
}

pub fn object(properties: &[(&str, Value)]) -> Value {
    Value::Object(
        properties
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect(),
    )
}

pub fn text(text: &str) -> Value {
    Value::from(text)
}

/// The arguments of a publish of `cam`.
pub fn cam() -> [Value; 2] {
    [text("cam"), text("live")]
}

/// What `@setDataFrame` wraps, and the wrapping.
pub const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";
pub const ON_META_DATA: &[u8] =
    b"\x02\x00\x0aonMetaData\x08\x00\x00\x00\x01\x00\x05width\x00\x40\x94\x00\x00\x00\x00\x00\x00\x00\x00\x09";
