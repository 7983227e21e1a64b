//! `/v1/streams`: what is published at this moment.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Native;
use super::page::{self, Limit, Page};
use crate::api::body;
use crate::api::problem::{Problem, ProblemBody};
use crate::control::{StreamKey, StreamStatus};

/// Which streams to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamFilter {
    /// Only those of this app.
    app: Option<String>,
    /// How many rows the answer has at the most.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 10_000, default = 10_000, required = false)]
    limit: Limit,
    /// Where the page begins: from the link of the one before.
    after: Option<String>,
}

/// All live streams, in the order of their apps and names.
#[utoipa::path(get, path = "/v1/streams", tag = "streams", params(StreamFilter),
    responses(
        (status = 200, body = Vec<StreamStatus>,
            headers(("Link" = Option<String>, description = "The next page, as `<...>; rel=\"next\"`; absent on the last one."))),
    ))]
pub(super) async fn list(
    State(native): State<Native>,
    uri: Uri,
    body::Parameters(filter): body::Parameters<StreamFilter>,
) -> Result<Response, Problem> {
    let after: Option<(String, String)> = page::key(filter.after.as_deref())?;
    let streams = native.doors.running.streams().into_iter();
    let streams = streams.filter(|stream| {
        let app = filter.app.as_deref();
        app.is_none_or(|app| stream.app.as_str() == app)
    });
    let keyed = streams.map(|stream| {
        let (app, name) = (stream.app.as_str(), stream.name.as_str());
        ((app.to_owned(), name.to_owned()), stream)
    });
    Ok(Page::of(keyed, after.as_ref(), filter.limit).answer(&uri))
}

/// One live stream.
#[utoipa::path(get, path = "/v1/streams/{app}/{name}", tag = "streams",
    params(("app" = String, Path), ("name" = String, Path)),
    responses(
        (status = 200, body = StreamStatus),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn show(
    State(native): State<Native>,
    Path((app, name)): Path<(String, String)>,
) -> Result<Json<StreamStatus>, Problem> {
    let stream = key(&app, &name).and_then(|key| native.doors.running.stream(&key));
    stream.map(Json).ok_or_else(nobody)
}

/// Ends the publisher's connection, or the wait for its return. Nothing keeps it from coming back.
#[utoipa::path(delete, path = "/v1/streams/{app}/{name}", tag = "streams",
    params(("app" = String, Path), ("name" = String, Path)),
    responses(
        (status = 204, description = "The publisher is gone."),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn kick(
    State(native): State<Native>,
    Path((app, name)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    match key(&app, &name) {
        Some(key) if native.doors.running.kick(&key) => Ok(StatusCode::NO_CONTENT),
        _ => Err(nobody()),
    }
}

fn key(app: &str, name: &str) -> Option<StreamKey> {
    StreamKey::parse(app, name).ok()
}

fn nobody() -> Problem {
    Problem::not_found("Nobody publishes this stream.")
}
