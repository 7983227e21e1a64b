//! The Tencent door against recorded requests with the answers that they have to get, under the clock that they name.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;
mod tencent;

use axum::body::Body;
use axum::http::Request;
use doors::{Answer, Gateway};
use serde_json::{Value, json};
use tencent::{Caller, assert_covers};

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/tencent.json")).unwrap()
}

fn list<'a>(fixture: &'a Value, name: &str) -> &'a [Value] {
    fixture[name].as_array().unwrap()
}

/// Headers are an object, or a list of pairs.
async fn send(gateway: &Gateway, request: &Value) -> Answer {
    let text = |name: &str| request[name].as_str().unwrap();
    let mut built = Request::builder()
        .method(text("method"))
        .uri(text("target"));
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        built = built.header(name, value.as_str().unwrap());
    }
    for pair in request["headers"].as_array().into_iter().flatten() {
        built = built.header(pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    }
    let body = Body::from(text("body").to_owned());
    gateway.send(built.body(body).unwrap()).await
}

#[tokio::test]
async fn single_requests() {
    let fixture = fixture();
    assert_eq!(list(&fixture, "requests").len(), 28);
    for case in list(&fixture, "requests") {
        let gateway = Gateway::new();
        gateway.clock.set_ms(case["now"].as_i64().unwrap() * 1000);
        let answer = send(&gateway, &case["request"]).await;
        let expected = &case["expect"];
        let status = expected["http_status"].as_u64().unwrap() as u16;
        assert_eq!(answer.status, status, "{}", case["id"]);
        assert_eq!(answer.header("content-type"), expected["content_type"]);
        assert_covers(&answer.json(), &expected["json"], &case["id"].to_string());
    }
}

#[tokio::test]
async fn requests_of_the_real_sdks() {
    for case in list(&fixture(), "captures") {
        let gateway = Gateway::new();
        gateway.clock.set_ms(case["now"].as_i64().unwrap() * 1000);
        let answer = send(&gateway, &case["request"]).await.json();
        let id = answer["Response"]["ProjectId"].as_str();
        assert!(id.is_some(), "{}: {answer}", case["id"]);
        let projects = gateway.store.projects.lock().unwrap();
        let project = projects.values().next().unwrap();
        assert_eq!(project.name, "直播 多平台/分发", "{}", case["id"]);
        let outputs: Vec<_> = project
            .outputs
            .iter()
            .map(|output| (output.name.as_str(), output.given.expose()))
            .collect();
        assert_eq!(
            outputs,
            [
                (
                    "推流1",
                    "rtmp://push.example.com/cme/live1?txSecret=ab&txTime=5C271099"
                ),
                ("", "rtmp://push.example.com/cme/live2?k=a b~'*()"),
            ],
            "{}",
            case["id"]
        );
    }
}

/// The steps of a project's life, from its making to its end.
#[tokio::test]
async fn a_project_from_its_making_to_its_end() {
    let caller = Caller::new(Gateway::new());
    let start = json!({
        "Platform": "test", "Category": "STREAM_CONNECT", "Name": "stream_connect",
        "Owner": {"Type": "PERSON", "Id": "user_1"},
        "StreamConnectProjectInput": {
            "MainInput": {"InputType": "RtmpPush", "RtmpPushInputInfo": {"ExpiredSecond": 3600}},
            "Outputs": [{"Id": "1", "Name": "推流1", "Type": "URL", "PushUrl": "rtmp://push.example.com/cme/live1"}],
        },
    });
    let made = caller.done("CreateProject", start).await;
    let id = made["ProjectId"].as_str().unwrap().to_owned();
    let digits = id.strip_prefix("cmepid_").unwrap();
    assert!(
        digits.len() == 24
            && digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    );
    assert_push_url(&made["RtmpPushInputInfoSet"][0]["PushUrl"]);
    assert_eq!(
        made["RtmpPushInputInfoSet"][1],
        json!({"ExpiredSecond": 0, "PushUrl": ""})
    );

    let idle = caller.describe(&id).await;
    assert_covers(
        &idle,
        &json!({
            "Category": "STREAM_CONNECT", "MediaCastProjectInfo": null, "AspectRatio": "", "CoverUrl": "",
            "StreamConnectProjectInfo": {
                "Status": "Idle", "CurrentInputEndpoint": "Main", "BackupInput": null,
                "CurrentStartTime": "", "CurrentStopTime": "", "LastStopTime": "",
                "MainInput": {"InputType": "RtmpPush", "LivePullInputInfo": null, "VodPullInputInfo": null},
                "OutputSet": [{"PushSwitch": "Off", "StreamConnectOutput": {"Id": "1", "Name": "推流1", "Type": "URL"}}],
            },
        }),
        "idle",
    );
    assert_eq!(
        idle["StreamConnectProjectInfo"]["MainInput"]["RtmpPushInputInfo"],
        made["RtmpPushInputInfoSet"][0]
    );

    let nothing = json!({"StreamInputRtmpPushUrl": "", "VodPullInputPlayInfo": null});
    let backup = json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": "rtmp://play.example.com/live/b"}});
    let done = |operation: &'static str, more: Value| caller.handle(&id, operation, more);
    let added = done(
        "AddInput",
        json!({"InputEndpoint": "Backup", "InputInfo": backup}),
    )
    .await;
    assert_covers(&added, &nothing, "add-backup");
    let output =
        json!({"OutputInfo": {"PushUrl": "rtmp://push.example.com/cme/live2", "Name": "媒体"}});
    assert_covers(&done("AddOutput", output).await, &nothing, "add-output");
    let again = json!({"OutputInfo": {"Id": "1", "PushUrl": "rtmp://push.example.com/cme/live3"}});
    let refused = |operation: &'static str, more: Value| caller.refused(&id, operation, more);
    assert_eq!(
        refused("AddOutput", again).await,
        "InvalidParameterValue.StreamConnectOutputInvalid"
    );
    assert_covers(&done("Start", json!({})).await, &nothing, "start");

    let working = caller.describe(&id).await;
    let info = &working["StreamConnectProjectInfo"];
    assert_eq!(info["Status"], "Working");
    assert_eq!(info["OutputSet"][0]["PushSwitch"], "On");
    assert_eq!(info["CurrentStartTime"], caller.time(0));
    assert_eq!(info["CurrentStopTime"], caller.time(7 * 24 * 3600));
    assert_eq!(
        refused("Start", json!({})).await,
        "FailedOperation.StreamConnect"
    );
    let other = json!({"OutputInfo": {"Id": "1", "PushUrl": "rtmp://push.example.com/cme/live9"}});
    assert_eq!(
        refused("ModifyOutput", other).await,
        "FailedOperation.StreamConnect"
    );
    done("SwitchInput", json!({"InputEndpoint": "Backup"})).await;
    let switched = caller.describe(&id).await;
    assert_eq!(
        switched["StreamConnectProjectInfo"]["CurrentInputEndpoint"],
        "Backup"
    );
    let day = 24 * 3600;
    for (seconds, expected) in [(31 * day, "InvalidParameterValue"), (day, "")] {
        let wish = json!({"CurrentStopTime": caller.time(seconds)});
        match expected {
            "" => drop(done("ModifyCurrentStopTime", wish).await),
            code => assert_eq!(refused("ModifyCurrentStopTime", wish).await, code),
        }
    }
    assert_eq!(
        refused("DescribeInputPlayInfo", json!({"InputEndpoint": "Main"})).await,
        "InvalidParameterValue.StreamConnectInputInvalid"
    );
    let it = json!({"Platform": "test", "ProjectId": id});
    assert_eq!(
        caller.code("DeleteProject", it.clone()).await,
        "FailedOperation"
    );
    assert_eq!(refused("Pause", json!({})).await, "InvalidParameterValue");
    assert_eq!(
        refused("Stop", json!({"Operator": "user_2"})).await,
        "OperationDenied.PermissionDeny"
    );
    done("Stop", json!({})).await;
    done("Stop", json!({})).await;
    let name = json!({"Platform": "test", "ProjectId": id, "Name": "项目名称"});
    caller.done("ModifyProject", name).await;
    assert_eq!(caller.describe(&id).await["Name"], "项目名称");
    caller.done("DeleteProject", it).await;
    assert!(caller.gateway.rules.list(None).is_empty());
}

