//! What may be shown of a URL, of a name, and of a text that somebody else wrote.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{MASK, Secret};

/// A URL as it may be shown: `scheme://host[:port]/app/***`.
///
/// User info, the query and everything after the first segment of the path are hidden, and so is a first segment that
/// nothing follows, because then it may be a key that somebody pasted without its app. Of `http` and `https` only scheme,
/// host and port stay: a webhook carries its token anywhere in the path. What cannot be read as a URL is hidden whole.
pub fn mask_url(url: &str) -> String {
    visible_url(url).unwrap_or_else(|| MASK.to_owned())
}

fn visible_url(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let is_rtmp = matches!(scheme.as_str(), "rtmp" | "rtmps");
    if !is_rtmp && !matches!(scheme.as_str(), "http" | "https") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    let address = authority
        .rsplit_once('@')
        .map_or(authority, |(_, address)| address);
    if !is_address(address) || may_be_cut_user_info(authority, after) {
        return Some(format!("{scheme}://{MASK}"));
    }
    if after.is_empty() || after == "/" {
        return Some(format!("{scheme}://{address}{after}"));
    }
    match after.strip_prefix('/').and_then(visible_app) {
        Some(app) if is_rtmp => Some(format!("{scheme}://{address}/{app}/{MASK}")),
        _ => Some(format!("{scheme}://{address}/{MASK}")),
    }
}

/// The app's first segment, where something follows it that can be the name.
fn visible_app(path: &str) -> Option<&str> {
    let end = path.find(['/', '?', '#'])?;
    let (app, after) = path.split_at(end);
    let shown = !app.is_empty() && after.contains('/') && app.chars().all(is_plain);
    shown.then_some(app)
}

/// `rtmp://user:12/34@host/app`: a password with a slash in it makes its first half look like a port, or like a host where an
/// `@` comes before the slash. A name with an `@` behind a plain host is not taken for that.
fn may_be_cut_user_info(authority: &str, after: &str) -> bool {
    authority.contains([':', '@']) && after.contains('@')
}

fn is_plain(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && c != '@'
}

/// A host, with a port or without. Whatever else stands there is not an address and may be part of a password.
fn is_address(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(literal) => match literal.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None => return false,
            },
            None => return false,
        },
        None => text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let host_is_plain = if text.starts_with('[') {
        host.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        !host.is_empty()
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    host_is_plain && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// A publisher's stream name as it may be shown: without the value of its query, where the publish key is.
///
/// It is [`printable`].
pub fn mask_name(name: &str) -> String {
    let (shown, query) = name
        .split_once('?')
        .map_or((name, ""), |(shown, _)| (shown, "?***"));
    let mut text = printable(shown);
    text.push_str(query);
    text
}

/// A text of somebody else's, each control character as U+FFFD: it cannot drive the terminal that shows it, nor begin a line of
/// its own.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character.is_control() {
            true => char::REPLACEMENT_CHARACTER,
            false => character,
        })
        .collect()
}

/// The values of a query; a parameter without `=` is a value.
pub fn parameters(query: &str) -> impl Iterator<Item = &str> {
    query
        .split(['&', '/', '?'])
        .map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value))
}

/// The values of a query's parameter of this name, as they stand there.
pub fn parameters_named<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(move |(key, value)| (key == name).then_some(value))
}

