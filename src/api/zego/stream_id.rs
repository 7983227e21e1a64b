//! What may be a `StreamId`, and which environment it belongs to.

use super::answer::{Code, Refusal};
use super::call::Call;
use super::limits::MAX_STREAM_ID_CHARS;
use super::parameters::Parameters;
use super::{Account, Environment};
use crate::control::StreamName;

/// What the names of test streams begin with; the app's number and another `-` follow.
const TEST_PREFIX: &str = "zegotest-";

/// Characters beside letters and digits that are wide.
const MARKS: &[u8] = b"-_.~!@$^*()+=,;'`";

/// The `StreamId` of a call.
pub(super) fn read(call: &Call<'_>, parameters: &Parameters) -> Result<StreamName, Refusal> {
    let text = parameters.find("StreamId");
    parse(text, call.account, call.environment, call.characters)
}

/// Which environment a stream's name says that it belongs to.
pub(crate) fn environment_of(name: &str) -> Environment {
    match name.starts_with(TEST_PREFIX) {
        true => Environment::Test,
        false => Environment::Production,
    }
}

/// A stream's name without what is put in front of it in the app's test environment.
pub(crate) fn without_test_prefix<'a>(name: &'a str, account: &Account) -> &'a str {
    let prefix = test_prefix(account);
    name.strip_prefix(&prefix).unwrap_or(name)
}

fn test_prefix(account: &Account) -> String {
    format!("{TEST_PREFIX}{}-", account.app_id)
}

/// What a `StreamId` may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Characters {
    /// Letters, digits, `-` and `_`: what the vendor's documents say.
    Documented,
    /// What its own programs let through as well, less what breaks URLs or RTMP names.
    Wide,
}

impl Characters {
    fn have(self, byte: u8) -> bool {
        byte.is_ascii_alphanumeric()
            || match self {
                Self::Documented => matches!(byte, b'-' | b'_'),
                Self::Wide => MARKS.contains(&byte),
            }
    }

    fn why(self) -> &'static str {
        match self {
            Self::Documented => "StreamId is not 1 to 256 letters, digits, - and _",
            Self::Wide => {
                "StreamId is not 1 to 256 letters, digits and characters of - _ . ~ ! @ $ ^ * ( ) + = , ; ' `"
            }
        }
    }
}

/// Reads a `StreamId`.
pub(crate) fn parse(
    text: Option<&str>,
    account: &Account,
    environment: Environment,
    characters: Characters,
) -> Result<StreamName, Refusal> {
    let refused = |why: &str| Refusal::new(Code::StreamId, why);
    let text = text
        .filter(|text| !text.is_empty())
        .ok_or_else(|| refused("StreamId is missing"))?;
    if text.len() > MAX_STREAM_ID_CHARS || !text.bytes().all(|byte| characters.have(byte)) {
        return Err(refused(characters.why()));
    }
    let ours = test_prefix(account);
    match environment {
        Environment::Test if text.strip_prefix(&ours).is_none_or(str::is_empty) => {
            return Err(refused(
                "with IsTest=true the StreamId has to begin with zegotest-<AppId>-",
            ));
        }
        Environment::Production if environment_of(text) == Environment::Test => {
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
        Account::new(AppName::parse("live").unwrap(), 12, "s".into())
    }

    fn read(name: Option<&str>, environment: Environment) -> bool {
        parse(name, &account(), environment, Characters::Wide).is_ok()
    }

    #[test]
    fn strict_names_have_the_documented_characters_only() {
        for (name, passes) in [("Rtc-01_a", true), ("rtc.01", false), ("rtc@01", false)] {
            let strict = parse(
                Some(name),
                &account(),
                Environment::Production,
                Characters::Documented,
            );
            assert_eq!(strict.is_ok(), passes, "{name}");
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
            assert_eq!(read(Some(name), Environment::Production), passes, "{name}");
        }
        assert!(!read(None, Environment::Production));
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
            assert_eq!(read(Some(name), Environment::Test), passes, "{name}");
        }
    }
}
