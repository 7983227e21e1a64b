//! `[[cdn_auth]]`: what a CDN's domain wants to see beside a stream's name.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::Config;
use super::bounds::within;
use super::check::{Wrong, wrong};
use super::tree::{entry_key, item_key};
use crate::rule::{
    AUTH_TEXT_BYTES_MAX, CdnAuth, DomainAuth, Formula, HexCase, TargetUrl, Template, TemplatePart,
};
use crate::secret::Secret;

/// Domains. A company that pushes to all that there are has some dozens.
const CDN_AUTH_MAX: usize = 1_000;

/// A year: who wants a token for longer wants no token.
const TTL_SECONDS_MAX: u64 = 366 * 24 * 3600;

/// A day, where the token names its own end. It is computed anew at every connection, so this is for CDNs that look again
/// while a stream runs, and for clocks that differ.
const TTL_SECONDS: u64 = 24 * 3600;

/// One domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CdnAuthConfig {
    /// The exact host of the targets' URLs, in any case, without a port.
    pub host: String,
    /// What is computed.
    pub scheme: CdnScheme,
    /// The domain's key; with `static-query`, the query.
    #[serde(default)]
    pub key: Option<Secret>,
    /// The domain's second key.
    #[serde(default)]
    pub backup_key: Option<Secret>,
    /// How far in the future the time lies that the token names, in seconds.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// How the token's time is written.
    #[serde(default)]
    pub hex_case: Option<HexCaseConfig>,
    /// With `wangsu`: the text that is hashed.
    #[serde(default)]
    pub text: Option<String>,
    /// With `wangsu`: the query that carries the hash.
    #[serde(default)]
    pub query: Option<String>,
}

/// Whose way of push authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CdnScheme {
    /// Tencent Live.
    Tencent,
    /// Alibaba Live, type A.
    AlibabaA,
    /// Huawei Live, method A.
    HuaweiA,
    /// Huawei Live, method B.
    HuaweiB,
    /// Huawei Live, method D.
    HuaweiD,
    /// Wangsu, and others with a text that is hashed by md5.
    Wangsu,
    /// A query that never changes.
    StaticQuery,
    /// Nothing.
    None,
}

/// `upper` or `lower`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HexCaseConfig {
    /// `5C271099`.
    Upper,
    /// `5c271099`.
    Lower,
}

impl Config {
    /// The domains that have a push authentication.
    pub fn cdn_auth(&self) -> CdnAuth {
        let domain = |section: &CdnAuthConfig| {
            // A checked configuration has no other.
            let auth = section.domain().ok()?;
            Some((section.host.clone(), auth))
        };
        CdnAuth::new(self.cdn_auth.iter().filter_map(domain))
    }
}

pub(super) fn check(sections: &[CdnAuthConfig]) -> Result<(), Wrong> {
    if sections.len() > CDN_AUTH_MAX {
        return wrong("cdn_auth", format!("there are more than {CDN_AUTH_MAX}"));
    }
    let mut hosts = HashSet::new();
    for (index, section) in sections.iter().enumerate() {
        let key = |name: &str| entry_key(&item_key("cdn_auth", index), name);
        if !is_host(&section.host) {
            let reason =
                "expected the host of a target's URL, such as push.example.com, without a port";
            return wrong(key("host"), reason);
        }
        if !hosts.insert(section.host.to_ascii_lowercase()) {
            return wrong(key("host"), "an earlier section has the same host");
        }
        section.check_keys(&key)?;
        if let Err((name, reason)) = section.domain() {
            return wrong(key(name), reason);
        }
    }
    Ok(())
}

fn is_host(text: &str) -> bool {
    let bare = |url: &TargetUrl| url.host() == text && url.port().is_none();
    let bracketed = match text.contains(':') {
        true => format!("rtmp://[{text}]/app/name"),
        false => format!("rtmp://{text}/app/name"),
    };
    TargetUrl::parse(&bracketed).is_ok_and(|url| bare(&url) && url.credentials().is_none())
}

