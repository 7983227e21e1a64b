//! Where an attempt does not go: our own listeners, and addresses that the policy refuses, whatever they are called.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::failed;
use crate::gateway_parts::{Host, Names};
use aqueduct::egress::attempt::Reach;
use aqueduct::egress::failure::Next;
use aqueduct::net::dial::Dialer;
use aqueduct::net::own::OwnListeners;
use aqueduct::net::policy::AddressPolicy;
use std::sync::Arc;

fn reach(names: &Arc<Names>, allow_private: bool, own: OwnListeners) -> Reach {
    let policy = AddressPolicy { allow_private };
    let names = Arc::clone(names);
    Reach {
        dialer: Arc::new(Dialer::new(names, policy, Arc::new(own))),
        tls: super::reach().tls,
        auth: std::sync::Arc::default(),
    }
}

#[tokio::test]
async fn a_target_that_is_our_own_listener_is_given_up() {
    let host = Host::open().await;
    let own = OwnListeners::new();
    own.add(host.address);
    let names = Names::of(&[("us.example", "127.0.0.1")]);
    let reach = reach(&names, true, own);
    let port = host.address.port();
    for name in ["127.0.0.1", "127.1", "us.example"] {
        let (reason, next) = failed(&reach, &format!("rtmp://{name}:{port}/app/key")).await;
        let expected = format!(
            "{name} is refused: {} is a listener of this gateway, the stream would come back to itself",
            host.address
        );
        assert_eq!((reason, next), (expected, Next::Never));
    }
    assert!(host.is_left_alone().await);
}

#[tokio::test]
async fn a_private_address_is_refused_by_whatever_name() {
    let host = Host::open().await;
    let names = Names::of(&[("inner.example", "127.0.0.1")]);
    let reach = reach(&names, false, OwnListeners::new());
    let port = host.address.port();
    let why =
        "127.0.0.1 is a loopback address, refused unless egress.allow_private_addresses is true";
    // A literal stays what it is; a name may move.
    for (name, next) in [
        ("127.0.0.1", Next::Never),
        ("localhost", Next::Never),
        ("inner.example", Next::Backoff),
    ] {
        let told = failed(&reach, &format!("rtmp://{name}:{port}/app/key")).await;
        assert_eq!(told, (format!("{name} is refused: {why}"), next));
    }
    assert!(host.is_left_alone().await);
}

#[tokio::test]
async fn a_name_without_an_address_is_tried_again() {
    let names = Names::none();
    let reach = reach(&names, false, OwnListeners::new());
    for _ in 0..2 {
        let told = failed(&reach, "rtmp://gone.example/app/key").await;
        assert_eq!(told.1, Next::Backoff);
        assert_eq!(told.0, "gone.example does not resolve: no such name");
    }
    assert_eq!(
        names.asked("gone.example").len(),
        2,
        "asked at every attempt"
    );
}
