//! What the events write and count, with canary keys.

use super::*;
use crate::rule::{RuleId, StreamKey, TargetUrl};
use crate::telemetry::Metrics;
use crate::telemetry::feed::{PublishStart, Read, TargetChange, What};
use crate::telemetry::labels::{
    DropReason, PublishEnd, PublishRefusal, Rejection, Role, Setback, StoreOperation,
};
use crate::telemetry::log::{LogConfig, LogFormat, subscriber};
use crate::telemetry::{Label, Snapshot};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a run writes in this format.
fn logged(format: LogFormat, run: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let config = LogConfig {
        format,
        level: "trace".to_owned(),
    };
    let subscriber = subscriber(&config, false, move || writer.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, run);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn page(metrics: &Metrics) -> String {
    metrics.render(&Snapshot::<Setback> {
        streams: 0,
        streams_in_grace: 0,
        ring_bytes: 0,
        targets: Vec::new(),
    })
}

const PEER: &str = "203.0.113.9:40000";

#[test]
fn a_target_s_key_is_hidden_in_every_field() {
    let metrics = Metrics::new();
    let url =
        TargetUrl::parse("rtmp://user:pa55@live.example/app/canary-key?sign=canary-sign").unwrap();
    let stream = StreamKey::parse("live", "cam").unwrap();
    let rule = RuleId::parse("r-1").unwrap();
    let push = Push {
        rule: &rule,
        stream: &stream,
        url: &url,
        attempt: 3,
    };
    let text = logged(LogFormat::Text, || {
        TargetLive {
            push,
            took: Duration::from_millis(1500),
        }
        .emit(&metrics);
        TargetBackingOff {
            push,
            reason: Setback::BadName,
            detail: &"NetStream.Publish.BadName: canary-key?sign=canary-sign is \n in use",
            retry_in: Duration::from_secs(2),
        }
        .emit(&metrics);
        TargetFailed {
            push,
            reason: Setback::Auth,
            detail: &"no such key: canary-key",
        }
        .emit(&metrics);
        TargetSwitched {
            push,
            to: Role::Backup,
        }
        .emit(&metrics);
        TargetStopped { push, bytes: 7 }.emit(&metrics);
    });
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(!text.contains("canary") && !text.contains("pa55"), "{text}");
    for words in [
        "target live",
        "bad_name",
        "attempt=3",
        "retry_seconds=2",
        "rule=r-1",
        "live/cam",
        "live.example",
        "to=\"backup\"",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    let page = page(&metrics);
    for line in [
        "aqueduct_target_reconnects_total{reason=\"bad_name\"} 1",
        "aqueduct_target_failures_total{reason=\"auth\"} 1",
        "aqueduct_target_switches_total{to=\"backup\"} 1",
        "aqueduct_target_switches_total{to=\"main\"} 0",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
}

#[test]
fn a_publisher_s_key_and_control_characters_stay_out() {
    let metrics = Metrics::new();
    let text = logged(LogFormat::Text, || {
        PublishRefused {
            app: "live?key=canary-app",
            name: "cam\x1b[2J?key=canary-key",
            peer: PEER.parse().unwrap(),
            reason: PublishRefusal::Auth,
            detail: None,
        }
        .emit(&metrics);
        PublishStarted {
            stream: &StreamKey::parse("live", "cam\n\x07").unwrap(),
            peer: PEER.parse().unwrap(),
            input: None,
            client: "FMLE/3.0\nlevel=ERROR forged",
            how: PublishStart::New,
        }
        .emit(&metrics);
    });
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(
        !text.contains("canary") && !text.contains('\x1b') && !text.contains('\x07'),
        "{text}"
    );
    assert!(page(&metrics).contains("aqueduct_publish_rejected_total{reason=\"auth\"} 1"));
    assert!(page(&metrics).contains("aqueduct_publishes_started_total 1"));
}

#[test]
fn a_json_line_is_one_object_with_the_fields_beside_the_message() {
    let metrics = Metrics::new();
    let text = logged(LogFormat::Json, || {
        PublishEnded {
            stream: &StreamKey::parse("live", "cam").unwrap(),
            peer: PEER.parse().unwrap(),
            input: None,
            reason: PublishEnd::Idle,
            detail: Some(&"nothing for 15 s"),
            bytes: 42,
            lasted: Duration::from_millis(2500),
        }
        .emit(&metrics);
        StoreTrouble {
            operation: StoreOperation::Store,
            error: &"disk full",
        }
        .emit(&metrics);
    });
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [ended, trouble] = lines.as_slice() else {
        panic!("{text}")
    };
    assert_eq!(ended["message"], "publish ended");
    assert_eq!(ended["stream"], "live/cam");
    assert_eq!(ended["reason"], "idle");
    assert_eq!(ended["detail"], "nothing for 15 s");
    assert_eq!(ended["bytes"], 42);
    assert_eq!(ended["level"], "INFO");
    assert_eq!(trouble["level"], "ERROR");
    let page = page(&metrics);
    assert!(page.contains("aqueduct_publishes_ended_total{reason=\"idle\"} 1"));
    assert!(page.contains("aqueduct_store_errors_total{operation=\"store\"} 1"));
}

#[test]
fn a_failed_reload_is_seen_until_one_succeeds() {
    let metrics = Metrics::new();
    let value = |line: &str| page(&metrics).contains(line);
    assert!(value("aqueduct_config_last_reload_successful 1"));
    ConfigReloaded {
        refused: Some(&"line 3"),
    }
    .emit(&metrics);
    assert!(value("aqueduct_config_last_reload_successful 0"));
    ConfigReloaded { refused: None }.emit(&metrics);
    assert!(value("aqueduct_config_last_reload_successful 1"));
}

#[test]
fn an_accept_error_is_always_counted_and_seldom_logged() {
    let metrics = Metrics::new();
    let error = std::io::Error::other("too many open files");
    let text = logged(LogFormat::Text, || {
        for _ in 0..3 {
            let listener = PEER.parse().unwrap();
            AcceptFailed {
                listener,
                error: &error,
            }
            .emit(&metrics);
        }
        let rejected = ConnectionRejected {
            peer: PEER.parse().unwrap(),
            reason: Rejection::Timeout,
            detail: &"no connect within 5 s",
        };
        rejected.emit(&metrics);
    });
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(page(&metrics).contains("aqueduct_accept_errors_total 3"));
    let rejections = page(&metrics)
        .lines()
        .filter(|line| line.starts_with("aqueduct_connections_rejected_total{"))
        .count();
    assert_eq!(rejections, Rejection::ALL.len());
}

#[test]
fn a_refused_address_is_always_counted_for_its_listener_and_seldom_logged() {
    let metrics = Metrics::new();
    let refuse = |callers, reason| {
        CallerRefused {
            peer: PEER.parse().unwrap(),
            callers,
            reason,
            detail: &"the address has 2 connections already",
        }
        .emit(&metrics);
    };
    let text = logged(LogFormat::Text, || {
        for _ in 0..500 {
            refuse(Callers::Publishers, PublishRefusal::AddressRate);
        }
        refuse(Callers::Publishers, PublishRefusal::AddressLimit);
        refuse(Callers::Doors, PublishRefusal::AddressLimit);
    });
    let lines = text.lines().count();
    assert!((50..100).contains(&lines), "{lines} lines");
    assert!(
        text.contains("203.0.113.9") && text.contains("address_rate"),
        "{text}"
    );
    let page = page(&metrics);
    for line in [
        "aqueduct_publish_rejected_total{reason=\"address_rate\"} 500",
        "aqueduct_publish_rejected_total{reason=\"address_limit\"} 1",
        "aqueduct_connections_rejected_total{reason=\"address_limit\"} 1",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
}

#[tokio::test]
async fn what_is_logged_of_a_target_is_announced_masked() {
    let metrics = Metrics::new();
    let mut reader = metrics.feed().reader();
    let url = TargetUrl::parse("rtmp://live.example/app/canary-key").unwrap();
    let stream = StreamKey::parse("live", "cam").unwrap();
    let rule = RuleId::parse("r-1").unwrap();
    let push = Push {
        rule: &rule,
        stream: &stream,
        url: &url,
        attempt: 3,
    };
    TargetConnecting { push }.emit(&metrics);
    TargetFailed {
        push,
        reason: Setback::Rejected,
        detail: &"canary-key is \n unknown",
    }
    .emit(&metrics);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let Read::Change(change) = reader.next().await else {
            panic!("a change is expected");
        };
        assert!(!format!("{change:?}").contains("canary"), "{change:?}");
        seen.push(change);
    }
    let What::Target {
        attempt: 3, change, ..
    } = &seen[1].what
    else {
        panic!("{seen:?}");
    };
    let expected = TargetChange::Failed {
        reason: Setback::Rejected,
        detail: "*** is \u{fffd} unknown".to_owned(),
    };
    assert_eq!(*change, expected);
    assert_eq!((seen[0].number, seen[1].number), (1, 2));
    assert_eq!(seen[0].what.app(), "live");
}

#[tokio::test]
async fn a_slow_target_is_announced_each_time_though_it_is_not_always_logged() {
    let metrics = Metrics::new();
    let mut reader = metrics.feed().reader();
    let url = TargetUrl::parse("rtmp://live.example/app/canary-key").unwrap();
    let stream = StreamKey::parse("live", "cam").unwrap();
    let rule = RuleId::parse("r-1").unwrap();
    let push = Push {
        rule: &rule,
        stream: &stream,
        url: &url,
        attempt: 3,
    };
    let lag = Duration::from_millis(1500);
    let text = logged(LogFormat::Text, || {
        for _ in 0..100 {
            let left_out = DropReason::UntilKeyframe;
            TargetSlow {
                push,
                left_out,
                lag,
            }
            .emit(&metrics);
        }
        TargetCaughtUp { push }.emit(&metrics);
    });
    let slow = text.lines().filter(|line| line.contains("too slow"));
    assert!(slow.count() < 50, "{text}");
    let mut told = Vec::new();
    for _ in 0..101 {
        let Read::Change(change) = reader.next().await else {
            panic!("a change is expected");
        };
        assert!(!format!("{change:?}").contains("canary"), "{change:?}");
        let What::Target { change, .. } = &change.what else {
            panic!("{change:?}");
        };
        told.push(change.clone());
    }
    assert_eq!(told.pop(), Some(TargetChange::CaughtUp));
    let left_out = DropReason::UntilKeyframe;
    let slow = TargetChange::Slow { left_out, lag };
    assert!(told.iter().all(|change| *change == slow), "{told:?}");
}
