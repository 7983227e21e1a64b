//! The native door: JSON in and out, a bearer token, problems for errors.

mod events;
mod health;
mod if_match;
mod input_body;
mod inputs;
mod metrics;
mod page;
mod preflight;
mod rule_body;
mod rules;
mod schema;
mod streams;
mod targets;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Doors, auth};
pub use preflight::Preflight;
pub use rule_body::{ChangeRule, CreateRule, RuleView};
pub use rules::DeletedRule;
pub use schema::openapi;

/// What the routes share.
#[derive(Clone)]
pub(super) struct Native {
    doors: Doors,
    preflights: Arc<preflight::Gate>,
    listeners: Arc<events::Listeners>,
}

/// The one parameter that the routes of single rules know.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Reveal {
    /// Show URLs with their keys.
    #[serde(default)]
    reveal: bool,
}

pub(super) fn routes(doors: &Doors) -> Router {
    let native = Native {
        doors: doors.clone(),
        preflights: Arc::default(),
        listeners: Arc::default(),
    };
    let settings = || doors.settings.clone();
    let with_token = Router::new()
        .route("/v1/rules", get(rules::list).post(rules::create))
        .route(
            "/v1/rules/{id}",
            get(rules::show).patch(rules::change).delete(rules::delete),
        )
        .route("/v1/streams", get(streams::list))
        .route(
            "/v1/streams/{app}/{name}",
            get(streams::show).delete(streams::kick),
        )
        .route("/v1/inputs", get(inputs::list))
        .route("/v1/streams/{app}/{name}/inputs", get(inputs::of_stream))
        .route(
            "/v1/streams/{app}/{name}/inputs/switch",
            post(inputs::switch),
        )
        .route(
            "/v1/streams/{app}/{name}/inputs/{role}",
            get(inputs::show).put(inputs::put).delete(inputs::remove),
        )
        .route("/v1/targets", get(targets::list))
        .route("/v1/preflight", post(preflight::run))
        .route_layer(from_fn_with_state(settings(), auth::with_token));
    let with_token_in_query_too = Router::new()
        .route("/v1/events", get(events::listen))
        .route_layer(from_fn_with_state(
            settings(),
            auth::with_token_in_query_too,
        ));
    let with_token_beyond_loopback = Router::new()
        .route("/metrics", get(metrics::render))
        .route("/openapi.json", get(document))
        .route_layer(from_fn_with_state(
            settings(),
            auth::with_token_beyond_loopback,
        ));
    let open = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz));
    with_token
        .merge(with_token_in_query_too)
        .merge(with_token_beyond_loopback)
        .merge(open)
        .with_state(native)
}

async fn document() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], openapi()).into_response()
}
