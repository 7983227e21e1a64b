//! The names of streams: the app, the name within it, and the two together.

use std::fmt;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::secret::printable;

/// The longest app name, in bytes. Far above what people type; it keeps labels and index keys small.
pub const APP_NAME_BYTES_MAX: usize = 128;

/// The longest stream name, in bytes: what ZEGO allows for a StreamId. A publisher's query is no part of it.
pub const STREAM_NAME_BYTES_MAX: usize = 256;

/// Why a name was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no text.
    #[error("the {what} is empty")]
    Empty {
        /// Which name.
        what: &'static str,
    },
    /// More than the bound.
    #[error("the {what} has {bytes} bytes, more than {max}")]
    TooLong {
        /// Which name.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// A character that an app's name cannot have.
    #[error(
        "the app name has the character {0:?}; no spaces, control characters, or any of ? # * {{ }}"
    )]
    Character(char),
    /// A leading, trailing or doubled slash, `.` or `..`.
    #[error("the app name has an empty, \".\" or \"..\" part between its slashes")]
    Segment,
}

/// The name of an RTMP application, which is also the tenant that owns its streams.
///
/// 1 to [`APP_NAME_BYTES_MAX`] bytes; slashes are allowed within (`live/studio`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppName(Arc<str>);

impl AppName {
    /// Parses at the border.
    ///
    /// # Errors
    /// The name is empty, too long, or has a character or part that would not survive in a URL or a label.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        within("app name", text, APP_NAME_BYTES_MAX)?;
        let odd = |c: char| {
            c.is_control() || c.is_whitespace() || matches!(c, '?' | '#' | '*' | '{' | '}')
        };
        if let Some(c) = text.chars().find(|&c| odd(c)) {
            return Err(KeyError::Character(c));
        }
        if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(KeyError::Segment);
        }
        Ok(Self(text.into()))
    }

    /// `live`: the app that is there where none is configured.
    pub fn live() -> Self {
        Self("live".into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a stream within its app, without the publisher's query.
///
/// 1 to [`STREAM_NAME_BYTES_MAX`] bytes of anything: what an encoder sends is kept byte for byte. `Display` shows control
/// characters as U+FFFD.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(Arc<str>);

impl StreamName {
    /// Parses at the border.
    ///
    /// # Errors
    /// The name is empty or too long.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        within("stream name", text, STREAM_NAME_BYTES_MAX)?;
        Ok(Self(text.into()))
    }

    pub(super) fn star() -> Self {
        Self("*".into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name may be put into a URL.
    ///
    /// A publisher chooses its name. With `/`, `?`, `#` or a control character in it, it could choose more of a target's URL than
    /// the rule meant to leave open.
    pub fn is_plain(&self) -> bool {
        !self
            .0
            .chars()
            .any(|c| c.is_control() || matches!(c, '/' | '?' | '#'))
    }
}

fn within(what: &'static str, text: &str, max: usize) -> Result<(), KeyError> {
    match text.len() {
        0 => Err(KeyError::Empty { what }),
        bytes if bytes > max => Err(KeyError::TooLong { what, bytes, max }),
        _ => Ok(()),
    }
}

macro_rules! text_type {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&printable(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }

        impl std::str::FromStr for $name {
            type Err = KeyError;

            fn from_str(text: &str) -> Result<Self, KeyError> {
                Self::parse(text)
            }
        }
    };
}

text_type!(AppName);
text_type!(StreamName);

/// A stream: its app and its name. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct StreamKey {
    /// The app.
    pub app: AppName,
    /// The name within the app.
    pub name: StreamName,
}

impl StreamKey {
    /// Puts two parsed names together.
    pub fn new(app: AppName, name: StreamName) -> Self {
        Self { app, name }
    }

    /// Parses both names.
    ///
    /// # Errors
    /// As [`AppName::parse`] and [`StreamName::parse`].
    pub fn parse(app: &str, name: &str) -> Result<Self, KeyError> {
        Ok(Self {
            app: AppName::parse(app)?,
            name: StreamName::parse(name)?,
        })
    }
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.app, self.name)
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.app, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_names_are_bounded_and_plain() {
        for good in [
            "live",
            "live/studio",
            "1234567890",
            "a",
            "a-b_c.d~",
            "é",
            &"a".repeat(APP_NAME_BYTES_MAX),
        ] {
            assert_eq!(AppName::parse(good).unwrap().as_str(), good);
        }
        for (bad, error) in [
            ("", KeyError::Empty { what: "app name" }),
            ("a b", KeyError::Character(' ')),
            ("a\n", KeyError::Character('\n')),
            ("a?b", KeyError::Character('?')),
            ("*", KeyError::Character('*')),
            ("{app}", KeyError::Character('{')),
            ("/a", KeyError::Segment),
            ("a/", KeyError::Segment),
            ("a//b", KeyError::Segment),
            ("a/../b", KeyError::Segment),
            (
                &"a".repeat(129),
                KeyError::TooLong {
                    what: "app name",
                    bytes: 129,
                    max: 128,
                },
            ),
        ] {
            assert_eq!(AppName::parse(bad), Err(error), "{bad}");
        }
    }

    #[test]
    fn stream_names_are_kept_as_they_are_and_shown_harmless() {
        let name = StreamName::parse("a\x1b[2J/b").unwrap();
        assert_eq!(name.as_str(), "a\x1b[2J/b");
        assert_eq!(name.to_string(), "a\u{fffd}[2J/b");
        assert_eq!(format!("{name:?}"), r#""a\u{1b}[2J/b""#);
        assert!(StreamName::parse("").is_err());
        assert!(StreamName::parse(&"a".repeat(257)).is_err());
    }

    #[test]
    fn only_a_plain_name_may_go_into_a_url() {
        for (name, plain) in [
            ("cam", true),
            ("cam-1_2.x~", true),
            ("ä b", true),
            ("{app}", true),
            ("a*b", true),
            ("a%2Fb", true),
            ("a/b", false),
            ("a?b", false),
            ("a#b", false),
            ("a\0b", false),
            ("a\u{7f}", false),
            ("a\u{85}b", false),
        ] {
            assert_eq!(
                StreamName::parse(name).unwrap().is_plain(),
                plain,
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_key_shows_both_names() {
        let key = StreamKey::parse("live", "cam").unwrap();
        assert_eq!(key.to_string(), "live/cam");
        assert_eq!(
            serde_json::to_string(&key).unwrap(),
            r#"{"app":"live","name":"cam"}"#
        );
        assert!(serde_json::from_str::<AppName>("\"a b\"").is_err());
    }
}
