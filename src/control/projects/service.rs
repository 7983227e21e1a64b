//! One change of a project after the other: stored, put in the book, carried out.

use std::sync::{Arc, PoisonError};

use time::OffsetDateTime;
use tokio::sync::MutexGuard;

use super::{
    InputWish, ProjectCaller, ProjectChange, ProjectEvent, ProjectFailure, ProjectHappening,
    ProjectWish, Service, Turn, inputs, outputs,
};
use crate::control::limits::MAX_PROJECTS;
use crate::rule::project::{Project, ProjectDraft, ProjectError, ProjectId, SYSTEM_OPERATOR};
use crate::rule::{Role, UrlTemplate};
use crate::store::StoreError;

impl Service {
    pub(super) async fn create(&self, wish: ProjectWish) -> Result<Arc<Project>, ProjectFailure> {
        let mut turn = self.turn.lock().await;
        if self.count() >= MAX_PROJECTS {
            return Err(ProjectFailure::TooMany);
        }
        let now = self.parts.clock.now();
        let id = self.new_id()?;
        let input = |wish: Option<InputWish>, role| {
            wish.map(|wish| wish.granted(&id, role, now)).transpose()
        };
        let draft = ProjectDraft {
            main: input(wish.main, Role::Main)?,
            backup: input(wish.backup, Role::Backup)?,
            app: wish.app,
            platform: wish.platform,
            name: wish.name,
            owner: wish.owner,
            outputs: wish.outputs,
        };
        let project = Project::new(id, turn.newest + 1, draft, now)?;
        self.judge(None, &project)?;
        self.store(&project).await?;
        turn.newest += 1;
        let project = self.put(project);
        match self.carry_out(&project).await.failure() {
            None => Ok(project),
            Some(failure) => {
                self.forget(&mut turn, &project).await?;
                Err(failure)
            }
        }
    }

    pub(super) async fn change(
        &self,
        caller: &ProjectCaller,
        id: &ProjectId,
        change: ProjectChange,
    ) -> Result<Arc<Project>, ProjectFailure> {
        let mut turn = self.turn.lock().await;
        let now = self.parts.clock.now();
        let old = self.find_for(caller, id)?;
        let old = match old.is_over(now) {
            true => self.end(&mut turn, &old, now, SYSTEM_OPERATOR).await.0,
            false => old,
        };
        match change {
            ProjectChange::Start => self.start(&mut turn, &old, now, &caller.operator).await,
            ProjectChange::Stop => {
                let (project, stored) = self.end(&mut turn, &old, now, &caller.operator).await;
                stored.map(|()| project)
            }
            change => self.amend(&mut turn, &old, change, now).await,
        }
    }

    /// Any change but a start and an end.
    async fn amend(
        &self,
        turn: &mut Turn,
        old: &Arc<Project>,
        change: ProjectChange,
        now: OffsetDateTime,
    ) -> Result<Arc<Project>, ProjectFailure> {
        let wanted = match &change {
            ProjectChange::SwitchInput(role) => Some(*role),
            _ => None,
        };
        let mut new = Project::clone(old);
        change.apply(&mut new, now)?;
        if new == **old {
            // Wanted already; but what is wanted may not be on the air since it was lost.
            self.switch(old, wanted).await?;
            return Ok(Arc::clone(old));
        }
        self.judge(Some(old), &new)?;
        new.updated_at = now;
        self.store(&new).await?;
        let new = self.put(new);
        match self.carry_out(&new).await.failure() {
            None => {
                self.switch(&new, wanted).await?;
                Ok(new)
            }
            Some(failure) => {
                self.go_back(turn, old).await;
                Err(failure)
            }
        }
    }

    /// Puts the wanted input on the air, at its next keyframe.
    async fn switch(&self, project: &Project, wanted: Option<Role>) -> Result<(), ProjectFailure> {
        let Some(role) = wanted else {
            return Ok(());
        };
        let switched = self.parts.inputs.switch(&project.stream(), role).await;
        switched.map_err(|why| ProjectError::Input(why.to_string()).into())
    }

    async fn start(
        &self,
        turn: &mut Turn,
        old: &Arc<Project>,
        now: OffsetDateTime,
        operator: &str,
    ) -> Result<Arc<Project>, ProjectFailure> {
        let mut new = Project::clone(old);
        new.start(now)?;
        new.updated_at = now;
        self.store(&new).await?;
        let new = self.put(new);
        let missed = self.carry_out(&new).await;
        if missed.input.is_some() || missed.outputs.len() >= new.outputs.len() {
            self.go_back(turn, old).await;
            let why = missed.first_reason().unwrap_or_default();
            return Err(ProjectFailure::NotStarted(why));
        }
        self.tell(&new, operator, ProjectHappening::Working);
        match missed.first_reason() {
            None => Ok(new),
            Some(why) => Err(ProjectFailure::PartlyStarted(why)),
        }
    }

    /// Ends a project's work, whatever the store says to it.
    pub(super) async fn end(
        &self,
        turn: &mut Turn,
        old: &Arc<Project>,
        now: OffsetDateTime,
        operator: &str,
    ) -> (Arc<Project>, Result<(), ProjectFailure>) {
        let mut new = Project::clone(old);
        if !new.stop(now) && !turn.unstored.contains(&new.id) {
            return (Arc::clone(old), Ok(()));
        }
        let has_worked = old.is_working();
        if has_worked {
            new.updated_at = now;
        }
        let stored = self.store(&new).await;
        match &stored {
            Ok(()) => turn.unstored.remove(&new.id),
            Err(_) => turn.unstored.insert(new.id.clone()),
        };
        let new = self.put(new);
        let missed = self.carry_out(&new).await;
        if has_worked {
            self.tell(&new, operator, ProjectHappening::Stopped);
        }
        let carried_out = missed.failure().map_or(Ok(()), Err);
        (new, stored.and(carried_out))
    }

