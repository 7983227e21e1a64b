//! What goes wrong with TLS, in the words of whoever has to mend it.

use std::io;
use std::path::PathBuf;

use rustls::{AlertDescription, CertificateError};

/// A certificate or key file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file has PEM markers, and what stands between them is broken.
    #[error("{} is not a PEM file: {source}", .path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// Where it is broken.
        source: rustls::pki_types::pem::Error,
    },
    /// The file has no PEM section of the wanted kind.
    #[error("{} has no {wanted} in PEM form", .path.display())]
    Lacks {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// The key is not the certificate's.
    #[error("the private key in {} does not belong to the certificate in {}", .private_key.display(), .certificate.display())]
    KeyMismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        private_key: PathBuf,
    },
    /// The file's certificate or key is of a kind that cannot be used.
    #[error("{} cannot be used: {source}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The cryptography does not offer the protocol versions.
    #[error("TLS cannot be set up: {0}")]
    Provider(rustls::Error),
}

/// The kinds of [`TlsError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsClass {
    /// The host can stand in no certificate.
    Name,
    /// The certificate's issuer is not trusted (or the certificate vouches for itself).
    UnknownIssuer,
    /// The certificate is over.
    Expired,
    /// The certificate has not begun; or this machine's clock is behind.
    NotYetValid,
    /// The certificate is for other names.
    NameMismatch,
    /// The certificate is wrong in another way.
    Certificate,
    /// The peer ended the handshake with an alert.
    Alert,
    /// What came is not TLS, or no version or cipher is common.
    Protocol,
    /// The peer closed in the middle of the handshake.
    Eof,
    /// The connection failed underneath.
    Io,
}

/// A handshake that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("TLS with {peer} failed: {reason}")]
pub struct TlsError {
    peer: String,
    class: TlsClass,
    reason: String,
}

impl TlsError {
    /// The kind of the error.
    pub const fn class(&self) -> TlsClass {
        self.class
    }

    /// What went wrong, without the peer's name.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether only a change of the rule can help. A wrong certificate is not: operators renew them.
    pub const fn is_permanent(&self) -> bool {
        matches!(self.class, TlsClass::Name)
    }

    pub(super) fn bad_name(host: &str) -> Self {
        Self {
            peer: host.to_owned(),
            class: TlsClass::Name,
            reason: "neither a DNS name nor an address".to_owned(),
        }
    }

    pub(super) fn from_handshake(peer: &str, error: io::Error) -> Self {
        let (class, reason) = match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(tls) => explain(tls),
            None if error.kind() == io::ErrorKind::UnexpectedEof => (
                TlsClass::Eof,
                "the peer closed during the handshake".to_owned(),
            ),
            None => (TlsClass::Io, error.to_string()),
        };
        Self {
            peer: peer.to_owned(),
            class,
            reason,
        }
    }
}

fn explain(error: &rustls::Error) -> (TlsClass, String) {
    match error {
        rustls::Error::InvalidCertificate(certificate) => explain_certificate(certificate),
        rustls::Error::NoCertificatesPresented => (
            TlsClass::Certificate,
            "the peer shows no certificate".to_owned(),
        ),
        rustls::Error::AlertReceived(alert) => (TlsClass::Alert, explain_alert(*alert)),
        rustls::Error::InvalidMessage(_) => (
            TlsClass::Protocol,
            "the peer does not speak TLS on this port".to_owned(),
        ),
        other => (TlsClass::Protocol, other.to_string()),
    }
}

fn explain_certificate(error: &CertificateError) -> (TlsClass, String) {
    use CertificateError as E;
    let (class, reason) = match error {
        E::UnknownIssuer => (
            TlsClass::UnknownIssuer,
            "the certificate's issuer is not trusted (egress.ca_certificates adds one)",
        ),
        E::Expired | E::ExpiredContext { .. } => (TlsClass::Expired, "the certificate has expired"),
        E::NotValidYet | E::NotValidYetContext { .. } => (
            TlsClass::NotYetValid,
            "the certificate is not valid yet, or this machine's clock is behind",
        ),
        E::NotValidForName | E::NotValidForNameContext { .. } => (
            TlsClass::NameMismatch,
            "the certificate is for another name",
        ),
        // The verifier has no variant of its own for a server's certificate that is an authority's, which is what
        // `openssl req -x509` makes; a changed name falls to the arm below and is caught by the test.
        E::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => (
            TlsClass::UnknownIssuer,
            "the certificate is its own issuer (egress.ca_certificates cannot make it a server's)",
        ),
        other => {
            return (
                TlsClass::Certificate,
                format!("the certificate is refused: {other}"),
            );
        }
    };
    (class, reason.to_owned())
}

fn explain_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::UnrecognisedName => "the peer knows no such name".to_owned(),
        AlertDescription::ProtocolVersion => "the peer wants another version of TLS".to_owned(),
        AlertDescription::HandshakeFailure => "the peer found nothing in common".to_owned(),
        other => format!("the peer answered with the alert {other:?}"),
    }
}
