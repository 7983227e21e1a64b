//! Others are told, and asked: webhooks with signatures that anybody can check, a publish hook, signed publish URLs, and the events of
//! a running gateway.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use common::gateway::{Gateway, Site, argument, run};
use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, Target};
use common::{eventually, flv, media};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::Sha256;

const LONG: Duration = Duration::from_secs(20);

type Decide = Box<dyn Fn(&Value) -> (StatusCode, String) + Send + Sync>;

/// A service of a user's: it writes down what it is sent, and answers as it is told.
struct Service {
    address: SocketAddr,
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
}

struct Played {
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    decide: Decide,
}

async fn answer(State(played): State<Arc<Played>>, request: Request) -> (StatusCode, String) {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let said = (played.decide)(&serde_json::from_str(&text).unwrap());
    played.got.lock().unwrap().push((head.headers, text));
    said
}

impl Service {
    async fn start(
        decide: impl Fn(&Value) -> (StatusCode, String) + Send + Sync + 'static,
    ) -> Self {
        let got = Arc::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let played = Arc::new(Played {
            got: Arc::clone(&got),
            decide: Box::new(decide),
        });
        let router = Router::new().fallback(answer).with_state(played);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, got }
    }

    /// What it was told so far, by type, in order.
    fn told(&self) -> Vec<(String, Value)> {
        let got = self.got.lock().unwrap();
        let bodies = got.iter().map(|(_, body)| {
            let value: Value = serde_json::from_str(body).unwrap();
            (value["type"].as_str().unwrap().to_owned(), value)
        });
        bodies.collect()
    }

    /// Waits until it was told this.
    async fn told_of(&self, kind: &str) -> Value {
        eventually(&format!("{kind} is told"), LONG, || async {
            let told = self.told().into_iter().find(|(known, _)| known == kind);
            told.map(|(_, value)| value)
        })
        .await
    }
}

/// As the documentation says that a receiver checks it.
fn is_signed(secret: &str, headers: &HeaderMap, body: &str) -> bool {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let timestamp = header("aqueduct-timestamp");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{timestamp}.{body}").as_bytes());
    let expected = format!("v1={}", hex::encode(mac.finalize().into_bytes()));
    let age = time::OffsetDateTime::now_utc().unix_timestamp() - timestamp.parse::<i64>().unwrap();
    header("aqueduct-signature") == expected && age.abs() < 300
}

async fn published(gateway: &Gateway, name: &str) -> Result<RmlPublisher, String> {
    RmlPublisher::publish(gateway.rtmp, "live", name).await
}

#[tokio::test]
async fn a_webhook_is_told_of_a_stream_from_its_begin_to_its_end() {
    // The first message is not taken at its first try.
    let tries = Mutex::new(0);
    let service = Service::start(move |_| {
        let mut tries = tries.lock().unwrap();
        *tries += 1;
        match *tries {
            1 => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
            _ => (StatusCode::NO_CONTENT, String::new()),
        }
    })
    .await;
    let webhooks = format!(
        "[relay]\ngrace_ms = 0\n[[webhooks]]\nurl = \"http://{}/canary-hook\"\nsecret = \"canary-whsec\"\nevents = [\"publish.*\", \"stream.*\", \"rule.created\"]\n",
        service.address
    );
    let site = Site::new("", &webhooks).env("AQUEDUCT_LOG__LEVEL", "aqueduct=trace");
    let gateway = site.start().await;
    gateway
        .create_rule("cam", "rtmp://127.0.0.1:1/app/canary-key")
        .await;
    let mut publisher = published(&gateway, "cam").await.unwrap();
    let tags = flv::read(&media::h264_aac(3, 1));
    publisher.send_tags(&tags[..20], 10.0).await.unwrap();
    drop(publisher);
    let ended = service.told_of("stream.ended").await;
    assert_eq!(ended["stream"], "cam");
    let kinds: Vec<_> = service.told().into_iter().map(|(kind, _)| kind).collect();
    let expected = [
        "rule.created",
        "rule.created",
        "publish.started",
        "publish.ended",
        "stream.ended",
    ];
    assert_eq!(kinds, expected, "in order, the first one twice");
    let got = service.got.lock().unwrap().clone();
    for (headers, body) in &got {
        assert!(
            is_signed("canary-whsec", headers, body),
            "{headers:?} {body}"
        );
        assert!(!is_signed("another", headers, body));
        assert!(!body.contains("canary"), "{body}");
    }
    let metrics = gateway.text("/metrics").await;
    assert!(
        metrics.contains("aqueduct_notification_retries_total 1"),
        "{metrics}"
    );
    assert!(!gateway.output().contains("canary"), "{}", gateway.output());
}

