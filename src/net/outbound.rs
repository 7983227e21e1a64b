//! Connections that the gateway makes to fetch something: dialled under the address policy, in TLS where that is asked for.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::dial::{DialError, Dialer};
use super::tls::{self, TlsError};

/// How long a server may take for TLS.
pub const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes both ways, whatever they travel in.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// How servers are reached.
#[derive(Clone)]
pub struct Outbound {
    /// Resolves, judges and connects.
    pub dialer: Arc<Dialer>,
    /// The roots that certificates are checked against.
    pub tls: Arc<ClientConfig>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// No connection.
    #[error("{0}")]
    Dial(#[from] DialError),
    /// No TLS.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// TLS took too long.
    #[error("no TLS handshake within {} s", TLS_TIMEOUT.as_secs())]
    TlsTimeout,
}

impl OutboundError {
    /// Whether only another address or another configuration can help.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Dial(error) => error.is_permanent(),
            Self::Tls(error) => error.is_permanent(),
            Self::TlsTimeout => false,
        }
    }
}

impl Outbound {
    /// Connects.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn connect(
        &self,
        host: &str,
        port: u16,
        in_tls: bool,
    ) -> Result<Box<dyn Io>, OutboundError> {
        let tcp = self.dialer.dial(host, port).await?;
        if !in_tls {
            return Ok(Box::new(tcp));
        }
        let tls = timeout(TLS_TIMEOUT, tls::connect(&self.tls, host, tcp)).await;
        Ok(Box::new(tls.map_err(|_| OutboundError::TlsTimeout)??))
    }
}
