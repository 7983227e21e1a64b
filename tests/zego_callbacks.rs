//! The ZEGO door's callbacks: what they say, in which order, how they are signed, and how often they are tried.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct::api::zego::{CallbackTarget, Callbacks, sign_callback};
use aqueduct::control::{AppName, HttpUrl, StreamKey, TargetUrl};
use aqueduct::notify::{Courier, Post, PostError, Shaped};
use aqueduct::secret::Secret;
use aqueduct::telemetry::feed::{
    Feed, PublishChange, PublishStart, StreamChange, TargetChange, What,
};
use aqueduct::telemetry::labels::{PublishEnd, Setback, StreamEnd};
use doors::Gateway;
use doors::zego::{APP_ID, Caller, NOW};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::Instant;

const SECRET: &str = "cb5ecret";

/// Answers from its script, then 200; keeps what it was given, and when.
struct Receiver {
    script: Mutex<VecDeque<u16>>,
    got: Mutex<Vec<(u64, String, Value)>>,
    began: Instant,
}

impl Post for Receiver {
    fn post<'a>(
        &'a self,
        url: &'a HttpUrl,
        shaped: Shaped,
    ) -> BoxFuture<'a, Result<u16, PostError>> {
        let at = self.began.elapsed().as_secs();
        let body = serde_json::from_str(&shaped.body).unwrap();
        let place = url.target().to_owned();
        self.got.lock().unwrap().push((at, place, body));
        let status = self.script.lock().unwrap().pop_front().unwrap_or(200);
        std::future::ready(Ok(status)).boxed()
    }
}

struct Scene {
    caller: Caller,
    receiver: Arc<Receiver>,
    courier: Courier,
    callbacks: Callbacks,
    feed: Arc<Feed>,
}

fn target(app: &str, app_id: u32, path: &str) -> CallbackTarget {
    CallbackTarget {
        app: AppName::parse(app).unwrap(),
        app_id,
        url: HttpUrl::parse(&format!("https://app.example{path}")).unwrap(),
        secret: Secret::new(SECRET),
    }
}

fn scene(script: impl IntoIterator<Item = u16>) -> Scene {
    let caller = Caller::new(Gateway::new());
    let gateway = &caller.gateway;
    gateway.clock.set_ms(NOW * 1000);
    let receiver = Arc::new(Receiver {
        script: Mutex::new(script.into_iter().collect()),
        got: Mutex::default(),
        began: Instant::now(),
    });
    let courier = Courier::new(receiver.clone(), gateway.metrics.clone());
    let feed = gateway.metrics.feed().clone();
    let callbacks = Callbacks::new(
        feed.clone(),
        courier.clone(),
        gateway.rules.clone(),
        gateway.clock.clone(),
    );
    callbacks.tell(vec![target("live", APP_ID, "/callbacks?a=b")]);
    Scene {
        caller,
        receiver,
        courier,
        callbacks,
        feed,
    }
}

impl Scene {
    fn publish(&self, stream: &StreamKey, change: PublishChange) {
        self.feed.announce(What::Publish {
            stream: stream.clone(),
            peer: "192.0.2.7:4000".parse().unwrap(),
            input: None,
            change,
        });
    }

    fn start(&self, stream: &StreamKey, how: PublishStart) {
        let client = "FMLE".to_owned();
        self.publish(stream, PublishChange::Started { how, client });
    }

    fn leave(&self, stream: &StreamKey, reason: PublishEnd) {
        self.publish(
            stream,
            PublishChange::Ended {
                reason,
                bytes: 1,
                lasted: Duration::from_secs(1),
            },
        );
    }

    fn end(&self, stream: &StreamKey, reason: StreamEnd) {
        self.feed.announce(What::Stream {
            stream: stream.clone(),
            change: StreamChange::Ended { reason },
        });
    }

    /// Everything that is told until the end of the feed.
    async fn told(self) -> Vec<Value> {
        self.feed.close();
        self.courier.drain(Duration::from_secs(3600)).await;
        let got = self.receiver.got.lock().unwrap();
        got.iter().map(|(_, _, body)| body.clone()).collect()
    }
}

fn key(app: &str, name: &str) -> StreamKey {
    StreamKey::parse(app, name).unwrap()
}

