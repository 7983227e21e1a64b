//! An RTMP URL, cut into what goes on the wire, byte for byte.
//!
//! A URL does not say where the app ends and the name begins. The cut is made here and nowhere else:
//!
//! - with a `/` in the path before the first `?`, at the last such `/`: `/a/b/key?t=x/y` is app `a/b`, name `key?t=x/y`, and
//!   `/live-bvc/?streamname=k` is app `live-bvc`, name `?streamname=k`;
//! - without one, at the last `/` of all, which stands in the query: `/live2?backup=1/KEY` is app `live2?backup=1`, name `KEY`;
//! - with nothing left for the name, the URL is refused.
//!
//! RTMP knows no fragment: `#` is an ordinary byte and stays where it stands. App and name are never decoded or encoded. User
//! info is, because a password with `/` or `@` cannot be written there otherwise; it never reaches the wire as a part of a URL.

mod cut;

use std::fmt;

use crate::secret::{ECHOED_PIECE_BYTES_MIN, Secret, mask_text, mask_url, parameters};

use cut::{Credentials, Place, app_and_name, check, place};
pub(super) use cut::{HttpPlace, http_place};

/// The longest URL, in bytes: scheme, host and user info beside the longest app and name.
pub const URL_BYTES_MAX: usize = 4096;

/// The longest app, in bytes, its query included.
pub const APP_BYTES_MAX: usize = 1024;

/// The longest name, in bytes, its query included. Instagram's and Facebook's keys pass 256.
pub const NAME_BYTES_MAX: usize = 2048;

/// Why a text is no target's URL. No variant holds any of the text: it may be a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Longer than [`URL_BYTES_MAX`].
    #[error("the URL has {0} bytes, more than {URL_BYTES_MAX}")]
    TooLong(usize),
    /// White space or a control character: nearly always a slip in copying.
    #[error("the URL has a space or a control character at byte {0}")]
    Blank(usize),
    /// No `rtmp://` or `rtmps://` at its beginning.
    #[error("the URL must begin with rtmp:// or rtmps://")]
    Scheme,
    /// No host, or one that is neither a name, an IPv4 address nor an IPv6 address in brackets.
    #[error(
        "the URL's host is missing or not a host name, an IPv4 address or an IPv6 address in brackets"
    )]
    Host,
    /// A port that is no number in 1..=65535.
    #[error("the URL's port is not a number from 1 to 65535")]
    Port,
    /// User info without a user.
    #[error("the URL has a password but no user before the @")]
    User,
    /// Nothing between host and name.
    #[error("the URL has no app: it needs scheme://host/app/name")]
    MissingApp,
    /// Nothing after the app.
    #[error("the URL has no stream name or key after the app: it needs scheme://host/app/name")]
    MissingName,
    /// Longer than [`APP_BYTES_MAX`].
    #[error("the URL's app has {0} bytes, more than {APP_BYTES_MAX}")]
    AppTooLong(usize),
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("the URL's name has {0} bytes, more than {NAME_BYTES_MAX}")]
    NameTooLong(usize),
}

/// RTMP, plain or in TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// `rtmp`, port 1935.
    Rtmp,
    /// `rtmps`, port 443, TLS from the first byte.
    Rtmps,
}

