//! Streams that are fed from elsewhere: pulled, played from files, pushed with a signed URL; with a backup that takes over.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../doors/mod.rs"]
mod doors;
mod projects;
#[path = "../tencent/mod.rs"]
mod tencent;
mod told;
mod troubles;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::gateway::{Gateway, Site};
use common::nginx::Nginx;
use common::packets::{self, Packet};
use common::tls_proxy::TlsProxy;
use common::web::{Content, Web};
use common::{encoder, eventually, flv, media};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(40);

const QUICK: &str = "[ingest]\nstall_ms = 1500\nreturn_after_ms = 1500\n";

async fn put(gateway: &Gateway, role: &str, body: Value) -> Value {
    let path = format!("/v1/streams/live/cam/inputs/{role}?reveal=true");
    let (status, input) = gateway.request(Method::PUT, &path, Some(body)).await;
    assert!(status.is_success(), "{status} {input}");
    input
}

async fn inputs(gateway: &Gateway) -> Value {
    inputs_of(gateway, "cam").await
}

async fn inputs_of(gateway: &Gateway, stream: &str) -> Value {
    let path = format!("/v1/streams/live/{stream}/inputs");
    gateway.request(Method::GET, &path, None).await.1
}

/// The input in this place, once it is in this state.
async fn input_in(gateway: &Gateway, role: &str, state: &str) -> Value {
    eventually(
        &format!("the {role} input is {state}"),
        PATIENCE,
        || async {
            let inputs = inputs(gateway).await;
            let found = inputs["inputs"]
                .as_array()?
                .iter()
                .find(|input| input["role"] == role)?;
            (found["state"] == state).then(|| found.clone())
        },
    )
    .await
}

async fn on_air(gateway: &Gateway, role: &str) {
    eventually(
        &format!("the {role} input is on the air"),
        PATIENCE,
        || async {
            let inputs = inputs(gateway).await;
            (inputs["current"] == role).then_some(())
        },
    )
    .await;
    input_in(gateway, role, "live").await;
}

/// The recording's tracks: times that rise, and no gap.
fn without_a_gap(recording: &Path) -> [Vec<Packet>; 2] {
    ['v', 'a'].map(|track| {
        let packets = packets::of_track(Path::new("ffmpeg"), recording, track);
        for pair in packets.windows(2) {
            let step = pair[1].dts - pair[0].dts;
            assert!((1..=1000).contains(&step), "track {track}: {pair:?}");
        }
        packets
    })
}

/// The same media as an MP4 file, made with these options.
fn as_mp4(flv: &Path, to: &Path, options: &[&str]) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(flv)
        .args(["-c", "copy"])
        .args(options)
        .arg(to)
        .status()
        .expect("ffmpeg");
    assert!(status.success());
}

/// Moves an index at the file's end two mebibytes further away, so that it is not in the first piece that is read.
fn with_room_before_the_index(file: &Path) {
    let bytes = std::fs::read(file).unwrap();
    let index = bytes.windows(4).rposition(|four| four == b"moov").unwrap() - 4;
    let room = 2_u32 << 20;
    let mut wide = bytes[..index].to_vec();
    wide.extend(room.to_be_bytes());
    wide.extend(b"free");
    wide.resize(index + room as usize, 0);
    wide.extend(&bytes[index..]);
    std::fs::write(file, wide).unwrap();
}

