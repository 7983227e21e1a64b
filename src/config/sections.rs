//! The sections of the configuration, their keys, and what holds where a key is not set.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;

use super::web_url::WebUrl;
use super::zego::Environment;
use crate::control::HookDown;
use crate::net::permits::{CONNECTIONS_PER_ADDRESS, CONNECTIONS_PER_SECOND_PER_ADDRESS};
use crate::rule::{AppName, FileUrl, PullUrl, Role, StreamName, StreamPattern, UrlTemplate};
use crate::secret::Secret;

/// `[rtmp]`: where publishers come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RtmpConfig {
    /// The address and port to listen on.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// `rtmp://host[:port]` as publishers reach it from outside; for push URLs that the gateway hands out.
    pub advertise: Option<String>,
    /// How many connections one address may have, over RTMP and RTMPS together; 0 for any number.
    pub connections_per_address: u32,
    /// How many connections one address may begin within a second, with ten times as many at once; 0 for any number.
    pub connections_per_second_per_address: u32,
    /// How many wrong publish keys one address may show within a minute; 0 for any number.
    pub failed_auth_per_minute: u32,
}

impl Default for RtmpConfig {
    fn default() -> Self {
        Self {
            listen: loopback(1935),
            advertise: None,
            connections_per_address: CONNECTIONS_PER_ADDRESS,
            connections_per_second_per_address: CONNECTIONS_PER_SECOND_PER_ADDRESS,
            failed_auth_per_minute: 60,
        }
    }
}

/// `[rtmps]` and `[https]`: a listener with TLS, off where the section is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsListenerConfig {
    /// The address and port to listen on.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// A PEM file with the certificate and its chain.
    pub certificate: PathBuf,
    /// A PEM file with the certificate's key.
    pub private_key: PathBuf,
}

/// `[http]`: the doors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// The address and port to listen on.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// The bearer token; where none is set, one is made and kept in the data directory.
    pub token: Option<Secret>,
    /// Names by which the doors may be called, beside loopback's and the listener's own.
    pub allowed_hosts: Vec<String>,
    /// Origins of web pages that may ask the client door, as `https://host[:port]`.
    pub client_origins: Vec<String>,
    /// How many rules doors may make for one stream name or pattern.
    pub rules_per_stream: u32,
    /// How many wrong credentials one address may show at the doors within a minute; 0 for any number.
    pub failed_auth_per_minute: u32,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: loopback(8080),
            token: None,
            allowed_hosts: Vec::new(),
            client_origins: Vec::new(),
            rules_per_stream: 20,
            failed_auth_per_minute: 30,
        }
    }
}

/// `[store]`: what survives a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// The data directory; made where it is missing.
    pub path: PathBuf,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("./aqueduct-data"),
        }
    }
}

/// `[relay]`: from a publisher to its targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelayConfig {
    /// How often sockets are read and written, in milliseconds; 0 reads and writes at once and costs the most.
    pub flush_interval_ms: u64,
    /// How long targets stay connected while their publisher is gone, in milliseconds; 0 ends them with it.
    pub grace_ms: u64,
    /// What becomes of the time in which a publisher sent nothing.
    pub gap: Gap,
    /// What happens to a second publisher of a live stream.
    pub duplicate_publisher: DuplicatePublisher,
    /// How long a name may not be published after its publisher was kicked, in milliseconds.
    pub kick_bar_ms: u64,
    /// How long a shutdown may take, in milliseconds.
    pub drain_ms: u64,
}

impl RelayConfig {
    /// [`flush_interval_ms`](Self::flush_interval_ms) as a duration.
    pub fn flush_interval(&self) -> Duration {
        Duration::from_millis(self.flush_interval_ms)
    }

    /// [`grace_ms`](Self::grace_ms) as a duration.
    pub fn grace(&self) -> Duration {
        Duration::from_millis(self.grace_ms)
    }

    /// [`kick_bar_ms`](Self::kick_bar_ms) as a duration.
    pub fn kick_bar(&self) -> Duration {
        Duration::from_millis(self.kick_bar_ms)
    }

