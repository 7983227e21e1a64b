//! The rule service: the only writer of rules.
//!
//! Writes go one after the other, each on a thread that may block: see [`writer`](super::writer).

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::clock::Clock;
use super::host_judge::HostJudge;
use super::limits::{RETRY_FIRST, RETRY_LONGEST};
use super::outcome::{
    ChangeError, CreateError, Created, DeleteError, Deleted, Expected, NewRule, NotStored,
    RuleChange, TargetRefused,
};
use super::writer::{Keeping, Writer};
use crate::rule::{AppName, Origin, Role, Rule, RuleId, RuleSet, StreamPattern, UrlTemplate};
use crate::store::{RuleStore, StoreError};
use crate::telemetry::Metrics;

/// The rule service. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Rules {
    writer: Arc<Mutex<Writer>>,
    current: watch::Receiver<RuleSet>,
    apps: Arc<ArcSwap<HashSet<AppName>>>,
    judge: HostJudge,
    clock: Arc<dyn Clock>,
}

impl Rules {
    /// Reads the stored rules and puts those of configuration and command line beside them. It may block for as long as the
    /// store takes.
    ///
    /// `apps` are the apps that doors may make rules for, `judge` what doors may not call.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(
        store: Arc<dyn RuleStore>,
        fixed: Vec<Rule>,
        apps: impl IntoIterator<Item = AppName>,
        judge: HostJudge,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StoreError> {
        let (writer, current) = Writer::open(store, fixed, metrics)?;
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            current,
            apps: Arc::new(ArcSwap::from_pointee(apps.into_iter().collect())),
            judge,
            clock,
        })
    }

    /// The rules at this moment.
    pub fn current(&self) -> RuleSet {
        self.current.borrow().clone()
    }

    /// The rules at every later moment too: what the supervisor reads.
    pub fn subscribe(&self) -> watch::Receiver<RuleSet> {
        self.current.clone()
    }

    /// The rules of one app, or of all; those of configuration and command line first, the others in the order of their
    /// creation.
    pub fn list(&self, app: Option<&AppName>) -> Vec<Arc<Rule>> {
        let of_app = |rule: &&Arc<Rule>| app.is_none_or(|app| rule.app == *app);
        self.current().iter().filter(of_app).cloned().collect()
    }

    /// The rules for exactly this name or pattern, in their order.
    pub fn at(&self, app: &AppName, stream: &StreamPattern) -> Vec<Arc<Rule>> {
        self.current()
            .at(app, stream)
            .into_iter()
            .cloned()
            .collect()
    }

    /// The rule with this id.
    pub fn find(&self, id: &RuleId) -> Option<Arc<Rule>> {
        self.current().find(id).cloned()
    }

    /// Makes a rule, or finds the one that says the same already. Answers once it is stored. A caller that goes away in
    /// between does not undo it.
    ///
    /// # Errors
    /// See [`CreateError`]. Nothing has changed then.
    pub async fn create(&self, new: NewRule) -> Result<Created, CreateError> {
        self.make(new, Keeping::Stored).await
    }

    /// The same for a rule that does not outlive this process, and that whoever makes it deletes.
    ///
    /// # Errors
    /// See [`CreateError`]. Nothing has changed then.
    pub async fn lend(&self, new: NewRule) -> Result<Created, CreateError> {
        self.make(new, Keeping::ForNow).await
    }

    async fn make(&self, new: NewRule, keeping: Keeping) -> Result<Created, CreateError> {
        self.check_app(&new.app)?;
        self.judge(Some(&new.url), new.options.backup_url.as_ref())?;
        let now = self.clock.now();
        self.write(move |writer| writer.create(new, now, keeping))
            .await
            .map_err(NotStored::GivenUp)?
    }

    /// Changes a rule on behalf of the door `by`; its id and its place stay. A rule that is so already is left as it is.
    ///
    /// # Errors
    /// See [`ChangeError`]. Nothing has changed then.
    pub async fn change(
        &self,
        id: RuleId,
        change: RuleChange,
        by: Origin,
        expected: Expected,
    ) -> Result<Arc<Rule>, ChangeError> {
        let backup = change.backup_url.as_ref().and_then(Option::as_ref);
        self.judge(change.url.as_ref(), backup)?;
        self.write(move |writer| writer.change(&id, change, by, &expected))
            .await
            .map_err(NotStored::GivenUp)?
    }

    /// Deletes a rule on behalf of the door `by`; its pushes stop. In force at once, whatever the store says.
    ///
    /// # Errors
    /// See [`DeleteError`].
    pub async fn delete(&self, id: RuleId, by: Origin) -> Result<Deleted, DeleteError> {
        self.delete_expected(id, by, Expected::Any).await
    }

    /// As [`delete`](Self::delete), unless the rule is another one by now.
    ///
    /// # Errors
    /// See [`DeleteError`].
    pub async fn delete_expected(
        &self,
        id: RuleId,
        by: Origin,
        expected: Expected,
    ) -> Result<Deleted, DeleteError> {
        let deleted = self
            .write(move |writer| writer.delete(&id, by, &expected))
            .await;
        let deleted = deleted.map_err(DeleteError::GivenUp)??;
        if !deleted.stored {
            self.retry_deletions().await;
        }
        Ok(deleted)
    }

    /// Puts other rules in the place of those of configuration and command line, after a reload. Rules that are in both keep
    /// their ids.
    pub async fn replace_fixed(&self, fixed: Vec<Rule>, apps: impl IntoIterator<Item = AppName>) {
        self.apps.store(Arc::new(apps.into_iter().collect()));
        let done = self.write(move |writer| writer.replace_fixed(fixed)).await;
        if let Err(error) = done {
            tracing::error!(%error, "the reloaded rules are not in force");
        }
    }

    /// Changes how many rules doors may make for one stream or pattern; [`MAX_RULES_PER_STREAM`](super::limits::MAX_RULES_PER_STREAM)
    /// until then. Those that are there stay.
    pub async fn limit_streams(&self, rules_per_stream: usize) {
        let done = self.write(move |writer| writer.limit_streams(rules_per_stream));
        if let Err(error) = done.await {
            tracing::error!(%error, "the number of rules per stream is as it was");
        }
    }

    /// Asks the store once more to take the deletions that it has not taken, and says how many are left: for the end of the
    /// process.
    pub async fn store_deletions(&self) -> usize {
        self.write(Writer::store_deletions).await.unwrap_or(0)
    }

    /// Whether a rule could have this target, as far as its text tells.
    ///
    /// # Errors
    /// The address policy is against it, or it is one of our own listeners.
    pub fn check_target(&self, url: &UrlTemplate) -> Result<(), TargetRefused> {
        self.judge(Some(url), None)
    }

    fn check_app(&self, app: &AppName) -> Result<(), CreateError> {
        let apps = self.apps.load();
        if apps.contains(app) {
            return Ok(());
        }
        let mut names: Vec<&str> = apps.iter().map(AppName::as_str).collect();
        names.sort_unstable();
        Err(CreateError::UnknownApp {
            app: app.clone(),
            apps: names.join(", "),
        })
    }

    fn judge(
        &self,
        main: Option<&UrlTemplate>,
        backup: Option<&UrlTemplate>,
    ) -> Result<(), TargetRefused> {
        for (role, url) in [(Role::Main, main), (Role::Backup, backup)] {
            let Some(target) = url.map(UrlTemplate::target) else {
                continue;
            };
            (self.judge)(target.host(), target.port_or_default())
                .map_err(|why| TargetRefused { role, why })?;
        }
        Ok(())
    }

    /// Runs one write on a thread that may block, after those before it. It runs to its end whatever the caller does.
    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Writer) -> T + Send + 'static,
    ) -> Result<T, String> {
        let writer = self.writer.clone().lock_owned().await;
        on_writer(writer, write).await
    }

    /// Begins to ask the store again and again, unless somebody does already.
    async fn retry_deletions(&self) {
        let mut writer = self.writer.lock().await;
        if writer.begins_to_retry() {
            tokio::spawn(retry_deletions(Arc::downgrade(&self.writer)));
        }
    }
}

async fn on_writer<T: Send + 'static>(
    mut writer: OwnedMutexGuard<Writer>,
    write: impl FnOnce(&mut Writer) -> T + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(move || write(&mut writer)).await;
    done.map_err(|error| error.to_string())
}

/// Ends when the store has taken every deletion, or when the service is gone.
async fn retry_deletions(writer: Weak<Mutex<Writer>>) {
    let mut pause = RETRY_FIRST;
    loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_LONGEST);
        let Some(writer) = writer.upgrade() else {
            return;
        };
        let writer = writer.lock_owned().await;
        let left = on_writer(writer, Writer::retry_deletions);
        if let Ok(0) = left.await {
            return;
        }
    }
}
