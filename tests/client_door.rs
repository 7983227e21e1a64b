//! The client door: who may, for which streams, and what is answered.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;

use aqueduct::api::client::sign;
use aqueduct::secret::Secret;
use axum::body::Body;
use axum::http::Request;
use doors::zego::{APP_ID, NOW, OTHER_APP_ID};
use doors::{Answer, Gateway};
use serde_json::{Value, json};

const CLIENT_SECRET: &str = "fedcba9876543210fedcba9876543210";

fn gateway() -> Gateway {
    let gateway = Gateway::new();
    gateway.configure(|settings| {
        settings.zego.accounts[0].client_secret = Some(Secret::new(CLIENT_SECRET));
    });
    gateway.clock.set_ms(NOW * 1000);
    gateway
}

async fn post(gateway: &Gateway, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::post("/client/v1/publish_cdn")
        .header("host", "localhost")
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    gateway
        .send(request.body(Body::from(body.to_owned())).unwrap())
        .await
}

/// A command of the first app's, signed for this moment.
async fn ask(gateway: &Gateway, cmd: &str, stream: &str, url: &str) -> u64 {
    let signature = sign(APP_ID, NOW, &Secret::new(CLIENT_SECRET));
    let body = json!({"cmd": cmd, "app_id": APP_ID, "stream_id": stream, "cdn_server": url, "seq": 9,
        "timestamp": NOW, "signature": signature});
    let answer = post(gateway, &body.to_string(), &[]).await;
    let json = answer.json();
    assert_eq!(json["seq"], 9);
    json["code"].as_u64().unwrap()
}

fn urls(gateway: &Gateway) -> Vec<String> {
    let rules = gateway.rules.list(None);
    rules
        .iter()
        .map(|rule| rule.url.expose().to_owned())
        .collect()
}

#[tokio::test]
async fn relays_are_added_removed_and_cleared() {
    let gateway = gateway();
    let url = "rtmp://h/app/s?token=1";
    assert_eq!(ask(&gateway, "addpush", "s", url).await, 0);
    assert_eq!(ask(&gateway, "addpush", "s", url).await, 0);
    let rules = gateway.rules.list(None);
    assert_eq!(rules.len(), 1);
    assert_eq!(
        (rules[0].app.as_str(), rules[0].stream.as_str()),
        ("live", "s")
    );
    assert_eq!(
        ask(&gateway, "delpush", "s", "rtmp://H:1935/app/s").await,
        0
    );
    assert!(urls(&gateway).is_empty());
    assert_eq!(ask(&gateway, "addpush", "s", url).await, 0);
    assert_eq!(ask(&gateway, "clearpush", "s", "").await, 0);
    assert!(urls(&gateway).is_empty());
}

#[tokio::test]
async fn recorded_signatures_and_bodies_are_taken() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/zego.json")).unwrap();
    for case in fixture["client_signatures"].as_array().unwrap() {
        let app_id = u32::try_from(case["appid"].as_u64().unwrap()).unwrap();
        let secret = Secret::new(case["secret"].as_str().unwrap());
        let signature = sign(app_id, case["timestamp"].as_i64().unwrap(), &secret);
        assert_eq!(signature, case["signature"]);
    }
    let gateway = gateway();
    let mut body = fixture["client_body"].clone();
    body["cmd"] = json!("addpush");
    let answer = post(&gateway, &body.to_string(), &[]).await;
    assert_eq!(answer.json(), json!({"code": 0, "message": "ok", "seq": 0}));
    assert_eq!(urls(&gateway), [body["pushurl"].as_str().unwrap()]);
}

#[tokio::test]
async fn nobody_reaches_the_streams_of_another_app() {
    let gateway = gateway();
    assert_eq!(ask(&gateway, "addpush", "cam", "rtmp://h/app/s").await, 0);
    gateway.configure(|settings| {
        settings.zego.accounts[1].client_secret = Some(Secret::new("the other app's"));
    });
    let body = |app_id: u32| json!({"cmd": "delpush", "app_id": app_id, "stream_id": "cam", "cdn_server": "rtmp://h/app/s"});
    let other = [("authorization", "Bearer the other app's")];
    for (app_id, headers, expected) in [
        (APP_ID, &other[..], 5003),
        (OTHER_APP_ID, &other[..], 0),
        (7, &other[..], 5003),
        (APP_ID, &[][..], 5003),
    ] {
        let answer = post(&gateway, &body(app_id).to_string(), headers).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["code"], expected, "{app_id}");
        assert!(!answer.text.contains("the other app"), "{}", answer.text);
    }
    assert_eq!(urls(&gateway), ["rtmp://h/app/s"]);
    // With two apps the request has to say which one is meant.
    let mut nameless = body(APP_ID);
    nameless.as_object_mut().unwrap().remove("app_id");
    let bearer = format!("Bearer {CLIENT_SECRET}");
    let own = [("authorization", bearer.as_str())];
    let answer = post(&gateway, &nameless.to_string(), &own).await;
    assert_eq!(answer.json()["code"], 5005);
    gateway.configure(|settings| settings.zego.accounts.truncate(1));
    let answer = post(&gateway, &nameless.to_string(), &own).await;
    assert_eq!(answer.json()["code"], 0);
}

