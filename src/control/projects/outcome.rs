//! What becomes of what a caller asks for, and what happens to a project by itself.

use std::sync::Arc;

use crate::control::limits::MAX_PROJECTS;
use crate::rule::Role;
use crate::rule::project::{Output, Project, ProjectError};

/// Why something was not done with a project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectFailure {
    /// There is none with this id that the caller may see.
    #[error("there is no project with this ProjectId")]
    NotFound,
    /// It belongs to another user.
    #[error("the project belongs to another user than the Operator")]
    NotOwner,
    /// It cannot be done with this project, or not now.
    #[error(transparent)]
    Refused(#[from] ProjectError),
    /// It would have to be idle.
    #[error("the project is working; stop it first")]
    IsWorking,
    /// There are enough.
    #[error("this gateway already has {MAX_PROJECTS} projects; delete some first")]
    TooMany,
    /// None of it runs; it is idle as before.
    #[error("the project did not start: {0}")]
    NotStarted(String),
    /// It works, without some of its outputs.
    #[error("the project works, but not all of its outputs: {0}")]
    PartlyStarted(String),
    /// Everything is as it was before; of an end: it is in force, but not everywhere yet.
    #[error("it could not be carried out: {0}")]
    NotCarriedOut(String),
    /// The store did not take it. Of an end or a deletion: it is in force, and the store is asked again.
    #[error("it is not stored: {0}")]
    NotStored(String),
    /// The task that does it is gone.
    #[error("it was given up: {0}")]
    GivenUp(String),
}

/// Something that happened to a project.
#[derive(Clone, Debug)]
pub struct ProjectEvent {
    /// The project as it is by now.
    pub project: Arc<Project>,
    /// The user who did it, or the system.
    pub operator: String,
    /// What.
    pub happening: ProjectHappening,
}

/// What can happen to a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectHappening {
    /// It began to work.
    Working,
    /// It ceased to.
    Stopped,
    /// An input that was fed is not any more.
    InputInterrupted(Role),
    /// An output that was live is not any more.
    OutputInterrupted(Box<Output>),
}

/// Takes what happens; it may not wait.
pub type ProjectWatch = Arc<dyn Fn(ProjectEvent) + Send + Sync>;
