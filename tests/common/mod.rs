//! What the end-to-end tests stand on: real encoders, real RTMP servers, the real gateway binary.
//!
//! Everything listens on 127.0.0.1, on ports picked at run time, below a directory of its own, and ends with the value
//! that started it, so that all tests may run at once and none leaves anything behind.

#![allow(
    dead_code,
    reason = "each program compiles this anew and uses a part of it"
)]
// A failed step of a test's scenery is a failed test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

pub mod child;
pub mod encoder;
pub mod flv;
pub mod gateway;
pub mod media;
pub mod nginx;
pub mod packets;
pub mod rml_publisher;
pub mod target;
pub mod tls_proxy;
pub mod visit;
pub mod web;

use std::future::Future;
use std::time::{Duration, Instant};

/// How often a condition is looked at again.
const POLL: Duration = Duration::from_millis(25);

/// Looks at a condition until it yields a value; panics, saying `what` was awaited, when `within` has passed.
pub async fn eventually<T, F, Fut>(what: &str, within: Duration, mut probe: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(started.elapsed() < within, "{what}: not within {within:?}");
        tokio::time::sleep(POLL).await;
    }
}

/// A client for plain HTTP on loopback.
pub fn http_client() -> reqwest::Client {
    // The client wants a TLS provider installed even where every URL is plain; a second installation is refused, rightly.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        // A kept connection may be closed by the server in the moment of its next use.
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(10))
        .build()
        .expect("an HTTP client")
}
