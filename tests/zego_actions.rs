//! What the ZEGO door can do beyond relays to an address: clear, dispatch, describe, forbid; and its settings.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;

use std::time::Duration;

use aqueduct::api::AllowedHosts;
use aqueduct::api::zego::{Environments, PublishCredential};
use aqueduct::control::{Clock, StreamKey, TargetState, UnusedRules, UrlTemplate, signed_query};
use aqueduct::relay::{Claim, ClaimRefused, Credential, DuplicatePolicy};
use aqueduct::secret::Secret;
use axum::body::Body;
use axum::http::Request;
use doors::zego::{Caller, NOW};
use doors::{Gateway, stream_status, target_status};
use serde_json::{Value, json};
use time::OffsetDateTime;

fn caller() -> Caller {
    Caller::new(Gateway::new())
}

fn code(answer: &Value) -> u64 {
    answer["Code"].as_u64().unwrap()
}

#[tokio::test]
async fn clear_forgets_what_does_not_run_and_nothing_else() {
    let caller = caller();
    let names = ["pending", "waiting", "backing-off", "failed"];
    for name in names {
        assert_eq!(caller.create("s", &format!("rtmp://h/app/{name}")).await, 0);
    }
    assert_eq!(caller.create("t", "rtmp://h/app/of-t").await, 0);
    caller.gateway.add("*", "rtmp://h/app/pattern").await;
    let rules = caller.gateway.rules.list(None);
    let target = |index: usize, state| target_status(&rules[index], "live", "s", state);
    *caller.gateway.running.targets.lock().unwrap() = vec![
        target(1, TargetState::Waiting),
        target(2, TargetState::BackingOff),
        target(3, TargetState::Failed),
    ];
    *caller.gateway.running.streams.lock().unwrap() = vec![stream_status("live", "s")];
    assert_eq!(caller.clear("s").await, 0);
    let left = [
        "rtmp://h/app/waiting",
        "rtmp://h/app/backing-off",
        "rtmp://h/app/of-t",
        "rtmp://h/app/pattern",
    ];
    assert_eq!(caller.urls(), left);
    // Nobody publishes any more: what waits is pending now.
    caller.gateway.running.streams.lock().unwrap().clear();
    caller.gateway.running.targets.lock().unwrap().truncate(1);
    assert_eq!(caller.clear("s").await, 0);
    assert_eq!(caller.urls(), left[2..]);
    assert_eq!(caller.clear("never").await, 0);
    assert_eq!(caller.clear("a/b").await, 30_009);
}

#[tokio::test]
async fn clear_shares_its_sequence_with_create_and_delete() {
    let caller = caller();
    let call = async |action: &str, sequence: &str| {
        let parameters = [
            ("Action", action),
            ("StreamId", "s"),
            ("CDNUrl", "rtmp://h/app/s"),
            ("Sequence", sequence),
        ];
        code(&caller.ask(&parameters).await)
    };
    assert_eq!(call("CreatCDNTransferRule", "100").await, 0);
    assert_eq!(call("ClearCDNTransferRule", "99").await, 5005);
    assert_eq!(call("ClearCDNTransferRule", "x").await, 5005);
    assert_eq!(call("ClearCDNTransferRule", "101").await, 0);
    assert_eq!(call("CreatCDNTransferRule", "101").await, 5005);
}

