//! Whether the PEM files of the configuration can be used, asked before anything is started.

use std::path::Path;

use rustls::Error;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// A certificate and its key: both readable, and belonging together. The error names which of the two keys is wrong.
pub(super) fn check_pair(
    certificate: &Path,
    private_key: &Path,
) -> Result<(), (&'static str, String)> {
    let chain = certificates(certificate).map_err(|reason| ("certificate", reason))?;
    let key = PrivateKeyDer::from_pem_file(private_key).map_err(|error| {
        (
            "private_key",
            unreadable(private_key, "private key", &error),
        )
    })?;
    match CertifiedKey::from_der(chain, key, &default_provider()) {
        Ok(_) => Ok(()),
        Err(Error::InconsistentKeys(_)) => {
            let reason = format!(
                "{} is not the key of {}",
                private_key.display(),
                certificate.display()
            );
            Err(("private_key", reason))
        }
        Err(Error::InvalidCertificate(error)) => Err((
            "certificate",
            format!("{} cannot be used: {error:?}", certificate.display()),
        )),
        Err(error) => Err((
            "private_key",
            format!("{} cannot be used: {error}", private_key.display()),
        )),
    }
}

/// A file with at least one certificate.
pub(super) fn check_roots(file: &Path) -> Result<(), String> {
    certificates(file).map(|_| ())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let described = |error| unreadable(file, "certificate", &error);
    let chain: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(described)?
        .collect::<Result<_, _>>()
        .map_err(described)?;
    if chain.is_empty() {
        return Err(unreadable(file, "certificate", &pem::Error::NoItemsFound));
    }
    Ok(chain)
}

fn unreadable(file: &Path, what: &str, error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => format!("{} holds no {what} in PEM", file.display()),
        pem::Error::Io(error) => format!("cannot read {}: {error}", file.display()),
        error => format!("{} is no {what} in PEM: {error}", file.display()),
    }
}
