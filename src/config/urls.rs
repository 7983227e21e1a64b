//! URLs on the command line, and the ways to keep them off it.
//!
//! A URL holds a key, and everybody on a machine can read the arguments of its processes. So where an option takes a URL it also
//! takes `@FILE`, with one URL a line and `#` before a comment, and `-` for the same on standard input; and relay URLs may
//! stand in `AQUEDUCT_RELAY_URLS`, with white space between them.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;

use crate::rule::UrlTemplate;
use crate::secret::Secret;

/// The variable that does what `--relay` does.
pub const RELAY_URLS_VARIABLE: &str = "AQUEDUCT_RELAY_URLS";

/// The most that is read from a file or from standard input, in bytes: a thousand of the longest URLs.
const LIST_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A URL that somebody gave, unread as yet, and the place to name when it is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlLine {
    /// Such as `--relay`, `--relay @urls:3` or `AQUEDUCT_RELAY_URLS, URL 2`.
    pub place: String,
    /// The text.
    pub url: Secret,
}

/// What is wrong with the URLs of a command line: one line, which names the place and shows no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct UrlListError {
    /// Where.
    pub place: String,
    /// What.
    pub reason: String,
}

/// Reads the values of an option that takes URLs, such as `--relay`; `name` is what the option is called in errors.
///
/// # Errors
/// A file or standard input cannot be read, is too large, holds no URL, or standard input is asked for twice.
pub fn read_url_lines(
    name: &str,
    values: &[String],
    stdin: &mut dyn Read,
) -> Result<Vec<UrlLine>, UrlListError> {
    let mut lines = Vec::new();
    let mut stdin = Some(stdin);
    for value in values {
        if value == "-" {
            let place = format!("{name} -");
            let text = match stdin.take() {
                Some(stdin) => read(&place, stdin)?,
                None => {
                    return Err(UrlListError {
                        place,
                        reason: "standard input can be read only once".to_owned(),
                    });
                }
            };
            lines.extend(list(&place, &text)?);
        } else if let Some(file) = value.strip_prefix('@') {
            let place = format!("{name} @{file}");
            let opened = File::open(file).map_err(|error| UrlListError {
                place: place.clone(),
                reason: format!("cannot read the file: {error}"),
            });
            lines.extend(list(&place, &read(&place, &mut opened?)?)?);
        } else {
            lines.push(UrlLine {
                place: name.to_owned(),
                url: value.as_str().into(),
            });
        }
    }
    Ok(lines)
}

/// All relay URLs of a start: those of `--relay`, then those of [`RELAY_URLS_VARIABLE`]. One that stands twice counts once.
///
/// # Errors
/// As [`read_url_lines`], or one of them is no URL.
pub fn relay_urls(
    values: &[String],
    variable: Option<&str>,
    stdin: &mut dyn Read,
) -> Result<Vec<UrlTemplate>, UrlListError> {
    let mut lines = read_url_lines("--relay", values, stdin)?;
    let of_variable = variable.unwrap_or_default().split_whitespace().enumerate();
    lines.extend(of_variable.map(|(index, url)| UrlLine {
        place: format!("{RELAY_URLS_VARIABLE}, URL {}", index + 1),
        url: url.into(),
    }));
    let mut urls = Vec::with_capacity(lines.len());
    let mut seen = HashSet::new();
    for UrlLine { place, url } in lines {
        let url = UrlTemplate::parse(url.expose()).map_err(|error| UrlListError {
            place,
            reason: error.to_string(),
        })?;
        if seen.insert(url.expose().to_owned()) {
            urls.push(url);
        }
    }
    Ok(urls)
}

fn read(place: &str, from: &mut dyn Read) -> Result<String, UrlListError> {
    let error = |reason: String| UrlListError {
        place: place.to_owned(),
        reason,
    };
    let mut text = String::new();
    let bytes = from
        .take(LIST_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|reason| error(format!("cannot read it: {reason}")))?;
    match bytes as u64 > LIST_BYTES_MAX {
        true => Err(error(format!("it has more than {LIST_BYTES_MAX} bytes"))),
        false => Ok(text),
    }
}

fn list(place: &str, text: &str) -> Result<Vec<UrlLine>, UrlListError> {
    let lines: Vec<UrlLine> = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| UrlLine {
            place: format!("{place}:{number}"),
            url: line.into(),
        })
        .collect();
    match lines.is_empty() {
        true => Err(UrlListError {
            place: place.to_owned(),
            reason: "there is no URL in it".to_owned(),
        }),
        false => Ok(lines),
    }
}
