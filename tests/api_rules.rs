//! `/v1/rules`: shapes, statuses, and what is shown of a key.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;

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
