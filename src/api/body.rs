//! Reading what a caller sends: bounded in bytes and in time, and refused with the place of the mistake.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::server::limits::{BODY_DEADLINE, MAX_BODY_BYTES};

/// What a PATCH says by its body (RFC 7396); plain JSON is taken for it too.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Reads a body to its end, up to [`MAX_BODY_BYTES`].
///
/// # Errors
/// 413 when it is too long, 408 when it takes too long, 400 when it breaks off.
pub(super) async fn read(body: Body) -> Result<Bytes, Problem> {
    read_up_to(body, MAX_BODY_BYTES).await
}

/// As [`read`], up to so many bytes.
pub(super) async fn read_up_to(body: Body, most: usize) -> Result<Bytes, Problem> {
    let read = Limited::new(body, most).collect();
    match tokio::time::timeout(BODY_DEADLINE, read).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Problem::plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The body has more than {most} bytes."),
        )),
        Ok(Err(_)) => Err(Problem::bad_request("The body ended before it was whole.")),
        Err(_) => Err(Problem::plain(
            StatusCode::REQUEST_TIMEOUT,
            format!(
                "The body did not arrive within {} s.",
                BODY_DEADLINE.as_secs()
            ),
        )),
    }
}

/// A JSON body, as an argument of a route.
pub(super) struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let is_patch = request.method() == Method::PATCH && is(MERGE_PATCH, request.headers());
        if !is_patch && !is_json(request.headers()) {
            return Err(Problem::plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body has to be JSON, and the Content-Type header application/json.",
            ));
        }
        parse(&read(request.into_body()).await?).map(Self)
    }
}

/// `application/json`, with parameters or without.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    is("application/json", headers)
}

fn is(media_type: &str, headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(media_type))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        mistake(error.inner(), &path)
    })?;
    json.end().map_err(|error| mistake(&error, "."))?;
    Ok(value)
}

/// Text that is no JSON is one kind of mistake (400, line and column), JSON that says the wrong thing another (422, field).
fn mistake(error: &serde_json::Error, path: &str) -> Problem {
    if !error.is_data() {
        return Problem::bad_request(format!("The body is not JSON: {error}."));
    }
    // serde_json adds "at line 1 column 9", which says less than the field's name.
    let text = error.to_string();
    let why = text.rsplit_once(" at line ").map_or(&*text, |(why, _)| why);
    let why = without_the_text(why);
    match path {
        "." => Problem::invalid("", format!("The body is wrong: {why}.")),
        field => Problem::invalid(field, format!("{field}: {why}.")),
    }
}

/// serde's sentence without the text that it found, which may be a URL with its key: `invalid type: string "...", expected ...`.
fn without_the_text(why: &str) -> Cow<'_, str> {
    let found = [
        ("invalid type: string ", "\", expected "),
        ("invalid value: string ", "\", expected "),
        ("unknown variant ", "`, expected "),
    ];
    for (begin, end) in found {
        // What is expected has neither in it, so the last one ends the text, whatever that holds.
        if let Some(rest) = why.strip_prefix(begin)
            && let Some((_, expected)) = rest.rsplit_once(end)
        {
            return format!("{}, expected {expected}", begin.trim_end()).into();
        }
    }
    why.into()
}

/// The query, as an argument of a route. Unknown parameters are mistakes, as in a body.
pub(super) struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|Query(value)| Self(value))
            .map_err(|rejection: QueryRejection| {
                Problem::bad_request(format!("The query is wrong: {}.", rejection.body_text()))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        app: String,
        count: Option<u8>,
        side: Option<Side>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Side {
        Left,
        Right,
    }

    #[test]
    fn mistakes_are_placed() {
        for (body, status, says) in [
            (r#"{"app":"a"}"#, 200, ""),
            (r#"{"app":"a","#, 400, "line 1 column"),
            ("", 400, "EOF"),
            (r#"{"app":"a"} x"#, 400, "trailing"),
            (
                r#"{"app":1}"#,
                422,
                "app: invalid type: integer `1`, expected a string.",
            ),
            (r#"{"count":1}"#, 422, "missing field `app`"),
            (r#"{"app":"a","count":300}"#, 422, "count: "),
            (r#"{"app":"a","token":"x"}"#, 422, "unknown field `token`"),
            ("[]", 422, "The body is wrong"),
            (
                r#"{"app":"a","count":"rtmp://h/canary\", expected x at line 1"}"#,
                422,
                "count: invalid type: string, expected u8.",
            ),
            (
                r#"{"app":"a","side":"canary`, expected x"}"#,
                422,
                "side: unknown variant, expected `left` or `right`.",
            ),
            ("\u{feff}{}", 400, "not JSON"),
        ] {
            match parse::<Wish>(body.as_bytes()) {
                Ok(wish) => {
                    let read = (wish.app.as_str(), wish.count, wish.side);
                    assert_eq!((read, status), (("a", None, None), 200), "{body}");
                }
                Err(problem) => {
                    assert_eq!(problem.status(), status, "{body}");
                    let shown = format!("{problem:?}");
                    assert!(shown.contains(says), "{body}: {shown}");
                    assert!(!shown.contains("canary"), "{body}: {shown}");
                }
            }
        }
    }
}
