//! A TLS terminator in front of a plain port, with a certificate authority of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Takes TLS for `localhost` and 127.0.0.1, and passes the bytes on.
pub struct TlsProxy {
    pub address: SocketAddr,
    authority: PathBuf,
    seen_names: Arc<Mutex<Vec<Option<String>>>>,
    accepting: JoinHandle<()>,
    _directory: TempDir,
}

impl TlsProxy {
    /// Starts a terminator in front of `plain`.
    pub async fn start(plain: SocketAddr) -> TlsProxy {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let authority = directory.path().join("authority.pem");
        let acceptor = TlsAcceptor::from(server_config(&authority));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let seen_names = Arc::new(Mutex::new(Vec::new()));
        let accepting = tokio::spawn(accept(listener, acceptor, plain, seen_names.clone()));
        TlsProxy {
            address,
            authority,
            seen_names,
            accepting,
            _directory: directory,
        }
    }

    /// The certificate authority to trust, as PEM.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// The server name that each connection asked for (SNI), in the order in which their handshakes ended.
    pub fn seen_names(&self) -> Vec<Option<String>> {
        self.seen_names.lock().unwrap().clone()
    }

    /// An RTMPS URL of this proxy, by name: `localhost` has to be resolved, and sent as SNI.
    pub fn url(&self, rest: &str) -> String {
        format!("rtmps://localhost:{}/{rest}", self.address.port())
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A certificate for `localhost` and 127.0.0.1 that vouches for itself, and its key; both PEM.
pub fn self_signed() -> (String, String) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("two names that are right");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    plain: SocketAddr,
    seen_names: Arc<Mutex<Vec<Option<String>>>>,
) {
    while let Ok((socket, _)) = listener.accept().await {
        let (acceptor, seen_names) = (acceptor.clone(), seen_names.clone());
        tokio::spawn(async move {
            let Ok(mut secured) = acceptor.accept(socket).await else {
                return;
            };
            seen_names
                .lock()
                .unwrap()
                .push(secured.get_ref().1.server_name().map(str::to_owned));
            let Ok(mut onward) = TcpStream::connect(plain).await else {
                return;
            };
            let _ = copy_bidirectional(&mut secured, &mut onward).await;
        });
    }
}

/// An authority, and a certificate that it has issued for `localhost` and 127.0.0.1, as PEM files.
pub struct Issued {
    pub authority: PathBuf,
    pub certificate: PathBuf,
    pub private_key: PathBuf,
}

impl Issued {
    /// Writes the files into this directory.
    pub fn new(directory: &Path) -> Issued {
        let files = Issued {
            authority: directory.join("authority.pem"),
            certificate: directory.join("certificate.pem"),
            private_key: directory.join("key.pem"),
        };
        let (leaf, key) = issue(&files.authority);
        std::fs::write(&files.certificate, leaf.pem()).expect("the certificate is written");
        std::fs::write(&files.private_key, key.serialize_pem()).expect("the key is written");
        files
    }
}

/// A certificate for `localhost` and 127.0.0.1, and its key. The authority that has issued it is written into the file.
fn issue(authority: &Path) -> (Certificate, KeyPair) {
    let mut ca = CertificateParams::new(Vec::new()).expect("no names to be wrong");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.distinguished_name
        .push(DnType::CommonName, "Aqueduct's tests");
    let ca_key = KeyPair::generate().expect("a key");
    let ca_certificate = ca.self_signed(&ca_key).expect("a certificate authority");
    std::fs::write(authority, ca_certificate.pem()).expect("the authority is written");

    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let leaf_key = KeyPair::generate().expect("a key");
    let mut leaf = CertificateParams::new(names).expect("two names that are right");
    // Strict clients, such as those of a new Python, want to see whose key has signed.
    leaf.use_authority_key_identifier_extension = true;
    let leaf = leaf
        .signed_by(&leaf_key, &Issuer::new(ca, ca_key))
        .expect("a certificate");
    (leaf, leaf_key)
}

fn server_config(authority: &Path) -> Arc<ServerConfig> {
    let (leaf, leaf_key) = issue(authority);
    let key = PrivatePkcs8KeyDer::from(leaf_key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .expect("a certificate with its key");
    Arc::new(config)
}
