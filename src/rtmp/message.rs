//! What a message is: the unit that chunks carry and sessions read.

use bytes::Bytes;

use super::limits;

/// The message types of RTMP 1.0, section 7.1 and 5.4, as they stand in the header.
///
/// They are plain numbers and no enum of all values because unknown types pass through.
pub enum MessageType {}

impl MessageType {
    /// Set Chunk Size: 4 bytes.
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort: 4 bytes, the chunk stream whose unfinished message is dropped.
    pub const ABORT: u8 = 2;
    /// Acknowledgement: 4 bytes, all bytes received so far, modulo 2^32.
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User control: an event of 2 bytes and its data.
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size: 4 bytes.
    pub const WINDOW_ACK_SIZE: u8 = 5;
    /// Set Peer Bandwidth: 4 bytes and a limit type.
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    /// Audio: an FLV audio tag body.
    pub const AUDIO: u8 = 8;
    /// Video: an FLV video tag body.
    pub const VIDEO: u8 = 9;
    /// Data with a leading format byte, as Flash clients with AMF3 send it.
    pub const DATA_AMF3: u8 = 15;
    /// Shared object, AMF3.
    pub const SHARED_OBJECT_AMF3: u8 = 16;
    /// Command with a leading format byte, as Flash clients with AMF3 send it.
    pub const COMMAND_AMF3: u8 = 17;
    /// Data: AMF0 values, the first one a name.
    pub const DATA_AMF0: u8 = 18;
    /// Shared object, AMF0.
    pub const SHARED_OBJECT_AMF0: u8 = 19;
    /// Command: AMF0 values.
    pub const COMMAND_AMF0: u8 = 20;
    /// Aggregate: several messages in one.
    pub const AGGREGATE: u8 = 22;
}

/// One whole message, as its chunks carried it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Chunk stream that it came on, 2 to 65599.
    pub csid: u32,
    /// Milliseconds, modulo 2^32, absolute.
    pub timestamp: u32,
    /// One of [`MessageType`], or unknown.
    pub type_id: u8,
    /// Message stream, 0 for the connection itself.
    pub stream_id: u32,
    /// The body; at most [`payload_bytes_max`] of its type.
    pub payload: Bytes,
}

/// Whether a message of this type carries sound, pictures or data.
pub fn is_media(type_id: u8) -> bool {
    matches!(
        type_id,
        MessageType::AUDIO | MessageType::VIDEO | MessageType::DATA_AMF0 | MessageType::DATA_AMF3
    )
}

/// Longest payload that is accepted for a type once a publish is accepted, in bytes.
pub fn payload_bytes_max(type_id: u8) -> usize {
    match type_id {
        MessageType::VIDEO => limits::VIDEO_BYTES_MAX,
        MessageType::AUDIO => limits::AUDIO_BYTES_MAX,
        MessageType::DATA_AMF0 | MessageType::DATA_AMF3 => limits::DATA_BYTES_MAX,
        MessageType::COMMAND_AMF0 | MessageType::COMMAND_AMF3 => limits::COMMAND_BYTES_MAX,
        MessageType::AGGREGATE => limits::AGGREGATE_BYTES_MAX,
        _ => limits::CONTROL_BYTES_MAX,
    }
}
