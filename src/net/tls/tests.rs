//! Real handshakes over an in-memory pipe, with certificates made on the spot.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

/// An authority and the directory that its files are written to.
struct Authority {
    directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { directory, issuer }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes `name.crt` and `name.key` for a server of these names.
    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (PathBuf, PathBuf) {
        let mut params =
            CertificateParams::new(vec!["live.example".into(), "127.0.0.1".into()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let paths = (
            self.path(&format!("{name}.crt")),
            self.path(&format!("{name}.key")),
        );
        std::fs::write(&paths.0, certificate.pem()).unwrap();
        std::fs::write(&paths.1, key.serialize_pem()).unwrap();
        paths
    }
}

/// Both ends of a handshake for `host`; on success a byte each way is carried.
async fn handshake(
    client: Arc<rustls::ClientConfig>,
    server: Arc<rustls::ServerConfig>,
    host: &str,
) -> (Result<(), TlsError>, Result<Option<String>, TlsError>) {
    let (near, far) = duplex(16 * 1024);
    let served = async {
        let mut stream = accept(&server, "127.0.0.1:9".parse().unwrap(), far).await?;
        let sni = stream.get_ref().1.server_name().map(str::to_owned);
        let byte = stream.read_u8().await.unwrap();
        stream.write_u8(byte + 1).await.unwrap();
        stream.flush().await.unwrap();
        Ok(sni)
    };
    let called = async {
        let mut stream = connect(&client, host, near).await?;
        stream.write_u8(1).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 2);
        Ok(())
    };
    tokio::join!(called, served)
}

#[tokio::test]
async fn a_trusted_server_is_spoken_to_with_sni_for_names_only() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("server", |_| {});
    let server = server_config(&certificate, &key).unwrap();
    let client = client_config(&[authority.path("ca.pem")]).unwrap();
    for (host, sni) in [
        ("live.example", Some("live.example")),
        ("live.example.", Some("live.example")),
        ("127.0.0.1", None),
        ("0x7f.1", None),
    ] {
        let (called, served) = handshake(Arc::clone(&client), Arc::clone(&server), host).await;
        called.unwrap_or_else(|error| panic!("{host}: {error}"));
        assert_eq!(served.unwrap().as_deref(), sni, "{host}");
    }
}

#[tokio::test]
async fn every_wrong_certificate_is_named() {
    let authority = Authority::new();
    let trusting = client_config(&[authority.path("ca.pem")]).unwrap();
    let strange = client_config(&[]).unwrap();
    let (good, good_key) = authority.issue("good", |_| {});
    let (over, over_key) = authority.issue("over", |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let (early, early_key) = authority.issue("early", |params| {
        params.not_before = rcgen::date_time_ymd(4000, 1, 1);
        params.not_after = rcgen::date_time_ymd(4001, 1, 1);
    });
    let table = [
        (
            &strange,
            (&good, &good_key),
            "live.example",
            TlsClass::UnknownIssuer,
        ),
        (
            &trusting,
            (&over, &over_key),
            "live.example",
            TlsClass::Expired,
        ),
        (
            &trusting,
            (&early, &early_key),
            "live.example",
            TlsClass::NotYetValid,
        ),
        (
            &trusting,
            (&good, &good_key),
            "other.example",
            TlsClass::NameMismatch,
        ),
        (
            &trusting,
            (&good, &good_key),
            "127.0.0.2",
            TlsClass::NameMismatch,
        ),
    ];
    for (client, (certificate, key), host, class) in table {
        let server = server_config(certificate, key).unwrap();
        let (called, served) = handshake(Arc::clone(client), server, host).await;
        let error = called.unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert!(error.to_string().contains(host), "{error}");
        assert!(!error.is_permanent());
        assert_eq!(served.unwrap_err().class(), TlsClass::Alert);
    }
}

/// What `openssl req -x509` makes: an authority of itself, used as a server's certificate.
#[tokio::test]
async fn a_certificate_that_is_its_own_issuer_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, private_key) = (directory.path().join("crt"), directory.path().join("key"));
    let mut params = CertificateParams::new(vec!["live.example".into()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    std::fs::write(&certificate, params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&private_key, key.serialize_pem()).unwrap();
    for trusted in [vec![], vec![certificate.clone()]] {
        let client = client_config(&trusted).unwrap();
        let server = server_config(&certificate, &private_key).unwrap();
        let (called, _) = handshake(client, server, "live.example").await;
        assert_eq!(called.unwrap_err().class(), TlsClass::UnknownIssuer);
    }
}

#[tokio::test]
async fn a_peer_that_is_no_tls_server_is_told_apart() {
    let client = client_config(&[]).unwrap();
    for (answer, class) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], TlsClass::Protocol),
        (&b""[..], TlsClass::Eof),
        // A fatal handshake_failure alert.
        (&[21, 3, 3, 0, 2, 2, 40][..], TlsClass::Alert),
    ] {
        let (near, mut far) = duplex(16 * 1024);
        far.write_all(answer).await.unwrap();
        // Ends what the client reads and still takes what it writes.
        far.shutdown().await.unwrap();
        let error = connect(&client, "live.example", near).await.unwrap_err();
        assert_eq!(error.class(), class, "{error}");
    }
}

