//! What happens on the way to those who are told what happens.

use std::fmt::Display;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use crate::rule::HttpUrl;
use crate::secret::printable;
use crate::telemetry::labels::{Label, NotificationResult};
use crate::telemetry::metrics::Metrics;

/// A try to deliver a notification failed. Counted where another one follows, logged within a rate.
pub struct NotificationFailed<'a> {
    /// Where to; logged masked.
    pub url: &'a HttpUrl,
    /// What it is.
    pub name: &'a str,
    /// The try, from 1.
    pub attempt: u32,
    /// What happened.
    pub error: &'a dyn Display,
    /// The pause before the next try; none where it is the last one.
    pub retry_in: Option<Duration>,
}

impl NotificationFailed<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        if self.retry_in.is_some() {
            metrics.notification_retries.increment(1);
        }
        let Some(omitted) = metrics.notification_lines.take(Instant::now()) else {
            return;
        };
        warn!(
            url = %self.url,
            notification = self.name,
            attempt = self.attempt,
            error = %printable(&self.error.to_string()),
            retry_seconds = self.retry_in.map(|pause| pause.as_secs_f64()),
            omitted,
            "notification not taken"
        );
    }
}

/// A notification was taken, or dropped. Counted always; what is dropped is logged within a rate.
pub struct NotificationEnded<'a> {
    /// Where to; logged masked.
    pub url: &'a HttpUrl,
    /// What it is.
    pub name: &'a str,
    /// What became of it.
    pub result: NotificationResult,
}

impl NotificationEnded<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.notifications.add(self.result, 1);
        if self.result == NotificationResult::Delivered {
            debug!(url = %self.url, notification = self.name, "notification delivered");
            return;
        }
        let Some(omitted) = metrics.notification_lines.take(Instant::now()) else {
            return;
        };
        warn!(
            url = %self.url,
            notification = self.name,
            result = self.result.as_str(),
            omitted,
            "notification dropped"
        );
    }
}
