//! The URLs that inputs are fetched from: live streams, and files.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::url::{HttpPlace, TargetUrl, URL_BYTES_MAX, UrlError, http_place};
use crate::secret::{MASK, Secret, mask_url};

/// Why a text is no source's URL. No variant holds any of the text: it may hold a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceUrlError {
    /// Another scheme than those of a live stream.
    #[error("the URL must begin with rtmp://, rtmps://, http:// or https://")]
    PullScheme,
    /// Neither a URL of a file nor a path.
    #[error("a file is an http:// or https:// URL, or an absolute path on the gateway's machine")]
    FileScheme,
    /// A path that climbs.
    #[error("the path must be absolute, and without . and .. in it")]
    Path,
    /// A name that tells nobody what is in it.
    #[error("the file's name must end in .flv, .mp4, .m4v or .mov")]
    FileType,
    /// User info.
    #[error("an http URL may not hold a user or a password")]
    UserInfo,
    /// What is wrong with any URL.
    #[error(transparent)]
    Url(#[from] UrlError),
}

/// A URL by HTTP or HTTPS, with its path and query hidden from every kind of printing.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    is_tls: bool,
    host: String,
    port: Option<u16>,
    /// Path and query, as they go on the wire.
    target: Secret,
    raw: Secret,
}

impl HttpUrl {
    /// Parses at the border. What follows a `#` is cut off, as it never goes on the wire.
    ///
    /// # Errors
    /// The text is no `http` or `https` URL, is too long, or holds user info.
    pub fn parse(text: &str) -> Result<Self, SourceUrlError> {
        let HttpPlace {
            is_tls,
            has_user,
            host,
            port,
            target,
        } = http_place(text)?;
        if has_user {
            return Err(SourceUrlError::UserInfo);
        }
        let target = target.split('#').next().unwrap_or_default();
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self {
            is_tls,
            host: host.to_owned(),
            port,
            target: Secret::new(format!("{slash}{target}")),
            raw: Secret::from(text),
        })
    }

    /// Whether it is HTTPS.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The host as it was written, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(if self.is_tls { 443 } else { 80 })
    }

    /// Host and port as the `Host` header has them.
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    /// Path and query. Not for printing.
    pub fn target(&self) -> &str {
        self.target.expose()
    }

    /// The whole URL. Not for printing.
    pub fn expose(&self) -> &str {
        self.raw.expose()
    }

    /// What a `Location` says, seen from here.
    ///
    /// # Errors
    /// It is no `http` or `https` URL, and no path either.
    pub fn join(&self, location: &str) -> Result<Self, SourceUrlError> {
        if location.contains("://") {
            return Self::parse(location);
        }
        let scheme = if self.is_tls { "https" } else { "http" };
        if let Some(place) = location.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{place}"));
        }
        let path = self.target().split('?').next().unwrap_or_default();
        let folder = path.rfind('/').map_or("/", |end| &path[..=end]);
        let target = match location.as_bytes().first() {
            Some(b'/') => location.to_owned(),
            Some(b'?') => format!("{path}{location}"),
            _ => format!("{folder}{location}"),
        };
        Self::parse(&format!("{scheme}://{}{target}", self.authority()))
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_url(self.expose()))
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpUrl({self})")
    }
}

/// A live stream that the gateway can fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullUrl {
    /// RTMP or RTMPS, where the stream is played.
    Rtmp(TargetUrl),
    /// FLV without an end over HTTP or HTTPS.
    HttpFlv(HttpUrl),
}

impl PullUrl {
    /// Parses at the border.
    ///
    /// # Errors
    /// It is no URL of a live stream that can be fetched.
    pub fn parse(text: &str) -> Result<Self, SourceUrlError> {
        if is_http(text) {
            return HttpUrl::parse(text).map(Self::HttpFlv);
        }
        match TargetUrl::parse(text) {
            Ok(url) => Ok(Self::Rtmp(url)),
            Err(UrlError::Scheme) => Err(SourceUrlError::PullScheme),
            Err(error) => Err(error.into()),
        }
    }

    /// The host as it was written, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        match self {
            Self::Rtmp(url) => url.host(),
            Self::HttpFlv(url) => url.host(),
        }
    }

    /// The port to connect to.
    pub fn port_or_default(&self) -> u16 {
        match self {
            Self::Rtmp(url) => url.port_or_default(),
            Self::HttpFlv(url) => url.port_or_default(),
        }
    }

    /// The whole URL. Not for printing.
    pub fn expose(&self) -> &str {
        match self {
            Self::Rtmp(url) => url.expose(),
            Self::HttpFlv(url) => url.expose(),
        }
    }

    /// The URL without what may be a key.
    pub fn masked(&self) -> String {
        mask_url(self.expose())
    }
}

impl fmt::Display for PullUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// What a file's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// Flash Video.
    Flv,
    /// ISO base media, QuickTime among it.
    Mp4,
}

/// A file that the gateway can play.
#[derive(Clone, PartialEq, Eq)]
pub struct FileUrl {
    place: FilePlace,
    file_type: FileType,
}

/// Where a file is.
#[derive(Clone, PartialEq, Eq)]
pub enum FilePlace {
    /// On a web server.
    Http(HttpUrl),
    /// On the gateway's own disk; an absolute path without `.` and `..`.
    Disk(PathBuf),
}

