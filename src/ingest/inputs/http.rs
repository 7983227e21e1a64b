//! Fetching by HTTP: one request a connection, over the dialler, so that every hop is judged as a target is.

use super::fault::Fault;
use super::limits::{ANSWER_TIMEOUT, HEAD_BYTES_MAX, REDIRECTS_MAX};
use crate::net::outbound::Outbound;
use crate::rule::HttpUrl;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_RANGE, HOST, LOCATION, RANGE, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const AGENT: &str = concat!("aqueduct/", env!("CARGO_PKG_VERSION"));

/// The body of an answer.
pub(super) struct Body {
    incoming: Incoming,
    /// Drives the connection; ends with this.
    connection: JoinHandle<()>,
    /// The place of its first byte in what was asked for.
    pub(super) begins_at: u64,
}

impl Drop for Body {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Body {
    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let Some(frame) = self.incoming.frame().await else {
                return Ok(None);
            };
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
    }
}

/// Asks for `url`, from byte `from` on where that is not its first. A server that knows no ranges begins with the first all the same;
/// `None` where there is nothing from there on.
pub(super) async fn get(
    outbound: &Outbound,
    url: &HttpUrl,
    from: u64,
) -> Result<Option<Body>, Fault> {
    let mut url = url.clone();
    for _ in 0..=REDIRECTS_MAX {
        let answered = timeout(ANSWER_TIMEOUT, ask(outbound, &url, from)).await;
        let (response, connection) = answered.map_err(|_| Fault::NoAnswer)??;
        let status = response.status();
        if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
            url = follow(&url, &response).ok_or(Fault::BadRedirect)?;
            connection.abort();
            continue;
        }
        let begins_at = match status {
            StatusCode::OK => Some(0),
            StatusCode::PARTIAL_CONTENT => Some(range_start(&response).unwrap_or(from)),
            StatusCode::RANGE_NOT_SATISFIABLE => None,
            other => {
                connection.abort();
                return Err(Fault::Status(other.as_u16()));
            }
        };
        let Some(begins_at) = begins_at else {
            connection.abort();
            return Ok(None);
        };
        return Ok(Some(Body {
            incoming: response.into_body(),
            connection,
            begins_at,
        }));
    }
    Err(Fault::Redirects)
}

async fn ask(
    outbound: &Outbound,
    url: &HttpUrl,
    from: u64,
) -> Result<(Response<Incoming>, JoinHandle<()>), Fault> {
    let io = outbound
        .connect(url.host(), url.port_or_default(), url.is_tls())
        .await?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(io))
        .await?;
    let connection = tokio::spawn(async move {
        // What goes wrong shows in the body.
        let _ = connection.await;
    });
    let mut request = Request::get(url.target())
        .header(HOST, url.authority())
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "*/*");
    if from > 0 {
        request = request.header(RANGE, format!("bytes={from}-"));
    }
    let Ok(request) = request.body(Empty::new()) else {
        connection.abort();
        return Err(Fault::BadRedirect);
    };
    match sender.send_request(request).await {
        Ok(response) => Ok((response, connection)),
        Err(error) => {
            connection.abort();
            Err(error.into())
        }
    }
}

/// Where a redirect leads; never out of TLS.
fn follow(from: &HttpUrl, response: &Response<Incoming>) -> Option<HttpUrl> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let to = from.join(location).ok()?;
    (to.is_tls() || !from.is_tls()).then_some(to)
}

fn range_start(response: &Response<Incoming>) -> Option<u64> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (first, _) = range.strip_prefix("bytes ")?.split_once('-')?;
    first.trim().parse().ok()
}
