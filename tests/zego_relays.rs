//! The ZEGO door and the rules behind it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;

use aqueduct::config::rule_from_command_line;
use aqueduct::control::{Origin, StreamPattern, UrlTemplate};
use axum::body::Body;
use axum::http::Request;
use doors::Gateway;
use doors::zego::{Caller, NOW};
use serde_json::json;
use std::sync::Arc;
use time::OffsetDateTime;

#[tokio::test]
async fn a_relay_is_a_literal_stored_rule() {
    let caller = Caller::new(Gateway::new());
    assert_eq!(caller.create("cam*", "rtmp://h/app/{stream}").await, 0);
    let rules = caller.gateway.rules.list(None);
    assert_eq!(rules[0].origin, Origin::Zego);
    assert!(rules[0].stream.is_literal() && !rules[0].url.has_placeholder());
    assert_eq!(rules[0].app.as_str(), "live");
    assert_eq!(caller.gateway.store.rules.lock().unwrap().len(), 1);
    assert_eq!(
        caller
            .call("CreateCDNTransferRule", "b", "rtmps://h/app/b")
            .await,
        0
    );
    assert_eq!(caller.urls().len(), 2);
}

#[tokio::test]
async fn a_second_create_of_an_address_replaces_its_parameters() {
    let caller = Caller::new(Gateway::new());
    assert_eq!(caller.create("s", "rtmp://h/app/s?token=1").await, 0);
    let before = caller.gateway.rules.list(None)[0].clone();
    assert_eq!(caller.create("s", "rtmp://H:1935/app/s/?token=2").await, 0);
    let after = caller.gateway.rules.list(None);
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].id, before.id);
    assert_eq!(after[0].url.expose(), "rtmp://H:1935/app/s/?token=2");
    assert!(after[0].revision > before.revision);
    // Another stream or another path is another relay.
    assert_eq!(caller.create("t", "rtmp://h/app/s?token=1").await, 0);
    assert_eq!(caller.create("s", "rtmp://h/app/s2").await, 0);
    assert_eq!(caller.urls().len(), 3);
}

#[tokio::test]
async fn delete_reaches_rules_of_both_doors_and_leaves_the_rest() {
    let url = "rtmp://h/app/s?token=1";
    let fixed =
        rule_from_command_line(UrlTemplate::parse(url).unwrap(), OffsetDateTime::UNIX_EPOCH);
    let gateway = Gateway::with(Arc::default(), vec![fixed]);
    assert_eq!(gateway.add("s", "rtmp://h/app/{stream}").await.status, 201);
    assert_eq!(gateway.add("*", "rtmp://h/app/{stream}").await.status, 201);
    let caller = Caller::new(gateway);
    assert_eq!(caller.create("s", "rtmp://h/app/other").await, 0);
    assert_eq!(caller.urls().len(), 4);
    assert_eq!(caller.delete("s", "rtmp://h/app/s").await, 0);
    assert_eq!(
        caller.urls(),
        [url, "rtmp://h/app/{stream}", "rtmp://h/app/other"]
    );
    assert_eq!(caller.delete("s", "rtmp://h/app/s").await, 0);
    assert_eq!(caller.delete("never", "rtmp://h/app/other").await, 0);
    assert_eq!(caller.urls().len(), 3);
}

#[tokio::test]
async fn create_puts_a_relay_in_force_that_another_door_has_switched_off() {
    let url = "rtmp://h/app/s";
    let off = |url: &str| json!({"app": "live", "stream": "s", "url": url, "enabled": false});
    let over = json!({"app": "live", "stream": "s", "url": "rtmp://h/app/over", "stop_at": "2025-10-31T00:00:00Z"});
    let later = json!({"app": "live", "stream": "s", "url": "rtmp://h/app/later", "stop_at": "2025-11-02T00:00:00Z"});
    let gateway = Gateway::new();
    for body in [off(url), off("rtmp://h/app/t?a=1"), over, later.clone()] {
        let made = gateway.ask("POST", "/v1/rules", Some(body)).await;
        assert_eq!(made.status, 201);
    }
    let caller = Caller::new(gateway);
    assert_eq!(caller.create("s", url).await, 0);
    assert_eq!(caller.create("s", "rtmp://h/app/t?a=2").await, 0);
    assert_eq!(caller.create("s", "rtmp://h/app/over").await, 0);
    assert_eq!(caller.create("s", "rtmp://h/app/later?a=2").await, 0);
    let rules = caller.gateway.rules.list(None);
    let urls: Vec<_> = rules.iter().map(|rule| rule.url.expose()).collect();
    assert_eq!(
        urls,
        [
            url,
            "rtmp://h/app/t?a=2",
            "rtmp://h/app/over",
            "rtmp://h/app/later?a=2"
        ]
    );
    let ends: Vec<_> = rules.iter().map(|rule| rule.stop_at.is_some()).collect();
    assert_eq!(ends, [false, false, false, true]);
    assert!(
        rules
            .iter()
            .all(|rule| rule.enabled && rule.origin == Origin::Api)
    );
}

