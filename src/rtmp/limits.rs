//! Every bound that keeps a hostile or broken RTMP peer small, with its unit and its reason.
//!
//! A peer may claim anything; these numbers say what it can cause. Raising one of them raises what a single
//! connection may cost, which `tests/chunk_memory.rs` measures. What a tag may hold is bounded where tags are read, in
//! `media`, and what a stream may hold in `relay::limits`.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// Messages. The lengths are those that the first chunk of a message declares.

/// Longest video message (type 9), in bytes. A 4K intra frame at 100 Mbit/s stays below 2 MiB.
pub const VIDEO_BYTES_MAX: usize = 8 * MIB;
/// Longest audio message (type 8), in bytes. Two orders above a frame of uncompressed stereo.
pub const AUDIO_BYTES_MAX: usize = 256 * KIB;
/// Longest data message (types 15 and 18), in bytes. Metadata with embedded cover art has been seen near 100 KiB.
pub const DATA_BYTES_MAX: usize = 256 * KIB;
/// Longest command (types 17 and 20), in bytes. A connect with authentication and long names needs about 10 KiB.
pub const COMMAND_BYTES_MAX: usize = 64 * KIB;
/// Longest message of any other type (control, shared objects, unknown), in bytes.
pub const CONTROL_BYTES_MAX: usize = 64 * KIB;
/// Longest aggregate (type 22), in bytes. Its parts share its memory, so one small part that is kept keeps all of it;
/// senders aggregate up to 64 KiB.
pub const AGGREGATE_BYTES_MAX: usize = MIB;
/// Longest message of any type before a publish is accepted, and all unfinished ones together, in bytes: nobody unknown may
/// make us hold more, and no more than he has sent.
pub const BEFORE_PUBLISH_BYTES_MAX: usize = 64 * KIB;
/// Values in one command of a publisher before its publish is accepted. A connect that tells of all codecs has about sixty;
/// decoded, a value takes up to forty times its bytes.
pub const BEFORE_PUBLISH_VALUES_MAX: usize = 256;
/// Messages in one aggregate. Small parts multiply the work that one message causes.
pub const AGGREGATE_MESSAGES_MAX: usize = 1024;
/// Messages of unknown type in a row. An encoder that lost its place in the stream never finds it again.
pub const UNKNOWN_MESSAGES_IN_A_ROW_MAX: u32 = 3;

// Chunk streams.

/// Chunk streams that one connection may use. Encoders use five; each costs us its header state for good.
pub const CHUNK_STREAMS_MAX: usize = 32;
/// Messages that may be unfinished at one time. Interleaving senders have two or three.
pub const PARTIAL_MESSAGES_MAX: usize = 8;
/// Memory that all unfinished messages of a connection may hold, in bytes, spare capacity included: one video message
/// of the greatest length and what is interleaved with it.
pub const PARTIAL_BYTES_MAX: usize = 12 * MIB;
/// Memory that a declared length may reserve before its bytes have come, in bytes; nothing until a publish is accepted.
pub const PAYLOAD_UNSEEN_BYTES_MAX: usize = 64 * KIB;
/// Chunk size of both directions until a Set Chunk Size, in bytes (RTMP 1.0, 5.4.1).
pub const CHUNK_SIZE_INITIAL: u32 = 128;
/// Smallest chunk size that a peer may set, in bytes. Below it the headers cost more than the payload: one byte per
/// chunk makes a parse of every byte. No encoder goes below the initial size.
pub const CHUNK_SIZE_MIN: u32 = 128;
/// Greatest chunk size that a peer may set, in bytes: the field has 31 bits (RTMP 1.0, 5.4.1).
pub const CHUNK_SIZE_MAX: u32 = 0x7FFF_FFFF;
/// Greatest length that a message header can declare, in bytes; any greater chunk size means the same as this one.
pub const MESSAGE_LENGTH_MAX: u32 = 0x00FF_FFFF;
/// Changes of the chunk size on one connection. Encoders set it once, FFmpeg twice.
pub const CHUNK_SIZE_CHANGES_MAX: u32 = 16;
/// Changes of the chunk size within one second.
pub const CHUNK_SIZE_CHANGES_PER_SECOND_MAX: u32 = 2;

