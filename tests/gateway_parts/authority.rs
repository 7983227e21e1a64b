//! A certificate authority of the test's own.

use aqueduct::net::tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

pub struct Authority {
    directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A server's certificate and key, as files.
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two authorities of one name would be taken for one whose signature is broken.
        let key = KeyPair::generate().unwrap();
        let name = format!("authority {:?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { directory, issuer }
    }

    /// A certificate for these names.
    pub fn issue(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let serial = key.serialized_der().iter().rev().take(4);
        let stem: String = serial.map(|byte| format!("{byte:02x}")).collect();
        let issued = Issued {
            certificate: self.directory.path().join(format!("{stem}.crt")),
            key: self.directory.path().join(format!("{stem}.key")),
        };
        std::fs::write(&issued.certificate, certificate.pem()).unwrap();
        std::fs::write(&issued.key, key.serialize_pem()).unwrap();
        issued
    }

    /// What a server for these names shows.
    pub fn server(&self, names: &[&str]) -> Arc<rustls::ServerConfig> {
        self.issue(names, |_| {}).server()
    }

    /// What a client that trusts this authority checks with.
    pub fn client(&self) -> Arc<rustls::ClientConfig> {
        tls::client_config(&[self.directory.path().join("ca.pem")]).unwrap()
    }
}

impl Issued {
    pub fn server(&self) -> Arc<rustls::ServerConfig> {
        tls::server_config(&self.certificate, &self.key).unwrap()
    }
}
