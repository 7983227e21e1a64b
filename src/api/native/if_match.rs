//! Revisions as entity tags (RFC 9110, 8.8.3 and 13.1.1): `ETag: "7"` says which revision of a rule an answer shows, and
//! `If-Match: "7"` asks for a change of that revision only.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::api::problem::Problem;
use crate::control::Expected;

/// The tag of a revision.
pub(super) fn entity_tag(revision: u64) -> HeaderValue {
    // Digits in quotes are always a header's value; without one there is merely no tag.
    HeaderValue::try_from(format!("\"{revision}\""))
        .unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Which revisions the caller means: all where it says nothing.
///
/// # Errors
/// 400: the header is no list of entity tags.
pub(super) fn expected(headers: &HeaderMap) -> Result<Expected, Problem> {
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(Expected::Any);
    }
    let mut revisions = Vec::new();
    for line in headers.get_all(header::IF_MATCH) {
        let line = line.to_str().map_err(|_| no_tag())?;
        for tag in line.split(',').map(str::trim) {
            if tag == "*" {
                return Ok(Expected::Any);
            }
            // A weak tag never matches here, and neither does one that is none of ours.
            let is_weak = tag.starts_with("W/");
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            let opaque = opaque
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .filter(|opaque| !opaque.contains('"'))
                .ok_or_else(no_tag)?;
            revisions.extend(opaque.parse::<u64>().ok().filter(|_| !is_weak));
        }
    }
    Ok(Expected::OneOf(revisions))
}

fn no_tag() -> Problem {
    Problem::bad_request(
        "The If-Match header has to hold the ETag of an answer as it came, quotes included, such as \"7\".",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&'static str]) -> Result<Expected, Problem> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_MATCH, HeaderValue::from_static(line));
        }
        expected(&headers)
    }

    #[test]
    fn tags_are_revisions() {
        let one_of = |revisions: &[u64]| Expected::OneOf(revisions.to_vec());
        for (lines, meant) in [
            (&[][..], Expected::Any),
            (&["*"], Expected::Any),
            (&["\"7\""], one_of(&[7])),
            (&["\"7\", \"8\"", "\"9\""], one_of(&[7, 8, 9])),
            (&["W/\"7\""], one_of(&[])),
            (&["\"abc\""], one_of(&[])),
            (&["\"\""], one_of(&[])),
        ] {
            assert_eq!(of(lines).unwrap(), meant, "{lines:?}");
        }
        assert_eq!(entity_tag(7), "\"7\"");
    }

    #[test]
    fn what_is_no_tag_is_a_mistake() {
        for line in ["7", "", "\"7", "7\"", "\"", "\"7\" \"8\"", "W/7", "\"7\","] {
            assert_eq!(of(&[line]).unwrap_err().status(), 400, "{line}");
        }
    }
}
