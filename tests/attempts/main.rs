//! One attempt to have a target take media: all that may stand in its way, against servers that are played by hand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../gateway_parts/mod.rs"]
mod gateway_parts;
#[path = "../session_peer/mod.rs"]
mod session_peer;

mod addresses;
mod auth;
mod climb;
mod closes;
mod hops;
mod patience;
mod redirects;
mod refusals;
mod signing;
mod tls;

use aqueduct::egress::attempt::{Depth, Established, Manner, Reach};
use aqueduct::egress::failure::{Failure, Next};
use aqueduct::rule::TargetUrl;
use gateway_parts::{Authority, Names, dialer};

const MANNER: Manner = Manner {
    chunk_size: 4096,
    digest_handshake: false,
    enhanced: None,
    depth: Depth::Publish,
};

/// Calls loopback, knows no name and trusts the usual authorities.
fn reach() -> Reach {
    Reach {
        dialer: dialer(Names::none()),
        tls: aqueduct::net::tls::client_config(&[]).expect("the roots"),
        auth: std::sync::Arc::default(),
    }
}

/// Calls loopback, where live.example is too, and trusts one authority.
fn trusting(authority: &Authority) -> Reach {
    Reach {
        dialer: dialer(Names::of(&[("live.example", "127.0.0.1")])),
        tls: authority.client(),
        auth: std::sync::Arc::default(),
    }
}

/// One attempt; a failure is given as its reason and what follows from it.
async fn attempt(reach: &Reach, url: &str) -> Result<Established, (String, Next)> {
    let url = TargetUrl::parse(url).expect("a URL");
    let established = reach.establish(&url, &MANNER, |_, _| {}).await;
    established.map_err(|failure| told(&failure, &url))
}

fn told(failure: &Failure, url: &TargetUrl) -> (String, Next) {
    (failure.reason(url), failure.next())
}

/// One attempt that has to fail: the reason, and what follows from it.
async fn failed(reach: &Reach, url: &str) -> (String, Next) {
    match attempt(reach, url).await {
        Ok(_) => panic!("it was accepted"),
        Err(told) => told,
    }
}
