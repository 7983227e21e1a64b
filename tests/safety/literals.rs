//! Every door refuses a URL whose host is an address that may not be called, in its own form, and nothing is left of the wish.

use crate::REFUSED;
use crate::doors::Gateway;
use crate::doors::zego::{self, APP_ID};
use crate::tencent::Caller;
use aqueduct::control::{HostJudge, UrlTemplate, host_judge};
use aqueduct::net::own::OwnListeners;
use aqueduct::net::policy::AddressPolicy;
use aqueduct::secret::Secret;
use serde_json::{Value, json};
use std::sync::Arc;

/// What production calls: nothing private, and never itself.
fn judge() -> HostJudge {
    let own = OwnListeners::new();
    own.add("8.8.4.4:1935".parse().unwrap());
    host_judge(AddressPolicy::default(), Arc::new(own))
}

fn gateway() -> Gateway {
    Gateway::judged_by(judge(), Arc::default(), Vec::new())
}

/// The hosts of this machine's own listener, which has a public address here.
const OWN: &[&str] = &["8.8.4.4", "134743044", "[::ffff:8.8.4.4]"];

/// All that is refused, with what is said of it.
fn refused() -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = OWN.iter().map(|&host| (host, "a listener of this gateway"));
    REFUSED.iter().copied().chain(own)
}

/// Hosts that every door takes, as far as their text tells.
const TAKEN: &[&str] = &[
    "push.example.com",
    "8.8.8.8",
    "[2606:4700:4700::1111]",
    "127.0.0.1.example.com",
    "localhost.example.com",
];

const INPUT: &str = "/v1/streams/live/cam/inputs/backup";

#[tokio::test]
async fn the_native_door_names_the_member() {
    let gateway = gateway();
    let good = gateway.add("s", "rtmp://push.example.com/app/good").await;
    let rule = format!("/v1/rules/{}", good.json()["id"].as_str().unwrap());
    let rtmp = |host: &str| format!("rtmp://{host}/app/canary?canary=1");
    let http = |host: &str| format!("https://{host}:1935/canary.flv?canary=1");
    // (method, path, the member, the body)
    let doors = |host: &str| {
        let main = json!({"app": "live", "stream": "s", "url": rtmp(host)});
        let backup = json!({"app": "live", "stream": "s", "url": "rtmp://h/app/k", "backup_url": rtmp(host)});
        let pattern = json!({"app": "live", "stream": "*", "url": format!("rtmps://{host}:1935/app/{{stream}}")});
        [
            ("POST", "/v1/rules", "url", main),
            ("POST", "/v1/rules", "url", pattern),
            ("POST", "/v1/rules", "backup_url", backup),
            (
                "PATCH",
                rule.as_str(),
                "url",
                json!({"url": format!("rtmp://{host}/app/other-canary")}),
            ),
            (
                "PATCH",
                &rule,
                "backup_url",
                json!({"backup_url": rtmp(host)}),
            ),
            ("PUT", INPUT, "url", json!({"url": rtmp(host)})),
            ("PUT", INPUT, "url", json!({"url": http(host)})),
            (
                "PUT",
                INPUT,
                "files",
                json!({"files": ["http://h/a.flv", http(host)]}),
            ),
        ]
    };
    for (host, what) in refused() {
        for (method, path, field, body) in doors(host) {
            let answer = gateway.ask(method, path, Some(body.clone())).await;
            let problem = answer.assert_problem(422);
            assert_eq!(problem["field"], field, "{body}: {problem}");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(what), "{body}: {detail}");
            assert!(!answer.text.contains("canary"), "{}", answer.text);
        }
    }
    let rules = gateway.rules.list(None);
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert_eq!(rules[0].url.expose(), "rtmp://push.example.com/app/good");
    assert_eq!(rules[0].backup_url, None);
    // That of the configuration.
    assert_eq!(gateway.feeding.running.lock().unwrap().len(), 1);
    for host in TAKEN {
        for (method, path, _, body) in doors(host) {
            let answer = gateway.ask(method, path, Some(body.clone())).await;
            assert!(answer.status.is_success(), "{body}: {}", answer.text);
        }
    }
}

