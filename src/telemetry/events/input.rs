//! What happens to inputs that were put beside publishers.

use crate::rule::{FileUrl, Role, StreamKey};
use std::fmt::Display;
use tracing::{info, warn};

/// An input's media comes.
pub struct InputFed<'a> {
    /// The stream.
    pub stream: &'a StreamKey,
    /// Its place.
    pub role: Role,
}

impl InputFed<'_> {
    /// Logs.
    pub fn emit(&self) {
        info!(stream = %self.stream, input = self.role.as_str(), "an input is fed");
    }
}

/// An input failed: it is tried again, or given up.
pub struct InputFailed<'a> {
    /// The stream.
    pub stream: &'a StreamKey,
    /// Its place.
    pub role: Role,
    /// Why; keys are masked.
    pub reason: &'a str,
    /// Whether it is given up.
    pub is_final: bool,
}

impl InputFailed<'_> {
    /// Logs.
    pub fn emit(&self) {
        let (stream, input, reason) = (self.stream, self.role.as_str(), self.reason);
        match self.is_final {
            true => warn!(%stream, input, reason, "an input has failed"),
            false => warn!(%stream, input, reason, "an input is tried again"),
        }
    }
}

/// An input has played its files as often as it was to.
pub struct InputEnded<'a> {
    /// The stream.
    pub stream: &'a StreamKey,
    /// Its place.
    pub role: Role,
}

impl InputEnded<'_> {
    /// Logs.
    pub fn emit(&self) {
        info!(stream = %self.stream, input = self.role.as_str(), "an input has ended");
    }
}

/// Another input is on the air.
pub struct InputSwitched<'a> {
    /// The stream.
    pub stream: &'a StreamKey,
    /// The one that is.
    pub to: Role,
}

impl InputSwitched<'_> {
    /// Logs.
    pub fn emit(&self) {
        info!(stream = %self.stream, input = self.to.as_str(), "the stream is fed from this input now");
    }
}

/// A file of a list cannot be played; the next one is.
pub struct FilePassedOver<'a> {
    /// The stream.
    pub stream: &'a StreamKey,
    /// The file; shown masked.
    pub url: Option<FileUrl>,
    /// Why.
    pub why: &'a dyn Display,
}

impl FilePassedOver<'_> {
    /// Logs.
    pub fn emit(&self) {
        let url = self.url.as_ref().map(FileUrl::masked).unwrap_or_default();
        warn!(stream = %self.stream, url, reason = %self.why, "a file is passed over");
    }
}