#[tokio::test]
async fn a_drain_tells_of_the_end_before_the_process_ends() {
    let service = Service::start(|_| (StatusCode::OK, String::new())).await;
    let webhooks = format!(
        "[[webhooks]]\nurl = \"http://{}/\"\nsecret = \"s\"\nevents = [\"publish.ended\", \"stream.ended\"]\n",
        service.address
    );
    let gateway = Site::new("", &webhooks).start().await;
    let mut publisher = published(&gateway, "cam").await.unwrap();
    let tags = flv::read(&media::h264_aac(3, 1));
    publisher.send_tags(&tags[..20], 10.0).await.unwrap();
    let asked = common::http_client()
        .get(format!("http://{}/v1/events", gateway.http))
        .bearer_auth(&gateway.token);
    let mut events = asked.send().await.unwrap();
    let first = events.chunk().await.unwrap();
    assert!(first.is_some(), "somebody listens");
    gateway.sigterm();
    let (status, _) = gateway.wait(LONG).await;
    assert!(status.success(), "{status}");
    let told: Vec<_> = service.told();
    let kinds: Vec<_> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["publish.ended", "stream.ended"]);
    assert_eq!(told[0].1["reason"], "draining");
    let seen = events.text().await.unwrap();
    assert!(seen.contains("\"stream.ended\""), "{seen}");
}

#[tokio::test]
async fn a_hook_lets_in_refuses_with_a_reason_and_refuses_when_it_is_down() {
    let service = Service::start(|question| match question["query"].as_str().unwrap() {
        "token=good" => (
            StatusCode::OK,
            r#"{"allow":true,"identity":"studio"}"#.into(),
        ),
        "token=late" => (
            StatusCode::OK,
            r#"{"allow":false,"reason":"your show is over"}"#.into(),
        ),
        "token=broken" => (StatusCode::BAD_GATEWAY, "<html>".into()),
        _ => (StatusCode::FORBIDDEN, String::new()),
    })
    .await;
    let app = format!(
        "[[apps]]\nname = \"live\"\npublish_auth = \"hook\"\npublish_hook = \"http://{}/canary-path\"\npublish_hook_secret = \"canary-hooksec\"\n",
        service.address
    );
    let gateway = Site::new("", &app).start().await;
    let _publisher = published(&gateway, "cam?token=good").await.unwrap();
    for name in [
        "cam2?token=late",
        "cam3",
        "cam3?token=bad",
        "cam3?token=broken",
    ] {
        assert!(published(&gateway, name).await.is_err(), "{name}");
    }
    let (headers, body) = service.got.lock().unwrap()[0].clone();
    assert!(is_signed("canary-hooksec", &headers, &body));
    let question: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(question["type"], "publish.request");
    assert_eq!(
        (&question["app"], &question["stream"]),
        (&"live".into(), &"cam".into())
    );
    let metrics = gateway.text("/metrics").await;
    for line in [
        "aqueduct_publish_rejected_total{reason=\"hook\"} 3",
        "aqueduct_publish_rejected_total{reason=\"hook_down\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    for why in ["your show is over", "it answered 502"] {
        gateway.says(why).await;
    }
    let log = gateway.output();
    for secret in ["canary", "token=", "good", "late"] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
}

#[tokio::test]
async fn a_hook_s_rules_last_as_long_as_the_stream() {
    let target = Target::start(Behaviour::Records).await;
    let urls = (target.url("app/canary-one"), target.url("app/canary-two"));
    let service = Service::start(move |question| {
        let (one, two) = &urls;
        let rules = match question["query"].as_str().unwrap() {
            "show=1" => vec![one],
            _ => vec![two],
        };
        let rules: Vec<_> = rules.iter().map(|url| json!({"url": url})).collect();
        let answer = json!({"identity": "studio", "rules": rules});
        (StatusCode::OK, answer.to_string())
    })
    .await;
    let app = format!(
        "[relay]\ngrace_ms = 0\n[[apps]]\nname = \"live\"\npublish_auth = \"hook\"\npublish_hook = \"http://{}/\"\n",
        service.address
    );
    let site = Site::new("", &app);
    let gateway = site.start().await;
    let visits = async |name: &str| {
        eventually(&format!("{name} is pushed"), LONG, || async {
            let visits = target.visits();
            visits.iter().any(|visit| visit.name == name).then_some(())
        })
        .await;
    };
    let tags = flv::read(&media::h264_aac(3, 1));
    let mut first = published(&gateway, "cam?show=1").await.unwrap();
    first.send_tags(&tags, 10.0).await.unwrap();
    visits("canary-one").await;
    let rules = gateway.rules().await;
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert_eq!(
        (&rules[0]["stream"], &rules[0]["origin"]),
        (&"cam".into(), &"api".into())
    );
    // Another publisher takes over, and brings its own.
    let mut second = published(&gateway, "cam?show=2").await.unwrap();
    second.send_tags(&tags, 10.0).await.unwrap();
    visits("canary-two").await;
    eventually("the first one's rule is gone", LONG, || async {
        (gateway.rules().await.len() == 1).then_some(())
    })
    .await;
    drop(second);
    eventually("the stream's rules end with it", LONG, || async {
        gateway.rules().await.is_empty().then_some(())
    })
    .await;
    assert!(!gateway.output().contains("canary"));
}