    pub(super) async fn delete(
        &self,
        caller: &ProjectCaller,
        id: &ProjectId,
    ) -> Result<(), ProjectFailure> {
        let mut turn = self.turn.lock().await;
        let now = self.parts.clock.now();
        let mut project = self.find_for(caller, id)?;
        if project.is_over(now) {
            project = (self.end(&mut turn, &project, now, SYSTEM_OPERATOR).await).0;
        }
        if project.is_working() {
            return Err(ProjectFailure::IsWorking);
        }
        self.forget(&mut turn, &project).await
    }

    /// Takes a project out of the book, its rules and inputs with it, and then out of the store.
    async fn forget(&self, turn: &mut Turn, project: &Project) -> Result<(), ProjectFailure> {
        let bare = Project {
            main: None,
            backup: None,
            outputs: Vec::new(),
            ..project.clone()
        };
        self.carry_out(&bare).await;
        self.book
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&project.id);
        let (store, id) = (Arc::clone(&self.parts.store), project.id.clone());
        let deleted = blocking(move || store.delete_project(&id)).await;
        match &deleted {
            Ok(_) => turn.unstored.remove(&project.id),
            Err(_) => turn.unstored.insert(project.id.clone()),
        };
        deleted.map(|_| ())
    }

    /// Puts everything back to how it was before a change that could not be carried out.
    async fn go_back(&self, turn: &mut Turn, old: &Arc<Project>) {
        if self.store(old).await.is_err() {
            turn.unstored.insert(old.id.clone());
        }
        let old = self.put(Project::clone(old));
        self.carry_out(&old).await;
    }

    pub(super) fn find(&self, id: &ProjectId) -> Option<Arc<Project>> {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        book.get(id).cloned()
    }

    pub(super) fn find_for(
        &self,
        caller: &ProjectCaller,
        id: &ProjectId,
    ) -> Result<Arc<Project>, ProjectFailure> {
        let found = self.find(id).filter(|project| caller.sees(project));
        let project = found.ok_or(ProjectFailure::NotFound)?;
        match project.may_be_changed_by(&caller.operator) {
            true => Ok(project),
            false => Err(ProjectFailure::NotOwner),
        }
    }

    fn count(&self) -> usize {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        book.len()
    }

    pub(super) fn all(&self) -> Vec<Arc<Project>> {
        let book = self.book.read().unwrap_or_else(PoisonError::into_inner);
        book.values().cloned().collect()
    }

    fn put(&self, project: Project) -> Arc<Project> {
        let project = Arc::new(project);
        self.book
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(project.id.clone(), Arc::clone(&project));
        project
    }

    pub(super) async fn store(&self, project: &Project) -> Result<(), ProjectFailure> {
        let (store, project) = (Arc::clone(&self.parts.store), project.clone());
        blocking(move || store.put_project(&project)).await
    }

    /// Random, and not yet taken.
    fn new_id(&self) -> Result<ProjectId, ProjectFailure> {
        let failed = |why: String| ProjectFailure::GivenUp(why);
        loop {
            let mut bytes = [0; 12];
            getrandom::fill(&mut bytes).map_err(|error| failed(error.to_string()))?;
            let id = ProjectId::from_random(bytes)
                .ok_or_else(|| failed("no id could be made".to_owned()))?;
            if self.find(&id).is_none() {
                return Ok(id);
            }
        }
    }

    /// Judges where a project's outputs go that are new.
    fn judge(&self, old: Option<&Project>, new: &Project) -> Result<(), ProjectFailure> {
        let is_known = |url: &UrlTemplate| {
            old.is_some_and(|old| old.outputs.iter().any(|output| output.url == *url))
        };
        for output in new.outputs.iter().filter(|output| !is_known(&output.url)) {
            let judged = self.parts.rules.check_target(&output.url);
            judged.map_err(|why| ProjectError::Output(format!("PushUrl: {why}")))?;
        }
        Ok(())
    }

    /// Brings rules and inputs to what a project says.
    pub(super) async fn carry_out(&self, project: &Project) -> Missed {
        // Whoever ends ends what it sends first, and whoever begins has somewhere to send to.
        let outputs = outputs::align(&self.parts.rules, project).await;
        let input = inputs::align(&self.parts.inputs, project).await.err();
        Missed { outputs, input }
    }

    pub(super) fn tell(&self, project: &Arc<Project>, operator: &str, happening: ProjectHappening) {
        (self.parts.watch)(ProjectEvent {
            project: Arc::clone(project),
            operator: operator.to_owned(),
            happening,
        });
    }

    pub(super) async fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().await
    }
}

/// What could not be carried out.
#[derive(Debug, Default)]
pub(super) struct Missed {
    /// Why, for each such output.
    outputs: Vec<String>,
    input: Option<String>,
}

impl Missed {
    pub(super) fn first_reason(&self) -> Option<String> {
        self.input.clone().or_else(|| self.outputs.first().cloned())
    }

    fn failure(self) -> Option<ProjectFailure> {
        match self.input {
            Some(why) => Some(ProjectError::Input(why).into()),
            None => self
                .outputs
                .into_iter()
                .next()
                .map(ProjectFailure::NotCarriedOut),
        }
    }
}

/// Runs what may block where it may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ProjectFailure> {
    let done = tokio::task::spawn_blocking(work).await;
    let stored = done.map_err(|error| ProjectFailure::GivenUp(error.to_string()))?;
    stored.map_err(|error| ProjectFailure::NotStored(error.to_string()))
}
