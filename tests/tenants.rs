//! Each app sees and reaches only its own streams, rules and projects: every action of every vendor door, by another app.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;
mod tencent;

use std::sync::Arc;

use aqueduct::api::client;
use aqueduct::api::tencent::Account;
use aqueduct::api::zego::sign;
use aqueduct::control::{AppName, Origin, Project, ProjectId, Rule, StreamKey, TargetState};
use aqueduct::relay::{Claim, ClaimRefused, Credential, DuplicatePolicy};
use aqueduct::secret::Secret;
use axum::body::Body;
use axum::http::Request;
use doors::zego::{APP_ID, NOW, OTHER_APP_ID, OTHER_SECRET, SECRET};
use doors::{Gateway, SECRET_ID, SECRET_KEY, stream_status, target_status};
use serde_json::{Value, json};
use tencent::signed;

const URL: &str = "rtmp://push.example.com/app/s";
const CLIENT_SECRET: &str = "fedcba9876543210fedcba9876543210";
const OTHER_CLIENT_SECRET: &str = "the other app's clients have this";
const OTHER_SECRET_ID: &str = "AKIDother";
const OTHER_SECRET_KEY: &str = "the other app's key";

/// Two apps, `live` and `other`, each known to all vendor doors.
fn gateway() -> Gateway {
    let gateway = Gateway::new();
    gateway.clock.set_ms(NOW * 1000);
    gateway.configure(|settings| {
        settings.zego.accounts[0].client_secret = Some(Secret::new(CLIENT_SECRET));
        settings.zego.accounts[1].client_secret = Some(Secret::new(OTHER_CLIENT_SECRET));
        settings.tencent.accounts.push(Account {
            app: AppName::parse("other").unwrap(),
            secret_id: OTHER_SECRET_ID.to_owned(),
            secret_key: Secret::new(OTHER_SECRET_KEY),
            // So that no platform keeps it from the first app's projects.
            platform: None,
        });
    });
    gateway
}

/// A call of the ZEGO door, about the stream `cam` unless it says otherwise.
async fn zego(
    gateway: &Gateway,
    (app_id, secret): (u32, &str),
    parameters: &[(&str, &str)],
) -> Value {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    let now = NOW.to_string();
    let signature = sign(app_id, "n", &Secret::new(secret), &now);
    let app_id = app_id.to_string();
    for (name, value) in [
        ("StreamId", "cam"),
        ("Sequence", "1"),
        ("AppId", &app_id),
        ("SignatureNonce", "n"),
        ("Timestamp", &now),
        ("SignatureVersion", "2.0"),
        ("Signature", &signature),
    ] {
        query.append_pair(name, value);
    }
    gateway.call(&format!("/?{}", query.finish())).await.json()
}

/// A command of a client's about the stream `cam`.
async fn command(gateway: &Gateway, (app_id, secret): (u32, &str), cmd: &str) -> u64 {
    let body = json!({
        "cmd": cmd, "app_id": app_id, "stream_id": "cam", "cdn_server": URL, "seq": 1, "timestamp": NOW,
        "signature": client::sign(app_id, NOW, &Secret::new(secret)),
    });
    let request = Request::post("/client/v1/publish_cdn")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    gateway.send(request).await.json()["code"].as_u64().unwrap()
}

/// A call of the Tencent door; what is in its envelope.
async fn tencent(gateway: &Gateway, (id, key): (&str, &str), action: &str, wish: Value) -> Value {
    let request = signed(id, key, action, &wish.to_string(), NOW);
    gateway.send(request).await.json()["Response"].clone()
}

const LIVE: (u32, &str) = (APP_ID, SECRET);
const OTHER: (u32, &str) = (OTHER_APP_ID, OTHER_SECRET);
const TENCENT_LIVE: (&str, &str) = (SECRET_ID, SECRET_KEY);
const TENCENT_OTHER: (&str, &str) = (OTHER_SECRET_ID, OTHER_SECRET_KEY);

