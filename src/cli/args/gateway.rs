//! What a running gateway can be asked for.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The heading of the options that say which gateway is asked.
const GATEWAY: &str = "Which gateway";

/// Which gateway a command is about. All that is not given comes from the configuration and the environment, as for `serve`.
#[derive(Clone, Debug, Default, Args)]
pub struct GatewayArgs {
    /// The gateway's HTTP address, as address:port or URL
    #[arg(long, value_name = "ADDR", global = true, help_heading = GATEWAY)]
    pub http: Option<String>,
    /// The gateway's data directory, where its API token lies
    ///
    /// AQUEDUCT_HTTP__TOKEN, or AQUEDUCT_HTTP__TOKEN_FILE, gives the token of a gateway on another machine.
    #[arg(long, value_name = "DIR", global = true, help_heading = GATEWAY)]
    pub data: Option<String>,
    /// The gateway's configuration file
    #[arg(long, value_name = "FILE", global = true, help_heading = GATEWAY)]
    pub config: Option<PathBuf>,
}

/// `rules`.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// Which gateway.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: RulesCommand,
}

/// `rules ...`.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// List the rules
    List {
        /// Only those of this app
        #[arg(long)]
        app: Option<String>,
        /// Show URLs with their keys
        #[arg(long)]
        reveal: bool,
    },
    /// Add a rule for each URL
    ///
    /// A URL holds a key, and other users of this machine can see arguments: @FILE reads URLs from a file, one a line, and -
    /// from standard input. Without a URL those of the variable AQUEDUCT_RELAY_URLS are taken. Adding what is there
    /// already changes nothing.
    #[command(after_help = "\
Examples:
  aqueduct rules add @twitch.url
  aqueduct rules add @youtube.url --backup-url @youtube-backup.url
  aqueduct rules add --stream cam-* rtmp://archive.example/live/{stream}")]
    Add {
        /// The app whose streams are relayed
        #[arg(long, default_value = "live")]
        app: String,
        /// One stream's name, or a pattern in which * stands for any characters
        #[arg(long, default_value = "*")]
        stream: String,
        /// What the rule says beside app, stream and URL
        #[command(flatten)]
        options: RuleOptionArgs,
        /// Add it, but do not put it in force yet
        #[arg(long)]
        disabled: bool,
        /// Where to: rtmp://host/app/key or rtmps://..., with {app} and {stream} after the app
        #[arg(value_name = "URL|@FILE|-")]
        urls: Vec<String>,
    },
    /// Change a rule; what is not named stays as it is
    ///
    /// Another URL or chunk size has the rule's pushes stop and begin anew. "none" takes an option away.
    #[command(after_help = "\
Examples:
  aqueduct rules change r-0123456789abcdef --disable
  aqueduct rules change r-0123456789abcdef --backup-url none --stop-at 2030-01-01T00:00:00Z")]
    Change {
        /// The rule's id, as `rules list` shows it
        #[arg(value_name = "ID")]
        id: String,
        /// Where to from now on
        ///
        /// A URL holds a key, and other users of this machine can see arguments: @FILE reads it from a file, - from standard input.
        #[arg(long, value_name = "URL|@FILE|-")]
        url: Option<String>,
        /// What else it says from now on
        #[command(flatten)]
        options: RuleOptionArgs,
        /// Put it in force
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Stop its pushes, and keep it
        #[arg(long)]
        disable: bool,
    },
    /// Remove rules, and stop their pushes
    Remove {
        /// The rules' ids, as `rules list` shows them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

/// What a rule may say beside app, stream and URL.
#[derive(Clone, Debug, Default, Args)]
pub struct RuleOptionArgs {
    /// Where to while the URL fails; goes with one URL
    ///
    /// A URL holds a key, and other users of this machine can see arguments: @FILE reads it from a file, - from standard input.
    #[arg(long, value_name = "URL|@FILE|-")]
    pub backup_url: Option<String>,
    /// When the rule ends by itself, such as 2030-01-01T00:00:00Z; it stays listed
    #[arg(long, value_name = "TIME")]
    pub stop_at: Option<String>,
    /// The chunk size towards the target, in bytes
    #[arg(long, value_name = "BYTES")]
    pub chunk_size: Option<String>,
    /// Give the target sound and pictures strictly in the order of their times, up to 100 ms later; =false for no longer
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub strict_interleave: Option<bool>,
    /// Make the handshake with a digest, as Flash does; =false for no longer
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub digest_handshake: Option<bool>,
}

/// `streams`.
#[derive(Debug, Args)]
pub struct StreamsArgs {
    /// Which gateway.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: StreamsCommand,
}

/// `streams ...`.
#[derive(Debug, Subcommand)]
pub enum StreamsCommand {
    /// List the live streams
    List {
        /// Only those of this app
        #[arg(long)]
        app: Option<String>,
    },
    /// Show one stream and its targets
    Show {
        /// The stream, as app/name; a name alone is one of app "live"
        #[arg(value_name = "APP/NAME")]
        stream: String,
    },
    /// Disconnect a stream's publisher, which may come back
    Kick {
        /// The stream, as app/name; a name alone is one of app "live"
        #[arg(value_name = "APP/NAME")]
        stream: String,
    },
}

/// `preflight`.
#[derive(Debug, Args)]
pub struct PreflightArgs {
    /// Which gateway tries it.
    #[command(flatten)]
    pub gateway: GatewayArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Go as far as `publish`
    ///
    /// The CDN may show the stream as begun, and may end one that runs with the same key. A URL that the gateway pushes to
    /// is never tried that far.
    #[arg(long)]
    pub publish: bool,
    /// The target: rtmp://host/app/key or rtmps://...
    ///
    /// A URL holds a key, and other users of this machine can see arguments: @FILE reads URLs from a file, one a line, and -
    /// from standard input. Without a URL those of the variable AQUEDUCT_RELAY_URLS are tried.
    #[arg(value_name = "URL|@FILE|-")]
    pub urls: Vec<String>,
}
