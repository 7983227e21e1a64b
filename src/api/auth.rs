//! The token of the native door.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Settings;
use super::problem::Problem;
use super::server::Connection;

/// Lets through who shows the token.
pub(super) async fn with_token(
    State(settings): State<Arc<ArcSwap<Settings>>>,
    request: Request,
    next: Next,
) -> Response {
    match check(&settings.load(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Lets through who shows the token, in the header or as `access_token` in the query (RFC 6750, 2.3): for a browser's EventSource,
/// which cannot set a header.
pub(super) async fn with_token_in_query_too(
    State(settings): State<Arc<ArcSwap<Settings>>>,
    request: Request,
    next: Next,
) -> Response {
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let shown = form_urlencoded::parse(query).find(|(name, _)| name == "access_token");
    let checked = match (shown, request.headers().get(header::AUTHORIZATION)) {
        (Some((_, token)), None) => match is_token(&settings.load(), &token) {
            true => Ok(()),
            false => Err(Problem::unauthorized("The API token is wrong.")),
        },
        _ => check(&settings.load(), request.headers()),
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Lets through who shows the token, and everybody on this machine where nobody else can reach the listener.
pub(super) async fn with_token_beyond_loopback(
    State(settings): State<Arc<ArcSwap<Settings>>>,
    request: Request,
    next: Next,
) -> Response {
    let connection = request.extensions().get::<Connection>();
    if connection.is_some_and(|connection| !connection.beyond_loopback) {
        return next.run(request).await;
    }
    match check(&settings.load(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(settings: &Settings, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(given) = headers.get(header::AUTHORIZATION) else {
        return Err(Problem::unauthorized(
            "This needs the API token, as: Authorization: Bearer TOKEN. \
             It is [http] token of the configuration, or the content of http.token in the data directory.",
        ));
    };
    let token = given.to_str().ok().and_then(bearer);
    match token {
        Some(token) if is_token(settings, token) => Ok(()),
        Some(_) => Err(Problem::unauthorized("The API token is wrong.")),
        None => Err(Problem::unauthorized(
            "The Authorization header is not of the form: Bearer TOKEN.",
        )),
    }
}

/// An empty token in the configuration opens nothing.
fn is_token(settings: &Settings, given: &str) -> bool {
    !settings.token.is_empty() && settings.token.matches(given)
}

/// The scheme's name is not case-sensitive (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
