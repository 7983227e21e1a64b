//! Sockets: who may be called and how, who may call, and what the kernel says about a connection.
//!
//! Nothing here knows RTMP or rules. `dial` is the only way out of the gateway, so that the address policy cannot be
//! forgotten; `listener` is the only way in, so that every accepted connection holds a permit.

pub mod address;
pub mod close;
pub mod descriptors;
pub mod dial;
pub mod listener;
pub mod literal;
pub mod outbound;
pub mod own;
pub mod permits;
pub mod policy;
pub mod race;
mod rate;
pub mod resolve;
pub mod tcp_info;
pub mod tls;
pub mod tries;
