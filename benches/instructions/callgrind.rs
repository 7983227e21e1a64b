//! A function's instructions: this program once more, under valgrind's callgrind.

use std::env;
use std::fs;
use std::process::{Command, Stdio};
use tempfile::NamedTempFile;

/// Takes from glibc the copies that depend on the processor, so that one budget holds for all of an architecture.
const TUNABLES: &str =
    "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-AVX512F,-AVX512VL,-ERMS,-FSRM";

/// Instructions of all calls of the function of that name, what it calls included, where this program is given `role`.
pub fn instructions_in(function: &str, role: &str) -> Result<u64, String> {
    let report = run(function, role).map_err(|error| format!("valgrind: {error}"))?;
    match total(&report) {
        Some(0) => Err(format!("callgrind met no function of the name {function}")),
        Some(count) => Ok(count),
        None => Err("callgrind's report has no total".to_owned()),
    }
}

/// Callgrind's report.
fn run(function: &str, role: &str) -> Result<String, std::io::Error> {
    let report = NamedTempFile::new()?;
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", report.path().display()))
        .arg(format!("--toggle-collect=*{function}*"))
        .arg(env::current_exe()?)
        .arg(role)
        .env("GLIBC_TUNABLES", TUNABLES)
        .stdin(Stdio::null())
        .status()?;
    match status.success() {
        true => fs::read_to_string(report.path()),
        false => Err(std::io::Error::other(format!("it ended with {status}"))),
    }
}

/// The only event of a report is the instruction.
fn total(report: &str) -> Option<u64> {
    let total = |line: &str| line.strip_prefix("totals: ")?.trim().parse().ok();
    report.lines().find_map(total)
}
