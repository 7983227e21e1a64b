//! The way out: from a host and a port to a connected socket.
//!
//! Every call resolves, judges every address, and connects to one that was judged; nothing is looked up a second time
//! in between, so an answer that changes (DNS rebinding) changes nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::literal::address_literal;
use super::own::OwnListeners;
use super::policy::{AddressPolicy, Denied};
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

/// Connects to targets. Cheap to clone.
#[derive(Clone)]
pub struct Dialer {
    resolver: Arc<dyn Resolver>,
    policy: AddressPolicy,
    own: Arc<OwnListeners>,
}

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

impl Dialer {
    /// A dialer that asks `resolver`, permits what `policy` permits, and never calls a listener in `own`.
    pub fn new(resolver: Arc<dyn Resolver>, policy: AddressPolicy, own: Arc<OwnListeners>) -> Self {
        Self {
            resolver,
            policy,
            own,
        }
    }

    /// The policy that is applied.
    pub const fn policy(&self) -> AddressPolicy {
        self.policy
    }

    /// The same dialer under another policy, after a reload.
    #[must_use]
    pub fn with_policy(&self, policy: AddressPolicy) -> Self {
        Self {
            policy,
            ..self.clone()
        }
    }

    /// Connects to `host` (a name or a literal address, brackets allowed) within [`DIAL_TIMEOUT`]. The stream has
    /// TCP_NODELAY, keepalive and, on Linux, TCP_NOTSENT_LOWAT set.
    ///
    /// # Errors
    /// [`DialError`] says who, why, and whether to try again.
    pub async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
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

fn connect_error(host: &str, failure: Option<(SocketAddr, io::Error)>) -> DialError {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::address::AddressClass;
    use futures::future::BoxFuture;
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    /// Gives its answers in turn; none left means that it never answers.
    struct Script(Mutex<VecDeque<io::Result<Vec<IpAddr>>>>);

    impl Script {
        fn of(answers: Vec<io::Result<Vec<IpAddr>>>) -> Arc<Self> {
            Arc::new(Self(Mutex::new(answers.into())))
        }

        fn addresses(answers: &[&[&str]]) -> Arc<Self> {
            Self::of(
                answers
                    .iter()
                    .map(|answer| Ok(answer.iter().map(|text| text.parse().unwrap()).collect()))
                    .collect(),
            )
        }

        fn left(&self) -> usize {
            self.0.lock().unwrap().len()
        }
    }

    impl Resolver for Script {
        fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            let answer = self.0.lock().unwrap().pop_front();
            Box::pin(async move {
                match answer {
                    Some(answer) => answer,
                    None => std::future::pending().await,
                }
            })
        }
    }

    fn dialer(resolver: Arc<Script>, allow_private: bool) -> Dialer {
        Dialer::new(
            resolver,
            AddressPolicy { allow_private },
            Arc::new(OwnListeners::new()),
        )
    }

