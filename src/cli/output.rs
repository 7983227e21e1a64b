//! Writing to standard output and standard error.

use std::io::{self, Write};

use serde_json::Value;

use super::Failure;
use crate::secret::printable;

/// Prints text as it is. A reader that went away (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Failed(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Prints JSON for programs and for people: indented.
pub(super) fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value:#}\n"))
}

/// One line on standard error, under the program's name.
pub(super) fn complain(text: &str) {
    // There is nobody left to tell when this fails.
    let _ = writeln!(io::stderr().lock(), "aqueduct: {}", printable(text));
}

/// Several lines on standard error: what was typed wrong, and how it would be right.
pub(super) fn explain(text: &str) {
    let _ = write!(io::stderr().lock(), "{text}");
}

/// The width to write for, in characters: that of the terminal, or what COLUMNS says, or 80.
pub(super) fn width() -> usize {
    let columns = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    columns
        .or_else(terminal)
        .filter(|&width| width > 0)
        .unwrap_or(80)
}