#[tokio::test]
async fn files_are_played_one_after_the_other_and_the_stream_ends_with_them() {
    let ffmpeg = Path::new("ffmpeg");
    let flv = media::h264_aac(4, 1);
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| -> PathBuf { folder.path().join(name) };
    std::fs::copy(&flv, place("a.flv")).unwrap();
    // Another test may put an equal one in its place.
    let flv = place("a.flv");
    as_mp4(&flv, &place("end.mp4"), &[]);
    with_room_before_the_index(&place("end.mp4"));
    as_mp4(&flv, &place("front.mov"), &["-movflags", "+faststart"]);
    as_mp4(
        &flv,
        &place("pieces.mp4"),
        &["-movflags", "+frag_keyframe+empty_moov"],
    );
    let web = Web::start(Content {
        files: ["a.flv", "end.mp4", "front.mov", "pieces.mp4"]
            .map(place)
            .into(),
        ..Content::default()
    })
    .await;
    let nginx = Nginx::start().await;
    let directory = folder.path().canonicalize().unwrap();
    let configuration = format!("[ingest]\nfile_directories = [{directory:?}]\n");
    let site = Site::new("", &configuration);
    let gateway = site.start().await;
    gateway.create_rule("cam", &nginx.url("out")).await;
    let list = [
        web.url("files/end.mp4"),
        directory.join("a.flv").to_str().unwrap().to_owned(),
        web.url("files/pieces.mp4"),
        web.url("plain/end.mp4"),
        web.url("files/not-there.mp4"),
        web.url("plain/front.mov"),
    ];
    put(&gateway, "main", json!({"files": list, "loops": 0})).await;
    on_air(&gateway, "main").await;
    eventually("the second file is played", PATIENCE, || async {
        let inputs = inputs(&gateway).await;
        let position = &inputs["inputs"][0]["position"];
        (position["index"] == 1 && position["offset_ms"].as_u64()? > 1000).then_some(())
    })
    .await;
    input_in(&gateway, "main", "ended").await;
    let recording = nginx.recording("out").await;
    let [video, audio] = without_a_gap(&recording);
    for (track, got) in [('v', &video), ('a', &audio)] {
        let once = packets::of_track(ffmpeg, &flv, track);
        let md5 = |packets: &[Packet]| {
            packets
                .iter()
                .map(|packet| packet.md5.clone())
                .collect::<Vec<_>>()
        };
        let wanted = vec![md5(&once); 5].concat();
        // A target may begin with a later keyframe.
        let got = md5(got);
        let cut = wanted.len() - got.len();
        let differ = got
            .iter()
            .zip(&wanted[cut..])
            .position(|(got, sent)| got != sent);
        assert_eq!(
            differ,
            None,
            "track {track}: {} of {}",
            got.len(),
            wanted.len()
        );
        assert!(got.len() > once.len() * 4, "track {track}: {}", got.len());
    }
    let asked = |path: &str| {
        let requests = web.requests();
        let of_path = requests
            .into_iter()
            .filter(|request| request.starts_with(path));
        of_path.collect::<Vec<_>>()
    };
    let with_ranges = asked("/files/end.mp4");
    let second = with_ranges
        .iter()
        .any(|request| request.contains("Some(2097152)"));
    assert!(second, "{with_ranges:?}");
    let without = asked("/plain/end.mp4");
    assert!((2..=4).contains(&without.len()), "{without:?}");
    assert_eq!(asked("/plain/front.mov").len(), 1);
}

#[tokio::test]
async fn hevc_from_an_mp4_is_enhanced_and_loops_as_often_as_it_is_to() {
    let ffmpeg = media::modern_ffmpeg();
    let flv = media::hevc_aac(2);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.mp4");
    let status = Command::new(&ffmpeg)
        .args(["-v", "error", "-i"])
        .arg(&flv)
        .args(["-c", "copy", "-tag:v", "hvc1"])
        .arg(&file)
        .status()
        .unwrap();
    assert!(status.success());
    let target = common::target::Target::start(common::target::Behaviour::Records).await;
    let directory = folder.path().canonicalize().unwrap();
    let list = directory.join("a.mp4");
    let site = Site::new(
        "",
        &format!(
            "[ingest]\nfile_directories = [{directory:?}]\n[[inputs]]\nstream = \"cam\"\nfiles = [{list:?}]\nloops = 1\n\
             [[rules]]\nstream = \"cam\"\nurl = {:?}\n",
            target.url("live/out")
        ),
    );
    let gateway = site.start().await;
    input_in(&gateway, "main", "ended").await;
    let tags = eventually("the target has it all", PATIENCE, || async {
        let visits = target.visits();
        let tags = visits.last()?.tags();
        (tags.iter().filter(|tag| tag.is_keyframe()).count() >= 2).then_some(tags)
    })
    .await;
    let sent = flv::read(&flv);
    let header = |tags: &[flv::Tag]| {
        tags.iter()
            .find(|tag| tag.kind == flv::VIDEO && tag.is_header())
            .cloned()
            .unwrap()
    };
    assert_eq!(header(&tags).payload[..6], *b"\x90hvc1\x01");
    assert_eq!(
        header(&tags).payload.len(),
        header(&sent).payload.len(),
        "the same parameter sets"
    );
    let frames = |tags: &[flv::Tag]| {
        let pictures = tags
            .iter()
            .filter(|tag| tag.kind == flv::VIDEO && tag.is_frame());
        pictures.count()
    };
    assert!(frames(&tags) >= frames(&sent), "{}", frames(&tags));
}

