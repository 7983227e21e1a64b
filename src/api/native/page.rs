//! Lists in pages: how many rows one answer has, and where the next one begins.
//!
//! A page ends at a row's key and the next one begins behind it, so rows that come and go in between shift nothing: whatever is
//! there the whole time is seen once. Callers who ask for no page get the first one, which is a long one.

use std::num::NonZeroUsize;

use axum::Json;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::api::problem::Problem;
use crate::api::server::limits::MAX_PAGE_ROWS;

/// Rows in the order of their keys, and the key behind which there are more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page<T, K> {
    rows: Vec<T>,
    next: Option<K>,
}

/// What a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit(usize);

impl Default for Limit {
    fn default() -> Self {
        Self(MAX_PAGE_ROWS)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = NonZeroUsize::deserialize(deserializer).ok();
        let rows = rows.filter(|rows| rows.get() <= MAX_PAGE_ROWS);
        let wrong = || serde::de::Error::custom(format_args!("limit is from 1 to {MAX_PAGE_ROWS}"));
        rows.map(|rows| Self(rows.get())).ok_or_else(wrong)
    }
}

impl<T, K: Ord + Clone> Page<T, K> {
    /// The first rows behind `after`. Rows with the same key come together, though they be more than the limit says.
    pub(super) fn of(
        rows: impl IntoIterator<Item = (K, T)>,
        after: Option<&K>,
        limit: Limit,
    ) -> Self {
        let is_behind = |row: &(K, T)| after.is_none_or(|after| row.0 > *after);
        let mut rows: Vec<(K, T)> = rows.into_iter().filter(is_behind).collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        let mut next = None;
        if let Some((last, _)) = rows.get(limit.0 - 1)
            && rows.len() > limit.0
        {
            let last = last.clone();
            let end = rows.partition_point(|row| row.0 <= last);
            if end < rows.len() {
                rows.truncate(end);
                next = Some(last);
            }
        }
        Self {
            rows: rows.into_iter().map(|row| row.1).collect(),
            next,
        }
    }
}

impl<T, K> Page<T, K> {
    /// The same page of what is made of each row.
    pub(super) fn map<U>(self, row: impl FnMut(T) -> U) -> Page<U, K> {
        Page {
            rows: self.rows.into_iter().map(row).collect(),
            next: self.next,
        }
    }
}

impl<T: Serialize, K: Serialize> Page<T, K> {
    /// The answer to a request for `uri`: an array, and a link to the next page where there is one (RFC 8288).
    pub(super) fn answer(self, uri: &Uri) -> Response {
        let link = self.next.as_ref().and_then(|next| link(uri, next));
        let mut response = Json(self.rows).into_response();
        if let Some(link) = link {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

/// The key that a cursor stands for.
///
/// # Errors
/// 400 where it is none that this list has given out.
pub(super) fn key<K: DeserializeOwned>(after: Option<&str>) -> Result<Option<K>, Problem> {
    let Some(after) = after else {
        return Ok(None);
    };
    let bytes = URL_SAFE_NO_PAD.decode(after).ok();
    let key = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let wrong = || Problem::bad_request("after: take it from the Link header of the page before.");
    key.map(Some).ok_or_else(wrong)
}

/// The same request for the next page.
fn link(uri: &Uri, next: &impl Serialize) -> Option<HeaderValue> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let asked = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    query.extend_pairs(asked.filter(|(name, _)| name != "after"));
    let cursor = URL_SAFE_NO_PAD.encode(serde_json::to_vec(next).ok()?);
    let query = query.append_pair("after", &cursor).finish();
    HeaderValue::try_from(format!("<{}?{query}>; rel=\"next\"", uri.path())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(keys: &[u32], after: Option<u32>, limit: usize) -> Page<u32, u32> {
        let rows = keys.iter().map(|&key| (key, key * 10));
        Page::of(rows, after.as_ref(), Limit(limit))
    }

    #[test]
    fn pages_follow_each_other() {
        let keys = [5, 1, 4, 2, 3];
        for (after, limit, rows, next) in [
            (None, 2, &[10, 20][..], Some(2)),
            (Some(2), 2, &[30, 40], Some(4)),
            (Some(4), 2, &[50], None),
            (Some(5), 2, &[], None),
            (None, 5, &[10, 20, 30, 40, 50], None),
            (None, 9, &[10, 20, 30, 40, 50], None),
        ] {
            let page = page(&keys, after, limit);
            assert_eq!((page.rows.as_slice(), page.next), (rows, next), "{after:?}");
        }
    }

    #[test]
    fn rows_with_one_key_come_together() {
        let ties = page(&[1, 2, 2, 2, 3], None, 2);
        assert_eq!((ties.rows.len(), ties.next), (4, Some(2)));
        let last = page(&[1, 2, 2, 2], None, 2);
        assert_eq!((last.rows.len(), last.next), (4, None));
    }

    #[test]
    fn a_cursor_survives_its_link() {
        let next = ("live".to_owned(), "a/b?c&d=é".to_owned());
        let uri: Uri = "/v1/streams?app=live%2Fx&after=old&limit=1"
            .parse()
            .unwrap();
        let link = link(&uri, &next).unwrap();
        let link = link.to_str().unwrap();
        let target = link
            .strip_prefix("</v1/streams?app=live%2Fx&limit=1&after=")
            .unwrap();
        let cursor = target.strip_suffix(">; rel=\"next\"").unwrap();
        assert_eq!(key::<(String, String)>(Some(cursor)).unwrap(), Some(next));
        for wrong in ["", "x", "W10", "IiI"] {
            assert!(key::<(String, String)>(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
