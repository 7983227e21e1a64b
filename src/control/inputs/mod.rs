//! Inputs: what doors may do about what feeds a stream. The only writer of inputs.
//!
//! # The contract
//!
//! A stream has two places for inputs, [`Role::Main`] and [`Role::Backup`]; each holds one input or none. An input is pulled, played
//! from files, or pushed by a publisher who was given a URL ([`Source`]).
//!
//! **Who owns what.** An input belongs to its [`Origin`]. [`put`](Inputs::put) and [`remove`](Inputs::remove) name the door that asks;
//! what is another one's is refused. Inputs of origin `config` come from the file and change with it. Those of origin `api` are stored,
//! and run from the moment they are put, also after a restart. Those of origin `tencent` are in memory only: their door puts them from
//! its projects at the start, and they run from [`start`](Inputs::start) to [`stop`](Inputs::stop).
//!
//! **What runs.** Every running input is fetched, and tried again for ever where it fails (docs/inputs.md says when not). One of the two
//! is on the air ([`StreamInputs::current`]); the other one is kept ready. The stream goes over when the input on the air ends, is lost,
//! stalls or sends garbage, and comes back once the preferred one has been well for a while. The main input is preferred until
//! [`switch`](Inputs::switch) says otherwise. A change waits for a keyframe of the input that comes; targets see one stream.
//!
//! **How it ends.** When the last running input is stopped, the stream ends at once. When none is fed, the stream waits for the time of
//! grace as for a publisher. An input of files that were played to their end is over; when all running inputs are over, the
//! notice [`Happening::AllEnded`] says so, and the stream has ended.
//!
//! **How it is watched.** [`of`](Inputs::of) shows how it stands at this moment. [`notices`](Inputs::notices) tells what happens from now
//! on; whoever is slow misses notices (`Lagged`), and looks at [`of`](Inputs::of) again.
//!
//! **Push URLs.** [`Source::Push`] holds a name of its own to publish under, unique within the app, a key, and an expiry;
//! [`push_url`](Inputs::push_url) is what the publisher is given. Make the name and the key out of random bytes. The token is judged when a
//! publish begins; who publishes stays. A plain publisher of a stream (its own name, the app's key) is its main input, where no
//! other main input was put.
//!
//! **What is refused**: an unknown app, a literal address that the address policy denies, our own listener, a path outside
//! `[ingest] file_directories`; see [`PutError`]. What a name resolves to is judged at every attempt.

mod book;
mod outcome;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::broadcast;

use super::clock::Clock;
use super::host_judge::HostJudge;
use crate::ingest::inputs::Feeding;
use crate::rule::{AppName, FilePlace, FileUrl, Input, Origin, Role, Source, StreamKey};
use crate::secret::Secret;
use crate::store::{InputStore, StoreError};
use book::{Book, Entry};

pub use crate::ingest::inputs::{
    Happening, InputNotice, InputState, Interruption, Position, Standing,
};
pub use outcome::{InputView, NotRun, Put, PutError, RemoveError, StreamInputs, SwitchError};

/// What the configuration says about inputs; it may change while the gateway runs.
#[derive(Clone, Debug)]
pub struct InputSettings {
    /// The apps whose streams may have inputs.
    pub apps: HashSet<AppName>,
    /// Where files on the gateway's own disk may be; absolute.
    pub file_directories: Vec<PathBuf>,
    /// `rtmp://host[:port]`, as publishers reach the gateway, where that is known.
    pub advertise: Option<String>,
}

/// The service. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Inputs {
    shared: Arc<Shared>,
}

struct Shared {
    /// One change at a time, also while the store is written.
    change: tokio::sync::Mutex<()>,
    book: Mutex<Book>,
    store: Arc<dyn InputStore>,
    feeding: Arc<dyn Feeding>,
    settings: ArcSwap<InputSettings>,
    judge: HostJudge,
    clock: Arc<dyn Clock>,
}

