//! Projects without media: where they are kept, and who would feed them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aqueduct::control::{Project, ProjectId, StreamKey};
use aqueduct::ingest::inputs::{Feeding, InputNotice, Standing};
use aqueduct::rule::{Input, Role};
use aqueduct::store::{ProjectStore, StoreError};
use tokio::sync::broadcast;

use super::MemoryStore;

impl ProjectStore for MemoryStore {
    fn load_projects(&self) -> Result<Vec<Project>, StoreError> {
        Ok(self.projects.lock().unwrap().values().cloned().collect())
    }

    fn put_project(&self, project: &Project) -> Result<(), StoreError> {
        self.write()?;
        let mut projects = self.projects.lock().unwrap();
        projects.insert(project.id.clone(), project.clone());
        Ok(())
    }

    fn delete_project(&self, id: &ProjectId) -> Result<bool, StoreError> {
        self.write()?;
        Ok(self.projects.lock().unwrap().remove(id).is_some())
    }
}

/// Feeds nothing, and remembers what it was told to feed.
pub struct FakeFeeding {
    pub running: Mutex<BTreeMap<(StreamKey, Role), Arc<Input>>>,
    pub on_air: Mutex<BTreeMap<StreamKey, Role>>,
    pub standing: Mutex<BTreeMap<(StreamKey, Role), Standing>>,
    pub notices: broadcast::Sender<InputNotice>,
}

impl Default for FakeFeeding {
    fn default() -> Self {
        Self {
            running: Mutex::default(),
            on_air: Mutex::default(),
            standing: Mutex::default(),
            notices: broadcast::channel(16).0,
        }
    }
}

impl Feeding for FakeFeeding {
    fn start(&self, input: &Arc<Input>) {
        let place = (input.stream.clone(), input.role);
        let mut running = self.running.lock().unwrap();
        running.insert(place, Arc::clone(input));
    }

    fn stop(&self, stream: &StreamKey, role: Role) {
        let place = (stream.clone(), role);
        self.running.lock().unwrap().remove(&place);
    }

    fn prefer(&self, stream: &StreamKey, role: Role) {
        self.on_air.lock().unwrap().insert(stream.clone(), role);
    }

    fn current(&self, stream: &StreamKey) -> Option<Role> {
        self.on_air.lock().unwrap().get(stream).copied()
    }

    fn standing(&self, stream: &StreamKey, role: Role) -> Option<Standing> {
        let place = (stream.clone(), role);
        self.standing.lock().unwrap().get(&place).cloned()
    }

    fn notices(&self) -> broadcast::Receiver<InputNotice> {
        self.notices.subscribe()
    }
}
