//! The way in: a bound port, and connections that each hold a permit.
//!
//! A permit is taken before a connection is accepted, so that strangers who connect and say nothing fill a bounded room;
//! the rest wait in the kernel's backlog. Who has shown that he may be here leaves that room.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::sleep;

use super::permits::{AddressRefused, Permit, Permits};
use crate::telemetry::Metrics;
use crate::telemetry::events::{AcceptFailed, CallerRefused, Callers};
use crate::telemetry::labels::PublishRefusal;

/// Connections that the kernel completes while we do not accept.
const BACKLOG: u32 = 1024;

/// The first and the longest pause when a connection cannot be accepted for want of descriptors or memory. The
/// connection stays in the backlog, so without a pause the loop would spin.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// Why a port could not be bound: one line, with the address.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody listens there.
    #[error(
        "address already in use: {address} (is another aqueduct, or another RTMP or HTTP server, running?)"
    )]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address is not of this machine.
    #[error("{address} is not an address of this machine")]
    NotHere {
        /// The address.
        address: SocketAddr,
    },
    /// The port needs a privilege.
    #[error("not permitted to listen on {address} (ports below 1024 need CAP_NET_BIND_SERVICE)")]
    NotPermitted {
        /// The address.
        address: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Binds a port and listens. `[::]` takes IPv4 too, whatever the system's default is. Needs a runtime.
///
/// # Errors
/// [`BindError`], for exit code 1.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    listen(address).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { address },
        io::ErrorKind::AddrNotAvailable => BindError::NotHere { address },
        io::ErrorKind::PermissionDenied => BindError::NotPermitted { address },
        _ => BindError::Other { address, source },
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if address.is_ipv6() && address.ip().is_unspecified() {
        SockRef::from(&socket).set_only_v6(false)?;
    }
    // Connections of the process before this one may still be dying.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A connection with its right to be here.
#[derive(Debug)]
pub struct Accepted {
    /// The connection, with TCP_NODELAY set.
    pub stream: TcpStream,
    /// Whose it is; an IPv4 address is shown as such also where the listener is IPv6.
    pub peer: SocketAddr,
    /// To be held as long as the connection.
    pub permit: Permit,
}

/// Accepts connections, one at a time, for ever.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    address: SocketAddr,
    callers: Callers,
    permits: Permits,
    metrics: Arc<Metrics>,
    pause: Option<Duration>,
}

impl Acceptor {
    /// Accepts `callers` from `listener` within `permits`, which several listeners may share.
    ///
    /// # Errors
    /// The listener has no address: it is no listener.
    pub fn new(
        listener: TcpListener,
        callers: Callers,
        permits: Permits,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        Ok(Self {
            address: listener.local_addr()?,
            listener,
            callers,
            permits,
            metrics,
            pause: None,
        })
    }

    /// The address that is really listened on.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection. Dropping the future loses none, so it may stand in a `select!`.
    pub async fn accept(&mut self) -> Accepted {
        loop {
            let room = self.permits.room().await;
            if let Some(pause) = self.pause {
                sleep(pause).await;
            }
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.failed(&error);
                    continue;
                }
            };
            self.pause = None;
            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            match self.permits.admit(room, peer.ip()) {
                Ok(permit) => {
                    // A connection that is gone already fails here, and at its first read.
                    let _ = stream.set_nodelay(true);
                    return Accepted {
                        stream,
                        peer,
                        permit,
                    };
                }
                Err(refused) => self.turn_away(&stream, peer, refused),
            }
        }
    }

    /// Closes by a reset: a flood of connections that are closed in peace stays in the kernel's tables for a minute each.
    fn turn_away(&self, stream: &TcpStream, peer: SocketAddr, refused: AddressRefused) {
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        CallerRefused {
            peer,
            callers: self.callers,
            reason: reason(refused),
            detail: &refused,
        }
        .emit(&self.metrics);
    }

    fn failed(&mut self, error: &io::Error) {
        if is_of_one_connection(error) {
            return;
        }
        let longer = self.pause.map_or(FIRST_PAUSE, |pause| pause * 2);
        self.pause = Some(longer.min(LONGEST_PAUSE));
        AcceptFailed {
            listener: self.address,
            error,
        }
        .emit(&self.metrics);
    }
}

