//! Errors of the native door and of every route that no vendor owns: RFC 9457 problems.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::server::limits::MAX_DETAIL_CHARS;
use super::tries::WrongCredential;

/// What a problem's `type` begins with where the status alone does not say enough.
const TYPE_PREFIX: &str = "urn:aqueduct:problem:";

/// A refusal, as a program and a person read it.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    kind: Option<&'static str>,
    title: &'static str,
    detail: String,
    field: Option<String>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

/// The body of a [`Problem`] (RFC 9457, `application/problem+json`).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// A fixed name for this kind of problem; `about:blank` where the status says it all.
    #[serde(rename = "type")]
    #[schema(example = "urn:aqueduct:problem:read-only-rule")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, example = 409)]
    status: u16,
    /// What is wrong with this request, and what to do.
    detail: String,
    /// The member of the request that is wrong, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

impl Problem {
    /// A problem whose status says what kind it is.
    pub fn plain(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self {
            status,
            kind: None,
            title,
            detail: detail.into(),
            field: None,
            header: None,
        }
    }

    /// A problem with a name of its own.
    pub fn named(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: Some(kind),
            title,
            ..Self::plain(status, detail)
        }
    }

    /// 400: the request cannot be read.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::plain(StatusCode::BAD_REQUEST, detail)
    }

    /// 401: the token is missing or wrong.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"aqueduct\"");
        Self::plain(StatusCode::UNAUTHORIZED, detail)
            .with_header(header::WWW_AUTHENTICATE, challenge)
    }

    /// 403: not from there.
    pub fn forbidden(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::named(StatusCode::FORBIDDEN, kind, "Forbidden", detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::plain(StatusCode::NOT_FOUND, detail)
    }

    /// 422: the request can be read, and one member of it is wrong.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        let problem = Self::named(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-request",
            "Invalid request",
            detail,
        );
        Self {
            field: Some(field.into()),
            ..problem
        }
    }

    /// Names the member that is wrong.
    #[must_use]
    pub fn with_field(self, field: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..self
        }
    }

    /// Adds one header field to the answer.
    #[must_use]
    pub fn with_header(self, name: HeaderName, value: HeaderValue) -> Self {
        Self {
            header: Some(Box::new((name, value))),
            ..self
        }
    }

    /// What is wrong, in a sentence.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The status that the answer will have.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

/// What a caller sends may be in the sentence, and is shown again only so far.
fn bounded(mut detail: String) -> String {
    if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL_CHARS) {
        detail.truncate(end);
        detail.push('…');
    }
    detail
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            kind: self.kind.map_or_else(
                || "about:blank".to_owned(),
                |kind| format!("{TYPE_PREFIX}{kind}"),
            ),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: bounded(self.detail),
            field: self.field,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some((name, value)) = self.header.map(|header| *header) {
            headers.insert(name, value);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.extensions_mut().insert(WrongCredential);
        }
        response
    }
}
