//! A rule made through one door is seen through the others, with its origin: all the ways to make one, read in all the ways that
//! there are.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
mod doors;
mod tencent;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aqueduct::api::{client, zego};
use aqueduct::secret::Secret;
use common::gateway::{Gateway, Site};
use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, Target};
use common::{eventually, flv, http_client, media};
use doors::zego::{APP_ID, SECRET};
use doors::{SECRET_ID, SECRET_KEY};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const CLIENT_SECRET: &str = "fedcba9876543210fedcba9876543210";
const PATIENCE: Duration = Duration::from_secs(20);

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}

/// A call of the ZEGO door about a stream.
async fn zego(gateway: &Gateway, action: &str, stream: &str, url: &str, sequence: u64) -> Value {
    let now = now().to_string();
    let signature = zego::sign(APP_ID, "n", &Secret::new(SECRET), &now);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("Action", action),
        ("StreamId", stream),
        ("CDNUrl", url),
        ("Sequence", &sequence.to_string()),
        ("AppId", &APP_ID.to_string()),
        ("SignatureNonce", "n"),
        ("Timestamp", &now),
        ("SignatureVersion", "2.0"),
        ("Signature", &signature),
    ]);
    let path = format!("/?{}", query.finish());
    serde_json::from_str(&gateway.text_for_a_stranger(&path).await).unwrap()
}

/// A client adds a relay of the stream that it publishes.
async fn add_as_a_client(gateway: &Gateway, stream: &str, url: &str) {
    let body = json!({
        "cmd": "addpush", "app_id": APP_ID, "stream_id": stream, "cdn_server": url, "timestamp": now(),
        "signature": client::sign(APP_ID, now(), &Secret::new(CLIENT_SECRET)),
    });
    let to = format!("http://{}/client/v1/publish_cdn", gateway.http);
    let answer = http_client().post(to).json(&body).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["code"], 0, "{answer}");
}

/// A call of the Tencent door.
async fn tencent(gateway: &Gateway, action: &str, wish: Value) -> Value {
    let (host, body, now) = (gateway.http.to_string(), wish.to_string(), now());
    let signed = ("POST", "", host.as_str(), "application/json");
    let answer = http_client()
        .post(format!("http://{host}/"))
        .header("content-type", "application/json")
        .header("x-tc-action", action)
        .header("x-tc-version", "2019-10-29")
        .header("x-tc-timestamp", now.to_string())
        .header(
            "authorization",
            tencent::authorization(SECRET_ID, SECRET_KEY, signed, &body, now),
        )
        .body(body)
        .send()
        .await
        .unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert!(answer["Response"].get("Error").is_none(), "{answer}");
    answer["Response"].clone()
}

/// The last part of each rule's URL, and where the rule comes from.
fn origins(rules: &[Value]) -> BTreeMap<String, String> {
    let text = |rule: &Value, name: &str| rule[name].as_str().unwrap().to_owned();
    let last = |url: String| url.rsplit('/').next().unwrap().to_owned();
    rules
        .iter()
        .map(|rule| (last(text(rule, "url")), text(rule, "origin")))
        .collect()
}

