//! Streams and targets that run as a test says, without media.

use super::*;

/// What runs, as a test says.
#[derive(Default)]
pub struct FakeRunning {
    pub streams: Mutex<Vec<StreamStatus>>,
    pub targets: Mutex<Vec<TargetStatus>>,
    pub tried: Mutex<Vec<(String, bool)>>,
}

impl Running for FakeRunning {
    fn streams(&self) -> Vec<StreamStatus> {
        self.streams.lock().unwrap().clone()
    }

    fn targets(&self) -> Vec<TargetStatus> {
        self.targets.lock().unwrap().clone()
    }

    fn kick(&self, key: &StreamKey) -> bool {
        let mut streams = self.streams.lock().unwrap();
        let before = streams.len();
        streams.retain(|stream| stream.app != key.app || stream.name != key.name);
        streams.len() < before
    }

    fn preflight(&self, url: TargetUrl, publish: bool) -> BoxFuture<'static, PreflightReport> {
        self.tried
            .lock()
            .unwrap()
            .push((url.expose().to_owned(), publish));
        let steps = vec![PreflightStep {
            step: Step::Dns,
            result: StepResult::Failed,
            elapsed_ms: 3,
            detail: "no such name".into(),
        }];
        async move {
            PreflightReport {
                url: url.masked(),
                ok: false,
                steps,
            }
        }
        .boxed()
    }
}

pub fn stream_status(app: &str, name: &str) -> StreamStatus {
    let key = StreamKey::parse(app, name).unwrap();
    StreamStatus {
        app: key.app,
        name: key.name,
        state: StreamState::Live,
        since: OffsetDateTime::UNIX_EPOCH,
        publisher: Some("192.0.2.7:51234".parse().unwrap()),
        client: Some("FMLE/3.0".into()),
        inputs: vec![StreamInput {
            kind: StreamInputKind::Publisher,
            role: Role::Main,
            state: StreamInputState::Active,
            peer: Some("192.0.2.7:51234".parse().unwrap()),
            client: Some("FMLE/3.0".into()),
        }],
        tracks: vec![TrackStatus {
            kind: TrackKind::Video,
            id: 0,
            codec: "h264".into(),
            profile: Some("High".into()),
            level: Some("4.1".into()),
            width: Some(1920),
            height: Some(1080),
            frame_rate: Some(29.97),
            sample_rate: None,
            channels: None,
            bitrate: Some(5_900_000),
            fps: Some(30.0),
        }],
        bitrate: 6_000_000,
        fps: Some(30.0),
        bytes: 1000,
        frames: 50,
        keyframe_interval_ms: Some(2000),
        b_frames: 0,
        ring_bytes: 4096,
        repairs: 3,
        repairs_by_kind: RepairCounts {
            clamp: 2,
            wrap: 1,
            ..RepairCounts::default()
        },
        drops: DropCounts::default(),
        warnings: vec![Warning {
            code: WarningCode::NoAudio,
            detail: "nothing of sound has come".into(),
        }],
        targets: 1,
    }
}

pub fn target_status(rule: &Rule, app: &str, name: &str, state: TargetState) -> TargetStatus {
    TargetStatus {
        rule: rule.id.clone(),
        stream: StreamKey::parse(app, name).unwrap(),
        url: rule.url.masked(),
        role: None,
        state,
        since: OffsetDateTime::UNIX_EPOCH,
        attempt: 2,
        reason: Some("NetStream.Publish.BadName: taken".into()),
        bytes: 10,
        bitrate: 20,
        frames: 30,
        dropped: 40,
        drops: TargetDrops {
            disposable: 1,
            until_keyframe: 32,
            overtaken: 7,
        },
        repaired: 50,
        late: 0,
        lag_ms: 60,
        rtt_ms: Some(7.5),
    }
}
