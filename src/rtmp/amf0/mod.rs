//! AMF0: the value format of RTMP commands and data.
//!
//! Order and duplicates of properties are kept. Decoding is bounded in depth, values and string bytes
//! ([`limits`](super::limits)); a count on the wire is a hint and never reserves memory.

mod decode;
mod encode;

pub use decode::{Amf0Error, Decoder, decode, decode_within};
pub use encode::encode;

/// One AMF0 value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Marker 0.
    Number(f64),
    /// Marker 1.
    Boolean(bool),
    /// Markers 2 and 12. Bytes that are no UTF-8 are replaced: names of encoders come in any code page.
    String(String),
    /// Marker 3: properties in the order of the wire.
    Object(Vec<(String, Value)>),
    /// Marker 8: as an object; the count on the wire is not kept.
    EcmaArray(Vec<(String, Value)>),
    /// Marker 10.
    StrictArray(Vec<Value>),
    /// Marker 5.
    Null,
    /// Marker 6.
    Undefined,
    /// Marker 11.
    Date {
        /// Milliseconds since 1970 in UTC.
        millis: f64,
        /// Minutes; reserved, senders write 0.
        zone: i16,
    },
    /// Marker 7: the index of an earlier complex value. It is not followed.
    Reference(u16),
    /// Marker 13, and an AMF3 scalar behind marker 17, which is skipped and not decoded.
    Unsupported,
    /// Marker 15: the text, never parsed.
    Xml(String),
    /// Marker 16.
    TypedObject {
        /// Class name.
        class: String,
        /// Properties in the order of the wire.
        properties: Vec<(String, Value)>,
    },
}

impl Value {
    /// The text of a string; none for anything else.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number; none for anything else. It may be NaN, infinite or negative.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Properties of an object, ECMA array or typed object in the order of the wire; none for anything else.
    pub fn properties(&self) -> Option<&[(String, Value)]> {
        match self {
            Value::Object(properties)
            | Value::EcmaArray(properties)
            | Value::TypedObject { properties, .. } => Some(properties),
            _ => None,
        }
    }

    /// First property of that name, of an object, ECMA array or typed object.
    pub fn property(&self, name: &str) -> Option<&Value> {
        let mut properties = self.properties()?.iter();
        properties
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// First property of that name, its ASCII letters in any case: some encoders write `tcurl` for `tcUrl`.
    pub fn property_ignore_case(&self, name: &str) -> Option<&Value> {
        let mut properties = self.properties()?.iter();
        properties
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Number(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Boolean(truth)
    }
}

/// Type markers (AMF0, section 2.1).
mod marker {
    pub const NUMBER: u8 = 0x00;
    pub const BOOLEAN: u8 = 0x01;
    pub const STRING: u8 = 0x02;
    pub const OBJECT: u8 = 0x03;
    pub const NULL: u8 = 0x05;
    pub const UNDEFINED: u8 = 0x06;
    pub const REFERENCE: u8 = 0x07;
    pub const ECMA_ARRAY: u8 = 0x08;
    pub const OBJECT_END: u8 = 0x09;
    pub const STRICT_ARRAY: u8 = 0x0A;
    pub const DATE: u8 = 0x0B;
    pub const LONG_STRING: u8 = 0x0C;
    pub const UNSUPPORTED: u8 = 0x0D;
    pub const XML: u8 = 0x0F;
    pub const TYPED_OBJECT: u8 = 0x10;
    pub const AVM_PLUS: u8 = 0x11;
}
