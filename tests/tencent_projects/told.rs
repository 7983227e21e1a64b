//! What is told of a project that works.

use super::{ONE, TWO, running, until, whats};
use crate::doors::Gateway;
use crate::tencent::Caller;
use aqueduct::api::tencent::event_body;
use aqueduct::control::inputs::{Happening, InputNotice, Interruption};
use aqueduct::control::{Role, StreamKey, UrlTemplate};
use aqueduct::rule::TargetUrl;
use aqueduct::telemetry::feed::{TargetChange, What};
use aqueduct::telemetry::labels::Setback;
use serde_json::{Value, json};

#[tokio::test]
async fn what_happens_to_a_working_project_is_told() {
    let caller = Caller::new(Gateway::new());
    let id = caller.create(&[ONE]).await;
    caller
        .handle(&id, "Start", json!({"Operator": "user_1"}))
        .await;
    let run = tokio::spawn(caller.gateway.projects.clone().run());
    while caller.gateway.feeding.notices.receiver_count() == 0 {
        tokio::task::yield_now().await;
    }
    let stream = StreamKey::parse("live", &id).unwrap();
    let lost = Happening::Interrupted {
        role: Role::Main,
        why: Interruption::Lost,
    };
    let notice = |what| InputNotice {
        stream: stream.clone(),
        what,
    };
    caller.gateway.feeding.notices.send(notice(lost)).unwrap();
    until(|| whats(&caller.gateway).len() == 2).await;
    let rule = caller.gateway.rules.list(None).remove(0);
    let announce = |change| {
        caller.gateway.metrics.feed().announce(What::Target {
            rule: rule.id.clone(),
            stream: stream.clone(),
            url: TargetUrl::parse(ONE).unwrap(),
            attempt: 1,
            change,
        });
    };
    let failed = || TargetChange::Failed {
        reason: Setback::Refused,
        detail: String::new(),
    };
    // One that never was live is not interrupted, and one that was is once.
    for change in [failed(), TargetChange::Live, failed(), failed()] {
        announce(change);
    }
    until(|| whats(&caller.gateway).len() == 3).await;
    run.abort();
    let events = caller.gateway.events.lock().unwrap();
    let bodies: Vec<Value> = events
        .iter()
        .map(|event| serde_json::from_str(&event_body(event)).unwrap())
        .collect();
    let body = |operator: &str, status: &str, input: Value, output: Value| {
        json!({
            "EventType": "Project.StreamConnect.StatusChanged", "Operator": operator,
            "ProjectStreamConnectStatusChangedEvent": {
                "ProjectId": id, "Status": status, "InputInterruptInfo": input, "OutputInterruptInfo": output,
            },
        })
    };
    assert_eq!(
        bodies,
        [
            body("user_1", "Working", Value::Null, Value::Null),
            body(
                "cmeid_system",
                "InputInterrupted",
                json!({"EndPoint": "Main"}),
                Value::Null
            ),
            body(
                "cmeid_system",
                "OutputInterrupted",
                Value::Null,
                json!({"Id": "1", "Name": "", "Url": ONE})
            ),
        ]
    );
}

#[tokio::test]
async fn an_output_that_cannot_start_is_told_and_the_others_work() {
    let caller = Caller::new(Gateway::new());
    let id = caller.create(&[ONE]).await;
    // Somebody has made the same rule over the native door, and switched it off.
    let rule = json!({"app": "live", "stream": id, "url": TWO, "enabled": false});
    let made = caller.gateway.ask("POST", "/v1/rules", Some(rule)).await;
    assert_eq!(made.status, 201);
    caller
        .handle(&id, "AddOutput", json!({"OutputInfo": {"PushUrl": TWO}}))
        .await;
    assert_eq!(
        caller.refused(&id, "Start", json!({})).await,
        "FailedOperation.StartStreamConnectPartlyErr"
    );
    let info = caller.describe(&id).await;
    assert_eq!(info["StreamConnectProjectInfo"]["Status"], "Working");
    assert_eq!(running(&caller.gateway), [Role::Main]);
    // Where none can start, none does.
    let rules = &caller.gateway.rules;
    let alone = caller.create(&[]).await;
    let wish = json!({"app": "live", "stream": alone, "url": TWO, "enabled": false});
    caller.gateway.ask("POST", "/v1/rules", Some(wish)).await;
    caller
        .handle(&alone, "AddOutput", json!({"OutputInfo": {"PushUrl": TWO}}))
        .await;
    assert_eq!(
        caller.refused(&alone, "Start", json!({})).await,
        "FailedOperation.StreamConnect"
    );
    let info = caller.describe(&alone).await;
    assert_eq!(info["StreamConnectProjectInfo"]["Status"], "Idle");
    assert!(
        rules
            .list(None)
            .iter()
            .any(|rule| rule.url == UrlTemplate::literal(ONE).unwrap())
    );
}
