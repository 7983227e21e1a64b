//! Options of a rule over HTTP: given when it is made, changed later, and refused with a reason.

use super::URL;
use crate::doors::{self, Gateway, TOKEN};
use aqueduct::control::UrlTemplate;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test]
async fn options_are_taken_shown_and_changed() {
    let gateway = Gateway::new();
    let body = json!({
        "app": "live", "stream": "cam", "url": URL, "backup_url": "rtmp://b.example/app/CANARY",
        "enabled": false, "stop_at": "2030-01-01T02:00:00+02:00", "chunk_size": 8192,
        "strict_interleave": true, "digest_handshake": true,
    });
    let made = gateway.ask("POST", "/v1/rules", Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(!made.text.contains("CANARY"));
    let rule = made.json();
    assert_eq!(rule["backup_url"], "rtmp://b.example/app/***");
    assert_eq!(
        (&rule["enabled"], &rule["stop_at"], &rule["chunk_size"]),
        (&json!(false), &json!("2030-01-01T00:00:00Z"), &json!(8192))
    );
    assert_eq!(
        (&rule["strict_interleave"], &rule["digest_handshake"]),
        (&json!(true), &json!(true))
    );
    let path = made.header("location").to_owned();
    let whole = gateway
        .ask("GET", &format!("{path}?reveal=true"), None)
        .await;
    assert_eq!(whole.json()["backup_url"], "rtmp://b.example/app/CANARY");

    // What is not named stays; null takes away.
    let change = |body: Value| gateway.ask("PATCH", &path, Some(body));
    let changed = change(json!({"enabled": true})).await.json();
    assert_eq!(changed["enabled"], true);
    assert_eq!(changed["backup_url"], rule["backup_url"]);
    let body = json!({
        "backup_url": null, "stop_at": null, "chunk_size": null, "strict_interleave": null, "digest_handshake": false,
    });
    let changed = change(body).await.json();
    for gone in [
        "backup_url",
        "stop_at",
        "chunk_size",
        "strict_interleave",
        "digest_handshake",
    ] {
        assert!(changed.get(gone).is_none(), "{changed}");
    }
    let body = json!({"url": "rtmp://c.example/app/{stream}?CANARY", "backup_url": "rtmp://d/app/{stream}"});
    let changed = change(body).await;
    assert!(!changed.text.contains("CANARY"));
    let rule = &gateway.rules.list(None)[0];
    assert_eq!(rule.url.expose(), "rtmp://c.example/app/{stream}?CANARY");
    assert!(rule.backup_url.as_ref().unwrap().has_placeholder());
    assert_eq!(changed.json()["revision"], rule.revision);
    assert_eq!(change(json!({})).await.json(), changed.json());
}

#[tokio::test]
async fn a_rule_is_changed_only_as_it_was_seen() {
    let gateway = Gateway::new();
    let made = gateway.add("cam", URL).await;
    let path = made.header("location").to_owned();
    let tag = made.header("etag").to_owned();
    assert_eq!(tag, format!("\"{}\"", made.json()["revision"]));
    assert_eq!(gateway.ask("GET", &path, None).await.header("etag"), tag);
    assert_eq!(gateway.add("cam", URL).await.header("etag"), tag);
    let ask = |method: &'static str, tag: &str, body: Option<Value>| {
        let mut request = Request::builder().method(method).uri(&path);
        for (name, value) in [
            ("host", "localhost"),
            ("authorization", &format!("Bearer {TOKEN}")),
            ("content-type", "application/merge-patch+json"),
            ("if-match", tag),
        ] {
            request = request.header(name, value);
        }
        let body = body.map_or_else(Body::empty, |body| body.to_string().into());
        gateway.send(request.body(body).unwrap())
    };
    let off = || Some(json!({"enabled": false}));
    let changed = ask("PATCH", &tag, off()).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_ne!(changed.header("etag"), tag);
    let on = Some(json!({"enabled": true}));
    for (method, body) in [("PATCH", on), ("DELETE", None)] {
        let problem = ask(method, &tag, body.clone()).await.assert_problem(412);
        assert_eq!(problem["type"], "urn:aqueduct:problem:stale-revision");
        ask(method, "7", body).await.assert_problem(400);
    }
    assert!(!gateway.rules.list(None)[0].enabled);
    let seen = changed.header("etag");
    assert_eq!(ask("PATCH", "*", off()).await.header("etag"), seen);
    let either = format!("{tag}, {seen}");
    assert_eq!(ask("DELETE", &either, None).await.status, 200);
    ask("PATCH", seen, off()).await.assert_problem(404);
}

