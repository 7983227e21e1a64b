//! Which stream names a rule wants: one, or all that fit a pattern with `*`.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::keys::{KeyError, StreamName};

/// One name, or a pattern in which each `*` stands for any characters, none included.
///
/// Matching takes time linear in the lengths of name and pattern: the pieces between the stars are looked for from left to
/// right, and the leftmost place of each is always good enough.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct StreamPattern {
    text: StreamName,
    is_literal: bool,
}

impl StreamPattern {
    /// Reads `*` as a star: for configuration, command line and the native door.
    ///
    /// # Errors
    /// The text is empty or longer than a stream name can be.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = StreamName::parse(text)?;
        let is_literal = !text.as_str().contains('*');
        Ok(Self { text, is_literal })
    }

    /// `*`: every name.
    pub fn every() -> Self {
        Self {
            text: StreamName::star(),
            is_literal: false,
        }
    }

    /// The name and nothing else, even where it has a `*`: for vendor doors.
    pub fn literal(name: StreamName) -> Self {
        Self {
            text: name,
            is_literal: true,
        }
    }

    /// Whether exactly one name matches.
    pub fn is_literal(&self) -> bool {
        self.is_literal
    }

    /// The one name that matches, where it is one.
    pub fn as_literal(&self) -> Option<&StreamName> {
        self.is_literal.then_some(&self.text)
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// Whether the rule wants this name.
    pub fn matches(&self, name: &StreamName) -> bool {
        if self.is_literal {
            return self.text == *name;
        }
        let Some((first, pieces)) = self.as_str().split_once('*') else {
            return false;
        };
        let (middle, last) = pieces.rsplit_once('*').unwrap_or(("", pieces));
        let rest = name
            .as_str()
            .strip_prefix(first)
            .and_then(|rest| rest.strip_suffix(last));
        rest.is_some_and(|rest| middle.split('*').try_fold(rest, after).is_some())
    }
}

/// What follows the first `piece` in `rest`.
fn after<'a>(rest: &'a str, piece: &str) -> Option<&'a str> {
    rest.split_once(piece).map(|(_, after)| after)
}

impl fmt::Display for StreamPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Debug for StreamPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{:?}",
            if self.is_literal { "=" } else { "~" },
            self.text
        )
    }
}

impl Serialize for StreamPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for StreamPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, name: &str) -> bool {
        StreamPattern::parse(pattern)
            .unwrap()
            .matches(&StreamName::parse(name).unwrap())
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, wanted) in [
            ("cam", "cam", true),
            ("cam", "cam1", false),
            ("cam", "Cam", false),
            ("*", "anything/at?all", true),
            ("**", "x", true),
            ("cam*", "cam", true),
            ("cam*", "cam/1", true),
            ("cam*", "xcam", false),
            ("*_x", "a_x", true),
            ("*_x", "a_x_y", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("*b*b*", "b", false),
            ("*b*b*", "bb", true),
            ("*é*", "née", true),
            ("a*ab*b", "aabb", true),
            ("a*ab*b", "ab", false),
        ] {
            assert_eq!(matches(pattern, name), wanted, "{pattern} {name}");
        }
    }

    #[test]
    fn a_literal_star_is_a_star() {
        let name = StreamName::parse("a*b").unwrap();
        let pattern = StreamPattern::literal(name.clone());
        assert!(pattern.is_literal());
        assert!(pattern.matches(&name));
        assert!(!pattern.matches(&StreamName::parse("axb").unwrap()));
        assert!(!StreamPattern::parse("a*b").unwrap().is_literal());
        assert!(StreamPattern::parse("ab").unwrap().is_literal());
    }

    /// The textbook definition, exponential and obvious.
    fn by_definition(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|skip| by_definition(rest, &name[skip..])),
            Some((c, rest)) => name.first() == Some(c) && by_definition(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_definition(pattern in "[ab*]{1,7}", name in "[ab]{1,9}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &name), by_definition(&chars(&pattern), &chars(&name)));
        }
    }
}
