//! Who sees which projects, and what of them.

use std::sync::Arc;

use super::ONE;
use crate::doors::{Gateway, SECRET_KEY};
use crate::tencent::{Caller, NOW, signed};
use aqueduct::control::{AppName, ProjectCaller};
use aqueduct::secret::Secret;
use serde_json::{Value, json};

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
