//! Keys and passwords: how they are held, compared, and kept out of everything that is printed.
//!
//! The key of a stream lives in places that look harmless: the last part of a URL's path, its query, its user info, and the
//! sentence with which a CDN refuses it. What is printed goes through this file.

mod mask;

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use mask::{mask_name, mask_text, mask_url, parameters, parameters_named, printable};

/// What stands where something secret stood.
pub const MASK: &str = "***";

/// Pieces of a name shorter than this are words such as `true` or `rtmp`, and not looked for in a CDN's text; in bytes.
pub const ECHOED_PIECE_BYTES_MIN: usize = 6;

/// Text that prints as `***`, whether by `Debug`, `Display` or serde.
///
/// Two secrets are compared in a time that does not depend on where they differ.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the text as it is; nothing is trimmed.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. The name is long so that a reader sees where a secret leaves its wrapping.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares with what a peer showed, in constant time: see [`is_same`].
    pub fn matches(&self, given: &str) -> bool {
        is_same(&self.0, given)
    }
}

/// Whether a peer showed what it should have: the one place where tokens, keys and signatures are compared. The time does not
/// depend on where the two differ.
///
/// Digests are compared rather than the texts: they have one length, so the time tells nothing about ours.
pub fn is_same(ours: &str, shown: &str) -> bool {
    let ours = Sha256::digest(ours.as_bytes());
    let shown = Sha256::digest(shown.as_bytes());
    ours.as_slice().ct_eq(shown.as_slice()).into()
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("canary7key");
        assert_eq!(
            format!("{secret} {secret:?} {:?}", Some(&secret)),
            "*** *** Some(***)"
        );
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert_eq!(
            serde_json::from_str::<Secret>("\"abc\"").unwrap().expose(),
            "abc"
        );
    }

    #[test]
    fn a_secret_matches_only_itself() {
        let secret = Secret::new("abc");
        for (given, same) in [
            ("abc", true),
            ("abd", false),
            ("ab", false),
            ("abcd", false),
            ("", false),
            ("ABC", false),
        ] {
            assert_eq!(secret.matches(given), same, "{given}");
        }
        assert!(Secret::default().matches(""));
        assert_eq!(Secret::new("a"), Secret::from("a"));
        assert_ne!(Secret::new("a"), Secret::new("b"));
    }
}
