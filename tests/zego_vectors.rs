//! The ZEGO door against recorded requests with the answers that they have to get, under the clock that they name.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;

use std::sync::Arc;

use aqueduct::api::zego::sign;
use aqueduct::control::TargetState;
use aqueduct::secret::Secret;
use axum::body::Body;
use axum::http::Request;
use doors::{Answer, Gateway, stream_status, target_status};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/zego.json")).unwrap()
}

fn list<'a>(fixture: &'a Value, name: &str) -> &'a [Value] {
    fixture[name].as_array().unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {value}"))
}

async fn send(gateway: &Gateway, request: &Value) -> Answer {
    let mut built = Request::builder()
        .method(text(request, "method"))
        .uri(text(request, "target"))
        .header("host", "localhost:8080");
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        built = built.header(name, value.as_str().unwrap());
    }
    let body = request["body"].as_str().unwrap_or_default().to_owned();
    gateway.send(built.body(Body::from(body)).unwrap()).await
}

#[test]
fn signatures() {
    for case in list(&fixture(), "signatures") {
        let input = &case["input"];
        let signature = sign(
            u32::try_from(input["AppId"].as_u64().unwrap()).unwrap(),
            text(input, "SignatureNonce"),
            &Secret::new(text(input, "ServerSecret")),
            &input["Timestamp"].to_string(),
        );
        assert_eq!(signature, case["expected"], "{}", case["id"]);
    }
}

#[tokio::test]
async fn single_requests() {
    let mut gateway = Gateway::new();
    for case in list(&fixture(), "requests") {
        let continues = case["note"]
            .as_str()
            .is_some_and(|note| note.starts_with("run after"));
        if !continues {
            gateway = Gateway::new();
        }
        gateway.clock.set_ms(case["now"].as_i64().unwrap() * 1000);
        let answer = send(&gateway, &case["request"]).await;
        assert_eq!(
            answer.status,
            case["expect"]["http_status"].as_u64().unwrap() as u16
        );
        let json = answer.json();
        for (name, expected) in case["expect"]["json"].as_object().unwrap() {
            if expected == "<any-string>" {
                assert!(
                    json[name].as_str().is_some_and(|text| !text.is_empty()),
                    "{}",
                    case["id"]
                );
            } else {
                assert_eq!(json[name], *expected, "{}: {json}", case["id"]);
            }
        }
        let request_id = json["RequestId"].as_str().unwrap();
        assert!(
            request_id.bytes().all(|byte| byte.is_ascii_digit()),
            "{request_id}"
        );
        let members: Vec<&str> = json
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(members.len(), 4, "{members:?}");
    }
}

#[tokio::test]
async fn scenarios() {
    for scenario in list(&fixture(), "scenarios") {
        let gateway = Gateway::new();
        for (i, step) in list(scenario, "steps").iter().enumerate() {
            gateway.clock.set_ms(step["at_ms"].as_i64().unwrap());
            let json = send(&gateway, &step["request"]).await.json();
            let id = &scenario["id"];
            assert_eq!(json["Code"], step["expect_code"], "{id}, step {i}: {json}");
            for counted in scenario["rule_count_after"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let rules = gateway.rules.list(None);
                let of_stream = rules
                    .iter()
                    .filter(|rule| rule.stream.as_str() == text(counted, "stream"));
                assert_eq!(
                    of_stream.count() as u64,
                    counted["counts"][i],
                    "{id}, step {i}"
                );
            }
        }
    }
}

#[tokio::test]
async fn clear_keeps_what_runs() {
    let fixture = fixture();
    let scenario = &list(&fixture, "scenarios_clear")[0];
    let gateway = Gateway::new();
    for stream in ["c1", "c2"] {
        assert_eq!(gateway.add(stream, "rtmp://h/app/s").await.status, 201);
    }
    let rules = gateway.rules.list(None);
    let running = target_status(&rules[0], "live", "c1", TargetState::Live);
    let pending = target_status(&rules[1], "live", "c2", TargetState::Waiting);
    *gateway.running.targets.lock().unwrap() = vec![running, pending];
    *gateway.running.streams.lock().unwrap() = vec![stream_status("live", "c1")];
    for step in list(scenario, "steps") {
        gateway.clock.set_ms(step["at_ms"].as_i64().unwrap());
        let json = send(&gateway, &step["request"]).await.json();
        assert_eq!(json["Code"], step["expect_code"], "{json}");
    }
    let left: Vec<_> = gateway.rules.list(None);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].stream.as_str(), "c1");
}

#[tokio::test]
async fn addresses() {
    for pair in list(&fixture(), "addresses") {
        let gateway = Arc::new(Gateway::new());
        let created = gateway.add("s", text(pair, "a")).await;
        assert_eq!(created.status, 201);
        gateway.clock.set_ms(1_761_955_200_000);
        let url: String = form_urlencoded::byte_serialize(text(pair, "b").as_bytes()).collect();
        let signature = sign(
            1_234_567_890,
            "n",
            &Secret::new("0123456789abcdef0123456789abcdef"),
            "1761955200",
        );
        let target = format!(
            "/?Action=DeleteCDNTransferRule&StreamId=s&CDNUrl={url}&Sequence=1&AppId=1234567890\
             &SignatureNonce=n&Timestamp=1761955200&Signature={signature}&SignatureVersion=2.0"
        );
        assert_eq!(gateway.call(&target).await.json()["Code"], 0);
        assert_eq!(
            gateway.rules.list(None).is_empty(),
            pair["same"] == true,
            "{pair}"
        );
    }
}