// AMF0.

/// Containers within containers in one AMF0 value. Real commands nest three deep; recursion follows this count, so the
/// stack is bounded by it.
pub const AMF0_DEPTH_MAX: usize = 16;
/// Values in one AMF0 message, properties included. A full FFmpeg onMetaData has about thirty.
pub const AMF0_VALUES_MAX: usize = 4096;
/// Bytes of all strings and property names decoded from one AMF0 message, counted as UTF-8 after repair.
pub const AMF0_STRING_BYTES_MAX: usize = 64 * KIB;

// Session.

/// Time for the whole handshake, TLS included, from the accepted connection; not per read, so a drip does not extend it.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time from the accepted connection to `publish`, the handshake included. Encoders need one second, those behind two
/// satellite hops six.
pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(10);
/// Time to decide about a `publish` and to be heard about it.
pub const ADMISSION_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without a byte after which a publisher is taken for gone.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Time without a message of media after which a publisher is taken for gone, whatever else it says. An encoder that has
/// lost its camera ends, or sends a still picture.
pub const MEDIA_TIMEOUT: Duration = Duration::from_secs(30);
/// `connect` commands on one connection. The session's states hold it: there is none in which a second one is right.
pub const CONNECTS_MAX: u32 = 1;
/// `createStream` commands on one connection. Clients that retry ask twice.
pub const CREATE_STREAMS_MAX: u32 = 4;
/// `publish` commands on one connection, held by the session's states too.
pub const PUBLISHES_MAX: u32 = 1;
/// Commands on one connection until a publish is accepted; later only their rate counts. A whole life needs about ten.
pub const COMMANDS_MAX: u32 = 64;
/// Commands within one second.
pub const COMMANDS_PER_SECOND_MAX: u32 = 20;
/// Smallest acknowledgement window that we honour, in bytes: a window of 1 would have us answer every byte.
pub const WINDOW_BYTES_MIN: u32 = 32 * 1024;
/// Window that we announce, and the most that we receive without acknowledging it, in bytes.
pub const WINDOW_BYTES: u32 = 2_500_000;
/// Ping requests that we answer within one second.
pub const PONGS_PER_SECOND_MAX: u32 = 5;
/// Longest app, stream name or tcUrl, in bytes. Keys of Facebook and Instagram pass 256.
pub const NAME_BYTES_MAX: usize = 2048;
/// Media that a publisher may send, in bits per second.
pub const INGEST_BITS_PER_SECOND_MAX: u64 = 100_000_000;
/// Messages that a publisher may send within one second. 60 frames, 50 audio frames and many tracks stay far below.
pub const MESSAGES_PER_SECOND_MAX: u32 = 2000;
/// Redirects that a push follows in one attempt.
pub const REDIRECTS_MAX: u32 = 3;
/// Extra `connect` rounds for authentication in one attempt: the challenge and the answer.
pub const AUTH_ROUNDS_MAX: u32 = 2;
/// Messages of any type before a publish is accepted. A publisher sends about ten.
pub const MESSAGES_BEFORE_PUBLISH_MAX: u32 = 256;
/// Answers of ours that wait to be sent, in bytes. A peer that talks and never reads makes them pile up; those of a whole
/// conversation stay below 4 KiB.
pub const OUTPUT_BYTES_MAX: usize = 64 * KIB;
/// Longest salt, challenge, nonce or opaque value of an authentication, in bytes. Those seen stay below 100.
pub const AUTH_VALUE_BYTES_MAX: usize = 512;
/// What is kept of the name that an encoder gives itself, in characters. Those seen stay below 60.
pub const CLIENT_NAME_CHARS_MAX: usize = 128;
/// Longest URL of a redirect, in bytes: a tcUrl and a name.
pub const REDIRECT_URL_BYTES_MAX: usize = 2 * NAME_BYTES_MAX;
/// What is kept of a peer's status description, in characters: one line that people read.
pub const STATUS_DESCRIPTION_CHARS_MAX: usize = 256;
/// What is kept of a peer's status code, in characters. The longest that is defined has 42.
pub const STATUS_CODE_CHARS_MAX: usize = 64;
