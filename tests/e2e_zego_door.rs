//! A system that drives ZEGO's server API starts and stops a push of a running stream.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use common::gateway::{Gateway, Site};
use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, End, Target};
use common::{eventually, flv, media};
use md5::{Digest, Md5};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha1::Sha1;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const APP_ID: u32 = 1_234_567_890;
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// One signed call about the stream `cam`, as the vendor's samples make it.
async fn call(gateway: &Gateway, action: &str, url: &str, sequence: u64) -> Value {
    let url = utf8_percent_encode(url, NON_ALPHANUMERIC);
    ask(
        gateway,
        &format!("Action={action}&StreamId=cam&CDNUrl={url}&Sequence={sequence}"),
    )
    .await
}

/// The gateway's own token is not sent: an `Authorization` header would make it a call of another vendor's.
async fn ask(gateway: &Gateway, parameters: &str) -> Value {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let nonce = "4fd24687296dd9f3";
    let signature = hex::encode(Md5::digest(format!("{APP_ID}{nonce}{SECRET}{now}")));
    let answer = gateway
        .text_for_a_stranger(&format!(
            "/?{parameters}&AppId={APP_ID}&SignatureNonce={nonce}&Timestamp={now}&Signature={signature}\
             &SignatureVersion=2.0&IsTest=false"
        ))
        .await;
    serde_json::from_str(&answer).unwrap_or_else(|_| panic!("JSON, not {answer}"))
}

fn assert_ok(answer: &Value) {
    assert_eq!(
        (&answer["Code"], &answer["Message"], &answer["Data"]),
        (&json!(0), &json!("ok"), &Value::Null)
    );
    assert!(
        answer["RequestId"]
            .as_str()
            .is_some_and(|id| id.chars().all(|digit| digit.is_ascii_digit())),
        "{answer}"
    );
}

#[tokio::test]
async fn creat_starts_a_push_and_delete_ends_it() {
    let tags = flv::read(&media::h264_aac(8, 2));
    let target = Target::start(Behaviour::Records).await;
    let app =
        format!("[[apps]]\nname = \"live\"\napp_id = {APP_ID}\nserver_secret = \"{SECRET}\"\n");
    let gateway = Site::new("", &app).start().await;
    let mut publisher = RmlPublisher::publish(gateway.rtmp, "live", "cam")
        .await
        .unwrap();
    let publishing = tokio::spawn(async move { publisher.send_tags(&tags, 1.0).await });

    assert_ok(
        &call(
            &gateway,
            "CreatCDNTransferRule",
            &target.url("app/name?sign=1"),
            1001,
        )
        .await,
    );
    target
        .visit("the push runs", Duration::from_secs(5), |visit| {
            visit.arrivals.len() > 20
        })
        .await;
    let rules = gateway.rules().await;
    assert_eq!(
        (rules.len(), &rules[0]["origin"]),
        (1, &json!("zego")),
        "{rules:?}"
    );
    // The same address with another token: stored, and the push that runs is left alone.
    let again = target.url("app/name?sign=2");
    assert_ok(&call(&gateway, "CreatCDNTransferRule", &again, 1002).await);
    let before = target.visits()[0].arrivals.len();
    eventually("the push goes on", Duration::from_secs(5), || async {
        let visit = target.visits().into_iter().next()?;
        (visit.arrivals.len() > before + 20).then_some(())
    })
    .await;
    assert_eq!(gateway.rules().await.len(), 1);
    assert_eq!(target.visits().len(), 1, "no second connection");
    assert!(target.visits()[0].end.is_none(), "and no end of the first");

    let late = call(
        &gateway,
        "DeleteCDNTransferRule",
        &target.url("app/name"),
        1001,
    )
    .await;
    assert_eq!(
        late["Code"],
        json!(5005),
        "a sequence that does not grow: {late}"
    );

    assert_ok(
        &call(
            &gateway,
            "DeleteCDNTransferRule",
            &target.url("app/name?other=2"),
            1003,
        )
        .await,
    );
    let visit = target
        .visit("the push ends", Duration::from_secs(5), |visit| {
            visit.end.is_some()
        })
        .await;
    assert_eq!(
        (visit.name.as_str(), visit.end),
        ("name?sign=1", Some(End::Closed))
    );
    assert!(gateway.rules().await.is_empty());
    assert!(!publishing.is_finished(), "the stream goes on");

    let forged = gateway
        .text_for_a_stranger("/?Action=CreatCDNTransferRule&AppId=1234567890")
        .await;
    assert!(!forged.contains("\"Code\":0,"), "{forged}");
}

