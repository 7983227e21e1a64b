//! The scenery of the end-to-end tests, proved without the gateway: what fails here is no fault of the gateway's.

mod common;

use std::path::Path;
use std::time::Duration;

use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, End, Target};
use common::tls_proxy::TlsProxy;
use common::{encoder, eventually, flv, media, nginx::Nginx, packets};

const FFMPEG: &str = "ffmpeg";

#[tokio::test]
async fn ffmpeg_to_nginx_arrives_whole() {
    let source = media::h264_aac(3, 1);
    let nginx = Nginx::start().await;
    encoder::ffmpeg(Path::new(FFMPEG), &source, &nginx.url("direct"))
        .succeed(Duration::from_secs(20))
        .await;
    let recording = nginx.recording("direct").await;
    for track in ['v', 'a'] {
        let sent = packets::of_track(Path::new(FFMPEG), &source, track);
        let received = packets::of_track(Path::new(FFMPEG), &recording, track);
        assert_eq!(
            packets::assert_is_a_tail("direct", &received, &sent),
            0,
            "all of track {track}"
        );
    }
}

#[tokio::test]
async fn gstreamer_to_nginx_arrives_whole() {
    let nginx = Nginx::start().await;
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("sent.flv");
    encoder::gstreamer(3, &nginx.url("gst"), &copy)
        .succeed(Duration::from_secs(20))
        .await;
    let recording = nginx.recording("gst").await;
    for track in ['v', 'a'] {
        let sent = packets::of_track(Path::new(FFMPEG), &copy, track);
        let received = packets::of_track(Path::new(FFMPEG), &recording, track);
        packets::assert_is_a_tail("gst", &received, &sent);
    }
}

#[tokio::test]
async fn ffmpeg_through_the_tls_proxy_reaches_nginx() {
    let source = media::h264_aac(3, 1);
    let nginx = Nginx::start().await;
    let proxy = TlsProxy::start(nginx.rtmp).await;
    encoder::ffmpeg(Path::new(FFMPEG), &source, &proxy.url("live/secured"))
        .succeed(Duration::from_secs(20))
        .await;
    let recording = nginx.recording("secured").await;
    let sent = packets::of_track(Path::new(FFMPEG), &source, 'v');
    let received = packets::of_track(Path::new(FFMPEG), &recording, 'v');
    assert_eq!(packets::assert_is_a_tail("secured", &received, &sent), 0);
    assert_eq!(proxy.seen_names(), [Some("localhost".to_owned())]);
}

#[tokio::test]
async fn a_publisher_of_rml_rtmp_reaches_a_target_of_ours() {
    let tags = flv::read(&media::h264_aac(3, 1));
    let target = Target::start(Behaviour::Records).await;
    let mut publisher = RmlPublisher::publish(target.address, "app", "name?key=1")
        .await
        .unwrap();
    publisher.send_tags(&tags, 20.0).await.unwrap();
    drop(publisher);
    let visit = eventually("the visit ends", Duration::from_secs(5), || async {
        target
            .visits()
            .into_iter()
            .find(|visit| visit.end.is_some())
    })
    .await;
    assert_eq!(
        (visit.app.as_str(), visit.name.as_str(), visit.end.clone()),
        ("app", "name?key=1", Some(End::Closed))
    );
    let media = |tags: &[flv::Tag]| {
        tags.iter()
            .filter(|tag| tag.kind != flv::DATA)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(media(&visit.tags()), media(&tags));
}

#[tokio::test]
async fn a_target_of_ours_refuses_with_the_code_it_was_given() {
    let behaviour = Behaviour::Refuses {
        code: "NetStream.Publish.BadName",
        description: "{name} is taken",
    };
    let target = Target::start(behaviour).await;
    let refusal = RmlPublisher::publish(target.address, "app", "name")
        .await
        .err()
        .unwrap();
    assert!(refusal.contains("NetStream.Publish.BadName"), "{refusal}");
}

#[test]
fn the_newer_ffmpeg_writes_hevc_as_enhanced_tags() {
    let tags = flv::read(&media::hevc_aac(2));
    let header = tags.iter().find(|tag| tag.kind == flv::VIDEO).unwrap();
    assert!(
        header.is_header() && &header.payload[1..5] == b"hvc1",
        "{:?}",
        &header.payload[..5]
    );
}
