//! TLS: towards targets, and for our own listeners.
//!
//! The cryptography (ring) is passed to every configuration; nothing is installed for the whole process. No ALPN: an
//! RTMPS server speaks RTMP from the first byte behind the handshake, and some close on a protocol list that they do not know.

mod client;
mod error;
mod pem;
mod server;

#[cfg(test)]
mod tests;

pub use client::{client_config, connect, server_name};
pub use error::{TlsClass, TlsConfigError, TlsError};
pub use server::{accept, server_config};

use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;

/// TLS 1.3 and 1.2; nothing older is safe, nothing older is offered by an ingest that matters.
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// The provider for every TLS configuration of the gateway, also for an HTTP client that wants one.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
