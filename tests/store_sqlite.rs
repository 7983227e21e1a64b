//! Rules survive in SQLite, and a store that cannot be trusted is refused rather than taken for an empty one.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aqueduct::rule::{
    AppName, Origin, Rule, RuleId, StreamKey, StreamName, StreamPattern, UrlTemplate,
};
use aqueduct::store::{FILE_NAME, RuleStore, SqliteStore, StoreError};
use rusqlite::Connection;
use time::{Duration, OffsetDateTime};

const CANARY: &str = "canary7key";

fn rule(number: u64, origin: Origin) -> Rule {
    let (stream, url) = (
        "a*b",
        format!("rtmp://u:{CANARY}@h/app/{{stream}}{number}?{CANARY}"),
    );
    let (stream, url) = match origin.is_literal() {
        true => (
            StreamPattern::literal(StreamName::parse(stream).unwrap()),
            UrlTemplate::literal(&url).unwrap(),
        ),
        false => (
            StreamPattern::parse(stream).unwrap(),
            UrlTemplate::parse(&url).unwrap(),
        ),
    };
    let backup_url = number.is_multiple_of(3).then(|| {
        let text = format!("rtmp://b/app/{{stream}}{number}?{CANARY}");
        UrlTemplate::of(origin, &text).unwrap()
    });
    Rule {
        id: RuleId::from_random(number.to_be_bytes()),
        app: AppName::live(),
        stream,
        url,
        backup_url,
        enabled: !number.is_multiple_of(2),
        origin,
        created_at: OffsetDateTime::UNIX_EPOCH + Duration::nanoseconds(1_234_567_890_123_456_789),
        revision: number,
        stop_at: number
            .is_multiple_of(3)
            .then(|| OffsetDateTime::UNIX_EPOCH + Duration::days(40_000)),
        chunk_size: number.is_multiple_of(3).then_some(8192),
        strict_interleave: number.is_multiple_of(2),
        digest_handshake: number.is_multiple_of(3),
    }
}

fn open(directory: &Path) -> SqliteStore {
    SqliteStore::open(directory).unwrap()
}

fn edit(directory: &Path, sql: &str) {
    Connection::open(directory.join(FILE_NAME))
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}

#[test]
fn rules_come_back_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let rules = [
        rule(1, Origin::Api),
        rule(2, Origin::Zego),
        rule(3, Origin::Tencent),
    ];
    let store = open(directory.path());
    assert!(store.load().unwrap().is_empty());
    assert_eq!(store.max_revision().unwrap(), 0);
    for rule in &rules {
        store.insert(rule).unwrap();
    }
    drop(store);

    let store = open(directory.path());
    assert_eq!(store.load().unwrap(), rules);
    let key = StreamKey::parse("live", "axb").unwrap();
    let applies: Vec<bool> = store
        .load()
        .unwrap()
        .iter()
        .map(|rule| rule.applies_to(&key))
        .collect();
    assert_eq!(applies, [true, false, false], "a vendor's star is a star");
}

#[test]
fn a_rule_can_be_replaced_and_removed_and_its_revision_stays_counted() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.insert(&rule(1, Origin::Api)).unwrap();
    let changed = Rule {
        enabled: false,
        revision: 7,
        ..rule(1, Origin::Api)
    };
    assert!(store.replace(&changed).unwrap());
    assert!(!store.replace(&rule(2, Origin::Api)).unwrap());
    assert!(
        store.insert(&rule(1, Origin::Api)).is_err(),
        "an id is given once"
    );
    assert_eq!(store.load().unwrap(), [changed]);
    assert!(store.delete(&rule(1, Origin::Api).id).unwrap());
    assert!(!store.delete(&rule(1, Origin::Api).id).unwrap());
    drop(store);
    let store = open(directory.path());
    assert!(store.load().unwrap().is_empty());
    assert_eq!(store.max_revision().unwrap(), 7);
}

