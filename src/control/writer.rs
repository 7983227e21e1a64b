//! One write to the rules: blocking, with nobody beside it.
//!
//! The store is asked first, and only what it holds comes into force. A deletion is the other way round: it is in force at
//! once, and a store that cannot take it is asked again until it can.

use std::collections::BTreeSet;
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::watch;

use super::book::Book;
use super::limits::MAX_UNSTORED_DELETIONS;
use super::outcome::{
    ChangeError, CreateError, Created, DeleteError, Deleted, Expected, NewRule, NotStored,
    RuleChange, TargetRefused,
};
use crate::rule::{Origin, Role, Rule, RuleId, RuleSet};
use crate::store::{RuleStore, StoreError};
use crate::telemetry::Metrics;
use crate::telemetry::events::{RuleChanged, RuleCreated, RuleDeleted, StoreTrouble};
use crate::telemetry::labels::StoreOperation;

/// How long a new rule is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// Until somebody deletes it.
    Stored,
    /// Until then, or until this process ends.
    ForNow,
}

/// What only one write at a time may touch.
pub(super) struct Writer {
    book: Book,
    store: Arc<dyn RuleStore>,
    /// Deleted here, but perhaps not in the store.
    unstored: BTreeSet<RuleId>,
    is_retrying: bool,
    current: watch::Sender<RuleSet>,
    metrics: Arc<Metrics>,
}

impl Writer {
    /// Reads the store. The receiver sees the rules after every change.
    pub(super) fn open(
        store: Arc<dyn RuleStore>,
        fixed: Vec<Rule>,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, watch::Receiver<RuleSet>), StoreError> {
        let book = Book::new(store.load()?, fixed, store.max_revision()?);
        let (sender, current) = watch::channel(book.set());
        let writer = Self {
            book,
            store,
            unstored: BTreeSet::new(),
            is_retrying: false,
            current: sender,
            metrics,
        };
        Ok((writer, current))
    }

    pub(super) fn create(
        &mut self,
        new: NewRule,
        now: OffsetDateTime,
        keeping: Keeping,
    ) -> Result<Created, CreateError> {
        if let Some(rule) = self.book.standing(&new.app, &new.stream, &new.url) {
            return Ok(Created {
                rule,
                standing: true,
            });
        }
        self.book.room(&new.app, &new.stream)?;
        let rule = Rule {
            id: self.new_id().map_err(NotStored::GivenUp)?,
            app: new.app,
            stream: new.stream,
            url: new.url,
            backup_url: new.options.backup_url,
            enabled: new.options.enabled,
            origin: new.origin,
            created_at: now,
            revision: self.book.next_revision(),
            stop_at: new.options.stop_at,
            chunk_size: new.options.chunk_size,
            strict_interleave: new.options.strict_interleave,
            digest_handshake: new.options.digest_handshake,
        };
        check_backup(&rule)?;
        if keeping == Keeping::Stored {
            let inserted = self.store.insert(&rule);
            self.watched(StoreOperation::Store, inserted)?;
        }
        let rule = self.book.put(rule);
        self.publish();
        RuleCreated { rule: &rule }.emit(&self.metrics);
        Ok(Created {
            rule,
            standing: false,
        })
    }

    pub(super) fn change(
        &mut self,
        id: &RuleId,
        change: RuleChange,
        by: Origin,
        expected: &Expected,
    ) -> Result<Arc<Rule>, ChangeError> {
        let old = self.book.find(id).ok_or(ChangeError::NotFound)?;
        if !may_change(old.origin, by) {
            return Err(ChangeError::ReadOnly(old.origin));
        }
        expected.check(old)?;
        let changed = change.applied_to(old);
        if changed == **old {
            return Ok(old.clone());
        }
        check_backup(&changed)?;
        let standing = (self.book).standing(&changed.app, &changed.stream, &changed.url);
        if let Some(other) = standing.filter(|other| other.id != *id) {
            return Err(ChangeError::Exists(other.id.clone()));
        }
        let rule = Rule {
            revision: self.book.next_revision(),
            ..changed
        };
        // Where the store has lost it, it is new to the store.
        let replaced = match self.store.replace(&rule) {
            Ok(false) => self.store.insert(&rule),
            other => other.map(|_| ()),
        };
        self.watched(StoreOperation::Store, replaced)?;
        let rule = self.book.put(rule);
        self.publish();
        RuleChanged { rule: &rule }.emit(&self.metrics);
        Ok(rule)
    }

    pub(super) fn delete(
        &mut self,
        id: &RuleId,
        by: Origin,
        expected: &Expected,
    ) -> Result<Deleted, DeleteError> {
        let rule = match self.book.find(id) {
            Some(rule) if !may_change(rule.origin, by) => {
                return Err(DeleteError::ReadOnly(rule.origin));
            }
            Some(rule) => {
                expected.check(rule)?;
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
    pub(super) fn store_deletions(&mut self) -> usize {
        while let Some(id) = self.unstored.first().cloned() {
            if !self.store_deletion(&id) {
                break;
            }
        }
        self.unstored.len()
    }

    /// Whether the caller is the one who shall ask the store again and again.
    pub(super) fn begins_to_retry(&mut self) -> bool {
        !std::mem::replace(&mut self.is_retrying, true)
    }

    /// As [`store_deletions`](Self::store_deletions), for whoever asks again and again until none is left.
    pub(super) fn retry_deletions(&mut self) -> usize {
        let left = self.store_deletions();
        self.is_retrying = left > 0;
        left
    }

    /// Puts other rules in the place of those of configuration and command line.
    pub(super) fn replace_fixed(&mut self, fixed: Vec<Rule>) {
        let replaced = self.book.replace_fixed(fixed);
        self.publish();
        for rule in &replaced.deleted {
            let stored = true;
            RuleDeleted { rule, stored }.emit(&self.metrics);
        }
        for rule in &replaced.changed {
            RuleChanged { rule }.emit(&self.metrics);
        }
        for rule in &replaced.created {
            RuleCreated { rule }.emit(&self.metrics);
        }
    }

    /// Changes how many rules doors may make for one stream or pattern.
    pub(super) fn limit_streams(&mut self, rules_per_stream: usize) {
        self.book.limit_streams(rules_per_stream);
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

/// A backup that is the main target is none.
fn check_backup(rule: &Rule) -> Result<(), TargetRefused> {
    match &rule.backup_url {
        Some(backup) if *backup == rule.url => Err(TargetRefused {
            role: Role::Backup,
            why: "it is the rule's url itself".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Whether a door may change a rule: none those of configuration and command line, and those of a Tencent project only
/// Tencent's.
fn may_change(owner: Origin, by: Origin) -> bool {
    !owner.is_read_only() && (owner != Origin::Tencent || by == Origin::Tencent)
}
