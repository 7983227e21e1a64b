//! What services of a user's are told, and what is shown of inputs and projects.

use super::*;

/// A service of a user's: it writes down what it is sent, and answers publish hooks with a rule.
struct Service {
    address: SocketAddr,
    /// Path, headers and body of each call.
    got: Arc<Mutex<Vec<(String, String)>>>,
}

impl Service {
    async fn start(rule: String) -> Self {
        let got: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let noted = Arc::clone(&got);
        let answer = move |uri: Uri, headers: HeaderMap, body: String| {
            let path = uri.path().split("canary").next().unwrap().to_owned();
            let answer = match &*path {
                "/hook/" => json!({"identity": "canary-identity", "rules": [{"url": rule}]}),
                _ => json!({}),
            };
            let text = format!("{headers:?} {body}");
            noted.lock().unwrap().push((path, text));
            std::future::ready(answer.to_string())
        };
        let router = Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, got }
    }

    async fn is_told(&self, path: &str, what: &str) {
        eventually(&format!("{path}: {what}"), LONG, || async {
            let got = self.got.lock().unwrap();
            let mut told = got.iter();
            told.any(|(to, text)| to == path && text.contains(what))
                .then_some(())
        })
        .await;
    }
}

/// A call of the Tencent door's, as its older signature has it.
async fn tencent(gateway: &Gateway, action: &str, parameters: &[(&str, &str)]) -> String {
    let now = OffsetDateTime::now_utc().unix_timestamp().to_string();
    let mut all = vec![
        ("Action", action),
        ("Version", "2019-10-29"),
        ("SecretId", "AKIDexample"),
        ("Timestamp", &now),
        ("Nonce", "7"),
        ("Platform", "p"),
    ];
    all.extend(parameters);
    all.sort_unstable();
    let pairs: Vec<_> = all
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let text = format!("GET{}/?{}", gateway.http, pairs.join("&"));
    let mac = Hmac::<Sha1>::new_from_slice(b"canary-secret-key").unwrap();
    let signature = STANDARD.encode(mac.chain_update(text).finalize().into_bytes());
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(all).append_pair("Signature", &signature);
    gateway
        .text_for_a_stranger(&format!("/?{}", query.finish()))
        .await
}

/// A call of the ZEGO door's.
async fn zego(gateway: &Gateway, parameters: &[(&str, &str)]) -> String {
    let now = OffsetDateTime::now_utc().unix_timestamp().to_string();
    let secret = Secret::new("canary-server-secret");
    let signature = aqueduct::api::zego::sign(1_234_567_890, "n", &secret, &now);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters).extend_pairs([
        ("AppId", "1234567890"),
        ("SignatureNonce", "n"),
        ("Timestamp", &*now),
        ("SignatureVersion", "2.0"),
        ("Signature", &*signature),
    ]);
    gateway
        .text_for_a_stranger(&format!("/?{}", query.finish()))
        .await
}