    /// [`drain_ms`](Self::drain_ms) as a duration.
    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            flush_interval_ms: 30,
            grace_ms: 15_000,
            gap: Gap::Compress,
            duplicate_publisher: DuplicatePublisher::Takeover,
            kick_bar_ms: 0,
            drain_ms: 5_000,
        }
    }
}

/// What becomes of the time in which a publisher sent nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// It is left out.
    Compress,
    /// It is kept.
    Wall,
}

/// What happens to a second publisher of a live stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicatePublisher {
    /// It takes the stream over, if it shows what the first one showed.
    Takeover,
    /// It is refused.
    Reject,
}

/// `[egress]`: towards the targets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EgressConfig {
    /// The size of our chunks, in bytes, where a rule has none of its own.
    pub chunk_size: u32,
    /// Whether targets may be on loopback, private and link-local addresses.
    pub allow_private_addresses: bool,
    /// A PEM file with roots for RTMPS targets, in place of the platform's.
    pub ca_certificates: Option<PathBuf>,
    /// How many connections to targets are started within a second, over all targets; a fifth of them at once.
    pub starts_per_second: u32,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            chunk_size: 4096,
            allow_private_addresses: false,
            ca_certificates: None,
            starts_per_second: 50,
        }
    }
}

/// `[ingest]`: what streams are fed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestConfig {
    /// An input without a frame for so long is not well, in milliseconds: the other one takes over.
    pub stall_ms: u64,
    /// For so long the preferred input has to be well before the stream goes back to it, in milliseconds.
    pub return_after_ms: u64,
    /// Where files on this machine may be that inputs play; absolute paths.
    pub file_directories: Vec<PathBuf>,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self {
            stall_ms: 3_000,
            return_after_ms: 10_000,
            file_directories: Vec::new(),
        }
    }
}

/// `[[apps]]`: an RTMP application, and the tenant that owns its streams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppConfig {
    /// What publishers put after the host.
    pub name: AppName,
    /// What publishers have to show; see [`auth`](Self::auth) for what holds where it is not set.
    #[serde(default)]
    pub publish_auth: Option<PublishAuth>,
    /// The keys of which a publisher shows one, as `stream?key=...`.
    #[serde(default)]
    pub publish_keys: Vec<Secret>,
    /// The ZEGO door's AppId.
    #[serde(default)]
    pub app_id: Option<u32>,
    /// The ZEGO door's ServerSecret.
    #[serde(default)]
    pub server_secret: Option<Secret>,
    /// Where the ZEGO door's callbacks go.
    #[serde(default)]
    pub callback_url: Option<WebUrl>,
    /// What signs them.
    #[serde(default)]
    pub callback_secret: Option<Secret>,
    /// What the app's clients sign with at the client door.
    #[serde(default)]
    pub client_secret: Option<Secret>,
    /// The environments of the ZEGO door that the app has; none: that door is closed to it.
    #[serde(default = "Environment::all")]
    pub environments: Vec<Environment>,
    /// What signed publish URLs are made with.
    #[serde(default)]
    pub sign_secret: Option<Secret>,
    /// The secret before that one, whose URLs are still good.
    #[serde(default)]
    pub previous_sign_secret: Option<Secret>,
    /// Who is asked about publishers.
    #[serde(default)]
    pub publish_hook: Option<WebUrl>,
    /// What questions to the hook are signed with.
    #[serde(default)]
    pub publish_hook_secret: Option<Secret>,
    /// What holds while the hook gives no answer.
    #[serde(default)]
    pub publish_hook_down: HookDown,
    /// Where the ZEGO door relays a stream whose caller names no address.
    #[serde(default)]
    pub default_cdn: Option<UrlTemplate>,
    /// The Tencent door's SecretId.
    #[serde(default)]
    pub secret_id: Option<String>,
    /// The Tencent door's SecretKey.
    #[serde(default)]
    pub secret_key: Option<Secret>,
    /// The Platform that callers of the Tencent door have to name; any where it is not set.
    #[serde(default)]
    pub platform: Option<String>,
    /// Where events of the app's projects are posted.
    #[serde(default)]
    pub events_url: Option<WebUrl>,
}