#[test]
fn a_removed_rule_leaves_no_key_in_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.insert(&rule(1, Origin::Api)).unwrap();
    store.delete(&rule(1, Origin::Api).id).unwrap();
    drop(store);
    let bytes = fs::read(directory.path().join(FILE_NAME)).unwrap();
    assert!(
        !bytes
            .windows(CANARY.len())
            .any(|window| window == CANARY.as_bytes())
    );
}

#[test]
fn the_files_are_their_owners_only() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("new/data");
    let store = open(&directory);
    store.insert(&rule(1, Origin::Api)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(
        files.len(),
        4,
        "rules.db, its -wal and -shm, and lock: {files:?}"
    );
    for file in &files {
        assert_eq!(mode(file), 0o600, "{file:?}");
    }
    drop(store);

    let open_to_all =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open_to_all(&directory, 0o755);
    open_to_all(&directory.join(FILE_NAME), 0o644);
    drop(open(&directory));
    assert_eq!(
        (mode(&directory), mode(&directory.join(FILE_NAME))),
        (0o700, 0o600)
    );

    let shared = parent.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(shared.join("somebody's"), "").unwrap();
    open_to_all(&shared, 0o755);
    drop(open(&shared));
    assert_eq!(
        mode(&shared),
        0o755,
        "a directory with others' files is left as it is"
    );
}

#[test]
fn a_second_gateway_is_kept_off() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("lock: another aqueduct uses this data directory"),
        "{error}"
    );
    drop(store);
    open(directory.path());
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path())
        .insert(&rule(1, Origin::Api))
        .unwrap();
    edit(
        directory.path(),
        "PRAGMA user_version = 99; ALTER TABLE rules ADD COLUMN later TEXT",
    );
    let before = fs::read(directory.path().join(FILE_NAME)).unwrap();
    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("rules.db: written by a newer aqueduct (schema 99,"),
        "{error}"
    );
    assert_eq!(fs::read(directory.path().join(FILE_NAME)).unwrap(), before);
}

/// The first schema, as it was released.
const SCHEMA_1: &str = "
    PRAGMA application_id = 1095844948;
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
    CREATE TABLE book (revision INTEGER NOT NULL) STRICT;
    INSERT INTO book (revision) VALUES (9);
    INSERT INTO rules VALUES
        ('r-1', 'live', '*', 'rtmp://h/app/{stream}', 1, 'api', '2026-11-20T00:00:00Z', 3, NULL, NULL),
        ('r-2', 'live', 'a*b', 'rtmp://h/app/{x}', 0, 'zego', '2026-11-20T00:00:00Z', 7, '2030-01-01T00:00:00Z', 8192);
    PRAGMA user_version = 1;
";

