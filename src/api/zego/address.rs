//! What may be a `CDNUrl`, and when two of them are the same address.

use std::borrow::Cow;

use super::action::Action;
use super::answer::Refusal;

use super::limits::MAX_CDN_URL_BYTES;
use crate::control::{TargetUrl, UrlTemplate};

/// A `CDNUrl` without what may differ between two calls about the same relay: query, fragment, the case of scheme and host, a
/// default port that is written or not, and a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    scheme: String,
    host: String,
    port: u16,
    path: String,
}

impl Address {
    /// The address of a URL, which has to have a host and two parts in its path.
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = without_last_slash(text);
        let url = TargetUrl::parse(&text).ok()?;
        let (scheme, rest) = text.split_once("://")?;
        let path = rest.split(['?', '#']).next()?.split_once('/')?.1;
        let parts = path.split('/').filter(|part| !part.is_empty()).count();
        (parts >= 2).then(|| Self {
            scheme: scheme.to_ascii_lowercase(),
            host: url.host().to_ascii_lowercase(),
            port: url.port_or_default(),
            path: path.to_owned(),
        })
    }
}

/// Takes one slash from the end of the path.
fn without_last_slash(text: &str) -> Cow<'_, str> {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let (path, rest) = text.split_at(end);
    match path.strip_suffix('/') {
        Some(path) => format!("{path}{rest}").into(),
        None => text.into(),
    }
}

/// A `CDNUrl` that is well-formed: its address, and the URL as a rule takes it, byte for byte where a rule can.
pub(super) fn parse(text: Option<&str>, action: Action) -> Result<(Address, UrlTemplate), Refusal> {
    let refused = |why: String| Refusal::new(action.address_format(), why);
    let text = text.ok_or_else(|| refused("CDNUrl is missing".to_owned()))?;
    if text.len() > MAX_CDN_URL_BYTES {
        return Err(refused(format!(
            "CDNUrl has more than {MAX_CDN_URL_BYTES} bytes"
        )));
    }
    // What stands in a query's text for bytes that are no UTF-8: no address has it, and what was meant is lost.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(refused("CDNUrl is not UTF-8".to_owned()));
    }
    // To a rule, `/app/stream/` has no name after the last slash.
    let url =
        UrlTemplate::literal(text).or_else(|_| UrlTemplate::literal(&without_last_slash(text)));
    let url = url.map_err(|why| refused(format!("CDNUrl: {why}")))?;
    if url.target().credentials().is_some() {
        return Err(refused("CDNUrl has a user name in it".to_owned()));
    }
    let address = Address::of(text).ok_or_else(|| {
        refused("CDNUrl is not rtmp://host[:port]/app/stream or rtmps://...".to_owned())
    })?;
    Ok((address, url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let base =
            Address::of("rtmp://push.example.com/live/s1?txSecret=11&txTime=5C271099").unwrap();
        for (text, same) in [
            ("rtmp://push.example.com/live/s1", true),
            ("RTMP://PUSH.EXAMPLE.COM:1935/live/s1?x=1", true),
            ("rtmp://push.example.com/live/s1/", true),
            ("rtmp://push.example.com/live/s1/?x=a/b", true),
            ("rtmp://push.example.com/live/s1?x=a/", true),
            ("rtmp://push.example.com/live/s1#f", true),
            ("rtmps://push.example.com/live/s1", false),
            ("rtmp://push.example.com:1936/live/s1", false),
            ("rtmp://push.example.com/live/S1", false),
            ("rtmp://push.example.com/live/s1//", false),
            ("rtmp://push.example.com/live//s1", false),
            ("rtmp://push.example.com/live/s1/s2", false),
            ("rtmp://push.example.net/live/s1", false),
        ] {
            assert_eq!(Address::of(text).as_ref() == Some(&base), same, "{text}");
        }
        assert_eq!(
            Address::of("rtmps://h/a/b"),
            Address::of("rtmps://h:443/a/b")
        );
        assert_eq!(
            Address::of("rtmp://[2001:DB8::1]/a/b"),
            Address::of("rtmp://[2001:db8::1]:1935/a/b")
        );
    }

    #[test]
    fn malformed() {
        let long = format!("rtmp://h/a/{}", "b".repeat(MAX_CDN_URL_BYTES));
        for text in [
            "",
            "http://h/a/b",
            "rtmp://h",
            "rtmp://h/a",
            "rtmp://h/a/",
            "rtmp://h//b",
            "rtmp://h/a?x=/b",
            "rtmp:///a/b",
            "rtmp://u:p@h/a/b",
            "rtmp://h:0/a/b",
            "rtmp://h/a/b c",
            "rtmp://h/a/b\n",
            &long,
        ] {
            let refused = |action| parse(Some(text), action).unwrap_err().code as u32;
            assert_eq!(refused(Action::Create), 30_001, "{text}");
            assert_eq!(refused(Action::Delete), 5004, "{text}");
        }
        let (_, url) = parse(Some("rtmp://h/a/{stream}"), Action::Create).unwrap();
        assert!(!url.has_placeholder());
        let (_, url) = parse(Some("rtmp://h/a/b/"), Action::Create).unwrap();
        assert_eq!(url.expose(), "rtmp://h/a/b");
        let (_, url) = parse(Some("rtmp://h/a/b/?c=d"), Action::Create).unwrap();
        assert_eq!(url.expose(), "rtmp://h/a/b/?c=d");
    }
}
