//! Admission by the configured apps: each has its own way to let publishers in.

use super::admission::{Admission, PublishAttempt, Refused, Verdict};
use crate::relay::Credential;
use crate::rule::{AppName, SignatureFault, StreamKey, StreamName, check_signed};
use crate::secret::Secret;
use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use time::OffsetDateTime;

/// How an app lets publishers in.
#[derive(Clone, Debug)]
pub enum PublishAuth {
    /// One of these keys, as `stream?key=...`.
    Key(Vec<Secret>),
    /// A signed URL for the stream, made with one of these secrets.
    Signed(Vec<Secret>),
    /// Whoever this lets in.
    Hook(Arc<dyn PublishHook>),
    /// Anybody.
    None,
}

/// Decides about publishers in the gateway's place. It sets its own deadline, below that of an admission.
pub trait PublishHook: Send + Sync + fmt::Debug {
    /// Asks about one publisher.
    fn ask<'a>(&'a self, wish: PublishWish<'a>) -> BoxFuture<'a, HookAnswer>;
}

/// What a hook is asked about.
#[derive(Clone, Copy)]
pub struct PublishWish<'a> {
    /// The stream.
    pub stream: &'a StreamKey,
    /// What the publisher showed: the query of its name, or of its app where the name has none. It may hold secrets.
    pub query: &'a str,
    /// Where it comes from.
    pub peer: SocketAddr,
}

/// What a hook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookAnswer {
    /// It may publish.
    Allowed {
        /// Who it is: whoever is the same may take the stream over. Where nothing is said, that is who shows the same query, and
        /// without one who comes from the same address.
        identity: Option<Secret>,
    },
    /// It may not.
    Refused {
        /// Why, for the publisher; may be empty.
        reason: String,
    },
    /// There is no answer, and nobody is let in without one.
    Unanswered {
        /// What happened, for the log.
        why: String,
    },
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
    pub async fn decide(&self, attempt: PublishAttempt<'_>) -> Verdict {
        let (name, own_query) = match attempt.name.expose().split_once('?') {
            Some((name, query)) => (name, query),
            None => (attempt.name.expose(), ""),
        };
        let queries = [own_query, attempt.query.expose()];
        let known = |app: AppName| self.by_name.get(&app).map(|auth| (app, auth));
        let auth = AppName::parse(attempt.app)
            .ok()
            .and_then(known)
            .or_else(|| known(self.other_names.get(attempt.app)?.clone()));
        let Some((app, auth)) = auth else {
            // An unknown app costs the comparison that a known one costs.
            let nobody = [Secret::new("no app has this key")];
            let _ = matching_key(&nobody, &queries.map(key_of));
            return Verdict::Refused(Refused::UnknownApp);
        };
        let key = StreamName::parse(name).map(|name| StreamKey::new(app, name));
        let key = key.map_err(|_| Refused::BadName);
        let allowed = match auth {
            PublishAuth::None => Ok(Credential::Address(attempt.peer.ip())),
            PublishAuth::Key(keys) => show_key(keys, queries),
            PublishAuth::Signed(secrets) => match &key {
                Ok(key) => show_signature(secrets, key, queries),
                // What no stream can be called was signed by nobody.
                Err(_) => Err(Refused::WrongKey),
            },
            PublishAuth::Hook(hook) => match &key {
                Ok(key) => ask(&**hook, key, queries, attempt.peer).await,
                Err(bad) => Err(bad.clone()),
            },
        };
        match allowed.and_then(|credential| Ok((key?, credential))) {
            Ok((key, credential)) => Verdict::Allowed { key, credential },
            Err(refused) => Verdict::Refused(refused),
        }
    }
}

impl Admission for Apps {
    fn judge<'a>(&'a self, attempt: PublishAttempt<'a>) -> BoxFuture<'a, Verdict> {
        Box::pin(self.decide(attempt))
    }
}

/// Apps that a reload of the configuration may replace.
impl Admission for ArcSwap<Apps> {
    fn judge<'a>(&'a self, attempt: PublishAttempt<'a>) -> BoxFuture<'a, Verdict> {
        // What is in force when it asks holds for it, however long a hook takes.
        let apps = self.load_full();
        Box::pin(async move { apps.decide(attempt).await })
    }
}

fn show_key(keys: &[Secret], queries: [&str; 2]) -> Result<Credential, Refused> {
    let key = matching_key(keys, &queries.map(key_of)).ok_or(Refused::WrongKey)?;
    Ok(Credential::Key(Sha256::digest(key.expose()).into()))
}

/// Whoever may publish a stream by a signed URL may take it over by another one, whichever secret made it and until whenever it is good.
fn show_signature(
    secrets: &[Secret],
    key: &StreamKey,
    queries: [&str; 2],
) -> Result<Credential, Refused> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let now = u64::try_from(now).unwrap_or_default();
    let checked = queries.map(|query| check_signed(secrets, key, query, now));
    if checked.iter().any(Result::is_ok) {
        let shown = Sha256::digest(format!("signed {key}"));
        return Ok(Credential::Key(shown.into()));
    }
    match checked.contains(&Err(SignatureFault::Expired)) {
        true => Err(Refused::Expired),
        false => Err(Refused::WrongKey),
    }
}

