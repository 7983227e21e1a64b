//! The vendor's own SDKs and its command line tool drive the Tencent door, with nothing but the endpoint changed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod relay;
mod sdk;

use common::gateway::Site;
use common::tls_proxy::Issued;
use sdk::{Endpoint, Sdk, configuration};
use serde_json::{Value, json};

/// A project's life, and what each step has to say.
fn steps() -> Vec<(&'static str, Value)> {
    let handle = |operation: &str| json!({"Platform": "test", "ProjectId": "$PROJECT", "Operation": operation});
    let with = |operation: &str, name: &str, value: Value| {
        let mut wish = handle(operation);
        wish[name] = value;
        wish
    };
    vec![
        (
            "CreateProject",
            json!({
                "Platform": "test", "Name": "直播 多平台/分发", "Category": "STREAM_CONNECT",
                "Owner": {"Type": "PERSON", "Id": "user_1"},
                "StreamConnectProjectInput": {
                    "MainInput": {"InputType": "RtmpPush", "RtmpPushInputInfo": {"ExpiredSecond": 3600}},
                    "Outputs": [
                        {"Id": "1", "Name": "推流1", "Type": "URL", "PushUrl": "rtmp://cdn.invalid/cme/live1?a=b&c=d"},
                    ],
                },
            }),
        ),
        (
            "DescribeProjects",
            json!({"Platform": "test", "ProjectIds": ["$PROJECT"], "Limit": 5}),
        ),
        (
            "HandleStreamConnectProject",
            with(
                "AddOutput",
                "OutputInfo",
                json!({"PushUrl": "rtmp://cdn.invalid/cme/live2?k=a b~'*()"}),
            ),
        ),
        ("HandleStreamConnectProject", handle("Start")),
        ("HandleStreamConnectProject", handle("Start")),
        (
            "HandleStreamConnectProject",
            with("SwitchInput", "InputEndpoint", json!("Backup")),
        ),
        (
            "DescribeProjects",
            json!({"Platform": "test", "CategorySet": ["STREAM_CONNECT"]}),
        ),
        ("DescribeProjects", json!({"Platform": "other"})),
        ("HandleStreamConnectProject", handle("Stop")),
        (
            "ModifyProject",
            json!({"Platform": "test", "ProjectId": "$PROJECT", "Name": "n"}),
        ),
        (
            "DeleteProject",
            json!({"Platform": "test", "ProjectId": "$PROJECT"}),
        ),
        (
            "DeleteProject",
            json!({"Platform": "test", "ProjectId": "$PROJECT"}),
        ),
    ]
}

fn judge(who: &str, results: &[Value]) {
    let codes: Vec<&str> = results
        .iter()
        .map(|result| result["Error"]["Code"].as_str().unwrap_or("ok"))
        .collect();
    assert_eq!(
        codes,
        [
            "ok",
            "ok",
            "ok",
            "ok",
            "FailedOperation.StreamConnect",
            "InvalidParameterValue.StreamConnectInputInvalid",
            "ok",
            "ResourceNotFound.Platform",
            "ok",
            "ok",
            "ok",
            "InvalidParameterValue.ProjectId",
        ],
        "{who}: {results:#?}"
    );
    let push = results[0]["RtmpPushInputInfoSet"][0]["PushUrl"].as_str();
    assert!(
        push.is_some_and(|url| url.starts_with("rtmp://127.0.0.1:") && url.contains("txSecret="))
    );
    let info = |at: usize| &results[at]["ProjectInfoSet"][0];
    assert_eq!(info(1)["Name"], "直播 多平台/分发", "{who}");
    assert_eq!(info(1)["StreamConnectProjectInfo"]["Status"], "Idle");
    let working = &info(6)["StreamConnectProjectInfo"];
    assert_eq!(working["Status"], "Working", "{who}");
    let outputs = working["OutputSet"].as_array().unwrap();
    let urls: Vec<&Value> = outputs
        .iter()
        .map(|output| &output["StreamConnectOutput"]["PushUrl"])
        .collect();
    assert_eq!(
        urls,
        [
            "rtmp://cdn.invalid/cme/live1?a=b&c=d",
            "rtmp://cdn.invalid/cme/live2?k=a b~'*()"
        ],
        "{who}"
    );
    assert_eq!(outputs[1]["PushSwitch"], "On");
}

#[tokio::test]
async fn over_plain_http_in_every_form_that_they_have() {
    let gateway = Site::with_configuration(&configuration("")).start().await;
    let endpoint = Endpoint {
        address: gateway.http.to_string(),
        protocol: "http",
        authority: None,
    };
    // What is signed how, and how it is sent.
    for (sdk, sign_method, http_method) in [
        (Sdk::Python, "TC3-HMAC-SHA256", "POST"),
        (Sdk::Python, "TC3-HMAC-SHA256", "GET"),
        (Sdk::Python, "HmacSHA1", "POST"),
        (Sdk::Python, "HmacSHA256", "GET"),
        (Sdk::Node, "TC3-HMAC-SHA256", "POST"),
        (Sdk::Node, "TC3-HMAC-SHA256", "GET"),
        (Sdk::Node, "HmacSHA256", "POST"),
        (Sdk::Node, "HmacSHA1", "GET"),
    ] {
        let results = sdk.run(&endpoint, sign_method, http_method, &steps()).await;
        judge(&format!("{sdk:?} {sign_method} {http_method}"), &results);
    }
}

#[tokio::test]
async fn over_https_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let issued = Issued::new(directory.path());
    let https = format!(
        "[https]\nlisten = \"127.0.0.1:0\"\ncertificate = {:?}\nprivate_key = {:?}\n",
        issued.certificate, issued.private_key
    );
    let site = Site::with_configuration(&configuration(&https));
    let gateway = site.start().await;
    let port = gateway.listener("HTTPS", "https://").unwrap().port();
    let endpoint = Endpoint {
        address: format!("localhost:{port}"),
        protocol: "",
        authority: Some(issued.authority),
    };
    for sdk in [Sdk::Python, Sdk::Node, Sdk::CommandLine] {
        let results = sdk.run(&endpoint, "", "", &steps()).await;
        judge(&format!("{sdk:?}"), &results);
    }
}
