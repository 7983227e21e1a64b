//! The application: the one place that knows everyone. It builds the gateway, runs it until a signal, and winds it down.

mod banner;
mod build;
mod observe;
mod parts;
mod ports;
mod preflight;
mod project_events;
mod reach;
mod reload;
mod settings;

use crate::config::{Arguments, Config, ConfigError};
use crate::control::{Phase, TokenError};
use crate::net::listener::BindError;
use crate::net::tls::TlsConfigError;
use crate::rule::UrlTemplate;
use crate::store::StoreError;
use crate::telemetry::metrics::UPKEEP_INTERVAL;
use crate::telemetry::panics;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use build::Gateway;
pub use preflight::preflight;

/// What `aqueduct serve` was asked to do.
#[derive(Debug)]
pub struct Serve {
    /// The configuration in effect.
    pub config: Config,
    /// Where it came from, to read it again.
    pub source: ConfigSource,
    /// The URLs of `--relay`, for this run.
    pub relay: Vec<UrlTemplate>,
    /// What a push's clock begins with, in milliseconds: 0, but for whoever wants to see it come near its end.
    pub start_clock: u32,
}

/// Where a configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct ConfigSource {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// What the command line sets.
    pub arguments: Arguments,
}

/// Why the gateway could not start, or go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// A certificate or a key cannot be used.
    #[error("{0}")]
    Tls(#[from] TlsConfigError),
    /// `--relay` needs the app `live`.
    #[error(
        "--relay: it relays the streams of the app \"live\", and the configuration has no such app"
    )]
    NoLiveApp,
    /// A port cannot be bound.
    #[error("{0}")]
    Bind(#[from] BindError),
    /// The rules cannot be read.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The API's token cannot be read or made.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// The operating system refuses something.
    #[error("cannot start: {0}")]
    Io(#[from] io::Error),
}

impl AppError {
    /// Whether it is the configuration that has to change: exit code 2 rather than 1.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Tls(_) | Self::NoLiveApp)
    }
}

/// Serves until SIGTERM or SIGINT, then drains. A second signal ends it at once.
///
/// # Errors
/// The gateway could not start. Nothing is left running.
pub async fn run(serve: Serve) -> Result<(), AppError> {
    let mut signals = Signals::new()?;
    let mut gateway = Gateway::build(&serve).await?;
    panics::watch(Arc::clone(&gateway.metrics));
    banner::print(&gateway, &serve)?;
    gateway.readiness.advance(Phase::Ready);
    let mut upkeep = tokio::time::interval(UPKEEP_INTERVAL);
    let mut source = serve;
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Received::Reload => reload::reload(&gateway, &mut source).await,
                Received::End(name) => {
                    info!(signal = name, "draining");
                    break;
                }
            },
            _ = upkeep.tick() => {
                gateway.metrics.upkeep();
                gateway.rules.store_deletions().await;
                let most = source.config.zego.unused_rule_time();
                let deleted = gateway.unused.sweep(most).await;
                if deleted > 0 {
                    info!(deleted, "deleted rules whose streams never appeared");
                }
            }
        }
    }
    let told_twice = async {
        loop {
            if let Received::End(name) = signals.next().await {
                return name;
            }
        }
    };
    tokio::select! {
        () = gateway.drain() => info!("drained"),
        name = told_twice => warn!(signal = name, "told twice: ending without a drain"),
    }
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
    /// Nobody waits for it. That it is taken makes a file that may not grow a failed write instead of the gateway's end.
    _file_size: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
            _file_size: signal(SignalKind::from_raw(libc::SIGXFSZ))?,
        })
    }

    async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.terminate.recv() => Received::End("SIGTERM"),
            _ = self.interrupt.recv() => Received::End("SIGINT"),
            _ = self.reload.recv() => Received::Reload,
        }
    }
}

/// What a signal asks for.
enum Received {
    /// To end; the signal's name.
    End(&'static str),
    /// To read the configuration again.
    Reload,
}
