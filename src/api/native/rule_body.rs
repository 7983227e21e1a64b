//! A rule in JSON: as it is shown, made and changed.

use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use time::UtcOffset;
use time::serde::rfc3339;
use utoipa::ToSchema;

use crate::api::problem::Problem;
use crate::control::{
    AppName, CHUNK_SIZES, NewRule, Origin, Rule, RuleChange, RuleOptions, StreamPattern,
    UrlTemplate,
};

/// A rule, as this door shows it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rule)]
pub struct RuleView {
    /// Its name.
    #[schema(example = "r-0123456789abcdef")]
    pub(super) id: String,
    /// The app whose streams it is about.
    #[schema(example = "live")]
    app: String,
    /// One stream's name, or a pattern with `*`.
    #[schema(example = "cam")]
    stream: String,
    /// Where to. The key is masked unless `?reveal=true`.
    #[schema(example = "rtmp://a.example/app/***")]
    url: String,
    /// Where to while `url` fails, shown as `url` is. Absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "rtmp://b.example/app/***")]
    backup_url: Option<String>,
    /// Whether it is in force.
    enabled: bool,
    /// When it ends by itself. Absent where it does not.
    #[serde(with = "rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    stop_at: Option<OffsetDateTime>,
    /// The chunk size towards its target, in bytes. Absent where it is the configured one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 128, maximum = 65_536)]
    chunk_size: Option<u32>,
    /// Whether its target is given sound and pictures strictly in the order of their times, up to 100 ms later. Absent where not.
    #[serde(skip_serializing_if = "is_not")]
    strict_interleave: bool,
    /// Whether the handshake with its target has a digest, as Flash's has. Absent where not.
    #[serde(skip_serializing_if = "is_not")]
    digest_handshake: bool,
    /// Who made it.
    origin: Origin,
    /// When it was made.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
    /// Rises with every change of any rule; this rule was last changed by this one. In quotes it is the answer's `ETag`.
    revision: u64,
}

impl RuleView {
    pub(super) fn of(rule: &Rule, reveal: bool) -> Self {
        let shown = |url: &UrlTemplate| match reveal {
            true => url.expose().to_owned(),
            false => url.masked(),
        };
        Self {
            id: rule.id.to_string(),
            app: rule.app.as_str().to_owned(),
            stream: rule.stream.as_str().to_owned(),
            url: shown(&rule.url),
            backup_url: rule.backup_url.as_ref().map(shown),
            enabled: rule.enabled,
            stop_at: rule.stop_at,
            chunk_size: rule.chunk_size,
            strict_interleave: rule.strict_interleave,
            digest_handshake: rule.digest_handshake,
            origin: rule.origin,
            created_at: rule.created_at,
            revision: rule.revision,
        }
    }
}

/// A new rule.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRule {
    /// A configured app.
    #[schema(example = "live")]
    app: String,
    /// One stream's name, or a pattern in which `*` stands for any characters.
    #[schema(example = "*")]
    stream: String,
    /// `rtmp://` or `rtmps://`, host, app and name. `{app}` and `{stream}` may stand after the app.
    #[schema(example = "rtmp://a.example/app/{stream}")]
    url: String,
    /// Another one, for while `url` fails. The same holds for it.
    #[schema(example = "rtmp://b.example/app/{stream}")]
    backup_url: Option<String>,
    /// Whether it is in force at once.
    #[schema(default = true)]
    enabled: Option<bool>,
    /// When it ends by itself (RFC 3339): its pushes stop then, and it stays.
    #[serde(default, with = "rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    stop_at: Option<OffsetDateTime>,
    /// The chunk size towards its target, in bytes, where it is not the configured one.
    #[schema(minimum = 128, maximum = 65_536)]
    chunk_size: Option<u32>,
    /// Give its target sound and pictures strictly in the order of their times: what comes early waits for the other, for up to 100 ms.
    #[schema(default = false)]
    strict_interleave: Option<bool>,
    /// Make the handshake with a digest, as Flash does, for servers that insist.
    #[schema(default = false)]
    digest_handshake: Option<bool>,
}

