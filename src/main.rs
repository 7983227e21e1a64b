//! The program `aqueduct`: see [`aqueduct::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    aqueduct::cli::run(std::env::args_os())
}
