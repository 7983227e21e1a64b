//! RTMPS: the name is sent and checked, and what is wrong with a certificate is said.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{attempt, failed, trusting};
use crate::gateway_parts::{Authority, Host};
use aqueduct::egress::failure::Next;
use tokio::join;

#[tokio::test]
async fn a_target_behind_tls_gets_its_name_and_consents() {
    let authority = Authority::new();
    let host = Host::open().await;
    let tls = authority.server(&["live.example"]);
    let url = format!("rtmps://live.example:{}/app/key", host.address.port());
    let script = async {
        let mut visit = host.visit_tls(&tls).await;
        assert_eq!(visit.sni.as_deref(), Some("live.example"));
        let connect = visit.accept_connect().await;
        assert_eq!(connect.tc_url, url.strip_suffix("/key").unwrap());
        visit.accept_create_stream().await;
        visit.until("publish").await;
        visit.start().await;
        visit
    };
    let reach = trusting(&authority);
    let (established, _) = join!(attempt(&reach, &url), script);
    assert!(established.is_ok());
}

#[tokio::test]
async fn a_certificate_that_is_wrong_is_refused_with_its_fault() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let name = ["live.example"];
    let expired = authority.issue(&name, |params| {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let table = [
        (
            authority.server(&["other.example"]),
            "the certificate is for another name",
        ),
        (
            stranger.server(&name),
            "the certificate's issuer is not trusted (egress.ca_certificates adds one)",
        ),
        (expired.server(), "the certificate has expired"),
    ];
    let host = Host::open().await;
    let url = format!("rtmps://live.example:{}/app/key", host.address.port());
    let reach = trusting(&authority);
    for (tls, fault) in table {
        let script = async {
            let tcp = host.accept().await;
            aqueduct::net::tls::accept(&tls, host.address, tcp)
                .await
                .is_err()
        };
        let ((reason, next), refused) = join!(failed(&reach, &url), script);
        assert_eq!(reason, format!("TLS with live.example failed: {fault}"));
        assert_eq!(next, Next::Backoff, "certificates are renewed");
        assert!(refused);
    }
}

#[tokio::test]
async fn a_target_without_tls_is_told() {
    let authority = Authority::new();
    let host = Host::open().await;
    let url = format!("rtmps://live.example:{}/app/key", host.address.port());
    let reach = trusting(&authority);
    let script = async {
        let mut tcp = host.accept().await;
        let _ = tokio::io::AsyncWriteExt::write_all(&mut tcp, &[3; 1537]).await;
        tcp
    };
    let ((reason, next), _) = join!(failed(&reach, &url), script);
    assert_eq!(
        reason,
        "TLS with live.example failed: the peer does not speak TLS on this port"
    );
    assert_eq!(next, Next::Backoff);
}
