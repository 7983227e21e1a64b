//! The Tencent door's projects: what they do to rules and inputs, who sees them, what is left of them after a restart.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;
mod tencent;

use std::sync::Arc;

use aqueduct::api::tencent::event_body;
use aqueduct::control::inputs::{Happening, InputNotice, InputState, Interruption, Standing};
use aqueduct::control::{
    AppName, Expected, Origin, ProjectCaller, ProjectHappening, Role, RuleChange, StreamKey,
    UrlTemplate,
};
use aqueduct::rule::TargetUrl;
use aqueduct::secret::Secret;
use aqueduct::telemetry::feed::{TargetChange, What};
use aqueduct::telemetry::labels::Setback;
use axum::body::Body;
use axum::http::Request;
use doors::{Gateway, MemoryStore, SECRET_ID, SECRET_KEY};
use serde_json::{Value, json};
use tencent::{Caller, NOW, assert_covers, authorization, signed};
use time::OffsetDateTime;

const ONE: &str = "rtmp://push.example.com/cme/live1";
const TWO: &str = "rtmp://push.example.com/cme/live2";

/// Where the rules of the gateway lead, and whether they are in force.
fn rules(gateway: &Gateway) -> Vec<(String, bool)> {
    let rules = gateway.rules.list(None);
    assert!(rules.iter().all(|rule| rule.origin == Origin::Tencent));
    rules
        .iter()
        .map(|rule| (rule.url.expose().to_owned(), rule.enabled))
        .collect()
}

/// Which inputs run, beside that of the file.
fn running(gateway: &Gateway) -> Vec<Role> {
    let running = gateway.feeding.running.lock().unwrap();
    let of_projects = running
        .iter()
        .filter(|(_, input)| input.origin != Origin::Config);
    of_projects.map(|((_, role), _)| *role).collect()
}

