//! Who may publish: by key, one at a time, over RTMP and over RTMPS.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::gateway::{Gateway, Site};
use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, End, Target};
use common::{encoder, flv, media};

const KEYED: &str =
    "[[apps]]\nname = \"live\"\npublish_auth = \"key\"\npublish_keys = [\"first\", \"second\"]\n";

async fn has_stream(gateway: &Gateway, name: &str) -> bool {
    gateway.text("/v1/streams").await.contains(name)
}

#[tokio::test]
async fn a_wrong_key_is_refused_before_anything_is_relayed() {
    let target = Target::start(Behaviour::Records).await;
    let site = Site::new("", KEYED);
    let gateway = site
        .start_with(&["--relay", &target.url("app/{stream}")])
        .await;
    for name in [
        "cam?key=wrong",
        "cam?key=",
        "cam",
        "cam?key=firs",
        "cam?key=first2",
        "cam?other=first",
    ] {
        let refusal = RmlPublisher::publish(gateway.rtmp, "live", name)
            .await
            .err();
        assert!(refusal.is_some(), "{name} is refused");
    }
    assert!(
        RmlPublisher::publish(gateway.rtmp, "elsewhere", "cam?key=first")
            .await
            .is_err(),
        "an unknown app"
    );
    assert!(
        !has_stream(&gateway, "cam").await && target.visits().is_empty(),
        "nothing came through"
    );

    let _publisher = RmlPublisher::stream(gateway.rtmp, "cam?key=second", 3, 2.0).await;
    let visit = target
        .visit(
            "the right key's stream is relayed",
            Duration::from_secs(10),
            |visit| visit.arrivals.len() > 20,
        )
        .await;
    assert_eq!(visit.name, "cam", "the publisher's key is not handed on");
}

#[tokio::test]
async fn the_same_key_takes_over_and_another_is_refused() {
    let tags = flv::read(&media::h264_aac(3, 1));
    let gateway = Site::new("", KEYED).start().await;
    let mut first = RmlPublisher::publish(gateway.rtmp, "live", "cam?key=first")
        .await
        .unwrap();
    first.send_tags(&tags[..20], 10.0).await.unwrap();
    let refusal = RmlPublisher::publish(gateway.rtmp, "live", "cam?key=second")
        .await
        .err()
        .unwrap();
    assert!(
        refusal.contains("BadName"),
        "another key's publisher does not take over: {refusal}"
    );

    let mut second = RmlPublisher::publish(gateway.rtmp, "live", "cam?key=first")
        .await
        .unwrap();
    second.send_tags(&tags[..20], 10.0).await.unwrap();
    assert!(
        first.send_tags(&tags, 1.0).await.is_err(),
        "the first is closed"
    );
    assert!(has_stream(&gateway, "cam").await, "the second goes on");
}

#[tokio::test]
async fn a_second_publisher_is_refused_where_configured() {
    let tags = flv::read(&media::h264_aac(3, 1));
    let gateway = Site::new("", "[relay]\nduplicate_publisher = \"reject\"\n")
        .start()
        .await;
    let mut first = RmlPublisher::publish(gateway.rtmp, "live", "cam")
        .await
        .unwrap();
    first.send_tags(&tags[..20], 10.0).await.unwrap();
    let refusal = RmlPublisher::publish(gateway.rtmp, "live", "cam")
        .await
        .err()
        .unwrap();
    assert!(refusal.contains("BadName"), "{refusal}");
    first.send_tags(&tags, 5.0).await.unwrap();
}

#[tokio::test]
async fn ffmpeg_publishes_over_rtmps() {
    let source = media::h264_aac(3, 1);
    let target = Target::start(Behaviour::Records).await;
    let (certificate, key) = common::tls_proxy::self_signed();
    let directory = tempfile::tempdir().unwrap();
    let (certificate_file, key_file) = (
        directory.path().join("cert.pem"),
        directory.path().join("key.pem"),
    );
    std::fs::write(&certificate_file, certificate).unwrap();
    std::fs::write(&key_file, key).unwrap();
    let rtmps = format!(
        "[rtmps]\nlisten = \"127.0.0.1:0\"\ncertificate = {certificate_file:?}\nprivate_key = {key_file:?}\n"
    );
    let gateway = Site::new("", &rtmps)
        .start_with(&["--relay", &target.url("app/{stream}")])
        .await;
    let address = gateway
        .listener("RTMPS", "rtmps://")
        .expect("the RTMPS listener is printed");
    let url = format!("rtmps://{address}/live/cam");
    encoder::ffmpeg(Path::new("ffmpeg"), &source, &url)
        .succeed(Duration::from_secs(20))
        .await;
    let visit = target
        .visit("the push ends", Duration::from_secs(10), |visit| {
            visit.end.is_some()
        })
        .await;
    assert_eq!(visit.end, Some(End::Closed));
    flv::assert_same_tracks("rtmps", &visit.tags(), &flv::read(&source));
}