#[tokio::test]
async fn dispatch_says_where_to_publish() {
    let caller = caller();
    let ask = async |parameters: &[(&str, &str)]| caller.ask(parameters).await;
    let push = [
        ("Action", "RTMPDispatchV2"),
        ("StreamId", "rtc01"),
        ("Type", "push"),
    ];
    let answer = ask(&push).await;
    assert_eq!(code(&answer), 0);
    assert_eq!(
        answer["Data"],
        json!(["rtmp://relay.example:1935/1234567890/rtc01"])
    );
    let mut older = push;
    older[0].1 = "RTMPDispatch";
    let hosts = json!(["relay.example:1935"]);
    assert_eq!(ask(&older).await["Data"], hosts);
    assert_eq!(ask(&older[..2]).await["Data"], hosts);

    let with = |name, value| [push[0], push[1], push[2], (name, value)];
    assert_eq!(code(&ask(&with("ClientIP", "192.0.2.7")).await), 0);
    assert_eq!(code(&ask(&with("ClientIP", "2001:db8::1")).await), 30_011);
    // The number is for the caller's own books.
    assert_eq!(code(&ask(&with("Sequence", "")).await), 0);
    for (parameters, expected) in [
        (&push[..2], 30_010),
        (&[push[0], push[1], ("Type", "both")], 30_010),
        (&[push[0], push[1], ("Type", "pull")], 1003),
        (&[push[0], push[2]], 30_009),
        (&[push[0], push[2], ("StreamId", "a/b")], 30_009),
    ] {
        let answer = ask(parameters).await;
        assert_eq!(code(&answer), expected, "{parameters:?}");
        assert_eq!(answer["Data"], Value::Null);
    }

    caller.gateway.configure(|settings| {
        settings.zego.accounts[0].credential = PublishCredential::Key(Secret::new("k=1/+ä"));
    });
    assert_eq!(
        ask(&push).await["Data"],
        json!(["rtmp://relay.example:1935/1234567890/rtc01?key=k%3D1%2F%2B%C3%A4"])
    );
    caller.gateway.configure(|settings| {
        settings.zego.accounts[0].credential = PublishCredential::Signed(Secret::new("s"));
    });
    let answer = ask(&push).await;
    let now = caller.gateway.clock.now().unix_timestamp();
    let key = StreamKey::parse("live", "rtc01").unwrap();
    let query = signed_query(&Secret::new("s"), &key, (now + 7200).unsigned_abs());
    assert_eq!(
        answer["Data"],
        json!([format!(
            "rtmp://relay.example:1935/1234567890/rtc01?{query}"
        )])
    );
    caller
        .gateway
        .configure(|settings| settings.zego.publish_server = None);
    let answer = ask(&push).await;
    assert_eq!(code(&answer), 1002);
    assert!(answer["Message"].as_str().unwrap().contains("advertise"));
}

#[tokio::test]
async fn a_stream_is_live_closed_or_unknown() {
    let caller = caller();
    let describe = async |name: &str| {
        let parameters = [("Action", "DescribeRTCStreamState"), ("StreamId", name)];
        caller.ask(&parameters).await
    };
    let at = |seconds: i64| OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let key = |name: &str| StreamKey::parse("live", name).unwrap();
    let answer = describe("cam").await;
    assert_eq!((code(&answer), &answer["Data"]), (41_004, &Value::Null));

    let mut live = stream_status("live", "cam");
    live.since = at(NOW - 100);
    *caller.gateway.running.streams.lock().unwrap() = vec![live];
    let answer = describe("cam").await;
    assert_eq!(code(&answer), 0);
    let began = (NOW - 100).to_string();
    let times = |ended: &str| json!({"create_time": began, "close_time": ended});
    assert_eq!(answer["Data"], times(""));

    caller.gateway.running.streams.lock().unwrap().clear();
    let history = &caller.gateway.history;
    history.begin(key("cam"), at(NOW - 100));
    history.end(key("cam"), at(NOW));
    let answer = describe("cam").await;
    assert_eq!(code(&answer), 41_006);
    assert_eq!(answer["Data"], times(&NOW.to_string()));
    history.keep(Duration::ZERO);
    assert_eq!(code(&describe("cam").await), 41_004);
}

#[tokio::test]
async fn a_forbidden_stream_is_ended_and_cannot_be_published() {
    let caller = caller();
    let call =
        async |action: &str| code(&caller.ask(&[("Action", action), ("StreamId", "cam")]).await);
    let hub = &caller.gateway.hub;
    let key = StreamKey::parse("live", "cam").unwrap();
    let claim = || Claim {
        credential: Credential::Key([0; 32]),
        peer: "192.0.2.7:4000".parse().unwrap(),
        client: String::new(),
        input: None,
    };
    let publish = || hub.claim(&key, claim(), DuplicatePolicy::Takeover);
    let publisher = publish().unwrap();
    assert_eq!(call("ForbidRTCStream").await, 0);
    publisher.superseded().await;
    publisher.finish();
    assert_eq!(publish().err(), Some(ClaimRefused::Forbidden));
    assert_eq!(caller.gateway.store.forbidden.lock().unwrap().len(), 1);
    assert_eq!(call("ResumeRTCStream").await, 0);
    assert!(publish().is_ok());
    assert!(caller.gateway.store.forbidden.lock().unwrap().is_empty());
    assert_eq!(call("ResumeRTCStream").await, 0, "it is permitted already");

    // What is not on the disk is in force, and the caller learns the difference.
    caller.gateway.store.set_full(true);
    assert_eq!(call("ForbidRTCStream").await, 30_003);
    assert_eq!(publish().err(), Some(ClaimRefused::Forbidden));
    assert_eq!(call("ResumeRTCStream").await, 30_003);
    assert!(publish().is_ok());
}