fn whats(gateway: &Gateway) -> Vec<ProjectHappening> {
    let events = gateway.events.lock().unwrap();
    events.iter().map(|event| event.happening.clone()).collect()
}

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
async fn inputs_and_outputs_are_judged() {
    let caller = Caller::new(Gateway::new());
    let id = caller.create(&[ONE]).await;
    let outputs = "InvalidParameterValue.StreamConnectOutputInvalid";
    for output in [
        json!({"PushUrl": "http://push.example.com/a/b"}),
        json!({"PushUrl": "rtmp://push.example.com/a"}),
        json!({"PushUrl": "rtmp://127.0.0.1/a/b"}),
        json!({"PushUrl": ""}),
        json!({"Name": "n"}),
        json!({"PushUrl": TWO, "Type": "SRT"}),
        json!({"PushUrl": TWO, "Id": "a".repeat(65)}),
    ] {
        let wish = json!({ "OutputInfo": output });
        assert_eq!(
            caller.refused(&id, "AddOutput", wish.clone()).await,
            outputs,
            "{wish}"
        );
    }
    let missing = json!({"OutputInfo": {"Id": "9", "PushUrl": TWO}});
    for operation in ["ModifyOutput", "DeleteOutput"] {
        assert_eq!(
            caller.refused(&id, operation, missing.clone()).await,
            outputs
        );
    }
    caller.pass(1);
    let inputs = "InvalidParameterValue.StreamConnectInputInvalid";
    for input in [
        json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": "ftp://play.example.com/a"}}),
        json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": "http://127.0.0.1/a.flv"}}),
        json!({"InputType": "LivePull"}),
        json!({"InputType": "VodPull", "VodPullInputInfo": {"InputUrls": []}}),
        json!({"InputType": "VodPull", "VodPullInputInfo": {"InputUrls": ["http://h/a.flv"], "LoopTimes": -2}}),
        json!({"InputType": "RtmpPush", "RtmpPushInputInfo": {"ExpiredSecond": 0}}),
        json!({"InputType": "RtmpPush", "RtmpPushInputInfo": {"ExpiredSecond": 18_446_744_073_709_551_615_u64}}),
        json!({"InputType": "Other"}),
    ] {
        let wish = json!({"InputEndpoint": "Backup", "InputInfo": input});
        assert_eq!(
            caller.refused(&id, "AddInput", wish.clone()).await,
            inputs,
            "{wish}"
        );
    }
    caller.pass(1);
    for wish in [
        json!({}),
        json!({"InputEndpoint": "Third"}),
        json!({"InputEndpoint": "Backup"}),
    ] {
        assert_eq!(
            caller.refused(&id, "AddInput", wish.clone()).await,
            inputs,
            "{wish}"
        );
    }
    // Nothing of all that has stayed.
    let info = caller.describe(&id).await;
    assert_eq!(info["StreamConnectProjectInfo"]["BackupInput"], Value::Null);
    assert_eq!(rules(&caller.gateway), [(ONE.to_owned(), false)]);
    // A new push URL with each change.
    let push = json!({"InputEndpoint": "Backup", "InputInfo": {
        "InputType": "RtmpPush", "RtmpPushInputInfo": {"ExpiredSecond": 60, "PushUrl": "ignored"}}});
    let first = caller.handle(&id, "AddInput", push.clone()).await;
    let first = first["StreamInputRtmpPushUrl"].clone();
    caller.handle(&id, "ModifyInput", push).await;
    let info = caller.describe(&id).await;
    let second = &info["StreamConnectProjectInfo"]["BackupInput"]["RtmpPushInputInfo"]["PushUrl"];
    for url in [&first, second] {
        let url = url.as_str().unwrap();
        let start = format!("rtmp://relay.example.com:1935/live/{id}-backup?txSecret=");
        assert!(url.starts_with(&start), "{url}");
    }
    assert_ne!(first, *second);
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
async fn an_app_and_a_platform_see_their_own_projects() {
    let caller = Caller::new(Gateway::new());
    let id = caller.create(&[ONE]).await;
    let wish = json!({"Platform": "other"});
    assert_eq!(
        caller.code("DescribeProjects", wish).await,
        "ResourceNotFound.Platform"
    );
    // Another app, whose callers may name any platform.
    let mut settings = (**caller.gateway.settings.load()).clone();
    let mut other = settings.tencent.accounts[0].clone();
    (other.app, other.secret_id, other.platform) = (
        AppName::parse("other").unwrap(),
        "AKIDother".to_owned(),
        None,
    );
    settings.tencent.accounts.push(other);
    caller.gateway.settings.store(Arc::new(settings));
    let ask = async |action: &str, body: Value| {
        let request = signed("AKIDother", SECRET_KEY, action, &body.to_string(), NOW);
        caller.gateway.send(request).await.json()["Response"].clone()
    };
    let all = ask("DescribeProjects", json!({"Platform": "test"})).await;
    assert_eq!(
        (&all["TotalCount"], &all["ProjectInfoSet"]),
        (&json!(0), &json!([]))
    );
    for (action, more) in [
        ("DeleteProject", json!({})),
        ("ModifyProject", json!({"Name": "n"})),
        ("HandleStreamConnectProject", json!({"Operation": "Start"})),
    ] {
        let mut wish = json!({"Platform": "test", "ProjectId": id});
        wish.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let answer = ask(action, wish).await;
        assert_eq!(
            answer["Error"]["Code"], "InvalidParameterValue.ProjectId",
            "{action}"
        );
    }
}

#[tokio::test]
async fn projects_are_filtered_sorted_and_paged() {
    let caller = Caller::new(Gateway::new());
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(caller.create(&[]).await);
        caller.pass(1);
    }
    let rename = json!({"Platform": "test", "ProjectId": ids[0], "Owner": {"Type": "PERSON", "Id": "user_2"}});
    caller.done("ModifyProject", rename).await;
    let described = async |more: Value| {
        caller.pass(1);
        let mut wish = json!({"Platform": "test"});
        wish.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let found = caller.done("DescribeProjects", wish).await;
        let list = found["ProjectInfoSet"].as_array().unwrap();
        let numbers: Vec<usize> = list
            .iter()
            .map(|info| ids.iter().position(|id| info["ProjectId"] == **id).unwrap())
            .collect();
        (found["TotalCount"].as_u64().unwrap(), numbers)
    };
    for (wish, total, numbers) in [
        (json!({}), 12, vec![11, 10, 9, 8, 7, 6, 5, 4, 3, 2]),
        (json!({"Offset": 10}), 12, vec![1, 0]),
        (json!({"Limit": 2, "Offset": 1}), 12, vec![10, 9]),
        (json!({"Limit": 0}), 12, vec![]),
        (json!({"Offset": 99}), 12, vec![]),
        (
            json!({"Limit": 2, "Sort": {"Field": "CreateTime", "Order": "Asc"}}),
            12,
            vec![0, 1],
        ),
        (
            json!({"Limit": 2, "Sort": {"Field": "UpdateTime"}}),
            12,
            vec![0, 11],
        ),
        (
            json!({"ProjectIds": [ids[3], "nobody", ids[5]]}),
            2,
            vec![5, 3],
        ),
        (
            json!({"Owner": {"Type": "PERSON", "Id": "user_2"}}),
            1,
            vec![0],
        ),
        (json!({"Operator": "user_2"}), 1, vec![0]),
        (json!({"CategorySet": ["SWITCHER"]}), 0, vec![]),
        (
            json!({"CategorySet": ["SWITCHER", "STREAM_CONNECT"], "Limit": 1}),
            12,
            vec![11],
        ),
        (json!({"AspectRatioSet": ["16:9"]}), 0, vec![]),
    ] {
        assert_eq!(described(wish.clone()).await, (total, numbers), "{wish}");
    }
    for (wish, code) in [
        (json!({"Limit": 101}), "InvalidParameterValue.Limit"),
        (json!({"Sort": {"Field": "Name"}}), "InvalidParameterValue"),
        (
            json!({"Sort": {"Field": "CreateTime", "Order": "Up"}}),
            "InvalidParameterValue.SortOrder",
        ),
        (
            json!({"CategorySet": ["NOPE"]}),
            "InvalidParameterValue.CategorySet",
        ),
        (
            json!({"AspectRatioSet": ["4:3"]}),
            "InvalidParameterValue.AspectRatioSet",
        ),
        (
            json!({"Owner": {"Type": "TEAM", "Id": "t"}}),
            "InvalidParameterValue.OwnerType",
        ),
        (
            json!({"Operator": "user_2", "ProjectIds": [ids[1]]}),
            "OperationDenied.PermissionDeny",
        ),
    ] {
        let mut all = json!({"Platform": "test"});
        all.as_object_mut()
            .unwrap()
            .extend(wish.as_object().unwrap().clone());
        caller.pass(1);
        assert_eq!(caller.code("DescribeProjects", all).await, code, "{wish}");
    }
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

async fn until(is: impl Fn() -> bool) {
    let waiting = async {
        while !is() {
            tokio::task::yield_now().await;
        }
    };
    let limit = std::time::Duration::from_secs(30);
    tokio::time::timeout(limit, waiting).await.unwrap();
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

/// The form in which the vendor's Java SDK calls, which these tests do not run.
#[tokio::test]
async fn javas_requests() {
    let gateway = Gateway::new();
    gateway.clock.set_ms(NOW * 1000);
    let (host, form) = ("relay.example.com", "application/x-www-form-urlencoded");
    let query = "Platform=test&Limit=5&Offset=0&CategorySet.0=STREAM_CONNECT";
    let get = |query: &str, signed_query: &str| {
        let key = authorization(
            SECRET_ID,
            SECRET_KEY,
            ("GET", signed_query, host, form),
            "",
            NOW,
        );
        Request::get(format!("/?{query}"))
            .header("host", host)
            .header("content-type", form)
            .header("x-tc-action", "DescribeProjects")
            .header("x-tc-version", "2019-10-29")
            .header("x-tc-region", "")
            .header("x-tc-timestamp", NOW)
            .header("authorization", key)
            .body(Body::empty())
            .unwrap()
    };
    let answer = gateway.send(get(query, query)).await.json();
    assert_eq!(answer["Response"]["TotalCount"], 0, "{answer}");
    let sorted = "CategorySet.0=STREAM_CONNECT&Limit=5&Offset=0&Platform=test";
    let answer = gateway.send(get(query, sorted)).await.json();
    assert_eq!(
        answer["Response"]["Error"]["Code"],
        "AuthFailure.SignatureFailure"
    );
    let json = "application/json; charset=utf-8";
    let body = r#"{"Platform":"test"}"#;
    let post = Request::post("/")
        .header("host", host)
        .header("content-type", json)
        .header("x-tc-action", "DescribeProjects")
        .header("x-tc-version", "2019-10-29")
        .header("x-tc-region", "")
        .header("x-tc-timestamp", NOW)
        .header(
            "authorization",
            authorization(SECRET_ID, SECRET_KEY, ("POST", "", host, json), body, NOW),
        )
        .body(Body::from(body))
        .unwrap();
    let answer = gateway.send(post).await;
    assert_eq!(answer.json()["Response"]["TotalCount"], 0);
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn the_first_mistake_in_the_order_is_answered() {
    let gateway = Gateway::new();
    gateway.clock.set_ms(NOW * 1000);
    let code = async |request: Request<Body>| {
        let answer = gateway.send(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/json");
        answer.json()["Response"]["Error"]["Code"]
            .as_str()
            .unwrap_or("ok")
            .to_owned()
    };
    let good = || {
        signed(
            SECRET_ID,
            SECRET_KEY,
            "DescribeProjects",
            r#"{"Platform":"test"}"#,
            NOW,
        )
    };
    assert_eq!(code(good()).await, "ok");
    let changed = |change: &dyn Fn(&mut Request<Body>)| {
        let mut request = good();
        change(&mut request);
        request
    };
    let header = |name: &'static str, value: &'static str| {
        changed(&|request| {
            request.headers_mut().insert(name, value.parse().unwrap());
        })
    };
    let without = |name: &'static str| {
        changed(&|request| {
            request.headers_mut().remove(name);
        })
    };
    let long = "a".repeat(33 * 1024);
    for (request, expected) in [
        (
            changed(&|request| *request.method_mut() = "PUT".parse().unwrap()),
            "UnsupportedProtocol",
        ),
        (
            changed(&|request| {
                *request.method_mut() = "GET".parse().unwrap();
                *request.uri_mut() = format!("/?Platform={long}").parse().unwrap();
            }),
            "RequestSizeLimitExceeded",
        ),
        (
            header("content-type", "multipart/form-data; boundary=x"),
            "UnsupportedOperation",
        ),
        (
            header("authorization", "SKIP"),
            "AuthFailure.InvalidAuthorization",
        ),
        (without("authorization"), "MissingParameter"),
        (without("x-tc-timestamp"), "MissingParameter"),
        (without("x-tc-action"), "MissingParameter"),
        (header("x-tc-action", "describeProjects"), "InvalidAction"),
        (without("x-tc-version"), "MissingParameter"),
        (header("x-tc-version", "2017-03-12"), "NoSuchVersion"),
        (header("x-tc-timestamp", "now"), "InvalidParameterValue"),
        (
            header("x-tc-timestamp", "1761955501"),
            "AuthFailure.SignatureExpire",
        ),
        (
            signed("AKIDnobody", SECRET_KEY, "DescribeProjects", "{}", NOW),
            "AuthFailure.SecretIdNotFound",
        ),
        (
            signed(SECRET_ID, "wrong", "DescribeProjects", "{}", NOW),
            "AuthFailure.SignatureFailure",
        ),
        (
            signed(SECRET_ID, SECRET_KEY, "DescribeProjects", "[", NOW),
            "InvalidParameter",
        ),
        (
            signed(SECRET_ID, SECRET_KEY, "DescribeProjects", "[]", NOW),
            "InvalidParameter",
        ),
        (
            signed(SECRET_ID, SECRET_KEY, "DescribeProjects", "", NOW),
            "MissingParameter",
        ),
        (
            signed(
                SECRET_ID,
                SECRET_KEY,
                "DescribeProjects",
                r#"{"Other":1}"#,
                NOW,
            ),
            "UnknownParameter",
        ),
    ] {
        let said = format!("{request:?}");
        assert_eq!(code(request).await, expected, "{said}");
    }
}

#[tokio::test]
async fn bodies_are_as_long_as_the_vendor_takes_them() {
    let gateway = Gateway::new();
    gateway.clock.set_ms(NOW * 1000);
    let body = |bytes: usize| format!(r#"{{"Platform":"test"{}}}"#, " ".repeat(bytes));
    for (bytes, code) in [
        (1 << 20, None),
        (10 << 20, Some("RequestSizeLimitExceeded")),
    ] {
        let request = signed(SECRET_ID, SECRET_KEY, "DescribeProjects", &body(bytes), NOW);
        let answer = gateway.send(request).await.json();
        assert_eq!(answer["Response"]["Error"]["Code"].as_str(), code);
    }
    let form = format!("SecretId=a&X={}", "x".repeat(1 << 20));
    let request = Request::post("/")
        .header("host", "relay.example.com")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .unwrap();
    let answer = gateway.send(request).await.json();
    assert_eq!(
        answer["Response"]["Error"]["Code"],
        "RequestSizeLimitExceeded"
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

#[tokio::test]
async fn nothing_is_printed_that_a_push_could_be_stolen_with() {
    let caller = Caller::new(Gateway::new());
    let id = caller
        .create(&["rtmp://push.example.com/cme/canary7key"])
        .await;
    let seen = ProjectCaller {
        app: AppName::live(),
        platform: "test".to_owned(),
        operator: "user_1".to_owned(),
    };
    let projects = caller.gateway.projects.list(&seen);
    assert!(!format!("{projects:?}").contains("canary7key"));
    let account = caller.gateway.settings.load();
    assert!(!format!("{account:?}").contains(SECRET_KEY));
    let wish = json!({"OutputInfo": {"PushUrl": "rtmp://127.0.0.1/cme/canary7key"}});
    let mut body = json!({"Platform": "test", "ProjectId": id, "Operation": "AddOutput"});
    body.as_object_mut()
        .unwrap()
        .extend(wish.as_object().unwrap().clone());
    let answer = caller.raw("HandleStreamConnectProject", body).await;
    assert!(!answer.text.contains("canary7key"), "{}", answer.text);
    assert_eq!(
        Secret::new(SECRET_KEY),
        account.tencent.accounts[0].secret_key
    );
}
