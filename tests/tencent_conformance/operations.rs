//! What each operation does in each state of a project.

use serde_json::{Value, json};

use crate::call::Tc3;
use crate::members::project_with;
use crate::tencent::Caller;
use crate::{code, gateway};

/// What a project is when something is done with it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Idle, without inputs and outputs.
    Bare,
    /// Idle, with a main input and an output `1`.
    Idle,
    /// As `Idle`, and started.
    Working,
    /// As `Working`, and stopped.
    Stopped,
}

async fn in_state(state: State) -> (Caller, String) {
    let caller = Caller::new(gateway());
    let wish = match state {
        State::Bare => project_with("/StreamConnectProjectInput", json!({})),
        _ => project_with("/StreamConnectProjectInput/BackupInput", json!(null)),
    };
    let made = caller.done("CreateProject", wish).await;
    let id = made["ProjectId"].as_str().unwrap().to_owned();
    if matches!(state, State::Working | State::Stopped) {
        caller.handle(&id, "Start", json!({})).await;
    }
    if state == State::Stopped {
        caller.handle(&id, "Stop", json!({})).await;
    }
    (caller, id)
}

#[tokio::test]
async fn each_operation_in_each_state() {
    use State::{Bare, Idle, Stopped, Working};
    let (input, output) = (
        "InvalidParameterValue.StreamConnectInputInvalid",
        "InvalidParameterValue.StreamConnectOutputInvalid",
    );
    let (failed, value) = ("FailedOperation.StreamConnect", "InvalidParameterValue");
    let incomplete = "InvalidParameterValue.StreamConnect";
    let live = json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": "rtmp://play.example.com/live/b"}});
    let at = |endpoint: &str| json!({"InputEndpoint": endpoint});
    let put = |endpoint: &str| json!({"InputEndpoint": endpoint, "InputInfo": live});
    let two = json!({"OutputInfo": {"PushUrl": "rtmp://push.example.com/cme/live2"}});
    let one_again =
        json!({"OutputInfo": {"Id": "1", "PushUrl": "rtmp://push.example.com/cme/live2"}});
    let one = json!({"OutputInfo": {"Id": "1", "Name": "other"}});
    let nobody = json!({"OutputInfo": {"Id": "nobody", "Name": "other"}});
    let nameless = json!({"OutputInfo": {"Name": "other"}});
    let tomorrow = json!({"CurrentStopTime": "2025-11-02T00:00:00.000Z"});
    // Bare, Idle, Working, Stopped.
    for (operation, more, expected) in [
        ("AddInput", put("Main"), ["ok", input, input, input]),
        ("AddInput", put("Backup"), ["ok", "ok", "ok", "ok"]),
        (
            "AddInput",
            json!({"InputEndPoint": "Backup", "InputInfo": live}),
            ["ok", "ok", "ok", "ok"],
        ),
        ("AddInput", put("main"), [input, input, input, input]),
        ("AddInput", put(""), [input, input, input, input]),
        ("AddInput", at("Backup"), [input, input, input, input]),
        (
            "AddInput",
            json!({"InputInfo": live}),
            [input, input, input, input],
        ),
        ("ModifyInput", put("Main"), [input, "ok", failed, "ok"]),
        ("ModifyInput", put("Backup"), [input, input, failed, input]),
        ("ModifyInput", at("Main"), [input, input, input, input]),
        ("DeleteInput", at("Main"), [input, "ok", failed, "ok"]),
        ("DeleteInput", at("Backup"), [input, input, failed, input]),
        ("DeleteInput", json!({}), [input, input, input, input]),
        ("AddOutput", two.clone(), ["ok", "ok", "ok", "ok"]),
        (
            "AddOutput",
            one_again.clone(),
            ["ok", output, output, output],
        ),
        (
            "AddOutput",
            nameless.clone(),
            [output, output, output, output],
        ),
        ("AddOutput", json!({}), [output, output, output, output]),
        ("ModifyOutput", one.clone(), [output, "ok", failed, "ok"]),
        ("ModifyOutput", one_again, [output, "ok", failed, "ok"]),
        (
            "ModifyOutput",
            nobody.clone(),
            [output, output, failed, output],
        ),
        (
            "ModifyOutput",
            nameless.clone(),
            [output, output, failed, output],
        ),
        ("ModifyOutput", json!({}), [output, output, output, output]),
        ("DeleteOutput", one, [output, "ok", "ok", "ok"]),
        ("DeleteOutput", nobody, [output, output, output, output]),
        ("DeleteOutput", nameless, [output, output, output, output]),
        ("DeleteOutput", json!({}), [output, output, output, output]),
        ("Start", json!({}), [incomplete, "ok", failed, "ok"]),
        ("Stop", json!({}), ["ok", "ok", "ok", "ok"]),
        ("SwitchInput", at("Main"), [failed, failed, "ok", failed]),
        (
            "SwitchInput",
            json!({"InputEndPoint": "Main"}),
            [failed, failed, "ok", failed],
        ),
        ("SwitchInput", at("Backup"), [failed, failed, input, failed]),
        ("SwitchInput", json!({}), [input, input, input, input]),
        (
            "ModifyCurrentStopTime",
            tomorrow,
            [failed, failed, "ok", failed],
        ),
        (
            "ModifyCurrentStopTime",
            json!({}),
            [value, value, value, value],
        ),
        (
            "DescribeInputPlayInfo",
            at("Main"),
            [input, input, input, input],
        ),
        (
            "DescribeInputPlayInfo",
            at("Backup"),
            [input, input, input, input],
        ),
        (
            "DescribeInputPlayInfo",
            json!({}),
            [input, input, input, input],
        ),
        ("start", json!({}), [value, value, value, value]),
        ("", json!({}), [value, value, value, value]),
    ] {
        for (state, expected) in [Bare, Idle, Working, Stopped].into_iter().zip(expected) {
            let (caller, id) = in_state(state).await;
            let before = caller.describe(&id).await;
            let found = match expected {
                "ok" => {
                    let done = caller.handle(&id, operation, more.clone()).await;
                    assert_eq!(done["StreamInputRtmpPushUrl"], "", "{operation} {state:?}");
                    assert_eq!(done["VodPullInputPlayInfo"], Value::Null);
                    "ok".to_owned()
                }
                _ => caller.refused(&id, operation, more.clone()).await,
            };
            assert_eq!(found, expected, "{operation} {more} {state:?}");
            if expected != "ok" {
                assert_eq!(caller.describe(&id).await, before, "{operation} {state:?}");
            }
        }
    }
    for (state, expected) in [(Idle, "ok"), (Working, "FailedOperation"), (Stopped, "ok")] {
        let (caller, id) = in_state(state).await;
        let wish = json!({"Platform": "test", "ProjectId": id});
        let request = Tc3::new("DeleteProject", &wish.to_string()).request();
        assert_eq!(code(&caller.gateway, request).await, expected, "{state:?}");
    }
}