async fn ask(
    hook: &dyn PublishHook,
    stream: &StreamKey,
    queries: [&str; 2],
    peer: SocketAddr,
) -> Result<Credential, Refused> {
    let shown = queries.into_iter().find(|query| !query.is_empty());
    let query = shown.unwrap_or_default();
    let wish = PublishWish {
        stream,
        query,
        peer,
    };
    match hook.ask(wish).await {
        HookAnswer::Allowed {
            identity: Some(identity),
        } => {
            let shown = Sha256::digest(format!("identity {}", identity.expose()));
            Ok(Credential::Key(shown.into()))
        }
        HookAnswer::Allowed { identity: None } if query.is_empty() => {
            Ok(Credential::Address(peer.ip()))
        }
        HookAnswer::Allowed { identity: None } => {
            let shown = Sha256::digest(format!("query {query}"));
            Ok(Credential::Key(shown.into()))
        }
        HookAnswer::Refused { reason } => Err(Refused::Hook(reason)),
        HookAnswer::Unanswered { why } => Err(Refused::HookDown(why)),
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
    use crate::rule::signed_query;
    use futures::FutureExt;

    fn apps() -> Apps {
        let keys = vec![Secret::new("first"), Secret::new("a+b/c")];
        Apps::new([
            (AppName::parse("live").unwrap(), PublishAuth::Key(keys)),
            (AppName::parse("open").unwrap(), PublishAuth::None),
        ])
    }

    fn judge(app: &str, name: &str, query: &str) -> Verdict {
        judge_by(&apps(), app, name, query)
    }

    fn judge_by(apps: &Apps, app: &str, name: &str, query: &str) -> Verdict {
        let (name, query) = (Secret::new(name), Secret::new(query));
        let decided = apps.decide(PublishAttempt {
            app,
            name: &name,
            query: &query,
            peer: "192.0.2.7:4000".parse().unwrap(),
        });
        decided.now_or_never().unwrap()
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
        let judge = |app: &str, name: &str| judge_by(&apps, app, name, "");
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

    fn credential(verdict: Verdict) -> Credential {
        match verdict {
            Verdict::Allowed { credential, .. } => credential,
            Verdict::Refused(refused) => panic!("{refused}"),
        }
    }

    #[test]
    fn a_signed_url_lets_in_and_another_one_for_the_stream_may_take_over() {
        let secrets = vec![Secret::new("new"), Secret::new("old")];
        let auth = PublishAuth::Signed(secrets.clone());
        let apps = Apps::new([(AppName::parse("live").unwrap(), auth)]);
        let cam = StreamKey::parse("live", "cam").unwrap();
        let query = |secret: usize, until: u64| signed_query(&secrets[secret], &cam, until);
        let shown = |query: &str| judge_by(&apps, "live", &format!("cam?{query}"), "");
        let first = credential(shown(&query(1, 4_000_000_000)));
        let second = credential(shown(&query(0, 4_100_000_000)));
        assert_eq!(first, second);
        // Some encoders put the query on the app.
        let third = judge_by(&apps, "live", "cam", &query(0, 4_000_000_000));
        assert_eq!(credential(third), first);
        let expired = shown(&query(0, 1_000_000_000));
        assert_eq!(expired, Verdict::Refused(Refused::Expired));
        let elsewhere = format!("cam2?{}", query(0, 4_000_000_000));
        for name in ["cam", "cam?key=new", &elsewhere, "?x"] {
            let refused = judge_by(&apps, "live", name, "");
            assert_eq!(refused, Verdict::Refused(Refused::WrongKey), "{name}");
        }
    }

    /// Answers by what it is shown.
    #[derive(Debug)]
    struct Played;

    impl PublishHook for Played {
        fn ask<'a>(&'a self, wish: PublishWish<'a>) -> BoxFuture<'a, HookAnswer> {
            let answer = match wish.query {
                "who=1" | "who=2" => HookAnswer::Allowed {
                    identity: Some(Secret::new("studio")),
                },
                "no" => HookAnswer::Refused {
                    reason: "not today".to_owned(),
                },
                "down" => HookAnswer::Unanswered {
                    why: "it answered 500".to_owned(),
                },
                _ => HookAnswer::Allowed { identity: None },
            };
            Box::pin(std::future::ready(answer))
        }
    }

    #[test]
    fn a_hook_decides_and_says_who_it_is() {
        let auth = PublishAuth::Hook(Arc::new(Played));
        let apps = Apps::new([(AppName::parse("live").unwrap(), auth)]);
        let shown = |name: &str| judge_by(&apps, "live", name, "");
        let same = |a: &str, b: &str| credential(shown(a)) == credential(shown(b));
        assert!(same("cam?who=1", "cam?who=2"), "the hook says so");
        assert!(same("cam?a", "cam?a") && !same("cam?a", "cam?b"));
        let address = Credential::Address("192.0.2.7".parse().unwrap());
        assert_eq!(credential(shown("cam")), address);
        let refused = Refused::Hook("not today".to_owned());
        assert_eq!(shown("cam?no"), Verdict::Refused(refused));
        let down = Refused::HookDown("it answered 500".to_owned());
        assert_eq!(shown("cam?down"), Verdict::Refused(down));
        assert_eq!(shown("?no"), Verdict::Refused(Refused::BadName));
    }
}
