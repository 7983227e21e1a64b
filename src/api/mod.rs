//! The doors: HTTP routes that translate between their callers and [`crate::control`], and decide nothing themselves.
//!
//! `app::build` shows what they are opened with.

mod auth;
mod body;
pub mod client;
mod headers;
mod native;
mod problem;
mod root;
mod server;
pub mod tencent;
mod tries;
pub mod zego;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::control::{Clock, Forbids, History, Inputs, Projects, Readiness, Rules, Running};
use crate::net::tries::FailedTries;
use crate::secret::Secret;
use crate::telemetry::feed::Feed;

pub use native::{ChangeRule, CreateRule, DeletedRule, Preflight, RuleView, openapi};
pub use problem::{Problem, ProblemBody};
pub use server::{
    AllowedHosts, Connection, Limits, Origins, Serve, connection_limits, limits, serve,
};

/// Renders the metrics in Prometheus' text format.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// All that the doors need. Cheap to clone.
#[derive(Clone)]
pub struct Doors {
    /// The rule service.
    pub rules: Rules,
    /// The inputs' service.
    pub inputs: Inputs,
    /// The project service.
    pub projects: Projects,
    /// What runs.
    pub running: Arc<dyn Running>,
    /// What may not be published.
    pub forbids: Forbids,
    /// What was published.
    pub history: Arc<History>,
    /// What `/readyz` answers.
    pub readiness: Readiness,
    /// What a reload may change.
    pub settings: Arc<ArcSwap<Settings>>,
    /// What callers' signatures are held against.
    pub clock: Arc<dyn Clock>,
    /// What changes.
    pub feed: Arc<Feed>,
    /// What `/metrics` shows.
    pub metrics: MetricsText,
    /// Who has shown wrong credentials.
    pub tries: Arc<FailedTries>,
}

/// What the configuration says about the doors; swapped as a whole by a reload.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The native door's token.
    pub token: Secret,
    /// The names under which the gateway may be asked.
    pub allowed_hosts: AllowedHosts,
    /// The web pages' origins that may ask the client door.
    pub client_origins: Origins,
    /// The ZEGO door.
    pub zego: zego::Settings,
    /// The Tencent door.
    pub tencent: tencent::Settings,
}

/// All routes, behind the checks that hold for every one of them.
pub fn router(doors: Doors) -> Router {
    let guard = from_fn_with_state(doors.settings.clone(), server::guard);
    Router::new()
        .merge(native::routes(&doors))
        .merge(root::routes(&doors))
        .merge(client::routes(&doors))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(from_fn_with_state(doors.tries, tries::limit))
        .layer(guard)
        .layer(from_fn(headers::harden))
}

async fn not_found() -> Problem {
    Problem::not_found("There is nothing here. /openapi.json lists what there is.")
}

async fn method_not_allowed() -> Problem {
    Problem::plain(
        StatusCode::METHOD_NOT_ALLOWED,
        "This path does not know the method. The Allow header lists those that it knows.",
    )
}
