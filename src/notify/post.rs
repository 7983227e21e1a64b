//! One try: a POST over a connection of its own, by the only way out.

use super::courier::Shaped;
use super::limits::ANSWER_HEAD_BYTES_MAX;
use crate::net::dial::{DialError, Dialer};
use crate::net::tls::{self, TlsError};
use crate::rule::HttpUrl;
use axum::http::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{HeaderValue, Method, Request};
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
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
    /// An answer that was to be read is longer than it may be, or broke off.
    #[error("its answer is too long, or broke off")]
    Answer,
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
        Box::pin(async move { Ok(self.send(url, shaped, None).await?.0) })
    }
}

impl HttpPost {
    /// Posts, and says the answer's status and body. The caller sets the deadline.
    ///
    /// # Errors
    /// See [`PostError`]; a body of more than `bytes_max` is one.
    pub async fn ask(
        &self,
        url: &HttpUrl,
        shaped: Shaped,
        bytes_max: usize,
    ) -> Result<(u16, Vec<u8>), PostError> {
        self.send(url, shaped, Some(bytes_max)).await
    }

    async fn send(
        &self,
        url: &HttpUrl,
        shaped: Shaped,
        bytes_max: Option<usize>,
    ) -> Result<(u16, Vec<u8>), PostError> {
        let request = request(url, shaped)?;
        let tcp = self.dialer.dial(url.host(), url.port_or_default()).await?;
        if url.is_tls() {
            let tls = tls::connect(&self.tls, url.host(), tcp).await?;
            exchange(tls, request, bytes_max).await
        } else {
            exchange(tcp, request, bytes_max).await
        }
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

/// The answer's status, and its body where that is wanted; else it is left unread. The connection is closed.
async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    bytes_max: Option<usize>,
) -> Result<(u16, Vec<u8>), PostError>
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
    let status = answer.status().as_u16();
    let Some(bytes_max) = bytes_max else {
        return Ok((status, Vec::new()));
    };
    let body = Limited::new(answer.into_body(), bytes_max).collect().await;
    let body = body.map_err(|_| PostError::Answer)?;
    Ok((status, body.to_bytes().into()))
}
