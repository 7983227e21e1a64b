//! What can be typed, and what `--help` says about it.

mod gateway;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use gateway::{
    GatewayArgs, PreflightArgs, RuleOptionArgs, RulesArgs, RulesCommand, StreamsArgs,
    StreamsCommand,
};

pub(super) const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed at run time, 2 wrong usage or configuration.";

pub(super) const FIRST_RELAY: &str = "\
A first relay:
  aqueduct serve                                   RTMP on 127.0.0.1:1935, HTTP on 127.0.0.1:8080
  aqueduct rules add @twitch.url                   every stream of the app \"live\" goes there
  OBS > Settings > Stream: Server rtmp://127.0.0.1:1935/live, Stream Key cam
  aqueduct streams show live/cam                   what became of it";

/// An RTMP ingest gateway: one stream in, as many CDNs as rules name, over RTMP and RTMPS.
#[derive(Debug, Parser)]
#[command(name = "aqueduct", version, about, after_help = FIRST_RELAY)]
#[command(disable_help_subcommand = true)]
pub struct Arguments {
    /// The command; `serve` where none is given.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway
    ///
    /// Without any option: RTMP on 127.0.0.1:1935, HTTP on 127.0.0.1:8080, data in ./aqueduct-data, one app "live", and no
    /// rules but those that were made before. SIGTERM and SIGINT end every push in order; SIGHUP reads the configuration
    /// again.
    #[command(after_help = EXIT_CODES)]
    Serve(ServeArgs),
    /// Check a configuration and print what it comes to, secrets masked
    #[command(after_help = EXIT_CODES)]
    Check(CheckArgs),
    /// List, add, change and remove the rules of a running gateway
    ///
    /// A rule says: streams of this app with this name go to this URL. It may exist before its stream, and takes effect on
    /// a running stream at once.
    Rules(RulesArgs),
    /// List, show and kick the streams of a running gateway
    Streams(StreamsArgs),
    /// Try a target, step by step, and say where it fails
    ///
    /// The steps are DNS, TCP, TLS, the RTMP handshake and `connect`; with --publish also `publish`.
    #[command(
        after_help = "Exit code: 0 if every step succeeded, 1 if one failed, 2 for wrong usage."
    )]
    Preflight(PreflightArgs),
    /// Sign a publish URL, or a call of the ZEGO door
    ///
    /// A signed URL lets its holder publish one stream until its time is over, to an app with publish_auth = "signed".
    /// A connection that runs is not cut then.
    #[command(after_help = "\
Examples:
  aqueduct sign live/cam --ttl 3600 --config aqueduct.toml
  aqueduct sign live/cam --secret @sign.secret --server rtmp://ingest.example
  curl \"http://127.0.0.1:8080/?$(aqueduct sign zego Action=CreatCDNTransferRule StreamId=cam CDNUrl=rtmp://a.example/app/x)\"")]
    Sign(SignArgs),
    /// Ask a running gateway whether it is ready: for containers without curl
    #[command(after_help = "Exit code: 0 while /readyz answers 200, otherwise 1.")]
    Healthcheck(GatewayArgs),
    /// Print completions for a shell
    ///
    /// For bash: aqueduct completions bash > ~/.local/share/bash-completion/completions/aqueduct
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    ///
    /// To read it: aqueduct man | man -l -
    Man,
}

impl Command {
    /// `serve` with nothing else.
    pub fn serve() -> Self {
        Self::Serve(ServeArgs::default())
    }
}