/// A server that takes callbacks; what was told comes out of the channel.
async fn listener() -> (String, mpsc::UnboundedReceiver<Value>) {
    let (told, received) = mpsc::unbounded_channel();
    let take = post(
        async |State(told): State<mpsc::UnboundedSender<Value>>, text: String| {
            let _ = told.send(serde_json::from_str(&text).unwrap());
        },
    );
    let router = Router::new().route("/callbacks", take).with_state(told);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/callbacks", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, received)
}

/// The next callback, whose signature is right.
async fn told(received: &mut mpsc::UnboundedReceiver<Value>) -> Value {
    let body = tokio::time::timeout(Duration::from_secs(20), received.recv()).await;
    let body = body.expect("a callback within 20 s").unwrap();
    let mut parts = [
        "cb5ecret",
        body["timestamp"].as_str().unwrap(),
        body["nonce"].as_str().unwrap(),
    ];
    parts.sort_unstable();
    assert_eq!(body["signature"], hex::encode(Sha1::digest(parts.concat())));
    body
}

async fn code_of(gateway: &Gateway, action: &str) -> u64 {
    let answer = ask(gateway, &format!("Action={action}&StreamId=cam&Sequence=1")).await;
    answer["Code"].as_u64().unwrap()
}

async fn publishes(gateway: &Gateway, name: &str) -> Option<RmlPublisher> {
    RmlPublisher::publish(gateway.rtmp, &APP_ID.to_string(), name)
        .await
        .ok()
}

#[tokio::test]
async fn a_stream_is_dispatched_told_of_forbidden_and_resumed_over_a_restart() {
    let (url, mut callbacks) = listener().await;
    let target = Target::start(Behaviour::Records).await;
    let app = format!(
        "[[apps]]\nname = \"live\"\napp_id = {APP_ID}\nserver_secret = \"{SECRET}\"\n\
         callback_url = \"{url}\"\ncallback_secret = \"cb5ecret\"\n"
    );
    let site = Site::new("", &app);
    let gateway = site.start().await;
    let dispatched = ask(
        &gateway,
        "Action=RTMPDispatchV2&StreamId=cam&Type=push&Sequence=1",
    )
    .await;
    let place = format!("rtmp://{}/{APP_ID}/cam", gateway.rtmp);
    assert_eq!(dispatched["Data"], json!([place]));
    assert_eq!(code_of(&gateway, "DescribeRTCStreamState").await, 41_004);

    // What is dispatched is a place to publish to, of the app that rules know.
    let mut publisher = publishes(&gateway, "cam").await.unwrap();
    let tags = flv::read(&media::h264_aac(8, 2));
    let publishing = tokio::spawn(async move { publisher.send_tags(&tags, 1.0).await });
    let created = told(&mut callbacks).await;
    assert_eq!(
        (&created["event"], &created["stream_id"]),
        (&json!("stream_create"), &json!("cam"))
    );
    assert_eq!(code_of(&gateway, "DescribeRTCStreamState").await, 0);
    assert_ok(
        &call(
            &gateway,
            "CreatCDNTransferRule",
            &target.url("app/name"),
            1001,
        )
        .await,
    );
    for state in ["1", "2"] {
        let relay = told(&mut callbacks).await;
        assert_eq!(relay["event"], "stream_relay_cdn_state");
        assert_eq!(relay["info_list"][0]["state"], state, "{relay}");
    }
    eventually("media flows", Duration::from_secs(20), || async {
        let visit = target.visits().into_iter().next()?;
        (visit.arrivals.len() > 20).then_some(())
    })
    .await;

    assert_eq!(code_of(&gateway, "ForbidRTCStream").await, 0);
    let visit = eventually("the target is told", Duration::from_secs(20), || async {
        let mut visits = target.visits().into_iter();
        visits.find(|visit| visit.end.is_some())
    })
    .await;
    assert_eq!(visit.end, Some(End::Closed), "as at the end of any stream");
    let mut ends = [told(&mut callbacks).await, told(&mut callbacks).await];
    ends.sort_by_key(|body| body["event"].to_string());
    assert_eq!(
        (&ends[0]["event"], &ends[0]["type"]),
        (&json!("stream_close"), &json!("3"))
    );
    assert_eq!(ends[1]["info_list"][0]["update_reason"], "7");
    eventually("it is closed", Duration::from_secs(20), || async {
        (code_of(&gateway, "DescribeRTCStreamState").await == 41_006).then_some(())
    })
    .await;
    let _ = publishing.await;
    assert!(publishes(&gateway, "cam").await.is_none());
    assert!(publishes(&gateway, "other").await.is_some());

    // A stream of the test environment is published under its whole name.
    let name = format!("zegotest-{APP_ID}-cam");
    let url = utf8_percent_encode(&target.url("app/test"), NON_ALPHANUMERIC).to_string();
    let in_test = ask(
        &gateway,
        &format!("IsTest=true&Action=CreatCDNTransferRule&StreamId={name}&CDNUrl={url}&Sequence=1"),
    )
    .await;
    assert_ok(&in_test);
    let mut publisher = publishes(&gateway, &name).await.unwrap();
    let tags = flv::read(&media::h264_aac(8, 2));
    let publishing = tokio::spawn(async move { publisher.send_tags(&tags, 1.0).await });
    eventually("it is relayed", Duration::from_secs(20), || async {
        let mut visits = target.visits().into_iter();
        visits.find(|visit| visit.name == "test" && visit.arrivals.len() > 5)
    })
    .await;
    publishing.abort();
    gateway.kill_9();

    let gateway = site.start().await;
    assert!(
        publishes(&gateway, "cam").await.is_none(),
        "also after a restart"
    );
    assert_eq!(code_of(&gateway, "ResumeRTCStream").await, 0);
    assert!(publishes(&gateway, "cam").await.is_some());
}

