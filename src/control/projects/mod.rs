//! The project service: the only writer of projects, of their rules and of their inputs.
//!
//! What a project says is stored before it is carried out, and carried out by bringing rules and inputs to what it says, so that a
//! gateway that was killed in between does the rest at its next start. Only an end is the other way round, as with a rule's
//! deletion: it is in force at once, and a store that cannot take it is asked again until it can.

mod change;
mod inputs;
mod outcome;
mod outputs;
mod service;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;

use super::clock::Clock;
use super::inputs::{Inputs, Position};
use super::rules::Rules;
use crate::rule::project::{Project, ProjectId, ProjectLife};
use crate::rule::{AppName, Role};
use crate::store::{ProjectStore, StoreError};
use crate::telemetry::Metrics;

pub use change::{InputWish, ProjectChange, ProjectWish};
pub use outcome::{ProjectEvent, ProjectFailure, ProjectHappening, ProjectWatch};

/// Who asks for something to be done with a project.
#[derive(Clone, Debug)]
pub struct ProjectCaller {
    /// The tenant, whose projects alone it sees.
    pub app: AppName,
    /// What it says that it is part of; projects of other platforms are none to it.
    pub platform: String,
    /// The user who acts.
    pub operator: String,
}

/// What the service stands on.
pub struct ProjectParts {
    /// Where projects are kept.
    pub store: Arc<dyn ProjectStore>,
    /// The rule service, for outputs.
    pub rules: Rules,
    /// The input service.
    pub inputs: Inputs,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Whose feed says what becomes of outputs.
    pub metrics: Arc<Metrics>,
    /// Who is told what happens.
    pub watch: ProjectWatch,
}

/// The project service. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Projects(Arc<Service>);

struct Service {
    parts: ProjectParts,
    /// Changes go one after the other.
    turn: Mutex<Turn>,
    book: RwLock<BTreeMap<ProjectId, Arc<Project>>>,
}

/// What only one change at a time may touch.
#[derive(Default)]
struct Turn {
    /// The number of the newest project.
    newest: u64,
    /// Ended or deleted here, but perhaps not in the store.
    unstored: BTreeSet<ProjectId>,
}

impl Projects {
    /// Reads the stored projects. It may block for as long as the store takes. Nothing is carried out before
    /// [`resume`](Self::resume).
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(parts: ProjectParts) -> Result<Self, StoreError> {
        let stored = parts.store.load_projects()?;
        let newest = stored.iter().map(|project| project.number).max();
        let book = stored
            .into_iter()
            .map(|project| (project.id.clone(), Arc::new(project)))
            .collect();
        Ok(Self(Arc::new(Service {
            parts,
            turn: Mutex::new(Turn {
                newest: newest.unwrap_or_default(),
                ..Turn::default()
            }),
            book: RwLock::new(book),
        })))
    }

    /// The caller's projects, in the order of their ids.
    pub fn list(&self, caller: &ProjectCaller) -> Vec<Arc<Project>> {
        let book = self.0.book.read().unwrap_or_else(PoisonError::into_inner);
        let is_seen = |project: &&Arc<Project>| caller.sees(project);
        book.values().filter(is_seen).cloned().collect()
    }

    /// A project that the caller may act on.
    ///
    /// # Errors
    /// There is none, or it is another user's.
    pub fn find(
        &self,
        caller: &ProjectCaller,
        id: &ProjectId,
    ) -> Result<Arc<Project>, ProjectFailure> {
        self.0.find_for(caller, id)
    }

    /// The input that is on the air; for one that does not work, the main one, with which it will begin.
    pub fn current_input(&self, project: &Project) -> Role {
        match project.life {
            ProjectLife::Idle { .. } => Role::Main,
            ProjectLife::Working { wanted, .. } => {
                let inputs = self.0.parts.inputs.of(&project.stream());
                inputs.and_then(|inputs| inputs.current).unwrap_or(wanted)
            }
        }
    }

    /// Where an input is in its files, while they are played.
    pub fn position(&self, project: &Project, role: Role) -> Option<Position> {
        let inputs = self.0.parts.inputs.of(&project.stream())?;
        inputs.at(role)?.standing.position.clone()
    }

    /// Makes a project, idle. Answers once it is stored.
    ///
    /// # Errors
    /// See [`ProjectFailure`]. There is none then.
    pub async fn create(&self, wish: ProjectWish) -> Result<Arc<Project>, ProjectFailure> {
        self.to_its_end(|service| async move { service.create(wish).await })
            .await
    }

    /// Changes a project. Answers once it is stored and carried out.
    ///
    /// # Errors
    /// See [`ProjectFailure`]. Nothing has changed then, but for those that say otherwise.
    pub async fn change(
        &self,
        caller: ProjectCaller,
        id: ProjectId,
        change: ProjectChange,
    ) -> Result<Arc<Project>, ProjectFailure> {
        self.to_its_end(|service| async move { service.change(&caller, &id, change).await })
            .await
    }

    /// Deletes a project that does not work, with its rules.
    ///
    /// # Errors
    /// See [`ProjectFailure`].
    pub async fn delete(&self, caller: ProjectCaller, id: ProjectId) -> Result<(), ProjectFailure> {
        self.to_its_end(|service| async move { service.delete(&caller, &id).await })
            .await
    }

    /// Runs a change to its end, whatever becomes of its caller.
    async fn to_its_end<T, F>(
        &self,
        work: impl FnOnce(Arc<Service>) -> F,
    ) -> Result<T, ProjectFailure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ProjectFailure>> + Send + 'static,
    {
        let done = tokio::spawn(work(Arc::clone(&self.0))).await;
        done.map_err(|error| ProjectFailure::GivenUp(error.to_string()))?
    }
}

impl ProjectCaller {
    fn sees(&self, project: &Project) -> bool {
        project.app == self.app && project.platform == self.platform
    }
}
