//! Projects of the Tencent door on a real gateway: what is left of them after a crash.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{PATIENCE, QUICK};
use crate::common::gateway::{Gateway, Site};
use crate::common::target::{Behaviour, Target};
use crate::common::web::{Content, Web};
use crate::common::{eventually, http_client, media};
use crate::tencent::authorization;

const ID: &str = "AKIDexampleid0000000000000000000001";
const KEY: &str = "exampleSecretKey0000000000000001";

/// An app with an account.
pub const ACCOUNT: &str = "[[apps]]\nname = \"live\"\nsecret_id = \"AKIDexampleid0000000000000000000001\"\n\
                           secret_key = \"exampleSecretKey0000000000000001\"\n";

/// A signed call that has to succeed.
async fn act(gateway: &Gateway, action: &str, mut parameters: Value) -> Value {
    parameters["Platform"] = "test".into();
    let (body, host) = (parameters.to_string(), gateway.http.to_string());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_secs()).unwrap();
    let form = ("POST", "", host.as_str(), "application/json");
    let answer = http_client()
        .post(format!("http://{host}/"))
        .header("content-type", "application/json")
        .header("x-tc-action", action)
        .header("x-tc-version", "2019-10-29")
        .header("x-tc-timestamp", now)
        .header("authorization", authorization(ID, KEY, form, &body, now))
        .body(body)
        .send()
        .await
        .unwrap();
    let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let response = &answer["Response"];
    assert!(response.get("Error").is_none(), "{action}: {response}");
    response.clone()
}

/// A project of pulled inputs and one output; its id.
pub async fn create(gateway: &Gateway, main: &str, backup: Option<&str>, output: &str) -> String {
    let pull = |url: &str| json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": url}});
    let wish = json!({
        "Name": "n", "Category": "STREAM_CONNECT", "Owner": {"Type": "PERSON", "Id": "user_1"},
        "StreamConnectProjectInput": {
            "MainInput": pull(main), "BackupInput": backup.map(pull), "Outputs": [{"PushUrl": output}],
        },
    });
    let made = act(gateway, "CreateProject", wish).await;
    made["ProjectId"].as_str().unwrap().to_owned()
}

/// An operation without parameters of its own.
pub async fn call(gateway: &Gateway, id: &str, operation: &str) {
    let wish = json!({"ProjectId": id, "Operation": operation});
    act(gateway, "HandleStreamConnectProject", wish).await;
}

async fn status(gateway: &Gateway, id: &str) -> Value {
    let found = act(gateway, "DescribeProjects", json!({"ProjectIds": [id]})).await;
    found["ProjectInfoSet"][0]["StreamConnectProjectInfo"]["Status"].clone()
}

/// Waits until the target has pictures on so many connections for this name.
async fn relayed(target: &Target, name: &str, times: usize) {
    eventually(&format!("{name} is relayed"), PATIENCE, || async {
        let visits = target.visits();
        let fed = visits
            .iter()
            .filter(|visit| visit.name == name && visit.tags().iter().any(|tag| tag.is_keyframe()));
        (fed.count() >= times).then_some(())
    })
    .await;
}

#[tokio::test]
async fn after_kill_9_what_worked_works_again_and_what_was_stopped_stays_so() {
    let web = Web::start(Content {
        live: Some(media::h264_aac(4, 1)),
        ..Content::default()
    })
    .await;
    let target = Target::start(Behaviour::Records).await;
    let site = Site::new("", &format!("{QUICK}{ACCOUNT}"));
    let gateway = site.start().await;
    let [works, stopped, idle] = ["works", "stopped", "idle"];
    let mut ids = Vec::new();
    for name in [works, stopped, idle] {
        let output = target.url(&format!("live/{name}"));
        ids.push(create(&gateway, &web.url("live.flv"), None, &output).await);
    }
    for id in &ids[..2] {
        call(&gateway, id, "Start").await;
    }
    relayed(&target, works, 1).await;
    relayed(&target, stopped, 1).await;
    call(&gateway, &ids[1], "Stop").await;
    // In the moment of the answer it is on disk.
    gateway.kill_9();

    let gateway = site.start().await;
    for (id, expected) in ids.iter().zip(["Working", "Idle", "Idle"]) {
        assert_eq!(status(&gateway, id).await, expected);
    }
    relayed(&target, works, 2).await;
    for rule in gateway.rules().await {
        assert_eq!(rule["origin"], "tencent");
        assert_eq!(rule["enabled"], rule["stream"] == *ids[0], "{rule}");
    }
    for target in gateway.targets().await {
        let works = target["stream"] == format!("live/{}", ids[0]);
        assert_eq!(target["state"] != "stopped", works, "{target}");
    }
    let visits = |name: &str| {
        target
            .visits()
            .iter()
            .filter(|visit| visit.name == name)
            .count()
    };
    assert_eq!((visits(stopped), visits(idle)), (1, 0));

    // A start that was answered survives as well, and an end of what was taken up again.
    call(&gateway, &ids[2], "Start").await;
    call(&gateway, &ids[0], "Stop").await;
    gateway.kill_9();
    let gateway = site.start().await;
    for (id, expected) in ids.iter().zip(["Idle", "Idle", "Working"]) {
        assert_eq!(status(&gateway, id).await, expected);
    }
    relayed(&target, idle, 1).await;
    let deadline = Duration::from_secs(20);
    gateway.sigterm();
    assert!(gateway.wait(deadline).await.0.success());
}