#[test]
fn an_older_file_is_brought_up_to_date_with_all_that_is_in_it() {
    let directory = tempfile::tempdir().unwrap();
    edit(directory.path(), SCHEMA_1);
    let store = open(directory.path());
    let rules = store.load().unwrap();
    let seen: Vec<_> = (rules.iter())
        .map(|rule| {
            (
                rule.id.as_str(),
                rule.url.expose(),
                rule.enabled,
                rule.chunk_size,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("r-1", "rtmp://h/app/{stream}", true, None),
            ("r-2", "rtmp://h/app/{x}", false, Some(8192)),
        ]
    );
    let is_plain = |rule: &Rule| !rule.strict_interleave && !rule.digest_handshake;
    assert!(
        rules
            .iter()
            .all(|rule| rule.backup_url.is_none() && is_plain(rule))
    );
    assert_eq!(store.max_revision().unwrap(), 9);
    let changed = Rule {
        backup_url: Some(UrlTemplate::parse("rtmp://b/app/{stream}").unwrap()),
        ..rules[0].clone()
    };
    assert!(store.replace(&changed).unwrap());
    drop(store);
    assert_eq!(
        open(directory.path()).load().unwrap(),
        [changed, rules[1].clone()]
    );
}

#[test]
fn a_damaged_file_is_refused_and_never_empty() {
    type Damage = fn(&Path);
    let damage: [(&str, Damage); 8] = [
        ("is empty", |path| fs::write(path, "").unwrap()),
        ("not a database", |path| {
            fs::write(path, "x".repeat(8192)).unwrap()
        }),
        ("no file of aqueduct's", |path| {
            fs::remove_file(path).unwrap();
            Connection::open(path)
                .unwrap()
                .execute_batch("CREATE TABLE t (x)")
                .unwrap();
        }),
        ("no schema", |path| {
            Connection::open(path)
                .unwrap()
                .execute_batch("PRAGMA user_version = 0")
                .unwrap()
        }),
        ("malformed", |path| {
            let file = OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }),
        ("rules.db", |path| {
            // The pages behind the first, where the tables are.
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .unwrap();
            let mut page = vec![0; 4096];
            file.seek(SeekFrom::Start(4096)).unwrap();
            file.read_exact(&mut page).unwrap();
            file.seek(SeekFrom::Start(4096)).unwrap();
            file.write_all(&page.iter().map(|byte| !byte).collect::<Vec<_>>())
                .unwrap();
        }),
        ("rules.db", |path| {
            fs::rename(path, path.with_extension("elsewhere")).unwrap()
        }),
        ("rules.db", |path| {
            Connection::open(path)
                .unwrap()
                .execute_batch("DROP TABLE rules")
                .unwrap()
        }),
    ];
    for (what, damage) in damage {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        let store = open(directory.path());
        for number in 1..50 {
            store.insert(&rule(number, Origin::Api)).unwrap();
        }
        drop(store);
        fs::write(directory.path().join("rules.db-wal"), "").unwrap();
        damage(&path);
        let result = SqliteStore::open(directory.path()).and_then(|store| store.load());
        let error = result.map(|rules| rules.len()).unwrap_err();
        assert!(error.to_string().contains(what), "{what}: {error}");
        assert!(
            error.to_string().starts_with(&path.display().to_string()),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains(CANARY), "{error:?}");
    }
}

#[test]
fn a_row_that_is_no_rule_is_refused_by_its_id_and_without_its_url() {
    for (change, what) in [
        ("url = 'canary7key'", "must begin with rtmp://"),
        ("url = 'rtmp://h/canary7key'", "no stream name or key"),
        ("origin = 'canary7key'", "origin"),
        ("created_at = 'canary7key'", "rule"),
        ("app = 'canary 7key'", "app name"),
        ("stream = ''", "stream name"),
        ("revision = -1", "revision"),
        ("backup_url = 'canary7key'", "must begin with rtmp://"),
        ("chunk_size = 127", "chunk size"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        store.insert(&rule(1, Origin::Api)).unwrap();
        store.insert(&rule(2, Origin::Api)).unwrap();
        drop(store);
        edit(
            directory.path(),
            &format!("UPDATE rules SET {change} WHERE revision = 2"),
        );
        let error = open(directory.path())
            .load()
            .map(|rules| rules.len())
            .unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        let printed = format!("{error} {error:?}");
        assert!(
            printed.contains("rule \"r-0000000000000002\"") && printed.contains(what),
            "{printed}"
        );
        assert!(!printed.contains(CANARY), "{printed}");
    }
}

#[test]
fn a_start_that_was_cut_off_is_begun_again() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("rules.db.new"), "half").unwrap();
    fs::write(directory.path().join("rules.db.new-wal"), "half").unwrap();
    assert!(open(directory.path()).load().unwrap().is_empty());
    assert!(!directory.path().join("rules.db.new").exists());
}

#[test]
fn a_data_path_that_is_a_file_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = SqliteStore::open(file.path()).unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with(&file.path().display().to_string()),
        "{error}"
    );
}

#[test]
fn a_locked_file_is_busy() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let other = Connection::open(directory.path().join(FILE_NAME)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.insert(&rule(1, Origin::Api)).unwrap_err();
    assert!(
        matches!(error, StoreError::Busy { .. }) && error.is_transient(),
        "{error}"
    );
    assert!(store.load().unwrap().is_empty(), "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    store.insert(&rule(1, Origin::Api)).unwrap();
}