/// All that the app `live` has.
#[derive(Debug, PartialEq)]
struct Belongings {
    rules: Vec<Arc<Rule>>,
    forbidden: Vec<StreamKey>,
    projects: Vec<(ProjectId, Project)>,
    fed: usize,
}

fn of_live(gateway: &Gateway) -> Belongings {
    let live = AppName::live();
    let forbidden = gateway.store.forbidden.lock().unwrap().clone();
    let projects = gateway.store.projects.lock().unwrap().clone();
    let running = gateway.feeding.running.lock().unwrap();
    Belongings {
        rules: gateway.rules.list(Some(&live)),
        forbidden: forbidden
            .into_iter()
            .filter(|key| key.app == live)
            .collect(),
        projects: projects
            .into_iter()
            .filter(|(_, project)| project.app == live)
            .collect(),
        fed: running.keys().filter(|(key, _)| key.app == live).count(),
    }
}

fn publishes(gateway: &Gateway, app: &str) -> Result<(), ClaimRefused> {
    let claim = Claim {
        credential: Credential::Key([0; 32]),
        peer: "192.0.2.7:4000".parse().unwrap(),
        client: String::new(),
        input: None,
    };
    let key = StreamKey::parse(app, "cam").unwrap();
    let claimed = gateway.hub.claim(&key, claim, DuplicatePolicy::Takeover);
    claimed.map(|publisher| publisher.finish())
}

