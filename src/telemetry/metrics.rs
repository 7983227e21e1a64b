//! One gateway's metrics: every name, its handle, and the page that a scraper reads. `docs/metrics.md` lists them.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Label as KeyLabel};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use metrics_process::Collector;

use super::feed::Feed;
use super::labels::{
    DropReason, Label, NotificationResult, PublishEnd, PublishRefusal, Rejection, RepairKind, Role,
    Setback, StoreOperation,
};
use super::series::{Counters, Register};
use super::snapshot::{Page, Snapshot};
use super::throttle::Throttle;
use crate::media::MediaKind;

/// How often [`Metrics::upkeep`] wants to be called: what the histogram was given waits in memory until then.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// What /metrics says it is (Prometheus' text format).
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const LAG: &str = "aqueduct_egress_lag_seconds";

/// In seconds. Lag is below one flush interval while all is well; from 4 s on a target loses media.
const LAG_BUCKETS: [f64; 11] = [0.03, 0.06, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0];

/// The metrics of one gateway. Shared; counting is a few atomic operations and never waits.
pub struct Metrics {
    /// Payload bytes that publishers sent.
    pub ingest_bytes: Counter,
    /// Bytes that were handed to targets' connections.
    pub egress_bytes: Counter,
    /// Tags that arrived, by media.
    pub tags: Counters<MediaKind>,
    /// Tags that were left out.
    pub tags_dropped: Counters<DropReason>,
    /// Timestamps that were repaired.
    pub timestamp_repairs: Counters<RepairKind>,
    /// How far targets are behind, in seconds; one value per target and second.
    pub egress_lag: Histogram,
    pub(super) publishes_started: Counter,
    pub(super) publishes_ended: Counters<PublishEnd>,
    pub(super) publish_rejected: Counters<PublishRefusal>,
    pub(super) connections_rejected: Counters<Rejection>,
    pub(super) accept_errors: Counter,
    pub(super) target_reconnects: Counters<Setback>,
    pub(super) target_failures: Counters<Setback>,
    pub(super) target_switches: Counters<Role>,
    pub(super) store_errors: Counters<StoreOperation>,
    pub(super) notifications: Counters<NotificationResult>,
    pub(super) notification_retries: Counter,
    pub(super) panics: Counter,
    pub(super) last_reload_successful: Gauge,
    pub(super) last_reload_success: Gauge,
    /// Lines that strangers can cause: refused connections and publishes.
    pub(super) stranger_lines: Throttle,
    pub(super) accept_lines: Throttle,
    /// Lines about receivers that are away.
    pub(super) notification_lines: Throttle,
    pub(super) feed: Arc<Feed>,
    /// Lines about targets that do not keep up.
    pub(super) slow_lines: Throttle,
    process: Collector,
    recorder: PrometheusRecorder,
    page: PrometheusHandle,
    targets: Page,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics of their own, all at zero.
    pub fn new() -> Self {
        let builder = PrometheusBuilder::new();
        // Refuses only an empty list.
        let recorder = match builder.set_buckets_for_metric(Matcher::Full(LAG.into()), &LAG_BUCKETS)
        {
            Ok(builder) => builder.build_recorder(),
            Err(_) => PrometheusBuilder::new().build_recorder(),
        };
        let register = Register(&recorder);
        let version = vec![KeyLabel::from_static_parts(
            "version",
            env!("CARGO_PKG_VERSION"),
        )];
        register
            .gauge(
                "aqueduct_build_info",
                version,
                "The version that runs; always 1.",
            )
            .set(1);
        let process = Collector::default();
        metrics::with_local_recorder(&recorder, || process.describe());
        let metrics = Self {
            ingest_bytes: register.counter(
                "aqueduct_ingest_bytes_total",
                "Payload bytes that publishers sent.",
            ),
            egress_bytes: register.counter(
                "aqueduct_egress_bytes_total",
                "Bytes that were handed to targets' connections.",
            ),
            tags: register.counters("aqueduct_tags_total", "track", "Tags that arrived."),
            tags_dropped: register.counters(
                "aqueduct_tags_dropped_total",
                "reason",
                "Tags that were left out, for all targets or for one.",
            ),
            timestamp_repairs: register.counters(
                "aqueduct_timestamp_repairs_total",
                "kind",
                "Timestamps that were repaired.",
            ),
            egress_lag: register.histogram(
                LAG,
                "How far targets are behind the newest tag, sampled once a second for each live target.",
            ),
            publishes_started: register.counter(
                "aqueduct_publishes_started_total",
                "Publishes that began.",
            ),
            publishes_ended: register.counters(
                "aqueduct_publishes_ended_total",
                "reason",
                "Publishes that ended.",
            ),
            publish_rejected: register.counters(
                "aqueduct_publish_rejected_total",
                "reason",
                "Publishers that were told no, or whose address has too many connections.",
            ),
            connections_rejected: register.counters(
                "aqueduct_connections_rejected_total",
                "reason",
                "Connections that were closed before they published, or before they asked a door for anything.",
            ),
            accept_errors: register.counter(
                "aqueduct_accept_errors_total",
                "Connections that could not be accepted for want of descriptors or memory.",
            ),
            target_reconnects: register.counters(
                "aqueduct_target_reconnects_total",
                "reason",
                "Attempts on targets, and live pushes, that ended and are tried again.",
            ),
            target_failures: register.counters(
                "aqueduct_target_failures_total",
                "reason",
                "Pushes that were given up for good.",
            ),
            target_switches: register.counters(
                "aqueduct_target_switches_total",
                "to",
                "Pushes that left their main URL for their backup, or went back.",
            ),
            store_errors: register.counters(
                "aqueduct_store_errors_total",
                "operation",
                "Operations that the rules' store failed at.",
            ),
            notifications: register.counters(
                "aqueduct_notifications_total",
                "result",
                "Callbacks, events and webhooks, by what became of them.",
            ),
            notification_retries: register.counter(
                "aqueduct_notification_retries_total",
                "Tries to deliver a callback, an event or a webhook that failed and are made again.",
            ),
            panics: register.counter(
                "aqueduct_panics_total",
                "Faults of the program itself, each of which ended one task.",
            ),
            last_reload_successful: register.gauge(
                "aqueduct_config_last_reload_successful",
                Vec::new(),
                "Whether the last reading of the configuration succeeded.",
            ),
            last_reload_success: register.gauge(
                "aqueduct_config_last_reload_success_timestamp_seconds",
                Vec::new(),
                "When the configuration was last read with success.",
            ),
            stranger_lines: Throttle::new(10, 50),
            accept_lines: Throttle::new(1, 1),
            notification_lines: Throttle::new(1, 20),
            feed: Feed::new(),
            slow_lines: Throttle::new(1, 20),
            process,
            page: recorder.handle(),
            targets: Page::default(),
            recorder,
        };
        metrics.configured(true);
        metrics
    }