#[tokio::test]
async fn a_reload_forgets_no_sequence() {
    let app =
        format!("[[apps]]\nname = \"live\"\napp_id = {APP_ID}\nserver_secret = \"{SECRET}\"\n");
    let site = Site::new("", &app);
    let gateway = site.start().await;
    let url = "rtmp://127.0.0.1:9/app/name";
    let reloads = || gateway.output().matches("configuration reloaded").count();
    for round in 0..10 {
        let began = Instant::now();
        assert_ok(&call(&gateway, "CreatCDNTransferRule", url, 1000 + round).await);
        let before = reloads();
        gateway.sighup();
        eventually("it is reloaded", Duration::from_secs(20), || async {
            (reloads() > before).then_some(())
        })
        .await;
        let late = call(&gateway, "DeleteCDNTransferRule", url, 1).await;
        // A machine that took longer has to try again: after ten seconds any number is taken.
        if began.elapsed() < Duration::from_secs(9) {
            assert_eq!(late["Code"], 5005, "{late}");
            return;
        }
    }
    panic!("no reload within nine seconds, ten times");
}

#[tokio::test]
async fn what_is_dispatched_lets_its_publisher_in() {
    for auth in [
        "publish_auth = \"signed\"\nsign_secret = \"s3cret\"",
        "publish_keys = [\"k=1\", \"other\"]",
    ] {
        let app = format!(
            "[[apps]]\nname = \"live\"\napp_id = {APP_ID}\nserver_secret = \"{SECRET}\"\n{auth}\n"
        );
        let site = Site::new("", &app);
        let gateway = site.start().await;
        assert!(publishes(&gateway, "cam").await.is_none());
        let push = "Action=RTMPDispatchV2&StreamId=cam&Type=push&Sequence=1";
        let dispatched = ask(&gateway, push).await;
        let url = dispatched["Data"][0].as_str().unwrap();
        let (_, name) = url.rsplit_once(&format!("/{APP_ID}/")).unwrap();
        assert!(publishes(&gateway, name).await.is_some(), "{auth}");
    }
}
