//! Commands: a name, a transaction, an object and arguments (RTMP 1.0, section 7.2).

use thiserror::Error;

use super::amf0::{self, Amf0Error, Value};
use super::limits::{AMF0_VALUES_MAX, COMMAND_BYTES_MAX};
use super::message::MessageType;

/// A command of either direction, or the answer to one (`_result`, `_error`, `onStatus`).
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// What is called, such as `connect`.
    pub name: String,
    /// Ties an answer to its call; 0 where none is wanted. A peer may send any bits, so it is echoed and never an index.
    pub transaction: f64,
    /// The command object; null where there is none.
    pub object: Value,
    /// What follows the object.
    pub args: Vec<Value>,
}

/// Why a message body is no command. None of these is worth a second try with the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CommandError {
    /// Longer than [`COMMAND_BYTES_MAX`].
    #[error("command of {length} bytes; the limit is {COMMAND_BYTES_MAX}")]
    TooLong {
        /// Bytes of the message body.
        length: usize,
    },
    /// It does not begin with a string.
    #[error("command without a name")]
    Unnamed,
    /// Not the AMF0 that we take.
    #[error("command: {0}")]
    Amf0(#[from] Amf0Error),
}

impl Command {
    /// A command with one object and its arguments.
    pub fn new(name: &str, transaction: f64, object: Value, args: Vec<Value>) -> Self {
        Self {
            name: name.to_owned(),
            transaction,
            object,
            args,
        }
    }

    /// Reads the body of a message of type 20 or 17.
    ///
    /// Values that are missing are null (transaction: 0), as minimal clients leave them out.
    ///
    /// # Errors
    /// [`CommandError`] where the body is too long, has no name, or is no AMF0 within our bounds.
    pub fn decode(type_id: u8, body: &[u8]) -> Result<Self, CommandError> {
        Self::decode_within(type_id, body, AMF0_VALUES_MAX)
    }

    /// The same, where there may be so many values.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn decode_within(
        type_id: u8,
        body: &[u8],
        values_max: usize,
    ) -> Result<Self, CommandError> {
        if body.len() > COMMAND_BYTES_MAX {
            return Err(CommandError::TooLong { length: body.len() });
        }
        let mut values = amf0::decode_within(amf0_part(type_id, body), values_max)?.into_iter();
        let Some(Value::String(name)) = values.next() else {
            return Err(CommandError::Unnamed);
        };
        let transaction = values
            .next()
            .and_then(|value| value.as_number())
            .unwrap_or(0.0);
        let object = values.next().unwrap_or(Value::Null);
        Ok(Self {
            name,
            transaction,
            object,
            args: values.collect(),
        })
    }

    /// The body of a message of type 20.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        // Borrowing the name would want a second encoder; commands are few.
        amf0::encode(&mut out, &Value::String(self.name.clone()));
        amf0::encode(&mut out, &Value::Number(self.transaction));
        amf0::encode(&mut out, &self.object);
        self.args
            .iter()
            .for_each(|value| amf0::encode(&mut out, value));
        out
    }
}

/// The AMF0 bytes of a command or data message: types 15 and 17 begin with a format byte of 0.
///
/// Flash-era peers leave the format byte out. A body that begins with a name begins with a string marker (2), so a 0
/// before a 2 is the format byte; without it, the 2 comes first.
pub fn amf0_part(type_id: u8, body: &[u8]) -> &[u8] {
    match (type_id, body) {
        (MessageType::COMMAND_AMF3 | MessageType::DATA_AMF3, [0, rest @ ..])
            if rest.first() == Some(&2) =>
        {
            rest
        }
        _ => body,
    }
}
