//! Admission: may this publisher publish, and as which stream?

use super::outcome::NotPublished;
use crate::relay::Credential;
use crate::rule::{PushRefused, StreamKey};
use crate::secret::Secret;
use futures::future::BoxFuture;
use std::net::SocketAddr;

/// What a publisher asks for, as it came from the wire.
#[derive(Clone, Copy, Debug)]
pub struct PublishAttempt<'a> {
    /// The app, without query.
    pub app: &'a str,
    /// The stream's name, its query included.
    pub name: &'a Secret,
    /// The query of the app or of the tcUrl; some encoders put the key there.
    pub query: &'a Secret,
    /// Where it comes from.
    pub peer: SocketAddr,
}

/// What is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may publish this stream.
    Allowed {
        /// The stream.
        key: StreamKey,
        /// What it showed; who shows the same may take the stream over.
        credential: Credential,
    },
    /// It may not.
    Refused(Refused),
}

/// Why a publisher may not publish. It is told the same of an unknown app as of a wrong key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such app.
    #[error("there is no such app")]
    UnknownApp,
    /// A missing or wrong key.
    #[error("the publish key is missing or wrong")]
    WrongKey,
    /// Its address has shown too many wrong keys.
    #[error(
        "too many wrong publish keys came from this address; it is heard again within a minute"
    )]
    TooOften,
    /// A signed URL that was good.
    #[error("the signed URL has expired")]
    Expired,
    /// The app's publish hook says no.
    #[error("the publish hook refuses it: {0}")]
    Hook(String),
    /// The app's publish hook says nothing.
    #[error("the publish hook gives no answer: {0}")]
    HookDown(String),
    /// The name cannot be a stream's.
    #[error(
        "the stream name is empty, too long, or has characters that a stream name may not have"
    )]
    BadName,
}

/// Decides who may publish. Asked before anything is relayed.
pub trait Admission: Send + Sync {
    /// Judges one attempt.
    fn judge<'a>(&'a self, attempt: PublishAttempt<'a>) -> BoxFuture<'a, Verdict>;

    /// Has the last word on whoever comes with a push URL, whose token was found right or not: an address may have guessed too often.
    ///
    /// # Errors
    /// It may not publish.
    fn judge_push(
        &self,
        _peer: SocketAddr,
        found: Result<(), PushRefused>,
    ) -> Result<(), NotPublished> {
        Ok(found?)
    }
}
