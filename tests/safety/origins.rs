//! Browsers: no page of another site reads an answer, or has anything done, unless the configuration names its origin; and a name that
//! was made to lead here is not ours.

use crate::doors::{Answer, Gateway, TOKEN};
use aqueduct::api::Origins;
use axum::body::Body;
use axum::http::{Request, Version};

/// As a gateway is that nobody has configured.
fn gateway() -> Gateway {
    let gateway = Gateway::new();
    gateway.configure(|settings| {
        settings.client_origins = Origins::default();
        settings.allowed_hosts = aqueduct::api::AllowedHosts::default();
    });
    // Events would have no end.
    gateway.metrics.feed().close();
    gateway
}

/// A path of every door.
const PATHS: &[&str] = &[
    "/v1/rules",
    "/v1/rules/r-1",
    "/v1/streams",
    "/v1/streams/live/cam/inputs/main",
    "/v1/targets",
    "/v1/events",
    "/v1/preflight",
    "/metrics",
    "/openapi.json",
    "/healthz",
    "/readyz",
    "/client/v1/publish_cdn",
    "/",
    "/?Action=CreatCDNTransferRule",
    "/?SecretId=a&Version=2019-10-29",
    "/nothing",
];

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

async fn send(gateway: &Gateway, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    gateway.send(request.body(Body::empty()).unwrap()).await
}

/// Nothing in an answer lets a page of another site read it.
fn assert_closed(answer: &Answer, what: &str) {
    // The other fields of that family mean nothing without the first.
    for name in [
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-allow-private-network",
    ] {
        let open = answer.headers.get(name);
        assert!(open.is_none(), "{what}: {open:?}");
    }
}

#[tokio::test]
async fn another_sites_page_is_refused_at_every_door() {
    let gateway = gateway();
    for path in PATHS {
        for method in METHODS {
            for origin in [
                "https://evil.example",
                "http://localhost:3000",
                "https://localhost.evil.example",
                "null",
            ] {
                let headers = [
                    ("host", "localhost:8080"),
                    ("origin", origin),
                    ("access-control-request-method", method),
                    (
                        "access-control-request-headers",
                        "authorization, content-type",
                    ),
                    ("access-control-request-private-network", "true"),
                ];
                let answer = send(&gateway, method, path, &headers).await;
                assert_eq!(answer.status, 403, "{method} {path} {origin}");
                assert_closed(&answer, path);
            }
        }
    }
}

#[tokio::test]
async fn a_name_that_was_made_to_lead_here_is_not_ours() {
    let gateway = gateway();
    for path in PATHS {
        for method in METHODS {
            for host in [
                "evil.example",
                "evil.example:8080",
                "127.0.0.1.evil.example",
                "2130706433",
            ] {
                // To the browser this page is of the same origin.
                let origin = format!("http://{host}");
                let bearer = format!("Bearer {TOKEN}");
                let headers = [
                    ("host", host),
                    ("origin", &*origin),
                    ("sec-fetch-site", "same-origin"),
                    ("authorization", &bearer),
                ];
                let answer = send(&gateway, method, path, &headers).await;
                assert_eq!(answer.status, 403, "{method} {path} {host}");
                assert_closed(&answer, path);
                let answer = send(&gateway, method, path, &headers[..1]).await;
                assert_eq!(answer.status, 403, "{method} {path} {host}");
            }
        }
    }
}

#[tokio::test]
async fn no_answer_opens_itself_to_other_sites() {
    let gateway = gateway();
    for path in PATHS {
        for method in METHODS {
            let own = [
                ("host", "localhost:8080"),
                ("origin", "http://localhost:8080"),
            ];
            for headers in [&own[..1], &own] {
                let answer = send(&gateway, method, path, headers).await;
                assert_ne!(answer.status, 403, "{method} {path}");
                assert_closed(&answer, path);
            }
        }
    }
}

#[tokio::test]
async fn old_http_without_a_host_says_its_origin_all_the_same() {
    let gateway = gateway();
    for path in PATHS {
        for (name, value) in [
            ("origin", "http://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let request = Request::builder().version(Version::HTTP_10).uri(*path);
            let request = request.header(name, value).body(Body::empty()).unwrap();
            assert_eq!(gateway.send(request).await.status, 403, "{path} {name}");
        }
    }
}
