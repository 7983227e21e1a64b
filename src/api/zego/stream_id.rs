//! What may be a `StreamId`, and which environment it belongs to.

use super::answer::{Code, Refusal};
use super::limits::MAX_STREAM_ID_CHARS;
use super::{Account, Environment};
use crate::control::StreamName;

/// What the names of test streams begin with; the app's number and another `-` follow.
const TEST_PREFIX: &str = "zegotest-";

/// Characters beside letters and digits. What the vendor's own check allows, less what breaks URLs or RTMP names.
const MARKS: &[u8] = b"-_.~!@$^*()+=,;'`";

/// Reads a `StreamId`.
pub(super) fn parse(
    text: Option<&str>,
    account: &Account,
    environment: Environment,
) -> Result<StreamName, Refusal> {
    let refused = |why: &str| Refusal::new(Code::StreamId, why);
    let text = text
        .filter(|text| !text.is_empty())
        .ok_or_else(|| refused("StreamId is missing"))?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || MARKS.contains(&byte);
    if text.len() > MAX_STREAM_ID_CHARS || !text.bytes().all(is_plain) {
        return Err(refused(
            "StreamId is not 1 to 256 letters, digits and characters of - _ . ~ ! @ $ ^ * ( ) + = , ; ' `",
        ));
    }
    let ours = format!("{TEST_PREFIX}{}-", account.app_id);
    match environment {
        Environment::Test if text.strip_prefix(&ours).is_none_or(str::is_empty) => {
            return Err(refused(
                "with IsTest=true the StreamId has to begin with zegotest-<AppId>-",
            ));
        }
        Environment::Production if text.starts_with(TEST_PREFIX) => {
            return Err(refused(
                "a StreamId of the test environment needs IsTest=true",
            ));
        }
        Environment::Test | Environment::Production => {}
    }
    StreamName::parse(text).map_err(|error| refused(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::AppName;

    fn account() -> Account {
        Account {
            app: AppName::parse("live").unwrap(),
            app_id: 12,
            server_secret: "s".into(),
            environments: super::super::Environments::default(),
        }
    }

    #[test]
    fn names() {
        let longest = "a".repeat(256);
        let too_long = "a".repeat(257);
        for (name, passes) in [
            ("rtc01", true),
            ("A-z_0.~!@$^*()+=,;'`", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            ("a/b", false),
            ("a%b", false),
            ("a&b", false),
            ("a?b", false),
            ("a#b", false),
            ("a:b", false),
            ("a b", false),
            ("a\\b", false),
            ("a<b", false),
            ("a{stream}", false),
            ("流1", false),
            ("zegotest-12-a", false),
            ("zegotest-", false),
        ] {
            assert_eq!(
                parse(Some(name), &account(), Environment::Production).is_ok(),
                passes,
                "{name}"
            );
        }
        assert!(parse(None, &account(), Environment::Production).is_err());
    }

    #[test]
    fn test_names_carry_their_apps_number() {
        for (name, passes) in [
            ("zegotest-12-a", true),
            ("zegotest-12-", false),
            ("zegotest-13-a", false),
            ("zegotest-12a", false),
            ("a", false),
        ] {
            assert_eq!(
                parse(Some(name), &account(), Environment::Test).is_ok(),
                passes,
                "{name}"
            );
        }
    }
}
