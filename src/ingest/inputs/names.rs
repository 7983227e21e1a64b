//! Which name leads to which input: a publish name resolves to a stream and one of its places.

use crate::relay::{Credential, InputClaim};
use crate::rule::{AppName, Push, PushRefused, Role, SourceKind, StreamKey, StreamName};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use time::OffsetDateTime;

/// The names that were handed out for inputs, and the streams whose main input is not a plain publisher.
#[derive(Debug, Default)]
pub struct Names {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    pushes: HashMap<StreamKey, Pushed>,
    taken: HashSet<StreamKey>,
}

#[derive(Debug)]
struct Pushed {
    stream: StreamKey,
    role: Role,
    push: Push,
    bytes: Arc<AtomicU64>,
}

/// What a publish name leads to.
#[derive(Clone, Debug)]
pub enum Resolved {
    /// The stream of this name, if its app lets the publisher in.
    Plain,
    /// An input of a stream; the publisher has shown what its URL was signed with.
    Input {
        /// The stream.
        stream: StreamKey,
        /// Its place there.
        role: Role,
        /// What it showed.
        credential: Credential,
        /// What else a claim of it says.
        input: InputClaim,
    },
    /// An input, and the publisher may not feed it.
    Refused(PushRefused),
}

impl Names {
    /// What a publish of this app and name leads to, with these queries, at this time of day.
    pub fn resolve(
        &self,
        app: &str,
        name: &str,
        queries: [&str; 2],
        now: OffsetDateTime,
    ) -> Resolved {
        let (Ok(app), Ok(name)) = (AppName::parse(app), StreamName::parse(name)) else {
            return Resolved::Plain;
        };
        let known = self.known();
        let Some(pushed) = known.pushes.get(&StreamKey::new(app, name)) else {
            return Resolved::Plain;
        };
        let [own, of_connect] = queries.map(|query| pushed.push.judge(query, now));
        // An expired token says more than a missing one.
        match own.or_else(|own| of_connect.map_err(|other| own.max(other))) {
            Ok(()) => Resolved::Input {
                stream: pushed.stream.clone(),
                role: pushed.role,
                credential: Credential::Key(Sha256::digest(pushed.push.key().expose()).into()),
                input: InputClaim {
                    kind: SourceKind::Push,
                    bytes: Arc::clone(&pushed.bytes),
                },
            },
            Err(refused) => Resolved::Refused(refused),
        }
    }

    /// Whether the stream's main input is another one than a plain publisher.
    pub fn is_taken(&self, stream: &StreamKey) -> bool {
        self.known().taken.contains(stream)
    }

    /// An input was started; `bytes` counts what its publishers send.
    pub(super) fn begin(
        &self,
        stream: &StreamKey,
        role: Role,
        push: Option<&Push>,
        bytes: &Arc<AtomicU64>,
    ) {
        let mut known = self.known();
        known.leave(stream, role);
        if role == Role::Main {
            known.taken.insert(stream.clone());
        }
        if let Some(push) = push {
            let name = StreamKey::new(stream.app.clone(), push.name().clone());
            let pushed = Pushed {
                stream: stream.clone(),
                role,
                push: push.clone(),
                bytes: Arc::clone(bytes),
            };
            known.pushes.insert(name, pushed);
        }
    }

    pub(super) fn end(&self, stream: &StreamKey, role: Role) {
        self.known().leave(stream, role);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn leave(&mut self, stream: &StreamKey, role: Role) {
        if role == Role::Main {
            self.taken.remove(stream);
        }
        self.pushes
            .retain(|_, pushed| pushed.stream != *stream || pushed.role != role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_push_name_leads_to_its_input_while_that_runs() {
        let names = Names::default();
        let stream = StreamKey::parse("live", "show").unwrap();
        let expiry = OffsetDateTime::from_unix_timestamp(2_000_000_000).unwrap();
        let push = Push::new(StreamName::parse("p").unwrap(), Secret::new("key"), expiry);
        let key = push.stream_key();
        let query = key.expose().split_once('?').unwrap().1;
        let before = expiry - time::Duration::SECOND;
        let bytes = Arc::default();
        names.begin(&stream, Role::Backup, Some(&push), &bytes);
        let resolve = |name: &str, queries, now| names.resolve("live", name, queries, now);
        for queries in [[query, ""], ["", query]] {
            assert!(matches!(
                resolve("p", queries, before),
                Resolved::Input { role: Role::Backup, stream: found, .. } if found == stream
            ));
            let late = resolve("p", queries, expiry);
            assert!(matches!(late, Resolved::Refused(PushRefused::Expired)));
        }
        let wrong = resolve("p", ["key=x", ""], before);
        assert!(matches!(wrong, Resolved::Refused(PushRefused::Token)));
        let plain = |name, query| matches!(resolve(name, [query, ""], before), Resolved::Plain);
        assert!(plain("show", ""));
        assert!(!names.is_taken(&stream));
        names.begin(&stream, Role::Main, None, &bytes);
        assert!(names.is_taken(&stream));
        names.end(&stream, Role::Backup);
        names.end(&stream, Role::Main);
        assert!(plain("p", query));
        assert!(!names.is_taken(&stream));
    }
}
