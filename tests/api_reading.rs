//! Streams, targets, preflights, health, metrics and the description of the door.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;

use aqueduct::api::Connection;
use aqueduct::control::{Phase, Role, TargetState, TargetStatus};
use axum::body::Body;
use axum::http::Request;
use doors::{Gateway, TOKEN, stream_status, target_status};
use serde_json::json;

#[tokio::test]
async fn streams_are_shown_and_kicked() {
    let gateway = Gateway::new();
    *gateway.running.streams.lock().unwrap() =
        vec![stream_status("live", "cam"), stream_status("live", "a/b c")];
    let list = gateway.ask("GET", "/v1/streams", None).await.json();
    assert_eq!(list[0]["name"], "a/b c", "they go by their names");
    assert_eq!(
        list[1],
        json!({
            "app": "live", "name": "cam", "state": "live", "since": "1970-01-01T00:00:00Z",
            "publisher": "192.0.2.7:51234", "client": "FMLE/3.0",
            "inputs": [{
                "kind": "publisher", "role": "main", "state": "active", "peer": "192.0.2.7:51234", "client": "FMLE/3.0",
            }],
            "tracks": [{
                "kind": "video", "id": 0, "codec": "h264", "profile": "High", "level": "4.1", "width": 1920,
                "height": 1080, "frame_rate": 29.97, "bitrate": 5_900_000, "fps": 30.0,
            }],
            "bitrate": 6_000_000, "fps": 30.0, "bytes": 1000, "frames": 50, "keyframe_interval_ms": 2000,
            "b_frames": 0, "ring_bytes": 4096, "repairs": 3,
            "repairs_by_kind": {"clamp": 2, "rebase": 0, "gap": 0, "wrap": 1, "cts": 0, "stuck": 0},
            "drops": {"before_keyframe": 0, "no_header": 0, "headers_full": 0, "malformed": 0},
            "warnings": [{"code": "no_audio", "detail": "nothing of sound has come"}], "targets": 1,
        })
    );
    assert_eq!(
        gateway
            .ask("GET", "/v1/streams/live/cam", None)
            .await
            .json(),
        list[1]
    );
    let odd = "/v1/streams/live/a%2Fb%20c";
    assert_eq!(gateway.ask("GET", odd, None).await.json()["name"], "a/b c");
    assert_eq!(
        gateway
            .ask("GET", "/v1/streams?app=other", None)
            .await
            .json(),
        json!([])
    );
    gateway
        .ask("GET", "/v1/streams/live/none", None)
        .await
        .assert_problem(404);
    gateway
        .ask("GET", "/v1/streams/li%20ve/none", None)
        .await
        .assert_problem(404);

    let kicked = gateway.ask("DELETE", odd, None).await;
    assert_eq!((kicked.status.as_u16(), kicked.text.as_str()), (204, ""));
    gateway.ask("DELETE", odd, None).await.assert_problem(404);
}

#[tokio::test]
async fn targets_are_shown() {
    let gateway = Gateway::new();
    gateway.add("*", "rtmp://h/app/{stream}?k=CANARY").await;
    let rule = gateway.rules.list(None)[0].clone();
    *gateway.running.targets.lock().unwrap() = vec![
        target_status(&rule, "live", "cam", TargetState::BackingOff),
        target_status(&rule, "live", "cam2", TargetState::Live),
    ];
    let list = gateway.ask("GET", "/v1/targets", None).await.json();
    assert_eq!(
        list[0],
        json!({
            "rule": rule.id, "stream": "live/cam", "url": "rtmp://h/app/***", "state": "backing_off",
            "since": "1970-01-01T00:00:00Z", "attempt": 2,
            "reason": "NetStream.Publish.BadName: taken", "bytes": 10, "bitrate": 20, "frames": 30,
            "dropped": 40, "drops": {"disposable": 1, "until_keyframe": 32, "overtaken": 7}, "repaired": 50, "late": 0, "lag_ms": 60, "rtt_ms": 7.5,
        })
    );
    for (query, count) in [
        ("", 2),
        ("?state=live", 1),
        ("?stream=cam", 1),
        ("?app=live", 2),
        ("?app=x", 0),
        ("?rule=x", 0),
        ("?state=stopped", 0),
    ] {
        let list = gateway
            .ask("GET", &format!("/v1/targets{query}"), None)
            .await
            .json();
        assert_eq!(list.as_array().unwrap().len(), count, "{query}");
    }
    gateway
        .ask("GET", "/v1/targets?state=happy", None)
        .await
        .assert_problem(400);
    let whole = gateway.ask("GET", "/v1/targets?reveal=true", None).await;
    assert_eq!(whole.json()[1]["url"], "rtmp://h/app/cam2?k=CANARY");
}