#[tokio::test]
async fn what_is_wrong_has_its_code() {
    let gateway = gateway();
    for (cmd, stream, url, expected) in [
        ("addpush", "s", "", 5004),
        ("addpush", "s", "http://h/app/s", 5004),
        ("addpush", "s", "rtmp://refused.example/app/s", 5004),
        ("delpush", "s", "", 5004),
        ("addpush", "", "rtmp://h/app/s", 30_009),
        ("addpush", "a/b", "rtmp://h/app/s", 30_009),
        ("addpush", "zegotest-7-s", "rtmp://h/app/s", 30_009),
        ("addpush", "zegotest-1234567890-s", "rtmp://h/app/s", 0),
    ] {
        assert_eq!(
            ask(&gateway, cmd, stream, url).await,
            expected,
            "{cmd} {stream} {url}"
        );
    }
    gateway.configure(|settings| settings.zego.accounts[0].environments.test = false);
    let test = ask(
        &gateway,
        "addpush",
        "zegotest-1234567890-s",
        "rtmp://h/app/t",
    )
    .await;
    assert_eq!(test, 100_000_017);
    for body in ["", "[]", "{\"cmd\":\"push\"}"] {
        let answer = post(&gateway, body, &[]).await;
        assert_eq!(answer.json()["code"], 5005, "{body}");
    }
}

#[tokio::test]
async fn an_apps_clients_have_their_rate_together() {
    let gateway = gateway();
    for call in 0..10 {
        assert_eq!(ask(&gateway, "clearpush", "s", "").await, 0, "{call}");
    }
    let body = json!({"cmd": "clearpush", "app_id": APP_ID, "stream_id": "s", "timestamp": NOW,
        "signature": sign(APP_ID, NOW, &Secret::new(CLIENT_SECRET))});
    let answer = post(&gateway, &body.to_string(), &[]).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["code"]),
        (429, &json!(5007))
    );
    assert_eq!(ask(&gateway, "addpush", "s", "rtmp://h/app/s").await, 0);
    // Who shows nothing takes nothing from the others.
    gateway.clock.set_ms(NOW * 1000 + 1000);
    for _ in 0..20 {
        let forged = json!({"cmd": "clearpush", "app_id": APP_ID, "stream_id": "s"});
        assert_eq!(
            post(&gateway, &forged.to_string(), &[]).await.json()["code"],
            5003
        );
    }
    assert_eq!(ask(&gateway, "clearpush", "s", "").await, 0);
}

#[tokio::test]
async fn browsers_are_told_which_pages_may_ask() {
    let gateway = gateway();
    let preflight = async |origin: &str| {
        let request = Request::options("/client/v1/publish_cdn")
            .header("host", "localhost")
            .header("origin", origin)
            .header("sec-fetch-site", "cross-site")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type");
        gateway.send(request.body(Body::empty()).unwrap()).await
    };
    let allowed = preflight("https://www.example.com").await;
    assert_eq!(allowed.status, 200);
    let says = |name| allowed.header(name).to_owned();
    assert_eq!(
        says("access-control-allow-origin"),
        "https://www.example.com"
    );
    assert_eq!(says("access-control-allow-methods"), "POST");
    assert!(says("access-control-allow-headers").contains("content-type"));
    assert!(says("vary").to_lowercase().contains("origin"));
    let foreign = preflight("https://evil.example").await;
    assert_eq!(foreign.status, 403);
    assert_eq!(foreign.header("access-control-allow-origin"), "");
    let page = [("origin", "https://www.example.com")];
    let answer = post(&gateway, "{}", &page).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://www.example.com"
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}
