//! The URLs that a command is about, from wherever they come.

use std::io;

use super::Failure;
use crate::config::{RELAY_URLS_VARIABLE, UrlLine, read_url_lines};

/// Reads the value of an option that takes one URL. `others` are the values beside it: standard input can be read only once.
pub(super) fn read_one(option: &str, value: &str, others: &[String]) -> Result<UrlLine, Failure> {
    let usage = |why: &str| Failure::Usage(format!("{option}: {why}"));
    if value == "-" && others.iter().any(|other| other == "-") {
        return Err(usage("standard input can be read only once"));
    }
    let lines = read_url_lines(option, &[value.to_owned()], &mut io::stdin().lock());
    let mut lines = lines.map_err(|error| Failure::Usage(error.to_string()))?;
    match (lines.pop(), lines.is_empty()) {
        (Some(line), true) => Ok(line),
        _ => Err(usage("there is more than one URL in it")),
    }
}

/// Reads the arguments of a command that takes URLs, or the variable where there are none.
pub(super) fn read(command: &str, values: &[String]) -> Result<Vec<UrlLine>, Failure> {
    if !values.is_empty() {
        let lines = read_url_lines(command, values, &mut io::stdin().lock());
        return lines.map_err(|error| Failure::Usage(error.to_string()));
    }
    let variable = std::env::var(RELAY_URLS_VARIABLE).unwrap_or_default();
    let lines: Vec<UrlLine> = variable
        .split_whitespace()
        .enumerate()
        .map(|(index, url)| UrlLine {
            place: format!("{RELAY_URLS_VARIABLE}, URL {}", index + 1),
            url: url.into(),
        })
        .collect();
    match lines.is_empty() {
        true => Err(Failure::Usage(format!(
            "{command}: give a URL, @FILE, - for standard input, or set {RELAY_URLS_VARIABLE}"
        ))),
        false => Ok(lines),
    }
}
