//! What a door can ask of the rule service, and what becomes of it.

use std::sync::Arc;

use time::OffsetDateTime;

use super::book::TooMany;
use crate::rule::{AppName, Origin, Role, Rule, RuleId, StreamPattern, UrlTemplate};
use crate::store::StoreError;

/// What a door asks for.
#[derive(Clone, Debug)]
pub struct NewRule {
    /// The app; it has to be configured.
    pub app: AppName,
    /// One stream, or a pattern.
    pub stream: StreamPattern,
    /// Where to.
    pub url: UrlTemplate,
    /// What else it says.
    pub options: RuleOptions,
    /// Which door asks.
    pub origin: Origin,
}

/// What a rule may say beyond app, stream and URL. It is not known by it: the same wish with other options is the same rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleOptions {
    /// Where to while the URL fails.
    pub backup_url: Option<UrlTemplate>,
    /// Whether it is in force.
    pub enabled: bool,
    /// When it ends by itself.
    pub stop_at: Option<OffsetDateTime>,
    /// The chunk size towards its target, in bytes, within [`CHUNK_SIZES`](crate::rule::CHUNK_SIZES).
    pub chunk_size: Option<u32>,
    /// Whether sound and pictures wait for each other, so that they go out in order.
    pub strict_interleave: bool,
    /// Whether the handshake has a digest.
    pub digest_handshake: bool,
}

impl Default for RuleOptions {
    fn default() -> Self {
        Self {
            backup_url: None,
            enabled: true,
            stop_at: None,
            chunk_size: None,
            strict_interleave: false,
            digest_handshake: false,
        }
    }
}

/// What a door wants other than it is. Where nothing is said, everything stays; the inner `None` takes something away.
#[derive(Clone, Debug, Default)]
pub struct RuleChange {
    /// Where to.
    pub url: Option<UrlTemplate>,
    /// Where to while the URL fails.
    pub backup_url: Option<Option<UrlTemplate>>,
    /// Whether it is in force.
    pub enabled: Option<bool>,
    /// When it ends by itself.
    pub stop_at: Option<Option<OffsetDateTime>>,
    /// The chunk size towards its target, in bytes, within [`CHUNK_SIZES`](crate::rule::CHUNK_SIZES).
    pub chunk_size: Option<Option<u32>>,
    /// Whether sound and pictures wait for each other.
    pub strict_interleave: Option<bool>,
    /// Whether the handshake has a digest.
    pub digest_handshake: Option<bool>,
}

impl RuleChange {
    /// Another URL, and nothing else.
    pub fn to_url(url: UrlTemplate) -> Self {
        Self {
            url: Some(url),
            ..Self::default()
        }
    }

    /// The rule as it is wanted; its revision is still the old one.
    pub(super) fn applied_to(self, rule: &Rule) -> Rule {
        Rule {
            url: self.url.unwrap_or_else(|| rule.url.clone()),
            backup_url: self.backup_url.unwrap_or_else(|| rule.backup_url.clone()),
            enabled: self.enabled.unwrap_or(rule.enabled),
            stop_at: self.stop_at.unwrap_or(rule.stop_at),
            chunk_size: self.chunk_size.unwrap_or(rule.chunk_size),
            strict_interleave: self.strict_interleave.unwrap_or(rule.strict_interleave),
            digest_handshake: self.digest_handshake.unwrap_or(rule.digest_handshake),
            ..rule.clone()
        }
    }
}

/// Which revisions of a rule a caller has seen, and wants to change or delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is by now.
    Any,
    /// One of these.
    OneOf(Vec<u64>),
}

impl Expected {
    /// Whether the rule is still what the caller has seen.
    pub(super) fn check(&self, rule: &Rule) -> Result<(), Stale> {
        match self {
            Self::OneOf(revisions) if !revisions.contains(&rule.revision) => Err(Stale {
                revision: rule.revision,
            }),
            _ => Ok(()),
        }
    }
}

/// Somebody else has changed the rule since the caller saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rule has revision {revision} by now; look at it again")]
pub struct Stale {
    /// What it is now.
    pub revision: u64,
}

/// A target that may not be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct TargetRefused {
    /// Which of the rule's URLs it is.
    pub role: Role,
    /// Why.
    pub why: String,
}

/// A rule that is in force, and stored.
#[derive(Clone, Debug)]
pub struct Created {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Whether it stood there before: the same app, stream and URL byte for byte.
    pub standing: bool,
}

/// Why no rule came to be.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Nobody can publish to this app.
    #[error("there is no app \"{app}\"; the apps are: {apps}")]
    UnknownApp {
        /// The one that was asked for.
        app: AppName,
        /// Those that are configured, with commas.
        apps: String,
    },
    /// A target may not be called.
    #[error(transparent)]
    Refused(#[from] TargetRefused),
    /// There are enough.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// It would not survive a restart, so it is not in force either.
    #[error(transparent)]
    NotStored(#[from] NotStored),
}

/// The store did not take a change. Trying again later may help.
#[derive(Debug, thiserror::Error)]
pub enum NotStored {
    /// The store's own words.
    #[error("the rule is not stored: {0}")]
    Store(#[from] StoreError),
    /// The thread that writes is gone.
    #[error("the rule is not stored: the write was given up: {0}")]
    GivenUp(String),
}

/// A rule that is no longer in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Whether the store knows. If not, the store is asked again while this process runs; should the process end before it
    /// answers, the rule is back at the next start.
    pub stored: bool,
}

/// Why a rule was not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    /// There is none with this id.
    #[error("there is no rule with this id")]
    NotFound,
    /// It belongs to somebody else.
    #[error("this rule belongs to {}", owner(.0))]
    ReadOnly(Origin),
    /// It is another one by now.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// The thread that writes is gone; whether the rule is deleted is open.
    #[error("the deletion was given up: {0}")]
    GivenUp(String),
}

/// Why a rule was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is none with this id, any more.
    #[error("there is no rule with this id")]
    NotFound,
    /// It belongs to somebody else.
    #[error("this rule belongs to {}", owner(.0))]
    ReadOnly(Origin),
    /// It is another one by now.
    #[error(transparent)]
    Stale(#[from] Stale),
    /// There would be two of the same app, stream and URL.
    #[error("the rule {0} has this app, stream and url already")]
    Exists(RuleId),
    /// A new target may not be called.
    #[error(transparent)]
    Refused(#[from] TargetRefused),
    /// The rule stays in force as it was.
    #[error(transparent)]
    NotStored(#[from] NotStored),
}

fn owner(origin: &Origin) -> &'static str {
    match origin {
        Origin::Config => "the configuration file; change it there and reload",
        Origin::CommandLine => "the command line (--relay or AQUEDUCT_RELAY_URLS) of this run",
        Origin::Tencent => "a project of the Tencent door; change it there",
        Origin::Api | Origin::Zego => "another door",
    }
}