#[test]
fn recorded_signatures() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/zego.json")).unwrap();
    let cases = fixture["callback_signatures"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let part = |name: &str| case[name].as_str().unwrap();
        let signature = sign_callback(
            &Secret::new(part("callbacksecret")),
            part("timestamp"),
            part("nonce"),
        );
        assert_eq!(signature, part("signature"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_told_of_from_its_beginning_to_its_end() {
    let scene = scene([]);
    let cam = key("live", "cam");
    scene.start(&cam, PublishStart::New);
    // Who takes over or returns goes on with the same stream; other apps are none of this one's business.
    scene.start(&cam, PublishStart::Takeover);
    scene.leave(&cam, PublishEnd::TakenOver);
    scene.start(&key("other", "cam"), PublishStart::New);
    scene.leave(&cam, PublishEnd::Unpublished);
    scene.end(&cam, StreamEnd::Finished);
    scene.start(&cam, PublishStart::New);
    let told = scene.told().await;
    let events: Vec<_> = told.iter().map(|body| &body["event"]).collect();
    assert_eq!(events, ["stream_create", "stream_close", "stream_create"]);
    for body in &told {
        let text = |name: &str| body[name].as_str().unwrap();
        let signature = sign_callback(&Secret::new(SECRET), text("timestamp"), text("nonce"));
        assert_eq!(text("signature"), signature);
        assert_eq!(
            (text("appid"), text("timestamp")),
            ("1234567890", NOW.to_string().as_str())
        );
        assert_eq!((text("stream_id"), text("stream_alias")), ("cam", "cam"));
        assert_eq!((text("room_id"), text("user_id")), ("", ""));
    }
    let [create, close, again] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(create["stream_attr"], "{\"cid\":0}");
    assert_eq!(
        (&create["recreate"], &again["recreate"]),
        (&json!("0"), &json!("1"))
    );
    assert_eq!(create["rtmp_url"], json!([]));
    assert_eq!(close["type"], "0");
    assert_eq!(close["stream_sid"], create["stream_sid"]);
    assert_ne!(again["stream_sid"], create["stream_sid"]);
    assert_eq!(close["create_time_ms"], create["create_time_ms"]);
    let sequence: Vec<_> = told.iter().map(|body| &body["stream_seq"]).collect();
    assert_eq!(sequence, ["1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn how_a_stream_ended_has_its_number() {
    let scene = scene([]);
    let ends = [
        (PublishEnd::Unpublished, StreamEnd::Finished, "0"),
        (PublishEnd::Draining, StreamEnd::Finished, "0"),
        (PublishEnd::Idle, StreamEnd::Lost, "1"),
        (PublishEnd::Kicked, StreamEnd::Finished, "3"),
        (PublishEnd::Lost, StreamEnd::Finished, "3"),
        (PublishEnd::Lost, StreamEnd::Lost, "4"),
        (PublishEnd::Closed, StreamEnd::Lost, "4"),
        (PublishEnd::Protocol, StreamEnd::Finished, "4"),
    ];
    for (number, (publisher, stream, _)) in ends.into_iter().enumerate() {
        let name = key("live", &number.to_string());
        scene.start(&name, PublishStart::New);
        scene.leave(&name, publisher);
        scene.end(&name, stream);
    }
    let told = scene.told().await;
    let types: Vec<_> = told
        .iter()
        .filter_map(|body| body["type"].as_str())
        .collect();
    let expected: Vec<_> = ends.iter().map(|(_, _, number)| *number).collect();
    assert_eq!(types, expected);
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_tried_six_times_in_order_and_signed_anew() {
    let scene = scene([500, 404, 302, 500, 500, 500]);
    let (a, b) = (key("live", "a"), key("live", "b"));
    scene.start(&a, PublishStart::New);
    scene.start(&b, PublishStart::New);
    // A drain would cut the pauses short, so wait for them first.
    tokio::time::sleep(Duration::from_secs(100)).await;
    let receiver = scene.receiver.clone();
    scene.told().await;
    let got = receiver.got.lock().unwrap();
    let tries: Vec<_> = got
        .iter()
        .map(|(at, place, body)| (*at, place.as_str(), body["stream_id"].as_str().unwrap()))
        .collect();
    let place = "/callbacks?a=b";
    let of_a = [0, 2, 6, 14, 30, 62].map(|at| (at, place, "a"));
    assert_eq!(tries[..6], of_a);
    assert_eq!(tries[6..], [(62, place, "b")], "the next one waits for it");
    let nonces: std::collections::HashSet<_> = got
        .iter()
        .map(|(_, _, body)| body["nonce"].to_string())
        .collect();
    assert_eq!(nonces.len(), 7);
}

#[tokio::test(start_paused = true)]
async fn relays_are_told_of_in_the_sdks_numbers_without_secrets() {
    let scene = scene([]);
    let url = "rtmp://push.example.com/live/cam?txSecret=canary";
    assert_eq!(scene.caller.create("cam", url).await, 0);
    scene.caller.gateway.add("cam", "rtmp://h/app/canary").await;
    let rules = scene.caller.gateway.rules.list(None);
    let cam = key("live", "cam");
    let announce = |place: usize, change: TargetChange| {
        let rule = &rules[place];
        scene.feed.announce(What::Target {
            rule: rule.id.clone(),
            stream: cam.clone(),
            url: TargetUrl::parse(rule.url.expose()).unwrap(),
            attempt: 1,
            change,
        });
    };
    for change in [
        TargetChange::Connecting,
        TargetChange::Live,
        TargetChange::BackingOff {
            reason: Setback::Closed,
            detail: String::new(),
            retry_in: Duration::from_secs(1),
        },
        TargetChange::Failed {
            reason: Setback::BadName,
            detail: "NetStream.Publish.BadName: taken".to_owned(),
        },
    ] {
        announce(0, change);
    }
    // The other door's URL has its key in its path.
    announce(1, TargetChange::Connecting);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let id = rules[1].id.clone();
    scene
        .caller
        .gateway
        .ask("DELETE", &format!("/v1/rules/{id}"), None)
        .await;
    announce(1, TargetChange::Stopped { bytes: 1 });
    let told = scene.told().await;
    let rows: Vec<_> = told
        .iter()
        .map(|body| {
            assert_eq!(body["event"], "stream_relay_cdn_state");
            assert_eq!(
                (&body["stream_id"], &body["stream_alias"]),
                (&json!("cam"), &json!("cam"))
            );
            let info = &body["info_list"][0];
            let at: i64 = info["state_time"].as_str().unwrap().parse().unwrap();
            assert!(at > 1_600_000_000_000);
            [&info["url"], &info["state"], &info["update_reason"]]
                .map(|part| part.as_str().unwrap())
        })
        .collect();
    let ours = "rtmp://push.example.com/live/cam";
    assert_eq!(
        rows,
        [
            [ours, "1", "0"],
            [ours, "2", "0"],
            [ours, "1", "6"],
            [ours, "0", "5"],
            ["rtmp://h/app/***", "1", "0"],
            ["rtmp://h/app/***", "0", "7"],
        ]
    );
    assert!(!format!("{told:?}").contains("canary"));
}

#[tokio::test(start_paused = true)]
async fn a_reload_changes_whom_it_changes() {
    let scene = scene([]);
    let told = |path: &str| {
        let got = scene.receiver.got.lock().unwrap();
        let of_path = got.iter().filter(|(_, place, _)| place == path);
        of_path
            .map(|(_, _, body)| body["stream_seq"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let step = || tokio::time::sleep(Duration::from_secs(1));
    scene.start(&key("live", "a"), PublishStart::New);
    step().await;
    scene.callbacks.tell(vec![
        target("live", APP_ID, "/callbacks?a=b"),
        target("other", 42, "/other"),
    ]);
    scene.start(&key("live", "b"), PublishStart::New);
    scene.start(&key("other", "b"), PublishStart::New);
    step().await;
    assert_eq!(told("/callbacks?a=b"), ["1", "2"], "it went on undisturbed");
    assert_eq!(told("/other"), ["1"]);
    scene.callbacks.tell(vec![target("live", APP_ID, "/new")]);
    scene.start(&key("live", "c"), PublishStart::New);
    scene.start(&key("other", "c"), PublishStart::New);
    step().await;
    assert_eq!(told("/callbacks?a=b").len(), 2);
    assert_eq!(told("/other").len(), 1);
    assert_eq!(told("/new"), ["1"]);
}
