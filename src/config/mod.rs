//! The configuration: a TOML file, changed by the environment, changed by the command line.
//!
//! `config/aqueduct.toml` shows every key; `docs/configuration.md` tells about them. An unknown key is an error, and so is one
//! that this version cannot honour yet: nothing that somebody wrote down is ignored. A mistake is one line with its place.

mod apps;
mod bounds;
mod cdn_auth;
mod certificates;
mod check;
mod env;
mod inputs;
mod report;
mod rules;
mod sections;
mod tree;
mod typed;
mod urls;
mod web_url;
mod zego;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::rule::AppName;

pub use crate::telemetry::{LogConfig, LogFormat};
pub use cdn_auth::{CdnAuthConfig, CdnScheme};
pub use env::{PREFIX, environment};
pub use report::{ConfigError, Mistake, Source};
pub use rules::rule_from_command_line;
pub use sections::{
    AppConfig, DuplicatePublisher, EgressConfig, Gap, HttpConfig, IngestConfig, InputConfig,
    PublishAuth, RelayConfig, RtmpConfig, RuleConfig, StoreConfig, TlsListenerConfig,
    WebhookConfig,
};
pub use urls::{RELAY_URLS_VARIABLE, UrlLine, UrlListError, read_url_lines, relay_urls};
pub use web_url::WebUrl;
pub use zego::{Environment, ZegoConfig};

use tree::{Entry, Node, Value};
use typed::Fault;

/// The largest file, in bytes: ten thousand rules with long URLs fit.
pub const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Everything that can be configured, each section with its defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where publishers come in.
    pub rtmp: RtmpConfig,
    /// The same in TLS; off where absent.
    pub rtmps: Option<TlsListenerConfig>,
    /// The doors.
    pub http: HttpConfig,
    /// The same in TLS; off where absent.
    pub https: Option<TlsListenerConfig>,
    /// What survives a restart.
    pub store: StoreConfig,
    /// What streams are fed from.
    pub ingest: IngestConfig,
    /// From a publisher to its targets.
    pub relay: RelayConfig,
    /// Towards the targets.
    pub egress: EgressConfig,
    /// The ZEGO door, whatever the app.
    pub zego: ZegoConfig,
    /// The log.
    pub log: LogConfig,
    /// The RTMP applications; at least one.
    pub apps: Vec<AppConfig>,
    /// Rules that nobody can change through a door.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleConfig>,
    /// What CDNs want to see beside a stream's name, for each of their domains.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cdn_auth: Vec<CdnAuthConfig>,
    /// Who is told what changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<WebhookConfig>,
    /// What streams are fed from, beside their publishers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rtmp: RtmpConfig::default(),
            rtmps: None,
            http: HttpConfig::default(),
            https: None,
            store: StoreConfig::default(),
            ingest: IngestConfig::default(),
            relay: RelayConfig::default(),
            egress: EgressConfig::default(),
            zego: ZegoConfig::default(),
            log: LogConfig::default(),
            apps: vec![AppConfig::named(AppName::live())],
            rules: Vec::new(),
            cdn_auth: Vec::new(),
            webhooks: Vec::new(),
            inputs: Vec::new(),
        }
    }
}

/// The options of `serve` that stand for a key. They win over file and environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `--rtmp ADDR`.
    pub rtmp: Option<String>,
    /// `--http ADDR`.
    pub http: Option<String>,
    /// `--data DIR`.
    pub data: Option<String>,
}

impl Config {
    /// Reads file and environment, and checks what they say.
    ///
    /// The variables are those of [`environment`] or a test's own; foreign ones are left alone.
    ///
    /// # Errors
    /// The file cannot be read, or something is wrong in what file and environment say together.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::load_with(file, environment, &Arguments::default())
    }

    /// As [`load`](Self::load), with the command line on top.
    ///
    /// # Errors
    /// As `load`; the command line's part is checked with the rest.
    pub fn load_with(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        arguments: &Arguments,
    ) -> Result<Self, ConfigError> {
        let text = file.map(read).transpose()?;
        Self::parse(text.as_deref(), environment, arguments).map_err(|fault| {
            let (key, source) = fault.place.unwrap_or((String::new(), Source::Default));
            Mistake {
                file: file.map(Path::to_owned),
                source,
                key,
                reason: fault.reason,
            }
            .into()
        })
    }

    fn parse(
        text: Option<&str>,
        environment: impl IntoIterator<Item = (String, String)>,
        arguments: &Arguments,
    ) -> Result<Self, Fault> {
        let mut root = text.map_or_else(|| Ok(Node::empty()), Node::parse)?;
        name_the_default_app(&mut root);
        env::overlay(&mut root, environment)?;
        for (section, key, option, given) in [
            ("rtmp", "listen", "--rtmp", &arguments.rtmp),
            ("http", "listen", "--http", &arguments.http),
            ("store", "path", "--data", &arguments.data),
        ] {
            if let Some(given) = given {
                env::set_argument(&mut root, section, key, option, given)?;
            }
        }
        let config = Self::deserialize(&root)?;
        check::check(&config).map_err(|wrong| {
            let source = root.source_of(&wrong.key).clone();
            Fault {
                place: Some((wrong.key, source)),
                reason: wrong.reason,
            }
        })?;
        Ok(config)
    }

    /// The app of this name.
    pub fn app(&self, name: &AppName) -> Option<&AppConfig> {
        self.apps.iter().find(|app| app.name == *name)
    }

    /// The configuration in force, as TOML, with every secret masked: for `aqueduct check`.
    pub fn masked_toml(&self) -> String {
        let mut shown = self.clone();
        for app in &mut shown.apps {
            app.publish_auth = Some(app.auth());
        }
        // Nothing in the sections has a form that TOML lacks; if it had, the reason is what there is to show.
        toml::to_string(&shown).unwrap_or_else(|error| format!("# {error}\n"))
    }
}

/// Without a file that says otherwise there is one app, and the environment can give it its keys.
fn name_the_default_app(root: &mut Node) {
    if root.entry("apps").is_some() {
        return;
    }
    let node = |key: &str, value| Node {
        key: key.to_owned(),
        source: Source::Default,
        value,
    };
    let entry = |name: &str, node| Entry {
        name: name.to_owned(),
        source: Source::Default,
        node,
    };
    let name = node(
        "apps[0].name",
        Value::Text(AppName::live().as_str().to_owned()),
    );
    let app = node("apps[0]", Value::Table(vec![entry("name", name)]));
    if let Value::Table(entries) = &mut root.value {
        entries.push(entry("apps", node("apps", Value::List(vec![app]))));
    }
}

fn read(file: &Path) -> Result<String, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable {
        file: file.to_owned(),
        error,
    };
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ConfigError::TooLarge {
            file: file.to_owned(),
            max: FILE_BYTES_MAX,
        });
    }
    String::from_utf8(bytes).map_err(|error| {
        unreadable(io::Error::new(
            io::ErrorKind::InvalidData,
            error.utf8_error(),
        ))
    })
}
