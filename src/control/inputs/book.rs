//! The inputs that were put, as plain values: no store, no lock, no clock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::outcome::{NotRun, Put, PutError, SwitchError};
use crate::control::limits::MAX_INPUTS;
use crate::rule::{AppName, Input, Origin, Role, Source, StreamKey, StreamName};

/// One input in its place.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) input: Arc<Input>,
    pub(super) is_running: bool,
}

/// A stream's two places.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) preferred: Role,
    pub(super) main: Option<Entry>,
    pub(super) backup: Option<Entry>,
}

/// What a new configuration means for what runs; first stop, then start.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) stop: Vec<(StreamKey, Role)>,
    pub(super) start: Vec<Arc<Input>>,
}

/// All inputs.
#[derive(Debug, Default)]
pub(super) struct Book {
    places: BTreeMap<StreamKey, Places>,
    /// Stored inputs whose place is the configuration's.
    covered: HashMap<(StreamKey, Role), Arc<Input>>,
}

impl Book {
    pub(super) fn new(stored: Vec<Input>) -> Self {
        let mut book = Self::default();
        let stored = stored
            .into_iter()
            .map(|input| ((input.stream.clone(), input.role), Arc::new(input)));
        book.covered.extend(stored);
        book
    }

    pub(super) fn streams(&self) -> Vec<StreamKey> {
        self.places.keys().cloned().collect()
    }

    pub(super) fn of(&self, stream: &StreamKey) -> Option<Places> {
        self.places.get(stream).cloned()
    }

    pub(super) fn find(&self, stream: &StreamKey, role: Role) -> Option<&Entry> {
        self.places.get(stream)?.at(role).as_ref()
    }

    /// Whether an input may be put, and what it would mean.
    pub(super) fn admit(&self, input: &Input) -> Result<Put, PutError> {
        let standing = self.find(&input.stream, input.role);
        let put = match standing {
            Some(entry) if entry.input.origin != input.origin => {
                return Err(PutError::Owned(entry.input.origin));
            }
            Some(entry) if *entry.input == *input => return Ok(Put::Standing),
            Some(_) => Put::Changed,
            None => Put::New,
        };
        if put == Put::New && self.len() >= MAX_INPUTS {
            return Err(PutError::TooMany);
        }
        match &input.source {
            Source::Push(push) if self.is_taken(&input.stream.app, push.name(), input) => {
                Err(PutError::NameTaken)
            }
            _ => Ok(put),
        }
    }

    /// Puts what was admitted.
    pub(super) fn put(&mut self, input: Arc<Input>) -> (Put, Entry) {
        let before = self.find(&input.stream, input.role);
        let put = if before.is_some() {
            Put::Changed
        } else {
            Put::New
        };
        let is_running =
            runs_by_itself(input.origin) || before.is_some_and(|entry| entry.is_running);
        let entry = Entry { input, is_running };
        self.set(entry.clone());
        (put, entry)
    }

    pub(super) fn remove(&mut self, stream: &StreamKey, role: Role) -> Option<Entry> {
        let places = self.places.get_mut(stream)?;
        let entry = places.at_mut(role).take();
        // Nothing that is not there can be preferred.
        if places.preferred == role {
            places.preferred = Role::Main;
        }
        if places.is_empty() {
            self.places.remove(stream);
        }
        entry
    }

    /// Says of the inputs of one origin whether they run; which of them that changes.
    pub(super) fn run(
        &mut self,
        stream: &StreamKey,
        by: Origin,
        is_running: bool,
    ) -> Result<Vec<Arc<Input>>, NotRun> {
        let places = self.places.get_mut(stream).ok_or(NotRun)?;
        let mut known = false;
        let mut changed = Vec::new();
        for entry in [&mut places.main, &mut places.backup].into_iter().flatten() {
            if entry.input.origin != by {
                continue;
            }
            known = true;
            if std::mem::replace(&mut entry.is_running, is_running) != is_running {
                changed.push(Arc::clone(&entry.input));
            }
        }
        if !is_running {
            places.preferred = Role::Main;
        }
        if known { Ok(changed) } else { Err(NotRun) }
    }

