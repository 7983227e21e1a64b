//! What happens to rules, their store, the configuration, and the program itself.

use std::fmt::Display;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info};

use crate::rule::{Rule, UrlTemplate};
use crate::secret::printable;
use crate::telemetry::feed::{RuleChange, What};
use crate::telemetry::labels::{Label, StoreOperation};
use crate::telemetry::metrics::Metrics;

/// A rule was made, through a door or by a reload of the configuration.
pub struct RuleCreated<'a> {
    /// The rule.
    pub rule: &'a Arc<Rule>,
}

impl RuleCreated<'_> {
    /// Logs and announces.
    pub fn emit(&self, metrics: &Metrics) {
        let rule = self.rule;
        info!(
            rule = %rule.id.as_str(),
            app = %rule.app,
            pattern = %printable(rule.stream.as_str()),
            url = %rule.url.masked(),
            backup_url = rule.backup_url.as_ref().map(UrlTemplate::masked),
            origin = %rule.origin,
            "rule created"
        );
        announce(metrics, rule, RuleChange::Created);
    }
}

/// A rule was changed, through a door or by a reload of the configuration.
pub struct RuleChanged<'a> {
    /// The rule as it is now.
    pub rule: &'a Arc<Rule>,
}

impl RuleChanged<'_> {
    /// Logs and announces.
    pub fn emit(&self, metrics: &Metrics) {
        let rule = self.rule;
        info!(
            rule = %rule.id.as_str(),
            app = %rule.app,
            pattern = %printable(rule.stream.as_str()),
            url = %rule.url.masked(),
            backup_url = rule.backup_url.as_ref().map(UrlTemplate::masked),
            enabled = rule.enabled,
            stop_at = rule.stop_at.map(tracing::field::display),
            chunk_size = rule.chunk_size,
            strict_interleave = rule.strict_interleave,
            digest_handshake = rule.digest_handshake,
            revision = rule.revision,
            "rule changed"
        );
        announce(metrics, rule, RuleChange::Changed);
    }
}

/// A rule was deleted, through a door or by a reload of the configuration.
pub struct RuleDeleted<'a> {
    /// The rule.
    pub rule: &'a Arc<Rule>,
    /// Whether the store knows of it; if not, the rule returns with the next start.
    pub stored: bool,
}

impl RuleDeleted<'_> {
    /// Logs and announces.
    pub fn emit(&self, metrics: &Metrics) {
        let rule = self.rule;
        info!(
            rule = %rule.id.as_str(),
            app = %rule.app,
            pattern = %printable(rule.stream.as_str()),
            url = %rule.url.masked(),
            origin = %rule.origin,
            stored = self.stored,
            "rule deleted"
        );
        announce(metrics, rule, RuleChange::Deleted);
    }
}

fn announce(metrics: &Metrics, rule: &Arc<Rule>, change: RuleChange) {
    let rule = Arc::clone(rule);
    metrics.feed.announce(What::Rule { rule, change });
}

/// The rules' store failed at something.
pub struct StoreTrouble<'a> {
    /// What was wanted of it.
    pub operation: StoreOperation,
    /// What it said.
    pub error: &'a dyn Display,
}

impl StoreTrouble<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.store_errors.add(self.operation, 1);
        error!(
            operation = self.operation.as_str(),
            error = %self.error,
            "the rules' store is in trouble"
        );
    }
}

/// The configuration was read again.
pub struct ConfigReloaded<'a> {
    /// Why it was refused, where it was.
    pub refused: Option<&'a dyn Display>,
}

impl ConfigReloaded<'_> {
    /// Logs and sets the gauges.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.configured(self.refused.is_none());
        match self.refused {
            None => info!("configuration reloaded"),
            Some(error) => error!(%error, "configuration refused; the one before goes on"),
        }
    }
}

/// The supervisor has panicked, which was told as such.
pub struct RulesWait {
    /// When it tries again.
    pub rest: Duration,
}

impl RulesWait {
    /// Logs.
    pub fn emit(&self, _metrics: &Metrics) {
        error!(
            retry_ms = self.rest.as_millis() as u64,
            "a fault of the gateway's own: changes of rules and streams wait, and running pushes go on"
        );
    }
}

/// A task of ours panicked: a fault of the program's, which ends what the task was for.
pub struct Panicked<'a> {
    /// Where in the source.
    pub place: Option<&'a Location<'a>>,
    /// The message, where it can hold nothing of a peer's or a user's.
    pub message: Option<&'a str>,
    /// The thread's name.
    pub thread: Option<&'a str>,
}

impl Panicked<'_> {
    /// Logs and counts.
    pub fn emit(&self, metrics: &Metrics) {
        metrics.panics.increment(1);
        error!(
            place = self.place.map(tracing::field::display),
            message = self.message,
            thread = self.thread,
            "a task has panicked; please report it with this line"
        );
    }
}
