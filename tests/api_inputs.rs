//! The native door's inputs: put, shown, switched and taken away.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;

use doors::Gateway;
use serde_json::{Value, json};

const MAIN: &str = "/v1/streams/live/cam/inputs/main";

async fn put(gateway: &Gateway, path: &str, body: Value) -> doors::Answer {
    gateway.ask("PUT", path, Some(body)).await
}

#[tokio::test]
async fn an_input_is_put_shown_changed_and_taken_away() {
    let gateway = Gateway::new();
    let url = "https://a.example/live/cam.flv?token=canary7key";
    let made = put(&gateway, MAIN, json!({"url": url})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let input = made.json();
    assert_eq!(
        (
            &input["kind"],
            &input["url"],
            &input["origin"],
            &input["role"]
        ),
        (
            &"pull".into(),
            &"https://a.example/***".into(),
            &"api".into(),
            &"main".into()
        )
    );
    assert_eq!(put(&gateway, MAIN, json!({"url": url})).await.status, 200);
    let revealed = gateway
        .ask("GET", &format!("{MAIN}?reveal=true"), None)
        .await;
    assert_eq!(revealed.json()["url"], url);
    let files =
        json!({"files": ["/srv/media/a.mp4", "http://b.example/b.flv?k=canary7key"], "loops": -1});
    let changed = put(&gateway, MAIN, files).await;
    assert_eq!(changed.status, 200);
    let changed = changed.json();
    assert_eq!(
        (&changed["kind"], &changed["loops"]),
        (&"files".into(), &(-1).into())
    );
    assert_eq!(
        changed["files"],
        json!(["/srv/media/a.mp4", "http://b.example/***"])
    );
    let all = gateway.ask("GET", "/v1/inputs", None).await;
    assert!(!all.text.contains("canary7key"), "{}", all.text);
    let names: Vec<_> = all
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["stream"].clone())
        .collect();
    assert_eq!(names, ["cam", "of-file"]);
    assert_eq!(gateway.ask("DELETE", MAIN, None).await.status, 204);
    gateway.ask("DELETE", MAIN, None).await.assert_problem(404);
    gateway.ask("GET", MAIN, None).await.assert_problem(404);
    gateway
        .ask("GET", "/v1/streams/live/cam/inputs", None)
        .await
        .assert_problem(404);
}

#[tokio::test]
async fn a_push_url_is_made_for_a_while() {
    let gateway = Gateway::new();
    gateway.clock.set_ms(1_600_000_000_000);
    let body = json!({"push": {"expires_in_seconds": 60}});
    let made = put(&gateway, &format!("{MAIN}?reveal=true"), body.clone())
        .await
        .json();
    let url = made["push_url"].as_str().unwrap();
    assert!(
        url.starts_with("rtmp://gateway.example/live/cam-main-"),
        "{url}"
    );
    assert!(url.ends_with("&txTime=5F5E103C"), "{url}");
    assert_eq!(made["expires_at"], "2020-09-13T12:27:40Z");
    let again = put(&gateway, MAIN, body).await.json();
    assert_eq!(again["push_url"], "rtmp://gateway.example/live/***");
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_member() {
    let gateway = Gateway::new();
    for (body, field) in [
        (json!({}), "url"),
        (
            json!({"url": "rtmp://a.example/app/k", "files": ["/srv/media/a.mp4"]}),
            "url",
        ),
        (json!({"url": "srt://a.example/k"}), "url"),
        (json!({"url": "rtmp://refused.example/app/k"}), "url"),
        (
            json!({"url": "rtmp://a.example/app/k", "loops": 1}),
            "loops",
        ),
        (json!({"files": []}), "files"),
        (json!({"files": ["/etc/passwd.mp4"]}), "files"),
        (json!({"files": ["/srv/media/a.ts"]}), "files"),
        (json!({"files": ["/srv/media/a.mp4"], "loops": -2}), "loops"),
        (
            json!({"push": {"expires_in_seconds": 0}}),
            "push.expires_in_seconds",
        ),
    ] {
        let problem = put(&gateway, MAIN, body.clone()).await.assert_problem(422);
        assert_eq!(problem["field"], field, "{body}: {problem}");
    }
    let elsewhere = put(
        &gateway,
        "/v1/streams/other/cam/inputs/main",
        json!({"url": "rtmp://a.example/app/k"}),
    );
    assert_eq!(elsewhere.await.assert_problem(422)["field"], "app");
    let third = put(
        &gateway,
        "/v1/streams/live/cam/inputs/third",
        json!({"url": "rtmp://a.example/app/k"}),
    );
    third.await.assert_problem(404);
}

#[tokio::test]
async fn a_switch_wants_an_input_that_is_there() {
    let gateway = Gateway::new();
    let switch = |role: &str| {
        let body = json!({"role": role});
        let gateway = &gateway;
        async move {
            gateway
                .ask("POST", "/v1/streams/live/cam/inputs/switch", Some(body))
                .await
        }
    };
    switch("backup").await.assert_problem(404);
    let backup = "/v1/streams/live/cam/inputs/backup";
    put(&gateway, backup, json!({"url": "rtmp://a.example/app/k"})).await;
    switch("main").await.assert_problem(404);
    assert_eq!(switch("third").await.assert_problem(422)["field"], "role");
    assert_eq!(switch("backup").await.json()["preferred"], "backup");
}

#[tokio::test]
async fn inputs_of_the_configuration_are_only_shown() {
    let gateway = Gateway::new();
    let path = "/v1/streams/live/of-file/inputs/main";
    let shown = gateway.ask("GET", path, None).await;
    assert_eq!(shown.json()["origin"], "config");
    assert_eq!(shown.json()["url"], "rtmp://a.example/app/***");
    put(&gateway, path, json!({"url": "rtmp://b.example/app/k"}))
        .await
        .assert_problem(409);
    gateway.ask("DELETE", path, None).await.assert_problem(409);
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_put() {
    let gateway = Gateway::new();
    gateway.store.set_full(true);
    let refused = put(&gateway, MAIN, json!({"url": "rtmp://a.example/app/k"})).await;
    refused.assert_problem(503);
    gateway.ask("GET", MAIN, None).await.assert_problem(404);
}
