//! Why an input is not fed, and what follows from it.

use super::limits::{ANSWER_TIMEOUT, FILE_TIMEOUT, MEDIA_TIMEOUT, REDIRECTS_MAX};
use super::status::Interruption;
use crate::flv::FlvError;
use crate::mp4::Mp4Error;
use crate::net::outbound::OutboundError;
use crate::relay::ClaimRefused;
use crate::rtmp::handshake::HandshakeError;
use crate::rtmp::session::Action;
use crate::rtmp::session::client::{ClientError, Ended, Refused};
use crate::secret::{Secret, mask_text};
use std::io;

/// Why an input is not fed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No connection.
    #[error("{0}")]
    Connect(#[from] OutboundError),
    /// No RTMP.
    #[error("handshake: {0}")]
    Handshake(#[from] HandshakeError),
    /// The server breaks the protocol.
    #[error("protocol: {0}")]
    Protocol(#[from] ClientError),
    /// The server said no.
    #[error("refused at {}: {}", .0.stage, said(&.0.code, &.0.description))]
    Refused(Refused),
    /// The server ended the stream.
    #[error("ended by the server: {}", said(&.0.code, &.0.description))]
    Ended(Ended),
    /// The connection was closed.
    #[error("the server closed the connection")]
    Closed,
    /// The connection broke.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// What came by HTTP is no HTTP.
    #[error("http: {0}")]
    Http(#[from] hyper::Error),
    /// The server's status.
    #[error("the server answers {0}")]
    Status(u16),
    /// The server sends us from one place to the next.
    #[error("more than {REDIRECTS_MAX} redirects")]
    Redirects,
    /// The server sends us to a place that is none, or out of TLS.
    #[error("a redirect to an address that cannot be followed")]
    BadRedirect,
    /// The server wants a user and a password, and there are none, or others.
    #[error("the server wants a user and a password: rtmp://USER:PASSWORD@host/app/name")]
    Credentials,
    /// No answer in time.
    #[error("no answer within {} s", ANSWER_TIMEOUT.as_secs())]
    NoAnswer,
    /// No frame in time.
    #[error("no media for {} s", MEDIA_TIMEOUT.as_secs())]
    NoMedia,
    /// No bytes of a file in time.
    #[error("no bytes for {} s", FILE_TIMEOUT.as_secs())]
    NoBytes,
    /// What comes is no FLV.
    #[error("{0}")]
    Flv(#[from] FlvError),
    /// The file is no MP4 that can be played.
    #[error("{0}")]
    Mp4(#[from] Mp4Error),
    /// A file ends before it should.
    #[error("the file is cut off")]
    CutOff,
    /// A file's parts lie so that they cannot be read without ranges.
    #[error(
        "the server gives no ranges, and the file's parts do not lie in the order in which they are played"
    )]
    NoRanges,
    /// A path that leads out of the permitted directories.
    #[error("the file is in none of the directories of ingest.file_directories")]
    Directory,
    /// A clock that jumps all the time.
    #[error("its timestamps jump all the time")]
    Erratic,
    /// The stream is somebody else's.
    #[error("{0}")]
    Claim(#[from] ClaimRefused),
    /// Another input has the place, or somebody told it to go.
    #[error("ended through the API")]
    Kicked,
    /// A fault of the gateway's own.
    #[error("a fault of the gateway's own, which its log tells of")]
    Panicked,
}

/// What follows from a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt, later.
    Backoff,
    /// Some more attempts: the server refuses, and may be right.
    Refused,
    /// None: only another source can help.
    Never,
}

impl Fault {
    /// What follows.
    pub fn next(&self) -> Next {
        match self {
            Self::Connect(error) if error.is_permanent() => Next::Never,
            Self::Refused(refused) if refused.action == Action::Permanent => Next::Refused,
            Self::Status(401 | 403 | 410 | 451) => Next::Refused,
            Self::Credentials | Self::BadRedirect | Self::Directory => Next::Never,
            _ => Next::Backoff,
        }
    }

    /// Whether it lies in a file's bytes, so that reading it again helps nothing.
    pub fn is_of_file(&self) -> bool {
        match self {
            Self::Flv(_) | Self::Mp4(_) | Self::CutOff | Self::NoRanges | Self::Directory => true,
            Self::Status(status) => (400..500).contains(status) && *status != 429,
            Self::Io(error) => matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            ),
            _ => false,
        }
    }

    /// How those who watch the stream are told.
    pub fn interruption(&self) -> Interruption {
        match self {
            Self::NoMedia | Self::NoBytes => Interruption::Stalled,
            Self::Protocol(_) | Self::Flv(_) | Self::Mp4(_) | Self::Erratic => {
                Interruption::Garbage
            }
            _ => Interruption::Lost,
        }
    }

    /// In words for an operator. A server may echo what it was shown: that is masked.
    pub fn reason(&self, shown: &[&Secret]) -> String {
        match self {
            Self::Refused(refused) => words(
                &format!("refused at {}", refused.stage),
                &refused.code,
                &refused.description,
                shown,
            ),
            Self::Ended(ended) => words(
                "ended by the server",
                &ended.code,
                &ended.description,
                shown,
            ),
            ours => ours.to_string(),
        }
    }
}

fn words(what: &str, code: &str, description: &Secret, shown: &[&Secret]) -> String {
    let code = if code.is_empty() { "no code" } else { code };
    match description.expose() {
        "" => format!("{what}: {code}"),
        said => format!("{what}: {code} ({})", mask_text(said, shown)),
    }
}

/// Without the server's sentence, which may echo a key.
fn said(code: &str, _: &Secret) -> String {
    code.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::session::Stage;

    #[test]
    fn faults_say_what_follows_from_them() {
        for (fault, next, is_of_file) in [
            (Fault::Status(404), Next::Backoff, true),
            (Fault::Status(429), Next::Backoff, false),
            (Fault::Status(503), Next::Backoff, false),
            (Fault::Status(403), Next::Refused, true),
            (Fault::Status(401), Next::Refused, true),
            (Fault::Closed, Next::Backoff, false),
            (Fault::NoMedia, Next::Backoff, false),
            (Fault::Flv(FlvError::Signature), Next::Backoff, true),
            (Fault::Mp4(Mp4Error::NoTracks), Next::Backoff, true),
            (Fault::BadRedirect, Next::Never, false),
            (Fault::Credentials, Next::Never, false),
            (Fault::Directory, Next::Never, true),
            (
                Fault::Io(io::ErrorKind::NotFound.into()),
                Next::Backoff,
                true,
            ),
            (
                Fault::Io(io::ErrorKind::ConnectionReset.into()),
                Next::Backoff,
                false,
            ),
        ] {
            assert_eq!(
                (fault.next(), fault.is_of_file()),
                (next, is_of_file),
                "{fault}"
            );
        }
        assert_eq!(Fault::NoMedia.interruption(), Interruption::Stalled);
        assert_eq!(Fault::Closed.interruption(), Interruption::Lost);
        assert_eq!(
            Fault::Flv(FlvError::Signature).interruption(),
            Interruption::Garbage
        );
    }

    #[test]
    fn what_a_server_echoes_is_masked() {
        let key = Secret::from("canary7key");
        let refused = Fault::Refused(Refused {
            stage: Stage::Play,
            code: "NetStream.Play.StreamNotFound".into(),
            description: "no stream canary7key".into(),
            action: Action::RetryBackoff,
        });
        assert_eq!(
            refused.reason(&[&key]),
            "refused at play: NetStream.Play.StreamNotFound (no stream ***)"
        );
        assert!(!refused.to_string().contains("canary7key"));
    }
}
