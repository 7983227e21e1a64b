//! Admission: may this publisher publish, and as which stream?

use crate::relay::Credential;
use crate::rule::{AppName, StreamKey, StreamName};
use crate::secret::Secret;
use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::SocketAddr;

/// What a publisher asks for, as it came from the wire.
#[derive(Clone, Copy, Debug)]
pub struct PublishAttempt<'a> {
    /// The app, without query.
    pub app: &'a str,
    /// The stream's name, its query included.
    pub name: &'a Secret,
    /// The query of the app or of the tcUrl; some encoders put the key there.
    pub query: &'a Secret,
    /// Where it comes from.
    pub peer: SocketAddr,
}

/// What is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may publish this stream.
    Allowed {
        /// The stream.
        key: StreamKey,
        /// What it showed; who shows the same may take the stream over.
        credential: Credential,
    },
    /// It may not.
    Refused(Refused),
}

/// Why a publisher may not publish. It is told the same of an unknown app as of a wrong key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such app.
    #[error("there is no such app")]
    UnknownApp,
    /// A missing or wrong key.
    #[error("the publish key is missing or wrong")]
    WrongKey,
    /// The name cannot be a stream's.
    #[error(
        "the stream name is empty, too long, or has characters that a stream name may not have"
    )]
    BadName,
}

/// Decides who may publish. Asked before anything is relayed.
pub trait Admission: Send + Sync {
    /// Judges one attempt.
    fn judge<'a>(&'a self, attempt: PublishAttempt<'a>) -> BoxFuture<'a, Verdict>;
}

/// How an app lets publishers in.
#[derive(Clone, Debug)]
pub enum PublishAuth {
    /// One of these keys, as `stream?key=...`.
    Key(Vec<Secret>),
    /// Anybody.
    None,
}

/// Admission by the configured apps.
#[derive(Clone, Debug, Default)]
pub struct Apps {
    by_name: HashMap<AppName, PublishAuth>,
    other_names: HashMap<String, AppName>,
}

impl Apps {
    /// The apps that there are.
    pub fn new(apps: impl IntoIterator<Item = (AppName, PublishAuth)>) -> Self {
        Self {
            by_name: apps.into_iter().collect(),
            other_names: HashMap::new(),
        }
    }

    /// Other names by which publishers may call some of them. An app's own name comes first.
    pub fn also_named(self, other_names: HashMap<String, AppName>) -> Self {
        Self {
            other_names,
            ..self
        }
    }

    /// Judges an attempt against the apps as they are now.
    pub fn decide(&self, attempt: PublishAttempt<'_>) -> Verdict {
        let (name, own_query) = match attempt.name.expose().split_once('?') {
            Some((name, query)) => (name, query),
            None => (attempt.name.expose(), ""),
        };
        let known = |app: AppName| self.by_name.get(&app).map(|auth| (app, auth));
        let auth = AppName::parse(attempt.app)
            .ok()
            .and_then(known)
            .or_else(|| known(self.other_names.get(attempt.app)?.clone()));
        let shown = [own_query, attempt.query.expose()].map(key_of);
        let Some((app, auth)) = auth else {
            // An unknown app costs the comparison that a known one costs.
            let nobody = [Secret::new("no app has this key")];
            let _ = matching_key(&nobody, &shown);
            return Verdict::Refused(Refused::UnknownApp);
        };
        let credential = match auth {
            PublishAuth::None => Credential::Address(attempt.peer.ip()),
            PublishAuth::Key(keys) => match matching_key(keys, &shown) {
                Some(key) => Credential::Key(Sha256::digest(key.expose()).into()),
                None => return Verdict::Refused(Refused::WrongKey),
            },
        };
        match StreamName::parse(name) {
            Ok(name) => Verdict::Allowed {
                key: StreamKey::new(app, name),
                credential,
            },
            Err(_) => Verdict::Refused(Refused::BadName),
        }
    }
}

impl Admission for Apps {
    fn judge<'a>(&'a self, attempt: PublishAttempt<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(std::future::ready(self.decide(attempt)))
    }
}

/// Apps that a reload of the configuration may replace.
impl Admission for ArcSwap<Apps> {
    fn judge<'a>(&'a self, attempt: PublishAttempt<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(std::future::ready(self.load().decide(attempt)))
    }
}

