//! The command line: arguments in, exit code out.
//!
//! Exit codes: 0 done, 1 failed at run time, 2 wrong usage or configuration. What went wrong is one line on standard error.

mod args;
mod check;
mod completions;
mod figures;
mod gateway;
mod healthcheck;
mod output;
mod preflight;
mod rules;
mod serve;
mod sign;
mod streams;
mod table;
mod urls;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use args::{Arguments, Command, ServeArgs};

use output::{complain, explain};

use crate::secret::mask_url;

/// Why a command did not do what it should. The text is one line without a key in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The command line or the configuration is wrong; nothing was started. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// It could not be done. Exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
        }
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Runs one command to its end.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&arguments) {
        Ok(arguments) => arguments,
        // Help and version are no mistake; clap knows where each of these goes, and the code.
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            explain(&masked(error.to_string(), &arguments));
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    carry_out(arguments)
}

/// Runs a command that is typed already to its end.
pub fn carry_out(arguments: Arguments) -> ExitCode {
    // For whatever in this process speaks TLS; a second time it is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let command = arguments.command.unwrap_or_else(Command::serve);
    match dispatch(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}

/// A mistake is told with the argument that it is about, and that may be a URL with its key in the wrong place.
fn masked(mut text: String, arguments: &[OsString]) -> String {
    for argument in arguments {
        let argument = argument.to_string_lossy();
        if let Some(at) = argument.find("rtmp") {
            let url = argument.get(at..).unwrap_or_default();
            text = text.replace(url, &mask_url(url));
        }
    }
    text
}

fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(args),
        Command::Check(args) => check::run(&args),
        Command::Rules(args) => wait(rules::run(args)),
        Command::Streams(args) => wait(streams::run(args)),
        Command::Preflight(args) => wait(preflight::run(args)),
        Command::Sign(args) => sign::run(&args),
        Command::Healthcheck(args) => wait(healthcheck::run(&args)),
        Command::Completions { shell } => completions::completions(shell),
        Command::Man => completions::man(),
    }
}

/// Runs a command that asks a gateway: one thread is enough.
fn wait(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("cannot start: {error}")))?;
    runtime.block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_does_not_repeat_a_key() {
        let arguments = [
            "aqueduct",
            "serve",
            "--rely=rtmp://h/app/KEY",
            "rtmps://h/app/KEY",
        ];
        let arguments = arguments.map(OsString::from);
        let text = "no --rely=rtmp://h/app/KEY and no 'rtmps://h/app/KEY'".to_owned();
        let shown = "no --rely=rtmp://h/app/*** and no 'rtmps://h/app/***'";
        assert_eq!(masked(text, &arguments), shown);
    }
}
