//! What a project does to rules and inputs while it works, and what is left of that after its end or a restart.

use std::sync::Arc;

use super::{ONE, TWO, rules, running, whats};
use crate::doors::{Gateway, MemoryStore};
use crate::tencent::{Caller, assert_covers};
use aqueduct::control::inputs::{InputState, Standing};
use aqueduct::control::{Expected, Origin, ProjectHappening, Role, RuleChange, StreamKey};
use serde_json::{Value, json};
use time::OffsetDateTime;

#[tokio::test]
async fn outputs_are_rules_that_are_in_force_while_the_project_works() {
    let caller = Caller::new(Gateway::new());
    let id = caller.create(&[ONE]).await;
    let in_force = |url: &str, is| (url.to_owned(), is);
    assert_eq!(rules(&caller.gateway), [in_force(ONE, false)]);
    caller.handle(&id, "Start", json!({})).await;
    assert_eq!(rules(&caller.gateway), [in_force(ONE, true)]);
    assert_eq!(running(&caller.gateway), [Role::Main]);
    let rule = caller.gateway.rules.list(None).remove(0);
    assert_eq!(rule.stream.as_str(), id);

    // The native door sees it, and cannot change it.
    let seen = caller.gateway.ask("GET", "/v1/rules", None).await.text;
    assert!(seen.contains("\"origin\":\"tencent\""), "{seen}");
    let path = format!("/v1/rules/{}", rule.id);
    caller
        .gateway
        .ask("DELETE", &path, None)
        .await
        .assert_problem(409);
    let change = RuleChange {
        enabled: Some(false),
        ..RuleChange::default()
    };
    let by_another = caller.gateway.rules;
    assert!(
        by_another
            .change(rule.id.clone(), change, Origin::Zego, Expected::Any)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn what_is_added_and_taken_away_while_it_works_is_in_force_at_once() {
    let caller = Caller::new(Gateway::new());
    let id = caller.create(&[ONE]).await;
    caller.handle(&id, "Start", json!({})).await;
    caller
        .handle(&id, "AddOutput", json!({"OutputInfo": {"PushUrl": TWO}}))
        .await;
    assert_eq!(
        rules(&caller.gateway),
        [(ONE.to_owned(), true), (TWO.to_owned(), true)]
    );
    let backup = json!({"InputEndpoint": "Backup", "InputInfo": {
        "InputType": "LivePull", "LivePullInputInfo": {"InputUrl": "rtmp://play.example.com/live/b"}}});
    caller.handle(&id, "AddInput", backup.clone()).await;
    assert_eq!(running(&caller.gateway), [Role::Main, Role::Backup]);
    assert_eq!(
        caller.refused(&id, "AddInput", backup.clone()).await,
        "InvalidParameterValue.StreamConnectInputInvalid"
    );
    for operation in ["ModifyInput", "DeleteInput"] {
        assert_eq!(
            caller.refused(&id, operation, backup.clone()).await,
            "FailedOperation.StreamConnect"
        );
    }
    caller
        .handle(&id, "DeleteOutput", json!({"OutputInfo": {"Id": "1"}}))
        .await;
    assert_eq!(rules(&caller.gateway), [(TWO.to_owned(), true)]);
    // The vendor's tables spell this member with a capital P.
    caller
        .handle(&id, "SwitchInput", json!({"InputEndPoint": "Backup"}))
        .await;
    let info = caller.describe(&id).await;
    assert_eq!(
        info["StreamConnectProjectInfo"]["CurrentInputEndpoint"],
        "Backup"
    );

    // The backup is wanted already, and not on the air: it was lost and is well again.
    let stream = StreamKey::parse("live", &id).unwrap();
    let on_air = || caller.gateway.feeding.on_air.lock().unwrap();
    on_air().insert(stream.clone(), Role::Main);
    caller
        .handle(&id, "SwitchInput", json!({"InputEndpoint": "Backup"}))
        .await;
    assert_eq!(on_air()[&stream], Role::Backup);

    caller.handle(&id, "Stop", json!({})).await;
    assert_eq!(rules(&caller.gateway), [(TWO.to_owned(), false)]);
    assert!(running(&caller.gateway).is_empty());
    let info = caller.describe(&id).await;
    assert_covers(
        &info["StreamConnectProjectInfo"],
        &json!({"Status": "Idle", "CurrentInputEndpoint": "Main", "LastStopTime": caller.time(0)}),
        "stopped",
    );
    caller
        .handle(&id, "DeleteInput", json!({"InputEndpoint": "Main"}))
        .await;
    assert_eq!(
        caller.refused(&id, "Start", json!({})).await,
        "InvalidParameterValue.StreamConnect"
    );
    assert_eq!(
        whats(&caller.gateway),
        [ProjectHappening::Working, ProjectHappening::Stopped]
    );
}

#[tokio::test]
async fn a_project_ends_at_its_time() {
    let caller = Caller::new(Gateway::new());
    let id = caller.create(&[ONE]).await;
    caller.handle(&id, "Start", json!({})).await;
    for wrong in ["", "tomorrow", &caller.time(-1), &caller.time(0)] {
        let wish = json!({"CurrentStopTime": wrong});
        assert_eq!(
            caller.refused(&id, "ModifyCurrentStopTime", wish).await,
            "InvalidParameterValue",
            "{wrong}"
        );
    }
    let until = json!({"CurrentStopTime": caller.time(600)});
    caller
        .handle(&id, "ModifyCurrentStopTime", until.clone())
        .await;
    caller.pass(599);
    caller.gateway.projects.look_after().await;
    assert_eq!(running(&caller.gateway), [Role::Main]);
    caller.pass(1);
    caller.gateway.projects.look_after().await;
    assert!(running(&caller.gateway).is_empty());
    assert_eq!(rules(&caller.gateway), [(ONE.to_owned(), false)]);
    let info = caller.describe(&id).await;
    assert_eq!(info["StreamConnectProjectInfo"]["Status"], "Idle");
    assert_eq!(
        caller.refused(&id, "ModifyCurrentStopTime", until).await,
        "FailedOperation.StreamConnect"
    );
}

#[tokio::test]
async fn a_working_project_goes_on_after_a_restart() {
    let store = Arc::new(MemoryStore::default());
    let first = Caller::new(Gateway::with(store.clone(), vec![]));
    let id = first.create(&[ONE, TWO]).await;
    let over = first.create(&[ONE]).await;
    first.handle(&id, "Start", json!({})).await;
    first.handle(&over, "Start", json!({})).await;
    let until = json!({"CurrentStopTime": first.time(3600)});
    first.handle(&over, "ModifyCurrentStopTime", until).await;
    // Killed between two steps: a rule of a project that is gone, one that is missing.
    let stray = first.create(&[ONE]).await;
    store
        .projects
        .lock()
        .unwrap()
        .retain(|id, _| id.as_str() != stray);
    store
        .rules
        .lock()
        .unwrap()
        .retain(|_, rule| rule.url.expose() != TWO);
    drop(first);

    let second = Caller::new(Gateway::with(store, vec![]));
    second.pass(3601);
    second.gateway.projects.resume().await;
    let info = second.describe(&id).await;
    let info = &info["StreamConnectProjectInfo"];
    assert_eq!(info["Status"], "Working");
    assert_eq!(info["CurrentStopTime"], second.time(7 * 24 * 3600 - 3601));
    assert_eq!(running(&second.gateway).len(), 1);
    let mut standing = rules(&second.gateway);
    standing.sort();
    assert_eq!(
        standing,
        [
            (ONE.to_owned(), false),
            (ONE.to_owned(), true),
            (TWO.to_owned(), true)
        ]
    );
    let ended = second.describe(&over).await;
    assert_eq!(ended["StreamConnectProjectInfo"]["Status"], "Idle");
}

#[tokio::test]
async fn an_end_is_in_force_whatever_the_store_says() {
    let caller = Caller::new(Gateway::new());
    let id = caller.create(&[ONE]).await;
    caller.gateway.store.set_full(true);
    assert_eq!(
        caller.refused(&id, "Start", json!({})).await,
        "InternalError"
    );
    assert!(running(&caller.gateway).is_empty());
    caller.gateway.store.set_full(false);
    caller.handle(&id, "Start", json!({})).await;
    caller.gateway.store.set_full(true);
    assert_eq!(
        caller.refused(&id, "Stop", json!({})).await,
        "InternalError"
    );
    assert!(running(&caller.gateway).is_empty());
    assert!(rules(&caller.gateway).iter().all(|(_, in_force)| !in_force));
    let info = caller.describe(&id).await;
    assert_eq!(info["StreamConnectProjectInfo"]["Status"], "Idle");
    caller.gateway.store.set_full(false);
    caller.gateway.projects.look_after().await;
    let projects = caller.gateway.store.projects.lock().unwrap();
    assert!(projects.values().all(|project| !project.is_working()));
}

#[tokio::test]
async fn files_end_a_project_that_has_nothing_else() {
    let caller = Caller::new(Gateway::new());
    let wish = json!({
        "Platform": "test", "Category": "STREAM_CONNECT", "Name": "n", "Owner": {"Type": "PERSON", "Id": "user_1"},
        "StreamConnectProjectInput": {
            "MainInput": {"InputType": "VodPull", "VodPullInputInfo": {"InputUrls": ["http://play.example.com/a.flv"]}},
            "Outputs": [{"PushUrl": ONE}],
        },
    });
    let id = caller.done("CreateProject", wish).await["ProjectId"]
        .as_str()
        .unwrap()
        .to_owned();
    let place = (StreamKey::parse("live", &id).unwrap(), Role::Main);
    let play = || {
        caller.handle(
            &id,
            "DescribeInputPlayInfo",
            json!({"InputEndpoint": "Main"}),
        )
    };
    assert_eq!(
        caller
            .refused(
                &id,
                "DescribeInputPlayInfo",
                json!({"InputEndpoint": "Main"})
            )
            .await,
        "InvalidParameterValue.StreamConnectInputInvalid"
    );
    caller.handle(&id, "Start", json!({})).await;
    assert_eq!(play().await["VodPullInputPlayInfo"], Value::Null);
    let standing = |state, position| Standing {
        state,
        position,
        ..Standing::stopped(OffsetDateTime::UNIX_EPOCH)
    };
    let position = aqueduct::control::inputs::Position {
        index: 0,
        url: aqueduct::rule::FileUrl::parse("http://play.example.com/a.flv").unwrap(),
        offset: std::time::Duration::from_millis(12_345),
    };
    let now = standing(InputState::Live, Some(position));
    caller
        .gateway
        .feeding
        .standing
        .lock()
        .unwrap()
        .insert(place.clone(), now);
    assert_eq!(
        play().await["VodPullInputPlayInfo"],
        json!({"Url": "http://play.example.com/a.flv", "TimeOffset": 12.345})
    );
    let over = standing(InputState::Ended, None);
    caller
        .gateway
        .feeding
        .standing
        .lock()
        .unwrap()
        .insert(place, over);
    caller.gateway.projects.look_after().await;
    assert_eq!(
        whats(&caller.gateway),
        [ProjectHappening::Working, ProjectHappening::Stopped]
    );
}
