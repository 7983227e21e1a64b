//! The table, and the page that shows it.

use super::Options;
use super::row::Row;
use std::fmt::Write;
use std::io;
use std::process::Command;
use time::OffsetDateTime;

/// What the script writes stands between these; the rest of the page is written by hand.
const BEGIN: &str = "<!-- ./scripts/score writes from here -->";
const END: &str = "<!-- to here -->";

/// Rows in their order, as Markdown.
pub fn table(rows: &[Row]) -> String {
    let mut table =
        String::from("| # | what | how | value | promise | |\n|---|---|---|---|---|---|\n");
    for row in rows {
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} |",
            row.item,
            row.what,
            row.how,
            row.value,
            row.promise,
            row.verdict.word()
        );
    }
    table
}

pub fn write(options: &Options, rows: &[Row]) -> io::Result<()> {
    let page = std::fs::read_to_string(&options.page)?;
    let (before, rest) = page
        .split_once(BEGIN)
        .ok_or_else(|| io::Error::other(format!("there is no line {BEGIN}")))?;
    let (_, after) = rest
        .split_once(END)
        .ok_or_else(|| io::Error::other(format!("there is no line {END}")))?;
    let body = format!("{}\n\n{}", origin(options), table(rows));
    std::fs::write(
        &options.page,
        format!("{before}{BEGIN}\n\n{body}\n{END}{after}"),
    )
}

/// Machine, commit, seed and date.
fn origin(options: &Options) -> String {
    let date = OffsetDateTime::now_utc().date();
    let mut text = format!(
        "{date}, commit {}, seed {}, {}.",
        output("git", &["rev-parse", "--short=10", "HEAD"]),
        options.seed,
        machine()
    );
    if !options.note.is_empty() {
        let _ = write!(text, " {}", options.note);
    }
    text
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split(':').nth(1)?.trim().to_owned())
    };
    let model = value(&read("/proc/cpuinfo"), "model name").unwrap_or_default();
    let memory = value(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    format!(
        "{cores} cores of {model}, {memory}, {} {}, {}",
        output("uname", &["-s"]),
        output("uname", &["-r"]),
        output("rustc", &["--version"])
    )
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
