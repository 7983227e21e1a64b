//! Push authentication: what a CDN wants to see in the query of a stream's name, beside the name.
//!
//! A CDN holds the token against the time at which a connection is opened, so it is computed for every connection and kept
//! nowhere. Time and random bytes are arguments. `docs/cdn-auth.md` has the formulas in words.

mod formula;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::url::TargetUrl;
use crate::secret::Secret;

pub use formula::{AUTH_TEXT_BYTES_MAX, Formula, HexCase, Template, TemplateMistake, TemplatePart};

/// How one domain's pushes are authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainAuth {
    /// What is computed.
    pub formula: Formula,
    /// What it is computed with; of a fixed query, the query.
    pub key: Secret,
    /// The domain's second key, for where the first one is refused while keys are changed.
    pub backup_key: Option<Secret>,
    /// How far in the future the time lies that the token names, in seconds.
    pub ttl_seconds: u64,
}

/// Which of a domain's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthKey {
    /// Its `key`.
    First,
    /// Its `backup_key`.
    Backup,
}

/// What differs from one connection to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment<'a> {
    /// The time of day, in Unix seconds.
    pub unix_seconds: u64,
    /// A random text of hexadecimal digits, for the formulas that want one.
    pub random: &'a str,
}

impl DomainAuth {
    /// The URL with the token behind its name; none where nothing is to be added: the formula says so, there is no such key, or
    /// the URL has one of the parameters already.
    pub fn sign(&self, url: &TargetUrl, key: AuthKey, moment: Moment<'_>) -> Option<TargetUrl> {
        let key = match key {
            AuthKey::First => &self.key,
            AuthKey::Backup => self.backup_key.as_ref()?,
        };
        let time = moment.unix_seconds.saturating_add(self.ttl_seconds);
        let subject = Subject::of(url);
        let query = self
            .formula
            .query(&subject, key, time, moment.random)
            .filter(|query| !query.is_empty() && !carries_one_of(url, query))?;
        let joint = match url.name().split_once('?') {
            None => "?",
            Some((_, before)) if before.is_empty() || before.ends_with('&') => "",
            Some(_) => "&",
        };
        Some(url.with_name(format!("{}{joint}{query}", url.name())))
    }
}

/// What a token is about.
struct Subject<'a> {
    /// The app, without its query.
    app: &'a str,
    /// The stream's name, without its query.
    stream: &'a str,
}

impl<'a> Subject<'a> {
    fn of(url: &'a TargetUrl) -> Self {
        Self {
            app: before_query(url.app()),
            stream: before_query(url.name()),
        }
    }

    /// `/app/stream`.
    fn path(&self) -> String {
        format!("/{}/{}", self.app, self.stream)
    }
}

fn before_query(text: &str) -> &str {
    text.split('?').next().unwrap_or_default()
}

/// Whether app or name have a parameter that the query would bring: whoever wrote it has computed it.
fn carries_one_of(url: &TargetUrl, query: &str) -> bool {
    let given = [url.app(), url.name()].into_iter().filter_map(|part| {
        part.split_once('?')
            .map(|(_, given)| names(given).collect::<Vec<_>>())
    });
    let given: Vec<_> = given.flatten().collect();
    names(query).any(|name| given.contains(&name))
}

/// The names of a query's parameters.
fn names(query: &str) -> impl Iterator<Item = &str> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split('=').next().unwrap_or_default())
}

/// All domains that have an authentication. Found by the exact host, in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CdnAuth(HashMap<String, DomainAuth>);

impl CdnAuth {
    /// Of two for one host the later one counts.
    pub fn new(domains: impl IntoIterator<Item = (String, DomainAuth)>) -> Self {
        let lower = |(host, auth): (String, DomainAuth)| (host.to_ascii_lowercase(), auth);
        Self(domains.into_iter().map(lower).collect())
    }

    /// What holds for a host.
    pub fn of(&self, host: &str) -> Option<&DomainAuth> {
        self.0.get(&host.to_ascii_lowercase())
    }
}
