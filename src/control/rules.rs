//! The rule service: the only writer of rules.
//!
//! Writes go one after the other, each on a thread that may block: the store is asked first, and only what it holds
//! comes into force. A deletion is the other way round: it is in force at once, and a store that cannot take it is asked
//! again until it can.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::book::{Book, TooMany};
use super::clock::Clock;
use super::limits::{MAX_UNSTORED_DELETIONS, RETRY_FIRST, RETRY_LONGEST};
use crate::rule::{AppName, Origin, Rule, RuleId, RuleSet, StreamPattern, UrlTemplate};
use crate::store::{RuleStore, StoreError};
use crate::telemetry::Metrics;
use crate::telemetry::events::{RuleCreated, RuleDeleted, StoreTrouble};
use crate::telemetry::labels::StoreOperation;

/// Judges a literal host and port before a rule is taken: the address policy, and our own listeners. The text says why not.
/// Names pass: what they resolve to is judged at each attempt.
pub type HostJudge = Arc<dyn Fn(&str, u16) -> Result<(), String> + Send + Sync>;

/// What a door asks for.
#[derive(Clone, Debug)]
pub struct NewRule {
    /// The app; it has to be configured.
    pub app: AppName,
    /// One stream, or a pattern.
    pub stream: StreamPattern,
    /// Where to.
    pub url: UrlTemplate,
    /// Which door asks.
    pub origin: Origin,
}

/// A rule that is in force, and stored.
#[derive(Clone, Debug)]
pub struct Created {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Whether it stood there before: the same app, stream and URL byte for byte.
    pub standing: bool,
}

/// Why no rule came to be.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Nobody can publish to this app.
    #[error("there is no app \"{app}\"; the apps are: {apps}")]
    UnknownApp {
        /// The one that was asked for.
        app: AppName,
        /// Those that are configured, with commas.
        apps: String,
    },
    /// The target may not be called.
    #[error("{0}")]
    Refused(String),
    /// There are enough.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// It would not survive a restart, so it is not in force either.
    #[error(transparent)]
    NotStored(#[from] NotStored),
}

/// The store did not take a change. Trying again later may help.
#[derive(Debug, thiserror::Error)]
pub enum NotStored {
    /// The store's own words.
    #[error("the rule is not stored: {0}")]
    Store(#[from] StoreError),
    /// The thread that writes is gone.
    #[error("the rule is not stored: the write was given up: {0}")]
    GivenUp(String),
}

/// A rule that is no longer in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Whether the store knows. If not, the store is asked again while this process runs; should the process end before it
    /// answers, the rule is back at the next start.
    pub stored: bool,
}

/// Why a rule was not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    /// There is none with this id.
    #[error("there is no rule with this id")]
    NotFound,
    /// It belongs to somebody else.
    #[error("this rule belongs to {}", owner(.0))]
    ReadOnly(Origin),
    /// The thread that writes is gone; whether the rule is deleted is open.
    #[error("the deletion was given up: {0}")]
    GivenUp(String),
}

/// Why a rule's URL was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceError {
    /// There is none with this id, any more.
    #[error("there is no rule with this id")]
    NotFound,
    /// It belongs to somebody else.
    #[error("this rule belongs to {}", owner(.0))]
    ReadOnly(Origin),
    /// The new target may not be called.
    #[error("{0}")]
    Refused(String),
    /// The old URL stays in force.
    #[error(transparent)]
    NotStored(#[from] NotStored),
}

fn owner(origin: &Origin) -> &'static str {
    match origin {
        Origin::Config => "the configuration file; change it there and reload",
        Origin::CommandLine => "the command line (--relay or AQUEDUCT_RELAY_URLS) of this run",
        Origin::Tencent => "a project of the Tencent door; change it there",
        Origin::Api | Origin::Zego => "another door",
    }
}

/// The rule service. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Rules {
    writer: Arc<Mutex<Writer>>,
    current: watch::Receiver<RuleSet>,
    apps: Arc<ArcSwap<HashSet<AppName>>>,
    judge: HostJudge,
    clock: Arc<dyn Clock>,
}

