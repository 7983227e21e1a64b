//! A project's life: idle, working, idle again; and what may be done in which of the two.

use time::{Duration, OffsetDateTime};

use super::parts::{Output, OutputChange, OutputDraft, ProjectId, ProjectInput};
use crate::rule::{AppName, Role, StreamKey};
use crate::secret::Secret;

/// Outputs of one project: as many as one stream may have rules.
pub const OUTPUTS_MAX: usize = 20;

/// For how long a project works where nobody has said until when: what the vendor's console proposes.
pub const DEFAULT_RUN: Duration = Duration::days(7);

/// How far ahead the end of a working project may be put.
pub const RUN_MAX: Duration = Duration::days(30);

/// Who acts where nobody is named: the platform's administrator, who may do everything.
pub const SYSTEM_OPERATOR: &str = "cmeid_system";

/// A stream with its inputs and outputs. `Debug` shows URLs and keys masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its name, and that of its stream.
    pub id: ProjectId,
    /// The tenant that it belongs to.
    pub app: AppName,
    /// What its callers said they are part of.
    pub platform: String,
    /// What people call it.
    pub name: String,
    /// The user who owns it.
    pub owner: String,
    /// When it was made, as told by the wall clock.
    pub created_at: OffsetDateTime,
    /// When it was last changed, as told by the wall clock.
    pub updated_at: OffsetDateTime,
    /// Counts the projects that were made, so that those of one moment have an order.
    pub number: u64,
    /// Whether it works.
    pub life: ProjectLife,
    /// What feeds it.
    pub main: Option<ProjectInput>,
    /// What feeds it while the main input cannot.
    pub backup: Option<ProjectInput>,
    /// Where it goes, in the order in which they were added.
    pub outputs: Vec<Output>,
}

/// What a new project is to be.
#[derive(Clone, Debug)]
pub struct ProjectDraft {
    /// The tenant.
    pub app: AppName,
    /// What its callers are part of.
    pub platform: String,
    /// What people call it.
    pub name: String,
    /// The user who owns it.
    pub owner: String,
    /// What feeds it.
    pub main: Option<ProjectInput>,
    /// What feeds it while the main input cannot.
    pub backup: Option<ProjectInput>,
    /// Where it goes.
    pub outputs: Vec<OutputDraft>,
}

/// Whether a project works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectLife {
    /// Neither inputs nor outputs run.
    Idle {
        /// When they last ceased to.
        stopped_at: Option<OffsetDateTime>,
    },
    /// They run.
    Working {
        /// Since when.
        started_at: OffsetDateTime,
        /// Until when.
        stop_at: OffsetDateTime,
        /// The input that somebody wants on the air.
        wanted: Role,
    },
}