impl FileUrl {
    /// Parses at the border. What kind of file it is, its name has to say: `.flv`, or `.mp4`, `.m4v`, `.mov`.
    ///
    /// # Errors
    /// It is neither an `http(s)` URL nor an absolute path, or its name does not say what is in it.
    pub fn parse(text: &str) -> Result<Self, SourceUrlError> {
        let place = if is_http(text) {
            FilePlace::Http(HttpUrl::parse(text)?)
        } else if text.starts_with('/') {
            FilePlace::Disk(path(text)?)
        } else {
            return Err(SourceUrlError::FileScheme);
        };
        let name = match &place {
            FilePlace::Http(url) => url.target().split('?').next().unwrap_or_default(),
            FilePlace::Disk(_) => text,
        };
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let file_type = match extension.to_ascii_lowercase().as_str() {
            "flv" => FileType::Flv,
            "mp4" | "m4v" | "mov" => FileType::Mp4,
            _ => return Err(SourceUrlError::FileType),
        };
        Ok(Self { place, file_type })
    }

    /// Where it is.
    pub fn place(&self) -> &FilePlace {
        &self.place
    }

    /// What its bytes are.
    pub fn file_type(&self) -> FileType {
        self.file_type
    }

    /// The whole URL, or the path. A URL is not for printing.
    pub fn expose(&self) -> &str {
        match &self.place {
            FilePlace::Http(url) => url.expose(),
            FilePlace::Disk(path) => path.to_str().unwrap_or_default(),
        }
    }

    /// The URL without what may be a key; a path as it is.
    pub fn masked(&self) -> String {
        match &self.place {
            FilePlace::Http(url) => url.to_string(),
            FilePlace::Disk(path) => path.to_str().unwrap_or(MASK).to_owned(),
        }
    }
}

impl fmt::Display for FileUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for FileUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileUrl({self})")
    }
}

macro_rules! as_masked_text {
    ($url:ty) => {
        impl Serialize for $url {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.masked())
            }
        }

        impl<'de> Deserialize<'de> for $url {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
    };
}

as_masked_text!(PullUrl);
as_masked_text!(FileUrl);

fn path(text: &str) -> Result<PathBuf, SourceUrlError> {
    if text.len() > URL_BYTES_MAX {
        return Err(UrlError::TooLong(text.len()).into());
    }
    if let Some(at) = text.find(char::is_control) {
        return Err(UrlError::Blank(at).into());
    }
    let path = Path::new(text);
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    let has_dot = text.split('/').any(|part| part == ".");
    match path.components().all(is_plain) && !has_dot {
        true => Ok(path.to_owned()),
        false => Err(SourceUrlError::Path),
    }
}

fn is_http(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_is_rtmp_or_flv_over_http() {
        for (text, host, port) in [
            ("rtmp://h/app/key", "h", 1935),
            ("rtmps://h:1/app/key", "h", 1),
            ("http://h/live/x.flv?t=1", "h", 80),
            ("HTTPS://[::1]:8443/x", "::1", 8443),
        ] {
            let url = PullUrl::parse(text).unwrap();
            assert_eq!((url.host(), url.port_or_default()), (host, port), "{text}");
            assert_eq!(url.expose(), text);
        }
        for (text, error) in [
            ("srt://h/x", SourceUrlError::PullScheme),
            ("/tmp/x.flv", SourceUrlError::PullScheme),
            ("rtmp://h/app", UrlError::MissingName.into()),
            ("http://", UrlError::Host.into()),
            ("http://u:p@h/x", SourceUrlError::UserInfo),
            ("http://h/a b", UrlError::Blank(10).into()),
            ("http://h:0/x", UrlError::Port.into()),
        ] {
            assert_eq!(PullUrl::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_file_says_what_is_in_it() {
        for (text, file_type) in [
            ("http://h/a/b.FLV?x=1.mp4", FileType::Flv),
            ("https://h/a.mp4#t=3", FileType::Mp4),
            ("/srv/media/a b.mov", FileType::Mp4),
        ] {
            assert_eq!(FileUrl::parse(text).unwrap().file_type(), file_type);
        }
        for (text, error) in [
            ("http://h/a.ts", SourceUrlError::FileType),
            ("http://h/a?x=.flv", SourceUrlError::FileType),
            ("a.flv", SourceUrlError::FileScheme),
            ("rtmp://h/a/b.flv", SourceUrlError::FileScheme),
            ("file:///a.flv", SourceUrlError::FileScheme),
            ("/srv/../etc/a.flv", SourceUrlError::Path),
            ("/srv/./a.flv", SourceUrlError::Path),
            ("/srv/a\0.flv", UrlError::Blank(6).into()),
        ] {
            assert_eq!(FileUrl::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_location_is_read_from_where_it_was_said() {
        let from = HttpUrl::parse("https://h:8443/a/b.flv?key=1").unwrap();
        for (location, wanted) in [
            ("http://other/x", "http://other/x"),
            ("//other/x", "https://other/x"),
            ("/x?y", "https://h:8443/x?y"),
            ("c.flv", "https://h:8443/a/c.flv"),
            ("?z", "https://h:8443/a/b.flv?z"),
        ] {
            assert_eq!(from.join(location).unwrap().expose(), wanted);
        }
        assert!(from.join("ftp://h/x").is_err());
    }

    #[test]
    fn nothing_that_may_be_a_key_is_printed() {
        let pull = PullUrl::parse("http://h/canary7/x.flv?token=canary7").unwrap();
        let file = FileUrl::parse("http://h/canary7/x.flv?token=canary7").unwrap();
        let text = format!("{pull} {pull:?} {file} {file:?}");
        assert!(!text.contains("canary7"), "{text}");
        assert!(text.contains("http://h"));
    }
}
