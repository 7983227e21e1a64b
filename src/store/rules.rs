//! Rules that doors made, in the store's file.

use rusqlite::{Connection, Row, named_params};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{RuleStore, SqliteStore, StoreError};
use crate::rule::{
    AppName, CHUNK_SIZES, Origin, Rule, RuleId, StreamName, StreamPattern, UrlTemplate,
};

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
