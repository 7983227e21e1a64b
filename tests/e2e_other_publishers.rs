//! Publishers other than ffmpeg's classic one: GStreamer, rml_rtmp, and HEVC as Enhanced RTMP.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::flv;
use common::gateway::{Gateway, Site};
use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, Target, Visit};
use common::{encoder, media, nginx::Nginx, packets};

fn relay_everything(to: &str) -> Site {
    Site::new(
        "",
        &format!("[[rules]]\napp = \"live\"\nstream = \"*\"\nurl = {to:?}\n"),
    )
}

/// The one visit of a target, once it has ended.
async fn only_visit(target: &Target) -> Visit {
    target
        .visit("the push ends", Duration::from_secs(15), |visit| {
            visit.end.is_some()
        })
        .await;
    let mut visits = target.visits();
    assert_eq!(visits.len(), 1, "one connection for one stream");
    visits.remove(0)
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
        // When x264 gives out its last pictures, GStreamer stamps two of them alike.
        let sent = packets::strictly_rising(packets::of_track(ffmpeg, &copy, track));
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
    flv::assert_same_tracks("rml", &visit.tags(), &tags);
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
    let first = received.iter().find(|tag| tag.kind == flv::VIDEO).unwrap();
    assert!(
        first.is_header() && &first.payload[1..5] == b"hvc1",
        "{:?}",
        &first.payload[..5]
    );
    flv::assert_same_tracks("hevc", &received, &tags);
}
