//! A rule's URL: one target, or one for each stream by way of `{app}` and `{stream}`.
//!
//! The URL is cut into app and name first and filled afterwards, so what a publisher calls its stream cannot move the cut.
//! Placeholders stand in the name only. There is no way to escape them: other braces are ordinary characters, and `{{stream}}` is a
//! placeholder between two braces.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::keys::StreamKey;
use super::url::{NAME_BYTES_MAX, TargetUrl, UrlError};
use super::wish::Origin;

const APP: &str = "{app}";
const STREAM: &str = "{stream}";

/// Why a text is no rule's URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is no URL at all.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A placeholder stands where a publisher's name must not reach.
    #[error("{{app}} and {{stream}} may stand after the app only, in scheme://host/app/name")]
    Misplaced,
    /// The stream's name has `/`, `?`, `#` or a control character.
    #[error("the stream's name has a character that may not go into a URL")]
    NameNotPlain,
}

/// A rule's URL as it was given, known to be good.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlTemplate {
    url: TargetUrl,
    has_placeholder: bool,
}

impl UrlTemplate {
    /// Reads a URL with placeholders: for configuration, command line and the native door.
    ///
    /// # Errors
    /// It is no target's URL, or a placeholder stands before the name.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        // Looked for first: braces in a host would only be reported as a bad host.
        let before_name = |url: &TargetUrl| text.len() - url.name().len();
        let parsed = TargetUrl::parse(text);
        let end = parsed.as_ref().map_or(authority_end(text), before_name);
        if text.get(..end).is_some_and(has_placeholder) {
            return Err(TemplateError::Misplaced);
        }
        let url = parsed?;
        Ok(Self {
            has_placeholder: has_placeholder(url.name()),
            url,
        })
    }

    /// Takes a URL in which braces mean nothing: for vendor doors.
    ///
    /// # Errors
    /// It is no target's URL.
    pub fn literal(text: &str) -> Result<Self, UrlError> {
        Ok(Self {
            url: TargetUrl::parse(text)?,
            has_placeholder: false,
        })
    }

    /// Reads a URL as the makers of such rules mean it: vendors' [literally](Self::literal).
    ///
    /// # Errors
    /// As [`parse`](Self::parse) or `literal`.
    pub fn of(origin: Origin, text: &str) -> Result<Self, TemplateError> {
        match origin.is_literal() {
            true => Ok(Self::literal(text)?),
            false => Self::parse(text),
        }
    }

    /// Whether the target depends on the stream.
    pub fn has_placeholder(&self) -> bool {
        self.has_placeholder
    }

    /// The target for one stream.
    ///
    /// # Errors
    /// With a placeholder: the stream's name is not [plain](super::StreamName::is_plain), or too long for a URL.
    pub fn fill(&self, key: &StreamKey) -> Result<TargetUrl, TemplateError> {
        if !self.has_placeholder {
            return Ok(self.url.clone());
        }
        if !key.name.is_plain() {
            return Err(TemplateError::NameNotPlain);
        }
        let name = filled(self.url.name(), key);
        if name.len() > NAME_BYTES_MAX {
            return Err(UrlError::NameTooLong(name.len()).into());
        }
        Ok(self.url.with_name(name))
    }

    /// The URL as it was given, placeholders and all. Not for printing; its bytes are the rule's identity.
    pub fn expose(&self) -> &str {
        self.url.expose()
    }

    /// The URL for people, as [`mask_url`](crate::secret::mask_url) shows it.
    pub fn masked(&self) -> String {
        self.url.masked()
    }

    /// The target before it is filled, for what does not depend on the stream: scheme, host and port.
    pub fn target(&self) -> &TargetUrl {
        &self.url
    }
}

fn authority_end(text: &str) -> usize {
    let start = text.find("://").map_or(0, |at| at + 3);
    text.get(start..)
        .and_then(|rest| rest.find('/'))
        .map_or(text.len(), |len| start + len)
}

fn has_placeholder(text: &str) -> bool {
    text.contains(APP) || text.contains(STREAM)
}

/// One pass from left to right: a placeholder within a stream's own name is not filled again.
fn filled(name: &str, key: &StreamKey) -> String {
    let mut filled = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('{') {
        let (before, brace) = rest.split_at(at);
        filled.push_str(before);
        rest = if let Some(after) = brace.strip_prefix(STREAM) {
            filled.push_str(key.name.as_str());
            after
        } else if let Some(after) = brace.strip_prefix(APP) {
            filled.push_str(key.app.as_str());
            after
        } else {
            filled.push('{');
            brace.get(1..).unwrap_or_default()
        };
    }
    filled.push_str(rest);
    filled
}

impl fmt::Display for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UrlTemplate({})", self.masked())
    }
}

/// Writes the URL masked.
impl Serialize for UrlTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}

impl<'de> Deserialize<'de> for UrlTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
