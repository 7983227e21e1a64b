//! A stream that is pulled is seen and told like one that is published.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use md5::{Digest, Md5};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{PATIENCE, input_in, on_air, put};
use crate::common::gateway::{Gateway, Site};
use crate::common::web::{Content, State, Web};
use crate::common::{eventually, media};

const APP_ID: u32 = 1_234_567_890;
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The events of a gateway, as they come.
async fn listen(gateway: &Gateway) -> Arc<Mutex<Vec<Value>>> {
    let url = format!("http://{}/v1/events", gateway.http);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).bearer_auth(&gateway.token).send().await;
    let mut answer = answer.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let events = Arc::<Mutex<Vec<Value>>>::default();
    let heard = Arc::clone(&events);
    tokio::spawn(async move {
        let mut unread = String::new();
        while let Ok(Some(chunk)) = answer.chunk().await {
            unread.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((line, rest)) = unread.split_once('\n') {
                if let Some(event) = line.strip_prefix("data: ") {
                    heard
                        .lock()
                        .unwrap()
                        .push(serde_json::from_str(event).unwrap());
                }
                unread = rest.to_owned();
            }
        }
    });
    events
}

/// What ZEGO's server API says of the stream.
async fn described(gateway: &Gateway) -> Value {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap().as_secs();
    let nonce = "4fd24687296dd9f3";
    let signature = hex::encode(Md5::digest(format!("{APP_ID}{nonce}{SECRET}{now}")));
    let query = format!(
        "/?Action=DescribeRTCStreamState&StreamId=cam&AppId={APP_ID}&SignatureNonce={nonce}&Timestamp={now}\
         &Signature={signature}&SignatureVersion=2.0&IsTest=false"
    );
    let answer = gateway.text_for_a_stranger(&query).await;
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test]
async fn a_pulled_stream_is_in_the_feed_and_in_the_vendors_history_without_its_key() {
    let web = Web::start(Content {
        live: Some(media::h264_aac(4, 1)),
        ..Content::default()
    })
    .await;
    let app =
        format!("[[apps]]\nname = \"live\"\napp_id = {APP_ID}\nserver_secret = \"{SECRET}\"\n");
    let gateway = Site::new("", &format!("[relay]\ngrace_ms = 60000\n{app}"))
        .start()
        .await;
    let events = listen(&gateway).await;
    let unknown = described(&gateway).await;
    assert_eq!(unknown["Code"], 41_004, "{unknown}");
    put(
        &gateway,
        "main",
        json!({"url": web.url("live.flv?token=canary7key")}),
    )
    .await;
    on_air(&gateway, "main").await;
    let live = described(&gateway).await;
    assert_eq!(live["Code"], 0, "{live}");
    let stream = gateway
        .request(Method::GET, "/v1/streams/live/cam", None)
        .await
        .1;
    let input = &stream["inputs"][0];
    assert_eq!(
        (&input["kind"], &input["role"], &input["state"]),
        (&json!("pull"), &json!("main"), &json!("active")),
        "{stream}"
    );
    web.set(State::Down);
    let waiting = async || {
        let stream = gateway
            .request(Method::GET, "/v1/streams/live/cam", None)
            .await
            .1;
        (stream["inputs"][0]["state"] == "lost").then_some(())
    };
    eventually("it is waited for", PATIENCE, waiting).await;
    web.set(State::Up);
    on_air(&gateway, "main").await;
    let path = "/v1/streams/live/cam/inputs/main";
    gateway.request(Method::DELETE, path, None).await;
    let is_told = |kind: &str| {
        let events = events.lock().unwrap();
        events.iter().any(|event| event["type"] == kind)
    };
    eventually("its end is told", PATIENCE, || async {
        is_told("stream.ended").then_some(())
    })
    .await;
    eventually("the vendor's door remembers it", PATIENCE, || async {
        let closed = described(&gateway).await;
        (closed["Code"] == 41_006).then_some(())
    })
    .await;

    let events = events.lock().unwrap().clone();
    let of_stream: Vec<_> = events
        .iter()
        .map(|event| {
            let text = |member: &str| event[member].as_str().unwrap_or_default();
            let more = [text("input"), text("how"), text("reason")].join("");
            format!("{} {more}", text("type"))
        })
        .collect();
    assert_eq!(
        of_stream,
        [
            "publish.started pullnew",
            "publish.ended pulllost",
            "stream.waiting ",
            "publish.started pullreturn",
            "publish.ended pullkicked",
            "stream.ended finished",
        ]
    );
    let (began, ended) = (&events[0], &events[1]);
    assert!(began.get("peer").is_none(), "{began}");
    assert!(
        began["client"]
            .as_str()
            .unwrap()
            .starts_with("pull of http://"),
        "{began}"
    );
    assert!(ended["bytes"].as_u64().unwrap() > 1000, "{ended}");
    for text in [format!("{events:?}"), gateway.output(), stream.to_string()] {
        assert!(!text.contains("canary7key"), "{text}");
    }
}

#[tokio::test]
async fn both_inputs_are_shown_with_the_stream_and_files_end_in_order() {
    let file = media::h264_aac(4, 1);
    let folder = tempfile::tempdir().unwrap();
    let played = folder.path().canonicalize().unwrap().join("a.flv");
    std::fs::copy(&file, &played).unwrap();
    let web = Web::start(Content {
        live: Some(file),
        ..Content::default()
    })
    .await;
    let directory = played.parent().unwrap();
    let configuration = format!("[ingest]\nfile_directories = [{directory:?}]\n");
    let gateway = Site::new("", &configuration).start().await;
    let events = listen(&gateway).await;
    put(&gateway, "main", json!({"files": [played]})).await;
    put(&gateway, "backup", json!({"url": web.url("live.flv")})).await;
    on_air(&gateway, "main").await;
    input_in(&gateway, "backup", "standby").await;
    let stream = gateway
        .request(Method::GET, "/v1/streams/live/cam", None)
        .await
        .1;
    let shown: Vec<_> = (stream["inputs"].as_array().unwrap().iter())
        .map(|input| {
            let text = |member: &str| input[member].as_str().unwrap().to_owned();
            [text("role"), text("kind"), text("state")].join(" ")
        })
        .collect();
    assert_eq!(
        shown,
        ["main files active", "backup pull standby"],
        "{stream}"
    );
    // The list is over, and the stream goes on with the other one.
    on_air(&gateway, "backup").await;
    let of_files = || {
        let events = events.lock().unwrap();
        let ended = events
            .iter()
            .find(|event| event["type"] == "publish.ended" && event["input"] == "files");
        ended.cloned()
    };
    let ended = eventually("the end of the files is told", PATIENCE, || async {
        of_files()
    })
    .await;
    assert_eq!(ended["reason"], "unpublished", "{ended}");
}
