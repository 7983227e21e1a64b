//! Preflight: how far a target lets us come, rung by rung.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{reach, trusting};
use crate::gateway_parts::{Authority, Host};
use crate::session_peer::ingest::info;
use crate::session_peer::{object, text};
use aqueduct::egress::attempt::{Depth, Reach};
use aqueduct::egress::preflight::{Tried, preflight};
use aqueduct::rtmp::amf0::Value;
use aqueduct::rule::TargetUrl;
use tokio::join;

async fn climb(reach: &Reach, url: &str, depth: Depth) -> Vec<Tried> {
    let url = TargetUrl::parse(url).unwrap();
    preflight(reach, &url, 4096, depth).await
}

/// `Dns: 127.0.0.1:1935`, with `!` for a rung that failed.
fn lines(tried: &[Tried]) -> Vec<String> {
    let line = |tried: &Tried| match &tried.outcome {
        Ok(found) => format!("{:?}: {found}", tried.rung),
        Err(reason) => format!("{:?}! {reason}", tried.rung),
    };
    tried.iter().map(line).collect()
}

#[tokio::test]
async fn without_a_wish_to_publish_it_ends_after_connect_and_says_nothing_more() {
    let host = Host::open().await;
    let script = async {
        let mut visit = host.visit().await;
        visit.accept_connect().await;
        assert!(visit.message().await.is_none(), "nothing is published");
    };
    let (reach, url) = (reach(), host.url("app/key"));
    let (tried, ()) = join!(climb(&reach, &url, Depth::Connect), script);
    let port = host.address.port();
    assert_eq!(
        lines(&tried),
        [
            format!("Dns: 127.0.0.1:{port}"),
            format!("Tcp: connected to port {port}"),
            "Handshake: the target speaks RTMP".to_owned(),
            "Connect: the target accepts the app".to_owned(),
        ]
    );
}

#[tokio::test]
async fn with_a_wish_to_publish_it_takes_the_publish_back() {
    let authority = Authority::new();
    let tls = authority.server(&["127.0.0.1"]);
    let host = Host::open().await;
    let reach = trusting(&authority);
    let url = host.url("app/key").replace("rtmp://", "rtmps://");
    let script = async {
        let mut visit = host.visit_tls(&tls).await;
        visit.accept_publish().await;
        visit.until("FCUnpublish").await;
        visit.until("deleteStream").await;
        assert!(visit.is_closed_properly().await);
    };
    let (tried, ()) = join!(climb(&reach, &url, Depth::Publish), script);
    let lines = lines(&tried);
    assert_eq!(lines[2], "Tls: the certificate is valid for 127.0.0.1");
    assert_eq!(lines[5], "Publish: the target accepts the stream key");
    assert_eq!(lines.len(), 6);
}

#[tokio::test]
async fn it_ends_at_the_rung_that_fails_with_the_reason() {
    let host = Host::open().await;
    let script = async {
        let mut visit = host.visit().await;
        visit.publish().await;
        visit
            .say(|mouth| {
                mouth.status("error", "NetStream.Publish.BadName", "no s3cr3t-k3y");
            })
            .await;
        visit
    };
    let (reach, url) = (reach(), host.url("app/s3cr3t-k3y"));
    let (tried, _) = join!(climb(&reach, &url, Depth::Publish), script);
    let expected = "Publish! refused at publish: NetStream.Publish.BadName (no ***)";
    assert_eq!(lines(&tried).last().map(String::as_str), Some(expected));
    assert_eq!(tried.len(), 5);

    let tried = climb(&reach, "rtmp://gone.example/app/key", Depth::Connect).await;
    assert_eq!(
        lines(&tried),
        ["Dns! gone.example does not resolve: no such name"]
    );

    let url = host.url("app/key");
    let port = host.address.port();
    drop(host);
    let tried = climb(&reach, &url, Depth::Connect).await;
    assert_eq!(
        lines(&tried),
        [
            format!("Dns: 127.0.0.1:{port}"),
            format!("Tcp! 127.0.0.1 (127.0.0.1:{port}) refuses connections"),
        ]
    );
}

#[tokio::test]
async fn after_a_redirect_it_tells_of_the_place_where_that_led() {
    let (host, other) = (Host::open().await, Host::open().await);
    let script = async {
        let mut visit = host.visit().await;
        visit.connect().await;
        let ex = object(&[
            ("code", 302.0.into()),
            ("redirect", text(&other.url("app2"))),
        ]);
        let mut info = info("error", "NetConnection.Connect.Rejected", "moved");
        if let Value::Object(properties) = &mut info {
            properties.push(("ex".to_owned(), ex));
        }
        visit
            .say(|mouth| {
                mouth.call("_error", 1.0, &[info]);
            })
            .await;
        let mut visit = other.visit().await;
        visit.accept_connect().await;
        visit.is_closed_properly().await;
    };
    let (reach, url) = (reach(), host.url("app/key"));
    let (tried, ()) = join!(climb(&reach, &url, Depth::Connect), script);
    let expected = format!("Tcp: connected to port {}", other.address.port());
    assert_eq!(lines(&tried)[1], expected);
}