#[tokio::test]
async fn a_push_url_lets_its_publisher_in_and_nobody_else() {
    let ffmpeg = Path::new("ffmpeg");
    let file = media::h264_aac(4, 1);
    let site = Site::new("", "[[apps]]\nname = \"live\"\npublish_keys = [\"k\"]\n");
    let gateway = site.start().await;
    let made = put(
        &gateway,
        "main",
        json!({"push": {"expires_in_seconds": 600}}),
    )
    .await;
    let url = made["push_url"].as_str().unwrap().to_owned();
    assert!(
        url.starts_with(&format!("rtmp://{}/live/cam-main-", gateway.rtmp)),
        "{url}"
    );
    assert_eq!(made["state"], "waiting");
    let at = url.find("txSecret=").unwrap() + 9;
    let wrong = format!(
        "{}{}{}",
        &url[..at],
        if url.as_bytes()[at] == b'0' { '1' } else { '0' },
        &url[at + 1..]
    );
    for refused in [wrong, gateway.publish_url("cam?key=k")] {
        let mut publisher = encoder::ffmpeg(ffmpeg, &file, &refused);
        assert!(!publisher.wait(PATIENCE).await.success(), "{refused}");
    }
    let mut publisher = encoder::ffmpeg(ffmpeg, &file, &url);
    on_air(&gateway, "main").await;
    let stream = gateway
        .request(Method::GET, "/v1/streams/live/cam", None)
        .await
        .1;
    assert_eq!(stream["state"], "live", "{stream}");
    assert_eq!(stream["inputs"][0]["kind"], "push", "{stream}");
    let bytes = async || {
        let inputs = inputs(&gateway).await;
        inputs["inputs"][0]["bytes"].as_u64().unwrap()
    };
    eventually("its bytes are counted", PATIENCE, || async {
        (bytes().await > 10_000).then_some(())
    })
    .await;
    publisher.succeed(PATIENCE).await;
    input_in(&gateway, "main", "waiting").await;
    let sent: usize = flv::read(&file).iter().map(|tag| tag.payload.len()).sum();
    let counted = bytes().await;
    // An encoder says some things twice, or in other words.
    let near = (sent as u64 * 9 / 10)..=(sent as u64 * 11 / 10);
    assert!(near.contains(&counted), "{counted} of {sent}");
    let short = put(&gateway, "main", json!({"push": {"expires_in_seconds": 1}})).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let mut publisher = encoder::ffmpeg(ffmpeg, &file, short["push_url"].as_str().unwrap());
    assert!(!publisher.wait(PATIENCE).await.success());
    let said = gateway.output();
    for url in [&url, short["push_url"].as_str().unwrap()] {
        let token = url
            .split("txSecret=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap();
        assert!(!said.contains(token), "{said}");
    }
}

#[tokio::test]
async fn a_file_covers_for_a_publisher_and_a_reload_leaves_it_alone() {
    let ffmpeg = Path::new("ffmpeg");
    let file = media::h264_aac(20, 1);
    let directory = file.parent().unwrap().canonicalize().unwrap();
    let list = directory.join(file.file_name().unwrap());
    let flv = tempfile::tempdir().unwrap();
    let cover = flv.path().canonicalize().unwrap().join("cover.flv");
    std::fs::copy(&list, &cover).unwrap();
    let configuration = |more: &str| {
        let directory = cover.parent().unwrap();
        format!(
            "{QUICK}file_directories = [{directory:?}]\n[[inputs]]\nstream = \"cam\"\nrole = \"backup\"\nfiles = [{cover:?}]\n\
             loops = -1\n{more}"
        )
    };
    let site = Site::new("", &configuration(""));
    let gateway = site.start().await;
    on_air(&gateway, "backup").await;
    let mut publisher = encoder::ffmpeg(ffmpeg, &file, &gateway.publish_url("cam"));
    eventually("the publisher is on the air", PATIENCE, || async {
        (inputs(&gateway).await["current"] == "main").then_some(())
    })
    .await;
    publisher.kill();
    on_air(&gateway, "backup").await;
    let before = input_in(&gateway, "backup", "live").await;
    let more = "[[inputs]]\nstream = \"other\"\nurl = \"rtmp://127.0.0.1:9/live/x\"\n";
    std::fs::write(
        site.configuration_file(),
        format!(
            "[egress]\nallow_private_addresses = true\n{}",
            configuration(more)
        ),
    )
    .unwrap();
    gateway.sighup();
    eventually("the new input is there", PATIENCE, || async {
        let path = "/v1/streams/live/other/inputs";
        let (status, other) = gateway.request(Method::GET, path, None).await;
        (status == StatusCode::OK && other["inputs"][0]["state"] == "backing_off").then_some(())
    })
    .await;
    let after = input_in(&gateway, "backup", "live").await;
    assert_eq!(after["since"], before["since"]);
    assert!(after["bytes"].as_u64() >= before["bytes"].as_u64());
}

#[tokio::test]
async fn pulls_come_in_tls_too() {
    let file = media::h264_aac(20, 1);
    let web = Web::start(Content {
        live: Some(file.clone()),
        ..Content::default()
    })
    .await;
    let source = Nginx::start().await;
    let _encoder = encoder::ffmpeg(Path::new("ffmpeg"), &file, &source.url("src"));
    let (https, rtmps) = (
        TlsProxy::start(web.address).await,
        TlsProxy::start(source.rtmp).await,
    );
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    let pem = [&https, &rtmps].map(|proxy| std::fs::read_to_string(proxy.authority()).unwrap());
    std::fs::write(&roots, pem.concat()).unwrap();
    let site = Site::new(&format!("ca_certificates = {roots:?}"), "");
    let gateway = site.start().await;
    let flv = https.url("live.flv").replace("rtmps://", "https://");
    put(&gateway, "main", json!({"url": flv})).await;
    on_air(&gateway, "main").await;
    put(&gateway, "backup", json!({"url": rtmps.url("live/src")})).await;
    input_in(&gateway, "backup", "standby").await;
    for proxy in [&https, &rtmps] {
        assert_eq!(proxy.seen_names(), [Some("localhost".to_owned())]);
    }
}

#[tokio::test]
async fn nothing_is_fetched_from_where_it_may_not_be() {
    let site = Site::new("", "");
    let gateway = site.start().await;
    let web = Web::start(Content {
        moved: format!("http://{}/live/x.flv", gateway.rtmp),
        ..Content::default()
    })
    .await;
    let own = json!({"url": gateway.publish_url("x")});
    let path = "/v1/streams/live/cam/inputs/main";
    let (status, problem) = gateway.request(Method::PUT, path, Some(own)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    put(&gateway, "main", json!({"url": web.url("moved")})).await;
    let failed = input_in(&gateway, "main", "failed").await;
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("a listener of this gateway"), "{reason}");
    let private = Site::with_configuration("");
    let gateway = private.start().await;
    let (status, problem) = gateway
        .request(Method::PUT, path, Some(json!({"url": web.url("live.flv")})))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
}
