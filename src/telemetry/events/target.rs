//! What happens on the way out.

use std::fmt::Display;
use std::time::{Duration, Instant};

use tracing::{debug, error, info, warn};

use crate::rule::{RuleId, StreamKey, TargetUrl};
use crate::secret::printable;
use crate::telemetry::feed::{TargetChange, What};
use crate::telemetry::labels::{DropReason, Label, Role, Setback};
use crate::telemetry::metrics::Metrics;

/// Which push an event is about.
#[derive(Clone, Copy)]
pub struct Push<'a> {
    /// The rule that wishes for it.
    pub rule: &'a RuleId,
    /// The stream.
    pub stream: &'a StreamKey,
    /// Where it goes; logged masked.
    pub url: &'a TargetUrl,
    /// The attempt, from 1.
    pub attempt: u32,
}

impl Push<'_> {
    fn announce(&self, metrics: &Metrics, change: TargetChange) {
        metrics.feed.announce(What::Target {
            rule: self.rule.clone(),
            stream: self.stream.clone(),
            url: self.url.clone(),
            attempt: self.attempt,
            change,
        });
    }
}

/// An attempt begins.
pub struct TargetConnecting<'a> {
    /// Which push.
    pub push: Push<'a>,
}

impl TargetConnecting<'_> {
    /// Announces; what becomes of the attempt is what the log has to say.
    pub fn emit(&self, metrics: &Metrics) {
        let push = &self.push;
        debug!(
            rule = %push.rule.as_str(),
            stream = %push.stream,
            url = %push.url.masked(),
            attempt = push.attempt,
            "target connecting"
        );
        push.announce(metrics, TargetChange::Connecting);
    }
}

/// A CDN takes media.
pub struct TargetLive<'a> {
    /// Which push.
    pub push: Push<'a>,
    /// How long it took from the start of the attempt.
    pub took: Duration,
}

impl TargetLive<'_> {
    /// Logs and announces. What is live is counted from what runs.
    pub fn emit(&self, metrics: &Metrics) {
        let push = &self.push;
        info!(
            rule = %push.rule.as_str(),
            stream = %push.stream,
            url = %push.url.masked(),
            attempt = push.attempt,
            seconds = self.took.as_secs_f64(),
            "target live"
        );
        push.announce(metrics, TargetChange::Live);
    }
}

/// An attempt failed or a live push broke, and another attempt follows.
pub struct TargetBackingOff<'a> {
    /// Which push.
    pub push: Push<'a>,
    /// Why.
    pub reason: Setback,
    /// What exactly happened; the CDN's own words are searched for the key.
    pub detail: &'a dyn Display,
    /// When the next attempt begins, from now.
    pub retry_in: Duration,
}

impl TargetBackingOff<'_> {
    /// Logs, counts and announces.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.target_reconnects.add(self.reason, 1);
        let push = &self.push;
        let detail = said(push.url, self.detail);
        warn!(
            rule = %push.rule.as_str(),
            stream = %push.stream,
            url = %push.url.masked(),
            attempt = push.attempt,
            reason = self.reason.as_str(),
            detail,
            retry_seconds = self.retry_in.as_secs_f64(),
            "target backs off"
        );
        let change = TargetChange::BackingOff {
            reason: self.reason,
            detail,
            retry_in: self.retry_in,
        };
        push.announce(metrics, change);
    }
}

/// A live push ended its session, as it should, for another one.
pub struct TargetRecycled<'a> {
    /// Which push.
    pub push: Push<'a>,
    /// Why.
    pub reason: Setback,
    /// The same in words.
    pub detail: &'a dyn Display,
}

impl TargetRecycled<'_> {
    /// Logs, counts and announces.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.target_reconnects.add(self.reason, 1);
        let push = &self.push;
        info!(
            rule = %push.rule.as_str(),
            stream = %push.stream,
            url = %push.url.masked(),
            attempt = push.attempt,
            reason = self.reason.as_str(),
            detail = %self.detail,
            "target begins anew"
        );
        let reason = self.reason;
        push.announce(metrics, TargetChange::Recycled { reason });
    }
}

