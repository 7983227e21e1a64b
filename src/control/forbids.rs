//! Which streams nobody may publish: in force at once, and durable where the configuration wants that.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Mutex;

use super::limits::MAX_FORBIDS;
use crate::relay::Hub;
use crate::rule::{AppName, StreamKey};
use crate::store::{ForbidStore, StoreError};

/// The forbidden streams. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Forbids(Arc<Inner>);

struct Inner {
    hub: Arc<Hub>,
    store: Arc<dyn ForbidStore>,
    /// Whether new ones are stored.
    durable: AtomicBool,
    /// Held while one is made or lifted, so that the store and what is in force agree on the order.
    forbidden: Mutex<HashSet<StreamKey>>,
}

/// Why a stream is not forbidden, or a forbid not lifted for good.
#[derive(Debug, thiserror::Error)]
pub enum ForbidError {
    /// The app has as many as it may; nothing has changed.
    #[error("{MAX_FORBIDS} streams are forbidden already; resume some first")]
    TooMany,
    /// In force until the process ends, and no longer: the store did not take it.
    #[error("in force, but not stored: {0}")]
    NotStored(String),
}

impl Forbids {
    /// Reads the stored ones and puts them in force. It may block for as long as the store takes.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(
        hub: Arc<Hub>,
        store: Arc<dyn ForbidStore>,
        durable: bool,
    ) -> Result<Self, StoreError> {
        let stored = match durable {
            true => store.forbidden()?,
            false => Vec::new(),
        };
        for key in &stored {
            hub.forbid(key);
        }
        Ok(Self(Arc::new(Inner {
            hub,
            store,
            durable: AtomicBool::new(durable),
            forbidden: Mutex::new(stored.into_iter().collect()),
        })))
    }

    /// Whether those that are made from now on outlive the process.
    pub fn set_durable(&self, durable: bool) {
        self.0.durable.store(durable, Ordering::Relaxed);
    }

    /// Lets nobody publish a stream; who publishes it is seen off, and what was received is still delivered.
    ///
    /// # Errors
    /// See [`ForbidError`].
    pub async fn forbid(&self, key: StreamKey) -> Result<(), ForbidError> {
        let mut forbidden = self.0.forbidden.lock().await;
        if !forbidden.contains(&key) {
            let of_app = |app: &AppName| forbidden.iter().filter(|other| other.app == *app).count();
            if of_app(&key.app) >= MAX_FORBIDS {
                return Err(ForbidError::TooMany);
            }
            forbidden.insert(key.clone());
        }
        self.0.hub.forbid(&key);
        if !self.0.durable.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.store(move |store| store.forbid(&key)).await
    }

    /// Lets a stream be published again.
    ///
    /// # Errors
    /// See [`ForbidError`]; a stream that was not forbidden is fine.
    pub async fn permit(&self, key: StreamKey) -> Result<(), ForbidError> {
        let mut forbidden = self.0.forbidden.lock().await;
        forbidden.remove(&key);
        self.0.hub.permit(&key);
        // Also where new ones are not stored: it may be one of an earlier time.
        self.store(move |store| store.permit(&key)).await
    }

    async fn store(
        &self,
        write: impl FnOnce(&dyn ForbidStore) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<(), ForbidError> {
        let store = Arc::clone(&self.0.store);
        let done = tokio::task::spawn_blocking(move || write(&*store)).await;
        let stored = done.map_err(|error| error.to_string());
        stored
            .and_then(|stored| stored.map_err(|error| error.to_string()))
            .map_err(ForbidError::NotStored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay::ring::RingLimits;
    use crate::relay::{Claim, Credential, DuplicatePolicy};
    use crate::store::SqliteStore;

    /// Takes everything and keeps nothing.
    struct Nowhere;

    impl ForbidStore for Nowhere {
        fn forbidden(&self) -> Result<Vec<StreamKey>, StoreError> {
            Ok((0..MAX_FORBIDS).map(key).collect())
        }

        fn forbid(&self, _: &StreamKey) -> Result<(), StoreError> {
            Ok(())
        }

        fn permit(&self, _: &StreamKey) -> Result<(), StoreError> {
            Ok(())
        }
    }

    fn key(number: usize) -> StreamKey {
        StreamKey::parse("live", &number.to_string()).unwrap()
    }

    #[tokio::test]
    async fn an_app_has_a_bounded_number_of_forbids() {
        let hub = Hub::new(RingLimits::default());
        let forbids = Forbids::open(hub, Arc::new(Nowhere), true).unwrap();
        let more = || key(MAX_FORBIDS);
        let refused = forbids.forbid(more()).await;
        assert!(matches!(refused, Err(ForbidError::TooMany)), "{refused:?}");
        forbids.forbid(key(5)).await.unwrap();
        let of_other = StreamKey::parse("other", "0").unwrap();
        forbids.forbid(of_other).await.unwrap();
        forbids.permit(key(5)).await.unwrap();
        forbids.forbid(more()).await.unwrap();
    }

    #[tokio::test]
    async fn a_forbid_that_is_not_durable_ends_with_the_process_and_so_do_stored_ones_then() {
        let directory = tempfile::tempdir().unwrap();
        let open = |durable| {
            let hub = Hub::new(RingLimits::default());
            let store = Arc::new(SqliteStore::open(directory.path()).unwrap());
            let forbids = Forbids::open(Arc::clone(&hub), store, durable).unwrap();
            (hub, forbids)
        };
        let may = |hub: &Arc<Hub>, number| {
            let claim = Claim {
                credential: Credential::Wish,
                peer: "192.0.2.7:1".parse().unwrap(),
                client: String::new(),
                input: None,
            };
            hub.claim(&key(number), claim, DuplicatePolicy::Reject)
                .is_ok()
        };
        let (hub, forbids) = open(false);
        forbids.forbid(key(1)).await.unwrap();
        assert!(!may(&hub, 1), "it is in force all the same");
        // A reload of the configuration says otherwise.
        forbids.set_durable(true);
        forbids.forbid(key(2)).await.unwrap();
        drop(forbids);
        let (hub, forbids) = open(true);
        assert!(may(&hub, 1) && !may(&hub, 2));
        drop(forbids);
        let (hub, forbids) = open(false);
        assert!(may(&hub, 1) && may(&hub, 2));
        // What is taken back is so for good, whatever is configured by then.
        forbids.permit(key(2)).await.unwrap();
        drop(forbids);
        let (hub, _forbids) = open(true);
        assert!(may(&hub, 2));
    }
}
