//! One target's trouble is its own: four bad targets beside good ones that lose nothing; and what may be no target at all.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::gateway::{Gateway, Site};
use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, Target};
use common::{encoder, eventually, flv, media, nginx::Nginx, packets};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;

/// How long something may take that has to come.
const LONG: Duration = Duration::from_secs(20);

/// Waits until a target is in `state` for a reason that holds one of these words.
async fn shows(gateway: &Gateway, rule: &str, what: &str, states: &[&str], words: &[&str]) {
    let mut seen = serde_json::Value::Null;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
    while tokio::time::Instant::now() < deadline {
        seen = gateway.target(rule).await.unwrap_or_default();
        let reason = seen["reason"].as_str().unwrap_or_default().to_lowercase();
        let state = seen["state"].as_str().unwrap_or_default();
        if states.contains(&state) && words.iter().any(|word| reason.contains(word)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: wanted {states:?} with one of {words:?} as reason, last seen {seen:#}");
}

#[tokio::test]
async fn bad_targets_say_why_and_good_ones_lose_nothing() {
    let ffmpeg = Path::new("ffmpeg");
    // Longer than the ten seconds after which a target that takes nothing is given up.
    let source = media::h264_aac(14, 2);
    let nginx = Nginx::start().await;
    let good = Target::start(Behaviour::Records).await;
    let never_reads = Target::start(Behaviour::NeverReads).await;
    let resets = Target::start(Behaviour::Resets).await;
    let behaviour = Behaviour::Refuses {
        code: "NetStream.Publish.BadName",
        description: "Somebody is publishing here",
    };
    let refuses = Target::start(behaviour).await;

    let gateway = Site::new("", "").start().await;
    gateway.create_rule("cam", &nginx.url("good")).await;
    let good_rule = gateway.create_rule("cam", &good.url("app/good")).await;
    let never_reads_rule = gateway
        .create_rule("cam", &never_reads.url("app/never-reads"))
        .await;
    let resets_rule = gateway.create_rule("cam", &resets.url("app/resets")).await;
    let refuses_rule = gateway
        .create_rule("cam", &refuses.url("app/refuses"))
        .await;
    let nowhere_rule = gateway
        .create_rule("cam", "rtmp://no-such-host.invalid/app/nowhere")
        .await;

    let mut publisher = encoder::ffmpeg(ffmpeg, &source, &gateway.publish_url("cam"));
    gateway.target_in(&good_rule, &["live"]).await;
    shows(
        &gateway,
        &resets_rule,
        "resets",
        &["backing_off"],
        &["reset", "closed"],
    )
    .await;
    shows(
        &gateway,
        &refuses_rule,
        "refuses",
        &["backing_off", "failed"],
        &["netstream.publish.badname"],
    )
    .await;
    shows(
        &gateway,
        &refuses_rule,
        "refuses",
        &["backing_off", "failed"],
        &["somebody is publishing here"],
    )
    .await;
    shows(
        &gateway,
        &nowhere_rule,
        "does not resolve",
        &["backing_off"],
        &["resolve", "dns", "name"],
    )
    .await;
    shows(
        &gateway,
        &never_reads_rule,
        "never reads",
        &["backing_off"],
        &["nothing was acknowledged"],
    )
    .await;
    publisher.succeed(Duration::from_secs(30)).await;

    let recording = nginx.recording("good").await;
    for track in ['v', 'a'] {
        let sent = packets::of_track(ffmpeg, &source, track);
        let received = packets::of_track(ffmpeg, &recording, track);
        assert_eq!(
            packets::assert_is_a_tail("nginx", &received, &sent),
            0,
            "all of track {track}"
        );
    }
    eventually("the good push ends", Duration::from_secs(10), || async {
        good.visits().first()?.end.clone()
    })
    .await;
    let visits = good.visits();
    assert_eq!(visits.len(), 1, "the good target was never left");
    flv::assert_same_tracks("good", &visits[0].tags(), &flv::read(&source));
}

#[tokio::test]
async fn nothing_that_is_configured_leads_to_a_private_address() {
    let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = trap.local_addr().unwrap().port();
    let configuration = format!(
        "[[apps]]\nname = \"live\"\npublish_auth = \"none\"\napp_id = 1234567890\nserver_secret = \"s\"\n\
         callback_url = \"http://127.1:{port}/callback\"\ncallback_secret = \"s\"\n\
         [[apps]]\nname = \"hooked\"\npublish_auth = \"hook\"\npublish_hook = \"http://2130706433:{port}/hook\"\n\
         [[webhooks]]\nurl = \"http://localhost:{port}/webhook\"\nsecret = \"s\"\n\
         [[rules]]\napp = \"live\"\nstream = \"cam\"\nurl = \"rtmp://127.0.0.1:{port}/app/configured\"\n\
         backup_url = \"rtmp://[::ffff:7f00:1]:{port}/app/backup\"\n\
         [[inputs]]\napp = \"live\"\nstream = \"pulled\"\nrole = \"main\"\nurl = \"http://0x7f.1:{port}/a.flv\"\n\
         [[inputs]]\napp = \"live\"\nstream = \"played\"\nrole = \"main\"\nurl = \"rtmp://localhost:{port}/app/a\"\n\
         [[inputs]]\napp = \"live\"\nstream = \"filed\"\nrole = \"main\"\nfiles = [\"http://017700000001:{port}/a.mp4\"]\n"
    );
    let site = Site::with_configuration(&configuration);
    let relay = format!("rtmp://localhost.:{port}/app/relayed");
    let gateway = site.start_with(&["--relay", &relay]).await;
    assert!(
        RmlPublisher::publish(gateway.rtmp, "hooked", "cam")
            .await
            .is_err()
    );
    let mut publisher = RmlPublisher::publish(gateway.rtmp, "live", "cam")
        .await
        .unwrap();
    let tags = flv::read(&media::h264_aac(3, 1));
    publisher.send_tags(&tags, 10.0).await.unwrap();
    let refused =
        "127.0.0.1 is a loopback address, refused unless egress.allow_private_addresses is true";
    eventually("both targets have failed", LONG, || async {
        let targets = gateway.targets().await;
        let has_failed = |target: &&serde_json::Value| {
            let reason = target["reason"].as_str().unwrap_or_default();
            target["state"] == "failed" && reason.contains(refused)
        };
        (targets.iter().filter(has_failed).count() == 2).then_some(())
    })
    .await;
    for stream in ["pulled", "played", "filed"] {
        eventually(&format!("{stream} has failed"), LONG, || async {
            let path = format!("/v1/streams/live/{stream}/inputs/main");
            let (_, input) = gateway.request(Method::GET, &path, None).await;
            let reason = input["reason"].as_str()?.to_owned();
            (input["state"] == "failed" && reason.contains(refused)).then_some(())
        })
        .await;
    }
    eventually("webhook and callback were tried", LONG, || async {
        let metrics = gateway.text("/metrics").await;
        let retries = metrics
            .lines()
            .find_map(|line| line.strip_prefix("aqueduct_notification_retries_total "))?;
        (retries.parse::<u32>().ok()? >= 2).then_some(())
    })
    .await;
    let private = format!("rtmp://127.0.0.1:{port}/app/key");
    let wish = json!({"app": "live", "stream": "cam", "url": private});
    let (status, problem) = gateway.request(Method::POST, "/v1/rules", Some(wish)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let wish = json!({"url": private, "publish": true});
    let (_, report) = gateway
        .request(Method::POST, "/v1/preflight", Some(wish))
        .await;
    assert_eq!(report["ok"], false, "{report}");
    assert!(report["steps"].to_string().contains(refused), "{report}");
    let asked = gateway.run(&site, &["preflight", &private]).await;
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    let called = tokio::time::timeout(Duration::from_millis(50), trap.accept()).await;
    assert!(called.is_err(), "nobody was called");
}
