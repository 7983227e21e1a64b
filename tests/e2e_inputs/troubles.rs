//! Main and backup by themselves: one course, for inputs from each of the three places where they are put.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::projects::{self, call};
use super::{PATIENCE, QUICK, inputs_of, put, without_a_gap};
use crate::common::gateway::{Gateway, Site};
use crate::common::nginx::Nginx;
use crate::common::packets::{self, Packet};
use crate::common::web::{Content, State, Web};
use crate::common::{encoder, eventually, flv, media};
use reqwest::{Method, StatusCode};

/// For so long the main input has to be well before it comes back; it stands in [`QUICK`].
const RETURN_AFTER: Duration = Duration::from_millis(1500);

/// A stream with two inputs, and who records it.
struct Course<'a> {
    gateway: &'a Gateway,
    stream: &'a str,
    main: &'a Web,
    recorder: &'a Nginx,
}

impl Course<'_> {
    async fn on_air(&self, role: &str) {
        let what = format!("the {role} input is on the air");
        eventually(&what, PATIENCE, || async {
            let inputs = inputs_of(self.gateway, self.stream).await;
            let is_live = |input: &Value| input["role"] == role && input["state"] == "live";
            let is_on_air = inputs["current"] == role
                && inputs["inputs"]
                    .as_array()
                    .is_some_and(|inputs| inputs.iter().any(is_live));
            is_on_air.then_some(())
        })
        .await;
    }

    async fn more_is_recorded(&self) {
        let before = self.recorder.recorded_bytes("out");
        eventually("more is recorded", PATIENCE, || async {
            (self.recorder.recorded_bytes("out") > before + 40_000).then_some(())
        })
        .await;
    }

    /// The main input ends, stalls and sends garbage, one after the other, and each time comes back.
    async fn run(&self) {
        self.on_air("main").await;
        self.more_is_recorded().await;
        for trouble in [State::Down, State::Silent, State::Garbage] {
            self.main.set(trouble);
            self.on_air("backup").await;
            self.more_is_recorded().await;
            let began = Instant::now();
            self.main.set(State::Up);
            self.on_air("main").await;
            let after = began.elapsed();
            assert!(after >= RETURN_AFTER, "{trouble:?}: back after {after:?}");
            self.more_is_recorded().await;
        }
        let targets = self.gateway.targets().await;
        assert_eq!(targets.len(), 1);
        let (state, attempt) = (&targets[0]["state"], &targets[0]["attempt"]);
        assert_eq!(
            (state, attempt),
            (&json!("live"), &json!(1)),
            "one connection"
        );
    }
}

/// A source's pictures, and which of them are keyframes.
struct Pictures {
    all: HashSet<String>,
    keys: HashSet<String>,
}

impl Pictures {
    fn of(file: &Path) -> Self {
        let packets = packets::of_track(Path::new("ffmpeg"), file, 'v');
        let tags = flv::read(file);
        let frames = tags
            .iter()
            .filter(|tag| tag.kind == flv::VIDEO && tag.is_frame());
        let keys = frames
            .zip(&packets)
            .filter(|(frame, _)| frame.is_keyframe())
            .map(|(_, packet)| packet.md5.clone());
        Self {
            keys: keys.collect(),
            all: packets.iter().map(|packet| packet.md5.clone()).collect(),
        }
    }
}

/// The recording is one stream: times rise strictly and nothing is missing, each packet is one of the sources', it begins with the main
/// one, and goes from one to the other at keyframes alone, so many times at least.
fn assert_one_stream(recording: &Path, main: &Path, backup: &Path, changes: usize) {
    let [video, audio] = without_a_gap(recording);
    let length = |track: &[Packet]| track.last().unwrap().dts - track[0].dts;
    let apart = (length(&video) - length(&audio)).abs();
    assert!(
        apart < 500,
        "sound and pictures are {apart} ms apart at the end"
    );
    let sources = [Pictures::of(main), Pictures::of(backup)];
    assert!(
        sources[0].all.contains(&video[0].md5),
        "it begins with the main input"
    );
    let (mut on_air, mut seen) = (0, 0);
    for (number, picture) in video.iter().enumerate() {
        if sources[on_air].all.contains(&picture.md5) {
            continue;
        }
        on_air = 1 - on_air;
        seen += 1;
        assert!(
            sources[on_air].keys.contains(&picture.md5),
            "picture {number} is no keyframe of the input that comes: {picture:?}"
        );
    }
    assert!(seen >= changes, "{seen} changes of {changes}");
    let sounds = [main, backup].map(|file| packets::of_track(Path::new("ffmpeg"), file, 'a'));
    let known: HashSet<_> = sounds.iter().flatten().map(|packet| &packet.md5).collect();
    let strange = audio.iter().filter(|packet| !known.contains(&packet.md5));
    assert_eq!(strange.count(), 0, "sounds that no source has");
}

/// The main one's server takes its time for the answer, so the backup is there first.
async fn slow_main(file: &Path) -> Web {
    Web::start(Content {
        live: Some(file.to_owned()),
        delay: Duration::from_millis(600),
        ..Content::default()
    })
    .await
}

