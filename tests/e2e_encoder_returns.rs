//! An encoder that is killed and comes back: the server behind the gateway sees one publish, and records one stream.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::time::Duration;

use common::child::Program;
use common::gateway::{Gateway, Site};
use common::nginx::Nginx;
use common::packets::{self, Packet};
use common::{encoder, eventually, media};
use reqwest::Method;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

/// How often the encoder is killed.
const KILLS: usize = 5;

async fn stream(gateway: &Gateway) -> Value {
    let answer = gateway.request(Method::GET, "/v1/streams/live/cam", None);
    answer.await.1
}

async fn stream_in(gateway: &Gateway, state: &str) -> Value {
    eventually(&format!("the stream is in {state}"), PATIENCE, || async {
        let stream = stream(gateway).await;
        (stream["state"] == state).then_some(stream)
    })
    .await
}

/// Kills the encoder once the server has got a good deal more.
async fn kill_after_a_while(mut publisher: Program, nginx: &Nginx) {
    let before = nginx.recorded_bytes("cam");
    eventually("more is recorded", PATIENCE, || async {
        (nginx.recorded_bytes("cam") > before + 40_000).then_some(())
    })
    .await;
    publisher.kill();
}

#[tokio::test]
async fn nginx_records_one_stream_of_an_encoder_that_is_killed_five_times() {
    let ffmpeg = Path::new("ffmpeg");
    let source = media::h264_aac(4, 1);
    let nginx = Nginx::start().await;
    let site = Site::new("", "[[apps]]\nname = \"live\"\npublish_keys = [\"k\"]\n");
    let gateway = site.start().await;
    let rule = gateway.create_rule("cam", &nginx.url("{stream}")).await;
    let url = gateway.publish_url("cam?key=k");
    for _ in 0..KILLS {
        let publisher = encoder::ffmpeg(ffmpeg, &source, &url);
        stream_in(&gateway, "live").await;
        kill_after_a_while(publisher, &nginx).await;
        let stream = stream_in(&gateway, "grace").await;
        assert_eq!(
            (&stream["publisher"], &stream["client"]),
            (&Value::Null, &Value::Null)
        );
        let target = eventually("the target says what it waits for", PATIENCE, || async {
            let target = gateway.target(&rule).await?;
            (target["reason"] == "waiting for the encoder").then_some(target)
        })
        .await;
        assert_eq!(
            (&target["state"], &target["attempt"]),
            (&"live".into(), &1.into())
        );
        let metrics = gateway.text("/metrics").await;
        for line in [
            "aqueduct_streams 1",
            "aqueduct_streams_in_grace 1",
            "aqueduct_targets{state=\"live\"} 1",
        ] {
            assert!(
                metrics.lines().any(|metric| metric == line),
                "{line}: {metrics}"
            );
        }
    }
    let mut publisher = encoder::ffmpeg(ffmpeg, &source, &url);
    publisher.succeed(Duration::from_secs(30)).await;

    let recording = nginx.recording("cam").await;
    let lives = ['v', 'a'].map(|track| {
        let sent = packets::of_track(ffmpeg, &source, track);
        let got = packets::of_track(ffmpeg, &recording, track);
        let steps = got.windows(2).map(|pair| pair[1].dts - pair[0].dts);
        assert!(
            steps.clone().all(|step| (1..=1000).contains(&step)),
            "track {track}: {got:?}"
        );
        lives_of(track, &got, &sent)
    });
    let [video, audio] = &lives;
    // Sound is where it was beside its pictures, in every life.
    for (video, audio) in video.iter().zip(audio) {
        assert!((video - audio).abs() <= 40, "{video} {audio}");
    }
    let decoded = std::process::Command::new(ffmpeg)
        .args(["-v", "error", "-i"])
        .arg(&recording)
        // Frames are not bound to whole frame times where one life ends and the next begins.
        .args(["-enc_time_base:v", "1:1000", "-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&decoded.stderr);
    assert!(decoded.status.success() && said.is_empty(), "{said}");
}

/// Each time that the encoder began, what came is a beginning of what it sends, whole and in order; the last time all of it. What
/// is added to the stamps at the end of each.
fn lives_of(track: char, got: &[Packet], sent: &[Packet]) -> Vec<i64> {
    let begins: Vec<usize> = (0..got.len())
        .filter(|&at| got[at].md5 == sent[0].md5)
        .collect();
    assert_eq!((begins.len(), begins[0]), (KILLS + 1, 0), "track {track}");
    let ends = begins[1..].iter().copied().chain([got.len()]);
    let life = |(begin, end): (&usize, usize)| {
        let (got, sent) = (&got[*begin..end], &sent[..end - begin]);
        let same = got.iter().zip(sent).all(|(got, sent)| got.md5 == sent.md5);
        assert!(
            same,
            "track {track}: nothing is lost and nothing comes twice"
        );
        got[got.len() - 1].dts - sent[sent.len() - 1].dts
    };
    let added = begins.iter().zip(ends).map(life).collect();
    assert_eq!(
        got.len() - begins[KILLS],
        sent.len(),
        "track {track}: the last one is whole"
    );
    added
}

#[tokio::test]
async fn a_reload_changes_how_long_an_encoder_is_waited_for() {
    let ffmpeg = Path::new("ffmpeg");
    let source = media::h264_aac(6, 1);
    let nginx = Nginx::start().await;
    let site = Site::new("", "[relay]\ngrace_ms = 3600000\n");
    let gateway = site.start().await;
    gateway.create_rule("cam", &nginx.url("{stream}")).await;
    let url = gateway.publish_url("cam");
    kill_after_a_while(encoder::ffmpeg(ffmpeg, &source, &url), &nginx).await;
    stream_in(&gateway, "grace").await;

    let configuration = std::fs::read_to_string(site.configuration_file()).unwrap();
    let none = configuration.replace("3600000", "0");
    std::fs::write(site.configuration_file(), none).unwrap();
    gateway.sighup();
    gateway.says("configuration reloaded").await;
    assert_eq!(
        stream(&gateway).await["state"],
        "grace",
        "one that waits goes on waiting"
    );
    // An operator need not wait.
    let kicked = gateway.run(&site, &["streams", "kick", "cam"]).await;
    assert!(kicked.status.success(), "{kicked:?}");
    nginx.recording("cam").await;

    kill_after_a_while(encoder::ffmpeg(ffmpeg, &source, &url), &nginx).await;
    nginx.recording("cam").await;
    eventually("the stream is gone at once", PATIENCE, || async {
        stream(&gateway).await["state"].is_null().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_shutdown_waits_for_no_encoder() {
    let ffmpeg = Path::new("ffmpeg");
    let source = media::h264_aac(6, 1);
    let nginx = Nginx::start().await;
    let site = Site::new("", "[relay]\ngrace_ms = 3600000\n");
    let gateway = site.start().await;
    gateway.create_rule("cam", &nginx.url("{stream}")).await;
    let publisher = encoder::ffmpeg(ffmpeg, &source, &gateway.publish_url("cam"));
    kill_after_a_while(publisher, &nginx).await;
    stream_in(&gateway, "grace").await;
    gateway.sigterm();
    let (status, output) = gateway.wait(PATIENCE).await;
    assert!(status.success(), "{output}");
    assert!(
        output.contains("target stopped"),
        "it had its goodbye: {output}"
    );
    nginx.recording("cam").await;
}
