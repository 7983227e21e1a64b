//! How a publisher's connection ends: what the log, the metrics and the publisher itself are told.

use super::admission::Refused;
use super::inputs::Fault;
use crate::relay::ClaimRefused;
use crate::rtmp::handshake::HandshakeError;
use crate::rtmp::limits::{IDLE_TIMEOUT, MEDIA_TIMEOUT};
use crate::rtmp::session::server::{Refusal, ServerError};
use crate::rule::PushRefused;
use std::borrow::Cow;
use std::io;
use std::time::Duration;

/// Why a connection ended before it published.
#[derive(Debug, thiserror::Error)]
pub enum NotPublished {
    /// It closed without having said what it wanted: a port scan, or a load balancer's probe.
    #[error("it closed before it had asked to publish")]
    Closed,
    /// It took too long.
    #[error("no {0} within {1:?}")]
    TooSlow(&'static str, Duration),
    /// Not RTMP, or none that can be served.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// It broke the protocol.
    #[error("protocol: {0}")]
    Protocol(#[from] ServerError),
    /// It may not publish.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// The stream is taken.
    #[error("{0}")]
    Claim(#[from] ClaimRefused),
    /// It came with an input's push URL that is not right, or not any more.
    #[error("{0}")]
    Push(#[from] PushRefused),
    /// The gateway is about to end.
    #[error("the gateway is shutting down")]
    ShuttingDown,
    /// The connection broke, or TLS refused it.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
}

impl NotPublished {
    /// What the publisher is told. It learns nothing about what exists here.
    pub(super) fn answer(&self) -> (Refusal, Cow<'static, str>) {
        let (refusal, words) = match self {
            Self::Refused(Refused::Hook(reason)) if !reason.is_empty() => {
                return (Refusal::Denied, reason.clone().into());
            }
            Self::Refused(Refused::Hook(_)) => (
                Refusal::Denied,
                "The app's owner does not let this publisher in.",
            ),
            Self::Refused(Refused::HookDown(_)) => (
                Refusal::Rejected,
                "Who decides about publishers gives no answer at the moment; come again later.",
            ),
            Self::Refused(Refused::Expired) => (
                Refusal::Denied,
                "The signed publish URL has expired; ask for another one.",
            ),
            Self::Claim(ClaimRefused::Busy) => (
                Refusal::Busy,
                "The stream already has a publisher that may not be replaced.",
            ),
            Self::Claim(ClaimRefused::Awaited) => (
                Refusal::Busy,
                "The stream waits for the publisher that it had: show the same key, or where there is none come from the same address, or later.",
            ),
            Self::Claim(ClaimRefused::Forbidden) => (
                Refusal::Rejected,
                "Publishing this stream is forbidden at the moment.",
            ),
            Self::Claim(ClaimRefused::Kicked) => (
                Refusal::Rejected,
                "The stream's publisher was sent away a short while ago; come again later.",
            ),
            Self::Claim(ClaimRefused::Full) => {
                (Refusal::Rejected, "The gateway takes no more streams.")
            }
            Self::Push(PushRefused::Expired) => (
                Refusal::Denied,
                "The push URL has expired: ask for another one.",
            ),
            Self::Refused(Refused::BadName) => (
                Refusal::Rejected,
                "The stream name is empty, too long, or has characters that it may not have.",
            ),
            _ => (
                Refusal::Denied,
                "The app or the publish key is not known here. The stream key is NAME?key=PUBLISH_KEY.",
            ),
        };
        (refusal, words.into())
    }
}

impl Ended {
    /// Whether the publisher may be on its way back: nobody has ended the publish.
    pub fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::Closed | Self::Idle | Self::NoMedia | Self::Io(_) | Self::Fetched(_)
        )
    }
}

/// Why a publish ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The publisher said so.
    #[error("the publisher ended it")]
    Unpublished,
    /// Another publisher took over.
    #[error("another publisher took the stream over")]
    TakenOver,
    /// An operator ended it.
    #[error("ended through the API")]
    Kicked,
    /// The gateway is about to end.
    #[error("the gateway is shutting down")]
    ShuttingDown,
    /// The connection closed without a word.
    #[error("the connection was closed without an unpublish")]
    Closed,
    /// Nothing came any more.
    #[error("nothing came for {IDLE_TIMEOUT:?}")]
    Idle,
    /// Bytes came, and no media.
    #[error("no media came for {MEDIA_TIMEOUT:?}")]
    NoMedia,
    /// More messages than any encoder sends.
    #[error("more messages than an encoder sends")]
    Flood,
    /// Its clock jumps all the time.
    #[error("its timestamps jumped more than ten times in a minute")]
    Erratic,
    /// It does not read our answers.
    #[error("it does not read what it is sent")]
    Deaf,
    /// It broke the protocol.
    #[error("protocol: {0}")]
    Protocol(#[from] ServerError),
    /// The connection broke.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// What the gateway fetched or played has failed.
    #[error("{0}")]
    Fetched(Fault),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_wished_for_is_a_loss() {
        let broken = io::Error::from(io::ErrorKind::ConnectionReset);
        for ended in [
            Ended::Closed,
            Ended::Idle,
            Ended::NoMedia,
            Ended::Io(broken),
        ] {
            assert!(ended.is_loss(), "{ended}");
        }
        for ended in [
            Ended::Unpublished,
            Ended::TakenOver,
            Ended::Kicked,
            Ended::ShuttingDown,
            Ended::Flood,
            Ended::Erratic,
            Ended::Deaf,
        ] {
            assert!(!ended.is_loss(), "{ended}");
        }
    }

    #[test]
    fn a_hook_s_reason_is_what_the_publisher_is_told() {
        let told = |refused: Refused| NotPublished::from(refused).answer().1.into_owned();
        assert_eq!(
            told(Refused::Hook("your show is over".into())),
            "your show is over"
        );
        assert!(!told(Refused::Hook(String::new())).is_empty());
        let down = told(Refused::HookDown("hooks.example does not resolve".into()));
        assert!(
            !down.contains("hooks.example"),
            "that is for the log: {down}"
        );
    }
}