/// `serve`.
#[derive(Clone, Debug, Default, Args)]
pub struct ServeArgs {
    /// The configuration file; config/aqueduct.toml shows every key
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where publishers connect, as address:port
    #[arg(long, value_name = "ADDR")]
    pub rtmp: Option<String>,
    /// Where the HTTP doors listen, as address:port
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,
    /// The directory for rules and the API token
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Relay every stream of app "live" to this URL, for as long as this process runs; may be repeated
    ///
    /// A URL holds a key, and other users of this machine can see arguments. @FILE reads URLs from a file, one a line; -
    /// reads them from standard input; the variable AQUEDUCT_RELAY_URLS holds them with white space between. {app} and
    /// {stream} may stand after the URL's app.
    #[arg(long, value_name = "URL|@FILE|-")]
    pub relay: Vec<String>,
    /// What a push's clock begins with, in milliseconds. Nobody can type it: the soak sets it, to see clocks cross their borders.
    #[arg(skip)]
    pub start_clock: u32,
}

/// `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The configuration file; without one, defaults and environment are checked
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON rather than TOML
    #[arg(long)]
    pub json: bool,
}

/// `sign`.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The stream, as APP/STREAM; without an app it is one of "live"
    #[arg(value_name = "APP/STREAM")]
    pub stream: Option<String>,
    /// How long the URL may be used to begin with, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub ttl: u64,
    /// The secret, from a file or from standard input; without it, that of the configuration
    #[arg(long, value_name = "@FILE|-", global = true)]
    pub secret: Option<String>,
    /// The configuration file with the app's secret
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Where publishers reach the gateway; without it [rtmp] advertise, or its listener
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// What else can be signed.
    #[command(subcommand)]
    pub command: Option<SignCommand>,
}

/// `sign ...`.
#[derive(Debug, Subcommand)]
pub enum SignCommand {
    /// Print the signed query of a call of the ZEGO door
    Zego(SignZegoArgs),
}

/// `sign zego`.
#[derive(Debug, Args)]
pub struct SignZegoArgs {
    /// The AppId; without it that of the one app that has one
    #[arg(long, value_name = "NUMBER")]
    pub app_id: Option<u32>,
    /// The call's own parameters, which are percent-encoded
    #[arg(value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_command_means_serve() {
        let arguments = Arguments::try_parse_from(["aqueduct"]).unwrap();
        let command = arguments.command.unwrap_or_else(Command::serve);
        assert!(matches!(command, Command::Serve(args) if args.config.is_none()));
    }

    #[test]
    fn what_the_contract_names_can_be_typed() {
        for line in [
            "aqueduct serve",
            "aqueduct serve --config f --rtmp 1:2 --http 3:4 --data d --relay rtmp://a/b/c --relay @f --relay -",
            "aqueduct check",
            "aqueduct check --config f --json",
            "aqueduct rules list",
            "aqueduct rules list --json --reveal --app live",
            "aqueduct rules --json list",
            "aqueduct rules add rtmp://h/a/b",
            "aqueduct rules add --app live --stream cam @f -",
            "aqueduct rules add",
            "aqueduct rules add @f --backup-url @g --stop-at 2030-01-01T00:00:00Z --chunk-size 8192 --disabled",
            "aqueduct rules change r-1 --url @f --backup-url none --stop-at none --chunk-size none --enable",
            "aqueduct rules change r-1 --disable --json",
            "aqueduct rules remove r-1 r-2 --data d",
            "aqueduct streams list",
            "aqueduct streams show live/cam",
            "aqueduct streams kick live/cam --http 127.0.0.1:9",
            "aqueduct preflight rtmp://h/a/b --publish --json",
            "aqueduct preflight -",
            "aqueduct healthcheck --http 127.0.0.1:9",
            "aqueduct completions bash",
            "aqueduct man",
        ] {
            Arguments::try_parse_from(line.split(' '))
                .unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    #[test]
    fn what_is_no_command_is_wrong_usage() {
        for line in [
            "aqueduct nothing",
            "aqueduct serve extra",
            "aqueduct serve --listen 1:2",
            "aqueduct rules",
            "aqueduct rules remove",
            "aqueduct rules change",
            "aqueduct rules change r-1 --enable --disable",
            "aqueduct streams show",
            "aqueduct completions tcl",
        ] {
            let error = Arguments::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