    #[tokio::test]
    async fn a_name_is_resolved_judged_and_ordered() {
        let script = Script::addresses(&[&["2606::1", "10.0.0.1", "2606::2", "8.8.8.8", "::1"]]);
        let addresses = dialer(script, false).resolve("live.example", 1935).await;
        let expected: Vec<SocketAddr> = ["[2606::1]:1935", "8.8.8.8:1935", "[2606::2]:1935"]
            .map(|text| text.parse().unwrap())
            .into();
        assert_eq!(addresses.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_rebinding_name_is_judged_at_every_attempt() {
        let script = Script::addresses(&[&["8.8.8.8"], &["127.0.0.1"], &["::ffff:10.0.0.1"], &[]]);
        let dialer = dialer(Arc::clone(&script), false);
        assert!(dialer.resolve("live.example", 1935).await.is_ok());
        for class in [AddressClass::Loopback, AddressClass::Private] {
            let error = dialer.resolve("live.example", 1935).await.unwrap_err();
            let DialError::Denied {
                denied, literal, ..
            } = &error
            else {
                panic!("{error}")
            };
            assert_eq!(denied.class, class);
            assert!(!literal && !error.is_permanent());
        }
        let error = dialer.resolve("live.example", 1935).await.unwrap_err();
        assert!(matches!(error, DialError::NoAddress { .. }), "{error}");
        assert_eq!(script.left(), 0);
    }

    #[tokio::test]
    async fn a_literal_asks_no_resolver() {
        let script = Script::addresses(&[&["8.8.8.8"]]);
        let dialer = dialer(Arc::clone(&script), false);
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "[::1]",
            "localhost",
            "a.localhost.",
        ] {
            let error = dialer.dial(host, 1935).await.unwrap_err();
            assert_eq!(error.class(), DialClass::Denied, "{host}");
            assert!(error.is_permanent(), "{host}");
        }
        assert_eq!(script.left(), 1);
    }

    #[tokio::test]
    async fn a_dial_connects_to_the_judged_address_with_its_options() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Script::addresses(&[&["127.0.0.1"], &["127.0.0.2"]]);
        let stream = dialer(Arc::clone(&script), true)
            .dial("live.example", port)
            .await
            .unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        assert_eq!(script.left(), 1);
        let socket = SockRef::from(&stream);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), NOTSENT_LOWAT_BYTES);
    }

    #[tokio::test]
    async fn our_own_listener_is_refused_even_where_private_addresses_are_permitted() {
        let own = Arc::new(OwnListeners::new());
        let script = Script::addresses(&[&["127.0.0.1"]]);
        let policy = AddressPolicy {
            allow_private: true,
        };
        let dialer = Dialer::new(script, policy, Arc::clone(&own));
        own.add("0.0.0.0:1935".parse().unwrap());
        for host in ["127.0.0.1", "127.1", "live.example"] {
            let error = dialer.dial(host, 1935).await.unwrap_err();
            assert_eq!(error.class(), DialClass::OwnListener, "{host}");
            assert!(error.is_permanent());
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_named_with_its_host() {
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap().port()
        };
        let script = Script::addresses(&[&["127.0.0.1"]]);
        let error = dialer(script, true)
            .dial("live.example", port)
            .await
            .unwrap_err();
        assert_eq!(error.class(), DialClass::Refused);
        assert!(!error.is_permanent());
        assert_eq!(
            error.to_string(),
            format!("live.example (127.0.0.1:{port}) refuses connections")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_that_never_answers_ends_at_its_deadline() {
        let begun = Instant::now();
        let error = dialer(Script::of(vec![]), false)
            .dial("live.example", 1935)
            .await
            .unwrap_err();
        assert!(matches!(error, DialError::LookupTimeout { .. }), "{error}");
        assert_eq!(begun.elapsed(), LOOKUP_TIMEOUT);
        assert_eq!(error.class(), DialClass::Dns);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_never_answers_ends_at_the_deadline_of_the_whole() {
        let begun = Instant::now();
        let script = Script::addresses(&[&["8.8.8.8", "8.8.4.4"]]);
        let error = dialer(script, false)
            .dial_with("live.example", 1935, |_| {
                std::future::pending::<io::Result<()>>()
            })
            .await
            .unwrap_err();
        assert_eq!(error.class(), DialClass::Timeout);
        assert_eq!(begun.elapsed(), DIAL_TIMEOUT);
        assert_eq!(
            error.to_string(),
            "live.example does not answer within 10 s"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_is_never_connected_to() {
        let called = Mutex::new(Vec::new());
        let script = Script::addresses(&[&[
            "10.0.0.1",
            "8.8.8.8",
            "fe80::1",
            "2606::1",
            "::ffff:127.0.0.1",
        ]]);
        let error = dialer(script, false)
            .dial_with("live.example", 1935, |address| {
                called.lock().unwrap().push(address.to_string());
                std::future::ready(Err::<(), _>(io::ErrorKind::ConnectionRefused.into()))
            })
            .await
            .unwrap_err();
        assert_eq!(error.class(), DialClass::Refused);
        assert_eq!(*called.lock().unwrap(), ["8.8.8.8:1935", "[2606::1]:1935"]);
    }

    #[tokio::test]
    async fn an_answer_is_bounded() {
        let many: Vec<IpAddr> = (0..=255)
            .map(|last| IpAddr::from([8, 8, 8, last]))
            .collect();
        let script = Script::of(vec![Ok(many), Err(io::Error::other("no such name"))]);
        let dialer = dialer(script, false);
        let addresses = dialer.resolve("live.example", 1935).await.unwrap();
        assert_eq!(addresses.len(), MAX_ADDRESSES);
        let error = dialer.resolve("live.example", 1935).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "live.example does not resolve: no such name"
        );
    }
}
