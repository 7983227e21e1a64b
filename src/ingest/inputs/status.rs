//! How an input stands, and what happens to it: what doors show and tell.

use crate::rule::{FileUrl, Role, StreamKey};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// How an input stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = InputState)]
pub enum InputState {
    /// Nobody has published to its push URL yet, or the publisher is gone.
    Waiting,
    /// It is being connected to, or connected and has sent no media yet.
    Connecting,
    /// It is on the air.
    Live,
    /// Its media comes, and the other input is on the air.
    Standby,
    /// It failed, and is tried again.
    BackingOff,
    /// It has played its files as often as it was to.
    Ended,
    /// It failed for good: only another source can help.
    Failed,
    /// It was not started, or was stopped.
    Stopped,
}

impl InputState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Connecting,
        Self::Live,
        Self::Standby,
        Self::BackingOff,
        Self::Ended,
        Self::Failed,
        Self::Stopped,
    ];

    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Standby => "standby",
            Self::BackingOff => "backing_off",
            Self::Ended => "ended",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// Whether its media comes.
    pub fn is_fed(self) -> bool {
        matches!(self, Self::Live | Self::Standby)
    }
}

/// How an input stands, and what can be counted of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// How it stands.
    pub state: InputState,
    /// Since when.
    pub since: OffsetDateTime,
    /// The number of this attempt; the first is 1. 0 where none was made yet.
    pub attempt: u32,
    /// Why it is not fed, in words for an operator; keys are masked.
    pub reason: Option<String>,
    /// Bytes of media that came since it was started.
    pub bytes: u64,
    /// Where it is in its files.
    pub position: Option<Position>,
}

impl Standing {
    /// That of an input that does not run.
    pub fn stopped(since: OffsetDateTime) -> Self {
        Self {
            state: InputState::Stopped,
            since,
            attempt: 0,
            reason: None,
            bytes: 0,
            position: None,
        }
    }
}

/// Where an input is in its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file's place in the list, from 0.
    pub index: usize,
    /// The file.
    pub url: FileUrl,
    /// How far it has been played.
    pub offset: Duration,
}

/// Something that happened to a stream's inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputNotice {
    /// The stream.
    pub stream: StreamKey,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Another input is on the air, from its keyframe on; or the first one is.
    Current {
        /// Which.
        role: Role,
    },
    /// An input's media has come, after it had not.
    Fed {
        /// Which.
        role: Role,
    },
    /// An input's media came, and does not come any more.
    Interrupted {
        /// Which.
        role: Role,
        /// Why.
        why: Interruption,
    },
    /// An input has played its files as often as it was to.
    Ended {
        /// Which.
        role: Role,
    },
    /// An input failed for good.
    Failed {
        /// Which.
        role: Role,
    },
    /// Nothing is left that could feed the stream: every input that was started has ended or failed for good.
    AllEnded,
}

/// Why an input's media does not come any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// It ended, or its connection was lost.
    Lost,
    /// Its connection stands, and nothing comes.
    Stalled,
    /// What comes is no media.
    Garbage,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_what_json_says() {
        for state in InputState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
