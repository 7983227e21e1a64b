//! Whether the process lives, and whether it wants work. Without a token: for whoever restarts or balances.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Native;
use crate::api::problem::{Problem, ProblemBody};
use crate::control::Phase;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", security(()),
    responses((status = 200, description = "The process answers.", body = String, content_type = "text/plain")))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The gateway takes publishers.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()),
    responses(
        (status = 200, description = "It takes publishers.", body = String, content_type = "text/plain"),
        (status = 503, description = "It is starting, or it drains.", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn readyz(State(native): State<Native>) -> Response {
    let detail = match native.doors.readiness.phase() {
        Phase::Ready => return "ready\n".into_response(),
        Phase::Starting => "The gateway is starting.",
        Phase::Draining => "The gateway was told to stop, and takes no new publishers.",
    };
    Problem::plain(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
}