#[test]
fn a_host_becomes_the_name_to_verify() {
    assert!(matches!(
        server_name("live.example"),
        Ok(ServerName::DnsName(_))
    ));
    assert!(matches!(server_name("[::1]"), Ok(ServerName::IpAddress(_))));
    assert!(matches!(
        server_name("2130706433"),
        Ok(ServerName::IpAddress(_))
    ));
    for host in ["", "no name", "a..b", "-"] {
        let error = server_name(host).unwrap_err();
        assert_eq!(error.class(), TlsClass::Name, "{host:?}");
        assert!(error.is_permanent());
    }
}

#[test]
fn every_unusable_file_is_one_line_that_names_it() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("one", |_| {});
    let (_, other_key) = authority.issue("two", |_| {});
    let missing = authority.path("missing.pem");
    let plain = authority.path("plain.txt");
    let broken = authority.path("broken.pem");
    let hollow = authority.path("hollow.pem");
    std::fs::write(&plain, "not a certificate\n").unwrap();
    std::fs::write(
        &broken,
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    std::fs::write(
        &hollow,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();

    let table: &[(&Path, &Path, &Path, &str)] = &[
        (&missing, &key, &missing, "cannot read"),
        (&certificate, &missing, &missing, "cannot read"),
        (
            authority.directory.path(),
            &key,
            authority.directory.path(),
            "cannot read",
        ),
        (&plain, &key, &plain, "has no certificate in PEM form"),
        (
            &certificate,
            &plain,
            &plain,
            "has no private key in PEM form",
        ),
        (
            &certificate,
            &certificate,
            &certificate,
            "has no private key in PEM form",
        ),
        (&key, &key, &key, "has no certificate in PEM form"),
        (&broken, &key, &broken, "is not a PEM file"),
        (&hollow, &key, &hollow, "cannot be used"),
        (
            &certificate,
            &other_key,
            &other_key,
            "does not belong to the certificate in",
        ),
    ];
    for (certificate, key, at_fault, words) in table {
        let text = server_config(certificate, key).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
        assert!(text.contains(&at_fault.display().to_string()), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }

    let text = client_config(std::slice::from_ref(&plain))
        .unwrap_err()
        .to_string();
    assert!(text.contains("plain.txt has no certificate"), "{text}");
    let text = client_config(&[hollow]).unwrap_err().to_string();
    assert!(text.contains("hollow.pem cannot be used"), "{text}");
}

#[test]
fn certificate_and_key_may_share_a_file() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("both", |_| {});
    let both = authority.path("both.pem");
    let text =
        std::fs::read_to_string(&key).unwrap() + &std::fs::read_to_string(&certificate).unwrap();
    std::fs::write(&both, text).unwrap();
    server_config(&both, &both).unwrap();
}
