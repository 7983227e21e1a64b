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

/// Writes the table into the page. Where only some items were measured, the rows of the others stay, and so does where they came from.
pub fn write(options: &Options, rows: &[Row]) -> io::Result<()> {
    let page = std::fs::read_to_string(&options.page)?;
    let (before, rest) = page
        .split_once(BEGIN)
        .ok_or_else(|| io::Error::other(format!("there is no line {BEGIN}")))?;
    let (old, after) = rest
        .split_once(END)
        .ok_or_else(|| io::Error::other(format!("there is no line {END}")))?;
    let mut table = table(rows);
    let mut origins = Vec::new();
    if !options.items.is_empty() {
        let stays = |line: &&str| {
            let item = item(line);
            item.is_some_and(|item| !options.items.contains(&item))
        };
        let staying = old.lines().filter(stays);
        let mut lines: Vec<_> = table.lines().chain(staying).collect();
        // The heading has no number; rows of one item keep their order.
        lines.sort_by_key(|line| item(line));
        table = lines.join("\n") + "\n";
        let paragraphs = old
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('|'));
        origins.extend(paragraphs.map(str::to_owned));
    }
    origins.push(origin(options));
    let body = format!("{}\n\n{table}", origins.join("\n\n"));
    std::fs::write(
        &options.page,
        format!("{before}{BEGIN}\n\n{body}\n{END}{after}"),
    )
}

/// The item that a line of the table is of.
fn item(line: &str) -> Option<u32> {
    line.strip_prefix("| ")?.split(' ').next()?.parse().ok()
}

/// Machine, commit, seed and date.
fn origin(options: &Options) -> String {
    let date = OffsetDateTime::now_utc().date();
    let items: Vec<_> = options.items.iter().map(u32::to_string).collect();
    let which = match items.is_empty() {
        true => String::new(),
        false => format!("Items {}: ", items.join(", ")),
    };
    let mut text = format!(
        "{which}{date}, commit {}, seed {}, {}.",
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
