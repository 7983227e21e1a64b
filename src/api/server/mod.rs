//! The HTTP listener: who may connect, for how long, and how it ends.
//!
//! axum's own `serve` sets no timer, so a client that never finishes its headers would stay for ever. Here every
//! connection holds one of a bounded number of permits, has to finish its headers in time, and is closed when nothing
//! moves on it.

mod guard;
mod idle;
pub mod limits;

pub use guard::AllowedHosts;
pub(crate) use guard::guard;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

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
    /// Present on an HTTPS listener.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// The times and numbers; [`Limits::default`] is what production uses.
    pub limits: Limits,
}

/// The times and numbers that a listener keeps to. Tests make them smaller.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at one time; more wait in the kernel's queue.
    pub connections: usize,
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
            connections: limits::MAX_CONNECTIONS,
            headers: limits::HEADER_DEADLINE,
            idle: limits::IDLE_DEADLINE,
            drain: limits::DRAIN_DEADLINE,
        }
    }
}

/// Serves `listener` until `stop`; then takes nothing new, lets running requests end for at most [`Limits::drain`], and
/// returns when the last connection is gone.
pub async fn serve(listener: TcpListener, what: Serve, stop: CancellationToken) {
    let beyond_loopback = listener
        .local_addr()
        .is_ok_and(|local| !local.ip().is_loopback());
    let permits = Arc::new(Semaphore::new(what.limits.connections));
    let graceful = GracefulShutdown::new();
    let abort = CancellationToken::new();
    while let Some((stream, remote, permit)) = next(&listener, &permits, &stop).await {
        let Ok(local) = stream.local_addr() else {
            continue;
        };
        let connection = Connection {
            remote,
            local,
            beyond_loopback,
        };
        let task = serve_connection(stream, connection, what.clone(), graceful.watcher());
        let abort = abort.clone();
        tokio::spawn(async move {
            let _permit: OwnedSemaphorePermit = permit;
            abort.run_until_cancelled_owned(task).await;
        });
    }
    drop(listener);
    if tokio::time::timeout(what.limits.drain, graceful.shutdown())
        .await
        .is_err()
    {
        abort.cancel();
    }
    // All permits at once: every connection's task has ended.
    let all = u32::try_from(what.limits.connections).unwrap_or(u32::MAX);
    let _ = permits.acquire_many(all).await;
}

/// The next connection, once there is room for it; `None` when the listener stops.
async fn next(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = stop
        .run_until_cancelled(permits.clone().acquire_owned())
        .await?
        .ok()?;
    loop {
        match stop.run_until_cancelled(listener.accept()).await? {
            Ok((stream, remote)) => return Some((stream, remote, permit)),
            Err(error) if is_the_peers(&error) => {}
            // Out of file descriptors or memory: accepting again at once would only burn the processor.
            Err(error) => {
                tracing::warn!(%error, "an HTTP connection could not be accepted");
                stop.run_until_cancelled(tokio::time::sleep(limits::ACCEPT_PAUSE))
                    .await?;
            }
        }
    }
}

/// Errors of one connection that ended before it was accepted.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

async fn serve_connection(
    stream: TcpStream,
    connection: Connection,
    what: Serve,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let _ = stream.set_nodelay(true);
    let Serve {
        router,
        tls,
        limits,
    } = what;
    let Some(tls) = tls else {
        return serve_http(stream, connection, router, limits, watcher).await;
    };
    let handshake = TlsAcceptor::from(tls).accept(stream);
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
        .max_buf_size(limits::MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = watcher.watch(http).await {
        tracing::debug!(remote = %connection.remote, %error, "HTTP connection ended");
    }
}
