//! What a rule says beside app, stream and URL, with the real binary and a real encoder.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::gateway::{Gateway, Site};
use common::target::{Behaviour, End, Target, Visit};
use common::{encoder, eventually, media};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const CANARY: &str = "canary7key";

/// The `n`th visit of a push, once it has ended; with a goodbye, and not with a reset.
async fn goodbye(target: &Target, n: usize) -> Visit {
    let ended = || async {
        let visit = target.visits().into_iter().nth(n)?;
        visit.end.is_some().then_some(visit)
    };
    let visit = eventually("the push ends", Duration::from_secs(10), ended).await;
    assert_eq!(visit.end, Some(End::Closed));
    let goodbye = ["FCUnpublish".to_owned(), "deleteStream".to_owned()];
    assert!(visit.commands.ends_with(&goodbye), "{:?}", visit.commands);
    visit
}

async fn change(gateway: &Gateway, rule: &str, change: Value) -> Value {
    let path = format!("/v1/rules/{rule}");
    let (status, rule) = gateway.request(Method::PATCH, &path, Some(change)).await;
    assert_eq!(status, StatusCode::OK, "{rule}");
    rule
}

#[tokio::test]
async fn a_backup_takes_over_where_the_first_url_is_refused_and_no_key_is_shown() {
    let denies = Target::start(Behaviour::Refuses {
        code: "NetStream.Publish.Denied",
        description: "no {name} here",
    })
    .await;
    let (backup, other) = (
        Target::start(Behaviour::Records).await,
        Target::start(Behaviour::Records).await,
    );
    let rule = format!(
        "[[rules]]\nurl = \"{}\"\nbackup_url = \"{}\"",
        denies.url(&format!("app/{CANARY}")),
        backup.url(&format!("app/{CANARY}?to={{stream}}")),
    );
    let site = Site::new("", &rule);
    let gateway = site.start().await;
    let plain = gateway.create_rule("cam", &other.url("app/x")).await;
    let source = media::h264_aac(8, 2);
    let mut publisher = encoder::ffmpeg(Path::new("ffmpeg"), &source, &gateway.publish_url("cam"));
    let rule = gateway.rules().await[0]["id"].as_str().unwrap().to_owned();
    let target = gateway.target_in(&rule, &["live"]).await;
    assert_eq!(target["role"], "backup");
    assert_eq!(target["url"], backup.url("app/***"));
    assert_eq!(
        target["reason"],
        "the main URL failed: refused at publish: NetStream.Publish.Denied (no *** here)"
    );
    assert!(gateway.target(&plain).await.unwrap().get("role").is_none());
    let shown = gateway.run(&site, &["streams", "show", "cam"]).await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("to its backup rtmp://"), "{shown}");
    let whole = gateway.text("/v1/targets?reveal=true").await;
    assert!(whole.contains(&format!("{CANARY}?to=cam")), "{whole}");
    let metrics = gateway.text("/metrics").await;
    let switched = "aqueduct_target_switches_total{to=\"backup\"} 1";
    assert!(metrics.contains(switched), "{metrics}");
    publisher.succeed(Duration::from_secs(30)).await;
    let visit = goodbye(&backup, 0).await;
    assert!(
        visit
            .arrivals
            .iter()
            .any(|arrival| arrival.tag.is_keyframe())
    );
    assert_eq!(denies.visits().len(), 1);
    for text in [gateway.output(), shown, metrics] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[tokio::test]
async fn a_rule_is_switched_off_and_on_and_ends_by_itself() {
    let (target, beside) = (
        Target::start(Behaviour::Records).await,
        Target::start(Behaviour::Records).await,
    );
    let gateway = Site::new("", "").start().await;
    let rule = gateway.create_rule("cam", &target.url("app/x")).await;
    let untouched = gateway.create_rule("*", &beside.url("app/{stream}")).await;
    let source = media::h264_aac(20, 2);
    let mut publisher = encoder::ffmpeg(Path::new("ffmpeg"), &source, &gateway.publish_url("cam"));
    gateway.target_in(&rule, &["live"]).await;
    gateway.target_in(&untouched, &["live"]).await;

    let off = change(&gateway, &rule, json!({"enabled": false})).await;
    assert_eq!(off["enabled"], false);
    goodbye(&target, 0).await;
    // Its push says first that it was ended; the rule speaks once the push is gone.
    let stopped = "the rule is disabled";
    gateway.target_that_says(&rule, "stopped", stopped).await;

    change(&gateway, &rule, json!({"enabled": true})).await;
    gateway.target_in(&rule, &["live"]).await;
    let soon = OffsetDateTime::now_utc() + Duration::from_secs(1);
    let soon = soon.format(&Rfc3339).unwrap();
    change(&gateway, &rule, json!({"stop_at": soon})).await;
    let visit = goodbye(&target, 1).await;
    assert!(!visit.arrivals.is_empty(), "it was live until then");
    let stopped = "the rule's stop_at has passed";
    gateway.target_that_says(&rule, "stopped", stopped).await;
    assert_eq!(gateway.rules().await.len(), 2, "it stays");

    change(
        &gateway,
        &rule,
        json!({"stop_at": null, "chunk_size": 60_000}),
    )
    .await;
    gateway.target_in(&rule, &["live"]).await;
    assert_eq!(gateway.target(&untouched).await.unwrap()["attempt"], 1);
    publisher.succeed(Duration::from_secs(40)).await;
    goodbye(&target, 2).await;
    goodbye(&beside, 0).await;
    assert_eq!(beside.visits().len(), 1);
}
