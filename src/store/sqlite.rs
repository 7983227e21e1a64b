//! The store in a SQLite file, by write-ahead log and a full sync for every commit; and the rules in it.
//!
//! `kill -9` loses nothing that was answered, and neither does a power cut (docs/decisions/2026-11-20-sqlite-for-rules.md).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Row, named_params};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::directory::{lock, prepare_directory};
use super::file::{self, describe};
use super::{RuleStore, StoreError};
use crate::rule::{
    AppName, CHUNK_SIZES, Origin, Rule, RuleId, StreamName, StreamPattern, UrlTemplate,
};

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

    fn corrupt(&self, detail: String) -> StoreError {
        StoreError::Corrupt {
            path: self.path.clone(),
            detail,
        }
    }
}

impl RuleStore for SqliteStore {
    fn load(&self) -> Result<Vec<Rule>, StoreError> {
        self.load_all(
            "SELECT * FROM rules ORDER BY revision, id",
            Stored::read,
            |stored| format!("rule {:?}", stored.id),
            Stored::into_rule,
        )
    }

    fn insert(&self, rule: &Rule) -> Result<(), StoreError> {
        let written = self.with(|connection| {
            write(
                connection,
                rule,
                "INSERT INTO rules
                    (id, app, stream, url, backup_url, enabled, origin, created_at, revision, stop_at, chunk_size,
                        strict_interleave, digest_handshake) VALUES
                    (:id, :app, :stream, :url, :backup_url, :enabled, :origin, :created_at, :revision, :stop_at, :chunk_size,
                        :strict_interleave, :digest_handshake)",
            )
        });
        written.map(|_| ())
    }

    fn replace(&self, rule: &Rule) -> Result<bool, StoreError> {
        self.with(|connection| {
            write(
                connection,
                rule,
                "UPDATE rules SET
                    app = :app, stream = :stream, url = :url, backup_url = :backup_url, enabled = :enabled,
                    origin = :origin, created_at = :created_at, revision = :revision, stop_at = :stop_at, chunk_size = :chunk_size,
                    strict_interleave = :strict_interleave, digest_handshake = :digest_handshake
                    WHERE id = :id",
            )
        })
    }

    fn delete(&self, id: &RuleId) -> Result<bool, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached("DELETE FROM rules WHERE id = ?1")?;
            Ok(statement.execute([id.as_str()])? > 0)
        })
    }

    fn max_revision(&self) -> Result<u64, StoreError> {
        let revision: i64 = self.with(|connection| {
            connection.query_row("SELECT max(revision) FROM book", [], |row| row.get(0))
        })?;
        u64::try_from(revision).map_err(|_| self.corrupt("the revision is negative".to_owned()))
    }
}

/// Runs a statement that writes one rule, and counts its revision, in one commit.
fn write(connection: &Connection, rule: &Rule, sql: &str) -> rusqlite::Result<bool> {
    let text = |time: OffsetDateTime| {
        time.format(&Rfc3339)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    };
    let revision = i64::try_from(rule.revision)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    // Rolls back when it is dropped without a commit.
    let transaction = connection.unchecked_transaction()?;
    let changed = transaction.prepare_cached(sql)?.execute(named_params! {
        ":id": rule.id.as_str(),
        ":app": rule.app.as_str(),
        ":stream": rule.stream.as_str(),
        ":url": rule.url.expose(),
        ":backup_url": rule.backup_url.as_ref().map(UrlTemplate::expose),
        ":enabled": rule.enabled,
        ":origin": rule.origin.as_str(),
        ":created_at": text(rule.created_at)?,
        ":revision": revision,
        ":stop_at": rule.stop_at.map(text).transpose()?,
        ":chunk_size": rule.chunk_size,
        ":strict_interleave": rule.strict_interleave,
        ":digest_handshake": rule.digest_handshake,
    })?;
    transaction
        .prepare_cached("UPDATE book SET revision = max(revision, ?1)")?
        .execute([revision])?;
    transaction.commit()?;
    Ok(changed > 0)
}

/// A row, read and not yet believed.
struct Stored {
    id: String,
    app: String,
    stream: String,
    url: String,
    backup_url: Option<String>,
    enabled: bool,
    origin: String,
    created_at: String,
    revision: i64,
    stop_at: Option<String>,
    chunk_size: Option<u32>,
    strict_interleave: bool,
    digest_handshake: bool,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            app: row.get("app")?,
            stream: row.get("stream")?,
            url: row.get("url")?,
            backup_url: row.get("backup_url")?,
            enabled: row.get("enabled")?,
            origin: row.get("origin")?,
            created_at: row.get("created_at")?,
            revision: row.get("revision")?,
            stop_at: row.get("stop_at")?,
            chunk_size: row.get("chunk_size")?,
            strict_interleave: row.get("strict_interleave")?,
            digest_handshake: row.get("digest_handshake")?,
        })
    }

    fn into_rule(self) -> Result<Rule, String> {
        let origin = Origin::parse(&self.origin).ok_or("its origin is unknown")?;
        let stream = match origin.is_literal() {
            true => StreamName::parse(&self.stream).map(StreamPattern::literal),
            false => StreamPattern::parse(&self.stream),
        };
        let url = |text: &str| UrlTemplate::of(origin, text).map_err(|e| e.to_string());
        if self
            .chunk_size
            .is_some_and(|size| !CHUNK_SIZES.contains(&size))
        {
            return Err("its chunk size is out of bounds".to_owned());
        }
        let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).map_err(|e| e.to_string());
        Ok(Rule {
            id: RuleId::parse(&self.id).map_err(|e| e.to_string())?,
            app: AppName::parse(&self.app).map_err(|e| e.to_string())?,
            stream: stream.map_err(|e| e.to_string())?,
            url: url(&self.url)?,
            backup_url: self.backup_url.as_deref().map(url).transpose()?,
            enabled: self.enabled,
            origin,
            created_at: time(&self.created_at)?,
            revision: u64::try_from(self.revision).map_err(|_| "its revision is negative")?,
            stop_at: self.stop_at.as_deref().map(time).transpose()?,
            chunk_size: self.chunk_size,
            strict_interleave: self.strict_interleave,
            digest_handshake: self.digest_handshake,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
