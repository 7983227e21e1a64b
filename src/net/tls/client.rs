//! TLS towards a target.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::{TlsConfigError, TlsError};
use super::{VERSIONS, pem, provider};
use crate::net::literal::address_literal;

/// A configuration that trusts the platform's roots, or Mozilla's where the platform has none (a container from
/// scratch), and the certificates in `ca_certificates` (PEM files) besides. Reads files: for start and reload.
///
/// # Errors
/// [`TlsConfigError`] names the file that is not usable.
pub fn client_config(ca_certificates: &[PathBuf]) -> Result<Arc<ClientConfig>, TlsConfigError> {
    let mut roots = RootCertStore::empty();
    // A platform's bundle may hold certificates that rustls does not read; the others count.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for path in ca_certificates {
        for certificate in pem::certificates(path)? {
            roots
                .add(certificate)
                .map_err(|source| TlsConfigError::Unusable {
                    path: path.clone(),
                    source,
                })?;
        }
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(TlsConfigError::Provider)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The name that a target's certificate has to carry. It is sent as SNI where it is a name; an address never is.
///
/// # Errors
/// [`TlsError`] of class `Name` where `host` is neither a DNS name nor an address.
pub fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    if let Some(address) = address_literal(host) {
        return Ok(ServerName::IpAddress(address.into()));
    }
    ServerName::try_from(host.to_owned()).map_err(|_| TlsError::bad_name(host))
}

/// Speaks TLS over `stream` as a client of `host`. The caller sets the deadline.
///
/// # Errors
/// [`TlsError`] with its class; its text names `host`.
pub async fn connect<S>(
    config: &Arc<ClientConfig>,
    host: &str,
    stream: S,
) -> Result<TlsStream<S>, TlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = server_name(host)?;
    TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .map_err(|error| TlsError::from_handshake(host, error))
}