impl CreateRule {
    pub(super) fn parse(self) -> Result<NewRule, Problem> {
        let backup_url = self.backup_url.as_deref();
        Ok(NewRule {
            app: AppName::parse(&self.app).map_err(|why| wrong("app", why))?,
            stream: StreamPattern::parse(&self.stream).map_err(|why| wrong("stream", why))?,
            url: url("url", Origin::Api, &self.url)?,
            options: RuleOptions {
                backup_url: backup_url
                    .map(|text| url("backup_url", Origin::Api, text))
                    .transpose()?,
                enabled: self.enabled.unwrap_or(true),
                stop_at: self.stop_at.map(stop_at).transpose()?,
                chunk_size: self.chunk_size.map(chunk_size).transpose()?,
                strict_interleave: self.strict_interleave.unwrap_or(false),
                digest_handshake: self.digest_handshake.unwrap_or(false),
            },
            origin: Origin::Api,
        })
    }
}

/// What of a rule shall be other than it is (RFC 7396): what is absent stays, and `null` takes away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRule {
    /// Where to. Its pushes stop and begin anew there.
    #[serde(default, deserialize_with = "kept")]
    #[schema(value_type = String, required = false, example = "rtmp://a.example/app/{stream}")]
    url: Option<String>,
    /// Where to while `url` fails. Pushes that do not use it go on.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>, example = "rtmp://b.example/app/{stream}")]
    backup_url: Option<Option<String>>,
    /// Whether it is in force.
    #[serde(default, deserialize_with = "kept")]
    #[schema(value_type = bool, required = false)]
    enabled: Option<bool>,
    /// When it ends by itself (RFC 3339).
    #[serde(default, deserialize_with = "said_time")]
    #[schema(value_type = Option<String>, format = DateTime)]
    stop_at: Option<Option<OffsetDateTime>>,
    /// The chunk size towards its target, in bytes. Its pushes stop and begin anew with it.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u32>, minimum = 128, maximum = 65_536)]
    chunk_size: Option<Option<u32>>,
    /// Whether its target is given sound and pictures strictly in order. Its pushes stop and begin anew.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<bool>)]
    strict_interleave: Option<Option<bool>>,
    /// Whether the handshake has a digest. Its pushes stop and begin anew.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<bool>)]
    digest_handshake: Option<Option<bool>>,
}

impl ChangeRule {
    /// Reads it for a rule of that origin: in vendors' rules, braces are plain characters.
    pub(super) fn parse(self, origin: Origin) -> Result<RuleChange, Problem> {
        let main = self.url.as_deref().map(|text| url("url", origin, text));
        let backup = self.backup_url.map(|said| {
            said.map(|text| url("backup_url", origin, &text))
                .transpose()
        });
        Ok(RuleChange {
            url: main.transpose()?,
            backup_url: backup.transpose()?,
            enabled: self.enabled,
            stop_at: self
                .stop_at
                .map(|said| said.map(stop_at).transpose())
                .transpose()?,
            chunk_size: self
                .chunk_size
                .map(|said| said.map(chunk_size).transpose())
                .transpose()?,
            strict_interleave: self.strict_interleave.map(Option::unwrap_or_default),
            digest_handshake: self.digest_handshake.map(Option::unwrap_or_default),
        })
    }
}

/// Whether an option that is on or off is off.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_not(on: &bool) -> bool {
    !on
}

/// A member that every rule has: `null` is a mistake.
fn kept<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A member that is there, if only with `null`.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn said_time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<OffsetDateTime>>, D::Error> {
    rfc3339::option::deserialize(deserializer).map(Some)
}

/// In UTC, as it is shown and stored, and within the years that RFC 3339 can write.
fn stop_at(time: OffsetDateTime) -> Result<OffsetDateTime, Problem> {
    let in_utc = time.checked_to_offset(UtcOffset::UTC);
    let writable = in_utc.filter(|time| (0..=9999).contains(&time.year()));
    writable.ok_or_else(|| wrong("stop_at", "the time is out of range"))
}

fn url(field: &str, origin: Origin, text: &str) -> Result<UrlTemplate, Problem> {
    UrlTemplate::of(origin, text).map_err(|why| wrong(field, why))
}

fn chunk_size(bytes: u32) -> Result<u32, Problem> {
    let (min, max) = (CHUNK_SIZES.start(), CHUNK_SIZES.end());
    match CHUNK_SIZES.contains(&bytes) {
        true => Ok(bytes),
        false => Err(wrong(
            "chunk_size",
            format_args!("the number must be from {min} to {max}"),
        )),
    }
}

/// 422, with the member's name in front.
pub(super) fn wrong(field: &str, why: impl std::fmt::Display) -> Problem {
    Problem::invalid(field, format!("{field}: {why}."))
}
