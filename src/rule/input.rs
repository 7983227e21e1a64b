//! An input: what feeds a stream. A stream has a main one, a backup, or both; one of them is on the air.

use std::fmt;
use std::str::FromStr;

use md5::{Digest, Md5};
use time::OffsetDateTime;

use super::keys::{AppName, StreamKey, StreamName};
use super::source_url::{FileUrl, PullUrl};
use super::wish::{Origin, Role};
use crate::secret::{Secret, parameters_named};

/// Files of one list: what Tencent's console allows.
pub const FILES_MAX: usize = 100;

/// The longest time for which a push URL may be valid, in seconds: a hundred years, so that its expiry is a date.
pub const PUSH_SECONDS_MAX: u64 = 100 * 366 * 24 * 3600;

/// What feeds a stream, and in which of its two places. `Debug` shows URLs masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The stream that it feeds.
    pub stream: StreamKey,
    /// As what.
    pub role: Role,
    /// Where its media comes from.
    pub source: Source,
    /// Who wished for it.
    pub origin: Origin,
}

/// Where an input's media comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A live stream that the gateway fetches.
    Pull(PullUrl),
    /// Files that are played one after the other, at the speed at which they are to be watched.
    Files(Files),
    /// A publisher, whom a push URL was handed out for.
    Push(Push),
}

/// A list of files, and how often it is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    urls: Vec<FileUrl>,
    loops: Loops,
}

/// How often a list of files is begun again when it has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loops {
    /// Until the input is stopped.
    Forever,
    /// So many times: with 0 the list is played once.
    #[default]
    Never,
    /// See [`Never`](Self::Never).
    Times(u32),
}

/// A text or list that cannot be an input's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Nothing to play.
    #[error("the list of files is empty")]
    NoFiles,
    /// More than [`FILES_MAX`].
    #[error("the list has {0} files, more than {FILES_MAX}")]
    TooManyFiles(usize),
    /// No number of times.
    #[error(
        "the number of loops is -1 (for ever), 0 (played once) or a number up to {}",
        u32::MAX
    )]
    Loops,
}

impl Files {
    /// A list, in the order in which it is played.
    ///
    /// # Errors
    /// There is no file in it, or more than [`FILES_MAX`].
    pub fn new(urls: Vec<FileUrl>, loops: Loops) -> Result<Self, InputError> {
        match urls.len() {
            0 => Err(InputError::NoFiles),
            1..=FILES_MAX => Ok(Self { urls, loops }),
            many => Err(InputError::TooManyFiles(many)),
        }
    }

    /// The files, in the order in which they are played.
    pub fn urls(&self) -> &[FileUrl] {
        &self.urls
    }

    /// How often the list is begun again.
    pub fn loops(&self) -> Loops {
        self.loops
    }
}

impl Loops {
    /// As doors write it: -1 for ever, 0 played once, n begun again n times.
    ///
    /// # Errors
    /// Any other number.
    pub fn from_number(number: i64) -> Result<Self, InputError> {
        match number {
            -1 => Ok(Self::Forever),
            0 => Ok(Self::Never),
            _ => u32::try_from(number)
                .map(Self::Times)
                .map_err(|_| InputError::Loops),
        }
    }

    /// The reverse of [`from_number`](Self::from_number).
    pub fn as_number(self) -> i64 {
        match self {
            Self::Forever => -1,
            Self::Never => 0,
            Self::Times(times) => times.into(),
        }
    }

    /// Whether the list is begun again when it has been played to its end so many times, at least once.
    pub fn goes_on_after(self, played: u64) -> bool {
        match self {
            Self::Forever => true,
            Self::Never => false,
            Self::Times(times) => played <= u64::from(times),
        }
    }
}

/// A push URL that was handed out: under its name one publisher may feed the input, until it has expired. It is Tencent's form:
/// `txSecret = md5(key + name + txTime)`, where `txTime` is the expiry in seconds since 1970, in upper-case hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    name: StreamName,
    key: Secret,
    expires_at: OffsetDateTime,
}

/// Why a publisher may not feed an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum PushRefused {
    /// No token, or none that was made with this input's key.
    #[error("the push URL's token is missing or wrong")]
    Token,
    /// It was right, and its time is over.
    #[error("the push URL has expired")]
    Expired,
}

impl Push {
    /// A push URL's contents: the name that the publisher publishes under, the key that signs (random, from the caller), and the
    /// second at which it expires; what is below a second is cut off.
    pub fn new(name: StreamName, key: Secret, expires_at: OffsetDateTime) -> Self {
        let second = expires_at.unix_timestamp().max(0);
        Self {
            name,
            key,
            // Whatever a date can say, its whole second can.
            expires_at: OffsetDateTime::from_unix_timestamp(second).unwrap_or(expires_at),
        }
    }

    /// The name that the publisher publishes under; it need not be that of the stream.
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    /// The key that signs.
    pub fn key(&self) -> &Secret {
        &self.key
    }

    /// When the URL expires: nobody begins with it from then on. A publisher that has begun stays.
    pub fn expires_at(&self) -> OffsetDateTime {
        self.expires_at
    }

