//! No key leaves the gateway but to whom it belongs: canaries go in at every place that takes a secret, and none comes
//! out in a log line at TRACE, an answer, a metric, an error, a table, or the process list.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;
mod told;

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
