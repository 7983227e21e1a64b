//! `aqueduct serve`: from arguments to a running gateway.

use super::Failure;
use super::args::ServeArgs;
use crate::app::{self, AppError, ConfigSource, Serve};
use crate::config::{Arguments, Config, RELAY_URLS_VARIABLE, environment, relay_urls};
use crate::net::descriptors::raise_limit;
use crate::telemetry::log;
use std::io;
use std::time::Duration;
use tracing::{info, warn};

/// Threads of the doors and the supervisor; media has its own.
const CONTROL_THREADS: usize = 2;

/// How long threads that may block are waited for in the end: a write to the store's, and not a look-up that hangs in the C library
/// for half a minute.
const LAST_WRITES: Duration = Duration::from_millis(500);

pub(super) fn run(args: ServeArgs) -> Result<(), Failure> {
    let source = ConfigSource {
        file: args.config,
        arguments: Arguments {
            rtmp: args.rtmp,
            http: args.http,
            data: args.data,
        },
    };
    let config = Config::load_with(source.file.as_deref(), environment(), &source.arguments)?;
    let variable = std::env::var(RELAY_URLS_VARIABLE).ok();
    let relay = relay_urls(&args.relay, variable.as_deref(), &mut io::stdin())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    log::init(&config.log).map_err(|error| Failure::Usage(error.to_string()))?;
    match raise_limit() {
        Ok(limit) => info!(limit, "open files"),
        Err(error) => warn!(%error, "the limit of open files stays as it is"),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot start: {error}")))?;
    let serve = Serve {
        config,
        source,
        relay,
        start_clock: args.start_clock,
    };
    let outcome = runtime.block_on(app::run(serve));
    runtime.shutdown_timeout(LAST_WRITES);
    outcome.map_err(Failure::from)
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        let text = error.to_string();
        if error.is_usage() {
            Self::Usage(text)
        } else {
            Self::Failed(text)
        }
    }
}
