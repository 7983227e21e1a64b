//! The targets' side of RTMPS: a certificate of this run, and who accepts with it.

use crate::Outcome;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The host that the certificate is for.
pub const HOST: &str = "localhost";

/// Accepts connections from a relay that trusts this run's certificate.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// Makes a certificate and writes it, as PEM, for the relay to trust.
    pub fn new(trusted: &Path) -> Outcome<Self> {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
        std::fs::write(trusted, made.cert.pem())?;
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.into()], key.into())?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// A handshake with the relay.
    pub async fn accept(&self, tcp: TcpStream) -> Outcome<TlsStream<TcpStream>> {
        Ok(self.0.accept(tcp).await?)
    }
}

/// The two halves of a connection that was accepted.
pub fn apart(tls: TlsStream<TcpStream>) -> (TcpStream, Box<ServerConnection>) {
    let (tcp, connection) = tls.into_inner();
    (tcp, Box::new(connection))
}