const fn reason(refused: AddressRefused) -> PublishRefusal {
    match refused {
        AddressRefused::Full { .. } => PublishRefusal::AddressLimit,
        AddressRefused::Crowds { .. } => PublishRefusal::AddressShare,
        AddressRefused::Hurries { .. } => PublishRefusal::AddressRate,
    }
}

/// Whether only the connection that was about to be accepted has a problem.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::permits::{AddressLimits, ConnectionLimits};
    use futures::FutureExt;
    use tokio::io::AsyncReadExt;

    fn acceptor(pending: usize) -> Acceptor {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let permits = Permits::new(ConnectionLimits {
            pending,
            ..ConnectionLimits::default()
        });
        of(listener, permits)
    }

    fn of(listener: TcpListener, permits: Permits) -> Acceptor {
        let metrics = Arc::new(Metrics::new());
        Acceptor::new(listener, Callers::Publishers, permits, metrics).unwrap()
    }

    #[tokio::test]
    async fn a_taken_port_is_one_clear_line() {
        let taken = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = taken.local_addr().unwrap();
        let text = bind(address).unwrap_err().to_string();
        assert!(
            text.starts_with(&format!(
                "address already in use: {address} (is another aqueduct"
            )),
            "{text}"
        );
        let text = bind("192.0.2.1:0".parse().unwrap())
            .unwrap_err()
            .to_string();
        assert_eq!(text, "192.0.2.1:0 is not an address of this machine");
    }

    #[tokio::test]
    async fn the_unspecified_ipv6_address_takes_ipv4_and_shows_it_as_such() {
        let Ok(listener) = bind("[::]:0".parse().unwrap()) else {
            // A machine without IPv6.
            return;
        };
        let permits = Permits::new(ConnectionLimits::default());
        let mut acceptor = of(listener, permits);
        let near = TcpStream::connect(("127.0.0.1", acceptor.address().port()))
            .await
            .unwrap();
        let accepted = acceptor.accept().await;
        assert_eq!(accepted.peer, near.local_addr().unwrap());
        assert!(accepted.peer.is_ipv4());
    }

    #[tokio::test]
    async fn nobody_is_accepted_beyond_the_room_until_someone_leaves_it() {
        let mut acceptor = acceptor(2);
        let address = acceptor.address();
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(TcpStream::connect(address).await.unwrap());
        }
        let first = acceptor.accept().await;
        let mut second = acceptor.accept().await;
        assert!(acceptor.accept().now_or_never().is_none());
        // One shows its key, one goes: two may come.
        second.permit.settle();
        let third = acceptor.accept().await;
        assert!(acceptor.accept().now_or_never().is_none());
        drop(first);
        clients.push(TcpStream::connect(address).await.unwrap());
        let fourth = acceptor.accept().await;
        assert_eq!(third.peer, clients[2].local_addr().unwrap());
        assert_eq!(fourth.peer, clients[3].local_addr().unwrap());
        assert!(fourth.stream.nodelay().unwrap());
    }

    #[tokio::test]
    async fn who_is_turned_away_is_reset() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let limits = ConnectionLimits {
            address: AddressLimits {
                connections: 1,
                loopback: true,
                ..AddressLimits::default()
            },
            ..ConnectionLimits::default()
        };
        let mut acceptor = of(listener, Permits::new(limits));
        let _first = TcpStream::connect(acceptor.address()).await.unwrap();
        let _accepted = acceptor.accept().await;
        let mut second = TcpStream::connect(acceptor.address()).await.unwrap();
        let end = tokio::select! {
            _ = acceptor.accept() => panic!("it was let in"),
            end = second.read_u8() => end,
        };
        let error = end.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_future_that_is_dropped_holds_no_room() {
        let mut acceptor = acceptor(1);
        for _ in 0..10 {
            assert!(acceptor.accept().now_or_never().is_none());
        }
        let _near = TcpStream::connect(acceptor.address()).await.unwrap();
        acceptor.accept().await;
    }
}
