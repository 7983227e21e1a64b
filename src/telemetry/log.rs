//! The log: its form, its level, its way out.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing::Subscriber;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// A level, or a filter such as `info,aqueduct::egress=debug`. The configuration alone says it: RUST_LOG is not
    /// looked at.
    pub level: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info".to_owned(),
        }
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is neither a level nor a filter.
    #[error("log.level {level:?} is not a filter: {source}")]
    Level {
        /// What was given.
        level: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// This process logs already.
    #[error("the log is set up already")]
    Twice,
}

/// Reads a level or a filter.
///
/// # Errors
/// [`LogError::Level`].
pub fn filter(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .parse(level)
        .map_err(|source| LogError::Level {
            level: level.to_owned(),
            source,
        })
}

/// A subscriber that writes to `writer`, for tests and for [`init`].
///
/// # Errors
/// [`LogError::Level`].
pub fn subscriber<W>(
    config: &LogConfig,
    colours: bool,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, LogError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(colours);
    let lines = match config.format {
        LogFormat::Text => lines.boxed(),
        // Fields beside `message` rather than below `fields`, as log stores like them.
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Ok(Registry::default().with(lines).with(filter(&config.level)?))
}

/// Makes standard error this process's log, in colour where a person looks at it and NO_COLOR is not set. What
/// libraries write through the `log` crate stays out: they know nothing of our secrets.
///
/// # Errors
/// [`LogError`].
pub fn init(config: &LogConfig) -> Result<(), LogError> {
    let colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let subscriber = subscriber(config, colours, std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_level_or_a_filter() {
        for level in [
            "info",
            "WARN",
            "off",
            "info,aqueduct::egress=debug",
            "aqueduct=trace",
        ] {
            assert!(filter(level).is_ok(), "{level}");
        }
        for level in ["aqueduct=loud", "info,=,", "a=b=c"] {
            let error = filter(level).unwrap_err();
            assert!(error.to_string().contains(level), "{error}");
        }
    }
}