#[tokio::test]
async fn the_end_of_a_working_project_lies_within_thirty_days() {
    let (caller, id) = in_state(State::Working).await;
    let value = "InvalidParameterValue";
    for (time, expected) in [
        ("2025-12-01T00:00:00Z", "ok"),
        ("2025-12-01T00:00:00.000Z", "ok"),
        ("2025-12-01T00:00:00.001Z", value),
        ("2025-12-01T08:00:00.000+08:00", "ok"),
        ("2025-12-01T08:00:01.000+08:00", value),
        ("2025-11-01T00:00:00.000Z", value),
        ("2025-10-31T23:59:59.999Z", value),
        ("2025-11-01T00:00:00.001Z", "ok"),
        ("2025-11-02", value),
        ("2025-11-02T00:00:00", value),
        ("2025-11-31T00:00:00.000Z", value),
        ("2025-11-02 00:00:00", value),
        ("1762041600", value),
        ("tomorrow", value),
        ("", value),
    ] {
        let more = json!({"CurrentStopTime": time});
        let found = match expected {
            "ok" => {
                caller.handle(&id, "ModifyCurrentStopTime", more).await;
                "ok".to_owned()
            }
            _ => caller.refused(&id, "ModifyCurrentStopTime", more).await,
        };
        assert_eq!(found, expected, "{time}");
    }
}
