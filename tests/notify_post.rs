//! A notification's way over real sockets: what arrives, whom it may call, and what is never followed.

#![allow(clippy::unwrap_used, clippy::panic)]

use aqueduct::net::dial::Dialer;
use aqueduct::net::own::OwnListeners;
use aqueduct::net::policy::AddressPolicy;
use aqueduct::net::resolve::SystemResolver;
use aqueduct::net::tls;
use aqueduct::notify::{HttpPost, Post, PostError, Shaped};
use aqueduct::rule::HttpUrl;
use axum::http::{HeaderName, HeaderValue};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

fn post(allow_private: bool) -> HttpPost {
    let policy = AddressPolicy { allow_private };
    let own = Arc::new(OwnListeners::new());
    HttpPost {
        dialer: Arc::new(Dialer::new(Arc::new(SystemResolver::new()), policy, own)),
        tls: tls::client_config(&[]).unwrap(),
    }
}

/// Answers one connection with this, and says what it was sent.
async fn receiver(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut got = Vec::new();
        // Up to the body's end, which the tests mark.
        while !got.ends_with(b"}") {
            assert!(socket.read_buf(&mut got).await.unwrap() > 0);
        }
        socket.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(got).unwrap()
    });
    (address, served)
}

fn shaped() -> Shaped {
    Shaped {
        body: r#"{"event":"x"}"#.to_owned(),
        headers: vec![(
            HeaderName::from_static("x-signature"),
            HeaderValue::from_static("abc"),
        )],
    }
}

#[tokio::test]
async fn a_post_has_its_body_its_headers_and_the_whole_of_its_url() {
    let (address, served) = receiver("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await;
    let url = HttpUrl::parse(&format!("http://{address}/hook/s%20x?token=a&b=%2F")).unwrap();
    let status = post(true).post(&url, shaped()).await.unwrap();
    assert_eq!(status, 202);
    let got = served.await.unwrap();
    let (head, body) = got.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /hook/s%20x?token=a&b=%2F HTTP/1.1\r\n"),
        "{head}"
    );
    let head = head.to_ascii_lowercase();
    for header in [
        &*format!("host: {address}"),
        "content-type: application/json",
        "content-length: 13",
        "x-signature: abc",
        "user-agent: aqueduct/",
    ] {
        assert!(head.contains(header), "{header} is not in {head}");
    }
    assert_eq!(body, r#"{"event":"x"}"#);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = elsewhere.local_addr().unwrap();
    let answer = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{to}/\r\n\r\n");
    let (address, _) = receiver(answer.leak()).await;
    let url = HttpUrl::parse(&format!("http://{address}/")).unwrap();
    assert_eq!(post(true).post(&url, shaped()).await.unwrap(), 307);
    let called = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(called.is_err(), "nobody went there");
}

#[tokio::test]
async fn an_address_that_the_policy_refuses_is_not_called_however_it_is_spelled() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for host in [
        "127.0.0.1",
        "2130706433",
        "localhost",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ] {
        let url = HttpUrl::parse(&format!("http://{host}:{port}/canary?key=canary")).unwrap();
        let error = post(false).post(&url, shaped()).await.unwrap_err();
        assert!(matches!(error, PostError::Dial(_)), "{host}: {error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    let called = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(called.is_err());
}

#[tokio::test]
async fn what_is_no_http_is_an_error_without_the_url() {
    let (address, _) = receiver("SSH-2.0-OpenSSH_9.6\r\n").await;
    let url = HttpUrl::parse(&format!("http://{address}/canary")).unwrap();
    let error = post(true).post(&url, shaped()).await.unwrap_err();
    assert!(matches!(error, PostError::Http(_)), "{error}");
    assert!(!error.to_string().contains("canary"), "{error}");
}
