//! Whoever shows too many wrong credentials is not heard for a while, at any door.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::server::Connection;
use crate::net::tries::FailedTries;

/// An answer that carries this in its extensions tells of a wrong token, signature or key.
#[derive(Clone, Copy, Debug)]
pub(super) struct WrongCredential;

/// Asked at every request, beside `/healthz` and `/readyz`.
///
/// From loopback a right credential is taken all the same: everything behind a local proxy comes from there, and an operator must
/// not be kept out by a script with an old token.
pub(super) async fn limit(
    State(tries): State<Arc<FailedTries>>,
    request: Request,
    next: Next,
) -> Response {
    let connection = request.extensions().get::<Connection>();
    let is_probe = matches!(request.uri().path(), "/healthz" | "/readyz");
    let Some(address) = connection
        .map(|connection| connection.remote.ip().to_canonical())
        .filter(|_| !is_probe)
    else {
        return next.run(request).await;
    };
    let wait = tries.wait(address);
    if let Some(wait) = wait.filter(|_| !address.is_loopback()) {
        return too_often(wait);
    }
    let response = next.run(request).await;
    if response.extensions().get::<WrongCredential>().is_none() {
        return response;
    }
    match wait {
        Some(wait) => too_often(wait),
        None => {
            tries.failed(address);
            response
        }
    }
}

fn too_often(wait: Duration) -> Response {
    let seconds = wait.as_secs() + 1;
    let detail = format!(
        "Too many wrong credentials came from this address; try again in {seconds} s. \
         [http] failed_auth_per_minute says how many may."
    );
    let problem = Problem::plain(StatusCode::TOO_MANY_REQUESTS, detail);
    let problem = problem.with_header(header::RETRY_AFTER, HeaderValue::from(seconds));
    problem.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use std::net::SocketAddr;
    use tower::ServiceExt;

    fn router() -> Router {
        let door = |request: Request| async move {
            match request.uri().query() {
                Some("right") => StatusCode::OK.into_response(),
                _ => Problem::unauthorized("wrong").into_response(),
            }
        };
        let tries = Arc::new(FailedTries::new(3));
        Router::new()
            .route("/v1/rules", get(door))
            .route("/readyz", get(|| async { "ready" }))
            .layer(from_fn_with_state(tries, limit))
    }

    async fn status(router: &Router, from: &str, uri: &str) -> u16 {
        let mut request = Request::get(uri).body(Body::empty()).unwrap();
        request.extensions_mut().insert(Connection {
            remote: from.parse::<SocketAddr>().unwrap(),
            local: "192.0.2.9:80".parse().unwrap(),
            beyond_loopback: true,
        });
        let response = router.clone().oneshot(request).await.unwrap();
        let is_limited = response.status() == StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(
            response.headers().contains_key(header::RETRY_AFTER),
            is_limited
        );
        response.status().as_u16()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_guesses_is_not_heard_for_a_while() {
        let router = router();
        let (guesser, other) = ("192.0.2.1:1000", "192.0.2.2:1000");
        for _ in 0..3 {
            assert_eq!(status(&router, guesser, "/v1/rules").await, 401);
        }
        assert_eq!(status(&router, guesser, "/v1/rules").await, 429);
        assert_eq!(status(&router, guesser, "/v1/rules?right").await, 429);
        assert_eq!(status(&router, guesser, "/readyz").await, 200);
        assert_eq!(status(&router, other, "/v1/rules?right").await, 200);
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(status(&router, guesser, "/v1/rules?right").await, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn on_this_machine_the_right_token_is_always_taken() {
        let router = router();
        for from in ["127.0.0.1:1000", "[::ffff:127.0.0.1]:1000"] {
            for _ in 0..10 {
                let status = status(&router, from, "/v1/rules").await;
                assert!(matches!(status, 401 | 429), "{status}");
            }
            assert_eq!(status(&router, from, "/v1/rules").await, 429);
            assert_eq!(status(&router, from, "/v1/rules?right").await, 200);
        }
    }
}