    pub(super) fn prefer(&mut self, stream: &StreamKey, role: Role) -> Result<(), SwitchError> {
        let places = self.places.get_mut(stream);
        let places = places.ok_or(SwitchError::NotFound(role))?;
        match places.at(role) {
            None => Err(SwitchError::NotFound(role)),
            Some(entry) if !entry.is_running => Err(SwitchError::NotRunning(role)),
            Some(_) => {
                places.preferred = role;
                Ok(())
            }
        }
    }

    /// Puts the configuration's inputs in their places. A stored one that stood there is covered, and comes back when its place is free
    /// again.
    pub(super) fn replace_fixed(&mut self, fixed: Vec<Input>) -> Changes {
        let mut changes = Changes::default();
        let mut wanted: HashMap<(StreamKey, Role), Arc<Input>> = (fixed.into_iter())
            .map(|input| ((input.stream.clone(), input.role), Arc::new(input)))
            .collect();
        for stream in self.streams() {
            for role in Role::BOTH {
                let Some(entry) = self.find(&stream, role).cloned() else {
                    continue;
                };
                let place = (stream.clone(), role);
                match (wanted.get(&place), entry.input.origin) {
                    (Some(input), _) if **input == *entry.input => drop(wanted.remove(&place)),
                    (Some(_), Origin::Config) => {}
                    // What a project has put there is its own business.
                    (Some(_), Origin::Tencent) => drop(wanted.remove(&place)),
                    (Some(_), _) => drop(self.covered.insert(place, entry.input)),
                    (None, Origin::Config) => {
                        self.remove(&stream, role);
                        changes.stop.push(place);
                    }
                    (None, _) => {}
                }
            }
        }
        let uncovered = (self.covered.keys())
            .filter(|place| !wanted.contains_key(place) && self.find(&place.0, place.1).is_none())
            .cloned()
            .collect::<Vec<_>>();
        let stored = uncovered
            .iter()
            .filter_map(|place| self.covered.remove(place));
        let begin: Vec<_> = wanted
            .into_values()
            .chain(stored.collect::<Vec<_>>())
            .collect();
        for input in begin {
            self.set(Entry {
                input: Arc::clone(&input),
                is_running: true,
            });
            // What is stopped and started again in one go is only replaced.
            let place = (input.stream.clone(), input.role);
            changes.stop.retain(|stopped| *stopped != place);
            changes.start.push(input);
        }
        changes
            .start
            .sort_by(|a, b| (&a.stream, a.role).cmp(&(&b.stream, b.role)));
        changes
    }

    fn set(&mut self, entry: Entry) {
        let places = self
            .places
            .entry(entry.input.stream.clone())
            .or_insert(Places {
                preferred: Role::Main,
                main: None,
                backup: None,
            });
        let role = entry.input.role;
        *places.at_mut(role) = Some(entry);
    }

    fn len(&self) -> usize {
        self.places.values().map(Places::len).sum()
    }

    /// Whether another input of the app is published under this name.
    fn is_taken(&self, app: &AppName, name: &StreamName, by: &Input) -> bool {
        self.places
            .iter()
            .filter(|(stream, _)| stream.app == *app)
            .flat_map(|(_, places)| [&places.main, &places.backup])
            .flatten()
            .filter(|entry| entry.input.stream != by.stream || entry.input.role != by.role)
            .any(|entry| matches!(&entry.input.source, Source::Push(push) if push.name() == name))
    }
}

impl Places {
    pub(super) fn at(&self, role: Role) -> &Option<Entry> {
        match role {
            Role::Main => &self.main,
            Role::Backup => &self.backup,
        }
    }

    fn at_mut(&mut self, role: Role) -> &mut Option<Entry> {
        match role {
            Role::Main => &mut self.main,
            Role::Backup => &mut self.backup,
        }
    }

    fn len(&self) -> usize {
        usize::from(self.main.is_some()) + usize::from(self.backup.is_some())
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether inputs of this origin run from the moment they are put.
fn runs_by_itself(origin: Origin) -> bool {
    origin != Origin::Tencent
}