#[tokio::test]
async fn inputs_of_the_configuration_cover_for_each_other() {
    let (of_main, of_backup) = (media::h264_aac(4, 1), media::h264_aac(6, 2));
    let main = slow_main(&of_main).await;
    let backup = Web::start(Content {
        live: Some(of_backup.clone()),
        ..Content::default()
    })
    .await;
    let recorder = Nginx::start().await;
    let configuration = format!(
        "{QUICK}[[inputs]]\nstream = \"cam\"\nrole = \"main\"\nurl = {:?}\n[[inputs]]\nstream = \"cam\"\nrole = \"backup\"\nurl = {:?}\n\
         [[rules]]\nstream = \"cam\"\nurl = {:?}\n",
        main.url("live.flv"),
        backup.url("live.flv"),
        recorder.url("out"),
    );
    let site = Site::new("", &configuration);
    let gateway = site.start().await;
    let course = Course {
        gateway: &gateway,
        stream: "cam",
        main: &main,
        recorder: &recorder,
    };
    course.run().await;
    gateway.sigterm();
    let recording = recorder.recording("out").await;
    assert_one_stream(&recording, &of_main, &of_backup, 6);
}

#[tokio::test]
async fn inputs_of_the_native_door_cover_for_each_other_and_are_switched_by_hand() {
    let (of_main, of_backup) = (media::h264_aac(4, 1), media::h264_aac(150, 2));
    let main = slow_main(&of_main).await;
    let source = Nginx::start().await;
    let _encoder = encoder::ffmpeg(Path::new("ffmpeg"), &of_backup, &source.url("src"));
    let recorder = Nginx::start().await;
    let site = Site::new("", QUICK);
    let gateway = site.start().await;
    gateway.create_rule("cam", &recorder.url("out")).await;
    put(&gateway, "main", json!({"url": main.url("live.flv")})).await;
    put(&gateway, "backup", json!({"url": source.url("src")})).await;
    let course = Course {
        gateway: &gateway,
        stream: "cam",
        main: &main,
        recorder: &recorder,
    };
    course.run().await;
    let switch = "/v1/streams/live/cam/inputs/switch";
    let to_backup = Some(json!({"role": "backup"}));
    let (status, answer) = gateway.request(Method::POST, switch, to_backup).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    course.on_air("backup").await;
    course.more_is_recorded().await;
    for role in ["main", "backup"] {
        let path = format!("/v1/streams/live/cam/inputs/{role}");
        gateway.request(Method::DELETE, &path, None).await;
    }
    let recording = recorder.recording("out").await;
    assert_one_stream(&recording, &of_main, &of_backup, 7);
}

#[tokio::test]
async fn inputs_of_a_project_cover_for_each_other() {
    let (of_main, of_backup) = (media::h264_aac(4, 1), media::h264_aac(6, 2));
    let main = slow_main(&of_main).await;
    let backup = Web::start(Content {
        live: Some(of_backup.clone()),
        ..Content::default()
    })
    .await;
    let recorder = Nginx::start().await;
    let site = Site::new("", &format!("{QUICK}{}", projects::ACCOUNT));
    let gateway = site.start().await;
    let id = projects::create(
        &gateway,
        &main.url("live.flv"),
        Some(&backup.url("live.flv")),
        &recorder.url("out"),
    )
    .await;
    call(&gateway, &id, "Start").await;
    let course = Course {
        gateway: &gateway,
        stream: &id,
        main: &main,
        recorder: &recorder,
    };
    course.run().await;
    call(&gateway, &id, "Stop").await;
    let recording = recorder.recording("out").await;
    assert_one_stream(&recording, &of_main, &of_backup, 6);
}

#[tokio::test]
async fn a_backup_begins_where_the_main_input_does_not_come() {
    let file = media::h264_aac(4, 1);
    let backup = Web::start(Content {
        live: Some(file),
        ..Content::default()
    })
    .await;
    let site = Site::new("", "[ingest]\nstall_ms = 2000\n");
    let gateway = site.start().await;
    let began = Instant::now();
    let push = json!({"push": {"expires_in_seconds": 600}});
    put(&gateway, "main", push).await;
    put(&gateway, "backup", json!({"url": backup.url("live.flv")})).await;
    let is_current = async |role: &str| {
        eventually(&format!("{role} begins"), PATIENCE, || async {
            let inputs = inputs_of(&gateway, "cam").await;
            (inputs["current"] == role).then_some(())
        })
        .await;
    };
    is_current("backup").await;
    let after = began.elapsed();
    assert!(
        after >= Duration::from_secs(2),
        "its publisher may still come: {after:?}"
    );
    for role in ["main", "backup"] {
        let path = format!("/v1/streams/live/cam/inputs/{role}");
        gateway.request(Method::DELETE, &path, None).await;
    }
    // One whose first attempt fails is not waited for: with this time the test would not see the backup.
    let patient = format!(
        "[egress]\nallow_private_addresses = true\n[ingest]\nstall_ms = {}\n",
        15_000
    );
    std::fs::write(site.configuration_file(), patient).unwrap();
    gateway.sighup();
    gateway.says("configuration reloaded").await;
    let began = Instant::now();
    put(
        &gateway,
        "main",
        json!({"url": backup.url("not-there.flv")}),
    )
    .await;
    put(&gateway, "backup", json!({"url": backup.url("live.flv")})).await;
    is_current("backup").await;
    let after = began.elapsed();
    assert!(after < Duration::from_secs(15), "{after:?}");
}
