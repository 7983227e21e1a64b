//! `[zego]`: what holds for the ZEGO door of all apps, and the keys of an app that are its alone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `[zego]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZegoConfig {
    /// The only hosts under which the door answers; empty for all under which the gateway does.
    pub hosts: Vec<String>,
    /// Whether a `StreamId` may have letters, digits, `-` and `_` only.
    pub strict_stream_ids: bool,
    /// Whether a signature counts once.
    pub refuse_replays: bool,
    /// How long a stream that has ended is told from one that never was, in seconds.
    pub closed_stream_seconds: u64,
    /// Whether a forbidden stream still is after a restart.
    pub durable_forbids: bool,
    /// After how long a rule of this door is deleted if its stream never appears, in seconds; 0 for never.
    pub unused_rule_seconds: u64,
}

impl ZegoConfig {
    /// [`closed_stream_seconds`](Self::closed_stream_seconds) as a duration.
    pub fn closed_stream_time(&self) -> Duration {
        Duration::from_secs(self.closed_stream_seconds)
    }

    /// [`unused_rule_seconds`](Self::unused_rule_seconds) as a duration; none where rules wait for ever.
    pub fn unused_rule_time(&self) -> Option<Duration> {
        (self.unused_rule_seconds > 0).then(|| Duration::from_secs(self.unused_rule_seconds))
    }
}

impl Default for ZegoConfig {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            strict_stream_ids: false,
            refuse_replays: false,
            closed_stream_seconds: 86_400,
            durable_forbids: true,
            unused_rule_seconds: 0,
        }
    }
}

/// An environment of the ZEGO door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Calls without `IsTest`, or with `IsTest=false`.
    Production,
    /// Calls with `IsTest=true`; their streams begin with `zegotest-<AppId>-`.
    Test,
}

impl Environment {
    /// Both.
    pub(super) fn all() -> Vec<Self> {
        vec![Self::Production, Self::Test]
    }
}
