//! A rule: the durable wish that a stream, or every stream that fits, reaches one target.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::secret::Secret;

use super::keys::{AppName, StreamKey};
use super::pattern::StreamPattern;
use super::template::UrlTemplate;

/// The sizes that our chunks towards a target may have, in bytes. 128 is the protocol's default (RTMP 1.0, 5.4.1), and below it
/// headers eat the line; above 65,536 nothing is saved, and a picture holds up the sound behind it.
pub const CHUNK_SIZES: RangeInclusive<u32> = 128..=65_536;

/// The longest rule id, in bytes.
pub const RULE_ID_BYTES_MAX: usize = 64;

/// A text that cannot be a rule's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a rule id has 1 to {RULE_ID_BYTES_MAX} characters of A-Z a-z 0-9 - and _")]
pub struct RuleIdError;

/// A rule's name for doors, logs and metric labels. It says nothing about the rule's key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(Arc<str>);

impl RuleId {
    /// Parses at the border.
    ///
    /// # Errors
    /// The text is empty, too long, or has a character that would need quoting in a URL or a label.
    pub fn parse(text: &str) -> Result<Self, RuleIdError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        match (1..=RULE_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain) {
            true => Ok(Self(text.into())),
            false => Err(RuleIdError),
        }
    }

    /// A new id out of random bytes that the caller draws.
    pub fn from_random(bytes: [u8; 8]) -> Self {
        Self(format!("r-{}", hex::encode(bytes)).into())
    }

    /// The id of a rule that no store keeps: the same wish has the same id at every start and reload.
    ///
    /// Whoever sees it could check guesses of a weak key against it, so what is shown is the [salted](Self::salted) one.
    pub fn derived(
        origin: Origin,
        app: &AppName,
        stream: &StreamPattern,
        url: &UrlTemplate,
    ) -> Self {
        let mut digest = Sha256::new();
        for part in [origin.as_str(), app.as_str(), stream.as_str(), url.expose()] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        let prefix = match origin {
            Origin::CommandLine => "l",
            _ => "c",
        };
        Self::from_digest(prefix, digest)
    }

    /// The id as others may see it: as stable as the salt, and of no use to who does not know the salt.
    pub fn salted(&self, salt: &Secret) -> Self {
        let prefix = self.0.split('-').next().unwrap_or_default();
        let mut digest = Sha256::new();
        digest.update(salt.expose());
        digest.update(self.as_str());
        Self::from_digest(prefix, digest)
    }

    fn from_digest(prefix: &str, digest: Sha256) -> Self {
        let digest: [u8; 32] = digest.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Self(format!("{prefix}-{}", hex::encode([a, b, c, d, e, f, g, h])).into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for RuleId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who wished for a rule.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// `[[rules]]` of the configuration.
    Config,
    /// `--relay` and `AQUEDUCT_RELAY_URLS`; lasts for one run.
    CommandLine,
    /// The native door.
    Api,
    /// The ZEGO door.
    Zego,
    /// The Tencent door.
    Tencent,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Config,
        Self::CommandLine,
        Self::Api,
        Self::Zego,
        Self::Tencent,
    ];

    /// As it stands in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::CommandLine => "command-line",
            Self::Api => "api",
            Self::Zego => "zego",
            Self::Tencent => "tencent",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == text)
    }

    /// Whether doors may only look at such a rule: it belongs to a file or to a command line.
    pub fn is_read_only(self) -> bool {
        matches!(self, Self::Config | Self::CommandLine)
    }

    /// Whether `*` and placeholders are plain text in such a rule: vendors' stream names may hold them.
    pub fn is_literal(self) -> bool {
        matches!(self, Self::Zego | Self::Tencent)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of two: of a rule's URLs, or of a stream's inputs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A rule's `url`; what a stream is fed from as long as it is well.
    Main,
    /// A rule's `backup_url`; what takes over meanwhile.
    Backup,
}

impl Role {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Main, Self::Backup];

    /// As it stands in JSON, configuration and store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Backup => "backup",
        }
    }

    /// The reverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        Self::BOTH.into_iter().find(|role| role.as_str() == text)
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Main => Self::Backup,
            Self::Backup => Self::Main,
        }
    }
}

/// One stream, or all that fit a pattern, to one target. `Debug` shows the URL masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub id: RuleId,
    /// The app whose streams it is about.
    pub app: AppName,
    /// Which of them.
    pub stream: StreamPattern,
    /// Where to.
    pub url: UrlTemplate,
    /// Where to while `url` fails; no part of what the rule is known by.
    pub backup_url: Option<UrlTemplate>,
    /// Whether it is in force; one that is not stays listed.
    pub enabled: bool,
    /// Who wished for it.
    pub origin: Origin,
    /// When, as told by the wall clock.
    pub created_at: OffsetDateTime,
    /// Counts the changes of the whole rule book; this rule was last changed by this one.
    pub revision: u64,
    /// When it ends by itself.
    pub stop_at: Option<OffsetDateTime>,
    /// The chunk size towards this target, in bytes, where it is not the configured one.
    pub chunk_size: Option<u32>,
    /// Whether its target is given sound and pictures strictly in the order of their times, for which they wait for each other.
    pub strict_interleave: bool,
    /// Whether its target wants a handshake with a digest.
    pub digest_handshake: bool,
}

