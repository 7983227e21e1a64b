//! `/v1/rules`: shapes, statuses, and what is shown of a key. Options, and how a rule is changed, are in `options`.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../doors/mod.rs"]
mod doors;
mod options;

use aqueduct::config::rule_from_command_line;
use aqueduct::control::UrlTemplate;
use axum::body::Body;
use axum::http::Request;
use doors::{Gateway, TOKEN};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

const URL: &str = "rtmp://h.example/app/CANARY?sign=CANARY";

#[tokio::test]
async fn a_rule_is_made_shown_and_deleted() {
    let gateway = Gateway::new();
    let made = gateway.add("cam", URL).await;
    assert_eq!(made.status, 201);
    let rule = made.json();
    let members: Vec<&String> = rule.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        [
            "app",
            "created_at",
            "enabled",
            "id",
            "origin",
            "revision",
            "stream",
            "url"
        ]
    );
    assert_eq!(rule["app"], "live");
    assert_eq!(rule["stream"], "cam");
    assert_eq!(rule["url"], "rtmp://h.example/app/***");
    assert_eq!(rule["enabled"], true);
    assert_eq!(rule["origin"], "api");
    assert_eq!(rule["created_at"], "1970-01-01T00:00:00Z");
    let path = made.header("location").to_owned();
    assert_eq!(path, format!("/v1/rules/{}", rule["id"].as_str().unwrap()));

    assert_eq!(gateway.ask("GET", &path, None).await.json(), rule);
    assert_eq!(
        gateway.ask("GET", "/v1/rules", None).await.json(),
        json!([rule])
    );
    let again = gateway.add("cam", URL).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, rule.clone()));
    assert_eq!(again.header("location"), "");

    let deleted = gateway.ask("DELETE", &path, None).await;
    assert_eq!(deleted.status, 200);
    assert_eq!(deleted.json(), json!({"id": rule["id"], "stored": true}));
    gateway.ask("GET", &path, None).await.assert_problem(404);
    gateway.ask("DELETE", &path, None).await.assert_problem(404);
    gateway
        .ask(
            "GET",
            "/v1/rules/no such id!".replace(' ', "%20").as_str(),
            None,
        )
        .await
        .assert_problem(404);
    assert_eq!(
        gateway.ask("GET", "/v1/rules", None).await.json(),
        json!([])
    );
}

#[tokio::test]
async fn keys_are_shown_only_when_asked_for() {
    let gateway = Gateway::new();
    let made = gateway.add("cam", URL).await;
    assert!(!made.text.contains("CANARY"));
    let path = made.header("location").to_owned();
    for path in ["/v1/rules", "/v1/rules?reveal=false", &path] {
        assert!(
            !gateway.ask("GET", path, None).await.text.contains("CANARY"),
            "{path}"
        );
    }
    let whole = gateway
        .ask("GET", &format!("{path}?reveal=true"), None)
        .await;
    assert_eq!(whole.json()["url"], URL);
    assert_eq!(whole.header("cache-control"), "no-store");
    let whole = gateway.ask("GET", "/v1/rules?reveal=true", None).await;
    assert_eq!(whole.json()[0]["url"], URL);
    let body = json!({"app": "live", "stream": "cam", "url": URL});
    let whole = gateway
        .ask("POST", "/v1/rules?reveal=true", Some(body))
        .await;
    assert_eq!(whole.json()["url"], URL);
}

#[tokio::test]
async fn lists_are_filtered() {
    let gateway = Gateway::new();
    gateway.add("a", "rtmp://h/app/1").await;
    gateway.add("b", "rtmp://h/app/2").await;
    for (query, count) in [
        ("", 2),
        ("?app=live", 2),
        ("?app=x", 0),
        ("?stream=b", 1),
        ("?stream=*", 0),
    ] {
        let list = gateway
            .ask("GET", &format!("/v1/rules{query}"), None)
            .await
            .json();
        assert_eq!(list.as_array().unwrap().len(), count, "{query}");
    }
    gateway
        .ask("GET", "/v1/rules?nothing=1", None)
        .await
        .assert_problem(400);
    gateway
        .ask("GET", "/v1/rules?reveal=maybe", None)
        .await
        .assert_problem(400);
}

