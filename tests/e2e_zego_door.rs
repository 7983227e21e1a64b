//! A system that drives ZEGO's server API starts and stops a push of a running stream.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::time::{Duration, SystemTime};

use common::gateway::{Gateway, Site};
use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, End, Target};
use common::{eventually, flv, media};
use md5::{Digest, Md5};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

const APP_ID: u32 = 1_234_567_890;
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// One signed call, as the vendor's samples make it.
///
/// The gateway's own token is not sent: an `Authorization` header would make it a call of another vendor's.
async fn call(gateway: &Gateway, action: &str, url: &str, sequence: u64) -> Value {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let nonce = "4fd24687296dd9f3";
    let signature = hex::encode(Md5::digest(format!("{APP_ID}{nonce}{SECRET}{now}")));
    let url = utf8_percent_encode(url, NON_ALPHANUMERIC);
    let answer = gateway
        .text_for_a_stranger(&format!(
            "/?Action={action}&AppId={APP_ID}&SignatureNonce={nonce}&Timestamp={now}&Signature={signature}\
             &SignatureVersion=2.0&IsTest=false&StreamId=cam&CDNUrl={url}&Sequence={sequence}"
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
    eventually("the push runs", Duration::from_secs(5), || async {
        target
            .visits()
            .first()
            .filter(|visit| visit.arrivals.len() > 20)
            .map(|_| ())
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
    let visit = eventually("the push ends", Duration::from_secs(5), || async {
        target
            .visits()
            .into_iter()
            .next()
            .filter(|visit| visit.end.is_some())
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