impl CdnAuthConfig {
    /// Refuses what the scheme has no use for, rather than ignore it.
    fn check_keys(&self, key: &dyn Fn(&str) -> String) -> Result<(), Wrong> {
        use CdnScheme::{AlibabaA, HuaweiA, None as Nothing, StaticQuery, Wangsu};
        let scheme = self.scheme;
        let is_computed = !matches!(scheme, Nothing | StaticQuery);
        let has_hex = is_computed && !matches!(scheme, AlibabaA | HuaweiA);
        for (name, is_set, is_known) in [
            ("key", self.key.is_some(), scheme != Nothing),
            ("backup_key", self.backup_key.is_some(), scheme != Nothing),
            ("ttl_seconds", self.ttl_seconds.is_some(), is_computed),
            ("hex_case", self.hex_case.is_some(), has_hex),
            ("text", self.text.is_some(), scheme == Wangsu),
            ("query", self.query.is_some(), scheme == Wangsu),
        ] {
            if is_set && !is_known {
                return wrong(key(name), "this scheme does not know the key");
            }
        }
        if self.key.is_none() && scheme != Nothing {
            return wrong(key("scheme"), "this scheme needs a key beside it");
        }
        let secrets = [("key", &self.key), ("backup_key", &self.backup_key)];
        for (name, secret) in secrets {
            if secret.as_ref().is_some_and(|secret| !self.is_key(secret)) {
                let reason = format!(
                    "a key has 1 to {AUTH_TEXT_BYTES_MAX} bytes and no spaces or control characters; a fixed query no ? or #"
                );
                return wrong(key(name), reason);
            }
        }
        for (name, text) in [("text", &self.text), ("query", &self.query)] {
            if text
                .as_ref()
                .is_some_and(|text| text.len() > AUTH_TEXT_BYTES_MAX)
            {
                return wrong(
                    key(name),
                    format!("it has more than {AUTH_TEXT_BYTES_MAX} bytes"),
                );
            }
        }
        let least = u64::from(is_computed && self.default_ttl() > 0);
        let ttl = self.ttl_seconds.unwrap_or(TTL_SECONDS);
        within(&key("ttl_seconds"), ttl, least, TTL_SECONDS_MAX)
    }

    fn is_key(&self, secret: &Secret) -> bool {
        let is_query = self.scheme == CdnScheme::StaticQuery;
        let odd =
            |c: char| c.is_whitespace() || c.is_control() || (is_query && matches!(c, '?' | '#'));
        (1..=AUTH_TEXT_BYTES_MAX).contains(&secret.expose().len()) && !secret.expose().contains(odd)
    }

    /// Where the CDN itself adds a domain's validity to the token's time, none is added here.
    fn default_ttl(&self) -> u64 {
        match self.scheme {
            CdnScheme::Tencent | CdnScheme::HuaweiB | CdnScheme::Wangsu => TTL_SECONDS,
            CdnScheme::AlibabaA
            | CdnScheme::HuaweiA
            | CdnScheme::HuaweiD
            | CdnScheme::StaticQuery
            | CdnScheme::None => 0,
        }
    }

    /// What the section means, or the key that is wrong and why.
    fn domain(&self) -> Result<DomainAuth, (&'static str, String)> {
        let case = |default| match self.hex_case {
            None => default,
            Some(HexCaseConfig::Upper) => HexCase::Upper,
            Some(HexCaseConfig::Lower) => HexCase::Lower,
        };
        let formula = match self.scheme {
            CdnScheme::Tencent => Formula::TxSecret(case(HexCase::Upper)),
            CdnScheme::HuaweiB => Formula::TxSecret(case(HexCase::Lower)),
            CdnScheme::AlibabaA | CdnScheme::HuaweiA => Formula::AuthKey,
            CdnScheme::HuaweiD => Formula::HwSecret(case(HexCase::Lower)),
            CdnScheme::Wangsu => Formula::Template(self.template()?, case(HexCase::Upper)),
            CdnScheme::StaticQuery => Formula::StaticQuery,
            CdnScheme::None => Formula::None,
        };
        Ok(DomainAuth {
            formula,
            key: self.key.clone().unwrap_or_default(),
            backup_key: self.backup_key.clone(),
            ttl_seconds: self.ttl_seconds.unwrap_or(self.default_ttl()),
        })
    }

    fn template(&self) -> Result<Template, (&'static str, String)> {
        let text = self.text.as_deref().unwrap_or(Template::WANGSU_TEXT);
        let query = self.query.as_deref().unwrap_or(Template::WANGSU_QUERY);
        Template::parse(text, query).map_err(|mistake| {
            let key = match mistake.part {
                TemplatePart::Text => "text",
                TemplatePart::Query => "query",
            };
            (key, mistake.to_string())
        })
    }
}