/// A live target does not keep up, and is spared a part of its stream. It is slow until it has been given all for ten seconds, so a
/// target has this event every ten seconds at the most. Logged within a rate: where the way out of the machine is too narrow, all are
/// slow at once. What is left out is counted tag by tag.
pub struct TargetSlow<'a> {
    /// Which push.
    pub push: Push<'a>,
    /// What it is spared.
    pub left_out: DropReason,
    /// How far behind it is.
    pub lag: Duration,
}

impl TargetSlow<'_> {
    /// Logs and announces.
    pub fn emit(&self, metrics: &Metrics) {
        let (left_out, lag) = (self.left_out, self.lag);
        (self.push).announce(metrics, TargetChange::Slow { left_out, lag });
        let Some(omitted) = metrics.slow_lines.take(Instant::now()) else {
            return;
        };
        let push = &self.push;
        warn!(
            rule = %push.rule.as_str(),
            stream = %push.stream,
            url = %push.url.masked(),
            left_out = self.left_out.as_str(),
            lag_seconds = self.lag.as_secs_f64(),
            omitted,
            "target too slow"
        );
    }
}

/// A target that was slow has been given all for ten seconds.
pub struct TargetCaughtUp<'a> {
    /// Which push.
    pub push: Push<'a>,
}

impl TargetCaughtUp<'_> {
    /// Announces.
    pub fn emit(&self, metrics: &Metrics) {
        let push = &self.push;
        debug!(
            rule = %push.rule.as_str(),
            stream = %push.stream,
            url = %push.url.masked(),
            "target has caught up"
        );
        push.announce(metrics, TargetChange::CaughtUp);
    }
}

/// A push is given up for good.
pub struct TargetFailed<'a> {
    /// Which push.
    pub push: Push<'a>,
    /// Why.
    pub reason: Setback,
    /// What exactly happened; the CDN's own words are searched for the key.
    pub detail: &'a dyn Display,
}

impl TargetFailed<'_> {
    /// Logs, counts and announces.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.target_failures.add(self.reason, 1);
        let push = &self.push;
        let detail = said(push.url, self.detail);
        error!(
            rule = %push.rule.as_str(),
            stream = %push.stream,
            url = %push.url.masked(),
            attempt = push.attempt,
            reason = self.reason.as_str(),
            detail,
            "target failed for good"
        );
        let reason = self.reason;
        push.announce(metrics, TargetChange::Failed { reason, detail });
    }
}

/// A push left its main URL for its backup, or went back.
pub struct TargetSwitched<'a> {
    /// Which push, with the URL that it goes to.
    pub push: Push<'a>,
    /// Which one that is.
    pub to: Role,
}

impl TargetSwitched<'_> {
    /// Logs, counts and announces.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.target_switches.add(self.to, 1);
        let push = &self.push;
        warn!(
            rule = %push.rule.as_str(),
            stream = %push.stream,
            url = %push.url.masked(),
            to = self.to.as_str(),
            "target switched"
        );
        push.announce(metrics, TargetChange::Switched { to: self.to });
    }
}

/// A push ended as it should: its rule or its stream is gone.
pub struct TargetStopped<'a> {
    /// Which push.
    pub push: Push<'a>,
    /// Bytes handed to its connections.
    pub bytes: u64,
}

impl TargetStopped<'_> {
    /// Logs and announces.
    pub fn emit(&self, metrics: &Metrics) {
        let push = &self.push;
        info!(
            rule = %push.rule.as_str(),
            stream = %push.stream,
            url = %push.url.masked(),
            bytes = self.bytes,
            "target stopped"
        );
        push.announce(metrics, TargetChange::Stopped { bytes: self.bytes });
    }
}

/// What a CDN or the way to it said, without the target's key.
fn said(url: &TargetUrl, detail: &dyn Display) -> String {
    printable(&url.mask_echo(&detail.to_string()))
}