/// A text of somebody else's, with every occurrence of these secrets hidden.
///
/// A CDN may echo the stream key in its `onStatus` description, as it is, percent-encoded or percent-decoded; all three are
/// found. The work is bounded by the product of the lengths: bound the text first.
pub fn mask_text(text: &str, secrets: &[&Secret]) -> String {
    let mut needles: Vec<Cow<'_, [u8]>> = Vec::with_capacity(secrets.len());
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        needles.push(Cow::Borrowed(secret.expose().as_bytes()));
        let decoded: Cow<'_, [u8]> = percent_decode_str(secret.expose()).into();
        if decoded.as_ref() != secret.expose().as_bytes() {
            needles.push(decoded);
        }
    }
    // The longest first: a key whose beginning is another secret is hidden whole.
    needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));

    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match needles
            .iter()
            .find_map(|needle| prefix_len(rest.as_bytes(), needle))
        {
            // A needle is UTF-8 or decoded bytes; where it ends within a character, the whole character goes.
            Some(len) => {
                shown.push_str(MASK);
                let end = (len..=rest.len())
                    .find(|&end| rest.is_char_boundary(end))
                    .unwrap_or(rest.len());
                rest = rest.get(end..).unwrap_or_default();
            }
            None => {
                shown.push(first);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            }
        }
    }
    shown
}

/// How many bytes of `text` spell `needle`, each byte literally or as `%XX`; `None` where they do not.
fn prefix_len(text: &[u8], needle: &[u8]) -> Option<usize> {
    literal_len(text, needle).or_else(|| encoded_len(text, needle))
}

fn literal_len(text: &[u8], needle: &[u8]) -> Option<usize> {
    (!needle.is_empty() && text.starts_with(needle)).then_some(needle.len())
}

