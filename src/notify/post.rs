//! One try: a POST over a connection of its own, by the only way out.

use super::courier::Shaped;
use super::limits::ANSWER_HEAD_BYTES_MAX;
use crate::net::dial::{DialError, Dialer};
use crate::net::tls::{self, TlsError};
use crate::rule::HttpUrl;
use axum::http::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{HeaderValue, Method, Request};
use futures::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

/// How the gateway calls itself.
const AGENT: &str = concat!("aqueduct/", env!("CARGO_PKG_VERSION"));

/// Makes one try. Passed in, so that a test can play the other side.
pub trait Post: Send + Sync + 'static {
    /// Posts, and says the status of the answer. The caller sets the deadline.
    fn post<'a>(
        &'a self,
        url: &'a HttpUrl,
        shaped: Shaped,
    ) -> BoxFuture<'a, Result<u16, PostError>>;
}

/// Why a try failed. No text holds more of the URL than its host.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// There is no connection.
    #[error("{0}")]
    Dial(#[from] DialError),
    /// There is no TLS.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// What came is no HTTP, or the connection broke.
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// Nothing that a request could be made of.
    #[error("no request can be made of it: {0}")]
    Request(#[from] axum::http::Error),
}

/// Posts by HTTP/1.1, with TLS where the URL says so. Each try has a connection of its own.
#[derive(Clone)]
pub struct HttpPost {
    /// How the name becomes a connection, and which addresses may be called.
    pub dialer: Arc<Dialer>,
    /// What certificates are held against.
    pub tls: Arc<rustls::ClientConfig>,
}

impl Post for HttpPost {
    fn post<'a>(
        &'a self,
        url: &'a HttpUrl,
        shaped: Shaped,
    ) -> BoxFuture<'a, Result<u16, PostError>> {
        Box::pin(async move {
            let request = request(url, shaped)?;
            let tcp = self.dialer.dial(url.host(), url.port_or_default()).await?;
            if url.is_tls() {
                let tls = tls::connect(&self.tls, url.host(), tcp).await?;
                exchange(tls, request).await
            } else {
                exchange(tcp, request).await
            }
        })
    }
}

fn request(url: &HttpUrl, shaped: Shaped) -> Result<Request<Full<Bytes>>, axum::http::Error> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(url.target())
        .header(HOST, url.authority())
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .body(Full::new(Bytes::from(shaped.body)))?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in shaped.headers {
        headers.insert(name, value);
    }
    Ok(request)
}

/// The answer's status. What follows its head is left unread, and the connection closed.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<u16, PostError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(ANSWER_HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await?;
    // Aborted when it is dropped, also where the caller gives up waiting.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let answer = sender.send_request(request).await?;
    Ok(answer.status().as_u16())
}