#[tokio::test]
async fn a_target_of_two_urls_says_which_it_is_at() {
    let gateway = Gateway::new();
    let body = json!({
        "app": "live", "stream": "*", "url": "rtmp://a/app/{stream}?k=CANARY",
        "backup_url": "rtmp://b/app/{stream}?k=CANARY",
    });
    gateway.ask("POST", "/v1/rules", Some(body)).await;
    let rule = gateway.rules.list(None)[0].clone();
    let at = |role| TargetStatus {
        role: Some(role),
        ..target_status(&rule, "live", "cam", TargetState::Live)
    };
    *gateway.running.targets.lock().unwrap() = vec![at(Role::Main), at(Role::Backup)];
    let list = gateway.ask("GET", "/v1/targets", None).await;
    assert!(!list.text.contains("CANARY"));
    let list = list.json();
    assert_eq!(
        (&list[0]["role"], &list[1]["role"]),
        (&json!("main"), &json!("backup"))
    );
    let whole = gateway
        .ask("GET", "/v1/targets?reveal=true", None)
        .await
        .json();
    assert_eq!(whole[0]["url"], "rtmp://a/app/cam?k=CANARY");
    assert_eq!(whole[1]["url"], "rtmp://b/app/cam?k=CANARY");
}

/// The rows of all pages of a list, so many on each, by one of their members; and the number of pages.
async fn pages(gateway: &Gateway, path: &str, member: &str) -> (Vec<String>, usize) {
    let mut next = Some(path.to_owned());
    let (mut rows, mut count) = (Vec::new(), 0);
    while let Some(path) = next {
        let answer = gateway.ask("GET", &path, None).await;
        assert_eq!(answer.status, 200, "{path}");
        let page = answer.json();
        let members = page
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row[member].as_str().unwrap());
        rows.extend(members.map(str::to_owned));
        count += 1;
        let link = answer.header("link");
        let link = link
            .strip_prefix('<')
            .map(|link| link.strip_suffix(">; rel=\"next\""));
        next = link.map(|link| link.unwrap().to_owned());
    }
    (rows, count)
}

#[tokio::test]
async fn lists_come_in_pages() {
    let gateway = Gateway::new();
    let mut ids = Vec::new();
    for number in 0..5 {
        gateway.clock.set_ms(number / 2);
        gateway.add("*", &format!("rtmp://h/app/{number}")).await;
        ids.push(gateway.rules.list(None).last().unwrap().id.to_string());
    }
    for (limit, count) in [(1, 5), (2, 3), (5, 1), (10_000, 1)] {
        let path = format!("/v1/rules?limit={limit}&app=live&stream=*");
        assert_eq!(pages(&gateway, &path, "id").await, (ids.clone(), count));
    }
    assert_eq!(
        pages(&gateway, "/v1/rules?app=x&limit=1", "id").await,
        (vec![], 1)
    );

    let names = ["a/b c", "b", "c", "\u{e9}?&#"];
    *gateway.running.streams.lock().unwrap() = names
        .iter()
        .rev()
        .map(|name| stream_status("live", name))
        .collect();
    let all = pages(&gateway, "/v1/streams?limit=1", "name").await;
    assert_eq!(all, (names.map(str::to_owned).to_vec(), 4));

    let rule = gateway.rules.list(None)[0].clone();
    *gateway.running.targets.lock().unwrap() = (0..7)
        .map(|number| target_status(&rule, "live", &format!("s{number}"), TargetState::Live))
        .collect();
    let path = "/v1/targets?limit=3&state=live&reveal=true";
    let (streams, count) = pages(&gateway, path, "stream").await;
    assert_eq!((streams.len(), count), (7, 3));
    assert!(streams.is_sorted());
}

#[tokio::test]
async fn what_comes_and_goes_between_two_pages_shifts_nothing() {
    let gateway = Gateway::new();
    let show = |names: &[&str]| {
        *gateway.running.streams.lock().unwrap() = names
            .iter()
            .map(|name| stream_status("live", name))
            .collect();
    };
    show(&["b", "d", "f"]);
    let first = gateway.ask("GET", "/v1/streams?limit=2", None).await;
    let link = first.header("link").to_owned();
    let next = link.trim_start_matches('<').split('>').next().unwrap();
    // The last one of the page is gone, and there are others before and behind it.
    show(&["a", "b", "e", "f"]);
    let (names, _) = pages(&gateway, next, "name").await;
    assert_eq!(names, ["e", "f"]);
}

