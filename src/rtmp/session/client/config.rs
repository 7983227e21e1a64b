//! What does an ingest learn about us?

use std::fmt;

use crate::rtmp::amf0::Value;
use crate::rtmp::auth::append_query;
use crate::rtmp::session::connect::{CAPS_EX, FORWARD};
use crate::secret::{Secret, mask_name, mask_url};

/// What OBS calls itself to ingests; some look for "FMLE" in it.
pub const FLASH_VER: &str = "FMLE/3.0 (compatible; FMSc/1.0)";

/// What we say to one ingest.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// The app, its query included, byte for byte as configured.
    pub app: String,
    /// The tcUrl, without user info.
    pub tc_url: String,
    /// The stream name or key, its query included, byte for byte as configured.
    pub name: Secret,
    /// Chunk size that we announce and send with, in bytes.
    pub chunk_size: u32,
    /// What we call ourselves.
    pub flash_ver: String,
    /// Whether swfUrl is sent; its value is the tcUrl, as OBS has it.
    pub swf_url: bool,
    /// What [`answer`](crate::rtmp::auth::Challenge::answer) to a challenge gave; appended to app and tcUrl.
    pub auth_query: Option<Secret>,
    /// Announce Enhanced RTMP. Only where the stream uses it: at least one ingest closes on fields that it does not know.
    pub enhanced: Option<Enhanced>,
}

/// What is announced of Enhanced RTMP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enhanced {
    /// The codecs of the stream, such as `hvc1` or `Opus`.
    pub four_ccs: Vec<[u8; 4]>,
}

impl ClientConfig {
    /// What is usual, for this address.
    pub fn new(app: impl Into<String>, tc_url: impl Into<String>, name: impl Into<Secret>) -> Self {
        Self {
            app: app.into(),
            tc_url: tc_url.into(),
            name: name.into(),
            chunk_size: 4096,
            flash_ver: FLASH_VER.to_owned(),
            swf_url: false,
            auth_query: None,
            enhanced: None,
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("app", &mask_name(&self.app))
            .field("tc_url", &mask_url(&self.tc_url))
            .field("name", &self.name)
            .field("chunk_size", &self.chunk_size)
            .field("flash_ver", &self.flash_ver)
            .field("swf_url", &self.swf_url)
            .field("auth_query", &self.auth_query)
            .field("enhanced", &self.enhanced)
            .finish()
    }
}

/// Exactly what FFmpeg sends. Further properties, harmless in the specification, have made ingests close.
pub(in crate::rtmp::session) fn connect_object(config: &ClientConfig) -> Value {
    let with_query = |text: &str| match &config.auth_query {
        Some(query) => append_query(text, query.expose()),
        None => text.to_owned(),
    };
    let tc_url = with_query(&config.tc_url);
    let mut properties: Vec<(String, Value)> = Vec::new();
    let mut put = |key: &str, value: Value| properties.push((key.to_owned(), value));
    put("app", with_query(&config.app).into());
    put("type", "nonprivate".into());
    put("flashVer", config.flash_ver.as_str().into());
    if config.swf_url {
        put("swfUrl", tc_url.as_str().into());
    }
    put("tcUrl", tc_url.into());
    if let Some(Enhanced { four_ccs }) = &config.enhanced {
        let names = || {
            four_ccs
                .iter()
                .map(|four_cc| String::from_utf8_lossy(four_cc).into_owned())
        };
        put(
            "fourCcList",
            Value::StrictArray(names().map(Value::String).collect()),
        );
        for (key, audio) in [("videoFourCcInfoMap", false), ("audioFourCcInfoMap", true)] {
            let forwarded = names()
                .filter(|name| is_audio(name) == audio)
                .map(|name| (name, FORWARD.into()));
            let map: Vec<(String, Value)> = forwarded.collect();
            if !map.is_empty() {
                put(key, Value::Object(map));
            }
        }
        put("capsEx", CAPS_EX.into());
    }
    Value::Object(properties)
}

/// The audio codecs of Enhanced RTMP; every other code is video's.
fn is_audio(four_cc: &str) -> bool {
    matches!(four_cc, "ac-3" | "ec-3" | "Opus" | ".mp3" | "fLaC" | "mp4a")
}