impl Inputs {
    /// Reads the stored inputs, puts those of the configuration beside them, and starts both. It may block for as long as the store
    /// takes. Where both name a place, the configuration's is in it, and the stored one waits until that has gone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(
        store: Arc<dyn InputStore>,
        fixed: Vec<Input>,
        feeding: Arc<dyn Feeding>,
        settings: InputSettings,
        judge: HostJudge,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let mut book = Book::new(store.load_inputs()?);
        let changes = book.replace_fixed(fixed);
        let inputs = Self {
            shared: Arc::new(Shared {
                change: tokio::sync::Mutex::new(()),
                book: Mutex::new(book),
                store,
                feeding,
                settings: ArcSwap::from_pointee(settings),
                judge,
                clock,
            }),
        };
        for input in changes.start {
            inputs.shared.feeding.start(&input);
        }
        Ok(inputs)
    }

    /// Puts an input in its place, instead of the one that its origin has put there before. It is stored and started, or not, as its
    /// origin says (see the contract). The same input again changes nothing. Where the one before runs, the new one is started in its
    /// stead, whatever the origin.
    ///
    /// # Errors
    /// See [`PutError`]. Nothing has changed then.
    pub async fn put(&self, input: Input) -> Result<Put, PutError> {
        let _one = self.shared.change.lock().await;
        self.judge(&input)?;
        let input = Arc::new(input);
        match self.book().admit(&input)? {
            Put::Standing => return Ok(Put::Standing),
            Put::New | Put::Changed => {}
        }
        if is_stored(input.origin) {
            let stored = input.clone();
            self.write(move |store| store.put_input(&stored)).await??;
        }
        let (put, entry) = self.book().put(input);
        if entry.is_running {
            self.shared.feeding.start(&entry.input);
        }
        Ok(put)
    }

    /// Takes an input away, on behalf of the door `by`; it is stopped.
    ///
    /// # Errors
    /// See [`RemoveError`]. Nothing has changed then.
    pub async fn remove(
        &self,
        stream: &StreamKey,
        role: Role,
        by: Origin,
    ) -> Result<(), RemoveError> {
        let _one = self.shared.change.lock().await;
        let origin = match self.book().find(stream, role) {
            None => return Err(RemoveError::NotFound),
            Some(entry) if !may_change(entry.input.origin, by) => {
                return Err(RemoveError::Owned(entry.input.origin));
            }
            Some(entry) => entry.input.origin,
        };
        if is_stored(origin) {
            let place = stream.clone();
            self.write(move |store| store.delete_input(&place, role))
                .await??;
        }
        if self
            .book()
            .remove(stream, role)
            .is_some_and(|entry| entry.is_running)
        {
            self.shared.feeding.stop(stream, role);
        }
        Ok(())
    }

    /// Starts the stream's inputs of this origin, as far as they do not run.
    ///
    /// # Errors
    /// It has none.
    pub async fn start(&self, stream: &StreamKey, by: Origin) -> Result<(), NotRun> {
        let _one = self.shared.change.lock().await;
        let entries = self.book().run(stream, by, true)?;
        for entry in entries {
            self.shared.feeding.start(&entry);
        }
        Ok(())
    }

    /// Stops the stream's inputs of this origin, and has the main one preferred again. The inputs stay put.
    ///
    /// # Errors
    /// It has none.
    pub async fn stop(&self, stream: &StreamKey, by: Origin) -> Result<(), NotRun> {
        let _one = self.shared.change.lock().await;
        let entries = self.book().run(stream, by, false)?;
        for entry in entries {
            self.shared.feeding.stop(stream, entry.role);
        }
        Ok(())
    }

    /// From now on the stream is rather fed from this input. What is on the air goes on until a keyframe of the other one comes.
    ///
    /// # Errors
    /// There is no such input, or it does not run.
    pub async fn switch(&self, stream: &StreamKey, role: Role) -> Result<(), SwitchError> {
        let _one = self.shared.change.lock().await;
        self.book().prefer(stream, role)?;
        self.shared.feeding.prefer(stream, role);
        Ok(())
    }

    /// The inputs of a stream; none where nobody has put any.
    pub fn of(&self, stream: &StreamKey) -> Option<StreamInputs> {
        let entries = self.book().of(stream)?;
        Some(self.view(stream, entries))
    }

    /// All streams that inputs were put for, in the order of their keys.
    pub fn list(&self) -> Vec<StreamInputs> {
        let streams = self.book().streams();
        streams
            .iter()
            .filter_map(|stream| self.of(stream))
            .collect()
    }

    /// What happens from now on.
    pub fn notices(&self) -> broadcast::Receiver<InputNotice> {
        self.shared.feeding.notices()
    }

    /// The URL that a publisher of this input is given; none where it is not pushed, or where the gateway does not know its own address.
    pub fn push_url(&self, input: &Input) -> Option<Secret> {
        let settings = self.shared.settings.load();
        match &input.source {
            Source::Push(push) => {
                let server = settings.advertise.as_deref()?;
                Some(push.url(server, &input.stream.app))
            }
            Source::Pull(_) | Source::Files(_) => None,
        }
    }

    /// Puts other inputs in the place of those of the configuration, after a reload. What did not change goes on undisturbed.
    pub async fn replace_fixed(&self, fixed: Vec<Input>, settings: InputSettings) {
        let _one = self.shared.change.lock().await;
        self.shared.settings.store(Arc::new(settings));
        let changes = self.book().replace_fixed(fixed);
        for (stream, role) in changes.stop {
            self.shared.feeding.stop(&stream, role);
        }
        for input in changes.start {
            self.shared.feeding.start(&input);
        }
    }

    fn view(&self, stream: &StreamKey, entries: book::Places) -> StreamInputs {
        let now = self.shared.clock.now();
        let of = |entry: &Entry| {
            let running = entry.is_running;
            let standing = running.then(|| self.shared.feeding.standing(stream, entry.input.role));
            InputView {
                input: Arc::clone(&entry.input),
                running,
                standing: standing.flatten().unwrap_or_else(|| Standing::stopped(now)),
            }
        };
        StreamInputs {
            stream: stream.clone(),
            preferred: entries.preferred,
            current: self.shared.feeding.current(stream),
            main: entries.main.as_ref().map(of),
            backup: entries.backup.as_ref().map(of),
        }
    }

    fn judge(&self, input: &Input) -> Result<(), PutError> {
        let settings = self.shared.settings.load();
        if !settings.apps.contains(&input.stream.app) {
            let mut apps: Vec<_> = settings.apps.iter().map(AppName::as_str).collect();
            apps.sort_unstable();
            return Err(PutError::UnknownApp {
                app: input.stream.app.clone(),
                apps: apps.join(", "),
            });
        }
        let kind = input.source.kind();
        let judge = |host: &str, port| {
            let judged = (self.shared.judge)(host, port);
            judged.map_err(|why| PutError::Refused { kind, why })
        };
        let judge_file = |url: &FileUrl| match url.place() {
            FilePlace::Http(url) => judge(url.host(), url.port_or_default()),
            FilePlace::Disk(path) if is_within(path, &settings.file_directories) => Ok(()),
            FilePlace::Disk(_) => Err(PutError::Directory),
        };
        match &input.source {
            Source::Pull(url) => judge(url.host(), url.port_or_default()),
            Source::Files(files) => files.urls().iter().try_for_each(judge_file),
            Source::Push(_) if settings.advertise.is_none() => Err(PutError::NoAddress),
            Source::Push(_) => Ok(()),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Each change of it is whole.
        (self.shared.book.lock()).unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the store on a thread that may block.
    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&dyn InputStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Result<T, StoreError>, outcome::GivenUp> {
        let store = Arc::clone(&self.shared.store);
        let done = tokio::task::spawn_blocking(move || write(store.as_ref())).await;
        done.map_err(|error| outcome::GivenUp(error.to_string()))
    }
}

/// Whether inputs of this origin survive a restart by themselves.
fn is_stored(origin: Origin) -> bool {
    matches!(origin, Origin::Api | Origin::Zego)
}

fn is_within(path: &Path, directories: &[PathBuf]) -> bool {
    directories.iter().any(|dir| path.starts_with(dir))
}

/// Whether a door may change or take away an input.
fn may_change(owner: Origin, by: Origin) -> bool {
    !owner.is_read_only() && owner == by
}

#[cfg(test)]
mod tests;