#[tokio::test]
async fn no_canary_is_told_to_services_or_shown_of_inputs_and_projects() {
    let target = Target::start(Behaviour::AcceptsAndEchoes).await;
    let refuses = Target::start(Behaviour::Refuses {
        code: "NetStream.Publish.Denied",
        description: "no such stream: {name} at {tc_url}",
    })
    .await;
    let service = Service::start(target.url("app/canary-of-the-hook?sign=canary")).await;
    let to = |path: &str| {
        format!(
            "http://{}/{path}/canary-path?token=canary-query",
            service.address
        )
    };
    let configuration = format!(
        "[log]\nlevel = \"trace\"\n[relay]\ngrace_ms = 0\n\
         [[apps]]\nname = \"live\"\npublish_keys = [\"canary-publish-key\"]\n\
         app_id = 1234567890\nserver_secret = \"canary-server-secret\"\n\
         callback_url = \"{}\"\ncallback_secret = \"canary-callback-secret\"\n\
         client_secret = \"canary-client-secret\"\n\
         secret_id = \"AKIDexample\"\nsecret_key = \"canary-secret-key\"\nevents_url = \"{}\"\n\
         [[apps]]\nname = \"hooked\"\npublish_auth = \"hook\"\npublish_hook = \"{}\"\n\
         publish_hook_secret = \"canary-hook-secret\"\n\
         [[webhooks]]\nurl = \"{}\"\nsecret = \"canary-webhook-secret\"\n\
         [[inputs]]\napp = \"live\"\nstream = \"fed\"\nrole = \"main\"\nurl = \"http://127.0.0.1:1/canary/a.flv?canary=1\"\n",
        to("callback"),
        to("events"),
        to("hook"),
        to("webhook"),
    );
    let site = Site::new("", &configuration);
    let gateway = site.start().await;
    let mut seen = Seen::default();
    let events = listen(&gateway).await;

    put_inputs(&gateway, &refuses, &mut seen).await;

    // A publisher whom the hook lets in, with a rule.
    let mut hooked = RmlPublisher::publish(gateway.rtmp, "hooked", "cam?token=canary-for-the-hook")
        .await
        .unwrap();
    let tags = flv::read(&media::h264_aac(3, 1));
    hooked.send_tags(&tags, 10.0).await.unwrap();
    eventually("the hook's rule is carried out", LONG, || async {
        (!target.visits().is_empty()).then_some(())
    })
    .await;

    // A relay of the ZEGO door's, whose target refuses and says all that it knows.
    let url = refuses.url("app/plain-name?sign=canary-zego");
    let create = [
        ("Action", "CreatCDNTransferRule"),
        ("StreamId", "cam"),
        ("CDNUrl", &*url),
        ("Sequence", "1"),
    ];
    let made = zego(&gateway, &create).await;
    assert!(made.contains("\"Code\":0"), "{made}");
    seen.add("ZEGO's door", made);
    let elsewhere = [
        ("Action", "CreatCDNTransferRule"),
        ("StreamId", "cam"),
        ("CDNUrl", "rtmp://canary@host/app/canary?canary"),
        ("Sequence", "2"),
    ];
    seen.add("ZEGO's door, refused", zego(&gateway, &elsewhere).await);
    let mut plain = RmlPublisher::publish(gateway.rtmp, "live", "cam?key=canary-publish-key")
        .await
        .unwrap();
    plain.send_tags(&tags, 10.0).await.unwrap();
    service.is_told("/callback/", "stream_create").await;
    let state = [
        ("Action", "DescribeRTCStreamState"),
        ("StreamId", "cam"),
        ("Sequence", "3"),
    ];
    seen.add("ZEGO's door, state", zego(&gateway, &state).await);

    run_project(&gateway, &refuses, &mut seen).await;
    service.is_told("/events/", "\"").await;

    // A client that shows wrong things.
    let wish = json!({"cmd": "addpush", "app_id": 1_234_567_890, "stream_id": "cam",
        "cdn_server": "rtmp://host/app/canary", "token": "04canary", "signature": "canary", "timestamp": 1});
    let asked = common::http_client()
        .post(format!("http://{}/client/v1/publish_cdn", gateway.http))
        .bearer_auth("canary-wrong")
        .json(&wish);
    let answer = asked.send().await.unwrap().text().await.unwrap();
    assert!(answer.contains("5003"), "{answer}");
    seen.add("the client door", answer);

    for path in [
        "/v1/inputs",
        "/v1/streams/live/fed/inputs",
        "/v1/streams/live/cam/inputs",
        "/v1/streams/live/pushed/inputs",
        "/v1/rules",
        "/v1/targets",
        "/v1/streams",
        "/metrics",
    ] {
        seen.add(path, gateway.text(path).await);
    }
    for arguments in [
        &["streams", "list"][..],
        &["streams", "show", "live/cam"],
        &["rules", "list"],
    ] {
        let output = gateway.run(&site, arguments).await;
        seen.add_output(&format!("aqueduct {}", arguments.join(" ")), &output);
    }
    // What a process list shows: arguments and the names of threads.
    let process = format!("/proc/{}", gateway.pid());
    for thread in std::fs::read_dir(format!("{process}/task")).unwrap() {
        let name = std::fs::read_to_string(thread.unwrap().path().join("comm"));
        seen.add("a thread's name", name.unwrap_or_default());
    }
    let arguments = std::fs::read(format!("{process}/cmdline")).unwrap();
    seen.add("/proc/PID/cmdline", String::from_utf8_lossy(&arguments));

    drop((hooked, plain));
    service.is_told("/webhook/", "stream.ended").await;
    service.is_told("/callback/", "stream_close").await;
    gateway.sigterm();
    let (status, output) = gateway.wait(LONG).await;
    assert_eq!(status.code(), Some(0));
    assert!(output.contains("DEBUG"), "the lower levels are on");
    seen.add("the log", output);
    let events = events.await.unwrap();
    assert!(
        events.contains("target.") && events.contains("stream.ended"),
        "{events}"
    );
    seen.add("/v1/events", events);
    let got = service.got.lock().unwrap().clone();
    for (path, text) in got {
        // What a publisher shows is the hook's to judge, and so are its own words.
        if path != "/hook/" {
            seen.add(format!("what the service is told at {path}"), text);
        }
    }
    seen.assert_no_canary();
}

/// All events, up to the gateway's end.
async fn listen(gateway: &Gateway) -> JoinHandle<String> {
    let asked = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = asked
        .get(format!("http://{}/v1/events", gateway.http))
        .bearer_auth(&gateway.token);
    let mut answer = asked.send().await.unwrap();
    let mut seen = answer.chunk().await.unwrap().unwrap().to_vec();
    tokio::spawn(async move {
        while let Ok(Some(more)) = answer.chunk().await {
            seen.extend(more);
        }
        String::from_utf8(seen).unwrap()
    })
}

