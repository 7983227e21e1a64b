//! Why a push failed, and what follows from it.

use crate::net::dial::DialError;
use crate::net::tls::TlsError;
use crate::rtmp::handshake::HandshakeError;
use crate::rtmp::limits::{AUTH_ROUNDS_MAX, REDIRECTS_MAX};
use crate::rtmp::session::Action;
use crate::rtmp::session::client::{ClientError, Ended, Refused};
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
    #[error("{}", words("refused", .0.stage, &.0.code, .0.description.expose()))]
    Refused(Refused),
    /// The target ended what it had accepted.
    #[error("{}", words("ended by the target", "", &.0.code, .0.description.expose()))]
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
    /// The connection broke.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
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
            Self::BadRedirect
            | Self::NoCredentials
            | Self::AuthRounds
            | Self::FastCloses { .. } => Next::Never,
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

    /// In words for an operator. A target may echo its key: it is masked here.
    pub fn reason(&self, url: &TargetUrl) -> String {
        url.mask_echo(&self.to_string())
    }
}

/// `refused at publish: NetStream.Publish.BadName (Stream already publishing)`, with what there is of it.
fn words(what: &str, stage: impl std::fmt::Display, code: &str, description: &str) -> String {
    let mut words = what.to_owned();
    let stage = stage.to_string();
    if !stage.is_empty() {
        words += " at ";
        words += &stage;
    }
    words += ": ";
    words += if code.is_empty() { "no code" } else { code };
    if !description.is_empty() {
        words += " (";
        words += description;
        words += ")";
    }
    words
}
