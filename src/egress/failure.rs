//! Why a push failed, and what follows from it.

use crate::net::dial::DialError;
use crate::net::tls::TlsError;
use crate::relay::Recycle;
use crate::rtmp::handshake::HandshakeError;
use crate::rtmp::limits::{AUTH_ROUNDS_MAX, REDIRECTS_MAX};
use crate::rtmp::session::client::{ClientError, Ended, Refused};
use crate::rtmp::session::{Action, Stage};
use crate::rule::TargetUrl;
use crate::secret::Secret;
use std::io;
use std::time::Duration;

/// Why an attempt failed, or a push that was live ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection.
    #[error("{0}")]
    Dial(#[from] DialError),
    /// No TLS.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// No RTMP.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// The target breaks the protocol.
    #[error("protocol: {0}")]
    Protocol(#[from] ClientError),
    /// The target said no.
    #[error("{}", refused_words(.0.stage, &.0.code, .0.description.expose()))]
    Refused(Refused),
    /// The target ended what it had accepted.
    #[error("{}", ended_words(&.0.code, .0.description.expose()))]
    Ended(Ended),
    /// The target closed the connection.
    #[error("the target closed the connection {0}")]
    Closed(&'static str),
    /// The target took too long.
    #[error("no {what} within {} s", .within.as_secs())]
    TooSlow {
        /// What was waited for.
        what: &'static str,
        /// How long.
        within: Duration,
    },
    /// The target sends us from one place to the next.
    #[error("more than {REDIRECTS_MAX} redirects")]
    Redirects,
    /// The target sends us to a place that is none, or from RTMPS to RTMP.
    #[error("a redirect to an address that cannot be followed")]
    BadRedirect,
    /// The target wants a user and a password.
    #[error("the target wants a user and a password: rtmp://USER:PASSWORD@host/app/key")]
    NoCredentials,
    /// The target asks again and again.
    #[error("more than {AUTH_ROUNDS_MAX} rounds of authentication")]
    AuthRounds,
    /// Bytes wait and none is acknowledged.
    #[error("nothing was acknowledged for {} s while media waited", .0.as_secs())]
    Stalled(Duration),
    /// The target consents and then takes nothing, again and again.
    #[error("too slow for the stream: stalled {times} times within {} min; last: {last}", .within.as_secs() / 60)]
    Stalls {
        /// How often.
        times: usize,
        /// Within how long.
        within: Duration,
        /// The last stall, in words.
        last: String,
    },
    /// We have ended the session, since what follows needs another one.
    #[error("{}", recycled_words(.0))]
    Recycled(Recycle),
    /// The connection broke.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// A fault of the gateway's own.
    #[error("a fault of the gateway's own, which its log tells of")]
    Panicked,
    /// The target consents and closes, again and again, as CDNs do with a wrong key or with media that they do not take.
    #[error("closed {times} times within {} s of its consent; last: {last}", .within.as_secs())]
    FastCloses {
        /// How often.
        times: u32,
        /// What counts as fast.
        within: Duration,
        /// The last failure, in words.
        last: String,
    },
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt at once.
    Now,
    /// Another attempt, later.
    Backoff,
    /// Another attempt once the target has forgotten our last session.
    Busy,
    /// None: only a change of the rule can help.
    Never,
}

impl Failure {
    /// What follows.
    pub fn next(&self) -> Next {
        match self {
            Self::Dial(error) if error.is_permanent() => Next::Never,
            Self::Tls(error) if error.is_permanent() => Next::Never,
            Self::Refused(refused) => match refused.action {
                Action::RetryBackoff => Next::Backoff,
                Action::RetryBusy => Next::Busy,
                Action::Permanent => Next::Never,
            },
            Self::Recycled(_) => Next::Now,
            Self::BadRedirect
            | Self::NoCredentials
            | Self::AuthRounds
            | Self::FastCloses { .. }
            | Self::Stalls { .. } => Next::Never,
            _ => Next::Backoff,
        }
    }

    /// The same failure, without what the target has echoed of the key that it was shown: after a redirect that is not the rule's.
    pub(super) fn masked(self, shown: &TargetUrl) -> Self {
        let masked = |said: Secret| Secret::new(shown.mask_echo(said.expose()));
        match self {
            Self::Refused(refused) => Self::Refused(Refused {
                description: masked(refused.description),
                ..refused
            }),
            Self::Ended(ended) => Self::Ended(Ended {
                description: masked(ended.description),
                ..ended
            }),
            other => other,
        }
    }

    /// In words for an operator. A target may echo its key: it is masked in what the target said, and our own words stay whole,
    /// however short the key is.
    pub fn reason(&self, url: &TargetUrl) -> String {
        let masked = |said: &Secret| url.mask_echo(said.expose());
        match self {
            Self::Refused(refused) => {
                refused_words(refused.stage, &refused.code, &masked(&refused.description))
            }
            Self::Ended(ended) => ended_words(&ended.code, &masked(&ended.description)),
            ours => ours.to_string(),
        }
    }
}

fn recycled_words(why: &Recycle) -> &'static str {
    match why {
        Recycle::Codec => "the stream has another codec, which needs a new session",
        Recycle::Clock => "the session's clock nears its end, so another one begins",
    }
}

fn refused_words(stage: Stage, code: &str, description: &str) -> String {
    words(&format!("refused at {stage}"), code, description)
}

fn ended_words(code: &str, description: &str) -> String {
    words("ended by the target", code, description)
}

/// `refused at publish: NetStream.Publish.BadName (Stream already publishing)`, with what there is of it.
fn words(what: &str, code: &str, description: &str) -> String {
    let code = if code.is_empty() { "no code" } else { code };
    match description {
        "" => format!("{what}: {code}"),
        description => format!("{what}: {code} ({description})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_target_said_is_masked_and_our_own_words_are_not() {
        let url = TargetUrl::parse("rtmp://host/app/live").unwrap();
        let closed = Failure::Closed("while it was live");
        assert_eq!(
            closed.reason(&url),
            "the target closed the connection while it was live"
        );
        let refused = Failure::Refused(Refused {
            stage: Stage::Publish,
            code: "NetStream.Publish.Denied".into(),
            description: "live is not a key".into(),
            action: Action::Permanent,
        });
        assert_eq!(
            refused.reason(&url),
            "refused at publish: NetStream.Publish.Denied (*** is not a key)"
        );
        let ended = Failure::Ended(Ended {
            code: "close".into(),
            description: "".into(),
        });
        assert_eq!(ended.reason(&url), "ended by the target: close");
    }
}