/// Inputs of each kind, and each kind of mistake in one.
async fn put_inputs(gateway: &Gateway, refuses: &Target, seen: &mut Seen) {
    let inputs = "/v1/streams/live";
    let pull = refuses.url("app/canary-pull?sign=canary");
    for (path, body) in [
        ("fed2/inputs/main", json!({"url": pull})),
        (
            "fed2/inputs/backup",
            json!({"files": ["http://127.0.0.1:1/canary/a.mp4?canary=1"], "loops": -1}),
        ),
        (
            "pushed/inputs/main",
            json!({"push": {"expires_in_seconds": 60}}),
        ),
        ("bad/inputs/main", json!({"url": "srt://host/canary"})),
        (
            "bad/inputs/main",
            json!({"url": "http://canary:canary@host/a.flv"}),
        ),
        ("bad/inputs/main", json!({"url": "rtmp://host/canary"})),
        (
            "bad/inputs/main",
            json!({"files": ["https://host/canary.ts"]}),
        ),
        (
            "bad/inputs/main",
            json!({"files": ["https://host/canary.mp4"], "loops": -2}),
        ),
        (
            "bad/inputs/main",
            json!({"files": "https://host/canary.mp4"}),
        ),
        (
            "bad/inputs/canary",
            json!({"url": "rtmp://host/app/canary"}),
        ),
    ] {
        let target = format!("{inputs}/{path}");
        let (status, answer) = gateway
            .request(Method::PUT, &target, Some(body.clone()))
            .await;
        assert_eq!(
            status.is_success(),
            !path.starts_with("bad"),
            "{body}: {answer}"
        );
        seen.add(format!("the answer to {path} {body}"), answer.to_string());
    }
    // Its push URL is shown to who asks for it, and a publisher shows a wrong one.
    let push = format!("{inputs}/pushed/inputs/main?reveal=true");
    let (_, shown) = gateway.request(Method::GET, &push, None).await;
    let url = shown["push_url"].as_str().unwrap().to_owned();
    let (url, signature) = url.split_once('?').unwrap();
    let name = url.rsplit('/').next().unwrap();
    for query in ["txSecret=canary&txTime=canary", "txSecret=canary"] {
        let told = RmlPublisher::publish(gateway.rtmp, "live", &format!("{name}?{query}")).await;
        seen.add("what a publisher is told", told.err().unwrap());
    }
    let token = signature.split(['=', '&']).nth(1).unwrap();
    let path = format!("{inputs}/pushed/inputs/main");
    let masked = gateway.text(&path).await;
    assert!(!masked.contains(token), "{masked}");
    for path in ["fed/inputs/main", "fed2/inputs/main", "fed2/inputs/backup"] {
        let path = format!("{inputs}/{path}");
        eventually(&format!("{path} has failed"), LONG, || async {
            let (_, input) = gateway.request(Method::GET, &path, None).await;
            input["reason"].is_string().then_some(())
        })
        .await;
        seen.add(path.clone(), gateway.text(&path).await);
    }
}

/// A project with keys in its URLs, which runs and fails.
async fn run_project(gateway: &Gateway, refuses: &Target, seen: &mut Seen) {
    let output = refuses.url("app/canary-output?sign=canary");
    let made = tencent(
        gateway,
        "CreateProject",
        &[
            ("Category", "STREAM_CONNECT"),
            ("Name", "n"),
            ("Owner.Type", "PERSON"),
            ("Owner.Id", "u"),
            ("StreamConnectProjectInput.MainInput.InputType", "LivePull"),
            (
                "StreamConnectProjectInput.MainInput.LivePullInputInfo.InputUrl",
                "http://127.0.0.1:1/canary.flv?canary=1",
            ),
            ("StreamConnectProjectInput.Outputs.0.PushUrl", &output),
        ],
    )
    .await;
    let answer: serde_json::Value = serde_json::from_str(&made).unwrap();
    let id = answer["Response"]["ProjectId"]
        .as_str()
        .unwrap_or_else(|| panic!("{made}"));
    seen.add("Tencent's door", &*made);
    for (operation, more) in [
        ("Start", None),
        (
            "AddOutput",
            Some(("OutputInfo.PushUrl", "http://host/app/canary")),
        ),
        (
            "AddOutput",
            Some(("OutputInfo.PushUrl", "rtmp://host/canary")),
        ),
        (
            "AddInput",
            Some(("InputInfo.LivePullInputInfo.InputUrl", "ftp://host/canary")),
        ),
        ("Canary", None),
    ] {
        let mut parameters = vec![("ProjectId", id), ("Operation", operation)];
        parameters.extend(more);
        if operation == "AddInput" {
            parameters.extend([
                ("InputEndpoint", "Backup"),
                ("InputInfo.InputType", "LivePull"),
            ]);
        }
        let answer = tencent(gateway, "HandleStreamConnectProject", &parameters).await;
        let is_refused = answer.contains("\"Error\"");
        assert_eq!(is_refused, operation != "Start", "{answer}");
        if operation != "Canary" {
            seen.add(format!("Tencent's door, {operation}"), answer);
        }
    }
}