impl Scheme {
    /// As it stands in a URL, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Rtmps => "rtmps",
        }
    }

    /// The port that is meant where none is written.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Rtmp => 1935,
            Self::Rtmps => 443,
        }
    }

    fn of(text: &str) -> Option<Self> {
        [Self::Rtmp, Self::Rtmps]
            .into_iter()
            .find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a push goes: parsed, bounded, and with its key hidden from every kind of printing.
#[derive(Clone)]
pub struct TargetUrl {
    scheme: Scheme,
    host: String,
    port: Option<u16>,
    app: Secret,
    name: Secret,
    credentials: Option<Credentials>,
    raw: Secret,
}

impl TargetUrl {
    /// Cuts a URL into its parts.
    ///
    /// # Errors
    /// The text is no RTMP URL with host, app and name, or one of them is over its bound.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let place = place(text)?;
        let (app, name) = app_and_name(place.path)?;
        Self::put_together(place, app, name, text)
    }

    /// A name at the place that a tcUrl stands for, as servers write it in a redirect: all of its path is the app.
    ///
    /// # Errors
    /// The tcUrl is no RTMP URL with host and app, or one part is over its bound.
    pub fn at(tc_url: &str, name: &str) -> Result<Self, UrlError> {
        let place = place(tc_url)?;
        let app = match place.path.contains('?') {
            true => place.path,
            false => place.path.trim_end_matches('/'),
        };
        let raw = format!("{tc_url}/{name}");
        let app = app.strip_prefix('/').unwrap_or(app);
        Self::put_together(place, app, name, &raw)
    }

    fn put_together(place: Place<'_>, app: &str, name: &str, raw: &str) -> Result<Self, UrlError> {
        check(app, name)?;
        Ok(Self {
            scheme: place.scheme,
            host: place.host.to_owned(),
            port: place.port,
            app: app.into(),
            name: name.into(),
            credentials: place.credentials,
            raw: raw.into(),
        })
    }

    /// The same place under another name; the name is known to be within its bound.
    pub fn with_name(&self, name: String) -> Self {
        let before = self
            .raw
            .expose()
            .strip_suffix(self.name())
            .unwrap_or_default();
        let raw = format!("{before}{name}");
        Self {
            name: name.into(),
            raw: raw.into(),
            ..self.clone()
        }
    }

    /// Plain or TLS.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host as it was written, without the brackets of an IPv6 address: what is resolved, and the name in TLS.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, where one is written.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The port to connect to.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(self.scheme.default_port())
    }

    /// What `connect` names, with its query. Not for printing: the query may hold a token.
    pub fn app(&self) -> &str {
        self.app.expose()
    }

    /// What `publish` names, with its query: the stream key. Not for printing.
    pub fn name(&self) -> &str {
        self.name.expose()
    }

    /// `scheme://host[:port]/app`, for `connect`: with the app's query, without user info, the port only where one is
    /// written. Not for printing.
    pub fn tc_url(&self) -> String {
        let mut url = match self.host.contains(':') {
            true => format!("{}://[{}]", self.scheme, self.host),
            false => format!("{}://{}", self.scheme, self.host),
        };
        if let Some(port) = self.port {
            url.push_str(&format!(":{port}"));
        }
        url.push('/');
        url.push_str(self.app());
        url
    }

    /// User and password for the authentication rounds of Adobe, Limelight and Wowza.
    pub fn credentials(&self) -> Option<(&str, &Secret)> {
        self.credentials
            .as_ref()
            .map(|given| (given.user.as_str(), &given.password))
    }

    /// The URL as it was given, byte for byte. Not for printing.
    pub fn expose(&self) -> &str {
        self.raw.expose()
    }

    /// The URL for people: see [`mask_url`].
    pub fn masked(&self) -> String {
        mask_url(self.raw.expose())
    }

    /// Whether the two differ in nothing but their queries, and in what means the same: the case of the host, a default port that is
    /// written or not, and a slash at the end.
    pub fn is_same_address(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.host.eq_ignore_ascii_case(&other.host)
            && self.port_or_default() == other.port_or_default()
            && self.path() == other.path()
    }

    /// What stands between host and query.
    fn path(&self) -> &str {
        let raw = self.raw.expose();
        let rest = raw.split_once("://").map_or("", |(_, rest)| rest);
        let before_query = rest.split(['?', '#']).next().unwrap_or_default();
        let path = before_query.split_once('/').map_or("", |(_, path)| path);
        path.strip_suffix('/').unwrap_or(path)
    }

    /// A text that this target's server sent, with everything hidden that [`masked`](Self::masked) hides.
    ///
    /// A server echoes the whole name, or the name without its query, or one parameter; each is looked for, percent-encoded too.
    pub fn mask_echo(&self, text: &str) -> String {
        let query = |part: &str| {
            part.split_once('?')
                .map(|(_, query)| query.to_owned())
                .unwrap_or_default()
        };
        let path = |part: &str| {
            part.split('?')
                .next()
                .map(str::to_owned)
                .unwrap_or_default()
        };
        let (app_path, app_query) = (path(self.app()), query(self.app()));
        let (name_path, name_query) = (path(self.name()), query(self.name()));
        let pieces = (app_path.split('/').skip(1))
            .chain(name_path.split('/'))
            .chain([app_query.as_str(), name_query.as_str(), name_path.as_str()])
            .chain(parameters(&app_query))
            .chain(parameters(&name_query))
            .filter(|piece| piece.len() >= ECHOED_PIECE_BYTES_MIN);
        let mut secrets: Vec<Secret> = pieces.map(Secret::from).collect();
        secrets.extend([self.raw.clone(), self.name.clone()]);
        if let Some(given) = &self.credentials {
            secrets.push(given.password.clone());
        }
        mask_text(text, &secrets.iter().collect::<Vec<_>>())
    }
}

/// Two URLs are one where their bytes are. Both are ours, so there is nobody to hide the time from.
impl PartialEq for TargetUrl {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for TargetUrl {}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TargetUrl({})", self.masked())
    }
}
