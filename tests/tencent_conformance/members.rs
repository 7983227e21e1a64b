//! What each member of a new project may be.

use serde_json::{Value, json};

use crate::call::Tc3;
use crate::{code, gateway};

/// A project that is whole, with this put in its place.
pub fn project_with(pointer: &str, value: Value) -> Value {
    let mut wish = json!({
        "Platform": "test", "Category": "STREAM_CONNECT", "Name": "n",
        "Owner": {"Type": "PERSON", "Id": "user_1"},
        "StreamConnectProjectInput": {
            "MainInput": {"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": "http://play.example.com/a.flv"}},
            "BackupInput": {"InputType": "VodPull", "VodPullInputInfo": {"InputUrls": ["http://play.example.com/a.mp4"], "LoopTimes": -1}},
            "Outputs": [{"Id": "1", "Name": "one", "Type": "URL", "PushUrl": "rtmp://push.example.com/cme/live1"}],
        },
    });
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = wish.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
    wish
}

#[tokio::test]
async fn each_member_of_a_new_project() {
    let (main, outputs) = (
        "/StreamConnectProjectInput/MainInput",
        "/StreamConnectProjectInput/Outputs",
    );
    let vod = |urls: Value, loops: Value| json!({"InputType": "VodPull", "VodPullInputInfo": {"InputUrls": urls, "LoopTimes": loops}});
    let live = |url: &str| json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": url}});
    let push = |seconds: Value| json!({"InputType": "RtmpPush", "RtmpPushInputInfo": {"ExpiredSecond": seconds, "PushUrl": ""}});
    let file = "http://play.example.com/a.flv";
    let files = |count: usize| Value::from(vec![file; count]);
    let output = |url: &str| json!([{"PushUrl": url}]);
    let many = |count: usize| {
        let outputs = (0..count).map(|at| json!({"PushUrl": format!("rtmp://h/a/{at}")}));
        Value::from(outputs.collect::<Vec<_>>())
    };
    let value = "InvalidParameterValue";
    let (kind, missing) = ("InvalidParameter", "MissingParameter");
    for (pointer, put, expected) in [
        ("/Platform", json!(""), "InvalidParameterValue.Platform"),
        (
            "/Platform",
            json!("p".repeat(129)),
            "InvalidParameterValue.Platform",
        ),
        ("/Platform", json!("Test"), "ResourceNotFound.Platform"),
        ("/Platform", json!(1), kind),
        ("/Platform", json!(null), missing),
        ("/Name", json!(null), missing),
        ("/Name", json!(""), "InvalidParameterValue.Name"),
        ("/Name", json!("项".repeat(30)), "ok"),
        (
            "/Name",
            json!("项".repeat(31)),
            "InvalidParameterValue.NameLenLimt",
        ),
        ("/Name", json!(["n"]), kind),
        ("/Category", json!(null), missing),
        ("/Category", json!(""), "InvalidParameterValue.Category"),
        (
            "/Category",
            json!("stream_connect"),
            "InvalidParameterValue.Category",
        ),
        (
            "/Category",
            json!("MEDIA_CAST"),
            "InvalidParameterValue.Category",
        ),
        ("/Owner", json!(null), missing),
        ("/Owner", json!("user_1"), kind),
        ("/Owner", json!({"Type": "PERSON"}), missing),
        ("/Owner", json!({"Id": "user_1"}), missing),
        (
            "/Owner",
            json!({"Type": "TEAM", "Id": "t"}),
            "InvalidParameterValue.OwnerType",
        ),
        (
            "/Owner",
            json!({"Type": "person", "Id": "t"}),
            "InvalidParameterValue.OwnerType",
        ),
        (
            "/Owner",
            json!({"Type": "PERSON", "Id": ""}),
            "InvalidParameterValue.OwnerId",
        ),
        ("/Owner", json!({"Type": "PERSON", "Id": 1}), kind),
        (
            "/Owner",
            json!({"Type": "PERSON", "Id": "u", "Name": "n"}),
            "UnknownParameter",
        ),
        ("/AspectRatio", json!("16:9"), "ok"),
        (
            "/AspectRatio",
            json!("4:3"),
            "InvalidParameterValue.AspectRatio",
        ),
        ("/Mode", json!("Default"), "ok"),
        ("/Description", json!("about it"), "ok"),
        ("/MediaCastProjectInput", json!(null), "ok"),
        ("/platform", json!("test"), "UnknownParameter"),
        ("/Operator", json!("user_1"), "ok"),
        ("/Operator", json!(""), "ok"),
        ("/Operator", json!("cmeid_system"), "ok"),
        (
            "/Operator",
            json!("user_2"),
            "OperationDenied.PermissionDeny",
        ),
        ("/StreamConnectProjectInput", json!(null), value),
        ("/StreamConnectProjectInput", json!({}), "ok"),
        ("/StreamConnectProjectInput", json!([]), kind),
        (
            "/StreamConnectProjectInput",
            json!({"Output": []}),
            "UnknownParameter",
        ),
        (main, json!(null), "ok"),
        (main, json!({}), missing),
        (main, json!({"InputType": "LivePull"}), value),
        (
            main,
            json!({"InputType": "livePull", "LivePullInputInfo": {"InputUrl": file}}),
            value,
        ),
        (
            main,
            json!({"InputType": "LivePull", "RtmpPushInputInfo": {"ExpiredSecond": 1}}),
            value,
        ),
        (
            main,
            json!({"InputType": "LivePull", "LivePullInputInfo": {}}),
            missing,
        ),
        (
            main,
            json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": file, "x": 1}}),
            "UnknownParameter",
        ),
        (main, live("rtmp://h/a/b"), "ok"),
        (main, live("rtmps://h/a/b?c=d"), "ok"),
        (main, live("https://h/a/b.flv?c=d"), "ok"),
        (main, live(""), value),
        (main, live("srt://h/a"), value),
        (main, live("rtmp://h"), value),
        (main, live("http://127.0.0.1/a.flv"), value),
        (main, vod(files(1), json!(0)), "ok"),
        (main, vod(files(100), json!(-1)), "ok"),
        (main, vod(files(101), json!(1)), value),
        (main, vod(json!([]), json!(1)), value),
        (main, vod(files(1), json!(-2)), value),
        (main, vod(files(1), json!("1")), kind),
        (main, vod(files(1), json!(1.5)), kind),
        (main, vod(json!(file), json!(1)), kind),
        (main, vod(json!([null]), json!(1)), kind),
        (main, vod(json!(["rtmp://h/a/b"]), json!(1)), value),
        (main, push(json!(1)), "ok"),
        (main, push(json!(0)), value),
        (main, push(json!(-1)), kind),
        (main, push(json!("3600")), kind),
        (main, push(json!(null)), missing),
        (main, push(json!(9_999_999_999_u64)), value),
        (outputs, json!(null), "ok"),
        (outputs, json!([]), "ok"),
        (outputs, json!({}), kind),
        (outputs, json!([null]), kind),
        (outputs, many(20), "ok"),
        (outputs, many(21), "LimitExceeded"),
        (outputs, output("rtmps://h/a/b"), "ok"),
        (outputs, output(""), value),
        (outputs, output("http://h/a/b"), value),
        (outputs, output("rtmp://h/a"), value),
        (outputs, output("rtmp://127.0.0.1/a/b"), value),
        (outputs, json!([{"Id": "1"}]), value),
        (
            outputs,
            json!([{"Id": "1", "PushUrl": "rtmp://h/a/b"}, {"Id": "1", "PushUrl": "rtmp://h/a/c"}]),
            value,
        ),
        (
            outputs,
            json!([{"Id": "", "PushUrl": "rtmp://h/a/b"}, {"Id": "1", "PushUrl": "rtmp://h/a/c"}]),
            "ok",
        ),
        (outputs, json!([{"Id": 1, "PushUrl": "rtmp://h/a/b"}]), kind),
        (
            outputs,
            json!([{"Type": "URL", "PushUrl": "rtmp://h/a/b"}]),
            "ok",
        ),
        (
            outputs,
            json!([{"Type": "SRT", "PushUrl": "rtmp://h/a/b"}]),
            value,
        ),
        (
            outputs,
            json!([{"Url": "rtmp://h/a/b"}]),
            "UnknownParameter",
        ),
    ] {
        let gateway = gateway();
        let wish = project_with(pointer, put.clone());
        let call = Tc3::new("CreateProject", &wish.to_string());
        assert_eq!(
            code(&gateway, call.request()).await,
            expected,
            "{pointer}: {put}"
        );
        let stored = gateway.store.projects.lock().unwrap().len();
        assert_eq!(stored, usize::from(expected == "ok"), "{pointer}: {put}");
    }
}
