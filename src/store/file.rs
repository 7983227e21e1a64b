//! The store's file: how it is made, how it is known to be whole, and how it grows from one schema to the next.
//!
//! A file is made under another name and moved into place when it is whole, so one that is empty or torn was damaged later and
//! is refused: it must never pass for a store without rules.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::StoreError;
use super::directory::{make_private, private_file};

/// The store's file in the data directory.
pub const FILE_NAME: &str = "rules.db";

const NEW_FILE_NAME: &str = "rules.db.new";

/// Marks the file as ours: "AQDT".
const APPLICATION_ID: i64 = 0x4151_4454;

/// How long a call waits for another program, such as a copy being made with `sqlite3 .backup`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// The schema, step by step; `user_version` counts the steps that a file has taken. Steps are added, never changed.
pub(super) const LADDER: [&str; 6] = [
    "
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
",
    "ALTER TABLE rules ADD COLUMN backup_url TEXT;",
    "
    CREATE TABLE inputs (
        app TEXT NOT NULL,
        stream TEXT NOT NULL,
        role TEXT NOT NULL,
        origin TEXT NOT NULL,
        kind TEXT NOT NULL,
        -- A JSON list.
        urls TEXT NOT NULL,
        loops INTEGER NOT NULL,
        push_name TEXT,
        push_key TEXT,
        -- Seconds since 1970.
        expires_at INTEGER,
        PRIMARY KEY (app, stream, role)
    ) STRICT;
",
    "CREATE TABLE forbids (app TEXT NOT NULL, stream TEXT NOT NULL, PRIMARY KEY (app, stream)) STRICT;",
    "
    CREATE TABLE projects (
        id TEXT NOT NULL PRIMARY KEY,
        app TEXT NOT NULL,
        -- JSON.
        document TEXT NOT NULL
    ) STRICT;
",
    "ALTER TABLE rules ADD COLUMN strict_interleave INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE rules ADD COLUMN digest_handshake INTEGER NOT NULL DEFAULT 0;",
];

/// Opens the file of a data directory, or makes it.
pub(super) fn open(directory: &Path) -> Result<Connection, StoreError> {
    let path = directory.join(FILE_NAME);
    if !exists(&path)? {
        create(directory)?;
    }
    close_to_others(&path)?;
    let connection = connect(&path)?;
    verify(&connection, &path)?;
    configure(&connection, &path)?;
    climb(&connection, &path)?;
    Ok(connection)
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

pub(super) fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
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

pub(super) fn describe(path: &Path, error: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
        Some(ErrorCode::SystemIoFailure) => StoreError::Disk { path, error },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt {
            path,
            detail: error.to_string(),
        },
        _ => StoreError::Other { path, error },
    }
}