fn encoded_len(text: &[u8], needle: &[u8]) -> Option<usize> {
    let mut at = 0;
    for &wanted in needle {
        let rest = text.get(at..)?;
        at += match rest {
            [b'%', high, low, ..] if hex_byte(*high, *low) == Some(wanted) => 3,
            [byte, ..] if *byte == wanted => 1,
            _ => return None,
        };
    }
    (at > 0).then_some(at)
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CANARY: &str = "canary7key";

    #[test]
    fn urls_are_shown_without_their_keys() {
        for (url, shown) in [
            ("rtmp://h/app/KEY", "rtmp://h/app/***"),
            (
                "RTMPS://H.example:443/app/KEY?a=KEY",
                "rtmps://H.example:443/app/***",
            ),
            ("rtmp://h/live2?backup=1/KEY", "rtmp://h/live2/***"),
            ("rtmp://h/a/b/KEY", "rtmp://h/a/***"),
            ("rtmp://h/app/", "rtmp://h/app/***"),
            (
                "rtmp://h/live-bvc/?streamname=KEY&key=KEY",
                "rtmp://h/live-bvc/***",
            ),
            ("rtmp://KEY:KEY@h:1936/app/KEY", "rtmp://h:1936/app/***"),
            ("rtmp://K@KEY@h/app/KEY", "rtmp://h/app/***"),
            (
                "rtmp://[2001:db8::1]:1935/app/KEY",
                "rtmp://[2001:db8::1]:1935/app/***",
            ),
            ("rtmp://[::1]/app/KEY#KEY", "rtmp://[::1]/app/***"),
            ("rtmp://h/KEY", "rtmp://h/***"),
            ("rtmp://h/KEY?x=1", "rtmp://h/***"),
            ("rtmp://h?KEY", "rtmp://h/***"),
            ("rtmp://h#KEY", "rtmp://h/***"),
            ("rtmp://h", "rtmp://h"),
            ("rtmp://h/", "rtmp://h/"),
            ("rtmp:///app/KEY", "rtmp://***"),
            ("rtmp://user:KEY/x@h/app/KEY", "rtmp://***"),
            ("rtmp://user:12/KEY@h/app/KEY", "rtmp://***"),
            ("rtmp://[::1/KEY", "rtmp://***"),
            ("rtmp://[::1]KEY/a", "rtmp://***"),
            (
                "https://hooks.example/services/KEY",
                "https://hooks.example/***",
            ),
            ("http://u:KEY@h:80/?t=KEY", "http://h:80/***"),
            ("https://h/", "https://h/"),
            ("srt://h/app/KEY", "***"),
            ("KEY", "***"),
            ("", "***"),
            ("rtmp:/h/app/KEY", "***"),
            ("KEY://h/app/x", "***"),
            ("rtmp://h é/app/KEY", "rtmp://***"),
        ] {
            assert_eq!(mask_url(url), shown, "{url}");
        }
    }

    #[test]
    fn names_are_shown_without_their_query() {
        for (name, shown) in [
            ("cam", "cam"),
            ("cam?key=KEY", "cam?***"),
            ("?streamname=KEY", "?***"),
            ("cam?", "cam?***"),
            ("", ""),
            ("a\x1b[2Jb", "a\u{fffd}[2Jb"),
        ] {
            assert_eq!(mask_name(name), shown, "{name}");
        }
    }

    #[test]
    fn a_peers_text_loses_the_keys_that_it_echoes() {
        let cases = [
            ("stream KEY/1 denied", "KEY/1", "stream *** denied"),
            ("stream KEY%2F1 denied", "KEY/1", "stream *** denied"),
            ("stream KEY%2f1 denied", "KEY/1", "stream *** denied"),
            ("stream %4b%45Y/1 denied", "KEY/1", "stream *** denied"),
            ("a b denied", "a%20b", "*** denied"),
            ("a%20b denied", "a%20b", "*** denied"),
            ("a%2520b denied", "a%20b", "*** denied"),
            ("KEKEYY", "KEY", "KE***Y"),
            ("KEYKEY", "KEY", "******"),
            ("nothing", "", "nothing"),
            ("naïve", "ï", "na***ve"),
            ("", "KEY", ""),
        ];
        for (text, secret, shown) in cases {
            assert_eq!(mask_text(text, &[&Secret::new(secret)]), shown, "{text}");
        }
        let (short, long) = (Secret::new("abc"), Secret::new("abcdef"));
        assert_eq!(mask_text("x abcdef y abc", &[&short, &long]), "x *** y ***");
    }

    fn around() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z0-9/?#@:&=%.\\[\\]-]{0,12}", "\\PC{0,8}"]
    }

    proptest! {
        #[test]
        fn no_key_survives_after_the_app(
            scheme in prop_oneof!["rtmp", "rtmps", "RTMP", "http", "https"],
            host in "[a-z]{1,8}(:[1-9][0-9]{1,3})?",
            before in around(),
            after in around(),
            place in 0..5_u8,
        ) {
            let hidden = format!("{before}{CANARY}{after}");
            let url = match place {
                0 => format!("{scheme}://{host}/app/{hidden}"),
                1 => format!("{scheme}://{host}/app/x?{hidden}"),
                2 => format!("{scheme}://{host}/app/x#{hidden}"),
                3 => format!("{scheme}://user:{hidden}@{host}/app/x"),
                _ => format!("{scheme}://{host}/app?{hidden}/x"),
            };
            prop_assert!(!mask_url(&url).contains(CANARY), "{url} -> {}", mask_url(&url));
        }

        #[test]
        fn what_is_no_url_is_hidden_whole(text in "\\PC{0,40}") {
            prop_assume!(!text.contains("://"));
            prop_assert_eq!(mask_url(&text), MASK);
        }

        #[test]
        fn no_key_survives_in_a_text(
            before in "\\PC{0,20}", after in "\\PC{0,20}", key in "[A-Z]{6}[!-~]{0,8}", encode in any::<Vec<bool>>(),
        ) {
            let mut echoed = String::new();
            for (i, byte) in key.bytes().enumerate() {
                match encode.get(i) {
                    Some(true) => echoed.push_str(&format!("%{byte:02X}")),
                    _ => echoed.push(char::from(byte)),
                }
            }
            // A key with its own percent signs, echoed half encoded, reads in more than one way.
            prop_assume!(!key.contains('%'));
            let shown = mask_text(&format!("{before}{echoed}{after}"), &[&Secret::new(key.clone())]);
            prop_assert!(!shown.contains(&echoed) && !shown.contains(&key));
        }
    }
}
