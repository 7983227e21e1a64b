//! Why a dial failed, and whether to try again.

use std::io;
use std::net::SocketAddr;

use super::{DIAL_TIMEOUT, LOOKUP_TIMEOUT};
use crate::net::policy::Denied;

/// Why a dial failed. The text names the host and never a URL.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The resolver had no answer.
    #[error("{host} does not resolve: {source}")]
    Lookup {
        /// The name that was looked up.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The resolver took longer than [`LOOKUP_TIMEOUT`].
    #[error("looking up {host} took longer than {} s", LOOKUP_TIMEOUT.as_secs())]
    LookupTimeout {
        /// The name that was looked up.
        host: String,
    },
    /// The name has no address.
    #[error("{host} has no address")]
    NoAddress {
        /// The name that was looked up.
        host: String,
    },
    /// The policy permits none of the addresses.
    #[error("{host} is refused: {denied}")]
    Denied {
        /// The host as the target names it.
        host: String,
        /// The first of the refused addresses.
        denied: Denied,
        /// Whether the host is an address itself (or `localhost`), so that asking again cannot help.
        literal: bool,
    },
    /// The target is one of this gateway's own listeners.
    #[error(
        "{host} is refused: {address} is a listener of this gateway, the stream would come back to itself"
    )]
    OwnListener {
        /// The host as the target names it.
        host: String,
        /// The listener's address as the target reaches it.
        address: SocketAddr,
    },
    /// The peer refused the connection.
    #[error("{host} ({address}) refuses connections")]
    Refused {
        /// The host as the target names it.
        host: String,
        /// The address that refused.
        address: SocketAddr,
    },
    /// No route to the peer.
    #[error("{host} ({address}) is not reachable: {source}")]
    Unreachable {
        /// The host as the target names it.
        host: String,
        /// The address that was tried.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// Nobody answered within [`DIAL_TIMEOUT`], or within the kernel's own patience.
    #[error("{host} does not answer within {} s", DIAL_TIMEOUT.as_secs())]
    Timeout {
        /// The host as the target names it.
        host: String,
    },
    /// Something else went wrong, on this machine (no descriptor, no port) or on the way.
    #[error("connecting to {host} ({address}) failed: {source}")]
    Other {
        /// The host as the target names it.
        host: String,
        /// The address that was tried.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The kinds of [`DialError`], for those who count or choose and need no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DialClass {
    /// No answer, a late one, or one without addresses.
    Dns,
    /// Refused by the address policy.
    Denied,
    /// One of our own listeners.
    OwnListener,
    /// Refused by the peer.
    Refused,
    /// No route.
    Unreachable,
    /// No answer.
    Timeout,
    /// Anything else.
    Other,
}

impl DialError {
    /// The kind of the error.
    pub const fn class(&self) -> DialClass {
        match self {
            Self::Lookup { .. } | Self::LookupTimeout { .. } | Self::NoAddress { .. } => {
                DialClass::Dns
            }
            Self::Denied { .. } => DialClass::Denied,
            Self::OwnListener { .. } => DialClass::OwnListener,
            Self::Refused { .. } => DialClass::Refused,
            Self::Unreachable { .. } => DialClass::Unreachable,
            Self::Timeout { .. } => DialClass::Timeout,
            Self::Other { .. } => DialClass::Other,
        }
    }

    /// Whether only a change of the rule or of the configuration can help. A name whose addresses are refused is asked
    /// again later: names move.
    pub const fn is_permanent(&self) -> bool {
        match self {
            Self::Denied { literal, .. } => *literal,
            Self::OwnListener { .. } => true,
            _ => false,
        }
    }
}

/// What became of a race that nobody won.
pub(super) fn connect_error(host: &str, failure: Option<(SocketAddr, io::Error)>) -> DialError {
    let host = host.to_owned();
    let Some((address, source)) = failure else {
        return DialError::NoAddress { host };
    };
    match source.kind() {
        io::ErrorKind::ConnectionRefused => DialError::Refused { host, address },
        io::ErrorKind::TimedOut => DialError::Timeout { host },
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => DialError::Unreachable {
            host,
            address,
            source,
        },
        _ => DialError::Other {
            host,
            address,
            source,
        },
    }
}
