//! RTMP as values: bytes in, messages out, and back.
//!
//! Nothing here knows a socket, a clock, a task or a log: time is an argument, output is a buffer that the caller
//! sends. The order of the modules is the order of the protocol: handshake, chunks, messages, AMF0, commands.

pub mod amf0;
pub mod auth;
pub mod chunk;
pub mod command;
pub mod handshake;
pub mod limits;
pub mod message;
pub mod session;
