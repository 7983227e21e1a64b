//! The rules that are in force, as plain values: no store, no lock, no clock.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::limits::{MAX_RULES, MAX_RULES_PER_STREAM};
use crate::rule::{AppName, Rule, RuleId, RuleSet, Shelf, StreamPattern, UrlTemplate};

/// All rules: those that doors made, which the store keeps, and those of configuration and command line.
#[derive(Debug)]
pub(super) struct Book {
    rules: RuleSet,
    /// The ids of those of configuration and command line, in their order.
    fixed: Vec<RuleId>,
    /// How many rules have come so far: the next one's number on the shelf of the kept.
    came: u64,
    /// The number of the last change.
    revision: u64,
    /// How many rules doors may make for one stream or pattern.
    rules_per_stream: usize,
}

/// What became of the rules of configuration and command line when others took their place.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    /// They are new.
    pub(super) created: Vec<Arc<Rule>>,
    /// They say something else.
    pub(super) changed: Vec<Arc<Rule>>,
    /// They are gone.
    pub(super) deleted: Vec<Arc<Rule>>,
}

/// A bound that a new rule would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// One stream or pattern has as many as it may.
    #[error("this stream already has {0} rules; remove one first")]
    ForStream(usize),
    /// The gateway has as many as it may.
    #[error("this gateway already has {MAX_RULES} rules; remove some first")]
    InAll,
}

impl Book {
    /// `revision` is the highest that was ever given out, as far as the store knows.
    pub(super) fn new(kept: Vec<Rule>, fixed: Vec<Rule>, revision: u64) -> Self {
        let mut book = Self {
            rules: RuleSet::default(),
            fixed: Vec::new(),
            came: 0,
            revision,
            rules_per_stream: MAX_RULES_PER_STREAM,
        };
        for rule in kept {
            book.put(rule);
        }
        book.replace_fixed(fixed);
        book
    }

    /// The revision of the next change.
    pub(super) fn next_revision(&self) -> u64 {
        self.revision + 1
    }

    /// The rules, for everybody to read: the fixed ones first, the others in the order of their creation.
    pub(super) fn set(&self) -> RuleSet {
        self.rules.clone()
    }

    pub(super) fn find(&self, id: &RuleId) -> Option<&Arc<Rule>> {
        self.rules.find(id)
    }

    /// The rule that already says this: app, stream, and URL byte for byte.
    pub(super) fn standing(
        &self,
        app: &AppName,
        stream: &StreamPattern,
        url: &UrlTemplate,
    ) -> Option<Arc<Rule>> {
        self.rules
            .at(app, stream)
            .into_iter()
            .find(|rule| rule.is_same_wish(app, stream, url))
            .cloned()
    }

    /// Whether there is room for one more. Rules of configuration and command line are not counted: whoever writes those
    /// owns the machine.
    pub(super) fn room(&self, app: &AppName, stream: &StreamPattern) -> Result<(), TooMany> {
        if self.rules.len() - self.fixed.len() >= MAX_RULES {
            return Err(TooMany::InAll);
        }
        let here = self.rules.at(app, stream);
        let here = here.iter().filter(|rule| !rule.origin.is_read_only());
        if here.count() >= self.rules_per_stream {
            return Err(TooMany::ForStream(self.rules_per_stream));
        }
        Ok(())
    }

    /// Changes how many rules doors may make for one stream or pattern. Those that are there stay.
    pub(super) fn limit_streams(&mut self, rules_per_stream: usize) {
        self.rules_per_stream = rules_per_stream;
    }

    /// Takes a new rule, or a changed one in the place of the rule with its id.
    pub(super) fn put(&mut self, rule: Rule) -> Arc<Rule> {
        self.revision = self.revision.max(rule.revision);
        let rule = Arc::new(rule);
        self.came += 1;
        self.rules.put((Shelf::Kept, self.came), rule.clone());
        rule
    }

    /// Forgets a rule that a door made.
    pub(super) fn remove(&mut self, id: &RuleId) -> Option<Arc<Rule>> {
        let (_, rule) = self.rules.remove(id)?;
        self.revision += 1;
        Some(rule)
    }

    /// Puts other rules in the place of those of configuration and command line. What both name keeps its revision and the
    /// time of its creation. Says what that changes.
    pub(super) fn replace_fixed(&mut self, fixed: Vec<Rule>) -> Replaced {
        let mut old = HashMap::new();
        for id in std::mem::take(&mut self.fixed) {
            old.extend(self.rules.remove(&id).map(|(_, rule)| (id, rule)));
        }
        let mut seen = HashSet::new();
        let mut replaced = Replaced::default();
        self.revision += 1;
        for mut rule in fixed {
            // The same wish twice in one file is one rule.
            if !seen.insert(rule.id.clone()) {
                continue;
            }
            rule.revision = self.revision;
            let before = old.remove(&rule.id);
            if let Some(before) = &before {
                rule.created_at = before.created_at;
                let same = Rule {
                    revision: before.revision,
                    ..rule.clone()
                };
                if same == **before {
                    rule = same;
                }
            }
            let rule = Arc::new(rule);
            match before {
                None => replaced.created.push(Arc::clone(&rule)),
                Some(before) if before != rule => replaced.changed.push(Arc::clone(&rule)),
                Some(_) => {}
            }
            let number = self.fixed.len() as u64;
            self.fixed.push(rule.id.clone());
            self.rules.put((Shelf::Fixed, number), rule);
        }
        replaced.deleted = old.into_values().collect();
        replaced
    }
}
