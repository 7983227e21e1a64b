//! The HTTP listener: who is cut off, who waits, and how it ends. The limits here are short, so that nobody has to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod doors;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aqueduct::api::{Limits, Serve, connection_limits, serve};
use aqueduct::net::listener::Acceptor;
use aqueduct::net::permits::{AddressLimits, ConnectionLimits, Permits};
use aqueduct::telemetry::Metrics;
use aqueduct::telemetry::events::Callers;
use arc_swap::ArcSwap;
use axum::Router;
use axum::routing::get;
use doors::Gateway;
use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(30);

struct Listening {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

async fn listen(
    router: Router,
    limits: Limits,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> Listening {
    listen_within(connection_limits(), router, limits, tls).await
}

async fn listen_within(
    connections: ConnectionLimits,
    router: Router,
    limits: Limits,
    tls: Option<Arc<rustls::ServerConfig>>,
) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let permits = Permits::new(connections);
    let acceptor =
        Acceptor::new(listener, Callers::Doors, permits, Arc::new(Metrics::new())).unwrap();
    let tls = tls.map(|tls| Arc::new(ArcSwap::new(tls)));
    let what = Serve {
        router,
        tls,
        limits,
    };
    let serving = tokio::spawn(serve(acceptor, what, stop.clone()));
    Listening {
        address,
        stop,
        serving,
    }
}

fn limits() -> Limits {
    Limits {
        headers: LONG,
        idle: LONG,
        drain: LONG,
    }
}

/// Reads to the end; a reset is an end too.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes))
        .await
        .expect("it never ended");
    String::from_utf8_lossy(&bytes).into_owned()
}

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn requests_are_answered_with_the_connections_addresses() {
    let http = listen(Gateway::new().router, limits(), None).await;
    let mut stream = TcpStream::connect(http.address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ok\n"),
        "{answer}"
    );
    // On loopback the metrics are open.
    let mut stream = TcpStream::connect(http.address).await.unwrap();
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        http.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn who_says_nothing_or_never_ends_its_headers_is_cut_off() {
    let http = listen(
        Gateway::new().router,
        Limits {
            headers: SHORT,
            ..limits()
        },
        None,
    )
    .await;
    let mut silent = TcpStream::connect(http.address).await.unwrap();
    let mut dripping = TcpStream::connect(http.address).await.unwrap();
    let started = std::time::Instant::now();
    let (mut read, mut write) = dripping.split();
    let mut answer = Vec::new();
    let drip = async {
        loop {
            if write.write_all(b"G").await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    tokio::select! {
        _ = read.read_to_end(&mut answer) => {}
        () = drip => {}
    }
    assert_eq!(rest(&mut silent).await, "");
    assert!(started.elapsed() >= SHORT && started.elapsed() < LONG);
}

#[tokio::test]
async fn a_kept_connection_is_closed_when_nothing_moves() {
    let http = listen(
        Gateway::new().router,
        Limits {
            idle: SHORT,
            ..limits()
        },
        None,
    )
    .await;
    let mut stream = TcpStream::connect(http.address).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(&mut stream).await.ends_with("ok\n"));
}

#[tokio::test]
async fn one_more_than_there_is_room_for_waits() {
    let two = ConnectionLimits {
        pending: 2,
        ..connection_limits()
    };
    let http = listen_within(two, Gateway::new().router, limits(), None).await;
    let first = TcpStream::connect(http.address).await.unwrap();
    let _second = TcpStream::connect(http.address).await.unwrap();
    let mut third = TcpStream::connect(http.address).await.unwrap();
    third.write_all(REQUEST).await.unwrap();
    let early = tokio::time::timeout(SHORT, third.read_u8()).await;
    assert!(early.is_err(), "{early:?}");
    drop(first);
    assert!(rest(&mut third).await.ends_with("ok\n"));
}

#[tokio::test]
async fn a_thousand_slow_callers_keep_nobody_out() {
    aqueduct::net::descriptors::raise_limit().unwrap();
    let http = listen(Gateway::new().router, limits(), None).await;
    let mut slow = Vec::new();
    for number in 0..1000 {
        let mut stream = TcpStream::connect(http.address).await.unwrap();
        let begun: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /healthz HTTP/1.1\r\nHost: loc",
            _ => b"POST /v1/rules HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        };
        stream.write_all(begun).await.unwrap();
        slow.push(stream);
    }
    let mut good = TcpStream::connect(http.address).await.unwrap();
    good.write_all(REQUEST).await.unwrap();
    assert!(rest(&mut good).await.ends_with("ok\n"));
    // They are all still there: it has not waited for their end.
    let mut silent = slow.swap_remove(0);
    assert!(silent.read_u8().now_or_never().is_none());
}

#[tokio::test]
async fn heads_that_are_too_long_are_refused() {
    let http = listen(Gateway::new().router, limits(), None).await;
    let long = format!("X-Long: {}\r\n", "x".repeat(65_600));
    let many: String = (0..65).map(|n| format!("X-{n}: 1\r\n")).collect();
    for head in [long, many] {
        let mut stream = TcpStream::connect(http.address).await.unwrap();
        let request =
            format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn an_address_has_its_connections_and_is_closed_beyond_them() {
    let limits_of_connections = ConnectionLimits {
        address: AddressLimits {
            connections: 2,
            loopback: true,
            ..connection_limits().address
        },
        ..connection_limits()
    };
    let http = listen_within(limits_of_connections, Gateway::new().router, limits(), None).await;
    let first = TcpStream::connect(http.address).await.unwrap();
    let _second = TcpStream::connect(http.address).await.unwrap();
    let mut third = TcpStream::connect(http.address).await.unwrap();
    assert_eq!(rest(&mut third).await, "");
    drop(first);
    // Its place is free once the gateway has noticed.
    loop {
        let mut again = TcpStream::connect(http.address).await.unwrap();
        let _ = again.write_all(REQUEST).await;
        if rest(&mut again).await.ends_with("ok\n") {
            break;
        }
    }
}

#[tokio::test]
async fn stopping_ends_running_requests_in_order() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (entered, leave) = (entered.clone(), leave.clone());
        move || async move {
            entered.notify_one();
            leave.notified().await;
            "done\n"
        }
    };
    let http = listen(Router::new().route("/slow", get(slow)), limits(), None).await;
    let mut busy = TcpStream::connect(http.address).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    entered.notified().await;
    let mut idle = TcpStream::connect(http.address).await.unwrap();
    http.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    leave.notify_one();
    assert!(rest(&mut busy).await.ends_with("done\n"));
    tokio::time::timeout(LONG, http.serving)
        .await
        .unwrap()
        .unwrap();
    assert!(TcpStream::connect(http.address).await.is_err());
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let stuck = || std::future::pending::<&'static str>();
    let router = Router::new().route("/stuck", get(stuck));
    let http = listen(
        router,
        Limits {
            drain: SHORT,
            ..limits()
        },
        None,
    )
    .await;
    let mut busy = TcpStream::connect(http.address).await.unwrap();
    busy.write_all(b"GET /stuck HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    http.stop.cancel();
    tokio::time::timeout(LONG, http.serving)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(rest(&mut busy).await, "");
}

#[tokio::test]
async fn https_serves_the_same_and_cuts_off_silent_handshakes() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let limits = Limits {
        headers: SHORT,
        ..limits()
    };
    let https = listen(Gateway::new().router, limits, Some(Arc::new(server))).await;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(https.address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let mut stream = connector
        .connect("localhost".try_into().unwrap(), stream)
        .await
        .unwrap();
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let mut silent = TcpStream::connect(https.address).await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
}