/// URLs of which two readers could see two different hosts.
const CONFUSING: &[&str] = &[
    "rtmp://8.8.8.8@127.0.0.1/app/canary",
    "rtmp://user:8.8.8.8@[::1]/app/canary",
    "rtmp://a@8.8.8.8@127.0.0.1/app/canary",
    "rtmp://127.0.0.1#@8.8.8.8/app/canary",
    "rtmp://127.0.0.1?@8.8.8.8/app/canary",
    "rtmp://8.8.8.8\\@127.0.0.1/app/canary",
    "rtmp://127.0.0.1%2f@8.8.8.8:1935:80/app/canary",
    "rtmp://%31%32%37.0.0.1/app/canary",
    "rtmp://127.0.0.1%00.example.com/app/canary",
    "rtmp://127.0.0.1\u{0}.example.com/app/canary",
    "rtmp://127.0.0.1 .example.com/app/canary",
    "rtmp://127.0.0.1\t/app/canary",
    "rtmp:\\\\8.8.8.8/app/canary",
    "rtmp:///127.0.0.1/app/canary",
    "rtmp:127.0.0.1/app/canary",
    "rtmp://[::1%25lo]/app/canary",
    "rtmp://[127.0.0.1]/app/canary",
    "rtmp://\u{ff11}\u{ff12}\u{ff17}.0.0.1/app/canary",
    "rtmp://127\u{3002}0\u{3002}0\u{3002}1/app/canary",
];

#[tokio::test]
async fn a_url_that_could_be_read_in_two_ways_is_taken_by_no_door() {
    let gateway = gateway();
    for url in CONFUSING {
        let rule = json!({"app": "live", "stream": "s", "url": url});
        let pulled = json!({"url": url});
        let web = json!({"url": url.replace("rtmp:", "http:")});
        for (method, path, body) in [
            ("POST", "/v1/rules", rule),
            ("PUT", INPUT, pulled),
            ("PUT", INPUT, web),
        ] {
            let answer = gateway.ask(method, path, Some(body.clone())).await;
            answer.assert_problem(422);
            assert!(!answer.text.contains("canary"), "{}", answer.text);
        }
    }
    assert!(gateway.rules.list(None).is_empty());
    assert_eq!(gateway.feeding.running.lock().unwrap().len(), 1);
    // A login with a backslash is one, and what is shown is the host that is called.
    let login = gateway.add("s", "rtmp://127.0.0.1\\@8.8.8.8/app/key");
    assert_eq!(login.await.json()["url"], "rtmp://8.8.8.8/app/***");
}

#[tokio::test]
async fn the_zego_door_has_its_code() {
    let caller = zego::Caller::new(gateway());
    for (host, what) in refused() {
        let url = format!("rtmp://{host}/app/canary?canary=1");
        for name in ["CreatCDNTransferRule", "CreateCDNTransferRule"] {
            let parameters = [("Action", name), ("StreamId", "s"), ("CDNUrl", &url)];
            let answer = caller.ask(&parameters).await;
            assert_eq!(answer["Code"], 5004, "{host}: {answer}");
            let said = answer["Message"].as_str().unwrap();
            assert!(said.contains(what), "{host}: {said}");
            assert!(!said.contains("canary"), "{said}");
        }
    }
    // Nor where the configuration says where a relay without an address goes.
    let cdn = UrlTemplate::parse("rtmp://127.1/app/{stream}").unwrap();
    let configure = |settings: &mut aqueduct::api::Settings| {
        settings.zego.accounts[0].default_cdn = Some(cdn);
    };
    caller.gateway.configure(configure);
    assert_eq!(caller.create("s", "").await, 5004);
    assert!(caller.urls().is_empty(), "{:?}", caller.urls());
    for host in TAKEN {
        let url = format!("rtmp://{host}/app/key");
        assert_eq!(caller.create("s", &url).await, 0, "{host}");
    }
}