fn assert_push_url(url: &Value) {
    let url = url.as_str().unwrap();
    let (place, query) = url.split_once('?').unwrap();
    let parts: Vec<&str> = place.strip_prefix("rtmp://").unwrap().split('/').collect();
    assert_eq!(parts.len(), 3, "{url}");
    let (secret, time) = query.split_once('&').unwrap();
    let (secret, time) = (
        secret.strip_prefix("txSecret=").unwrap(),
        time.strip_prefix("txTime=").unwrap(),
    );
    let is = |text: &str, length, of: &[u8]| {
        text.len() == length && text.bytes().all(|byte| of.contains(&byte))
    };
    assert!(is(secret, 32, b"0123456789abcdef"), "{url}");
    assert!(is(time, 8, b"0123456789ABCDEF"), "{url}");
}

#[tokio::test]
async fn the_twenty_first_call_of_a_second() {
    let caller = Caller::new(Gateway::new());
    let none = json!({"Platform": "test"});
    for _ in 0..20 {
        caller.done("DescribeProjects", none.clone()).await;
    }
    let answer = caller.raw("DescribeProjects", none.clone()).await;
    assert_covers(
        &answer.json(),
        &json!({"Response": {
            "Error": {"Code": "RequestLimitExceeded", "Message": "<any-string>"}, "RequestId": "<any-string>",
        }}),
        "the 21st",
    );
    // Another action has its own count, and a second later there is room again.
    assert_eq!(
        caller
            .code(
                "DeleteProject",
                json!({"Platform": "test", "ProjectId": "a"})
            )
            .await,
        "InvalidParameterValue.ProjectId"
    );
    caller.pass(1);
    caller.done("DescribeProjects", none).await;
}

#[tokio::test]
async fn events_are_parsed_as_they_are_sent() {
    let caller = Caller::new(Gateway::new());
    for body in list(&fixture(), "events") {
        let wish = json!({"Platform": "test", "EventContent": body.to_string()});
        let parsed = caller.done("ParseEvent", wish).await;
        assert_eq!(parsed["EventContent"], *body);
        // As the vendor's own have it, with the members of its other products.
        let mut whole = body.clone();
        whole["StorageNewFileCreatedEvent"] = Value::Null;
        whole["ProjectMediaCastStatusChangedEvent"] = Value::Null;
        let wish = json!({"Platform": "test", "EventContent": whole.to_string()});
        let parsed = caller.done("ParseEvent", wish).await;
        assert_eq!(parsed["EventContent"], *body);
    }
    for content in ["", "[]", "{}", r#"{"EventType":"Storage.NewFileCreated"}"#] {
        let wish = json!({"Platform": "test", "EventContent": content});
        assert_eq!(
            caller.code("ParseEvent", wish).await,
            "InvalidParameterValue",
            "{content}"
        );
    }
}
