//! Bytes to values, within bounds.

use thiserror::Error;

use super::{Value, marker};
use crate::rtmp::limits::{AMF0_DEPTH_MAX, AMF0_STRING_BYTES_MAX, AMF0_VALUES_MAX};

/// Why bytes are no AMF0 that we take. None of these is worth a second try with the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Amf0Error {
    /// The bytes end inside a value, or a count or length says more than there is.
    #[error("AMF0 ends inside a value at byte {offset}")]
    Truncated {
        /// Where the missing field begins, in bytes from the start.
        offset: usize,
    },
    /// A byte that begins no value.
    #[error("unknown AMF0 marker {marker:#04x} at byte {offset}")]
    UnknownMarker {
        /// The byte.
        marker: u8,
        /// Where it stands, in bytes from the start.
        offset: usize,
    },
    /// An AMF3 array, object or vector: these are not decoded, and their length cannot be told without decoding.
    #[error("AMF3 container (marker {marker:#04x}) at byte {offset} is not supported")]
    Amf3Container {
        /// The AMF3 marker.
        marker: u8,
        /// Where it stands, in bytes from the start.
        offset: usize,
    },
    /// Nested beyond [`AMF0_DEPTH_MAX`].
    #[error("AMF0 nests deeper than {AMF0_DEPTH_MAX} levels")]
    TooDeep,
    /// More values than are taken: [`AMF0_VALUES_MAX`], or fewer of those who have not shown who they are.
    #[error("AMF0 holds more than {limit} values")]
    TooManyValues {
        /// Values allowed at this point.
        limit: usize,
    },
    /// More text than [`AMF0_STRING_BYTES_MAX`].
    #[error("AMF0 strings pass {AMF0_STRING_BYTES_MAX} bytes")]
    StringsTooLong,
}

/// All values of a message body.
///
/// # Errors
/// [`Amf0Error`] where the bytes are cut off, unknown, or beyond a bound.
pub fn decode(bytes: &[u8]) -> Result<Vec<Value>, Amf0Error> {
    decode_within(bytes, AMF0_VALUES_MAX)
}

/// All values of a message body, of which there may be so many, properties included.
///
/// # Errors
/// As [`decode`].
pub fn decode_within(bytes: &[u8], values_max: usize) -> Result<Vec<Value>, Amf0Error> {
    let mut decoder = Decoder::within(bytes, values_max);
    let mut values = Vec::new();
    while let Some(value) = decoder.next_value()? {
        values.push(value);
    }
    Ok(values)
}

/// Reads one value after the other and says where each ends, for those who pass the bytes on as they are.
#[derive(Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
    length: usize,
    values_max: usize,
    values_left: usize,
    string_bytes_left: usize,
}

