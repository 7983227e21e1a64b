//! Heads, queries and bodies that are too long: each door says so in its own form where the request came that far, and nobody has to
//! hold more than the door takes.

use crate::doors::zego::Caller;
use crate::doors::{Answer, Gateway, TOKEN};
use aqueduct::api::{Limits, Serve, connection_limits, limits, serve};
use aqueduct::net::listener::Acceptor;
use aqueduct::net::permits::Permits;
use aqueduct::telemetry::Metrics;
use aqueduct::telemetry::events::Callers;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::http::request::Builder;
use futures::stream;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// What an endless body is made of.
const PIECE: usize = 16 * 1024;

const RULES: &str = "/v1/rules";
const INPUT: &str = "/v1/streams/live/cam/inputs/main";
const CLIENT: &str = "/client/v1/publish_cdn";

/// Any request of this door's, as far as who asks is seen by its head.
fn request(method: &str, target: &str, content_type: &str) -> Builder {
    Request::builder()
        .method(method)
        .uri(target)
        .header("host", "localhost:8080")
        .header("content-type", content_type)
}

fn with_token(builder: Builder) -> Builder {
    builder.header("authorization", format!("Bearer {TOKEN}"))
}

/// Sends a body that never ends; the answer, and how much of it was taken.
async fn endless(gateway: &Gateway, builder: Builder) -> (Answer, usize) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let pieces = stream::repeat_with(move || {
        counted.fetch_add(PIECE, Ordering::SeqCst);
        Ok::<_, Infallible>(Bytes::from_static(&[b' '; PIECE]))
    });
    let body = Body::from_stream(pieces);
    let answer = gateway.send(builder.body(body).unwrap()).await;
    (answer, taken.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_body_without_an_end_is_answered_in_the_doors_form() {
    let gateway = Gateway::new();
    let json = "application/json";
    for (method, target) in [
        ("POST", RULES),
        ("PATCH", "/v1/rules/r-1"),
        ("PUT", INPUT),
        ("POST", "/v1/streams/live/cam/inputs/switch"),
        ("POST", "/v1/preflight"),
    ] {
        let builder = with_token(request(method, target, json));
        let (answer, taken) = endless(&gateway, builder).await;
        answer.assert_problem(413);
        assert!(taken <= limits::MAX_BODY_BYTES + PIECE, "{target}: {taken}");
    }
    // Who shows no token is not read at all.
    let (answer, taken) = endless(&gateway, request("POST", RULES, json)).await;
    answer.assert_problem(401);
    assert_eq!(taken, 0);

    for content_type in [json, "text/plain", "application/octet-stream"] {
        let zego = request("POST", "/?Action=CreatCDNTransferRule", content_type);
        let (answer, taken) = endless(&gateway, zego).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["Code"], 100_000_012, "{}", answer.text);
        assert!(taken <= limits::MAX_BODY_BYTES + PIECE, "ZEGO: {taken}");
    }

    let (answer, taken) = endless(&gateway, request("POST", CLIENT, json)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["code"], 5005, "{}", answer.text);
    assert!(taken <= limits::MAX_BODY_BYTES + PIECE, "client: {taken}");

    // As long as the vendor takes them: 10 MiB, and 1 MiB for a form.
    let form = "application/x-www-form-urlencoded";
    let tc3 =
        |content_type| request("POST", "/", content_type).header("x-tc-action", "DescribeProjects");
    for (builder, most) in [
        (tc3(json), 10 << 20),
        (tc3("text/plain"), 10 << 20),
        (tc3(form), 1 << 20),
        (request("POST", "/", form), 1 << 20),
        (request("POST", "/?SecretId=a", form), 1 << 20),
    ] {
        let (answer, taken) = endless(&gateway, builder).await;
        assert_eq!(answer.status, 200);
        let code = &answer.json()["Response"]["Error"]["Code"];
        assert_eq!(code, "RequestSizeLimitExceeded", "{}", answer.text);
        assert!(taken <= most + PIECE, "Tencent: {taken}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_answered_in_the_doors_form() {
    let gateway = Gateway::new();
    let json = "application/json";
    let send = async |builder: Builder| {
        let nothing = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let began = tokio::time::Instant::now();
        let answer = gateway.send(builder.body(nothing).unwrap()).await;
        assert_eq!(began.elapsed(), limits::BODY_DEADLINE);
        answer
    };
    for (method, target) in [("POST", RULES), ("PATCH", "/v1/rules/r-1"), ("PUT", INPUT)] {
        let answer = send(with_token(request(method, target, json))).await;
        answer.assert_problem(408);
    }
    let answer = send(request("POST", "/?Action=CreatCDNTransferRule", json)).await;
    assert_eq!(answer.json()["Code"], 100_000_012, "{}", answer.text);
    let answer = send(request("POST", CLIENT, json)).await;
    assert_eq!(answer.json()["code"], 5005, "{}", answer.text);
    let tencent = request("POST", "/", json).header("x-tc-action", "DescribeProjects");
    let answer = send(tencent).await;
    let code = &answer.json()["Response"]["Error"]["Code"];
    assert_eq!(code, "InvalidParameter", "{}", answer.text);
}

#[tokio::test]
async fn where_no_body_is_wanted_none_is_read() {
    let gateway = Gateway::new();
    for (method, target) in [
        ("GET", RULES),
        ("DELETE", "/v1/rules/r-1"),
        ("DELETE", INPUT),
        ("GET", "/v1/targets"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/healthz"),
        ("OPTIONS", CLIENT),
        ("GET", CLIENT),
        ("PUT", "/"),
        ("POST", "/nothing"),
    ] {
        let builder = with_token(request(method, target, "application/json"));
        let builder = match target {
            // There it would be a vendor's.
            "/" => request(method, target, "application/json"),
            _ => builder,
        };
        let (_, taken) = endless(&gateway, builder).await;
        assert_eq!(taken, 0, "{method} {target}");
    }
}

#[tokio::test]
async fn a_long_query_is_answered_in_the_doors_form_and_not_shown_again() {
    let caller = Caller::new(Gateway::new());
    let gateway = &caller.gateway;
    let long = "x".repeat(60_000);
    let is_short = |answer: &Answer| {
        assert!(answer.text.len() < 4096, "{} bytes", answer.text.len());
    };
    for target in [
        format!("{RULES}?app={long}"),
        format!("{RULES}?limit={long}"),
        format!("{RULES}?{long}=1"),
        format!("/v1/targets?stream={long}&state=live"),
        format!("/v1/streams?after={long}"),
        format!("/v1/streams/live/{long}"),
        format!("/v1/events?type={long}"),
        format!("/{long}"),
    ] {
        let answer = gateway.ask("GET", &target, None).await;
        let (place, status) = (&target[..24.min(target.len())], answer.status.as_u16());
        assert!((200..500).contains(&status), "{place}: {status}");
        if status >= 400 {
            answer.assert_problem(status);
        }
        is_short(&answer);
    }
    let target = format!("/v1/events?access_token={long}");
    gateway.call(&target).await.assert_problem(401);
    let json = request("POST", &format!("{CLIENT}?{long}"), "application/json");
    let answer = gateway.send(json.body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.json()["code"], 5005);

    for (query, code) in [
        (format!("Action={long}"), 100_000_007),
        (
            format!("Action=CreatCDNTransferRule&AppId={long}"),
            100_000_001,
        ),
        (format!("{long}=x"), 100_000_006),
        ("a&".repeat(15_000), 100_000_006),
    ] {
        let answer = gateway.call(&format!("/?{query}")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["Code"], code, "{}", answer.text);
        is_short(&answer);
    }
    assert_eq!(
        caller.create(&long[..20_000], "rtmp://h/app/s").await,
        30_009
    );
    let url = format!("rtmp://h/app/{}", &long[..20_000]);
    assert_eq!(caller.create("s", &url).await, 30_001);
    assert!(caller.urls().is_empty());

    for query in [
        format!("Action=DescribeProjects&Version=2019-10-29&SecretId=a&X={long}"),
        format!("SecretId={long}"),
        format!("Version=1&{}", "a=&".repeat(15_000)),
    ] {
        let answer = gateway.call(&format!("/?{query}")).await;
        assert_eq!(answer.status, 200);
        let code = &answer.json()["Response"]["Error"]["Code"];
        assert_eq!(code, "RequestSizeLimitExceeded", "{}", answer.text);
        is_short(&answer);
    }
}

#[tokio::test]
async fn long_header_fields_are_taken_for_what_they_are() {
    let gateway = Gateway::new();
    let long = "x".repeat(60_000);
    let sent = async |builder: Builder| gateway.send(builder.body(Body::empty()).unwrap()).await;
    let bearer =
        request("GET", RULES, "text/plain").header("authorization", format!("Bearer {long}"));
    sent(bearer).await.assert_problem(401);
    let if_match =
        with_token(request("DELETE", "/v1/rules/r-1", "text/plain")).header("if-match", &long);
    let answer = sent(if_match).await;
    assert!(answer.status.is_client_error() && answer.text.len() < 4096);
    let host = Request::get(RULES).header("host", &long);
    sent(host).await.assert_problem(403);
    let origin = request("GET", RULES, "text/plain").header("origin", format!("https://{long}"));
    sent(origin).await.assert_problem(403);
    let typed = with_token(request("POST", RULES, &long));
    sent(typed).await.assert_problem(415);
    let tc3 = request("POST", "/", "application/json").header("authorization", &long);
    let answer = sent(tc3).await;
    let code = &answer.json()["Response"]["Error"]["Code"];
    assert_eq!(code, "AuthFailure.InvalidAuthorization");
    assert!(answer.text.len() < 4096);
    let action = request("POST", "/", "application/json").header("x-tc-action", &long);
    let answer = sent(action).await;
    assert!(answer.json()["Response"]["Error"]["Code"].is_string());
    assert!(answer.text.len() < 4096);
}

async fn listen(gateway: &Gateway) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let permits = Permits::new(connection_limits());
    let metrics = Arc::new(Metrics::new());
    let acceptor = Acceptor::new(listener, Callers::Doors, permits, metrics).unwrap();
    let what = Serve {
        router: gateway.router.clone(),
        tls: None,
        limits: Limits::default(),
    };
    let stop = CancellationToken::new();
    tokio::spawn(serve(acceptor, what, stop.clone()));
    (address, stop)
}

/// The status line of the answer to this head.
async fn status(address: SocketAddr, head: &str) -> String {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    // It may be answered before it is whole.
    let _ = tcp.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = tcp.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_head_beyond_the_bounds_never_reaches_a_door() {
    let gateway = Gateway::new();
    let (address, stop) = listen(&gateway).await;
    let long = "x".repeat(limits::MAX_HEADER_BYTES);
    let many: String = (0..=limits::MAX_HEADERS)
        .map(|number| format!("X-{number}: 1\r\n"))
        .collect();
    for target in [
        RULES,
        "/v1/events",
        "/",
        "/?SecretId=a",
        CLIENT,
        "/metrics",
        "/healthz",
    ] {
        let ends = "Host: localhost\r\nConnection: close\r\n";
        for head in [
            format!("GET {target} HTTP/1.1\r\n{ends}X-Long: {long}\r\n\r\n"),
            format!("GET {target} HTTP/1.1\r\n{ends}{many}\r\n"),
        ] {
            let status = status(address, &head).await;
            assert!(status.starts_with("HTTP/1.1 431 "), "{target}: {status}");
        }
        let separator = if target.contains('?') { '&' } else { '?' };
        let head = format!("GET {target}{separator}a={long} HTTP/1.1\r\n{ends}\r\n");
        let status = status(address, &head).await;
        let is_told = ["HTTP/1.1 414 ", "HTTP/1.1 431 "]
            .iter()
            .any(|told| status.starts_with(told));
        assert!(is_told, "{target}: {status}");
    }
    stop.cancel();
}
