//! Where rules, inputs, projects and forbidden streams live while nothing runs: what a store promises, and how it fails.
//!
//! A store answers only once what it was told is on the disk. Its methods block; an async caller runs them on a thread that may
//! block. The rules and inputs of configuration and command line are never here.

mod directory;
mod file;
mod forbids;
mod inputs;
mod projects;
mod rules;
mod sqlite;

use std::path::PathBuf;

use crate::rule::{Rule, RuleId, StreamKey};

pub use directory::prepare_directory;
pub use file::FILE_NAME;
pub use inputs::InputStore;
pub use projects::ProjectStore;
pub use sqlite::SqliteStore;

/// A durable set of rules.
pub trait RuleStore: Send + Sync {
    /// All rules, in the order of their revisions.
    ///
    /// # Errors
    /// The store cannot be read, or holds something that is no rule: then it yields none at all rather than some.
    fn load(&self) -> Result<Vec<Rule>, StoreError>;

    /// Adds a rule under an id that is new.
    ///
    /// # Errors
    /// The rule is not stored.
    fn insert(&self, rule: &Rule) -> Result<(), StoreError>;

    /// Puts a rule in the place of the one with the same id; `false` where there is none.
    ///
    /// # Errors
    /// The old rule stands as it was.
    fn replace(&self, rule: &Rule) -> Result<bool, StoreError>;

    /// Removes a rule; `false` where there is none.
    ///
    /// # Errors
    /// The rule is still stored, and will be there after a restart.
    fn delete(&self, id: &RuleId) -> Result<bool, StoreError>;

    /// The highest revision that any rule ever had, removed ones included; 0 for a new store.
    ///
    /// # Errors
    /// The store cannot be read.
    fn max_revision(&self) -> Result<u64, StoreError>;
}

/// A durable set of the streams that nobody may publish.
pub trait ForbidStore: Send + Sync {
    /// All of them.
    ///
    /// # Errors
    /// The store cannot be read, or holds something that is no stream's name.
    fn forbidden(&self) -> Result<Vec<StreamKey>, StoreError>;

    /// Adds one; that it is there already is fine.
    ///
    /// # Errors
    /// It is not stored.
    fn forbid(&self, stream: &StreamKey) -> Result<(), StoreError>;

    /// Removes one; that there is none is fine.
    ///
    /// # Errors
    /// It is still stored.
    fn permit(&self, stream: &StreamKey) -> Result<(), StoreError>;
}

/// Why a store did not do as told. Nothing of a rule is in here but its id.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full. Goes away when there is space; removing a rule needs space too.
    #[error("{}: the disk is full; free some space there", .path.display())]
    Full {
        /// The store's file.
        path: PathBuf,
    },
    /// The file, or what it lies on, cannot be written.
    #[error("{}: cannot be written: it is read-only; make it writable", .path.display())]
    ReadOnly {
        /// The store's file.
        path: PathBuf,
    },
    /// What it lies on does not do as told, or the process may not make a file any longer.
    #[error("{}: {error}; look at the disk, and at the limit of file sizes (ulimit -f)", .path.display())]
    Disk {
        /// The store's file.
        path: PathBuf,
        /// SQLite's reason.
        error: rusqlite::Error,
    },
    /// Another program has held the file for longer than we wait. A retry may do.
    #[error("{}: another program keeps it locked", .path.display())]
    Busy {
        /// The store's file.
        path: PathBuf,
    },
    /// Another gateway runs on the same data directory.
    #[error("{}: another aqueduct uses this data directory", .path.display())]
    InUse {
        /// The lock's file.
        path: PathBuf,
    },
    /// The file is damaged, or no store of ours. Somebody has to look; nothing is thrown away.
    #[error("{}: the rules cannot be read: {detail}; restore the file from a copy, or move it away to start without rules", .path.display())]
    Corrupt {
        /// The store's file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A newer version of this program wrote the file.
    #[error("{}: written by a newer aqueduct (schema {found}, this one knows {known}); start the newer one", .path.display())]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// The file's schema.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// The data directory or a file in it cannot be made or opened.
    #[error("{}: {error}", .path.display())]
    Unusable {
        /// The directory or file.
        path: PathBuf,
        /// The operating system's reason.
        error: std::io::Error,
    },
    /// Anything else that SQLite says.
    #[error("{}: {error}", .path.display())]
    Other {
        /// The store's file.
        path: PathBuf,
        /// SQLite's reason.
        error: rusqlite::Error,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody mending anything but space.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Busy { .. })
    }
}
