//! What a project needs without anybody asking: to be taken up again after a restart, to end in time, to be told apart from one
//! whose outputs fail.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;

use super::service::blocking;
use super::{ProjectHappening, Projects, Service, Turn, outputs};
use crate::control::inputs::{Happening, InputNotice, InputState};
use crate::rule::project::{Project, ProjectId, ProjectInput, SYSTEM_OPERATOR};
use crate::rule::{Origin, Role, RuleId, StreamKey};
use crate::telemetry::feed::{Read, TargetChange, What};

/// How often projects are looked at: an end is late by no more than this.
const BEAT: Duration = Duration::from_secs(1);

impl Projects {
    /// Takes up what the store has: those that worked go on, until when they were to. Rules of projects that are gone go too.
    pub async fn resume(&self) {
        let service = &self.0;
        let mut turn = service.turn().await;
        service.end_what_is_over(&mut turn).await;
        service.remove_strays().await;
        for project in service.all() {
            if let Some(why) = service.carry_out(&project).await.first_reason() {
                tracing::error!(project = %project.id, why, "a project is not carried out as it should be");
            }
        }
    }

    /// Looks after projects for as long as the process runs.
    pub async fn run(self) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut notices = self.0.parts.inputs.notices();
        let mut changes = self.0.parts.metrics.feed().reader();
        let mut outputs = LiveOutputs {
            service: &self.0,
            rules: BTreeSet::new(),
        };
        loop {
            tokio::select! {
                _ = beat.tick() => self.look_after().await,
                notice = notices.recv() => match notice {
                    Ok(notice) => self.0.heed(notice).await,
                    // What was missed is lost; what stands shows at the next look.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                change = changes.next() => match change {
                    Read::Change(change) => outputs.heed(&change.what),
                    Read::Missed { .. } => outputs.rules.clear(),
                    Read::End => return,
                },
            }
        }
    }

    /// One look at all projects.
    pub async fn look_after(&self) {
        let service = &self.0;
        let mut turn = service.turn().await;
        service.end_what_is_over(&mut turn).await;
        service.end_what_has_played(&mut turn).await;
        service.store_what_is_not(&mut turn).await;
    }
}

impl Service {
    async fn end_what_is_over(&self, turn: &mut Turn) {
        let now = self.parts.clock.now();
        for project in self.all() {
            if project.is_over(now) {
                self.end_by_itself(turn, &project).await;
            }
        }
    }

    /// Ends projects that have played all their files as often as they were to.
    async fn end_what_has_played(&self, turn: &mut Turn) {
        for project in self.all() {
            if project.is_working() && self.has_played(&project) {
                self.end_by_itself(turn, &project).await;
            }
        }
    }

    fn has_played(&self, project: &Project) -> bool {
        let mut inputs = Role::BOTH
            .into_iter()
            .filter_map(|role| project.input(role));
        if !inputs.all(ProjectInput::ends) {
            return false;
        }
        let inputs = self.parts.inputs.of(&project.stream());
        inputs.is_some_and(|inputs| {
            let mut states = inputs.iter().map(|input| input.standing.state);
            states.all(|state| state == InputState::Ended)
        })
    }

    /// Tells of an input that was lost, and ends a project whose last file was played.
    async fn heed(&self, notice: InputNotice) {
        let mut turn = self.turn().await;
        let Some(project) = self.of_stream(&notice.stream) else {
            return;
        };
        if !project.is_working() {
            return;
        }
        match notice.what {
            Happening::Interrupted { role, .. } => {
                let happening = ProjectHappening::InputInterrupted(role);
                self.tell(&project, SYSTEM_OPERATOR, happening);
            }
            Happening::AllEnded if self.has_played(&project) => {
                self.end_by_itself(&mut turn, &project).await;
            }
            _ => {}
        }
    }

    async fn end_by_itself(&self, turn: &mut Turn, project: &Arc<Project>) {
        let now = self.parts.clock.now();
        let (_, done) = self.end(turn, project, now, SYSTEM_OPERATOR).await;
        if let Err(error) = done {
            tracing::error!(project = %project.id, %error, "a project has ended, but not everywhere yet");
        }
    }

    /// Asks the store again to take ends and deletions. It stops at the first that is refused: what ails it ails them all.
    async fn store_what_is_not(&self, turn: &mut Turn) {
        while let Some(id) = turn.unstored.first().cloned() {
            let stored = match self.find(&id) {
                Some(project) => self.store(&project).await,
                None => {
                    let (store, id) = (Arc::clone(&self.parts.store), id.clone());
                    blocking(move || store.delete_project(&id))
                        .await
                        .map(|_| ())
                }
            };
            if stored.is_err() {
                return;
            }
            turn.unstored.remove(&id);
        }
    }

    async fn remove_strays(&self) {
        for rule in self.parts.rules.list(None) {
            if rule.origin != Origin::Tencent {
                continue;
            }
            let name = rule.stream.as_literal().cloned();
            let stream = name.map(|name| StreamKey::new(rule.app.clone(), name));
            if stream.is_some_and(|stream| self.of_stream(&stream).is_some()) {
                continue;
            }
            if let Err(why) = outputs::remove(&self.parts.rules, &rule).await {
                tracing::error!(rule = %rule.id, why, "a rule of a project that is gone is still there");
            }
        }
    }

    /// Tells of an output that was live and is not any more.
    fn tell_of_output(&self, rule: &RuleId, stream: &StreamKey) {
        let (Some(project), Some(rule)) = (self.of_stream(stream), self.parts.rules.find(rule))
        else {
            return;
        };
        let lost = project.outputs.iter().find(|output| output.url == rule.url);
        if let Some(output) = lost.filter(|_| project.is_working()) {
            let happening = ProjectHappening::OutputInterrupted(Box::new(output.clone()));
            self.tell(&project, SYSTEM_OPERATOR, happening);
        }
    }

    fn of_stream(&self, stream: &StreamKey) -> Option<Arc<Project>> {
        let id = ProjectId::parse(stream.name.as_str())?;
        self.find(&id).filter(|project| project.app == stream.app)
    }
}

/// The pushes of outputs that are live.
struct LiveOutputs<'a> {
    service: &'a Service,
    rules: BTreeSet<RuleId>,
}

impl LiveOutputs<'_> {
    fn heed(&mut self, change: &What) {
        let What::Target {
            rule,
            stream,
            change,
            ..
        } = change
        else {
            return;
        };
        match change {
            TargetChange::Live => {
                let rule = self.service.parts.rules.find(rule);
                if let Some(rule) = rule.filter(|rule| rule.origin == Origin::Tencent) {
                    self.rules.insert(rule.id.clone());
                }
            }
            TargetChange::BackingOff { .. } | TargetChange::Failed { .. } => {
                if self.rules.remove(rule) {
                    self.service.tell_of_output(rule, stream);
                }
            }
            TargetChange::Stopped { .. } => {
                self.rules.remove(rule);
            }
            TargetChange::Connecting
            | TargetChange::Recycled { .. }
            | TargetChange::Slow { .. }
            | TargetChange::CaughtUp
            | TargetChange::Switched { .. } => {}
        }
    }
}
