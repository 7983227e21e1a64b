//! URLs of services that the gateway tells something.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::rule::{HttpUrl, SourceUrlError, UrlError};

/// An `http` or `https` URL, which prints masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebUrl(pub HttpUrl);

impl Serialize for WebUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for WebUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        HttpUrl::parse(&text)
            .map(Self)
            .map_err(|error| match error {
                SourceUrlError::Url(UrlError::Scheme) => {
                    D::Error::custom("expected a URL that begins with http:// or https://")
                }
                error => D::Error::custom(error),
            })
    }
}