impl AppConfig {
    /// An app with nothing but a name.
    pub fn named(name: AppName) -> Self {
        Self {
            name,
            publish_auth: None,
            publish_keys: Vec::new(),
            app_id: None,
            server_secret: None,
            callback_url: None,
            callback_secret: None,
            client_secret: None,
            environments: Environment::all(),
            sign_secret: None,
            previous_sign_secret: None,
            publish_hook: None,
            publish_hook_secret: None,
            publish_hook_down: HookDown::default(),
            default_cdn: None,
            secret_id: None,
            secret_key: None,
            platform: None,
            events_url: None,
        }
    }

    /// What publishers have to show: a key where keys are set, otherwise nothing.
    ///
    /// A checked configuration is open without having said so only where RTMP listens on loopback.
    pub fn auth(&self) -> PublishAuth {
        match self.publish_auth {
            Some(auth) => auth,
            None if self.publish_keys.is_empty() => PublishAuth::None,
            None => PublishAuth::Key,
        }
    }
}

/// What a publisher has to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishAuth {
    /// One of the app's keys.
    Key,
    /// A signed URL.
    Signed,
    /// What the publish hook wants to see.
    Hook,
    /// Nothing.
    None,
}

impl<'de> Deserialize<'de> for PublishAuth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "key" => Ok(Self::Key),
            "none" => Ok(Self::None),
            "signed" => Ok(Self::Signed),
            "hook" => Ok(Self::Hook),
            _ => Err(D::Error::custom(
                "expected \"key\", \"signed\", \"hook\" or \"none\"",
            )),
        }
    }
}

/// `[[webhooks]]`: somebody who is told what changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where to.
    pub url: WebUrl,
    /// What its messages are signed with.
    pub secret: Secret,
    /// Only what belongs to this app.
    #[serde(default)]
    pub app: Option<AppName>,
    /// Only these types of events; `target.*` is all that begin so.
    #[serde(default)]
    pub events: Vec<String>,
}

/// `[[rules]]`: a stream, or all that fit, to one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// The app.
    #[serde(default = "AppName::live")]
    pub app: AppName,
    /// One name, or a pattern with `*`.
    #[serde(default = "StreamPattern::every")]
    pub stream: StreamPattern,
    /// The target; `{app}` and `{stream}` after the app.
    pub url: UrlTemplate,
    /// The target while `url` fails.
    #[serde(default)]
    pub backup_url: Option<UrlTemplate>,
    /// Whether it is in force.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// When it ends by itself.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub stop_at: Option<OffsetDateTime>,
    /// The size of our chunks towards this target, in bytes.
    #[serde(default)]
    pub chunk_size: Option<u32>,
    /// Whether sound and pictures wait for each other.
    #[serde(default)]
    pub strict_interleave: bool,
    /// Whether the handshake has a digest.
    #[serde(default)]
    pub digest_handshake: bool,
}

/// `[[inputs]]`: what a stream is fed from, beside or instead of its publisher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputConfig {
    /// The app.
    #[serde(default = "AppName::live")]
    pub app: AppName,
    /// The stream's name.
    pub stream: StreamName,
    /// Its place.
    #[serde(default = "main")]
    pub role: Role,
    /// A live stream that is fetched.
    #[serde(default)]
    pub url: Option<PullUrl>,
    /// Files that are played one after the other.
    #[serde(default)]
    pub files: Vec<FileUrl>,
    /// How often the list of files is begun again: -1 for ever, 0 not at all.
    #[serde(default)]
    pub loops: Option<i64>,
}

fn main() -> Role {
    Role::Main
}

fn yes() -> bool {
    true
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom("expected an address and a port, such as 127.0.0.1:1935 or [::1]:1935")
    })
}