#[tokio::test]
async fn pages_that_cannot_be_are_refused() {
    let gateway = Gateway::new();
    for list in ["rules", "streams", "targets"] {
        for query in [
            "limit=0",
            "limit=10001",
            "limit=-1",
            "limit=x",
            "after=x",
            "after=W10",
        ] {
            let path = format!("/v1/{list}?{query}");
            let problem = gateway.ask("GET", &path, None).await.assert_problem(400);
            let field = query.split('=').next().unwrap();
            assert!(
                problem["detail"].as_str().unwrap().contains(field),
                "{problem}"
            );
        }
    }
}

#[tokio::test]
async fn preflights_are_made_and_held_back() {
    let gateway = Gateway::new();
    let wish = json!({"url": "rtmp://h/app/CANARY"});
    let answer = gateway
        .ask("POST", "/v1/preflight", Some(wish.clone()))
        .await;
    assert_eq!(answer.status, 200);
    let report = answer.json();
    assert_eq!(report["ok"], false);
    assert_eq!(report["url"], "rtmp://h/app/***");
    let step = &report["steps"][0];
    assert_eq!(
        (&step["step"], &step["result"]),
        (&json!("dns"), &json!("failed"))
    );
    let tried = gateway.running.tried.lock().unwrap().clone();
    assert_eq!(tried, [("rtmp://h/app/CANARY".to_owned(), false)]);

    let published = json!({"url": "rtmp://h/app/x", "publish": true});
    gateway.ask("POST", "/v1/preflight", Some(published)).await;
    assert!(gateway.running.tried.lock().unwrap()[1].1);
    let problem = gateway
        .ask("POST", "/v1/preflight", Some(json!({"url": "CANARY"})))
        .await
        .assert_problem(422);
    assert!(!problem.to_string().contains("CANARY"));

    let mut answer = answer;
    for _ in 0..25 {
        answer = gateway
            .ask("POST", "/v1/preflight", Some(wish.clone()))
            .await;
    }
    answer.assert_problem(429);
    assert!(
        answer
            .header("retry-after")
            .parse::<u64>()
            .is_ok_and(|seconds| seconds > 0)
    );
}

#[tokio::test]
async fn readiness_follows_the_phases() {
    let gateway = Gateway::new();
    assert_eq!(gateway.call("/healthz").await.status, 200);
    gateway.call("/readyz").await.assert_problem(503);
    gateway.readiness.advance(Phase::Ready);
    let ready = gateway.call("/readyz").await;
    assert_eq!(
        (ready.status.as_u16(), ready.text.as_str()),
        (200, "ready\n")
    );
    gateway.readiness.advance(Phase::Draining);
    gateway.call("/readyz").await.assert_problem(503);
    assert_eq!(gateway.call("/healthz").await.status, 200);
}

#[tokio::test]
async fn metrics_are_what_the_gateway_renders() {
    let gateway = Gateway::new();
    let metrics = gateway.call("/metrics").await;
    assert_eq!(
        metrics.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(metrics.text, "process_open_fds 9\n");
}

#[tokio::test]
async fn metrics_and_description_want_the_token_beyond_loopback() {
    let gateway = Gateway::new();
    for path in ["/metrics", "/openapi.json"] {
        for (beyond_loopback, token, status) in [
            (false, None, 200),
            (true, None, 401),
            (true, Some("wrong"), 401),
            (true, Some(TOKEN), 200),
        ] {
            let mut request = Request::get(path).header("host", "localhost");
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let mut request = request.body(Body::empty()).unwrap();
            request.extensions_mut().insert(Connection {
                remote: "192.0.2.9:4000".parse().unwrap(),
                local: "192.0.2.1:8080".parse().unwrap(),
                beyond_loopback,
            });
            let answer = gateway.send(request).await;
            assert_eq!(answer.status, status, "{path} {beyond_loopback} {token:?}");
        }
    }
}

#[tokio::test]
async fn the_description_names_every_route() {
    let mut document = Gateway::new().call("/openapi.json").await.json();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        [
            "/healthz",
            "/metrics",
            "/readyz",
            "/v1/events",
            "/v1/inputs",
            "/v1/preflight",
            "/v1/rules",
            "/v1/rules/{id}",
            "/v1/streams",
            "/v1/streams/{app}/{name}",
            "/v1/streams/{app}/{name}/inputs",
            "/v1/streams/{app}/{name}/inputs/switch",
            "/v1/streams/{app}/{name}/inputs/{role}",
            "/v1/targets",
        ]
    );
    for schema in [
        "Rule",
        "CreateRule",
        "Problem",
        "StreamStatus",
        "TargetStatus",
        "PreflightReport",
    ] {
        assert!(
            document["components"]["schemas"][schema].is_object(),
            "{schema}"
        );
    }
    document["info"]["version"] = "(the crate's)".into();
    insta::assert_json_snapshot!("openapi", document);
}
