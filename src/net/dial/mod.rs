//! The way out: from a host and a port to a connected socket.
//!
//! Every call resolves, judges every address, and connects to one that was judged; nothing is looked up a second time
//! in between, so an answer that changes (DNS rebinding) changes nothing.

mod error;

#[cfg(test)]
mod tests;

pub use error::{DialClass, DialError};

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use error::connect_error;

use super::literal::address_literal;
use super::own::OwnListeners;
use super::policy::AddressPolicy;
use super::race::{interleave, race};
use super::resolve::{MAX_ADDRESSES, Resolver};

/// The time for a whole dial, lookup included.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The time for the lookup alone.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// How many bytes the kernel takes that it cannot send yet. Without it a stalled target hides seconds of media in the
/// socket, where they count as sent.
pub const NOTSENT_LOWAT_BYTES: u32 = 128 * 1024;

/// A peer that vanished while nothing was in flight is noticed after 15 s + 3 x 5 s.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
#[cfg(unix)]
const KEEPALIVE_PROBES: u32 = 3;

/// The last step of a dial. Given addresses that were judged, and no names.
pub trait Connector: Send + Sync {
    /// Connects to one address.
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>>;
}

/// The kernel's TCP, with the options that a push wants.
struct SystemConnector;

impl Connector for SystemConnector {
    fn connect(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(connect(address))
    }
}

/// Connects to targets. Cheap to clone.
#[derive(Clone)]
pub struct Dialer {
    resolver: Arc<dyn Resolver>,
    connector: Arc<dyn Connector>,
    policy: AddressPolicy,
    own: Arc<OwnListeners>,
}

impl Dialer {
    /// A dialer that asks `resolver`, permits what `policy` permits, and never calls a listener in `own`.
    pub fn new(resolver: Arc<dyn Resolver>, policy: AddressPolicy, own: Arc<OwnListeners>) -> Self {
        Self {
            resolver,
            connector: Arc::new(SystemConnector),
            policy,
            own,
        }
    }

    /// The same dialer with another last step: a network that a test plays.
    #[must_use]
    pub fn through(self, connector: Arc<dyn Connector>) -> Self {
        Self { connector, ..self }
    }

    /// The policy that is applied.
    pub const fn policy(&self) -> AddressPolicy {
        self.policy
    }

    /// Connects to `host` (a name or a literal address, brackets allowed) within [`DIAL_TIMEOUT`]. The stream has
    /// TCP_NODELAY, keepalive and, on Linux, TCP_NOTSENT_LOWAT set.
    ///
    /// # Errors
    /// [`DialError`] says who, why, and whether to try again.
    pub async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let connect = |address| self.connector.connect(address);
        self.dial_with(host, port, connect).await
    }

    /// A dial whose last step is passed in, so that a test needs no black hole.
    async fn dial_with<S, F>(
        &self,
        host: &str,
        port: u16,
        connect: impl Fn(SocketAddr) -> F,
    ) -> Result<S, DialError>
    where
        F: Future<Output = io::Result<S>>,
    {
        let whole = async {
            let addresses = self.resolve(host, port).await?;
            race(&addresses, connect)
                .await
                .map(|(stream, _)| stream)
                .map_err(|failure| connect_error(host, failure))
        };
        timeout(DIAL_TIMEOUT, whole).await.unwrap_or_else(|_| {
            Err(DialError::Timeout {
                host: host.to_owned(),
            })
        })
    }

    /// The addresses of `host` that may be called, in the order in which they are to be tried. For a preflight, which
    /// shows this step by itself.
    ///
    /// # Errors
    /// [`DialError`] of class `Dns`, `Denied` or `OwnListener`.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
        if let Some(address) = address_literal(host) {
            return self.judge(host, port, vec![address], true);
        }
        if let Err(denied) = self.policy.judge_host_literal(host) {
            return Err(DialError::Denied {
                host: host.to_owned(),
                denied,
                literal: true,
            });
        }
        let addresses = match timeout(LOOKUP_TIMEOUT, self.resolver.resolve(host)).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(source)) => {
                return Err(DialError::Lookup {
                    host: host.to_owned(),
                    source,
                });
            }
            Err(_) => {
                return Err(DialError::LookupTimeout {
                    host: host.to_owned(),
                });
            }
        };
        self.judge(host, port, addresses, false)
    }

    /// Drops what may not be called; fails where nothing is left.
    fn judge(
        &self,
        host: &str,
        port: u16,
        addresses: Vec<IpAddr>,
        literal: bool,
    ) -> Result<Vec<SocketAddr>, DialError> {
        let mut permitted = Vec::new();
        let mut refusal = None;
        for ip in addresses.into_iter().take(MAX_ADDRESSES) {
            let address = SocketAddr::new(ip, port);
            if self.own.contains(address) {
                refusal = Some(DialError::OwnListener {
                    host: host.to_owned(),
                    address,
                });
            } else if let Err(denied) = self.policy.judge(ip) {
                refusal.get_or_insert(DialError::Denied {
                    host: host.to_owned(),
                    denied,
                    literal,
                });
            } else {
                permitted.push(address);
            }
        }
        match refusal {
            _ if !permitted.is_empty() => Ok(interleave(permitted)),
            Some(refusal) => Err(refusal),
            None => Err(DialError::NoAddress {
                host: host.to_owned(),
            }),
        }
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    set_options(&SockRef::from(&socket))?;
    socket.connect(address).await
}

fn set_options(socket: &SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL);
    #[cfg(unix)]
    let keepalive = keepalive.with_retries(KEEPALIVE_PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_notsent_lowat(NOTSENT_LOWAT_BYTES)?;
    Ok(())
}