#[tokio::test]
async fn a_relay_that_the_configuration_has_switched_off_is_told() {
    let url = UrlTemplate::literal("rtmp://h/app/s").unwrap();
    let mut fixed = rule_from_command_line(url, OffsetDateTime::UNIX_EPOCH);
    (fixed.enabled, fixed.origin) = (false, Origin::Config);
    fixed.stream = StreamPattern::parse("s").unwrap();
    let caller = Caller::new(Gateway::with(Arc::default(), vec![fixed]));
    assert_eq!(caller.create("s", "rtmp://h/app/s").await, 5005);
    // It is not the way of a relay of another's, nor is another one in its place.
    assert_eq!(caller.create("s", "rtmp://h/app/s?a=1").await, 0);
    assert_eq!(caller.create("s", "rtmp://h/app/s").await, 5005);
    assert_eq!(caller.urls(), ["rtmp://h/app/s", "rtmp://h/app/s?a=1"]);
}

#[tokio::test]
async fn refused_targets_and_full_disks_have_their_codes() {
    let caller = Caller::new(Gateway::new());
    assert_eq!(
        caller.create("s", "rtmp://refused.example/app/s").await,
        5004
    );
    assert_eq!(caller.create("s", "rtmp://u:p@h/app/s").await, 30_001);
    assert_eq!(caller.create("s", "rtmp://h/app/s").await, 0);
    caller.gateway.store.set_full(true);
    assert_eq!(caller.create("s", "rtmp://h/app/t").await, 5001);
    assert_eq!(caller.create("s", "rtmp://h/app/s?x=1").await, 5001);
    assert_eq!(caller.urls(), ["rtmp://h/app/s"]);
    // Stopped all the same, and the caller learns that it is not stored.
    assert_eq!(caller.delete("s", "rtmp://h/app/s").await, 5001);
    assert!(caller.urls().is_empty());
}

#[tokio::test]
async fn a_stream_has_a_bounded_number_of_relays() {
    let caller = Caller::new(Gateway::new());
    for i in 0..20 {
        assert_eq!(caller.create("s", &format!("rtmp://h/app/s{i}")).await, 0);
    }
    assert_eq!(caller.create("s", "rtmp://h/app/one-more").await, 5005);
    assert_eq!(caller.create("t", "rtmp://h/app/one-more").await, 0);
    assert_eq!(caller.create("s", "rtmp://h/app/s3?x=1").await, 0);
}

#[tokio::test]
async fn the_production_rate_is_ten_a_second() {
    let caller = Caller::new(Gateway::new());
    let target = caller.target(&[
        ("Action", "DeleteCDNTransferRule"),
        ("StreamId", "never"),
        ("CDNUrl", "rtmp://h/app/s"),
        ("Sequence", "1"),
    ]);
    let now = (NOW + 1) * 1000;
    for i in 0..12 {
        caller.gateway.clock.set_ms(now + i * 10);
        let code = caller.gateway.call(&target).await.json()["Code"]
            .as_u64()
            .unwrap();
        // The others are refused for their sequence, and counted all the same.
        let expected = if i >= 10 {
            30_002
        } else if i == 0 {
            0
        } else {
            5005
        };
        assert_eq!(code, expected, "call {i}");
    }
    caller.gateway.clock.set_ms(now + 2000);
    assert_eq!(caller.gateway.call(&target).await.json()["Code"], 5005);
}

#[tokio::test]
async fn wrong_signatures_do_not_use_up_the_rate() {
    let caller = Caller::new(Gateway::new());
    let target = caller.target(&[("Action", "DeleteCDNTransferRule")]);
    let forged = target.replace("Signature=", "Signature=0");
    for _ in 0..50 {
        assert_eq!(
            caller.gateway.call(&forged).await.json()["Code"],
            100_000_005
        );
    }
    assert_eq!(caller.gateway.call(&target).await.json()["Code"], 30_009);
}

#[tokio::test]
async fn bodies_that_are_no_json_have_their_code() {
    let gateway = Gateway::new();
    let request = Request::post("/?Action=CreatCDNTransferRule").header("host", "localhost");
    let answer = gateway.send(request.body(Body::from("a=b")).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        "application/json; charset=utf-8"
    );
    assert_eq!(answer.json()["Code"], 100_000_012);
}

#[tokio::test]
async fn other_methods_and_vendors_are_told_so() {
    let gateway = Gateway::new();
    let put = Request::put("/?Action=x")
        .header("host", "localhost")
        .body(Body::empty())
        .unwrap();
    gateway.send(put).await.assert_problem(405);
    let missing = "MissingParameter";
    for (request, code) in [
        (
            Request::get("/?Action=CreateProject&Version=2019-10-29"),
            missing,
        ),
        (Request::get("/?SecretId=a"), missing),
        (
            Request::post("/").header("x-tc-action", "CreateProject"),
            missing,
        ),
        (
            Request::post("/").header("authorization", "TC3-HMAC-SHA256 Credential=x"),
            "AuthFailure.InvalidAuthorization",
        ),
    ] {
        let request = request
            .header("host", "localhost")
            .body(Body::empty())
            .unwrap();
        let answer = gateway.send(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/json");
        let response = &answer.json()["Response"];
        assert_eq!(response["Error"]["Code"], code);
        assert_eq!(response["RequestId"].as_str().unwrap().len(), 36);
    }
    // A page in a browser reaches this door no more than the others.
    let request = Request::get("/?Action=x").header("host", "evil.example");
    gateway
        .send(request.body(Body::empty()).unwrap())
        .await
        .assert_problem(403);
}