#[tokio::test]
async fn of_the_zego_door() {
    let gateway = gateway();
    let create = [("Action", "CreatCDNTransferRule"), ("CDNUrl", URL)];
    assert_eq!(zego(&gateway, LIVE, &create).await["Code"], 0);
    assert_eq!(
        gateway
            .add("cam", "rtmp://push.example.com/app/api")
            .await
            .status,
        201
    );
    let forbid = [("Action", "ForbidRTCStream"), ("StreamId", "forbidden")];
    assert_eq!(zego(&gateway, LIVE, &forbid).await["Code"], 0);
    *gateway.running.streams.lock().unwrap() = vec![stream_status("live", "cam")];
    let before = of_live(&gateway);

    let known = json!({"create_time": "0", "close_time": ""});
    let describe = [("Action", "DescribeRTCStreamState")];
    assert_eq!(zego(&gateway, LIVE, &describe).await["Data"], known);
    for (at, (action, stream, url, code)) in [
        ("DeleteCDNTransferRule", "cam", URL, 0),
        ("DeleteCDNTransferRule", "forbidden", URL, 0),
        ("ClearCDNTransferRule", "forbidden", "", 0),
        ("DescribeRTCStreamState", "cam", "", 41_004),
        ("ForbidRTCStream", "cam", "", 0),
        ("ResumeRTCStream", "forbidden", "", 0),
        ("RTMPDispatch", "cam", "", 0),
        // The other app's own test names are no names of this one's.
        (
            "CreatCDNTransferRule",
            "zegotest-1234567890-cam",
            URL,
            30_009,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let sequence = at.to_string();
        let parameters = [
            ("Action", action),
            ("StreamId", stream),
            ("CDNUrl", url),
            ("Sequence", &sequence),
        ];
        let answer = zego(&gateway, OTHER, &parameters).await;
        assert_eq!(answer["Code"], code, "{action} {stream}: {answer}");
        assert!(
            !answer["Data"].to_string().contains("1234567890"),
            "{answer}"
        );
        assert_eq!(of_live(&gateway), before, "{action} {stream}");
    }
    let clear = [("Action", "ClearCDNTransferRule"), ("Sequence", "2")];
    assert_eq!(zego(&gateway, OTHER, &clear).await["Code"], 0);
    assert_eq!(of_live(&gateway), before);
    // The same wish of both is two relays, and one of them goes with its own app's word only.
    let again = [create[0], create[1], ("Sequence", "3")];
    assert_eq!(zego(&gateway, OTHER, &again).await["Code"], 0);
    assert_eq!(of_live(&gateway), before);
    let other = AppName::parse("other").unwrap();
    assert_eq!(gateway.rules.list(Some(&other)).len(), 1);
    // Where to publish is its own place.
    let dispatch = [("Action", "RTMPDispatchV2"), ("Type", "push")];
    let answer = zego(&gateway, OTHER, &dispatch).await;
    assert_eq!(answer["Data"], json!(["rtmp://relay.example:1935/42/cam"]));
    // What it has forbidden is a name of its own.
    assert!(publishes(&gateway, "live").is_ok());
    assert_eq!(publishes(&gateway, "other"), Err(ClaimRefused::Forbidden));
    // Neither number with the other's secret is anybody.
    for stranger in [(APP_ID, OTHER_SECRET), (OTHER_APP_ID, SECRET)] {
        assert_eq!(
            zego(&gateway, stranger, &describe).await["Code"],
            100_000_005
        );
    }
}

#[tokio::test]
async fn rates_sequences_and_single_use_signatures_are_an_apps_own() {
    let gateway = gateway();
    gateway.configure(|settings| settings.zego.refuse_replays = true);
    let create = [("Action", "CreatCDNTransferRule"), ("CDNUrl", URL)];
    assert_eq!(zego(&gateway, LIVE, &create).await["Code"], 0);
    assert_eq!(zego(&gateway, LIVE, &create).await["Code"], 100_000_005);
    // The same nonce, time, stream and number, and the address of a running relay.
    assert_eq!(zego(&gateway, OTHER, &create).await["Code"], 0);
    gateway.configure(|settings| settings.zego.refuse_replays = false);
    for _ in 0..12 {
        zego(&gateway, LIVE, &create).await;
    }
    assert_eq!(zego(&gateway, LIVE, &create).await["Code"], 30_002);
    assert_eq!(
        zego(&gateway, OTHER, &create).await["Code"],
        5005,
        "it has made two calls"
    );
    for _ in 0..11 {
        command(&gateway, (APP_ID, CLIENT_SECRET), "clearpush").await;
    }
    assert_eq!(
        command(&gateway, (APP_ID, CLIENT_SECRET), "clearpush").await,
        5007
    );
    let other = (OTHER_APP_ID, OTHER_CLIENT_SECRET);
    assert_eq!(command(&gateway, other, "clearpush").await, 0);
    let describe = json!({"Platform": "test"});
    for _ in 0..21 {
        tencent(&gateway, TENCENT_LIVE, "DescribeProjects", describe.clone()).await;
    }
    let answer = tencent(&gateway, TENCENT_LIVE, "DescribeProjects", describe.clone()).await;
    assert_eq!(answer["Error"]["Code"], "RequestLimitExceeded");
    let answer = tencent(&gateway, TENCENT_OTHER, "DescribeProjects", describe).await;
    assert_eq!(answer["TotalCount"], 0);
}

#[tokio::test]
async fn of_the_client_door() {
    let gateway = gateway();
    let (live, other) = ((APP_ID, CLIENT_SECRET), (OTHER_APP_ID, OTHER_CLIENT_SECRET));
    assert_eq!(command(&gateway, live, "addpush").await, 0);
    let before = of_live(&gateway);
    for cmd in ["delpush", "clearpush", "addpush", "delpush"] {
        assert_eq!(command(&gateway, other, cmd).await, 0, "{cmd}");
        assert_eq!(of_live(&gateway), before, "{cmd}");
        for stranger in [(APP_ID, OTHER_CLIENT_SECRET), (OTHER_APP_ID, CLIENT_SECRET)] {
            assert_eq!(command(&gateway, stranger, cmd).await, 5003, "{cmd}");
        }
        assert_eq!(of_live(&gateway), before, "{cmd}");
    }
    let other = AppName::parse("other").unwrap();
    assert!(gateway.rules.list(Some(&other)).is_empty());
}

#[tokio::test]
async fn of_the_tencent_door() {
    let gateway = gateway();
    let live = json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": "http://play.example.com/a.flv"}});
    let vod = json!({"InputType": "VodPull", "VodPullInputInfo": {"InputUrls": ["http://play.example.com/a.flv"]}});
    let wish = json!({
        "Platform": "test", "Category": "STREAM_CONNECT", "Name": "n", "Owner": {"Type": "PERSON", "Id": "user_1"},
        "StreamConnectProjectInput": {"MainInput": live, "BackupInput": vod, "Outputs": [{"Id": "1", "PushUrl": URL}]},
    });
    let made = tencent(&gateway, TENCENT_LIVE, "CreateProject", wish.clone()).await;
    let id = made["ProjectId"].as_str().unwrap().to_owned();
    let mut bare = wish.clone();
    bare["StreamConnectProjectInput"] = json!({});
    let own = tencent(&gateway, TENCENT_OTHER, "CreateProject", bare).await;
    let own = own["ProjectId"].as_str().unwrap().to_owned();
    let of_id = |more: Value| {
        let mut wish = json!({"Platform": "test", "ProjectId": id});
        wish.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        wish
    };
    let output = json!({"Id": "1", "PushUrl": "rtmp://push.example.com/app/other"});
    let tries = [
        ("ModifyProject", json!({"Name": "other"})),
        ("DeleteProject", json!({})),
        (
            "HandleStreamConnectProject",
            json!({"Operation": "AddInput", "InputEndpoint": "Main", "InputInfo": live}),
        ),
        (
            "HandleStreamConnectProject",
            json!({"Operation": "ModifyInput", "InputEndpoint": "Main", "InputInfo": live}),
        ),
        (
            "HandleStreamConnectProject",
            json!({"Operation": "DeleteInput", "InputEndpoint": "Backup"}),
        ),
        (
            "HandleStreamConnectProject",
            json!({"Operation": "AddOutput", "OutputInfo": {"PushUrl": URL}}),
        ),
        (
            "HandleStreamConnectProject",
            json!({"Operation": "ModifyOutput", "OutputInfo": output}),
        ),
        (
            "HandleStreamConnectProject",
            json!({"Operation": "DeleteOutput", "OutputInfo": {"Id": "1"}}),
        ),
        ("HandleStreamConnectProject", json!({"Operation": "Start"})),
        ("HandleStreamConnectProject", json!({"Operation": "Stop"})),
        (
            "HandleStreamConnectProject",
            json!({"Operation": "SwitchInput", "InputEndpoint": "Backup"}),
        ),
        (
            "HandleStreamConnectProject",
            json!({"Operation": "ModifyCurrentStopTime", "CurrentStopTime": "2025-11-02T00:00:00Z"}),
        ),
        (
            "HandleStreamConnectProject",
            json!({"Operation": "DescribeInputPlayInfo", "InputEndpoint": "Backup"}),
        ),
    ];
    // The configuration has an input of its own.
    let idle = of_live(&gateway).fed;
    for is_working in [false, true] {
        if is_working {
            let start = of_id(json!({"Operation": "Start"}));
            tencent(&gateway, TENCENT_LIVE, "HandleStreamConnectProject", start).await;
        }
        let before = of_live(&gateway);
        assert_eq!((before.projects.len(), before.rules.len()), (1, 1));
        assert_eq!(before.fed, if is_working { idle + 2 } else { idle });
        for (action, more) in &tries {
            let answer = tencent(&gateway, TENCENT_OTHER, action, of_id(more.clone())).await;
            let code = &answer["Error"]["Code"];
            assert_eq!(code, "InvalidParameterValue.ProjectId", "{action} {more}");
            assert_eq!(of_live(&gateway), before, "{action} {more}");
        }
        // The owner's name opens nothing either.
        let named = of_id(json!({"Operation": "Stop", "Operator": "user_1"}));
        let answer = tencent(&gateway, TENCENT_OTHER, "HandleStreamConnectProject", named).await;
        assert_eq!(answer["Error"]["Code"], "InvalidParameterValue.ProjectId");
        gateway
            .clock
            .set_ms(NOW * 1000 + if is_working { 4000 } else { 2000 });
    }
    for wish in [
        json!({"Platform": "test"}),
        json!({"Platform": "test", "ProjectIds": [id, own]}),
        json!({"Platform": "test", "Owner": {"Type": "PERSON", "Id": "user_1"}}),
        json!({"Platform": "test", "Operator": "user_1"}),
    ] {
        let found = tencent(&gateway, TENCENT_OTHER, "DescribeProjects", wish).await;
        assert_eq!(found["TotalCount"], 1);
        assert_eq!(found["ProjectInfoSet"][0]["ProjectId"], own);
    }
    let alone = json!({"Platform": "test", "ProjectIds": [id]});
    let found = tencent(&gateway, TENCENT_OTHER, "DescribeProjects", alone).await;
    assert_eq!(
        (&found["TotalCount"], &found["ProjectInfoSet"]),
        (&json!(0), &json!([]))
    );
    for stranger in [(SECRET_ID, OTHER_SECRET_KEY), (OTHER_SECRET_ID, SECRET_KEY)] {
        let answer = tencent(&gateway, stranger, "CreateProject", wish.clone()).await;
        assert_eq!(answer["Error"]["Code"], "AuthFailure.SignatureFailure");
    }
    // Over the ZEGO door, a project's stream is as much its own app's.
    let forbid = [("Action", "ForbidRTCStream"), ("StreamId", id.as_str())];
    let delete = [
        ("Action", "DeleteCDNTransferRule"),
        ("StreamId", id.as_str()),
        ("CDNUrl", URL),
    ];
    let before = of_live(&gateway);
    gateway.clock.set_ms(NOW * 1000);
    for parameters in [&forbid[..], &delete[..]] {
        assert_eq!(zego(&gateway, OTHER, parameters).await["Code"], 0);
    }
    assert_eq!(of_live(&gateway), before);
    // Nor does its own app take an output away but by the project.
    assert_eq!(zego(&gateway, LIVE, &delete).await["Code"], 0);
    assert_eq!(of_live(&gateway), before);
    assert_eq!(before.rules[0].origin, Origin::Tencent);
}

#[tokio::test]
async fn the_token_of_the_native_door_is_the_operators_and_sees_all_apps() {
    let gateway = gateway();
    let create = [("Action", "CreatCDNTransferRule"), ("CDNUrl", URL)];
    for account in [LIVE, OTHER] {
        assert_eq!(zego(&gateway, account, &create).await["Code"], 0);
    }
    let rules = gateway.rules.list(None);
    *gateway.running.streams.lock().unwrap() =
        vec![stream_status("live", "cam"), stream_status("other", "cam")];
    *gateway.running.targets.lock().unwrap() = vec![
        target_status(&rules[0], "live", "cam", TargetState::Live),
        target_status(&rules[1], "other", "cam", TargetState::Live),
    ];
    for (path, rows) in [
        ("/v1/rules", 2),
        ("/v1/rules?app=other", 1),
        ("/v1/streams", 2),
        ("/v1/streams?app=other", 1),
        ("/v1/targets", 2),
        ("/v1/targets?app=other", 1),
    ] {
        let found = gateway.ask("GET", path, None).await.json();
        assert_eq!(
            found.as_array().map(Vec::len),
            Some(rows),
            "{path}: {found}"
        );
    }
    // What opens a vendor's door opens nothing here.
    for secret in [SECRET, CLIENT_SECRET, SECRET_KEY] {
        let request = Request::get("/v1/rules")
            .header("host", "localhost")
            .header("authorization", format!("Bearer {secret}"))
            .body(Body::empty())
            .unwrap();
        gateway.send(request).await.assert_problem(401);
    }
}
