//! What doors see of inputs, and what becomes of what they ask for.

use std::sync::Arc;

use crate::control::limits::MAX_INPUTS;
use crate::ingest::inputs::Standing;
use crate::rule::{AppName, Input, Origin, Role, SourceKind, StreamKey};
use crate::store::StoreError;

/// The inputs of one stream.
#[derive(Clone, Debug)]
pub struct StreamInputs {
    /// The stream.
    pub stream: StreamKey,
    /// Which input it is rather fed from.
    pub preferred: Role,
    /// Which one is on the air: the last one that was, while neither is; none before the first.
    pub current: Option<Role>,
    /// The main input.
    pub main: Option<InputView>,
    /// The backup.
    pub backup: Option<InputView>,
}

impl StreamInputs {
    /// The input in this place.
    pub fn at(&self, role: Role) -> Option<&InputView> {
        match role {
            Role::Main => self.main.as_ref(),
            Role::Backup => self.backup.as_ref(),
        }
    }

    /// Both, as far as they are there.
    pub fn iter(&self) -> impl Iterator<Item = &InputView> {
        self.main.iter().chain(&self.backup)
    }
}

/// One input, and how it stands.
#[derive(Clone, Debug)]
pub struct InputView {
    /// The input.
    pub input: Arc<Input>,
    /// Whether it was started.
    pub running: bool,
    /// How it stands.
    pub standing: Standing,
}

/// What became of an input that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Its place was free.
    New,
    /// Another one of the same origin was there.
    Changed,
    /// The very same was there.
    Standing,
}

/// Why an input was not put.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// Nobody can publish to this app.
    #[error("there is no app \"{app}\"; the apps are: {apps}")]
    UnknownApp {
        /// The one that was asked for.
        app: AppName,
        /// Those that are configured, with commas.
        apps: String,
    },
    /// A source that may not be called.
    #[error("{why}")]
    Refused {
        /// What the source is.
        kind: SourceKind,
        /// Why not.
        why: String,
    },
    /// A path outside the directories that are permitted.
    #[error("the file is in none of the directories of ingest.file_directories")]
    Directory,
    /// A push URL would lead nowhere.
    #[error(
        "this gateway does not know its own address; set advertise in the [rtmp] section of its configuration"
    )]
    NoAddress,
    /// The place is somebody else's.
    #[error("this input belongs to {}", owner(.0))]
    Owned(Origin),
    /// Another input, or stream, is published under the same name.
    #[error("the push name is another input's already")]
    NameTaken,
    /// There are enough.
    #[error("this gateway already has {MAX_INPUTS} inputs; remove some first")]
    TooMany,
    /// It would not survive a restart, so it is not in force either.
    #[error("the input is not stored: {0}")]
    NotStored(#[from] StoreError),
    /// The thread that writes is gone.
    #[error(transparent)]
    GivenUp(#[from] GivenUp),
}

/// The thread that writes is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the write was given up: {0}")]
pub struct GivenUp(pub(super) String);

/// Why an input was not taken away.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// There is none.
    #[error("the stream has no such input")]
    NotFound,
    /// It is somebody else's.
    #[error("this input belongs to {}", owner(.0))]
    Owned(Origin),
    /// It would be back after a restart, so it stays.
    #[error("the removal is not stored: {0}")]
    NotStored(#[from] StoreError),
    /// The thread that writes is gone.
    #[error(transparent)]
    GivenUp(#[from] GivenUp),
}

/// The stream has no inputs of this origin, which could be started or stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream has no such inputs")]
pub struct NotRun;

/// Why a stream was not switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// There is no input in this place.
    #[error("the stream has no {} input", .0.as_str())]
    NotFound(Role),
    /// It was not started.
    #[error("the {} input is not started", .0.as_str())]
    NotRunning(Role),
}

fn owner(origin: &Origin) -> &'static str {
    match origin {
        Origin::Config => "the configuration file; change it there and reload",
        Origin::CommandLine => "the command line of this run",
        Origin::Tencent => "a project of the Tencent door; change it there",
        Origin::Api => "the native door; change it there",
        Origin::Zego => "the ZEGO door; change it there",
    }
}