#[tokio::test]
async fn the_client_door_has_its_code() {
    const SECRET: &str = "fedcba9876543210fedcba9876543210";
    let gateway = gateway();
    gateway.configure(|settings| {
        settings.zego.accounts[0].client_secret = Some(Secret::new(SECRET));
    });
    let ask = async |call: i64, host: &str| -> Value {
        // Apart, so that the rate is not in the way.
        gateway.clock.set_ms((zego::NOW + call) * 1000);
        let body = json!({"cmd": "addpush", "app_id": APP_ID, "stream_id": "s",
            "cdn_server": format!("rtmp://{host}/app/canary")});
        let request = axum::http::Request::post("/client/v1/publish_cdn")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {SECRET}"));
        let request = request.body(body.to_string().into()).unwrap();
        gateway.send(request).await.json()
    };
    for (call, (host, what)) in (0..).zip(refused()) {
        let answer = ask(call, host).await;
        assert_eq!(answer["code"], 5004, "{host}: {answer}");
        let said = answer["message"].as_str().unwrap();
        assert!(said.contains(what), "{host}: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
    assert!(gateway.rules.list(None).is_empty());
    for (call, host) in (1000..).zip(TAKEN) {
        assert_eq!(ask(call, host).await["code"], 0, "{host}");
    }
}

/// A new project with this main input and these outputs.
fn project(main: &Value, outputs: &Value) -> Value {
    json!({
        "Platform": "test", "Category": "STREAM_CONNECT", "Name": "n",
        "Owner": {"Type": "PERSON", "Id": "user_1"},
        "StreamConnectProjectInput": {"MainInput": main, "Outputs": outputs},
    })
}

#[tokio::test]
async fn the_tencent_door_has_its_codes() {
    let caller = Caller::new(gateway());
    let good = "rtmp://push.example.com/a/good";
    let id = caller.create(&[good]).await;
    let pull = |url: &str| json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": url}});
    let files = |url: &str| json!({"InputType": "VodPull", "VodPullInputInfo": {"InputUrls": ["http://h/a.flv", url]}});
    let play = pull("http://play.example.com/a.flv");
    let before = caller.describe(&id).await;
    let first = before["StreamConnectProjectInfo"]["OutputSet"][0]["StreamConnectOutput"]["Id"]
        .as_str()
        .unwrap();
    let projects = caller.gateway.store.projects.lock().unwrap().len();
    for (host, _) in refused() {
        caller.pass(1);
        let output = json!([{"PushUrl": format!("rtmp://{host}:1935/app/canary")}]);
        let inputs = [
            pull(&format!("rtmp://{host}/app/canary")),
            pull(&format!("http://{host}:1935/canary.flv")),
            files(&format!("https://{host}:1935/canary.mp4")),
        ];
        let mut wishes = vec![("CreateProject", project(&play, &output))];
        for input in inputs {
            wishes.push(("CreateProject", project(&input, &json!([]))));
            for (operation, endpoint) in [("AddInput", "Backup"), ("ModifyInput", "Main")] {
                let wish = json!({"Platform": "test", "ProjectId": id, "Operation": operation,
                    "InputEndpoint": endpoint, "InputInfo": input});
                wishes.push(("HandleStreamConnectProject", wish));
            }
        }
        for (operation, output_id) in [("AddOutput", "new"), ("ModifyOutput", first)] {
            let mut output = output[0].clone();
            output["Id"] = json!(output_id);
            let wish = json!({"Platform": "test", "ProjectId": id, "Operation": operation, "OutputInfo": output});
            wishes.push(("HandleStreamConnectProject", wish));
        }
        for (action, wish) in wishes {
            let answer = caller.raw(action, wish.clone()).await;
            let error = &answer.json()["Response"]["Error"];
            let code = error["Code"].as_str().unwrap_or_default();
            assert!(
                code.starts_with("InvalidParameterValue"),
                "{wish}: {}",
                answer.text
            );
            assert!(!answer.text.contains("canary"), "{}", answer.text);
        }
    }
    caller.pass(1);
    let after = caller.describe(&id).await;
    for member in ["MainInput", "BackupInput", "OutputSet"] {
        let of = |info: &Value| info["StreamConnectProjectInfo"][member].clone();
        assert_eq!(of(&after), of(&before), "{member}");
    }
    assert_eq!(
        caller.gateway.store.projects.lock().unwrap().len(),
        projects
    );
    for host in TAKEN {
        caller.pass(1);
        let main = pull(&format!("http://{host}/a.flv"));
        let outputs = json!([{"PushUrl": format!("rtmp://{host}/app/key")}]);
        caller.done("CreateProject", project(&main, &outputs)).await;
    }
}