impl Rule {
    /// Whether the rule is in force for this stream.
    ///
    /// A name that could bend a URL matches no rule with a placeholder. `stop_at` is not looked at: it needs a clock.
    pub fn applies_to(&self, key: &StreamKey) -> bool {
        self.enabled
            && self.app == key.app
            && self.stream.matches(&key.name)
            && (key.name.is_plain() || !self.has_placeholder())
    }

    /// Whether it asks for anything at this moment.
    pub fn is_active(&self, now: OffsetDateTime) -> bool {
        self.enabled && self.stop_at.is_none_or(|at| at > now)
    }

    fn has_placeholder(&self) -> bool {
        let backup = self.backup_url.as_ref();
        self.url.has_placeholder() || backup.is_some_and(UrlTemplate::has_placeholder)
    }

    /// Whether both wish for the same: app, stream and the URL byte for byte.
    pub fn is_same_wish(&self, app: &AppName, stream: &StreamPattern, url: &UrlTemplate) -> bool {
        self.app == *app && self.stream == *stream && self.url == *url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salted_id_is_stable_and_tells_nothing_without_its_salt() {
        let id = rule("cam", "rtmp://h/app/key").id;
        let (one, two) = (Secret::new("one"), Secret::new("two"));
        assert_eq!(id.salted(&one), id.salted(&one));
        assert_ne!(id.salted(&one), id.salted(&two));
        assert_ne!(id.salted(&one), id);
        assert!(id.salted(&one).as_str().starts_with("c-"));
        assert!(RuleId::parse(id.salted(&one).as_str()).is_ok());
    }

    fn rule(stream: &str, url: &str) -> Rule {
        let app = AppName::parse("live").unwrap();
        let stream = StreamPattern::parse(stream).unwrap();
        let url = UrlTemplate::parse(url).unwrap();
        Rule {
            id: RuleId::derived(Origin::Config, &app, &stream, &url),
            app,
            stream,
            url,
            backup_url: None,
            enabled: true,
            origin: Origin::Config,
            created_at: OffsetDateTime::UNIX_EPOCH,
            revision: 1,
            stop_at: None,
            chunk_size: None,
            strict_interleave: false,
            digest_handshake: false,
        }
    }

    fn key(app: &str, name: &str) -> StreamKey {
        StreamKey::parse(app, name).unwrap()
    }

    #[test]
    fn a_rule_applies_by_app_pattern_and_being_enabled() {
        let all = rule("*", "rtmp://h/app/KEY");
        assert!(all.applies_to(&key("live", "cam")));
        assert!(!all.applies_to(&key("other", "cam")));
        assert!(
            !Rule {
                enabled: false,
                ..all.clone()
            }
            .applies_to(&key("live", "cam"))
        );
        let one = rule("cam", "rtmp://h/app/KEY");
        assert!(one.applies_to(&key("live", "cam")));
        assert!(!one.applies_to(&key("live", "cam1")));
    }

    #[test]
    fn a_name_that_could_bend_a_url_matches_no_placeholder() {
        let fixed = rule("*", "rtmp://h/app/KEY");
        let by_stream = rule("*", "rtmp://h/app/{stream}");
        let by_app = rule("*", "rtmp://h/app/{app}");
        for name in ["a/b", "a?b", "a#b", "a\nb", "a\0"] {
            assert!(fixed.applies_to(&key("live", name)), "{name:?}");
            assert!(!by_stream.applies_to(&key("live", name)), "{name:?}");
            assert!(!by_app.applies_to(&key("live", name)), "{name:?}");
        }
        assert!(by_stream.applies_to(&key("live", "a.b")));
        let by_backup = Rule {
            backup_url: Some(UrlTemplate::parse("rtmp://b/app/{stream}").unwrap()),
            ..fixed
        };
        assert!(!by_backup.applies_to(&key("live", "a/b")));
        assert!(by_backup.applies_to(&key("live", "a.b")));
    }

    #[test]
    fn a_derived_id_is_stable_and_tells_wishes_apart() {
        let first = rule("*", "rtmp://h/app/KEY");
        assert_eq!(first.id, rule("*", "rtmp://h/app/KEY").id);
        assert_ne!(first.id, rule("*", "rtmp://h/app/KEZ").id);
        assert_ne!(first.id, rule("a", "rtmp://h/app/KEY").id);
        let given = RuleId::derived(Origin::CommandLine, &first.app, &first.stream, &first.url);
        assert_ne!(first.id, given);
        assert!(RuleId::parse(first.id.as_str()).is_ok());
    }

    #[test]
    fn ids_are_plain_text() {
        for bad in ["", "a b", "a/b", "é", &"a".repeat(65)] {
            assert_eq!(RuleId::parse(bad), Err(RuleIdError), "{bad}");
        }
        assert_eq!(
            RuleId::from_random([0, 1, 2, 3, 4, 5, 6, 255]).as_str(),
            "r-00010203040506ff"
        );
    }

    #[test]
    fn origins_have_one_spelling() {
        for origin in Origin::ALL {
            assert_eq!(Origin::parse(origin.as_str()), Some(origin));
            assert_eq!(
                serde_json::to_string(&origin).unwrap(),
                format!("\"{origin}\"")
            );
        }
        assert_eq!(Origin::parse("Config"), None);
    }

    #[test]
    fn a_rule_prints_no_key() {
        let rule = Rule {
            backup_url: Some(UrlTemplate::parse("rtmp://b/app/canary7key").unwrap()),
            ..rule("*", "rtmp://user:canary7key@h/app/canary7key?x=canary7key")
        };
        assert!(!format!("{rule:?} {rule:#?}").contains("canary7key"));
    }
}
