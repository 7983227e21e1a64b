//! What a door can ask of the rule service, and what becomes of it.

use std::sync::Arc;

use super::book::TooMany;
use crate::rule::{AppName, Origin, Rule, StreamPattern, UrlTemplate};
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
    /// Which door asks.
    pub origin: Origin,
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
    /// The target may not be called.
    #[error("{0}")]
    Refused(String),
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
    /// The thread that writes is gone; whether the rule is deleted is open.
    #[error("the deletion was given up: {0}")]
    GivenUp(String),
}

/// Why a rule's URL was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// There is none with this id, any more.
    #[error("there is no rule with this id")]
    NotFound,
    /// It belongs to somebody else.
    #[error("this rule belongs to {}", owner(.0))]
    ReadOnly(Origin),
    /// The new target may not be called.
    #[error("{0}")]
    Refused(String),
    /// The old URL stays in force.
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
