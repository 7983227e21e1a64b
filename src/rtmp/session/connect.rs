//! What does a publisher's `connect` say, and what is said about ourselves in return?

use std::fmt;

use super::address::{self, Path};
use crate::rtmp::amf0::Value;
use crate::rtmp::command::Command;
use crate::rtmp::limits::CLIENT_NAME_CHARS_MAX;
use crate::secret::{Secret, mask_url};

/// Enhanced RTMP: modifiers pass through untouched (4), so do multitrack messages (2) and, since no byte of a modifier is
/// changed, nanosecond offsets (8). Reconnect (1) is not offered.
pub(super) const CAPS_EX: f64 = 14.0;
/// Enhanced RTMP's mask of what is done with a codec: forwarded.
pub(super) const FORWARD: f64 = 4.0;

/// A publisher's wish to connect.
///
/// The app is not yet what a publish is judged by: an encoder may have put the stream's name into its address, and then
/// [`super::server::PublishRequest::app`] is shorter.
#[derive(Clone, PartialEq)]
pub struct ConnectRequest {
    /// The app without query, without slashes at its ends and without `/_definst_`.
    pub app: String,
    /// The tcUrl as it came, without quotes; empty where there was none.
    pub tc_url: String,
    /// The query of the app or, where that has none, of the tcUrl, without `?`. A publish key may stand in it.
    pub query: Secret,
    /// What the encoder calls itself, up to [`CLIENT_NAME_CHARS_MAX`]; empty where it does not.
    pub flash_ver: String,
    /// Whether the encoder announced Enhanced RTMP. Most that use it do not, so nothing may depend on it.
    pub enhanced: bool,
}

impl fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRequest")
            .field("app", &self.app)
            .field("tc_url", &mask_url(&self.tc_url))
            .field("query", &self.query)
            .field("flash_ver", &self.flash_ver)
            .field("enhanced", &self.enhanced)
            .finish()
    }
}

/// Reads the command object. Its keys are taken in any case, it may be an ECMA array, and whatever is missing is empty.
pub(super) fn request(command: &Command) -> ConnectRequest {
    let text = |key| {
        command
            .object
            .property_ignore_case(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let tc_url = address::unquoted(text("tcUrl"));
    let of_tc_url = address::of_tc_url(tc_url);
    let Path { path, query } = address::normalised(text("app"));
    ConnectRequest {
        app: if path.is_empty() {
            of_tc_url.path
        } else {
            path
        },
        tc_url: tc_url.to_owned(),
        query: Secret::from(if query.is_empty() {
            of_tc_url.query
        } else {
            query
        }),
        flash_ver: text("flashVer")
            .chars()
            .take(CLIENT_NAME_CHARS_MAX)
            .collect(),
        enhanced: [
            "fourCcList",
            "videoFourCcInfoMap",
            "audioFourCcInfoMap",
            "capsEx",
        ]
        .iter()
        .any(|key| command.object.property_ignore_case(key).is_some()),
    }
}

/// The first object of the answer to a connect: what software this is. Old clients parse the version, so it is the one that
/// every other server claims.
pub(super) fn server_properties() -> Value {
    object([
        ("fmsVer", "FMS/3,0,1,123".into()),
        ("capabilities", 31.0.into()),
    ])
}

/// The second object of the answer: success, and what we relay of Enhanced RTMP. Clients that do not know the properties
/// ignore them. The object encoding is always AMF0.
pub(super) fn success() -> Value {
    let forwarded = || object([("*", FORWARD.into())]);
    object([
        ("level", "status".into()),
        ("code", "NetConnection.Connect.Success".into()),
        ("description", "Connection succeeded.".into()),
        ("objectEncoding", 0.0.into()),
        ("fourCcList", Value::StrictArray(vec!["*".into()])),
        ("videoFourCcInfoMap", forwarded()),
        ("audioFourCcInfoMap", forwarded()),
        ("capsEx", CAPS_EX.into()),
    ])
}

/// A status object.
pub(super) fn status(level: &str, code: &str, description: &str) -> Value {
    object([
        ("level", level.into()),
        ("code", code.into()),
        ("description", description.into()),
    ])
}

/// An object of these properties in this order.
pub(super) fn object<const N: usize>(properties: [(&str, Value); N]) -> Value {
    Value::Object(
        properties
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}