/// What only one write at a time may touch.
struct Writer {
    book: Book,
    store: Arc<dyn RuleStore>,
    /// Deleted here, but perhaps not in the store.
    unstored: BTreeSet<RuleId>,
    is_retrying: bool,
    current: watch::Sender<RuleSet>,
    metrics: Arc<Metrics>,
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
        let book = Book::new(store.load()?, fixed, store.max_revision()?);
        let (sender, current) = watch::channel(book.set());
        let writer = Writer {
            book,
            store,
            unstored: BTreeSet::new(),
            is_retrying: false,
            current: sender,
            metrics,
        };
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
        self.check_app(&new.app)?;
        self.judge(&new.url).map_err(CreateError::Refused)?;
        let now = self.clock.now();
        self.write(move |writer| writer.create(new, now))
            .await
            .map_err(NotStored::GivenUp)?
    }

    /// Gives a rule another URL; its id and its place stay. A rule that has this URL already is left as it is.
    ///
    /// # Errors
    /// See [`ReplaceError`]. Nothing has changed then.
    pub async fn replace_url(
        &self,
        id: RuleId,
        url: UrlTemplate,
        by: Origin,
    ) -> Result<Arc<Rule>, ReplaceError> {
        self.judge(&url).map_err(ReplaceError::Refused)?;
        self.write(move |writer| writer.replace_url(&id, url, by))
            .await
            .map_err(NotStored::GivenUp)?
    }

    /// Deletes a rule on behalf of the door `by`; its pushes stop. In force at once, whatever the store says.
    ///
    /// # Errors
    /// See [`DeleteError`].
    pub async fn delete(&self, id: RuleId, by: Origin) -> Result<Deleted, DeleteError> {
        let deleted = self.write(move |writer| writer.delete(&id, by)).await;
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
        let done = self
            .write(move |writer| {
                writer.book.replace_fixed(fixed);
                writer.publish();
            })
            .await;
        if let Err(error) = done {
            tracing::error!(%error, "the reloaded rules are not in force");
        }
    }

    /// Asks the store once more to take the deletions that it has not taken, and says how many are left: for the end of the
    /// process.
    pub async fn store_deletions(&self) -> usize {
        self.write(Writer::store_deletions).await.unwrap_or(0)
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

    fn judge(&self, url: &UrlTemplate) -> Result<(), String> {
        let target = url.target();
        (self.judge)(target.host(), target.port_or_default())
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
        if !std::mem::replace(&mut writer.is_retrying, true) {
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
        let left = on_writer(writer, |writer| {
            let left = writer.store_deletions();
            writer.is_retrying = left > 0;
            left
        });
        if let Ok(0) = left.await {
            return;
        }
    }
}

impl Writer {
    fn create(&mut self, new: NewRule, now: time::OffsetDateTime) -> Result<Created, CreateError> {
        if let Some(rule) = self.book.standing(&new.app, &new.stream, &new.url) {
            return Ok(Created {
                rule: rule.clone(),
                standing: true,
            });
        }
        self.book.room(&new.app, &new.stream)?;
        let rule = Rule {
            id: self.new_id().map_err(NotStored::GivenUp)?,
            app: new.app,
            stream: new.stream,
            url: new.url,
            enabled: true,
            origin: new.origin,
            created_at: now,
            revision: self.book.next_revision(),
            stop_at: None,
            chunk_size: None,
        };
        let inserted = self.store.insert(&rule);
        self.watched(StoreOperation::Store, inserted)?;
        let rule = self.book.put(rule);
        self.publish();
        RuleCreated { rule: &rule }.emit(&self.metrics);
        Ok(Created {
            rule,
            standing: false,
        })
    }

    fn replace_url(
        &mut self,
        id: &RuleId,
        url: UrlTemplate,
        by: Origin,
    ) -> Result<Arc<Rule>, ReplaceError> {
        let old = self.book.find(id).ok_or(ReplaceError::NotFound)?;
        if !may_change(old.origin, by) {
            return Err(ReplaceError::ReadOnly(old.origin));
        }
        if old.url == url {
            return Ok(old.clone());
        }
        let rule = Rule {
            url,
            revision: self.book.next_revision(),
            ..Rule::clone(old)
        };
        // Where the store has lost it, it is new to the store.
        let replaced = match self.store.replace(&rule) {
            Ok(false) => self.store.insert(&rule),
            other => other.map(|_| ()),
        };
        self.watched(StoreOperation::Store, replaced)?;
        let rule = self.book.put(rule);
        self.publish();
        Ok(rule)
    }

    fn delete(&mut self, id: &RuleId, by: Origin) -> Result<Deleted, DeleteError> {
        let rule = match self.book.find(id) {
            Some(rule) if !may_change(rule.origin, by) => {
                return Err(DeleteError::ReadOnly(rule.origin));
            }
            Some(_) => {
                let rule = self.book.remove(id);
                self.publish();
                rule
            }
            // Deleted before, but the store did not know: another chance to tell it.
            None if self.unstored.contains(id) => None,
            None => return Err(DeleteError::NotFound),
        };
        let stored = self.store_deletion(id);
        if !stored && self.unstored.len() < MAX_UNSTORED_DELETIONS {
            self.unstored.insert(id.clone());
        }
        if let Some(rule) = rule {
            RuleDeleted {
                rule: &rule,
                stored,
            }
            .emit(&self.metrics);
        }
        Ok(Deleted { stored })
    }

    fn store_deletion(&mut self, id: &RuleId) -> bool {
        let deleted = self.store.delete(id);
        let is_stored = self.watched(StoreOperation::Delete, deleted).is_ok();
        if is_stored {
            self.unstored.remove(id);
        }
        is_stored
    }

    /// Tells whoever watches the gateway what the store would not do.
    fn watched<T>(
        &self,
        operation: StoreOperation,
        outcome: Result<T, StoreError>,
    ) -> Result<T, NotStored> {
        outcome.map_err(|error| {
            StoreTrouble {
                operation,
                error: &error,
            }
            .emit(&self.metrics);
            NotStored::Store(error)
        })
    }

    /// Stops at the first that the store refuses: what ails it ails them all.
    fn store_deletions(&mut self) -> usize {
        while let Some(id) = self.unstored.first().cloned() {
            if !self.store_deletion(&id) {
                break;
            }
        }
        self.unstored.len()
    }

    /// Random, and not yet taken.
    fn new_id(&self) -> Result<RuleId, String> {
        loop {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
            let id = RuleId::from_random(bytes);
            if self.book.find(&id).is_none() && !self.unstored.contains(&id) {
                return Ok(id);
            }
        }
    }

    fn publish(&self) {
        self.current.send_replace(self.book.set());
    }
}

/// Whether a door may change a rule: none those of configuration and command line, and those of a Tencent project only
/// Tencent's.
fn may_change(owner: Origin, by: Origin) -> bool {
    !owner.is_read_only() && (owner != Origin::Tencent || by == Origin::Tencent)
}
