//! Which bytes of a data message are relayed?
//!
//! Publishers wrap metadata in a call to `@setDataFrame`, which tells a server to keep it; what the server's viewers see
//! is the bare `onMetaData`. The wrapping is cut off as a slice of the publisher's own bytes, so that the order of the
//! properties, duplicates and values that we would not decode stay as they are.

use bytes::Bytes;

use super::{Media, MediaKind};
use crate::rtmp::amf0::{self, Value};
use crate::rtmp::command::amf0_part;
use crate::rtmp::message::{Message, MessageType};

const STRING: u8 = 0x02;
const LONG_STRING: u8 = 0x0C;

/// Media as it is relayed. No string, no copy: the payload is the reader's.
pub(super) fn media(message: Message) -> Option<Media> {
    let kind = match message.type_id {
        MessageType::AUDIO => MediaKind::Audio,
        MessageType::VIDEO => MediaKind::Video,
        _ => MediaKind::Data,
    };
    let timestamp = message.timestamp;
    let payload = if kind == MediaKind::Data {
        relayed(&message)?
    } else {
        message.payload
    };
    Some(Media {
        kind,
        timestamp,
        payload,
    })
}

/// The AMF0 bytes that begin with the data's own name; `None` where the message relays nothing: a clearing of the frame,
/// a wrapping around nothing, a body that does not begin with a name, AMF3 that cannot travel as AMF0.
pub(super) fn relayed(message: &Message) -> Option<Bytes> {
    let payload = match message.type_id {
        MessageType::DATA_AMF3 => as_amf0(&message.payload)?,
        _ => message.payload.clone(),
    };
    match name(&payload)? {
        (b"@setDataFrame", end) => {
            let bare = payload.slice(end..);
            name(&bare).is_some().then_some(bare)
        }
        (b"@clearDataFrame", _) => None,
        _ => Some(payload),
    }
}

/// Type 15 without its format byte. Its values are AMF0 until a marker switches to AMF3, which a type 18 must not carry;
/// such data is rare enough to be decoded for that.
fn as_amf0(payload: &Bytes) -> Option<Bytes> {
    let body = payload.slice_ref(amf0_part(MessageType::DATA_AMF3, payload));
    amf0::decode(&body)
        .ok()?
        .iter()
        .all(is_amf0)
        .then_some(body)
}

/// Whether no AMF3 stands in it. The recursion is as deep as the decoder allowed the value to be.
fn is_amf0(value: &Value) -> bool {
    match value {
        Value::Unsupported => false,
        Value::StrictArray(values) => values.iter().all(is_amf0),
        _ => value
            .properties()
            .is_none_or(|properties| properties.iter().all(|(_, value)| is_amf0(value))),
    }
}

/// The leading string and where it ends.
fn name(payload: &[u8]) -> Option<(&[u8], usize)> {
    let (start, length) = match payload {
        [STRING, a, b, ..] => (3, usize::from(u16::from_be_bytes([*a, *b]))),
        [LONG_STRING, a, b, c, d, ..] => (
            5,
            usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()?,
        ),
        _ => return None,
    };
    let end = length.checked_add(start)?;
    Some((payload.get(start..end)?, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(type_id: u8, payload: &[u8]) -> Message {
        Message {
            csid: 4,
            timestamp: 0,
            type_id,
            stream_id: 1,
            payload: Bytes::copy_from_slice(payload),
        }
    }

    const SET: &[u8] = b"\x02\x00\x0d@setDataFrame";
    const META: &[u8] = b"\x02\x00\x0aonMetaData\x08\x00\x00\x00\x00\x00\x01b\x05\x00\x01a\x05\x00\x01b\x05\x00\x00\x09";

    #[test]
    fn the_wrapping_goes_and_the_bytes_stay() {
        let cue = b"\x02\x00\x0aonCuePoint\x05".as_slice();
        let long_set = [b"\x0c\x00\x00\x00\x0d".as_slice(), b"@setDataFrame", META].concat();
        let table = [
            (18, META.to_vec(), Some(META)),
            (18, [SET, META].concat(), Some(META)),
            (18, long_set, Some(META)),
            (15, [b"\0", SET, META].concat(), Some(META)),
            (15, [SET, META].concat(), Some(META)),
            (15, [b"\0".as_slice(), META].concat(), Some(META)),
            // AMF3 within: 0x11 0x03 is AMF3's true.
            (
                15,
                [b"\0".as_slice(), b"\x02\x00\x01x\x11\x03"].concat(),
                None,
            ),
            (
                15,
                [
                    b"\0".as_slice(),
                    b"\x02\x00\x01x\x03\x00\x01k\x11\x03\x00\x00\x09",
                ]
                .concat(),
                None,
            ),
            (18, cue.to_vec(), Some(cue)),
            (18, SET.to_vec(), None),
            (18, [SET, b"\x05"].concat(), None),
            (
                18,
                b"\x02\x00\x0f@clearDataFrame\x02\x00\x0aonMetaData".to_vec(),
                None,
            ),
            (18, b"".to_vec(), None),
            (18, b"\x02\x00".to_vec(), None),
            (18, b"\x02\x00\x05abc".to_vec(), None),
            (18, b"\x0c\xff\xff\xff\xffabc".to_vec(), None),
            (18, b"\x05".to_vec(), None),
        ];
        for (type_id, payload, expected) in table {
            let relayed = relayed(&message(type_id, &payload));
            assert_eq!(relayed.as_deref(), expected, "type {type_id} {payload:?}");
        }
    }

    #[test]
    fn nothing_is_copied() {
        let message = message(18, &[SET, META].concat());
        let relayed = relayed(&message).expect("metadata");
        assert_eq!(relayed.as_ptr(), message.payload[SET.len()..].as_ptr());
    }
}