/// Why something was not done with a project.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProjectError {
    /// Something about an input.
    #[error("{0}")]
    Input(String),
    /// Something about an output.
    #[error("{0}")]
    Output(String),
    /// It lacks what it needs for working.
    #[error("{0}")]
    Incomplete(&'static str),
    /// It is idle, or it works, and this cannot be done then.
    #[error("{0}")]
    WrongState(&'static str),
    /// The end of its work is not where an end may be.
    #[error("{0}")]
    StopTime(&'static str),
    /// It has as many outputs as it may.
    #[error("this project already has {OUTPUTS_MAX} outputs; remove one first")]
    TooManyOutputs,
}

const IS_WORKING: ProjectError =
    ProjectError::WrongState("the project is working; stop it before this is changed");
const IS_IDLE: ProjectError =
    ProjectError::WrongState("the project is not working; start it first");

impl Project {
    /// A new project, idle. `number` tells projects of one moment apart.
    ///
    /// # Errors
    /// Two outputs have one id, or one of them is none.
    pub fn new(
        id: ProjectId,
        number: u64,
        draft: ProjectDraft,
        now: OffsetDateTime,
    ) -> Result<Self, ProjectError> {
        let mut project = Self {
            id,
            app: draft.app,
            platform: draft.platform,
            name: draft.name,
            owner: draft.owner,
            created_at: now,
            updated_at: now,
            number,
            life: ProjectLife::Idle { stopped_at: None },
            main: draft.main,
            backup: draft.backup,
            outputs: Vec::new(),
        };
        // Ids that the caller has chosen come first, so that none that is made up is in their way.
        let taken: Vec<String> = draft.outputs.iter().filter_map(|o| o.id.clone()).collect();
        for output in draft.outputs {
            project.add(output, &taken)?;
        }
        Ok(project)
    }

    /// The stream that its inputs feed and its outputs are pushed from.
    pub fn stream(&self) -> StreamKey {
        StreamKey::new(self.app.clone(), self.id.stream().clone())
    }

    /// The URL that a publisher for this input is given, in the vendor's form; `None` where no publisher is to feed it. `server` is
    /// `rtmp://host[:port]`, as publishers reach the gateway.
    pub fn push_url(&self, role: Role, server: &str) -> Option<Secret> {
        match self.input(role) {
            Some(ProjectInput::RtmpPush { push, .. }) => Some(push.url(server, &self.app)),
            _ => None,
        }
    }

    /// Whether it works.
    pub fn is_working(&self) -> bool {
        matches!(self.life, ProjectLife::Working { .. })
    }

    /// Whether this user may act on it.
    pub fn may_be_changed_by(&self, operator: &str) -> bool {
        operator == SYSTEM_OPERATOR || operator == self.owner
    }

    /// The input of a place.
    pub fn input(&self, role: Role) -> Option<&ProjectInput> {
        match role {
            Role::Main => self.main.as_ref(),
            Role::Backup => self.backup.as_ref(),
        }
    }

    fn place(&mut self, role: Role) -> &mut Option<ProjectInput> {
        match role {
            Role::Main => &mut self.main,
            Role::Backup => &mut self.backup,
        }
    }

    /// The output with this id.
    pub fn output(&self, id: &str) -> Option<&Output> {
        self.outputs.iter().find(|output| output.id == id)
    }

    /// Fills an empty place, also while it works.
    ///
    /// # Errors
    /// The place has an input.
    pub fn add_input(&mut self, role: Role, input: ProjectInput) -> Result<(), ProjectError> {
        match self.place(role) {
            Some(_) => Err(ProjectError::Input(format!(
                "the project has a {} input already",
                role.as_str()
            ))),
            place => {
                *place = Some(input);
                Ok(())
            }
        }
    }

    /// Puts another input in the place of one.
    ///
    /// # Errors
    /// It works, or there is no such input.
    pub fn modify_input(&mut self, role: Role, input: ProjectInput) -> Result<(), ProjectError> {
        self.check_idle()?;
        *self.standing_input(role)? = Some(input);
        Ok(())
    }

    /// Empties a place.
    ///
    /// # Errors
    /// It works, or the place is empty.
    pub fn delete_input(&mut self, role: Role) -> Result<(), ProjectError> {
        self.check_idle()?;
        *self.standing_input(role)? = None;
        Ok(())
    }

    fn standing_input(&mut self, role: Role) -> Result<&mut Option<ProjectInput>, ProjectError> {
        match self.place(role) {
            None => Err(no_input(role)),
            place => Ok(place),
        }
    }

    /// Adds an output, also while it works.
    ///
    /// # Errors
    /// It is none, its id is taken, or there are enough.
    pub fn add_output(&mut self, draft: OutputDraft) -> Result<(), ProjectError> {
        self.add(draft, &[])
    }

    fn add(&mut self, draft: OutputDraft, reserved: &[String]) -> Result<(), ProjectError> {
        let output = Output::parse(draft, self.free_output_id(reserved))?;
        if self.output(&output.id).is_some() {
            return Err(ProjectError::Output(
                "the project has an output with this Id already".to_owned(),
            ));
        }
        if self.outputs.len() >= OUTPUTS_MAX {
            return Err(ProjectError::TooManyOutputs);
        }
        self.outputs.push(output);
        Ok(())
    }

    /// The smallest number that no output has.
    fn free_output_id(&self, reserved: &[String]) -> String {
        let is_free = |id: &String| self.output(id).is_none() && !reserved.contains(id);
        (1..=u64::MAX)
            .map(|number| number.to_string())
            .find(is_free)
            .unwrap_or_default()
    }

    /// Changes an output.
    ///
    /// # Errors
    /// It works, there is no such output, or it would be none.
    pub fn modify_output(&mut self, change: OutputChange) -> Result<(), ProjectError> {
        self.check_idle()?;
        let at = self.position(change.id.as_deref())?;
        if let Some(output) = self.outputs.get_mut(at) {
            *output = output.changed(change)?;
        }
        Ok(())
    }

    /// Takes an output away, also while it works.
    ///
    /// # Errors
    /// There is no such output.
    pub fn delete_output(&mut self, id: Option<&str>) -> Result<(), ProjectError> {
        let at = self.position(id)?;
        self.outputs.remove(at);
        Ok(())
    }

    fn position(&self, id: Option<&str>) -> Result<usize, ProjectError> {
        let id = id
            .filter(|id| !id.is_empty())
            .ok_or_else(|| ProjectError::Output("the output's Id is missing".to_owned()))?;
        self.outputs
            .iter()
            .position(|output| output.id == id)
            .ok_or_else(|| {
                ProjectError::Output("the project has no output with this Id".to_owned())
            })
    }

    /// Begins to work, with the main input.
    ///
    /// # Errors
    /// It works, or has no main input or no output.
    pub fn start(&mut self, now: OffsetDateTime) -> Result<(), ProjectError> {
        self.check_idle()?;
        if self.main.is_none() {
            return Err(ProjectError::Incomplete("the project has no main input"));
        }
        if self.outputs.is_empty() {
            return Err(ProjectError::Incomplete("the project has no output"));
        }
        self.life = ProjectLife::Working {
            started_at: now,
            stop_at: now.saturating_add(DEFAULT_RUN),
            wanted: Role::Main,
        };
        Ok(())
    }

    /// Ceases to work; `false` where it did not.
    pub fn stop(&mut self, now: OffsetDateTime) -> bool {
        let was_working = self.is_working();
        if was_working {
            self.life = ProjectLife::Idle {
                stopped_at: Some(now),
            };
        }
        was_working
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: OffsetDateTime) -> bool {
        matches!(self.life, ProjectLife::Working { stop_at, .. } if stop_at <= now)
    }

    /// Wants another input on the air.
    ///
    /// # Errors
    /// It is idle, or has no such input.
    pub fn switch_input(&mut self, role: Role) -> Result<(), ProjectError> {
        let has_input = self.input(role).is_some();
        match &mut self.life {
            ProjectLife::Idle { .. } => Err(IS_IDLE),
            ProjectLife::Working { .. } if !has_input => Err(no_input(role)),
            ProjectLife::Working { wanted, .. } => {
                *wanted = role;
                Ok(())
            }
        }
    }

    /// Sets when it ends by itself.
    ///
    /// # Errors
    /// It is idle, or the time is over or too far ahead.
    pub fn set_stop_time(
        &mut self,
        time: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<(), ProjectError> {
        let ProjectLife::Working { stop_at, .. } = &mut self.life else {
            return Err(IS_IDLE);
        };
        if time <= now {
            return Err(ProjectError::StopTime("CurrentStopTime is over"));
        }
        if time - now > RUN_MAX {
            return Err(ProjectError::StopTime(
                "CurrentStopTime is more than 30 days ahead",
            ));
        }
        *stop_at = time;
        Ok(())
    }

    fn check_idle(&self) -> Result<(), ProjectError> {
        match self.is_working() {
            true => Err(IS_WORKING),
            false => Ok(()),
        }
    }
}

fn no_input(role: Role) -> ProjectError {
    ProjectError::Input(format!("the project has no {} input", role.as_str()))
}

#[cfg(test)]
mod tests;
