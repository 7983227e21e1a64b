//! Rules in a SQLite file, by write-ahead log and a full sync for every commit.
//!
//! `kill -9` loses nothing that was answered, and neither does a power cut (docs/decisions/2026-11-20-sqlite-for-rules.md). A file
//! is made under another name and moved into place when it is whole, so one that is empty or torn was damaged later and is
//! refused: it must never pass for a store without rules.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, named_params};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::directory::{lock, make_private, prepare_directory, private_file};
use super::{RuleStore, StoreError};
use crate::rule::{AppName, Origin, Rule, RuleId, StreamName, StreamPattern, UrlTemplate};

/// The store's file in the data directory.
pub const FILE_NAME: &str = "rules.db";

const NEW_FILE_NAME: &str = "rules.db.new";

/// Marks the file as ours: "AQDT".
const APPLICATION_ID: i64 = 0x4151_4454;

/// How long a call waits for another program, such as a copy being made with `sqlite3 .backup`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// The schema, step by step; `user_version` counts the steps that a file has taken. Steps are added, never changed.
const LADDER: [&str; 1] = ["
    CREATE TABLE rules (
        id TEXT NOT NULL PRIMARY KEY,
        app TEXT NOT NULL,
        stream TEXT NOT NULL,
        url TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        origin TEXT NOT NULL,
        created_at TEXT NOT NULL,
        revision INTEGER NOT NULL,
        stop_at TEXT,
        chunk_size INTEGER
    ) STRICT;
    -- One row: the highest revision ever, which must not fall when its rule is removed.
    CREATE TABLE book (revision INTEGER NOT NULL) STRICT;
    INSERT INTO book (revision) VALUES (0);
"];

/// Rules in `rules.db` of a data directory, which nobody else may enter or use meanwhile.
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
        let path = directory.join(FILE_NAME);
        if !exists(&path)? {
            create(directory)?;
        }
        close_to_others(&path)?;
        let connection = connect(&path)?;
        verify(&connection, &path)?;
        configure(&connection, &path)?;
        climb(&connection, &path)?;
        Ok(Self {
            connection: Mutex::new(connection),
            path,
            _lock: lock,
        })
    }

    /// The store's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        work(&self.connection()).map_err(|error| describe(&self.path, error))
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
        let stored: Vec<Stored> = self.with(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM rules ORDER BY revision, id")?;
            statement.query_map([], Stored::read)?.collect()
        })?;
        stored
            .into_iter()
            .map(|stored| {
                let id = stored.id.clone();
                stored
                    .into_rule()
                    .map_err(|reason| self.corrupt(format!("rule {id:?}: {reason}")))
            })
            .collect()
    }

    fn insert(&self, rule: &Rule) -> Result<(), StoreError> {
        let written = self.with(|connection| {
            write(
                connection,
                rule,
                "INSERT INTO rules
                    (id, app, stream, url, enabled, origin, created_at, revision, stop_at, chunk_size) VALUES
                    (:id, :app, :stream, :url, :enabled, :origin, :created_at, :revision, :stop_at, :chunk_size)",
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
                    app = :app, stream = :stream, url = :url, enabled = :enabled, origin = :origin,
                    created_at = :created_at, revision = :revision, stop_at = :stop_at, chunk_size = :chunk_size
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
        ":enabled": rule.enabled,
        ":origin": rule.origin.as_str(),
        ":created_at": text(rule.created_at)?,
        ":revision": revision,
        ":stop_at": rule.stop_at.map(text).transpose()?,
        ":chunk_size": rule.chunk_size,
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
    enabled: bool,
    origin: String,
    created_at: String,
    revision: i64,
    stop_at: Option<String>,
    chunk_size: Option<u32>,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            app: row.get("app")?,
            stream: row.get("stream")?,
            url: row.get("url")?,
            enabled: row.get("enabled")?,
            origin: row.get("origin")?,
            created_at: row.get("created_at")?,
            revision: row.get("revision")?,
            stop_at: row.get("stop_at")?,
            chunk_size: row.get("chunk_size")?,
        })
    }

    fn into_rule(self) -> Result<Rule, String> {
        let origin = Origin::parse(&self.origin).ok_or("its origin is unknown")?;
        let (stream, url) = if origin.is_literal() {
            let stream = StreamName::parse(&self.stream)
                .map(StreamPattern::literal)
                .map_err(|e| e.to_string())?;
            (
                stream,
                UrlTemplate::literal(&self.url).map_err(|e| e.to_string())?,
            )
        } else {
            let stream = StreamPattern::parse(&self.stream).map_err(|e| e.to_string())?;
            (
                stream,
                UrlTemplate::parse(&self.url).map_err(|e| e.to_string())?,
            )
        };
        let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).map_err(|e| e.to_string());
        Ok(Rule {
            id: RuleId::parse(&self.id).map_err(|e| e.to_string())?,
            app: AppName::parse(&self.app).map_err(|e| e.to_string())?,
            stream,
            url,
            enabled: self.enabled,
            origin,
            created_at: time(&self.created_at)?,
            revision: u64::try_from(self.revision).map_err(|_| "its revision is negative")?,
            stop_at: self.stop_at.as_deref().map(time).transpose()?,
            chunk_size: self.chunk_size,
        })
    }
}

fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(|error| StoreError::Unusable {
        path: path.to_owned(),
        error,
    })
}

/// SQLite gives `-wal` and `-shm` the mode of the file itself; those of an older time get it here.
fn close_to_others(path: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm"] {
        let path = beside(path, suffix);
        make_private(&path).map_err(|error| StoreError::Unusable { path, error })?;
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes a whole store under another name and moves it into place.
fn create(directory: &Path) -> Result<(), StoreError> {
    let (path, new) = (directory.join(FILE_NAME), directory.join(NEW_FILE_NAME));
    let orphan = beside(&path, "-wal");
    if exists(&orphan)? {
        let detail = format!("{} is there without it", orphan.display());
        return Err(StoreError::Corrupt { path, detail });
    }
    let unusable = |error: io::Error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            StoreError::Full { path: new.clone() }
        }
        io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path: new.clone() },
        _ => StoreError::Unusable {
            path: new.clone(),
            error,
        },
    };
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(beside(&new, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
            _ => {}
        }
    }
    private_file()
        .create_new(true)
        .open(&new)
        .map_err(unusable)?;
    let connection = connect(&new)?;
    configure(&connection, &new)?;
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(|error| describe(&new, error))?;
    climb(&connection, &new)?;
    // The last connection to close moves the log into the file and removes it.
    connection
        .close()
        .map_err(|(_, error)| describe(&new, error))?;
    File::open(&new)
        .and_then(|file| file.sync_all())
        .map_err(unusable)?;
    fs::rename(&new, &path).map_err(unusable)?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(unusable)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    };
    open().map_err(|error| describe(path, error))
}

fn configure(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let set = || {
        connection.pragma_update(None, "trusted_schema", "OFF")?;
        // A removed rule's key is not left in free pages.
        connection.pragma_update(None, "secure_delete", "ON")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))
    };
    match set().map_err(|error| describe(path, error))?.as_str() {
        "wal" => Ok(()),
        _ => Err(StoreError::Unusable {
            path: path.to_owned(),
            error: io::Error::new(
                io::ErrorKind::Unsupported,
                "the file system cannot keep a write-ahead log",
            ),
        }),
    }
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Whether the file is whole and ours. Nothing is written before this.
fn verify(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let corrupt = |detail: &str| StoreError::Corrupt {
        path: path.to_owned(),
        detail: detail.to_owned(),
    };
    let read = |name| pragma(connection, name).map_err(|error| describe(path, error));
    if fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0) {
        return Err(corrupt("the file is empty"));
    }
    if read("application_id")? != APPLICATION_ID {
        return Err(corrupt("it is no file of aqueduct's"));
    }
    let (found, known) = (read("user_version")?, LADDER.len() as i64);
    if found > known {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    if found < 1 {
        return Err(corrupt("it has no schema"));
    }
    let damage: Option<String> = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .optional()
        .map_err(|error| describe(path, error))?;
    match damage.as_deref() {
        Some("ok") => Ok(()),
        damage => Err(corrupt(damage.unwrap_or("it cannot be checked"))),
    }
}

/// Takes the steps of the ladder that the file has not taken, each in its own commit.
fn climb(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let taken = pragma(connection, "user_version").map_err(|error| describe(path, error))?;
    for (version, step) in (1_i64..)
        .zip(LADDER)
        .skip_while(|(version, _)| *version <= taken)
    {
        let commit = format!("BEGIN IMMEDIATE; {step} PRAGMA user_version = {version}; COMMIT;");
        connection.execute_batch(&commit).map_err(|error| {
            let _ = connection.execute_batch("ROLLBACK");
            describe(path, error)
        })?;
    }
    Ok(())
}

fn describe(path: &Path, error: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt {
            path,
            detail: error.to_string(),
        },
        _ => StoreError::Other { path, error },
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
            enabled: true,
            origin: Origin::Api,
            created_at: OffsetDateTime::UNIX_EPOCH,
            revision: number,
            stop_at: None,
            chunk_size: None,
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
                    revision, stop_at, chunk_size FROM rules; END",
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
        assert_eq!(pragma(&connection, "synchronous").unwrap(), 2);
        assert_eq!(pragma(&connection, "secure_delete").unwrap(), 1);
        assert_eq!(
            pragma(&connection, "user_version").unwrap(),
            LADDER.len() as i64
        );
    }
}
