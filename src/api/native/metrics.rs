//! `/metrics`: what the gateway counts, and what runs at this moment.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Native;
use crate::telemetry::metrics::CONTENT_TYPE;

/// All metrics, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "health", security((), ("token" = [])),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn render(State(native): State<Native>) -> Response {
    let page = (native.doors.metrics)();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], page).into_response()
}
