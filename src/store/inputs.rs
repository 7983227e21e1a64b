//! Inputs that doors made, in the same file as the rules.

use rusqlite::{Row, named_params};
use time::OffsetDateTime;

use super::{SqliteStore, StoreError};
use crate::rule::{
    AppName, FileUrl, Files, Input, Loops, Origin, PullUrl, Push, Role, Source, SourceKind,
    StreamKey, StreamName,
};
use crate::secret::Secret;

/// A durable set of inputs, one for each stream and role.
pub trait InputStore: Send + Sync {
    /// All inputs.
    ///
    /// # Errors
    /// The store cannot be read, or holds something that is no input: then it yields none at all rather than some.
    fn load_inputs(&self) -> Result<Vec<Input>, StoreError>;

    /// Puts an input in the place of the one of its stream and role.
    ///
    /// # Errors
    /// What was there stands as it was.
    fn put_input(&self, input: &Input) -> Result<(), StoreError>;

    /// Removes an input; `false` where there is none.
    ///
    /// # Errors
    /// It is still stored, and will be there after a restart.
    fn delete_input(&self, stream: &StreamKey, role: Role) -> Result<bool, StoreError>;
}

impl InputStore for SqliteStore {
    fn load_inputs(&self) -> Result<Vec<Input>, StoreError> {
        self.load_all(
            "SELECT * FROM inputs ORDER BY app, stream, role DESC",
            Stored::read,
            |stored| format!("input of {:?}", format!("{}/{}", stored.app, stored.stream)),
            Stored::into_input,
        )
    }

    fn put_input(&self, input: &Input) -> Result<(), StoreError> {
        let row = Stored::of(input);
        let urls = serde_json::Value::from(row.urls).to_string();
        self.with(|connection| {
            let mut statement = connection.prepare_cached(
                "INSERT OR REPLACE INTO inputs
                    (app, stream, role, origin, kind, urls, loops, push_name, push_key, expires_at) VALUES
                    (:app, :stream, :role, :origin, :kind, :urls, :loops, :push_name, :push_key, :expires_at)",
            )?;
            statement.execute(named_params! {
                ":app": row.app,
                ":stream": row.stream,
                ":role": row.role,
                ":origin": row.origin,
                ":kind": row.kind,
                ":urls": urls,
                ":loops": row.loops,
                ":push_name": row.push_name,
                ":push_key": row.push_key,
                ":expires_at": row.expires_at,
            })
        })
        .map(|_| ())
    }

    fn delete_input(&self, stream: &StreamKey, role: Role) -> Result<bool, StoreError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(
                "DELETE FROM inputs WHERE app = ?1 AND stream = ?2 AND role = ?3",
            )?;
            let place = (stream.app.as_str(), stream.name.as_str(), role.as_str());
            Ok(statement.execute(place)? > 0)
        })
    }
}

/// A row, read and not yet believed.
#[derive(Default)]
struct Stored {
    app: String,
    stream: String,
    role: String,
    origin: String,
    kind: String,
    urls: Vec<String>,
    loops: i64,
    push_name: Option<String>,
    push_key: Option<String>,
    expires_at: Option<i64>,
}

impl Stored {
    fn of(input: &Input) -> Self {
        let row = Self {
            app: input.stream.app.as_str().to_owned(),
            stream: input.stream.name.as_str().to_owned(),
            role: input.role.as_str().to_owned(),
            origin: input.origin.as_str().to_owned(),
            kind: input.source.kind().as_str().to_owned(),
            ..Self::default()
        };
        match &input.source {
            Source::Pull(url) => Self {
                urls: vec![url.expose().to_owned()],
                ..row
            },
            Source::Files(files) => Self {
                urls: files
                    .urls()
                    .iter()
                    .map(|url| url.expose().to_owned())
                    .collect(),
                loops: files.loops().as_number(),
                ..row
            },
            Source::Push(push) => Self {
                push_name: Some(push.name().as_str().to_owned()),
                push_key: Some(push.key().expose().to_owned()),
                expires_at: Some(push.expires_at().unix_timestamp()),
                ..row
            },
        }
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let urls: String = row.get("urls")?;
        Ok(Self {
            app: row.get("app")?,
            stream: row.get("stream")?,
            role: row.get("role")?,
            origin: row.get("origin")?,
            kind: row.get("kind")?,
            // What is no list is an input without a URL, which none is.
            urls: serde_json::from_str(&urls).unwrap_or_default(),
            loops: row.get("loops")?,
            push_name: row.get("push_name")?,
            push_key: row.get("push_key")?,
            expires_at: row.get("expires_at")?,
        })
    }

