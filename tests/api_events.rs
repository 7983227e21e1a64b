//! `/v1/events`: what listeners are sent, from where on, and how many they may be.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;

use aqueduct::api::limits::MAX_EVENT_LISTENERS;
use aqueduct::telemetry::events::{RuleCreated, RuleDeleted, StreamEnded};
use aqueduct::telemetry::feed::HISTORY_MAX;
use aqueduct::telemetry::labels::StreamEnd;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use doors::{Gateway, TOKEN};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// One listener's connection.
struct Events(Body);

impl Events {
    /// What comes next: a block of lines, up to the empty one.
    async fn next(&mut self) -> Option<String> {
        let frame = self.0.frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    /// The next event's data.
    async fn data(&mut self) -> Value {
        let block = self.next().await.unwrap();
        let data = block.lines().find_map(|line| line.strip_prefix("data: "));
        serde_json::from_str(data.unwrap_or_else(|| panic!("{block}"))).unwrap()
    }
}

async fn get(gateway: &Gateway, target: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder()
        .uri(target)
        .header("host", "localhost:8080");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(aqueduct::api::Connection {
        remote: "127.0.0.1:4000".parse().unwrap(),
        local: "127.0.0.1:8080".parse().unwrap(),
        beyond_loopback: false,
    });
    gateway.router.clone().oneshot(request).await.unwrap()
}

/// Listens, from after this id on where there is one; what says where it stands is read already.
async fn listen(gateway: &Gateway, query: &str, last: Option<&str>) -> (Events, String) {
    let bearer = format!("Bearer {TOKEN}");
    let mut headers = vec![("authorization", &*bearer)];
    headers.extend(last.map(|id| ("last-event-id", id)));
    let response = get(gateway, &format!("/v1/events{query}"), &headers).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut events = Events(response.into_body());
    let first = events.next().await.unwrap();
    (events, first)
}

fn id_of(block: &str) -> String {
    let id = block.lines().find_map(|line| line.strip_prefix("id: "));
    id.unwrap_or_else(|| panic!("{block}")).to_owned()
}

fn end(gateway: &Gateway, stream: &str) {
    let (app, name) = stream.split_once('/').unwrap();
    StreamEnded {
        stream: &aqueduct::rule::StreamKey::parse(app, name).unwrap(),
        reason: StreamEnd::Finished,
    }
    .emit(&gateway.metrics);
}

#[tokio::test]
async fn events_come_as_they_happen_with_their_keys_masked() {
    let gateway = Gateway::new();
    let (mut events, first) = listen(&gateway, "", None).await;
    assert!(!first.contains("data:"), "nobody is shown it: {first}");
    let made = gateway.add("cam", "rtmp://h/app/canary-key").await;
    assert_eq!(made.status, 201);
    end(&gateway, "live/cam");
    let rule = events.data().await;
    assert_eq!(rule["type"], "rule.created");
    assert_eq!(
        (&rule["app"], &rule["stream"]),
        (&"live".into(), &"cam".into())
    );
    assert_eq!(rule["url"], "rtmp://h/app/***");
    assert_eq!(rule["rule"], made.json()["id"]);
    assert_eq!(rule["origin"], "api");
    assert!(!rule.to_string().contains("canary"), "{rule}");
    let ended = events.data().await;
    assert_eq!(ended["type"], "stream.ended");
    assert_eq!(ended["reason"], "finished");
    let number = |event: &Value| -> u64 {
        let id = event["id"].as_str().unwrap().to_owned();
        id.split_once('-').unwrap().1.parse().unwrap()
    };
    assert_eq!(number(&rule) + 1, number(&ended));
    gateway.metrics.feed().close();
    assert!(events.next().await.is_none(), "the gateway ends");
}

#[tokio::test]
async fn a_listener_that_returns_gets_what_it_missed_or_is_told_that_it_is_gone() {
    let gateway = Gateway::new();
    let (_, first) = listen(&gateway, "", None).await;
    end(&gateway, "live/a");
    end(&gateway, "live/b");
    let (mut events, _) = listen(&gateway, "", Some(&id_of(&first))).await;
    let a = events.data().await;
    assert_eq!(a["stream"], "a");
    let place = format!("?last_event_id={}", a["id"].as_str().unwrap());
    let (mut events, _) = listen(&gateway, &place, None).await;
    assert_eq!(events.data().await["stream"], "b");
    let era = gateway.metrics.feed().era();
    for unknown in ["1-1", "x", &format!("{era}-99999")] {
        let (mut events, reset) = listen(&gateway, "", Some(unknown)).await;
        assert!(reset.contains("event: reset\n"), "{unknown}: {reset}");
        end(&gateway, "live/c");
        assert_eq!(events.data().await["stream"], "c", "it goes on from now");
    }
    for _ in 0..HISTORY_MAX {
        end(&gateway, "live/many");
    }
    let (mut events, _) = listen(&gateway, "", Some(&id_of(&first))).await;
    let reset = events.next().await.unwrap();
    assert!(reset.contains("event: reset\n"), "{reset}");
    assert!(reset.contains("5 events were missed"), "{reset}");
    assert_eq!(events.data().await["stream"], "many");
}

#[tokio::test]
async fn filters_leave_out_what_is_not_wanted() {
    let gateway = Gateway::new();
    let (mut app, _) = listen(&gateway, "?app=other", None).await;
    let (mut stream, _) = listen(&gateway, "?app=live&stream=cam1", None).await;
    let (mut kinds, _) = listen(&gateway, "?type=rule.*,stream.waiting", None).await;
    for name in ["live/cam", "other/cam", "live/cam1"] {
        end(&gateway, name);
    }
    assert_eq!(gateway.add("cam*", "rtmp://h/app/x").await.status, 201);
    assert_eq!(gateway.add("other*", "rtmp://h/app/y").await.status, 201);
    gateway.metrics.feed().close();
    assert_eq!(app.data().await["app"], "other");
    assert!(app.next().await.is_none());
    assert_eq!(stream.data().await["stream"], "cam1");
    let rule = stream.data().await;
    assert_eq!(
        (&rule["type"], &rule["stream"]),
        (&"rule.created".into(), &"cam*".into())
    );
    assert!(
        stream.next().await.is_none(),
        "the other rule is not for it"
    );
    assert_eq!(kinds.data().await["stream"], "cam*");
    assert_eq!(kinds.data().await["stream"], "other*");
    for wrong in ["?type=nothing", "?type=target.liv", "?app=", "?nothing=1"] {
        let refused = gateway
            .ask("GET", &format!("/v1/events{wrong}"), None)
            .await;
        refused.assert_problem(400);
    }
}

#[tokio::test]
async fn listeners_show_the_token_and_are_bounded() {
    let gateway = Gateway::new();
    for (target, header) in [
        ("/v1/events", None),
        ("/v1/events?access_token=wrong", None),
        ("/v1/events?access_token=", None),
        ("/v1/events", Some("Bearer wrong")),
        // One way at a time: a header is what counts.
        (
            &*format!("/v1/events?access_token={TOKEN}"),
            Some("Bearer wrong"),
        ),
    ] {
        let headers: Vec<_> = header
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        let refused = get(&gateway, target, &headers).await;
        assert_eq!(refused.status(), 401, "{target}");
    }
    // No other route takes it from the query.
    let elsewhere = get(&gateway, &format!("/v1/rules?access_token={TOKEN}"), &[]).await;
    assert_eq!(elsewhere.status(), 401);
    let by_query = get(&gateway, &format!("/v1/events?access_token={TOKEN}"), &[]).await;
    assert_eq!(by_query.status(), 200);
    drop(by_query);
    let mut all = Vec::new();
    for _ in 0..MAX_EVENT_LISTENERS {
        all.push(listen(&gateway, "", None).await);
    }
    gateway
        .ask("GET", "/v1/events", None)
        .await
        .assert_problem(503);
    all.pop();
    listen(&gateway, "", None).await;
}

#[tokio::test]
async fn every_type_has_its_name_on_the_list() {
    let gateway = Gateway::new();
    let made = gateway.add("cam", "rtmp://h/app/x").await.json();
    let id = aqueduct::control::RuleId::parse(made["id"].as_str().unwrap()).unwrap();
    let rule = &gateway.rules.find(&id).unwrap();
    let (mut events, _) = listen(&gateway, "", None).await;
    RuleCreated { rule }.emit(&gateway.metrics);
    RuleDeleted { rule, stored: true }.emit(&gateway.metrics);
    for _ in 0..2 {
        let kind = events.data().await["type"].as_str().unwrap().to_owned();
        assert!(aqueduct::control::is_event_type(&kind), "{kind}");
    }
}
