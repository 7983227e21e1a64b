//! What ffmpeg publishes arrives at real servers packet for packet, over RTMP and over RTMPS.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::gateway::Site;
use common::{encoder, eventually, media, nginx::Nginx, packets, tls_proxy::TlsProxy};

#[tokio::test]
async fn nginx_records_what_ffmpeg_publishes_over_rtmp_and_rtmps() {
    let ffmpeg = Path::new("ffmpeg");
    let source = media::h264_aac(8, 2);
    let (plain, secured) = (Nginx::start().await, Nginx::start().await);
    let proxy = TlsProxy::start(secured.rtmp).await;
    let site = Site::new(
        &format!("ca_certificates = {:?}", proxy.authority()),
        &format!(
            "[[rules]]\napp = \"live\"\nstream = \"*\"\nurl = {:?}\n\
             [[rules]]\napp = \"live\"\nstream = \"cam\"\nurl = {:?}\n",
            plain.url("{stream}"),
            proxy.url("live/secured"),
        ),
    );
    let gateway = site.start().await;

    let mut publisher = encoder::ffmpeg(ffmpeg, &source, &gateway.publish_url("cam"));
    eventually(
        "both servers have a publisher",
        Duration::from_secs(8),
        || async {
            (plain.has_publisher("cam").await && secured.has_publisher("secured").await)
                .then_some(())
        },
    )
    .await;
    publisher.succeed(Duration::from_secs(30)).await;

    for (what, recording) in [
        ("rtmp", plain.recording("cam").await),
        ("rtmps", secured.recording("secured").await),
    ] {
        for track in ['v', 'a'] {
            let sent = packets::of_track(ffmpeg, &source, track);
            let received = packets::of_track(ffmpeg, &recording, track);
            // The rules stood before the stream, whose first packet is a keyframe: nothing has to be cut.
            assert_eq!(
                packets::assert_is_a_tail(what, &received, &sent),
                0,
                "{what}: all of track {track}"
            );
        }
    }
    assert_eq!(
        proxy.seen_names(),
        [Some("localhost".to_owned())],
        "one connection, which says whom it wants"
    );
}