#[tokio::test]
async fn an_app_sees_and_reaches_its_own_alone() {
    let caller = caller();
    assert_eq!(caller.create("cam", "rtmp://h/app/s").await, 0);
    *caller.gateway.running.streams.lock().unwrap() = vec![stream_status("live", "cam")];
    let url = ("CDNUrl", "rtmp://h/app/s");
    for (action, expected) in [
        ("DeleteCDNTransferRule", 0),
        ("ClearCDNTransferRule", 0),
        ("DescribeRTCStreamState", 41_004),
        ("ForbidRTCStream", 0),
    ] {
        let answer = caller
            .ask_as_other(&[("Action", action), ("StreamId", "cam"), url])
            .await;
        assert_eq!(code(&answer), expected, "{action}");
    }
    assert_eq!(caller.urls(), ["rtmp://h/app/s"]);
    let forbidden = caller.gateway.store.forbidden.lock().unwrap().clone();
    assert_eq!(forbidden, [StreamKey::parse("other", "cam").unwrap()]);
    // A number of the other app with a secret of its own is nobody.
    let target = caller.target_of(
        doors::zego::APP_ID,
        doors::zego::OTHER_SECRET,
        &[("Action", "DescribeRTCStreamState"), ("StreamId", "cam")],
    );
    let answer = caller.gateway.call(&target).await.json();
    assert_eq!(code(&answer), 100_000_005);
    // The same name and address in both apps are two relays.
    let create = [("Action", "CreatCDNTransferRule"), ("StreamId", "cam"), url];
    assert_eq!(code(&caller.ask_as_other(&create).await), 0);
    assert_eq!(caller.urls().len(), 2);
}

#[tokio::test]
async fn rates_are_the_actions_own() {
    for (action, is_test, most) in [
        ("ClearCDNTransferRule", "false", 10),
        ("ClearCDNTransferRule", "true", 5),
        ("RTMPDispatchV2", "false", 40),
        ("DescribeRTCStreamState", "false", 40),
        ("DescribeRTCStreamState", "true", 10),
        ("ForbidRTCStream", "false", 20),
        ("ForbidRTCStream", "true", 5),
        ("ResumeRTCStream", "true", 5),
    ] {
        let caller = Caller::new(Gateway::new());
        let target = caller.target(&[("Action", action), ("IsTest", is_test)]);
        for call in 0..most + 2 {
            let answer = caller.gateway.call(&target).await.json();
            let expected = if call < most { 30_009 } else { 30_002 };
            assert_eq!(code(&answer), expected, "{action} {is_test}, call {call}");
        }
    }
}

#[tokio::test]
async fn a_reload_keeps_rates_and_sequences() {
    let caller = caller();
    let target = caller.target(&[
        ("Action", "CreatCDNTransferRule"),
        ("StreamId", "s"),
        ("CDNUrl", "rtmp://h/app/s"),
    ]);
    let call = async || code(&caller.gateway.call(&target).await.json());
    assert_eq!(call().await, 0);
    caller
        .gateway
        .configure(|settings| settings.zego.accounts[0].environments.test = false);
    assert_eq!(call().await, 5005, "the number was used before the reload");
    for _ in 0..8 {
        call().await;
    }
    caller
        .gateway
        .configure(|settings| settings.zego.strict_stream_ids = true);
    assert_eq!(call().await, 30_002);
}

#[tokio::test]
async fn environments_that_an_app_has_not_are_told_apart() {
    let caller = caller();
    let ask = async |is_test: &str| {
        let parameters = [("Action", "ClearCDNTransferRule"), ("IsTest", is_test)];
        code(&caller.ask(&parameters).await)
    };
    for (production, test, of_production, of_test) in [
        (true, true, 30_009, 30_009),
        (false, true, 100_000_016, 30_009),
        (true, false, 30_009, 100_000_017),
        (false, false, 100_000_017, 100_000_017),
    ] {
        caller.gateway.configure(|settings| {
            settings.zego.accounts[0].environments = Environments { production, test };
        });
        assert_eq!(ask("false").await, of_production, "{production} {test}");
        assert_eq!(ask("TRUE").await, of_test, "{production} {test}");
    }
}

#[tokio::test]
async fn hosts_can_be_narrowed_down() {
    let gateway = Gateway::new();
    let ask = async |host: &str| {
        let request = Request::get("/?Action=").header("host", host);
        let answer = gateway.send(request.body(Body::empty()).unwrap()).await;
        code(&answer.json())
    };
    assert_eq!(ask("localhost").await, 100_000_006);
    gateway.configure(|settings| settings.zego.hosts = AllowedHosts::new(["relay.example"]));
    assert_eq!(ask("localhost").await, 100_000_000);
    assert_eq!(ask("RELAY.example:8443").await, 100_000_006);
}

