//! The state of one relay, in the numbers of the vendor's client SDK.

use serde_json::{Value, json};

use crate::telemetry::feed::TargetChange;
use crate::telemetry::labels::Setback;

const NO_RELAY: u32 = 0;
const REQUESTING: u32 = 1;
const RELAYING: u32 = 2;

const NONE: u32 = 0;
const SERVER_ERROR: u32 = 1;
const HANDSHAKE_FAILED: u32 = 2;
const ACCESS_POINT_ERROR: u32 = 3;
const CREATE_STREAM_FAILED: u32 = 4;
const BAD_NAME: u32 = 5;
const CDN_SERVER_DISCONNECTED: u32 = 6;
const DISCONNECTED: u32 = 7;

/// State and reason after a change; none where the relay goes on as it was. `was_live` says whether this session took media.
pub(super) fn state(change: &TargetChange, was_live: bool) -> Option<(u32, u32)> {
    match change {
        TargetChange::Connecting => Some((REQUESTING, NONE)),
        TargetChange::Live => Some((RELAYING, NONE)),
        TargetChange::BackingOff { reason, detail, .. } => {
            Some((REQUESTING, update_reason(*reason, detail, was_live)))
        }
        TargetChange::Failed { reason, detail } => {
            Some((NO_RELAY, update_reason(*reason, detail, was_live)))
        }
        TargetChange::Stopped { .. } => Some((NO_RELAY, DISCONNECTED)),
        TargetChange::Recycled { .. }
        | TargetChange::Switched { .. }
        | TargetChange::Slow { .. }
        | TargetChange::CaughtUp => None,
    }
}

fn update_reason(reason: Setback, detail: &str, was_live: bool) -> u32 {
    match reason {
        Setback::BadName => BAD_NAME,
        Setback::Auth => ACCESS_POINT_ERROR,
        Setback::Rejected => rejected(detail),
        Setback::Closed | Setback::Reset | Setback::Ended | Setback::Stalled | Setback::Timeout
            if was_live =>
        {
            CDN_SERVER_DISCONNECTED
        }
        Setback::Dns
        | Setback::Refused
        | Setback::Unreachable
        | Setback::Timeout
        | Setback::Tls
        | Setback::Protocol
        | Setback::Closed
        | Setback::Reset => HANDSHAKE_FAILED,
        _ => SERVER_ERROR,
    }
}

/// The class of the reason does not say at which command the CDN refused; the words do, whatever its code.
fn rejected(detail: &str) -> u32 {
    match detail.strip_prefix("refused at ") {
        Some(command) if command.starts_with("connect") => ACCESS_POINT_ERROR,
        Some(_) => CREATE_STREAM_FAILED,
        // It took the stream and closed, again and again.
        None => CDN_SERVER_DISCONNECTED,
    }
}

/// One entry of an `info_list`. The numbers are told as text, as all of a callback.
pub(super) fn info(url: &str, (state, reason): (u32, u32), at_ms: i128) -> Value {
    json!({
        "url": url,
        "state": state.to_string(),
        "update_reason": reason.to_string(),
        "state_time": at_ms.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn outcomes_have_the_sdks_numbers() {
        let failed = |reason, detail: &str| TargetChange::Failed {
            reason,
            detail: detail.to_owned(),
        };
        let retried = |reason| TargetChange::BackingOff {
            reason,
            detail: String::new(),
            retry_in: Duration::from_secs(1),
        };
        for (change, was_live, expected) in [
            (TargetChange::Connecting, false, Some((1, 0))),
            (TargetChange::Live, false, Some((2, 0))),
            (TargetChange::Stopped { bytes: 5 }, true, Some((0, 7))),
            (retried(Setback::Dns), false, Some((1, 2))),
            (retried(Setback::Tls), false, Some((1, 2))),
            (retried(Setback::Closed), false, Some((1, 2))),
            (retried(Setback::Closed), true, Some((1, 6))),
            (retried(Setback::Stalled), true, Some((1, 6))),
            (failed(Setback::BadName, ""), false, Some((0, 5))),
            (
                failed(
                    Setback::Rejected,
                    "refused at connect: NetConnection.Connect.InvalidApp (no)",
                ),
                false,
                Some((0, 3)),
            ),
            (
                failed(
                    Setback::Rejected,
                    "refused at publish: NetStream.Publish.Denied",
                ),
                false,
                Some((0, 4)),
            ),
            (
                failed(
                    Setback::Rejected,
                    "closed 5 times within 10 s of its consent; last: closed",
                ),
                false,
                Some((0, 6)),
            ),
            (failed(Setback::Denied, ""), false, Some((0, 1))),
            (
                TargetChange::Recycled {
                    reason: Setback::Codec,
                },
                true,
                None,
            ),
        ] {
            assert_eq!(state(&change, was_live), expected, "{change:?}");
        }
    }
}
