//! The streams that nobody may publish, in the same file as the rules.

use super::{ForbidStore, SqliteStore, StoreError};
use crate::rule::StreamKey;

impl ForbidStore for SqliteStore {
    fn forbidden(&self) -> Result<Vec<StreamKey>, StoreError> {
        self.load_all(
            "SELECT app, stream FROM forbids",
            |row| Ok((row.get(0)?, row.get(1)?)),
            |_| "a forbidden stream".to_owned(),
            |(app, stream): (String, String)| {
                StreamKey::parse(&app, &stream).map_err(|error| error.to_string())
            },
        )
    }

    fn forbid(&self, stream: &StreamKey) -> Result<(), StoreError> {
        self.with(|connection| {
            let sql = "INSERT INTO forbids (app, stream) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            let names = [stream.app.as_str(), stream.name.as_str()];
            connection.prepare_cached(sql)?.execute(names).map(|_| ())
        })
    }

    fn permit(&self, stream: &StreamKey) -> Result<(), StoreError> {
        self.with(|connection| {
            let sql = "DELETE FROM forbids WHERE app = ?1 AND stream = ?2";
            let names = [stream.app.as_str(), stream.name.as_str()];
            connection.prepare_cached(sql)?.execute(names).map(|_| ())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbids_outlive_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let key = |name: &str| StreamKey::parse("live", name).unwrap();
        let store = SqliteStore::open(directory.path()).unwrap();
        for name in ["a", "b", "a"] {
            store.forbid(&key(name)).unwrap();
        }
        store.permit(&key("b")).unwrap();
        store.permit(&key("never")).unwrap();
        drop(store);
        let store = SqliteStore::open(directory.path()).unwrap();
        assert_eq!(store.forbidden().unwrap(), [key("a")]);
    }
}