#[tokio::test]
async fn a_signed_url_publishes_until_it_expires_and_a_reload_takes_another_secret() {
    let configured = |secrets: &str| {
        format!(
            "[egress]\nallow_private_addresses = true\n[[apps]]\nname = \"live\"\npublish_auth = \"signed\"\n{secrets}\n"
        )
    };
    let site = Site::with_configuration(&configured("sign_secret = \"canary-old\""));
    let gateway = site.start().await;
    let file = argument(&site.configuration_file());
    let sign = || {
        let server = format!("rtmp://{}", gateway.rtmp);
        let signed = run(&[
            "sign", "live/cam", "--ttl", "600", "--config", &file, "--server", &server,
        ]);
        assert!(signed.status.success(), "{signed:?}");
        let url = String::from_utf8(signed.stdout).unwrap();
        let prefix = format!("rtmp://{}/live/", gateway.rtmp);
        url.trim_end().strip_prefix(&prefix).unwrap().to_owned()
    };
    let old = sign();
    let tags = flv::read(&media::h264_aac(3, 1));
    let mut first = published(&gateway, &old).await.unwrap();
    first.send_tags(&tags[..20], 10.0).await.unwrap();
    for name in [
        "cam",
        &old.replace("cam?", "cam2?"),
        &old.replace("sign=", "sign=0"),
    ] {
        assert!(published(&gateway, name).await.is_err(), "{name}");
    }
    let rotated = "sign_secret = \"canary-new\"\nprevious_sign_secret = \"canary-old\"";
    std::fs::write(site.configuration_file(), configured(rotated)).unwrap();
    gateway.sighup();
    gateway.says("configuration reloaded").await;
    // Another URL of the same stream, by the other secret: it may take over.
    let mut second = published(&gateway, &sign()).await.unwrap();
    second.send_tags(&tags[..20], 10.0).await.unwrap();
    assert!(
        first.send_tags(&tags, 1.0).await.is_err(),
        "it was taken over"
    );
    let log = gateway.output();
    let signature = old.split_once("sign=").unwrap().1;
    assert!(!log.contains("canary") && !log.contains(signature), "{log}");
}

#[test]
fn sign_makes_urls_and_queries_and_takes_no_secret_from_its_arguments() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    std::fs::write(&file, "canary-secret\n").unwrap();
    let at = format!("@{}", argument(&file));
    let signed = run(&[
        "sign",
        "cam",
        "--ttl",
        "60",
        "--secret",
        &at,
        "--server",
        "rtmps://h/",
    ]);
    let url = String::from_utf8(signed.stdout).unwrap();
    assert!(url.starts_with("rtmps://h/live/cam?expires="), "{url}");
    let zego = run(&[
        "sign",
        "zego",
        "--app-id",
        "7",
        "--secret",
        &at,
        "StreamId=cam",
        "CDNUrl=rtmp://h/a/x?b=1&c",
    ]);
    let query = String::from_utf8(zego.stdout).unwrap();
    for part in [
        "StreamId=cam&CDNUrl=rtmp%3A%2F%2Fh%2Fa%2Fx%3Fb%3D1%26c&AppId=7&",
        "&Signature=",
        "&SignatureVersion=2.0\n",
    ] {
        assert!(query.contains(part), "{part} is not in {query}");
    }
    for wrong in [
        &["sign"][..],
        &["sign", "live/cam"],
        &["sign", "live/cam", "--secret", "canary-secret"],
        &["sign", "live/cam", "--secret", "@/no/such/file"],
        &["sign", "live/cam", "--secret", &at, "--ttl", "0"],
        &["sign", "a b/cam", "--secret", &at],
        &["sign", "zego", "--secret", &at],
        &["sign", "zego", "--app-id", "7", "--secret", &at, "StreamId"],
    ] {
        let refused = run(wrong);
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!said.is_empty() && !said.contains("canary"), "{said}");
    }
}