impl<'a> Decoder<'a> {
    /// Starts at the first byte. The bounds count over all values that this decoder reads.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::within(bytes, AMF0_VALUES_MAX)
    }

    fn within(bytes: &'a [u8], values_max: usize) -> Self {
        Self {
            rest: bytes,
            length: bytes.len(),
            values_max,
            values_left: values_max,
            string_bytes_left: AMF0_STRING_BYTES_MAX,
        }
    }

    /// The next value, or none at the end of the bytes.
    ///
    /// # Errors
    /// As [`decode`]. After an error the position is somewhere inside the failed value.
    pub fn next_value(&mut self) -> Result<Option<Value>, Amf0Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.value(0).map(Some)
    }

    /// Bytes read so far: where the next value begins.
    pub fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    /// `depth` is the number of containers around this value.
    fn value(&mut self, depth: usize) -> Result<Value, Amf0Error> {
        self.values_left = self
            .values_left
            .checked_sub(1)
            .ok_or(Amf0Error::TooManyValues {
                limit: self.values_max,
            })?;
        let offset = self.position();
        match self.u8()? {
            marker::NUMBER => Ok(Value::Number(self.f64()?)),
            marker::BOOLEAN => Ok(Value::Boolean(self.u8()? != 0)),
            marker::STRING => Ok(Value::String(self.short_text()?)),
            marker::LONG_STRING => Ok(Value::String(self.long_text()?)),
            marker::XML => Ok(Value::Xml(self.long_text()?)),
            marker::NULL => Ok(Value::Null),
            marker::UNDEFINED => Ok(Value::Undefined),
            marker::UNSUPPORTED => Ok(Value::Unsupported),
            marker::REFERENCE => Ok(Value::Reference(self.u16()?)),
            marker::DATE => Ok(Value::Date {
                millis: self.f64()?,
                zone: i16::from_be_bytes(self.array()?),
            }),
            marker::OBJECT => Ok(Value::Object(self.properties(depth)?)),
            marker::ECMA_ARRAY => {
                // The count is a hint that encoders get wrong; the end marker counts.
                self.u32()?;
                Ok(Value::EcmaArray(self.properties(depth)?))
            }
            marker::STRICT_ARRAY => Ok(Value::StrictArray(self.elements(depth)?)),
            marker::TYPED_OBJECT => {
                let class = self.short_text()?;
                Ok(Value::TypedObject {
                    class,
                    properties: self.properties(depth)?,
                })
            }
            marker::AVM_PLUS => self.skip_amf3(),
            marker => Err(Amf0Error::UnknownMarker { marker, offset }),
        }
    }

    fn properties(&mut self, depth: usize) -> Result<Vec<(String, Value)>, Amf0Error> {
        let depth = deeper(depth)?;
        let mut properties = Vec::new();
        loop {
            if let [0, 0, marker::OBJECT_END, rest @ ..] = self.rest {
                self.rest = rest;
                return Ok(properties);
            }
            let name = self.short_text()?;
            let value = self.value(depth)?;
            push(&mut properties, (name, value));
        }
    }

    fn elements(&mut self, depth: usize) -> Result<Vec<Value>, Amf0Error> {
        let depth = deeper(depth)?;
        let count = self.u32()?;
        let mut values = Vec::new();
        // A count that lies ends at the end of the bytes or at the bound on values.
        for _ in 0..count {
            let value = self.value(depth)?;
            push(&mut values, value);
        }
        Ok(values)
    }

    /// One AMF3 value (AMF3, section 3): scalars and what has a plain length are passed over.
    fn skip_amf3(&mut self) -> Result<Value, Amf0Error> {
        let offset = self.position();
        match self.u8()? {
            // undefined, null, false, true
            0x00..=0x03 => {}
            // integer
            0x04 => drop(self.u29()?),
            // double
            0x05 => drop(self.f64()?),
            // string, XML document, XML, byte array: a length, or a reference when the low bit is clear
            0x06 | 0x07 | 0x0B | 0x0C => {
                let header = self.u29()?;
                if header & 1 == 1 {
                    self.take(header >> 1)?;
                }
            }
            // date: as above, but a value has eight bytes whatever the header says
            0x08 => {
                if self.u29()? & 1 == 1 {
                    self.f64()?;
                }
            }
            marker => return Err(Amf0Error::Amf3Container { marker, offset }),
        }
        Ok(Value::Unsupported)
    }

    /// AMF3's integer of one to four bytes (AMF3, section 1.3.1).
    fn u29(&mut self) -> Result<usize, Amf0Error> {
        let mut value = 0;
        for _ in 0..3 {
            let byte = usize::from(self.u8()?);
            value = value << 7 | byte & 0x7F;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Ok(value << 8 | usize::from(self.u8()?))
    }

    fn short_text(&mut self) -> Result<String, Amf0Error> {
        let length = self.u16()?;
        self.text(usize::from(length))
    }

    fn long_text(&mut self) -> Result<String, Amf0Error> {
        let length = self.u32()?;
        self.text(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn text(&mut self, length: usize) -> Result<String, Amf0Error> {
        let bytes = self.take(length)?;
        // Before the repair, so that its result is bounded too.
        if length > self.string_bytes_left {
            return Err(Amf0Error::StringsTooLong);
        }
        let text = String::from_utf8_lossy(bytes).into_owned();
        // The repair makes three bytes of one.
        self.string_bytes_left = self
            .string_bytes_left
            .checked_sub(text.len())
            .ok_or(Amf0Error::StringsTooLong)?;
        Ok(text)
    }

    fn u8(&mut self) -> Result<u8, Amf0Error> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, Amf0Error> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Amf0Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn f64(&mut self) -> Result<f64, Amf0Error> {
        Ok(f64::from_be_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Amf0Error> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(self.truncated())?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Amf0Error> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(self.truncated())?;
        self.rest = rest;
        Ok(bytes)
    }

    fn truncated(&self) -> Amf0Error {
        Amf0Error::Truncated {
            offset: self.position(),
        }
    }
}

/// The first item gets room for itself alone: containers of one cost a sender little, and would get room for four.
fn push<T>(items: &mut Vec<T>, item: T) {
    if items.is_empty() {
        items.reserve_exact(1);
    }
    items.push(item);
}

fn deeper(depth: usize) -> Result<usize, Amf0Error> {
    if depth >= AMF0_DEPTH_MAX {
        Err(Amf0Error::TooDeep)
    } else {
        Ok(depth + 1)
    }
}