    /// The page for a scraper: all counters, what `snapshot` says of this moment, and the process.
    pub fn render<S: Label>(&self, snapshot: &Snapshot<S>) -> String {
        metrics::with_local_recorder(&self.recorder, || self.process.collect());
        let mut page = self.page.render();
        self.targets.render(snapshot, &mut page);
        page
    }

    /// What changes in this gateway: events announce it as they count.
    pub const fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Moves what the histogram was given into its buckets. To be called every [`UPKEEP_INTERVAL`], or a page
    /// that nobody scrapes grows for ever.
    pub fn upkeep(&self) {
        self.page.run_upkeep();
    }

    pub(super) fn configured(&self, successful: bool) {
        self.last_reload_successful.set(u8::from(successful));
        if successful {
            let now = time::OffsetDateTime::now_utc();
            self.last_reload_success.set(now.unix_timestamp() as f64);
        }
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashSet};

    fn page(metrics: &Metrics) -> String {
        metrics.render(&Snapshot::<RepairKind> {
            streams: 0,
            streams_in_grace: 0,
            ring_bytes: 0,
            targets: Vec::new(),
        })
    }

    #[test]
    fn every_label_is_there_at_zero() {
        let page = page(&Metrics::new());
        let mut zeros: BTreeMap<&str, usize> = BTreeMap::new();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            if let Some((series, "0")) = line.rsplit_once(' ') {
                *zeros
                    .entry(series.split('{').next().unwrap_or(series))
                    .or_default() += 1;
            }
        }
        for (name, count) in [
            ("aqueduct_ingest_bytes_total", 1),
            ("aqueduct_egress_bytes_total", 1),
            ("aqueduct_tags_total", 3),
            ("aqueduct_tags_dropped_total", DropReason::ALL.len()),
            ("aqueduct_timestamp_repairs_total", RepairKind::ALL.len()),
            ("aqueduct_target_reconnects_total", Setback::ALL.len()),
            ("aqueduct_publish_rejected_total", PublishRefusal::ALL.len()),
            ("aqueduct_egress_lag_seconds_bucket", LAG_BUCKETS.len() + 1),
            ("aqueduct_egress_lag_seconds_count", 1),
            (
                "aqueduct_notifications_total",
                NotificationResult::ALL.len(),
            ),
            ("aqueduct_notification_retries_total", 1),
            ("aqueduct_panics_total", 1),
        ] {
            assert_eq!(zeros.get(name), Some(&count), "{name} in {page}");
        }
    }

    #[test]
    fn every_metric_has_one_help_and_one_type() {
        let page = page(&Metrics::new());
        let names = |keyword: &str| -> Vec<String> {
            page.lines()
                .filter_map(|line| line.strip_prefix(keyword)?.split(' ').next())
                .map(str::to_owned)
                .collect()
        };
        let (helped, typed) = (names("# HELP "), names("# TYPE "));
        let unique: HashSet<_> = typed.iter().collect();
        assert_eq!(unique.len(), typed.len(), "{typed:?}");
        assert_eq!(unique, helped.iter().collect());
    }

    #[test]
    fn what_is_counted_is_shown_and_two_gateways_do_not_mix() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.tags.add(MediaKind::Video, 3);
        one.tags.add(MediaKind::Data, 1);
        one.ingest_bytes.increment(100);
        one.egress_lag.record(0.05);
        one.egress_lag.record(3.0);
        one.upkeep();
        let shown = page(&one);
        for line in [
            "aqueduct_tags_total{track=\"video\"} 3",
            "aqueduct_tags_total{track=\"audio\"} 0",
            "aqueduct_tags_total{track=\"data\"} 1",
            "aqueduct_ingest_bytes_total 100",
            "aqueduct_egress_lag_seconds_bucket{le=\"0.06\"} 1",
            "aqueduct_egress_lag_seconds_bucket{le=\"4\"} 2",
            "aqueduct_egress_lag_seconds_count 2",
        ] {
            assert!(shown.contains(line), "{line} is not in {shown}");
        }
        assert!(page(&other).contains("aqueduct_ingest_bytes_total 0"));
        let version = format!(
            "aqueduct_build_info{{version=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION")
        );
        assert!(shown.contains(&version));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_is_on_the_page() {
        let page = page(&Metrics::new());
        for name in [
            "cpu_seconds_total",
            "resident_memory_bytes",
            "open_fds",
            "max_fds",
            "start_time_seconds",
        ] {
            assert!(
                page.contains(&format!("\nprocess_{name} ")),
                "{name} is not in {page}"
            );
        }
    }
}