#[tokio::test]
async fn strict_names_and_single_use_signatures_are_settings() {
    let caller = caller();
    let target = caller.target(&[("Action", "DescribeRTCStreamState"), ("StreamId", "rtc.01")]);
    let call = async || code(&caller.gateway.call(&target).await.json());
    assert_eq!((call().await, call().await), (41_004, 41_004));
    caller.gateway.configure(|settings| {
        settings.zego.strict_stream_ids = true;
        settings.zego.refuse_replays = true;
    });
    assert_eq!(call().await, 30_009);
    assert_eq!(call().await, 100_000_005);
}

#[tokio::test]
async fn a_relay_without_an_address_goes_to_the_apps_cdn() {
    let caller = caller();
    assert_eq!(caller.create("s", "").await, 30_001);
    let cdn = UrlTemplate::parse("rtmp://cdn.example/app/{stream}?a={stream}").unwrap();
    caller
        .gateway
        .configure(|settings| settings.zego.accounts[0].default_cdn = Some(cdn));
    assert_eq!(caller.create("s", "").await, 0);
    assert_eq!(caller.create("s", "rtmp://h/app/s").await, 0);
    let filled = "rtmp://cdn.example/app/s?a=s";
    assert_eq!(caller.urls(), [filled, "rtmp://h/app/s"]);
    // Ending a relay always takes its address.
    assert_eq!(caller.delete("s", "").await, 5004);
    assert_eq!(caller.delete("s", "rtmp://cdn.example/app/s").await, 0);
    assert_eq!(caller.urls(), ["rtmp://h/app/s"]);
}

#[tokio::test]
async fn posted_json_is_as_good_as_a_query() {
    let caller = caller();
    let target = caller.target(&[("Action", "RTMPDispatchV2")]);
    let request = Request::post(target)
        .header("host", "localhost")
        .header("content-type", "application/json");
    let body = json!({"StreamId": "rtc01", "Type": "push", "Sequence": 7}).to_string();
    let answer = caller
        .gateway
        .send(request.body(body.into()).unwrap())
        .await;
    assert_eq!(code(&answer.json()), 0);
}

#[tokio::test]
async fn the_number_of_relays_of_a_stream_is_a_setting() {
    let caller = caller();
    caller.gateway.rules.limit_streams(2).await;
    assert_eq!(caller.create("s", "rtmp://h/app/1").await, 0);
    assert_eq!(caller.create("s", "rtmp://h/app/2").await, 0);
    assert_eq!(caller.create("s", "rtmp://h/app/3").await, 5005);
    caller.gateway.rules.limit_streams(3).await;
    assert_eq!(caller.create("s", "rtmp://h/app/3").await, 0);
}

#[tokio::test]
async fn rules_whose_stream_never_appears_are_deleted_where_that_is_wanted() {
    let caller = caller();
    let gateway = &caller.gateway;
    let unused = UnusedRules {
        rules: gateway.rules.clone(),
        running: gateway.running.clone(),
        history: gateway.history.clone(),
        clock: gateway.clock.clone(),
        waits: Default::default(),
    };
    for name in ["never", "live", "was-live"] {
        assert_eq!(
            caller.create(name, &format!("rtmp://h/app/{name}")).await,
            0
        );
    }
    gateway.add("of-the-api", "rtmp://h/app/api").await;
    *gateway.running.streams.lock().unwrap() = vec![stream_status("live", "live")];
    let ended = OffsetDateTime::from_unix_timestamp(NOW + 60).unwrap();
    let was_live = StreamKey::parse("live", "was-live").unwrap();
    gateway.history.end(was_live, ended);
    let most = Some(Duration::from_secs(3600));
    assert_eq!(unused.sweep(most).await, 0);
    gateway.running.streams.lock().unwrap().clear();
    gateway.clock.set_ms((NOW + 3590) * 1000);
    assert_eq!(unused.sweep(most).await, 0);
    gateway.clock.set_ms((NOW + 3650) * 1000);
    assert_eq!(unused.sweep(most).await, 1);
    let left = [
        "rtmp://h/app/live",
        "rtmp://h/app/was-live",
        "rtmp://h/app/api",
    ];
    assert_eq!(caller.urls(), left);
    gateway.clock.set_ms((NOW + 1_000_000) * 1000);
    assert_eq!(unused.sweep(None).await, 0, "by default they wait for ever");
    assert_eq!(caller.urls(), left);
}