#[tokio::test]
async fn mistakes_in_options_are_named() {
    let gateway = Gateway::new();
    let path = gateway.add("cam", URL).await.header("location").to_owned();
    for (field, value) in [
        ("backup_url", json!("http://h/app/CANARY")),
        ("backup_url", json!("rtmp://{stream}/app/CANARY")),
        ("backup_url", json!("rtmp://refused.example/app/CANARY")),
        ("backup_url", json!("rtmp://127.0.0.1/app/CANARY")),
        ("backup_url", json!(URL)),
        ("backup_url", json!(5)),
        ("enabled", json!("yes")),
        ("stop_at", json!("tomorrow")),
        ("stop_at", json!("2030-01-01T00:00:00")),
        ("stop_at", json!(1)),
        ("stop_at", json!("9999-12-31T23:59:59-23:59")),
        ("stop_at", json!("0000-01-01T00:00:00+23:59")),
        ("chunk_size", json!(127)),
        ("chunk_size", json!(65_537)),
        ("chunk_size", json!(-1)),
        ("strict_interleave", json!("yes")),
        ("digest_handshake", json!(1)),
    ] {
        let mut body = json!({"app": "live", "stream": "other", "url": URL});
        body[field] = value.clone();
        let change = json!({ field: value });
        for answer in [
            gateway.ask("POST", "/v1/rules", Some(body)).await,
            gateway.ask("PATCH", &path, Some(change.clone())).await,
        ] {
            let problem = answer.assert_problem(422);
            assert_eq!(problem["field"], field, "{change}: {problem}");
            assert!(!answer.text.contains("CANARY"), "{problem}");
        }
    }
    for unknown in ["app", "stream", "id", "origin", "revision"] {
        let change = json!({ unknown: "x" });
        gateway
            .ask("PATCH", &path, Some(change))
            .await
            .assert_problem(422);
    }
    for needed in ["url", "enabled"] {
        let change = json!({ needed: null });
        let answer = gateway.ask("PATCH", &path, Some(change)).await;
        assert_eq!(answer.assert_problem(422)["field"], needed);
    }
    gateway
        .ask("PATCH", "/v1/rules/r-none", Some(json!({"enabled": false})))
        .await
        .assert_problem(404);
    let other = gateway.add("cam", "rtmp://h.example/app/other").await;
    let clash = json!({"url": "rtmp://h.example/app/other"});
    let problem = gateway
        .ask("PATCH", &path, Some(clash))
        .await
        .assert_problem(409);
    assert_eq!(problem["type"], "urn:aqueduct:problem:rule-exists");
    assert!(
        problem
            .to_string()
            .contains(other.json()["id"].as_str().unwrap())
    );
}

#[tokio::test]
async fn braces_mean_nothing_in_a_vendors_rule() {
    let store = Arc::new(doors::MemoryStore::default());
    let gateway = Gateway::with(store, vec![]);
    let made = gateway.rules.create(aqueduct::control::NewRule {
        app: aqueduct::control::AppName::live(),
        stream: aqueduct::control::StreamPattern::parse("cam").unwrap(),
        url: UrlTemplate::literal("rtmp://h/app/x").unwrap(),
        options: aqueduct::control::RuleOptions::default(),
        origin: aqueduct::control::Origin::Zego,
    });
    let rule = made.await.unwrap().rule;
    let body = json!({"backup_url": "rtmp://b/app/{stream}"});
    let path = format!("/v1/rules/{}", rule.id);
    assert_eq!(gateway.ask("PATCH", &path, Some(body)).await.status, 200);
    let rule = gateway.rules.find(&rule.id).unwrap();
    assert!(!rule.backup_url.as_ref().unwrap().has_placeholder());
}
