//! The URLs that a command is about, from wherever they come.

use std::io;

use super::Failure;
use crate::config::{RELAY_URLS_VARIABLE, UrlLine, read_url_lines};

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