#[tokio::test]
async fn a_rule_made_through_one_door_is_seen_through_the_others_with_its_origin() {
    let target = Target::start(Behaviour::Records).await;
    let url = |name: &str| target.url(&format!("app/{name}"));
    let site = Site::new(
        "",
        &format!(
            "[[apps]]\nname = \"live\"\napp_id = {APP_ID}\nserver_secret = \"{SECRET}\"\nclient_secret = \"{CLIENT_SECRET}\"\n\
             secret_id = \"{SECRET_ID}\"\nsecret_key = \"{SECRET_KEY}\"\n\
             [[rules]]\napp = \"live\"\nstream = \"cam\"\nurl = \"{}\"\n",
            url("of-config")
        ),
    );
    let gateway = site
        .start_with(&["--relay", &url("of-relay-{stream}")])
        .await;

    // Every way to make a rule.
    gateway.create_rule("cam", &url("of-api")).await;
    let ran = gateway
        .run(&site, &["rules", "add", "--stream", "cam", &url("of-cli")])
        .await;
    assert!(ran.status.success(), "{ran:?}");
    let made = zego(&gateway, "CreatCDNTransferRule", "cam", &url("of-zego"), 1).await;
    assert_eq!(made["Code"], 0, "{made}");
    add_as_a_client(&gateway, "cam", &url("of-client")).await;
    let wish = json!({
        "Platform": "p", "Category": "STREAM_CONNECT", "Name": "n", "Owner": {"Type": "PERSON", "Id": "u"},
        "StreamConnectProjectInput": {
            "MainInput": {"InputType": "RtmpPush", "RtmpPushInputInfo": {"ExpiredSecond": 3600}},
            "Outputs": [{"Id": "1", "PushUrl": url("of-tencent")}],
        },
    });
    let project = tencent(&gateway, "CreateProject", wish).await;
    let id = project["ProjectId"].as_str().unwrap();
    let start = json!({"Platform": "p", "ProjectId": id, "Operation": "Start"});
    tencent(&gateway, "HandleStreamConnectProject", start).await;

    // Both streams are published.
    let tags = flv::read(&media::h264_aac(8, 2));
    let mut camera = RmlPublisher::publish(gateway.rtmp, "live", "cam")
        .await
        .unwrap();
    let pushed = project["RtmpPushInputInfoSet"][0]["PushUrl"]
        .as_str()
        .unwrap();
    let (_, name) = pushed.rsplit_once('/').unwrap();
    let mut feed = RmlPublisher::publish(gateway.rtmp, "live", name)
        .await
        .unwrap();
    let publishing = tokio::spawn(async move {
        for round in 0.. {
            let later: Vec<_> = tags
                .iter()
                .map(|tag| {
                    let mut tag = tag.clone();
                    tag.timestamp += round * 8000;
                    tag
                })
                .collect();
            let both = (camera.send_tags(&later, 4.0), feed.send_tags(&later, 4.0));
            let (camera, feed) = tokio::join!(both.0, both.1);
            if camera.and(feed).is_err() {
                return;
            }
        }
    });

    let expected: BTreeMap<String, String> = [
        ("of-config", "config"),
        ("of-relay-{stream}", "command-line"),
        ("of-api", "api"),
        ("of-cli", "api"),
        ("of-zego", "zego"),
        ("of-client", "zego"),
        ("of-tencent", "tencent"),
    ]
    .into_iter()
    .map(|(name, origin)| (name.to_owned(), origin.to_owned()))
    .collect();

    // The native door lists them with their origin, whole and one by one.
    let path = "/v1/rules?reveal=true";
    let (status, rules) = gateway.request(Method::GET, path, None).await;
    assert_eq!(status, StatusCode::OK);
    let rules = rules.as_array().unwrap();
    assert_eq!(origins(rules), expected);
    let mut one_by_one = Vec::new();
    for rule in rules {
        let path = format!("/v1/rules/{}?reveal=true", rule["id"].as_str().unwrap());
        one_by_one.push(gateway.request(Method::GET, &path, None).await.1);
    }
    assert_eq!(origins(&one_by_one), expected);
    // So does the command line, to programs and to people.
    let listed = gateway
        .run(&site, &["rules", "list", "--json", "--reveal"])
        .await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(origins(listed.as_array().unwrap()), expected);
    let table = gateway.run(&site, &["rules", "list", "--reveal"]).await;
    let table = String::from_utf8(table.stdout).unwrap();
    for (name, origin) in &expected {
        let mut lines = table.lines();
        let line = lines.find(|line| line.contains(&format!("/app/{name} ")));
        let words: Vec<&str> = line.unwrap().split_whitespace().collect();
        assert!(words.contains(&origin.as_str()), "{name}: {table}");
    }

    // Each has its target, for the stream or the streams that it is about, and their streams count them.
    let mut wanted = BTreeMap::new();
    for rule in rules {
        let name = origins(std::slice::from_ref(rule))
            .into_keys()
            .next()
            .unwrap();
        let streams = match name.as_str() {
            "of-relay-{stream}" => vec!["live/cam".to_owned(), format!("live/{id}")],
            "of-tencent" => vec![format!("live/{id}")],
            _ => vec!["live/cam".to_owned()],
        };
        for stream in streams {
            wanted.insert((rule["id"].as_str().unwrap().to_owned(), stream), "live");
        }
    }
    eventually("every rule's target is live", PATIENCE, || async {
        let targets = gateway.targets().await;
        let text = |target: &Value, name: &str| target[name].as_str().map(str::to_owned);
        let live = targets.iter().filter(|target| target["state"] == "live");
        let live: BTreeMap<_, _> = live
            .filter_map(|target| Some(((text(target, "rule")?, text(target, "stream")?), "live")))
            .collect();
        (live == wanted).then_some(())
    })
    .await;
    eventually("the streams count their targets", PATIENCE, || async {
        let (_, streams) = gateway.request(Method::GET, "/v1/streams", None).await;
        let mut counts: Vec<_> = streams
            .as_array()?
            .iter()
            .map(|stream| {
                (
                    stream["name"].as_str().unwrap_or_default().to_owned(),
                    stream["targets"].clone(),
                )
            })
            .collect();
        counts.sort_by(|one, other| one.0.cmp(&other.0));
        (counts == [("cam".to_owned(), json!(6)), (id.to_owned(), json!(2))]).then_some(())
    })
    .await;

    // The ZEGO door knows both streams, and an address that another door has a relay to.
    for stream in ["cam", id] {
        let answer = zego(&gateway, "DescribeRTCStreamState", stream, "", 2).await;
        assert_eq!(answer["Code"], 0, "{stream}: {answer}");
    }
    for (at, name) in ["of-api", "of-cli", "of-client", "of-config"]
        .iter()
        .enumerate()
    {
        let sequence = 3 + at as u64;
        let again = zego(
            &gateway,
            "CreatCDNTransferRule",
            "cam",
            &url(name),
            sequence,
        )
        .await;
        assert_eq!(again["Code"], 0, "{name}: {again}");
    }
    let (_, rules) = gateway.request(Method::GET, path, None).await;
    assert_eq!(origins(rules.as_array().unwrap()), expected);
    assert_eq!(rules.as_array().unwrap().len(), expected.len());

    // A project shows its own outputs, whoever else pushes its stream.
    let wish = json!({"Platform": "p", "ProjectIds": [id]});
    let found = tencent(&gateway, "DescribeProjects", wish).await;
    let info = &found["ProjectInfoSet"][0]["StreamConnectProjectInfo"];
    assert_eq!(info["Status"], "Working");
    let outputs = info["OutputSet"].as_array().unwrap();
    assert_eq!(outputs.len(), 1);
    assert_eq!(
        outputs[0]["StreamConnectOutput"]["PushUrl"],
        url("of-tencent")
    );
    publishing.abort();
}
