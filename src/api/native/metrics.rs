//! `/metrics`: what the process counts, and what the read model shows at this moment.
//!
//! The series of streams and targets are written from the read model at each scrape, so that one ends with what it is
//! about.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::Native;
use crate::control::{RuleId, StreamKey, TargetState, TargetStatus};

/// Rules that get series of their own, the smallest ids first; a larger gateway is watched through the API.
const MAX_RULES_SHOWN: usize = 1000;

const TEXT_FORMAT: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// All metrics, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn render(State(native): State<Native>) -> Response {
    let mut text = (native.doors.metrics)();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let streams = native.doors.running.streams();
    let ring_bytes: u64 = streams.iter().map(|stream| stream.ring_bytes).sum();
    let live = streams.len() as u64;
    gauge(
        &mut text,
        "aqueduct_streams",
        "Streams that are live.",
        live,
    );
    gauge(
        &mut text,
        "aqueduct_ring_bytes",
        "Bytes of media that all rings hold.",
        ring_bytes,
    );
    let targets = native.doors.running.targets();
    states(&mut text, &targets);
    native.target_bytes.render(&mut text, &targets);
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response()
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn gauge(text: &mut String, name: &str, help: &str, value: u64) {
    family(text, name, "gauge", help);
    let _ = writeln!(text, "{name} {value}");
}

fn states(text: &mut String, targets: &[TargetStatus]) {
    family(text, "aqueduct_targets", "gauge", "Targets in each state.");
    for state in TargetState::ALL {
        let count = targets
            .iter()
            .filter(|target| target.state == state)
            .count();
        let _ = writeln!(
            text,
            "aqueduct_targets{{state=\"{}\"}} {count}",
            state.as_str()
        );
    }
}

/// Bytes sent per rule, as a counter that never falls while the rule has a target: one rule may have many pushes, and each
/// begins at zero and ends at its own time.
#[derive(Default)]
pub(super) struct TargetBytes(Mutex<HashMap<RuleId, RuleBytes>>);

#[derive(Default)]
struct RuleBytes {
    total: u64,
    seen: HashMap<StreamKey, u64>,
}

impl RuleBytes {
    fn add(&mut self, targets: &[&TargetStatus]) {
        for target in targets {
            let seen = self
                .seen
                .insert(target.stream.clone(), target.bytes)
                .unwrap_or(0);
            // Fewer than before: the push began anew.
            let sent = target.bytes.checked_sub(seen).unwrap_or(target.bytes);
            self.total = self.total.saturating_add(sent);
        }
        let streams: BTreeSet<&StreamKey> = targets.iter().map(|target| &target.stream).collect();
        self.seen.retain(|stream, _| streams.contains(stream));
    }
}

impl TargetBytes {
    fn render(&self, text: &mut String, targets: &[TargetStatus]) {
        let mut by_rule: BTreeMap<&RuleId, Vec<&TargetStatus>> = BTreeMap::new();
        for target in targets {
            by_rule.entry(&target.rule).or_default().push(target);
        }
        let all = by_rule.len();
        let by_rule: BTreeMap<_, _> = by_rule.into_iter().take(MAX_RULES_SHOWN).collect();
        let mut totals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        totals.retain(|rule, _| by_rule.contains_key(rule));
        let name = "aqueduct_target_bytes_total";
        family(
            text,
            name,
            "counter",
            "Bytes sent for a rule since its first push began.",
        );
        for (rule, targets) in &by_rule {
            let bytes = totals.entry((*rule).clone()).or_default();
            bytes.add(targets);
            let _ = writeln!(text, "{name}{{rule=\"{rule}\"}} {}", bytes.total);
        }
        let name = "aqueduct_target_up";
        family(
            text,
            name,
            "gauge",
            "Whether every target of a rule is live (1) or not (0).",
        );
        for (rule, targets) in &by_rule {
            let up = targets
                .iter()
                .all(|target| target.state == TargetState::Live);
            let _ = writeln!(text, "{name}{{rule=\"{rule}\"}} {}", u8::from(up));
        }
        let name = "aqueduct_target_series_left_out";
        let help =
            "Rules with targets that have no series of their own, because there are too many.";
        gauge(text, name, help, all.saturating_sub(by_rule.len()) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;

    fn target(rule: &str, stream: &str, bytes: u64, state: TargetState) -> TargetStatus {
        TargetStatus {
            rule: RuleId::parse(rule).unwrap(),
            stream: StreamKey::parse("live", stream).unwrap(),
            url: "rtmp://h/app/***".into(),
            state,
            since: OffsetDateTime::UNIX_EPOCH,
            attempt: 1,
            reason: None,
            bytes,
            bitrate: 0,
            frames: 0,
            dropped: 0,
            repaired: 0,
            lag_ms: 0,
            rtt_ms: None,
        }
    }

    fn value(text: &str, series: &str) -> Option<String> {
        text.lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
            .map(str::to_owned)
    }

    #[test]
    fn a_rules_counter_never_falls_and_ends_with_its_last_target() {
        use TargetState::{BackingOff, Live};
        let bytes = TargetBytes::default();
        let total = |targets: &[TargetStatus]| {
            let mut text = String::new();
            bytes.render(&mut text, targets);
            value(&text, "aqueduct_target_bytes_total{rule=\"r1\"}")
        };
        assert_eq!(total(&[target("r1", "a", 100, Live)]).unwrap(), "100");
        assert_eq!(
            total(&[target("r1", "a", 150, Live), target("r1", "b", 10, Live)]).unwrap(),
            "160"
        );
        assert_eq!(total(&[target("r1", "b", 20, Live)]).unwrap(), "170");
        assert_eq!(total(&[target("r1", "b", 5, BackingOff)]).unwrap(), "175");
        assert_eq!(total(&[]), None);
        assert_eq!(total(&[target("r1", "a", 7, Live)]).unwrap(), "7");
    }

    #[test]
    fn a_rule_is_up_when_all_its_targets_are() {
        use TargetState::{Failed, Live};
        let mut text = String::new();
        let targets = [
            target("r1", "a", 1, Live),
            target("r1", "b", 1, Failed),
            target("r2", "a", 1, Live),
        ];
        TargetBytes::default().render(&mut text, &targets);
        assert_eq!(
            value(&text, "aqueduct_target_up{rule=\"r1\"}").unwrap(),
            "0"
        );
        assert_eq!(
            value(&text, "aqueduct_target_up{rule=\"r2\"}").unwrap(),
            "1"
        );
        let mut text = String::new();
        states(&mut text, &targets);
        assert_eq!(
            value(&text, "aqueduct_targets{state=\"live\"}").unwrap(),
            "2"
        );
        assert_eq!(
            value(&text, "aqueduct_targets{state=\"stopped\"}").unwrap(),
            "0"
        );
    }

    #[test]
    fn the_number_of_series_is_bounded() {
        let targets: Vec<_> = (0..MAX_RULES_SHOWN + 5)
            .map(|i| target(&format!("r{i}"), "a", 1, TargetState::Live))
            .collect();
        let mut text = String::new();
        let bytes = TargetBytes::default();
        bytes.render(&mut text, &targets);
        let series = text
            .lines()
            .filter(|line| line.starts_with("aqueduct_target_up{"));
        assert_eq!(series.count(), MAX_RULES_SHOWN);
        assert_eq!(
            value(&text, "aqueduct_target_series_left_out").unwrap(),
            "5"
        );
        assert_eq!(bytes.0.lock().unwrap().len(), MAX_RULES_SHOWN);
    }
}
