//! Values to bytes.

use super::{Value, marker};

/// Appends the value to `out`.
///
/// A string of more than 65535 bytes becomes a long string. A property or class name cannot: it is cut at a character
/// border, which only happens to a name that a peer sent and that was repaired to a longer one.
pub fn encode(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => {
            out.push(marker::NUMBER);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(truth) => out.extend_from_slice(&[marker::BOOLEAN, u8::from(*truth)]),
        Value::String(text) => match u16::try_from(text.len()) {
            Ok(_) => {
                out.push(marker::STRING);
                encode_name(out, text);
            }
            Err(_) => encode_long(out, marker::LONG_STRING, text),
        },
        Value::Object(properties) => {
            out.push(marker::OBJECT);
            encode_properties(out, properties);
        }
        Value::EcmaArray(properties) => {
            out.push(marker::ECMA_ARRAY);
            out.extend_from_slice(&count(properties.len()).to_be_bytes());
            encode_properties(out, properties);
        }
        Value::StrictArray(values) => {
            out.push(marker::STRICT_ARRAY);
            out.extend_from_slice(&count(values.len()).to_be_bytes());
            values.iter().for_each(|value| encode(out, value));
        }
        Value::Null => out.push(marker::NULL),
        Value::Undefined => out.push(marker::UNDEFINED),
        Value::Date { millis, zone } => {
            out.push(marker::DATE);
            out.extend_from_slice(&millis.to_be_bytes());
            out.extend_from_slice(&zone.to_be_bytes());
        }
        Value::Reference(index) => {
            out.push(marker::REFERENCE);
            out.extend_from_slice(&index.to_be_bytes());
        }
        Value::Unsupported => out.push(marker::UNSUPPORTED),
        Value::Xml(text) => encode_long(out, marker::XML, text),
        Value::TypedObject { class, properties } => {
            out.push(marker::TYPED_OBJECT);
            encode_name(out, class);
            encode_properties(out, properties);
        }
    }
}

fn encode_properties(out: &mut Vec<u8>, properties: &[(String, Value)]) {
    for (name, value) in properties {
        encode_name(out, name);
        encode(out, value);
    }
    out.extend_from_slice(&[0, 0, marker::OBJECT_END]);
}

fn encode_name(out: &mut Vec<u8>, name: &str) {
    let name = fitting(name);
    // At most 65535.
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(name.as_bytes());
}

/// As much of the name as a 2-byte length can count.
fn fitting(name: &str) -> &str {
    let longest = usize::from(u16::MAX).min(name.len());
    let cut = (0..=longest).rev().find_map(|end| name.get(..end));
    cut.unwrap_or_default()
}

fn encode_long(out: &mut Vec<u8>, marker: u8, text: &str) {
    out.push(marker);
    out.extend_from_slice(&count(text.len()).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// A message is at most 16 MiB, so no count of a value that can be sent passes 32 bits.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
