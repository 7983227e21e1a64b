//! Whatever comes: no panic, values within their bounds, and what is read can be written and reads the same.

use aqueduct::rtmp::amf0::{Amf0Error, Decoder, Value, decode, encode};
use aqueduct::rtmp::command::{Command, CommandError};
use aqueduct::rtmp::limits::{AMF0_DEPTH_MAX, AMF0_STRING_BYTES_MAX, AMF0_VALUES_MAX};

/// All bytes are a message's body.
pub fn run(bytes: &[u8]) {
    check_command(bytes);
    let mut decoder = Decoder::new(bytes);
    let mut before = 0;
    while let Ok(Some(_)) = decoder.next_value() {
        assert!(decoder.position() > before && decoder.position() <= bytes.len());
        before = decoder.position();
    }
    let Ok(values) = decode(bytes) else {
        return;
    };
    assert_eq!(before, bytes.len(), "one by one and at once");
    let size = values.iter().map(size).fold(Size::default(), Size::and);
    assert!(size.values <= AMF0_VALUES_MAX && size.text <= AMF0_STRING_BYTES_MAX);
    assert!(size.depth <= AMF0_DEPTH_MAX);
    let written = encoded(&values);
    match decode(&written) {
        // Compared as bytes: NaN is unequal to itself.
        Ok(read) => assert_eq!(encoded(&read), written),
        // A count or a shorter text may take more bytes than it came in.
        Err(error) => assert_eq!(error, Amf0Error::StringsTooLong, "{values:?}"),
    }
}

fn check_command(bytes: &[u8]) {
    match Command::decode(17, bytes) {
        Ok(command) => {
            let written = command.encode();
            if let Ok(again) = Command::decode(20, &written) {
                assert_eq!(again.encode(), written);
            }
        }
        Err(CommandError::Unnamed | CommandError::TooLong { .. }) => {}
        Err(CommandError::Amf0(error)) => assert!(decode(bytes) == Err(error) || bytes[0] == 0),
    }
}

pub(super) fn encoded(values: &[Value]) -> Vec<u8> {
    let mut written = Vec::new();
    values.iter().for_each(|value| encode(&mut written, value));
    written
}

/// What a value holds.
#[derive(Clone, Copy, Default)]
pub(super) struct Size {
    /// Values, itself among them.
    values: usize,
    /// Bytes of its strings and names.
    text: usize,
    /// Containers within containers.
    pub(super) depth: usize,
}

impl Size {
    fn and(self, other: Self) -> Self {
        Self {
            values: self.values + other.values,
            text: self.text + other.text,
            depth: self.depth.max(other.depth),
        }
    }
}

/// The recursion is as deep as the decoder let the value be.
pub(super) fn size(value: &Value) -> Size {
    let one = Size {
        values: 1,
        ..Size::default()
    };
    let mut within = match value {
        Value::String(text) | Value::Xml(text) => {
            return Size {
                text: text.len(),
                ..one
            };
        }
        Value::StrictArray(values) => values.iter().map(size).fold(one, Size::and),
        _ => {
            let Some(properties) = value.properties() else {
                return one;
            };
            properties.iter().fold(one, |sum, (name, value)| {
                let mut property = size(value);
                property.text += name.len();
                sum.and(property)
            })
        }
    };
    if let Value::TypedObject { class, .. } = value {
        within.text += class.len();
    }
    within.depth += 1;
    within
}
