//! Which calls are taken, and what is wrong with the others.

use super::{ONE, TWO, rules};
use crate::doors::{Gateway, SECRET_ID, SECRET_KEY};
use crate::tencent::{Caller, NOW, authorization, signed};
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

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
