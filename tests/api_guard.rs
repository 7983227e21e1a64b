//! Who may ask: token, host and origin, on every route that the description names and on the vendors'.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;

use axum::body::Body;
use axum::http::Request;
use doors::{Answer, Gateway, TOKEN};
use serde_json::Value;

/// Every route and method of the door's own description, and the vendors' path.
async fn routes(gateway: &Gateway) -> Vec<(String, String)> {
    let document = gateway.call("/openapi.json").await.json();
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let path = path
                .replace("{id}", "r-1")
                .replace("{app}", "live")
                .replace("{name}", "cam");
            routes.push((method.to_uppercase(), path));
        }
    }
    routes.push(("GET".into(), "/".into()));
    routes.push(("POST".into(), "/".into()));
    routes.push(("GET".into(), "/openapi.json".into()));
    routes.push(("GET".into(), "/nothing".into()));
    assert!(routes.len() >= 14, "{routes:?}");
    routes
}

async fn send(gateway: &Gateway, route: &(String, String), headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(route.0.as_str()).uri(&route.1);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    gateway.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused_everywhere() {
    let gateway = Gateway::new();
    let token = format!("Bearer {TOKEN}");
    for route in routes(&gateway).await {
        for headers in [
            [("host", "evil.example"), ("accept", "*/*")],
            [
                ("host", "localhost:8080"),
                ("origin", "http://evil.example"),
            ],
            [
                ("host", "localhost:8080"),
                ("origin", "http://localhost:3000"),
            ],
            [("host", "localhost:8080"), ("origin", "null")],
            [("host", "localhost:8080"), ("sec-fetch-site", "cross-site")],
        ] {
            let mut headers = headers.to_vec();
            headers.push(("authorization", &token));
            let answer = send(&gateway, &route, &headers).await;
            let problem = answer.assert_problem(403);
            assert!(
                problem["type"]
                    .as_str()
                    .unwrap()
                    .starts_with("urn:aqueduct:problem:foreign-")
            );
        }
        for host in [
            "relay.example",
            "relay.example:8080",
            "127.0.0.1:8080",
            "[::1]:1",
        ] {
            let answer = send(&gateway, &route, &[("host", host)]).await;
            assert_ne!(answer.status, 403, "{route:?} {host}");
        }
        let same = [
            ("host", "localhost:8080"),
            ("origin", "http://localhost:8080"),
            ("sec-fetch-site", "same-origin"),
        ];
        assert_ne!(send(&gateway, &route, &same).await.status, 403, "{route:?}");
    }
}

#[tokio::test]
async fn the_native_door_wants_the_token() {
    let gateway = Gateway::new();
    // Events would have no end.
    gateway.metrics.feed().close();
    for route in routes(&gateway)
        .await
        .iter()
        .filter(|(_, path)| path.starts_with("/v1/"))
    {
        for given in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer wrong",
            "Basic dDBrZW4=",
            "Bearer t0ken2",
            TOKEN,
        ] {
            let mut headers = vec![("host", "localhost")];
            if !given.is_empty() {
                headers.push(("authorization", given));
            }
            let answer = send(&gateway, route, &headers).await;
            let problem: Value = answer.assert_problem(401);
            assert!(
                answer.header("www-authenticate").starts_with("Bearer"),
                "{problem}"
            );
        }
        let answer = send(
            &gateway,
            route,
            &[("host", "localhost"), ("authorization", "bearer t0ken")],
        )
        .await;
        assert_ne!(answer.status, 401, "{route:?}");
    }
    // A token in the query is seen by logs and histories, and counts for nothing.
    let route = ("GET".to_owned(), format!("/v1/rules?token={TOKEN}"));
    send(&gateway, &route, &[("host", "localhost")])
        .await
        .assert_problem(401);
}

#[tokio::test]
async fn every_answer_carries_the_same_protection() {
    let gateway = Gateway::new();
    for route in routes(&gateway).await {
        for host in ["localhost", "evil.example"] {
            let answer = send(&gateway, &route, &[("host", host)]).await;
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("x-frame-options", "DENY"),
                ("cache-control", "no-store"),
                (
                    "content-security-policy",
                    "default-src 'none'; frame-ancestors 'none'",
                ),
            ] {
                assert_eq!(answer.header(name), value, "{route:?}");
            }
            assert!(
                answer
                    .headers
                    .keys()
                    .all(|name| !name.as_str().starts_with("access-control-"))
            );
        }
    }
}

#[tokio::test]
async fn wrong_paths_and_methods_are_problems() {
    let gateway = Gateway::new();
    gateway
        .ask("GET", "/v2/rules", None)
        .await
        .assert_problem(404);
    gateway
        .ask("GET", "/v1/rules/", None)
        .await
        .assert_problem(404);
    for (method, path, allow) in [
        ("PUT", "/v1/rules", "GET,HEAD,POST"),
        ("POST", "/v1/targets", "GET,HEAD"),
        ("DELETE", "/metrics", "GET,HEAD"),
        ("POST", "/healthz", "GET,HEAD"),
        ("OPTIONS", "/v1/rules", "GET,HEAD,POST"),
    ] {
        let answer = gateway.ask(method, path, None).await;
        answer.assert_problem(405);
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}
