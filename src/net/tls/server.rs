//! TLS for our own listeners.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::error::{TlsConfigError, TlsError};
use super::{VERSIONS, pem, provider};

/// A configuration from a certificate chain (leaf first) and its private key (PKCS #8, PKCS #1 or SEC 1), both in PEM
/// files, which may be one and the same. Reads files: for start and reload.
///
/// # Errors
/// [`TlsConfigError`], one line that names the file at fault.
pub fn server_config(
    certificate: &Path,
    private_key: &Path,
) -> Result<Arc<ServerConfig>, TlsConfigError> {
    let chain = pem::certificates(certificate)?;
    let key = pem::private_key(private_key)?;
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(TlsConfigError::Provider)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|source| match source {
            rustls::Error::InconsistentKeys(_) => TlsConfigError::KeyMismatch {
                certificate: certificate.to_owned(),
                private_key: private_key.to_owned(),
            },
            rustls::Error::InvalidCertificate(_) => TlsConfigError::Unusable {
                path: certificate.to_owned(),
                source,
            },
            source => TlsConfigError::Unusable {
                path: private_key.to_owned(),
                source,
            },
        })?;
    Ok(Arc::new(config))
}

/// Speaks TLS over `stream` as its server. The caller sets the deadline.
///
/// # Errors
/// [`TlsError`] with its class; its text names `peer`.
pub async fn accept<S>(
    config: &Arc<ServerConfig>,
    peer: SocketAddr,
    stream: S,
) -> Result<TlsStream<S>, TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    TlsAcceptor::from(Arc::clone(config))
        .accept(stream)
        .await
        .map_err(|error| TlsError::from_handshake(&peer.to_string(), error))
}