#[tokio::test]
async fn mistakes_are_named() {
    let gateway = Gateway::new();
    let wish =
        |app: &str, stream: &str, url: &str| json!({"app": app, "stream": stream, "url": url});
    for (body, field) in [
        (wish("nothing", "s", "rtmp://h/app/x"), "app"),
        (wish("a b", "s", "rtmp://h/app/x"), "app"),
        (wish("", "s", "rtmp://h/app/x"), "app"),
        (wish("live", "", "rtmp://h/app/x"), "stream"),
        (wish("live", "s", "http://h/app/CANARY"), "url"),
        (wish("live", "s", "rtmp://h/CANARY"), "url"),
        (wish("live", "s", "rtmp://{stream}/app/CANARY"), "url"),
        (wish("live", "s", "rtmp://h/app/CANARY CANARY"), "url"),
        (
            wish("live", "s", "rtmp://refused.example/app/CANARY"),
            "url",
        ),
        (wish("live", "s", "rtmp://127.0.0.1/app/CANARY"), "url"),
        (json!({"app": "live", "stream": 5, "url": URL}), "stream"),
    ] {
        let answer = gateway.ask("POST", "/v1/rules", Some(body.clone())).await;
        let problem = answer.assert_problem(422);
        assert_eq!(problem["field"], field, "{body}: {problem}");
        assert!(
            problem["detail"].as_str().unwrap().starts_with(field),
            "{problem}"
        );
        assert!(!answer.text.contains("CANARY"), "{problem}");
    }
    for body in [
        json!({"app": "live", "stream": "s"}),
        json!([]),
        json!("x"),
        json!({"app": "live", "stream": "s", "url": URL, "id": "x"}),
    ] {
        let problem = gateway
            .ask("POST", "/v1/rules", Some(body))
            .await
            .assert_problem(422);
        assert!(!problem.to_string().contains("CANARY"));
    }
    assert!(gateway.rules.list(None).is_empty());
}

#[tokio::test]
async fn bodies_have_a_type_a_form_and_a_bound() {
    let gateway = Gateway::new();
    let post = |content_type: Option<&str>, body: &str| {
        let mut request = Request::post("/v1/rules").header("host", "localhost");
        request = request.header("authorization", format!("Bearer {TOKEN}"));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        request.body(Body::from(body.to_owned())).unwrap()
    };
    let body = json!({"app": "live", "stream": "s", "url": "rtmp://h/app/x"}).to_string();
    gateway.send(post(None, &body)).await.assert_problem(415);
    gateway
        .send(post(Some("text/plain"), &body))
        .await
        .assert_problem(415);
    gateway
        .send(post(Some("application/jsonp"), &body))
        .await
        .assert_problem(415);
    let problem = gateway
        .send(post(Some("application/json"), "{\"app\": "))
        .await
        .assert_problem(400);
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("line 1 column"),
        "{problem}"
    );
    let long = format!("{{\"app\": \"{}\"}}", "x".repeat(70_000));
    gateway
        .send(post(Some("application/json"), &long))
        .await
        .assert_problem(413);
    let made = gateway
        .send(post(Some("Application/JSON; charset=utf-8"), &body))
        .await;
    assert_eq!(made.status, 201);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_drips_is_cut_off() {
    let gateway = Gateway::new();
    // A byte a second, for ever.
    let drip = futures::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, std::io::Error>(" "), ()))
    });
    let request = Request::post("/v1/rules")
        .header("host", "localhost")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json")
        .body(Body::from_stream(drip))
        .unwrap();
    let began = tokio::time::Instant::now();
    gateway.send(request).await.assert_problem(408);
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn rules_of_the_configuration_are_read_only() {
    let url = UrlTemplate::parse("rtmp://h/app/{stream}").unwrap();
    let fixed = rule_from_command_line(url, OffsetDateTime::UNIX_EPOCH);
    let gateway = Gateway::with(Arc::default(), vec![fixed.clone()]);
    let list = gateway.ask("GET", "/v1/rules", None).await.json();
    assert_eq!(list[0]["origin"], "command-line");
    assert_eq!(list[0]["url"], "rtmp://h/app/***");
    let path = format!("/v1/rules/{}", fixed.id);
    for (method, body) in [("DELETE", None), ("PATCH", Some(json!({"enabled": false})))] {
        let problem = gateway.ask(method, &path, body).await.assert_problem(409);
        assert_eq!(problem["type"], "urn:aqueduct:problem:read-only-rule");
    }
    assert_eq!(gateway.add("*", "rtmp://h/app/{stream}").await.status, 200);
}

#[tokio::test]
async fn a_full_disk_stops_creation_and_not_deletion() {
    let gateway = Gateway::new();
    let made = gateway.add("cam", URL).await;
    gateway.store.set_full(true);
    let problem = gateway.add("cam2", URL).await.assert_problem(503);
    assert_eq!(problem["type"], "urn:aqueduct:problem:not-stored");
    assert!(!problem.to_string().contains("CANARY"));
    let deleted = gateway.ask("DELETE", made.header("location"), None).await;
    assert_eq!(deleted.status, 200);
    assert_eq!(deleted.json()["stored"], false);
    assert_eq!(
        gateway.ask("GET", "/v1/rules", None).await.json(),
        Value::Array(vec![])
    );
}

#[tokio::test]
async fn a_stream_has_a_bounded_number_of_rules() {
    let gateway = Gateway::new();
    for i in 0..20 {
        assert_eq!(
            gateway
                .add("cam", &format!("rtmp://h/app/{i}"))
                .await
                .status,
            201
        );
    }
    let problem = gateway
        .add("cam", "rtmp://h/app/more")
        .await
        .assert_problem(409);
    assert_eq!(problem["type"], "urn:aqueduct:problem:too-many-rules");
}
