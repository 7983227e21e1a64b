//! Publishers other than ffmpeg's classic one: GStreamer, rml_rtmp, and HEVC as Enhanced RTMP.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::flv::{self, Tag};
use common::gateway::{Gateway, Site};
use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, Target, Visit};
use common::{encoder, eventually, media, nginx::Nginx, packets};

fn relay_everything(to: &str) -> Site {
    Site::new(
        "",
        &format!("[[rules]]\napp = \"live\"\nstream = \"*\"\nurl = {to:?}\n"),
    )
}

/// The one visit of a target, once it has ended.
async fn only_visit(target: &Target) -> Visit {
    eventually("the push ends", Duration::from_secs(15), || async {
        target
            .visits()
            .into_iter()
            .next()
            .filter(|visit| visit.end.is_some())
    })
    .await;
    let mut visits = target.visits();
    assert_eq!(visits.len(), 1, "one connection for one stream");
    visits.remove(0)
}

fn of_kind(kind: u8, tags: &[Tag]) -> Vec<&Tag> {
    tags.iter().filter(|tag| tag.kind == kind).collect()
}

/// Everything of a kind arrived, in order, and at the same distances in time.
fn assert_same(kind: u8, received: &[Tag], sent: &[Tag]) {
    let (received, sent) = (of_kind(kind, received), of_kind(kind, sent));
    assert_eq!(received.len(), sent.len(), "tags of kind {kind}");
    for (n, (received_tag, sent_tag)) in received.iter().zip(&sent).enumerate() {
        assert!(
            received_tag.payload == sent_tag.payload,
            "tag {n} of kind {kind} differs"
        );
        assert_eq!(
            received_tag.timestamp - received[0].timestamp,
            sent_tag.timestamp - sent[0].timestamp,
            "tag {n}"
        );
    }
}

#[tokio::test]
async fn gstreamer_publishes() {
    let ffmpeg = Path::new("ffmpeg");
    let nginx = Nginx::start().await;
    let site = relay_everything(&nginx.url("{stream}"));
    let gateway = site.start().await;
    let copy = site.data().with_file_name("sent.flv");
    encoder::gstreamer(6, &gateway.publish_url("gst"), &copy)
        .succeed(Duration::from_secs(30))
        .await;
    let recording = nginx.recording("gst").await;
    for track in ['v', 'a'] {
        let sent = packets::of_track(ffmpeg, &copy, track);
        let received = packets::of_track(ffmpeg, &recording, track);
        let cut = packets::assert_is_a_tail("gst", &received, &sent);
        // nginx records from the first picture on; sound that came before it is not its fault nor ours.
        assert!(
            track == 'a' && cut < 10 || cut == 0,
            "{cut} packets of track {track} are missing at the beginning"
        );
    }
}

#[tokio::test]
async fn a_client_session_of_rml_rtmp_publishes() {
    let tags = flv::read(&media::h264_aac(8, 2));
    let target = Target::start(Behaviour::Records).await;
    let gateway: Gateway = relay_everything(&target.url("app/{stream}")).start().await;
    let mut publisher = RmlPublisher::publish(gateway.rtmp, "live", "rml")
        .await
        .unwrap();
    publisher.send_tags(&tags, 4.0).await.unwrap();
    let stopped = Instant::now();
    publisher.stop().await.unwrap();
    // GStreamer's sink takes a connection that is closed under it for an error, so the publisher may close first.
    let waited = stopped.elapsed();
    assert!(
        waited > Duration::from_millis(500),
        "closed after {waited:?}"
    );
    let visit = only_visit(&target).await;
    assert_eq!((visit.app.as_str(), visit.name.as_str()), ("app", "rml"));
    assert_same(flv::VIDEO, &visit.tags(), &tags);
    assert_same(flv::AUDIO, &visit.tags(), &tags);
}

#[tokio::test]
async fn hevc_passes_through_as_enhanced_rtmp() {
    let source = media::hevc_aac(6);
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy.flv");
    encoder::copy(&media::modern_ffmpeg(), &source, &copy).await;
    let tags = flv::read(&copy);
    let target = Target::start(Behaviour::Records).await;
    let gateway = relay_everything(&target.url("app/{stream}")).start().await;
    let url = gateway.publish_url("hevc");
    encoder::ffmpeg(&media::modern_ffmpeg(), &source, &url)
        .succeed(Duration::from_secs(30))
        .await;
    let received = only_visit(&target).await.tags();
    let first = of_kind(flv::VIDEO, &received)[0];
    assert!(
        first.is_header() && &first.payload[1..5] == b"hvc1",
        "{:?}",
        &first.payload[..5]
    );
    assert_same(flv::VIDEO, &received, &tags);
    assert_same(flv::AUDIO, &received, &tags);
}
