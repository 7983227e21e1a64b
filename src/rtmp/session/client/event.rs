//! What does a push's session tell its caller?

use std::fmt;

use thiserror::Error;

use crate::rtmp::auth::Challenge;
use crate::rtmp::limits::{COMMANDS_MAX, MESSAGES_BEFORE_PUBLISH_MAX};
use crate::rtmp::session::{Action, LinkError, Stage};
use crate::secret::{Secret, mask_url};

/// What an ingest does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// It takes our media from now on.
    Published,
    /// It does not want us. Close.
    Refused(Refused),
    /// It wants us elsewhere. Close; the caller judges the address and counts the hops.
    Redirect(Redirect),
    /// It wants to know who we are: close, and connect anew with the answer to this as [`auth_query`]. The caller counts the
    /// rounds ([`AUTH_ROUNDS_MAX`](crate::rtmp::limits::AUTH_ROUNDS_MAX)).
    ///
    /// [`auth_query`]: super::ClientConfig::auth_query
    Auth(Challenge),
    /// It ends what it had accepted, or confirms that we did.
    Ended(Ended),
    /// It says that it has received so many bytes of ours, modulo 2^32. Servers count from the handshake or from before it,
    /// and may claim anything: a number beyond what was sent means nothing.
    Acknowledged(u32),
    /// It asks us to move at a keyframe (Enhanced RTMP). It goes on taking media until then.
    ReconnectRequest {
        /// Where to; absolute or relative, and the current one where it is none.
        tc_url: Option<Secret>,
    },
}

/// A refusal in the server's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What was refused.
    pub stage: Stage,
    /// The server's code; empty where it gave none. Bounded, letters only, free of the name.
    pub code: String,
    /// The server's sentence, at most 256 characters, without anything that drives a terminal. It may echo the key, so it
    /// prints only where a caller exposes and masks it.
    pub description: Secret,
    /// What is left to do.
    pub action: Action,
}

/// An end in the server's own words; the fields are as in [`Refused`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The server's code, or the call (`close`, `onFCUnpublish`) that had none.
    pub code: String,
    /// The server's sentence.
    pub description: Secret,
}

/// Where an ingest sends us. Both hold what the server wrote and may hold a key.
#[derive(Clone, PartialEq, Eq)]
pub enum Redirect {
    /// A whole URL, the name included (SRS).
    Url(String),
    /// Another tcUrl for our name (Adobe Media Server).
    TcUrl(String),
}

impl fmt::Debug for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "Url({})", mask_url(url)),
            Self::TcUrl(url) => write!(f, "TcUrl({})", mask_url(url)),
        }
    }
}

/// Why the conversation cannot go on; another attempt, after the usual backoff, may end better.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("during {stage}: {fault}")]
pub struct ClientError {
    /// How far the push had come.
    pub stage: Stage,
    /// What is wrong.
    pub fault: Fault,
}

/// What an ingest does wrong.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Fault {
    /// The connection's own rules are broken.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The answer to createStream holds no stream number.
    #[error("the answer to createStream holds no stream number")]
    StreamNumber,
    /// Messages go on and on and no answer is among them.
    #[error(
        "more than {MESSAGES_BEFORE_PUBLISH_MAX} messages, or {COMMANDS_MAX} commands, and no answer among them"
    )]
    NoAnswer,
}
