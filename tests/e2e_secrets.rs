//! No key leaves the gateway but to whom it belongs: canaries go in at every place that takes a secret, and none comes
//! out in a log line at TRACE, an answer, a metric, an error, a table, or the process list.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct::secret::Secret;
use axum::Router;
use axum::http::{HeaderMap, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::gateway::{Gateway, Site, argument, run};
use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, Target};
use common::{encoder, eventually, flv, media};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::json;
use sha1::Sha1;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

/// How long something may take that has to come.
const LONG: Duration = Duration::from_secs(20);

/// What every canary has in it: one search finds them all, a part of one too.
const CANARY: &str = "canary";

/// All that was seen, and where.
#[derive(Default)]
struct Seen(Vec<(String, String)>);

impl Seen {
    fn add(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    fn add_output(&mut self, place: &str, output: &Output) {
        self.add(place, String::from_utf8_lossy(&output.stdout));
        self.add(
            format!("{place} (errors)"),
            String::from_utf8_lossy(&output.stderr),
        );
    }

    fn assert_no_canary(&self) {
        let mut found = Vec::new();
        for (place, text) in &self.0 {
            let lines = text
                .lines()
                .filter(|line| line.to_lowercase().contains(CANARY));
            found.extend(lines.take(5).map(|line| format!("{place}: {line}")));
        }
        assert!(
            found.is_empty(),
            "secrets in {} lines, such as\n{}",
            found.len(),
            found.join("\n")
        );
    }
}

#[tokio::test]
async fn no_canary_is_seen_anywhere() {
    let echoes = Target::start(Behaviour::AcceptsAndEchoes).await;
    let description = "no such stream: {name} at {tc_url}";
    let refuses = Target::start(Behaviour::Refuses {
        code: "NetStream.Publish.Denied",
        description,
    })
    .await;
    let configuration = format!(
        "[http]\ntoken = \"canary-token-0123456789abcdef\"\n\
         [log]\nlevel = \"trace\"\n\
         [[apps]]\nname = \"live\"\npublish_keys = [\"canary-publish-key\"]\n\
         app_id = 1234567890\nserver_secret = \"canary-server-secret-0123456789a\"\n\
         [[cdn_auth]]\nhost = \"127.0.0.1\"\nscheme = \"static-query\"\nkey = \"cdn=canary-cdn-token\"\n\
         [[rules]]\napp = \"live\"\nstream = \"cam\"\nurl = \"{}\"\nbackup_url = \"{}\"\n\
         [[apps]]\nname = \"signed\"\npublish_auth = \"signed\"\n\
         sign_secret = \"canary-sign-secret\"\nprevious_sign_secret = \"canary-previous-sign-secret\"\n\
         [[apps]]\nname = \"hooked\"\npublish_auth = \"hook\"\n\
         publish_hook = \"http://127.0.0.1:1/canary-hook?token=canary-hook\"\npublish_hook_secret = \"canary-hook-secret\"\n\
         [[webhooks]]\nurl = \"http://127.0.0.1:1/canary-webhook?token=canary-webhook\"\nsecret = \"canary-webhook-secret\"\n",
        echoes.url("app/canary-in-path?auth=canary-in-query/x"),
        refuses.url("app/canary-backup?sign=canary-backup"),
    );
    let site = Site::new("", &configuration);
    let with_credentials = format!(
        "rtmp://canary-user:canary-password@{}/app/canary-name",
        refuses.address
    );
    let relay_file = site.data().with_file_name("relay.url");
    std::fs::write(&relay_file, format!("{with_credentials}\n")).unwrap();
    let from_file = format!("@{}", argument(&relay_file));
    let mut gateway = site.start_with(&["--relay", &from_file]).await;
    gateway.token = "canary-token-0123456789abcdef".to_owned();
    let mut seen = Seen::default();

    // Publishers: one with a wrong key, one with keys in the app as well, and one that is let in.
    for (app, name) in [
        ("live", "cam?key=canary-wrong-key"),
        ("live?key=canary-in-app", "cam?canary-flag"),
        ("signed", "cam?expires=4000000000&sign=canary-signature"),
        ("hooked", "cam?token=canary-for-the-hook"),
    ] {
        assert!(
            RmlPublisher::publish(gateway.rtmp, app, name)
                .await
                .is_err()
        );
    }
    let source = media::h264_aac(8, 2);
    let mut publisher = encoder::ffmpeg(
        Path::new("ffmpeg"),
        &source,
        &gateway.publish_url("cam?key=canary-publish-key"),
    );
    gateway
        .create_rule("cam", &refuses.url("app/canary-api-key?sign=canary-sign"))
        .await;
    eventually("targets have answered", Duration::from_secs(10), || async {
        let refused = refuses.visits().len() >= 2;
        let live = gateway
            .targets()
            .await
            .iter()
            .any(|target| target["state"] == "live");
        (refused && live).then_some(())
    })
    .await;

    look_at_answers(&gateway, &mut seen).await;
    provoke_errors(&gateway, &mut seen).await;
    run_commands(&gateway, &site, &from_file, &mut seen).await;
    let own_list = std::fs::read(format!("/proc/{}/cmdline", gateway.pid())).unwrap();
    seen.add(
        "/proc/PID/cmdline",
        String::from_utf8_lossy(&own_list).replace('\0', " "),
    );
    publisher.succeed(Duration::from_secs(30)).await;

    // What is asked for with the token is shown.
    let (_, revealed) = gateway
        .request(Method::GET, "/v1/rules?reveal=true", None)
        .await;
    assert!(
        revealed.to_string().contains("canary-api-key"),
        "reveal=true reveals: {revealed}"
    );
    gateway.sigterm();
    let (status, output) = gateway.wait(Duration::from_secs(15)).await;
    assert_eq!(status.code(), Some(0));
    assert!(output.contains("DEBUG"), "the lower levels are on");
    seen.add("the log", output);
    seen.assert_no_canary();
}

async fn look_at_answers(gateway: &Gateway, seen: &mut Seen) {
    let rules = gateway.rules().await;
    for rule in &rules {
        let place = format!("/v1/rules/{}", rule["id"].as_str().unwrap());
        seen.add(place.clone(), gateway.text(&place).await);
    }
    let events = format!("http://{}/v1/events?last_event_id=canary", gateway.http);
    let events = common::http_client()
        .get(events)
        .bearer_auth(&gateway.token);
    let first = events.send().await.unwrap().chunk().await.unwrap();
    seen.add("/v1/events", String::from_utf8_lossy(&first.unwrap()));
    let events = format!(
        "http://{}/v1/events?access_token=canary-wrong&type=canary",
        gateway.http
    );
    let refused = common::http_client().get(events).send().await.unwrap();
    seen.add("/v1/events, refused", refused.text().await.unwrap());
    for path in [
        "/v1/rules",
        "/v1/targets",
        "/v1/streams",
        "/v1/streams/live/cam",
        "/metrics",
        "/openapi.json",
        "/readyz",
    ] {
        seen.add(path, gateway.text(path).await);
    }
}

async fn provoke_errors(gateway: &Gateway, seen: &mut Seen) {
    let rule = |url: &str| json!({"app": "live", "stream": "cam", "url": url});
    let own = format!("rtmp://{}/live/canary-loop", gateway.rtmp);
    for wish in [
        rule("http://host/app/canary-scheme"),
        rule("canary-no-url"),
        rule("rtmp://host/canary-app-only"),
        rule("rtmp://host:port/app/canary-port"),
        rule("rtmp://{stream}/app/canary-placeholder"),
        rule(&own),
        json!({"app": "live", "stream": "cam", "url": {"unknown": "canary-type"}}),
        json!({"app": "live", "stream": "cam", "url": "rtmp://host/app/canary", "enabled": "rtmp://host/app/canary-wrong-member"}),
        json!({"app": "live", "stream": "cam", "url": "rtmp://host/app/canary", "stop_at": "rtmp://host/app/canary-no-time"}),
        json!({"app": "live", "stream": "cam", "url": "rtmp://host/app/canary", "backup_url": "canary-backup"}),
        json!({"app": "live", "stream": "cam", "url": "rtmp://host/app/canary", "backup_url": "rtmp://host/app/canary"}),
        json!({"app": "live", "stream": "cam", "url": "rtmp://host/app/canary-unknown-field", "unknown": 1}),
    ] {
        let (status, answer) = gateway
            .request(Method::POST, "/v1/rules", Some(wish.clone()))
            .await;
        assert!(status.is_client_error(), "{wish}: {status}");
        seen.add(format!("the answer to {wish}"), answer.to_string());
    }
    let body = json!({"url": "rtmp://canary-user@127.0.0.1:1/app/canary-preflight"});
    let (_, answer) = gateway
        .request(Method::POST, "/v1/preflight", Some(body))
        .await;
    seen.add("POST /v1/preflight", answer.to_string());
    seen.add(
        "GET /v1/no-such/",
        gateway.text("/v1/no-such/?token=canary-in-path").await,
    );
    for listener in [gateway.http, gateway.rtmp] {
        let mut socket = tokio::net::TcpStream::connect(listener).await.unwrap();
        let garbage = b"\x00canary garbage that is no protocol's\r\n\r\n";
        socket.write_all(garbage).await.unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        seen.add("the answer to garbage", String::from_utf8_lossy(&answer));
    }
    // The ZEGO door: a signature that is wrong, of a request that holds a key.
    let zego = "/?Action=CreatCDNTransferRule&AppId=1234567890&SignatureNonce=15215528852396&Timestamp=1700000000\
                &SignatureVersion=2.0&Signature=canary&StreamId=cam&CDNUrl=rtmp%3A%2F%2Fhost%2Fapp%2Fcanary-zego&Sequence=1";
    seen.add("the ZEGO door", gateway.text_for_a_stranger(zego).await);
    let stranger = common::http_client().get(format!("http://{}/v1/rules", gateway.http));
    let answer = stranger
        .bearer_auth("canary-wrong-token")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    seen.add("the answer to a wrong token", answer.text().await.unwrap());
}

async fn run_commands(gateway: &Gateway, site: &Site, url_file: &str, seen: &mut Seen) {
    for (code, arguments) in [
        (0, &["rules", "list"][..]),
        (0, &["rules", "list", "--json"]),
        (0, &["streams", "list"]),
        (0, &["streams", "list", "--json"]),
        (0, &["streams", "show", "live/cam"]),
        (0, &["streams", "show", "live/cam", "--json"]),
        (0, &["preflight", url_file]),
        (0, &["preflight", url_file, "--json"]),
        (
            1,
            &[
                "preflight",
                "--publish",
                "rtmp://127.0.0.1:1/app/canary-nobody-listens",
            ],
        ),
        (
            0,
            &[
                "rules", "add", "--app", "live", "--stream", "other", url_file,
            ],
        ),
        (
            2,
            &[
                "rules",
                "add",
                "--stream",
                "more",
                url_file,
                "--backup-url",
                url_file,
            ],
        ),
        (
            2,
            &[
                "rules",
                "add",
                "--app",
                "live",
                "http://host/app/canary-wrong-scheme",
            ],
        ),
        (2, &["preflight", "canary-no-url"]),
    ] {
        let output = gateway.run(site, arguments).await;
        let what = format!("aqueduct {}", arguments.join(" "));
        assert_eq!(output.status.code(), Some(code), "{what}: {output:?}");
        seen.add_output(&what, &output);
    }
    let file = argument(&site.configuration_file());
    let check = run(&["check", "--config", &file]);
    assert!(
        check.status.success(),
        "{}",
        String::from_utf8_lossy(&check.stderr)
    );
    seen.add_output("aqueduct check", &check);
    let signed = run(&["sign", "signed/cam", "--config", &file]);
    assert!(signed.status.success(), "{signed:?}");
    seen.add_output("aqueduct sign", &signed);
    let zego = [
        "sign",
        "zego",
        "StreamId=cam",
        "Sequence=1",
        "--config",
        &file,
    ];
    let signed = run(&zego);
    assert!(signed.status.success(), "{signed:?}");
    seen.add_output("aqueduct sign zego", &signed);
    seen.add_output(
        "aqueduct sign with a secret as an argument",
        &run(&["sign", "signed/cam", "--secret", "canary-secret"]),
    );
    std::fs::write(
        site.configuration_file(),
        "[[rules]]\nurl = \"ftp://host/app/canary-in-config\"\n",
    )
    .unwrap();
    seen.add_output(
        "aqueduct check of a wrong URL",
        &run(&["check", "--config", &file]),
    );
    for wrong in [
        "[http]\ntoken = [\"canary-in-wrong-type\"]\n",
        "[[apps]]\nname = \"live\"\npublish_keys = \"canary-no-list\"\n",
        "[[apps]]\nname = \"live\"\napp_id = \"canary-no-number\"\n",
        "[[apps]]\nname = \"live\"\npublish_hook = \"ftp://host/canary\"\n",
        "[[inputs]]\nurl = \"srt://host/canary\"\n",
        "[[webhooks]]\nurl = \"canary\"\nsecret = \"canary\"\n",
        "[[cdn_auth]]\nhost = \"h\"\nscheme = \"canary\"\nkey = \"canary\"\n",
    ] {
        std::fs::write(site.configuration_file(), wrong).unwrap();
        let check = run(&["check", "--config", &file]);
        assert_eq!(check.status.code(), Some(2), "{wrong}: {check:?}");
        seen.add_output("aqueduct check of what is wrong", &check);
    }
}

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
