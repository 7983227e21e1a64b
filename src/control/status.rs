//! The read models of what runs: what doors show, and whom they ask.

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize, Serializer};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::stream_status::StreamStatus;
pub use crate::egress::TargetState;
use crate::relay::LeftOut;
use crate::rule::{Role, RuleId, StreamKey, TargetUrl};

/// What runs in this gateway, as the doors see it. Implemented where hub and supervisor are known.
///
/// All but `preflight` answer at once and take no lock that the path of a frame holds for long.
pub trait Running: Send + Sync + 'static {
    /// Every stream that has, or just had, a publisher; in the order of their keys.
    fn streams(&self) -> Vec<StreamStatus>;

    /// One of them.
    fn stream(&self, key: &StreamKey) -> Option<StreamStatus> {
        self.streams()
            .into_iter()
            .find(|stream| stream.app == key.app && stream.name == key.name)
    }

    /// Every target of every rule and stream that the supervisor knows of, ended ones for as long as it remembers them.
    fn targets(&self) -> Vec<TargetStatus>;

    /// Ends a publisher's connection, or the wait for its return; `false` where there is no such stream.
    fn kick(&self, key: &StreamKey) -> bool;

    /// Tries a target, step by step, and says how far it came. With `publish` it goes as far as the `publish` command, which
    /// it leaves out for a URL that is being pushed. Bounded in time by whoever implements it (under 30 s).
    fn preflight(&self, url: TargetUrl, publish: bool) -> BoxFuture<'static, PreflightReport>;
}

/// One rule's push of one stream.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TargetStatus {
    /// The rule's id.
    #[schema(value_type = String)]
    pub rule: RuleId,
    /// The stream, as `app/name`.
    #[serde(serialize_with = "as_path")]
    #[schema(value_type = String, example = "live/cam")]
    pub stream: StreamKey,
    /// Where to, the key masked.
    #[schema(example = "rtmp://a.example/app/***")]
    pub url: String,
    /// Which of the rule's two URLs that is: absent where the rule has but one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// How it stands.
    pub state: TargetState,
    /// Since when it stands so.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub since: OffsetDateTime,
    /// The number of this attempt; the first is 1. 0 where none was made yet.
    pub attempt: u32,
    /// Why it is not live, or not live at its main URL, in the words of whoever refused; what it waits for; or what it is not
    /// given, since it is too slow.
    pub reason: Option<String>,
    /// Bytes sent since the push began.
    pub bytes: u64,
    /// Bits a second that go out, over the last seconds.
    pub bitrate: u64,
    /// Video frames sent since the push began.
    pub frames: u64,
    /// What was left out because the target was too slow.
    pub dropped: u64,
    /// The same by cause: absent while nothing was left out.
    #[serde(skip_serializing_if = "TargetDrops::is_none")]
    #[schema(value_type = Option<TargetDrops>)]
    pub drops: TargetDrops,
    /// The stream's timestamp repairs since the push began.
    pub repaired: u64,
    /// Frames that this target was given with a later time, so that it gets sound and pictures in order; see the rule's
    /// `strict_interleave`.
    pub late: u64,
    /// How far it is behind its stream, in milliseconds, with what the kernel still holds.
    pub lag_ms: u64,
    /// The round-trip time that the kernel measured, in milliseconds.
    pub rtt_ms: Option<f64>,
}

/// What a target was not given because it was too slow, since the push began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetDrops {
    /// Frames that no other one needs: it was behind.
    pub disposable: u64,
    /// Pictures up to a keyframe at which it had caught up: it was further behind.
    pub until_keyframe: u64,
    /// Messages of any kind that the stream's ring let go before their turn came.
    pub overtaken: u64,
}

impl TargetDrops {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl From<LeftOut> for TargetDrops {
    fn from(left_out: LeftOut) -> Self {
        Self {
            disposable: left_out.disposable,
            until_keyframe: left_out.until_keyframe,
            overtaken: left_out.overtaken,
        }
    }
}

fn as_path<S: Serializer>(key: &StreamKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(key)
}

/// How far a target could be reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreflightReport {
    /// The URL, the key masked.
    #[schema(example = "rtmps://a.example/app/***")]
    pub url: String,
    /// Whether every step that was tried succeeded.
    pub ok: bool,
    /// The steps in their order, the one that failed the last of those that were tried.
    pub steps: Vec<PreflightStep>,
}

/// One step towards a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreflightStep {
    /// Which one.
    pub step: Step,
    /// How it went.
    pub result: StepResult,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// What was found, or why it failed and what to do about it. Keys are masked.
    pub detail: String,
}

/// The steps towards a target, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The name is resolved, and its addresses are judged.
    Dns,
    /// A connection is made.
    Tcp,
    /// TLS, for `rtmps`.
    Tls,
    /// The RTMP handshake.
    Handshake,
    /// The `connect` command.
    Connect,
    /// The `publish` command.
    Publish,
}

impl Step {
    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Handshake => "handshake",
            Self::Connect => "connect",
            Self::Publish => "publish",
        }
    }
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepResult {
    /// It succeeded.
    Ok,
    /// It failed; the detail says why.
    Failed,
    /// It was left out; the detail says why.
    Skipped,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Label;

    #[test]
    fn labels_are_what_json_says() {
        for state in TargetState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
