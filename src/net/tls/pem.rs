//! Certificates and keys from PEM files.

use std::path::Path;

use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::TlsConfigError;

/// All certificates of a file, at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| file_error(path, "certificate", error))?;
    if chain.is_empty() {
        return Err(file_error(path, "certificate", PemError::NoItemsFound));
    }
    Ok(chain)
}

/// The first private key of a file.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| file_error(path, "private key", error))
}

fn file_error(path: &Path, wanted: &'static str, error: PemError) -> TlsConfigError {
    let path = path.to_owned();
    match error {
        PemError::Io(source) => TlsConfigError::Unreadable { path, source },
        PemError::NoItemsFound => TlsConfigError::Lacks { path, wanted },
        source => TlsConfigError::NotPem { path, source },
    }
}
