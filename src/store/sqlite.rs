//! The store in a SQLite file, by write-ahead log and a full sync for every commit.
//!
//! `kill -9` loses nothing that was answered, and neither does a power cut (docs/decisions/2026-11-20-sqlite-for-rules.md).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Row};

use super::StoreError;
use super::directory::{lock, prepare_directory};
use super::file::{self, describe};

/// All that is stored, in `rules.db` of a data directory, which nobody else may enter or use meanwhile.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Mutex<Connection>,
    path: PathBuf,
    _lock: File,
}

impl SqliteStore {
    /// Opens the store of a data directory; makes both where they are missing.
    ///
    /// # Errors
    /// The directory cannot be used or is another gateway's, or the file is damaged, foreign, or of a newer version.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        prepare_directory(directory)?;
        let lock = lock(directory)?;
        let connection = Mutex::new(file::open(directory)?);
        Ok(Self {
            connection,
            path: directory.join(file::FILE_NAME),
            _lock: lock,
        })
    }

    /// The store's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        work(&self.connection()).map_err(|error| describe(&self.path, error))
    }

    /// All that a query finds: each row is read, named, and then taken for what it says. One that cannot be is told by its name, and
    /// nothing is loaded.
    pub(super) fn load_all<R, T>(
        &self,
        query: &str,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<R>,
        name: impl Fn(&R) -> String,
        parse: impl Fn(R) -> Result<T, String>,
    ) -> Result<Vec<T>, StoreError> {
        let rows: Vec<R> = self.with(|connection| {
            let mut statement = connection.prepare_cached(query)?;
            statement.query_map([], read)?.collect()
        })?;
        rows.into_iter()
            .map(|row| {
                let name = name(&row);
                parse(row).map_err(|reason| self.corrupt(format!("{name}: {reason}")))
            })
            .collect()
    }

    /// A panic elsewhere leaves no half of a commit behind, so a poisoned lock is as good as any.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn corrupt(&self, detail: String) -> StoreError {
        StoreError::Corrupt {
            path: self.path.clone(),
            detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{AppName, Origin, Rule, RuleId, StreamPattern, UrlTemplate};
    use crate::store::RuleStore;
    use time::OffsetDateTime;

    fn rule(number: u64) -> Rule {
        Rule {
            id: RuleId::parse(&format!("r-{number}")).unwrap(),
            app: AppName::live(),
            stream: StreamPattern::every(),
            url: UrlTemplate::parse(&format!("rtmp://h/app/{}", "k".repeat(2000))).unwrap(),
            backup_url: None,
            enabled: true,
            origin: Origin::Api,
            created_at: OffsetDateTime::UNIX_EPOCH,
            revision: number,
            stop_at: None,
            chunk_size: None,
            strict_interleave: false,
            digest_handshake: false,
        }
    }

    fn store() -> (tempfile::TempDir, SqliteStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path()).unwrap();
        (directory, store)
    }

    fn run(store: &SqliteStore, sql: &str) {
        store
            .with(|connection| connection.execute_batch(sql))
            .unwrap();
    }

    #[test]
    fn a_full_disk_is_told_and_leaves_what_was_there() {
        let (_directory, store) = store();
        run(&store, "PRAGMA max_page_count = 12");
        let stored = (1..)
            .map_while(|number| store.insert(&rule(number)).is_ok().then_some(number))
            .count() as u64;
        assert!(stored > 0);
        let error = store.insert(&rule(stored + 1)).unwrap_err();
        assert!(
            matches!(error, StoreError::Full { .. }) && error.is_transient(),
            "{error}"
        );
        assert_eq!(store.load().unwrap().len() as u64, stored);
        assert_eq!(store.max_revision().unwrap(), stored);

        // A removal frees pages, so the bound alone would not stop it as a full disk does: this one writes beside it.
        run(
            &store,
            "CREATE TEMP TRIGGER t BEFORE DELETE ON rules BEGIN
                INSERT INTO rules SELECT id || 'x', app, stream, url || url || url, enabled, origin, created_at,
                    revision, stop_at, chunk_size, backup_url, strict_interleave, digest_handshake FROM rules; END",
        );
        let error = store.delete(&rule(1).id).unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error}");
        assert_eq!(store.load().unwrap().len() as u64, stored);

        run(&store, "DROP TRIGGER t; PRAGMA max_page_count = 1000");
        assert!(store.delete(&rule(1).id).unwrap());
        store.insert(&rule(stored + 1)).unwrap();
    }

    #[test]
    fn a_read_only_file_is_told() {
        let (_directory, store) = store();
        store.insert(&rule(1)).unwrap();
        run(&store, "PRAGMA query_only = ON");
        for error in [
            store.insert(&rule(2)).unwrap_err(),
            store.delete(&rule(1).id).unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
        }
        assert_eq!(store.load().unwrap().len(), 1);
    }

    #[test]
    fn commits_are_synced_and_logged_ahead() {
        let (_directory, store) = store();
        let connection = store.connection();
        let mode: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
        assert_eq!(file::pragma(&connection, "synchronous").unwrap(), 2);
        assert_eq!(file::pragma(&connection, "secure_delete").unwrap(), 1);
        assert_eq!(
            file::pragma(&connection, "user_version").unwrap(),
            file::LADDER.len() as i64
        );
    }
}
