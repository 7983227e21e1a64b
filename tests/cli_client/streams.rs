//! `aqueduct streams`.

use super::{CANARY, Running};
use crate::doors::{stream_status, target_status};
use aqueduct::control::TargetState;

#[tokio::test]
async fn streams_are_listed_shown_and_kicked() {
    let running = Running::start().await;
    let none = running.run(&["streams", "list"]).await.ok();
    assert!(none.contains("Nobody publishes"), "{none}");
    running
        .gateway
        .add("*", &format!("rtmp://h/app/{CANARY}"))
        .await;
    let rule = running.gateway.rules.list(None)[0].clone();
    *running.gateway.running.streams.lock().unwrap() =
        vec![stream_status("live", "cam"), stream_status("live", "a/b")];
    *running.gateway.running.targets.lock().unwrap() = vec![
        target_status(&rule, "live", "cam", TargetState::BackingOff),
        target_status(&rule, "live", "a/b", TargetState::Live),
    ];
    let list = running.run(&["streams", "list"]).await.ok();
    assert!(
        list.contains("0 of 1") && list.contains("1 of 1") && list.contains("6.0 Mbit/s"),
        "{list}"
    );
    for name in ["live/cam", "cam"] {
        let shown = running.run(&["streams", "show", name]).await.ok();
        assert!(
            shown.contains("live/cam") && shown.contains("h264 (video 0)"),
            "{shown}"
        );
        for line in [
            "bitrate    6.0 Mbit/s, 30 pictures a second",
            "repaired   3 timestamps (2 clamp, 1 wrap)",
            "track      h264 (video 0): High 4.1, 1920x1080, 29.97 fps, 5.9 Mbit/s",
            "warning    nothing of sound has come",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
        }
        assert!(
            shown.contains("backing_off") && shown.contains("BadName: taken"),
            "{shown}"
        );
        assert!(!shown.contains(CANARY), "{shown}");
    }
    let json = running
        .run(&["streams", "show", "live/a/b", "--json"])
        .await
        .json();
    assert_eq!(json["stream"]["name"], "a/b");
    assert_eq!(json["targets"][0]["state"], "live");
    running.run(&["streams", "kick", "live/a/b"]).await.ok();
    assert_eq!(running.gateway.running.streams.lock().unwrap().len(), 1);
    let error = running
        .run(&["streams", "kick", "live/a/b"])
        .await
        .failed(1);
    assert!(error.contains("nobody publishes live/a/b"), "{error}");
}

#[tokio::test]
async fn a_list_of_several_pages_is_shown_whole() {
    let running = Running::start().await;
    let names = (0..10_001).map(|number| format!("s{number}"));
    *running.gateway.running.streams.lock().unwrap() =
        names.map(|name| stream_status("live", &name)).collect();
    let list = running.run(&["streams", "list", "--json"]).await.json();
    assert_eq!(list.as_array().unwrap().len(), 10_001);
    assert_eq!(list[10_000]["name"], "s9999", "they go by their names");
}