    fn into_input(self) -> Result<Input, String> {
        let kind = self
            .kind
            .parse::<SourceKind>()
            .map_err(|()| "its kind is unknown")?;
        let source = match kind {
            SourceKind::Pull => {
                let url = self.urls.first().ok_or("it has no URL")?;
                Source::Pull(PullUrl::parse(url).map_err(|error| error.to_string())?)
            }
            SourceKind::Files => {
                let urls: Result<Vec<_>, _> =
                    self.urls.iter().map(|url| FileUrl::parse(url)).collect();
                let urls = urls.map_err(|error| error.to_string())?;
                let loops = Loops::from_number(self.loops).map_err(|error| error.to_string())?;
                Source::Files(Files::new(urls, loops).map_err(|error| error.to_string())?)
            }
            SourceKind::Push => {
                let (Some(name), Some(key), Some(expires_at)) =
                    (self.push_name, self.push_key, self.expires_at)
                else {
                    return Err("its push URL is not whole".to_owned());
                };
                let name = StreamName::parse(&name).map_err(|error| error.to_string())?;
                let expires_at = OffsetDateTime::from_unix_timestamp(expires_at)
                    .map_err(|error| error.to_string())?;
                Source::Push(Push::new(name, Secret::new(key), expires_at))
            }
        };
        let name = |error: crate::rule::KeyError| error.to_string();
        Ok(Input {
            stream: StreamKey::new(
                AppName::parse(&self.app).map_err(name)?,
                StreamName::parse(&self.stream).map_err(name)?,
            ),
            role: Role::parse(&self.role).ok_or("its role is unknown")?,
            source,
            origin: Origin::parse(&self.origin).ok_or("its origin is unknown")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_of_every_kind_survive_and_one_takes_the_place_of_another() {
        let directory = tempfile::tempdir().unwrap();
        let input = |name: &str, role, source| Input {
            stream: StreamKey::parse("live", name).unwrap(),
            role,
            source,
            origin: Origin::Api,
        };
        let pull = |url| Source::Pull(PullUrl::parse(url).unwrap());
        let list = ["http://h/a.flv?k=1", "/srv/b, c.mp4"].map(|url| FileUrl::parse(url).unwrap());
        let files = Source::Files(Files::new(list.into(), Loops::Times(3)).unwrap());
        let expiry = OffsetDateTime::from_unix_timestamp(2_000_000_000).unwrap();
        let name = StreamName::parse("x-main").unwrap();
        let push = Source::Push(Push::new(name, Secret::new("key"), expiry));
        let wanted = [
            input("a", Role::Main, pull("rtmp://h/app/key?x=1")),
            input("a", Role::Backup, files),
            input("b", Role::Main, push),
        ];
        {
            let store = SqliteStore::open(directory.path()).unwrap();
            store
                .put_input(&input("a", Role::Main, pull("http://h/old.flv")))
                .unwrap();
            for input in wanted.iter().rev() {
                store.put_input(input).unwrap();
            }
        }
        let store = SqliteStore::open(directory.path()).unwrap();
        let loaded = store.load_inputs().unwrap();
        assert_eq!(loaded.len(), wanted.len());
        assert!(
            wanted.iter().all(|input| loaded.contains(input)),
            "{loaded:?}"
        );
        let gone = &wanted[1];
        assert!(store.delete_input(&gone.stream, gone.role).unwrap());
        assert!(!store.delete_input(&gone.stream, gone.role).unwrap());
        assert_eq!(store.load_inputs().unwrap().len(), 2);
    }
}
