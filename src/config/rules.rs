//! From what is configured to rules.

use time::OffsetDateTime;

use super::Config;
use super::sections::RuleConfig;
use crate::rule::{AppName, Origin, Rule, RuleId, StreamPattern, UrlTemplate};

impl Config {
    /// The rules of the file. The same rule has the same id at every start and reload.
    pub fn relay_rules(&self, now: OffsetDateTime) -> Vec<Rule> {
        self.rules.iter().map(|rule| rule.to_rule(now)).collect()
    }
}

impl RuleConfig {
    pub(super) fn id(&self) -> RuleId {
        RuleId::derived(Origin::Config, &self.app, &self.stream, &self.url)
    }

    fn to_rule(&self, now: OffsetDateTime) -> Rule {
        Rule {
            id: self.id(),
            app: self.app.clone(),
            stream: self.stream.clone(),
            url: self.url.clone(),
            backup_url: self.backup_url.clone(),
            enabled: self.enabled,
            origin: Origin::Config,
            created_at: now,
            revision: 0,
            stop_at: self.stop_at,
            chunk_size: self.chunk_size,
            strict_interleave: self.strict_interleave,
            digest_handshake: self.digest_handshake,
        }
    }
}

/// The rule that `--relay URL` means: every stream of the app `live`, for this run.
pub fn rule_from_command_line(url: UrlTemplate, now: OffsetDateTime) -> Rule {
    let (app, stream) = (AppName::live(), StreamPattern::every());
    Rule {
        id: RuleId::derived(Origin::CommandLine, &app, &stream, &url),
        app,
        stream,
        url,
        backup_url: None,
        enabled: true,
        origin: Origin::CommandLine,
        created_at: now,
        revision: 0,
        stop_at: None,
        chunk_size: None,
        strict_interleave: false,
        digest_handshake: false,
    }
}
