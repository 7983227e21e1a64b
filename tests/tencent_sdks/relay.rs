//! A whole relay, driven by each client: two inputs from HTTP-FLV servers, two real servers that record.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::gateway::Site;
use crate::common::nginx::Nginx;
use crate::common::tls_proxy::Issued;
use crate::common::web::{Content, State, Web};
use crate::common::{eventually, media, packets};
use crate::sdk::{Endpoint, Sdk, configuration};

const PATIENCE: Duration = Duration::from_secs(60);

/// The stream is back at an input only when it is told so.
const INGEST: &str = "[ingest]\nstall_ms = 1500\nreturn_after_ms = 3600000\n";

struct Scene {
    sdk: Sdk,
    endpoint: Endpoint,
    project: String,
}

impl Scene {
    async fn call(&self, action: &'static str, mut wish: Value) -> Value {
        wish["Platform"] = "test".into();
        if !self.project.is_empty() && action != "DescribeProjects" {
            wish["ProjectId"] = self.project.as_str().into();
        }
        let results = self
            .sdk
            .run(&self.endpoint, "", "", &[(action, wish)])
            .await;
        let [result] = results.as_slice() else {
            panic!("one result is expected: {results:?}");
        };
        assert!(result.get("Error").is_none(), "{action}: {result}");
        result.clone()
    }

    async fn handle(&self, operation: &str, mut wish: Value) {
        wish["Operation"] = operation.into();
        self.call("HandleStreamConnectProject", wish).await;
    }

    /// Waits until the project works and this input is on the air.
    async fn on_air(&self, endpoint: &str) {
        eventually(&format!("{endpoint} is on the air"), PATIENCE, || async {
            let wish = json!({"ProjectIds": [self.project]});
            let found = self.call("DescribeProjects", wish).await;
            let info = &found["ProjectInfoSet"][0]["StreamConnectProjectInfo"];
            (info["Status"] == "Working" && info["CurrentInputEndpoint"] == endpoint).then_some(())
        })
        .await;
    }
}

async fn more_is_recorded(servers: &[&Nginx], name: &str) {
    for server in servers {
        let before = server.recorded_bytes(name);
        eventually(&format!("more of {name} is recorded"), PATIENCE, || async {
            (server.recorded_bytes(name) > before + 40_000).then_some(())
        })
        .await;
    }
}

/// The times of both tracks rise, and nothing is missing between two packets.
fn assert_continuous(recording: &Path) {
    for track in ['v', 'a'] {
        let packets = packets::of_track(Path::new("ffmpeg"), recording, track);
        assert!(packets.len() > 100, "track {track}: {}", packets.len());
        for pair in packets.windows(2) {
            let step = pair[1].dts - pair[0].dts;
            assert!((1..=1000).contains(&step), "track {track}: {pair:?}");
        }
    }
}

/// The other servers of the test are on loopback, which the gateway would not call by itself.
async fn relay(sdk: Sdk) {
    let live = |seconds| Content {
        live: Some(media::h264_aac(seconds, 1)),
        ..Content::default()
    };
    let (main, backup) = (Web::start(live(4)).await, Web::start(live(6)).await);
    let (first, second) = (Nginx::start().await, Nginx::start().await);
    let directory = tempfile::tempdir().unwrap();
    let issued = Issued::new(directory.path());
    let https = format!(
        "[https]\nlisten = \"127.0.0.1:0\"\ncertificate = {:?}\nprivate_key = {:?}\n",
        issued.certificate, issued.private_key
    );
    let site = Site::new("", &configuration(&format!("{https}{INGEST}")));
    let gateway = site.start().await;
    let port = gateway.listener("HTTPS", "https://").unwrap().port();
    let mut scene = Scene {
        sdk,
        endpoint: Endpoint {
            address: format!("localhost:{port}"),
            protocol: "",
            authority: Some(issued.authority),
        },
        project: String::new(),
    };
    let pull =
        |url: String| json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": url}});
    let wish = json!({
        "Name": "relay", "Category": "STREAM_CONNECT", "Owner": {"Type": "PERSON", "Id": "user_1"},
        "StreamConnectProjectInput": {
            "MainInput": pull(main.url("live.flv")),
            "BackupInput": pull(backup.url("live.flv")),
            "Outputs": [{"PushUrl": first.url("out")}, {"PushUrl": second.url("out")}],
        },
    });
    let made = scene.call("CreateProject", wish).await;
    scene.project = made["ProjectId"].as_str().unwrap().to_owned();

    scene.handle("Start", json!({})).await;
    // The main input begins, whichever of the two answers first.
    scene.on_air("Main").await;
    let both = [&first, &second];
    more_is_recorded(&both, "out").await;
    let added = json!({"OutputInfo": {"PushUrl": first.url("added")}});
    scene.handle("AddOutput", added).await;
    more_is_recorded(&[&first], "added").await;

    main.set(State::Down);
    scene.on_air("Backup").await;
    more_is_recorded(&both, "out").await;
    main.set(State::Up);
    // It may take a while until the input is well enough to be switched to.
    let to_main = json!({"InputEndpoint": "Main"});
    scene.handle("SwitchInput", to_main).await;
    scene.on_air("Main").await;
    more_is_recorded(&both, "out").await;

    scene.handle("Stop", json!({})).await;
    for (server, name) in [(&first, "out"), (&second, "out"), (&first, "added")] {
        assert_continuous(&server.recording(name).await);
    }
    scene.call("DeleteProject", json!({})).await;
    assert!(gateway.rules().await.is_empty());
}

#[tokio::test]
async fn python_drives_a_relay_from_its_making_to_its_end() {
    relay(Sdk::Python).await;
}

#[tokio::test]
async fn node_drives_a_relay_from_its_making_to_its_end() {
    relay(Sdk::Node).await;
}

#[tokio::test]
async fn the_command_line_drives_a_relay_from_its_making_to_its_end() {
    relay(Sdk::CommandLine).await;
}