/// The value of `key` in a query, as it stands there and decoded: OBS sends what its user typed, others encode it.
fn key_of(query: &str) -> Option<[String; 2]> {
    let raw = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("key="))?;
    let decoded = percent_decode_str(raw).decode_utf8_lossy().into_owned();
    Some([raw.to_owned(), decoded])
}

/// Every key is compared with everything that was shown, so that the time does not tell which one matched.
fn matching_key<'a>(keys: &'a [Secret], shown: &[Option<[String; 2]>; 2]) -> Option<&'a Secret> {
    let mut found = None;
    for key in keys {
        for shown in shown.iter().flatten().flatten() {
            if key.matches(shown) {
                found = Some(key);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apps() -> Apps {
        let keys = vec![Secret::new("first"), Secret::new("a+b/c")];
        Apps::new([
            (AppName::parse("live").unwrap(), PublishAuth::Key(keys)),
            (AppName::parse("open").unwrap(), PublishAuth::None),
        ])
    }

    fn judge(app: &str, name: &str, query: &str) -> Verdict {
        apps().decide(PublishAttempt {
            app,
            name: &Secret::new(name),
            query: &Secret::new(query),
            peer: "192.0.2.7:4000".parse().unwrap(),
        })
    }

    #[test]
    fn the_key_may_stand_on_the_name_or_on_the_app() {
        let digest = Credential::Key(Sha256::digest("first").into());
        for (name, query) in [
            ("cam?key=first", ""),
            ("cam?x=1&key=first&y=2", ""),
            ("cam", "key=first"),
            ("cam?key=wrong", "key=first"),
        ] {
            let expected = Verdict::Allowed {
                key: StreamKey::parse("live", "cam").unwrap(),
                credential: digest.clone(),
            };
            assert_eq!(judge("live", name, query), expected, "{name} {query}");
        }
    }

    #[test]
    fn a_key_with_special_characters_is_taken_raw_and_encoded() {
        for name in ["cam?key=a+b/c", "cam?key=a%2Bb%2Fc"] {
            assert!(matches!(judge("live", name, ""), Verdict::Allowed { .. }));
        }
    }

    #[test]
    fn missing_and_wrong_keys_and_unknown_apps_are_refused() {
        for name in [
            "cam",
            "cam?key=",
            "cam?key=firs",
            "cam?key=first2",
            "cam?akey=first",
            "cam?KEY=first",
        ] {
            assert_eq!(
                judge("live", name, ""),
                Verdict::Refused(Refused::WrongKey),
                "{name}"
            );
        }
        for app in ["none", ""] {
            assert_eq!(
                judge(app, "cam?key=first", ""),
                Verdict::Refused(Refused::UnknownApp)
            );
        }
    }

    #[test]
    fn an_app_is_known_by_its_other_name_unless_another_has_that_name() {
        let number = |number: &str| (number.to_owned(), AppName::parse("live").unwrap());
        let apps = apps().also_named([number("1234567890"), number("open")].into());
        let judge = |app: &str, name: &str| {
            apps.decide(PublishAttempt {
                app,
                name: &Secret::new(name),
                query: &Secret::new(""),
                peer: "192.0.2.7:4000".parse().unwrap(),
            })
        };
        let app_of = |verdict| match verdict {
            Verdict::Allowed { key, .. } => key.app.as_str().to_owned(),
            Verdict::Refused(refused) => refused.to_string(),
        };
        assert_eq!(app_of(judge("1234567890", "cam?key=first")), "live");
        assert_eq!(
            judge("1234567890", "cam"),
            Verdict::Refused(Refused::WrongKey)
        );
        assert_eq!(app_of(judge("open", "cam")), "open");
    }

    #[test]
    fn an_open_app_knows_a_publisher_by_its_address() {
        let Verdict::Allowed { credential, .. } = judge("open", "cam", "") else {
            panic!("the app is open");
        };
        assert_eq!(
            credential,
            Credential::Address("192.0.2.7".parse().unwrap())
        );
    }

    #[test]
    fn a_name_that_is_no_name_is_refused_only_to_those_who_may_publish() {
        assert_eq!(
            judge("open", "?x=1", ""),
            Verdict::Refused(Refused::BadName)
        );
        assert_eq!(judge("live", "", ""), Verdict::Refused(Refused::WrongKey));
    }
}
