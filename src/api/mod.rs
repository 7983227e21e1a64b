//! The doors: HTTP routes that translate between their callers and [`crate::control`], and decide nothing themselves.
//!
//! How an application opens them:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use aqueduct::net::{listener::{Acceptor, bind}, permits::Permits};
//! # use aqueduct::{api, control};
//! # async fn open(
//! #     rules: control::Rules,
//! #     running: Arc<dyn control::Running>,
//! #     config: &aqueduct::config::Config,
//! #     metrics: Arc<aqueduct::telemetry::Metrics>,
//! # ) -> Result<(), Box<dyn std::error::Error>> {
//! let readiness = control::Readiness::new();
//! // The token of the configuration, or the one that was made at the first start.
//! let token = match &config.http.token {
//!     Some(token) => token.clone(),
//!     None => control::ensure_token(&config.store.path)?,
//! };
//! let settings = api::Settings::of(config, token);
//! let doors = api::Doors {
//!     rules,
//!     running,
//!     readiness: readiness.clone(),
//!     settings: Arc::new(arc_swap::ArcSwap::from_pointee(settings)),
//!     clock: Arc::new(control::SystemClock::new()),
//!     metrics: Arc::new(|| String::new()),
//! };
//! let router = api::router(doors);
//! let permits = Permits::new(api::connection_limits());
//! let acceptor = Acceptor::new(bind(config.http.listen)?, permits, metrics)?;
//! let stop = tokio_util::sync::CancellationToken::new();
//! let http = api::Serve { router, tls: None, limits: api::Limits::default() };
//! let serving = tokio::spawn(api::serve(acceptor, http, stop.clone()));
//! readiness.advance(control::Phase::Ready);
//! // ... until a signal comes. The doors stay open while the pushes end, so that /readyz can say 503:
//! readiness.advance(control::Phase::Draining);
//! stop.cancel();
//! serving.await?;
//! # Ok(())
//! # }
//! ```

mod auth;
mod body;
mod headers;
mod native;
mod problem;
mod root;
mod server;
mod tencent;
pub mod zego;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::config::Config;
use crate::control::{Clock, Readiness, Rules, Running};
use crate::secret::Secret;

pub use native::{CreateRule, DeletedRule, Preflight, RuleView, openapi};
pub use problem::{Problem, ProblemBody};
pub use server::{AllowedHosts, Connection, Limits, Serve, connection_limits, limits, serve};

/// Renders the metrics in Prometheus' text format.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// All that the doors need. Cheap to clone.
#[derive(Clone)]
pub struct Doors {
    /// The rule service.
    pub rules: Rules,
    /// What runs.
    pub running: Arc<dyn Running>,
    /// What `/readyz` answers.
    pub readiness: Readiness,
    /// What a reload may change.
    pub settings: Arc<ArcSwap<Settings>>,
    /// What callers' signatures are held against.
    pub clock: Arc<dyn Clock>,
    /// What `/metrics` shows.
    pub metrics: MetricsText,
}

/// What the configuration says about the doors; swapped as a whole by a reload.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The native door's token.
    pub token: Secret,
    /// The names under which the gateway may be asked.
    pub allowed_hosts: AllowedHosts,
    /// The apps that the ZEGO door opens.
    pub zego: Vec<zego::Account>,
}

impl Settings {
    /// What a configuration says; the token is the configured one, or the one that was made.
    pub fn of(config: &Config, token: Secret) -> Self {
        let allowed_hosts = config.http.allowed_hosts.iter().map(String::as_str);
        Self {
            token,
            allowed_hosts: AllowedHosts::new(allowed_hosts),
            zego: config.apps.iter().filter_map(zego::Account::of).collect(),
        }
    }
}

/// All routes, behind the checks that hold for every one of them.
pub fn router(doors: Doors) -> Router {
    let guard = from_fn_with_state(doors.settings.clone(), server::guard);
    Router::new()
        .merge(native::routes(&doors))
        .merge(root::routes(&doors))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
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
