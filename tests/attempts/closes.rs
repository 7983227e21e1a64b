//! A target that closes, resets or talks nonsense, at every stage of an attempt.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{attempt, failed, reach, trusting};
use crate::gateway_parts::{Authority, Host, Visit};
use aqueduct::egress::failure::Next;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::join;

async fn told(host: &Host, script: impl Future) -> String {
    let (reach, url) = (reach(), host.url("app/key"));
    let ((reason, next), _) = join!(failed(&reach, &url), script);
    assert_eq!(next, Next::Backoff, "{reason}");
    reason
}

#[tokio::test]
async fn a_close_is_told_with_its_stage() {
    let host = Host::open().await;
    let reason = told(&host, async {
        let mut tcp = host.accept().await;
        let mut c0_and_c1 = [0; 1537];
        tcp.read_exact(&mut c0_and_c1).await.unwrap();
    });
    assert_eq!(
        reason.await,
        "the target closed the connection during the handshake"
    );
    for (stage, last) in [
        (1, "connect"),
        (2, "createStream"),
        (3, "publish"),
        (4, "publish"),
    ] {
        let reason = told(&host, async {
            let mut visit = host.visit().await;
            match stage {
                1 => drop(visit.connect().await),
                2 => {
                    visit.accept_connect().await;
                    visit.until("createStream").await;
                }
                _ => drop(visit.publish().await),
            }
            if stage == 4 {
                // The beginning of an answer is none.
                visit.pipe.write_all(&[5, 0, 0, 0]).await.unwrap();
            }
            visit.pipe.shutdown().await.unwrap();
            visit.is_closed_properly().await;
        });
        let expected = format!("the target closed the connection before its answer to {last}");
        assert_eq!(reason.await, expected);
    }
}

#[tokio::test]
async fn a_reset_is_told() {
    let host = Host::open().await;
    let reason = told(&host, async {
        let mut visit = host.visit_to_reset().await;
        visit.connect().await;
    });
    assert_eq!(
        reason.await,
        "connection: Connection reset by peer (os error 104)"
    );
}

#[tokio::test]
async fn a_server_of_something_else_is_told() {
    let host = Host::open().await;
    let reason = told(&host, async {
        let mut tcp = host.accept().await;
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        tcp
    });
    assert_eq!(
        reason.await,
        "handshake: handshake begins with 0x48 and not 0x03 (HTTP on a port for RTMP?)"
    );
    let reason = told(&host, async {
        let mut visit = host.visit().await;
        visit.connect().await;
        visit
            .say(|mouth| {
                mouth.raw(&[0xC0 | 40; 64]);
            })
            .await;
        visit
    });
    let reason = reason.await;
    assert!(reason.starts_with("protocol: during connect: "), "{reason}");
}

/// Load balancers end TCP without ending TLS.
#[tokio::test]
async fn a_close_without_a_close_notify_is_a_close() {
    let authority = Authority::new();
    let tls = authority.server(&["127.0.0.1"]);
    let reach = trusting(&authority);
    let host = Host::open().await;
    let url = host.url("app/key").replace("rtmp://", "rtmps://");
    let script = async {
        let mut visit = host.visit_tls(&tls).await;
        visit.publish().await;
    };
    let ((reason, next), ()) = join!(failed(&reach, &url), script);
    assert_eq!(
        reason,
        "the target closed the connection before its answer to publish"
    );
    assert_eq!(next, Next::Backoff);
}

#[tokio::test]
async fn nobody_at_home_is_told() {
    let host = Host::open().await;
    let url = host.url("app/key");
    let address = host.address;
    drop(host);
    let (reason, next) = failed(&reach(), &url).await;
    assert_eq!(reason, format!("127.0.0.1 ({address}) refuses connections"));
    assert_eq!(next, Next::Backoff);
}

#[tokio::test]
async fn bytes_one_by_one_are_as_good_as_any() {
    let host = Host::open().await;
    let script = async {
        let mut visit = host.visit().await;
        let drip = async |visit: &mut Visit| {
            for byte in visit.mouth.take() {
                visit.pipe.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        visit.connect().await;
        let success = crate::session_peer::ingest::connect_success();
        visit.mouth.result(1.0, &[success]);
        drip(&mut visit).await;
        visit.until("createStream").await;
        visit.mouth.result(4.0, &[7.0.into()]);
        drip(&mut visit).await;
        visit.until("publish").await;
        visit
            .mouth
            .status("status", "NetStream.Publish.Start", "ok");
        drip(&mut visit).await;
        visit
    };
    let (reach, url) = (reach(), host.url("app/key"));
    let (established, _) = join!(attempt(&reach, &url), script);
    assert!(established.is_ok());
}
