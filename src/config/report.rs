//! How a mistake in the configuration is reported: one line that says where it stands.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The configuration file; both counted from 1, the column in characters.
    File {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// An environment variable, by its name.
    Variable(String),
    /// A command line option, such as `--rtmp`.
    Argument(&'static str),
}

/// Why there is no configuration. `Display` is one line and never shows a value, since any value may be a secret.
///
/// None of these is worth a retry: somebody has to change a file, a variable or an argument.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the configuration: {error}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The operating system's reason.
        error: io::Error,
    },
    /// The file is larger than a configuration can be.
    #[error("{}: the configuration has more than {max} bytes", .file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The bound, in bytes.
        max: u64,
    },
    /// Something in it is wrong.
    #[error(transparent)]
    Mistake(#[from] Mistake),
}

/// One wrong thing, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file that was read, where there was one.
    pub file: Option<PathBuf>,
    /// Where the value stands.
    pub source: Source,
    /// The key, such as `apps[0].publish_keys[1]`; empty where the file is no TOML.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

impl std::error::Error for Mistake {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source, &self.file) {
            (Source::File { line, column }, Some(file)) => {
                write!(f, "{}:{line}:{column}: ", file.display())?;
            }
            (Source::File { line, column }, None) => write!(f, "line {line}, column {column}: ")?,
            (Source::Variable(name), _) => write!(f, "{name}: ")?,
            (Source::Argument(name), _) => write!(f, "{name}: ")?,
            (Source::Default, Some(file)) => write!(f, "{}: ", file.display())?,
            (Source::Default, None) => {}
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        for c in self.reason.chars() {
            write!(f, "{}", if c.is_control() { ' ' } else { c })?;
        }
        Ok(())
    }
}
