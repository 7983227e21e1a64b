//! What /metrics shows and what docs/metrics.md says are the same, down to the label values.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use aqueduct::egress::status::TargetState;
use aqueduct::rule::RuleId;
use aqueduct::telemetry::{Metrics, Snapshot, TargetSample};

fn page() -> String {
    let metrics = Metrics::new();
    metrics.egress_lag.record(0.01);
    metrics.render(&Snapshot {
        streams: 1,
        streams_in_grace: 0,
        ring_bytes: 1,
        targets: vec![TargetSample {
            push: Some(1),
            rule: RuleId::parse("r-1").unwrap(),
            state: TargetState::Live,
            up: true,
            bytes: 1,
        }],
    })
}

/// What stands between backticks in the documentation.
fn documented() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let text = std::fs::read_to_string(path).unwrap();
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Every family with its labels, as the documentation writes it: `name{label}`.
fn shown() -> BTreeSet<String> {
    let mut shown = BTreeSet::new();
    for series in page()
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let name_and_labels = series.rsplit_once(' ').unwrap().0;
        let (name, labels) = name_and_labels
            .split_once('{')
            .unwrap_or((name_and_labels, ""));
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name);
        let label = labels.split('=').next().unwrap();
        shown.insert(match label {
            "" | "le" => family.to_owned(),
            label => format!("{family}{{{label}}}"),
        });
    }
    shown
}

#[test]
fn every_metric_is_documented_with_its_labels() {
    let documented = documented();
    let missing: Vec<_> = shown().difference(&documented).cloned().collect();
    assert!(missing.is_empty(), "not in docs/metrics.md: {missing:#?}");
}

#[test]
fn nothing_is_documented_that_is_not_there() {
    let shown = shown();
    let gone: Vec<_> = documented()
        .into_iter()
        .filter(|text| text.starts_with("aqueduct_") && !text.contains([' ', '/', '[']))
        // A family may be spoken of without its labels.
        .filter(|text| {
            !shown
                .iter()
                .any(|known| known == text || known.split('{').next() == Some(text))
        })
        .collect();
    assert!(gone.is_empty(), "only in docs/metrics.md: {gone:#?}");
}

#[test]
fn every_label_value_is_documented() {
    let documented = documented();
    let open = ["rule", "version", "le"];
    for line in page().lines().filter(|line| line.starts_with("aqueduct_")) {
        let Some((_, labels)) = line.split_once('{') else {
            continue;
        };
        let (label, value) = labels.split_once("=\"").unwrap();
        let value = value.split('"').next().unwrap();
        assert!(
            open.contains(&label) || documented.contains(value),
            "{label}={value} of {line} is not in docs/metrics.md"
        );
    }
}

#[test]
fn the_contracts_names_are_there() {
    let shown = shown();
    for name in [
        "aqueduct_streams",
        "aqueduct_targets{state}",
        "aqueduct_ingest_bytes_total",
        "aqueduct_egress_bytes_total",
        "aqueduct_tags_total{track}",
        "aqueduct_tags_dropped_total{reason}",
        "aqueduct_timestamp_repairs_total{kind}",
        "aqueduct_target_reconnects_total{reason}",
        "aqueduct_publish_rejected_total{reason}",
        "aqueduct_egress_lag_seconds",
        "aqueduct_build_info{version}",
        "aqueduct_config_last_reload_successful",
        "aqueduct_target_bytes_total{rule}",
        "aqueduct_target_up{rule}",
        "aqueduct_ring_bytes",
    ] {
        assert!(shown.contains(name), "{name} is not in {shown:#?}");
    }
}