    /// The URL that the publisher is given. `server` is `rtmp://host[:port]`, as publishers reach the gateway.
    pub fn url(&self, server: &str, app: &AppName) -> Secret {
        Secret::new(format!(
            "{}/{}/{}",
            server.trim_end_matches('/'),
            app.as_str(),
            self.stream_key().expose()
        ))
    }

    /// What stands behind the app in that URL: an encoder's "stream key".
    pub fn stream_key(&self) -> Secret {
        let time = self.time();
        Secret::new(format!(
            "{}?txSecret={}&txTime={time}",
            self.name.as_str(),
            self.token(&time)
        ))
    }

    /// Judges what a publisher of this name has shown in its query, at this time of day. The comparison takes as long wherever the
    /// token is wrong.
    ///
    /// # Errors
    /// The token is not this input's, or it has expired.
    pub fn judge(&self, query: &str, now: OffsetDateTime) -> Result<(), PushRefused> {
        let shown = |name| parameters_named(query, name).next().unwrap_or_default();
        let time = self.time();
        // Other times are signed with the same key by nobody: one that was handed out before is not valid any more.
        let is_ours = Secret::new(self.token(&time)).matches(shown("txSecret"))
            & Secret::new(time).matches(shown("txTime"));
        match is_ours {
            false => Err(PushRefused::Token),
            true if now >= self.expires_at => Err(PushRefused::Expired),
            true => Ok(()),
        }
    }

    fn time(&self) -> String {
        format!("{:X}", self.expires_at.unix_timestamp())
    }

    fn token(&self, time: &str) -> String {
        let mut digest = Md5::new();
        digest.update(self.key.expose());
        digest.update(self.name.as_str());
        digest.update(time);
        hex::encode(digest.finalize())
    }
}

/// What kind of source it is, for doors, store and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A live stream that is fetched.
    Pull,
    /// A list of files.
    Files,
    /// A publisher.
    Push,
}

impl SourceKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pull, Self::Files, Self::Push];

    /// As it stands in JSON and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Files => "files",
            Self::Push => "push",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SourceKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(())
    }
}

impl Source {
    /// What kind it is.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Pull(_) => SourceKind::Pull,
            Self::Files(_) => SourceKind::Files,
            Self::Push(_) => SourceKind::Push,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push() -> Push {
        let expiry = OffsetDateTime::from_unix_timestamp(0x5C27_1099).unwrap();
        Push::new(
            StreamName::parse("123").unwrap(),
            Secret::new("your_auth_key"),
            expiry,
        )
    }

    #[test]
    fn a_push_url_is_signed_as_tencents_are() {
        let url = push().url("rtmp://push.example.com/", &AppName::live());
        assert_eq!(
            url.expose(),
            "rtmp://push.example.com/live/123?txSecret=3ff5b0387b2e6e934a26b3768ff4752f&txTime=5C271099"
        );
        assert!(!format!("{:?}", push()).contains("your_auth_key"));
    }

    #[test]
    fn a_token_is_good_until_its_second_and_only_as_it_was_made() {
        let push = push();
        let before = push.expires_at() - time::Duration::SECOND;
        let good = "txSecret=3ff5b0387b2e6e934a26b3768ff4752f&txTime=5C271099";
        assert_eq!(push.judge(good, before), Ok(()));
        assert_eq!(push.judge(&format!("x=1&{good}"), before), Ok(()));
        assert_eq!(
            push.judge(good, push.expires_at()),
            Err(PushRefused::Expired)
        );
        for wrong in [
            "",
            "txTime=5C271099",
            "txSecret=3ff5b0387b2e6e934a26b3768ff4752f",
            "txSecret=3ff5b0387b2e6e934a26b3768ff4752f&txTime=5C27109A",
            "txSecret=3ff5b0387b2e6e934a26b3768ff4752f&txTime=5c271099",
            "txSecret=3FF5B0387B2E6E934A26B3768FF4752F&txTime=5C271099",
        ] {
            for now in [before, push.expires_at()] {
                assert_eq!(push.judge(wrong, now), Err(PushRefused::Token), "{wrong}");
            }
        }
    }

    #[test]
    fn loops_are_counted_behind_the_first_time() {
        assert!(Loops::Forever.goes_on_after(u64::MAX));
        assert!(!Loops::Never.goes_on_after(1));
        let twice = Loops::from_number(2).unwrap();
        assert!(twice.goes_on_after(1) && twice.goes_on_after(2) && !twice.goes_on_after(3));
        for number in [-1, 0, 1, i64::from(u32::MAX)] {
            assert_eq!(Loops::from_number(number).unwrap().as_number(), number);
        }
        for number in [-2, i64::from(u32::MAX) + 1] {
            assert_eq!(Loops::from_number(number), Err(InputError::Loops));
        }
    }

    #[test]
    fn a_list_has_from_one_to_a_hundred_files() {
        let files = |count| {
            let url = FileUrl::parse("http://h/a.flv").unwrap();
            Files::new(vec![url; count], Loops::Never)
        };
        assert_eq!(files(0), Err(InputError::NoFiles));
        assert!(files(1).is_ok() && files(FILES_MAX).is_ok());
        assert_eq!(files(101), Err(InputError::TooManyFiles(101)));
    }
}
