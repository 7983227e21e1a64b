//! The HTTP listener: who may connect, for how long, and how it ends.
//!
//! axum's own `serve` sets no timer, so a client that never finishes its headers would stay for ever. Here every
//! connection holds one of a bounded number of permits, has to finish its headers in time, and is closed when nothing
//! moves on it.

mod guard;
mod idle;
pub mod limits;

pub(crate) use guard::guard;
pub use guard::{AllowedHosts, Origins};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::net::listener::Acceptor;
use crate::net::permits::{AddressLimits, ConnectionLimits};

/// The connection that a request came on; every request carries one in its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The caller's address.
    pub remote: SocketAddr,
    /// The address on which it reached us, never unspecified.
    pub local: SocketAddr,
    /// Whether the listener can be reached from other machines. `/metrics` and `/openapi.json` then want the token.
    pub beyond_loopback: bool,
}

/// What one listener serves, and how long it waits.
#[derive(Clone)]
pub struct Serve {
    /// The routes; the same for HTTP and HTTPS.
    pub router: Router,
    /// Present on an HTTPS listener; a reload may put another one in. Connections keep the one that they began with.
    pub tls: Option<Arc<ArcSwap<rustls::ServerConfig>>>,
    /// The times; [`Limits::default`] is what production uses.
    pub limits: Limits,
}

/// The times that a listener keeps to. Tests make them smaller.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first byte that could arrive to the end of the request's headers, and the TLS handshake.
    pub headers: Duration,
    /// Without one byte in either direction.
    pub idle: Duration,
    /// For the requests that run when the listener is told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            headers: limits::HEADER_DEADLINE,
            idle: limits::IDLE_DEADLINE,
            drain: limits::DRAIN_DEADLINE,
        }
    }
}

/// How many connections the doors take; apart from those of publishers, so that neither can keep the other out.
pub fn connection_limits() -> ConnectionLimits {
    ConnectionLimits {
        pending: limits::MAX_CONNECTIONS,
        address: AddressLimits {
            connections: limits::MAX_CONNECTIONS_PER_ADDRESS,
            // A script that makes one connection for each call is no attack; what is open at once is what costs.
            per_second: 0,
            loopback: false,
        },
    }
}

/// Serves what `acceptor` accepts until `stop`; then takes nothing new, lets running requests end for at most
/// [`Limits::drain`], and returns when the last connection is gone.
pub async fn serve(mut acceptor: Acceptor, what: Serve, stop: CancellationToken) {
    let beyond_loopback = !acceptor.address().ip().is_loopback();
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    while let Some(accepted) = stop.run_until_cancelled(acceptor.accept()).await {
        // Those that have ended are only taken out of the set.
        while connections.try_join_next().is_some() {}
        let Ok(local) = accepted.stream.local_addr() else {
            continue;
        };
        let connection = Connection {
            remote: accepted.peer,
            local,
            beyond_loopback,
        };
        let (what, watcher) = (what.clone(), graceful.watcher());
        connections.spawn(async move {
            let _permit = accepted.permit;
            serve_connection(accepted.stream, connection, what, watcher).await;
        });
    }
    drop(acceptor);
    let _ = tokio::time::timeout(what.limits.drain, graceful.shutdown()).await;
    connections.shutdown().await;
}

async fn serve_connection(
    stream: TcpStream,
    connection: Connection,
    what: Serve,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let Serve {
        router,
        tls,
        limits,
    } = what;
    let Some(tls) = tls else {
        return serve_http(stream, connection, router, limits, watcher).await;
    };
    let handshake = TlsAcceptor::from(tls.load_full()).accept(stream);
    match tokio::time::timeout(limits.headers, handshake).await {
        Ok(Ok(stream)) => serve_http(stream, connection, router, limits, watcher).await,
        Ok(Err(error)) => tracing::debug!(remote = %connection.remote, %error, "HTTPS handshake"),
        Err(_) => tracing::debug!(remote = %connection.remote, "HTTPS handshake took too long"),
    }
}

async fn serve_http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: Connection,
    router: Router,
    limits: Limits,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let stream = idle::IdleStream::new(stream, limits.idle);
    let service = router.map_request(
        move |mut request: axum::http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(connection);
            request.map(Body::new)
        },
    );
    let http = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.headers)
        .max_headers(limits::MAX_HEADERS)
        // The buffer's bound alone lets a head pass that comes whole with the read that crosses it.
        .max_header_size(limits::MAX_HEADER_BYTES)
        .max_buf_size(limits::MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = watcher.watch(http).await {
        tracing::debug!(remote = %connection.remote, %error, "HTTP connection ended");
    }
}
