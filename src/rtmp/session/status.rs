//! What does a status code of an ingest mean for the push?

use std::fmt;

/// How far a push had come when something happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Until the answer to `connect`.
    Connect,
    /// Until the answer to `createStream`.
    CreateStream,
    /// Until the answer to `publish`.
    Publish,
    /// Until the first media of what was asked for with `play`.
    Play,
    /// From Publish.Start, or the first media, on.
    Live,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::CreateStream => "createStream",
            Self::Publish => "publish",
            Self::Play => "play",
            Self::Live => "live",
        })
    }
}

/// What a refusal leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Try again with the usual backoff.
    RetryBackoff,
    /// The name is in use, mostly by our own last connection that the server has not given up yet: try again after 5 to
    /// 30 s, for two minutes or so, then take it for permanent.
    RetryBusy,
    /// No retry mends it: the name, the key or the app has to change.
    Permanent,
}

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The server takes our media.
    Started,
    /// The server does not want us.
    Refused(Action),
    /// The server ends what it had accepted.
    Ended,
    /// The server asks us to come back elsewhere (Enhanced RTMP).
    Reconnect,
    /// Nothing that changes what we do.
    Nothing,
}

/// The meaning of a status code that came with a level (`status`, `warning`, `error`; `_error` counts as `error`).
///
/// A code that is not in the table refuses where its level is `error`, and then a retry may help: nobody told us that it
/// does not.
pub fn meaning(stage: Stage, level: &str, code: &str) -> Meaning {
    let is_error = matches!(level, "error" | "_error");
    match code {
        "NetStream.Publish.Start" if !is_error => Meaning::Started,
        "NetStream.Publish.BadName" => Meaning::Refused(Action::RetryBusy),
        // BadAuth is ZLMediaKit's.
        "NetStream.Publish.Denied" | "NetStream.Publish.BadAuth" | "NetStream.Publish.Rejected" => {
            Meaning::Refused(Action::Permanent)
        }
        // Before the start it is a policy; a server that had accepted this very key and fails later has trouble of its own.
        "NetStream.Failed" if stage == Stage::Live => Meaning::Refused(Action::RetryBackoff),
        "NetStream.Failed" => Meaning::Refused(Action::Permanent),
        "NetConnection.Connect.Rejected" | "NetConnection.Connect.InvalidApp" => {
            Meaning::Refused(Action::Permanent)
        }
        "NetConnection.Connect.Failed" | "NetConnection.Connect.AppShutdown" => {
            Meaning::Refused(Action::RetryBackoff)
        }
        "NetConnection.Connect.Closed" | "NetStream.Unpublish.Success" => Meaning::Ended,
        "NetConnection.Connect.ReconnectRequest" => Meaning::Reconnect,
        _ if is_error => Meaning::Refused(Action::RetryBackoff),
        _ => Meaning::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_codes() {
        use Action::*;
        use Meaning::*;
        use Stage::*;
        let table = [
            (Publish, "status", "NetStream.Publish.Start", Started),
            (Publish, "", "NetStream.Publish.Start", Started),
            (
                Publish,
                "error",
                "NetStream.Publish.Start",
                Refused(RetryBackoff),
            ),
            (
                Publish,
                "error",
                "NetStream.Publish.BadName",
                Refused(RetryBusy),
            ),
            (
                Publish,
                "_error",
                "NetStream.Publish.BadName",
                Refused(RetryBusy),
            ),
            (
                Publish,
                "status",
                "NetStream.Publish.BadName",
                Refused(RetryBusy),
            ),
            (
                Publish,
                "error",
                "NetStream.Publish.Denied",
                Refused(Permanent),
            ),
            (
                Publish,
                "error",
                "NetStream.Publish.BadAuth",
                Refused(Permanent),
            ),
            (
                Live,
                "error",
                "NetStream.Publish.Rejected",
                Refused(Permanent),
            ),
            (Publish, "error", "NetStream.Failed", Refused(Permanent)),
            (Live, "error", "NetStream.Failed", Refused(RetryBackoff)),
            (
                Connect,
                "error",
                "NetConnection.Connect.Rejected",
                Refused(Permanent),
            ),
            (
                Connect,
                "error",
                "NetConnection.Connect.InvalidApp",
                Refused(Permanent),
            ),
            (
                Connect,
                "error",
                "NetConnection.Connect.Failed",
                Refused(RetryBackoff),
            ),
            (
                Live,
                "error",
                "NetConnection.Connect.AppShutdown",
                Refused(RetryBackoff),
            ),
            (Connect, "status", "NetConnection.Connect.Success", Nothing),
            (Live, "status", "NetConnection.Connect.Closed", Ended),
            (Live, "error", "NetConnection.Connect.Closed", Ended),
            (Live, "status", "NetStream.Unpublish.Success", Ended),
            (
                Live,
                "status",
                "NetConnection.Connect.ReconnectRequest",
                Reconnect,
            ),
            (Live, "error", "Some.Thing.Else", Refused(RetryBackoff)),
            (CreateStream, "error", "", Refused(RetryBackoff)),
            (Live, "status", "Some.Thing.Else", Nothing),
            (Live, "warning", "Some.Thing.Else", Nothing),
            (Live, "status", "NetStream.Publish.Idle", Nothing),
            (Live, "", "", Nothing),
        ];
        for (stage, level, code, expected) in table {
            assert_eq!(
                meaning(stage, level, code),
                expected,
                "{stage} {level} {code}"
            );
        }
    }
}
