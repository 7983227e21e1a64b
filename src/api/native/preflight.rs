//! `/v1/preflight`: tries a target and says how far it came.

use std::num::NonZeroU32;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::Native;
use crate::api::body;
use crate::api::problem::{Problem, ProblemBody};
use crate::control::{PreflightReport, TargetUrl};

/// Preflights that may be made at once after a pause, and then per minute. Each makes a connection to a machine of the
/// caller's choice, so it must not become a means to bother one.
const PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// Preflights at one time; each lasts for at most some 30 s.
const AT_ONCE: usize = 4;

/// A target to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preflight {
    /// A target's URL, without placeholders.
    #[schema(example = "rtmps://a.example/app/key")]
    url: String,
    /// Go as far as the `publish` command. A CDN may show the stream as begun, and may end one that runs with the same key.
    #[serde(default)]
    publish: bool,
}

/// Holds back who asks too often.
pub(super) struct Gate {
    rate: DefaultDirectRateLimiter,
    room: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            rate: RateLimiter::direct(Quota::per_minute(PER_MINUTE)),
            room: Semaphore::new(AT_ONCE),
        }
    }
}

/// Tries a target: DNS, TCP, TLS, handshake, `connect`, and `publish` if asked to. 200 also where a step failed: the
/// report says which, and why.
#[utoipa::path(post, path = "/v1/preflight", tag = "targets", request_body = Preflight,
    responses(
        (status = 200, body = PreflightReport),
        (status = 422, description = "The URL is wrong.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 429, description = "Too often.", body = ProblemBody,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn run(
    State(native): State<Native>,
    body::Json(wish): body::Json<Preflight>,
) -> Result<Json<PreflightReport>, Problem> {
    let url = TargetUrl::parse(&wish.url);
    let url = url.map_err(|why| Problem::invalid("url", format!("url: {why}.")))?;
    if let Err(until) = native.preflights.rate.check() {
        let wait = until.wait_time_from(DefaultClock::default().now());
        return Err(too_often(wait.as_secs() + 1));
    }
    let Ok(_room) = native.preflights.room.try_acquire() else {
        return Err(too_often(1));
    };
    Ok(Json(
        native.doors.running.preflight(url, wish.publish).await,
    ))
}

fn too_often(seconds: u64) -> Problem {
    let detail = format!("Too many preflights; try again in {seconds} s.");
    Problem::plain(StatusCode::TOO_MANY_REQUESTS, detail)
        .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
}
