//! Every hop of an attempt is judged anew: no redirect, and no name that changes its mind, leads where a rule may not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{attempt, failed};
use crate::gateway_parts::{Host, Names, Network, Visit};
use aqueduct::egress::attempt::Reach;
use aqueduct::egress::failure::Next;
use aqueduct::net::dial::Dialer;
use aqueduct::net::own::OwnListeners;
use aqueduct::net::policy::AddressPolicy;
use std::sync::Arc;
use tokio::join;

const FIRST: &str = "8.8.8.8";
const SECOND: &str = "8.8.4.4";

/// The policy of production, in a network that is played.
fn reach(names: &Arc<Names>, network: &Arc<Network>, own: OwnListeners) -> Reach {
    let policy = AddressPolicy {
        allow_private: false,
    };
    let dialer = Dialer::new(names.clone(), policy, Arc::new(own));
    Reach {
        dialer: Arc::new(dialer.through(network.clone())),
        tls: super::reach().tls,
        auth: std::sync::Arc::default(),
    }
}

/// Somebody comes, and is sent on to a place with the host's own port.
async fn sends_on(host: &Host, place: &str) -> Visit {
    let mut visit = host.visit().await;
    let to = format!("rtmp://{place}:{}/app", host.address.port());
    visit.send_on("redirect", &to).await;
    visit
}

#[tokio::test]
async fn no_redirect_leads_into_a_private_network() {
    let host = Host::open().await;
    let port = host.address.port();
    let names = Names::of(&[
        ("first.example", FIRST),
        ("inner.example", "192.168.1.1"),
        ("mapped.example", "::ffff:127.0.0.1"),
    ]);
    let network = Network::of(&[(FIRST, host.address)]);
    let reach = reach(&names, &network, OwnListeners::new());
    let url = format!("rtmp://first.example:{port}/app/key");
    // (where it leads, what that is); a literal stays what it is, a name may move.
    let table = [
        ("127.0.0.1", "127.0.0.1 is a loopback address", Next::Never),
        ("127.1", "127.0.0.1 is a loopback address", Next::Never),
        ("2130706433", "127.0.0.1 is a loopback address", Next::Never),
        ("0x7f.0.0.1", "127.0.0.1 is a loopback address", Next::Never),
        ("localhost", "127.0.0.1 is a loopback address", Next::Never),
        ("[::1]", "::1 is a loopback address", Next::Never),
        (
            "[::ffff:127.0.0.1]",
            "::ffff:127.0.0.1 is a loopback address",
            Next::Never,
        ),
        ("10.0.0.1", "10.0.0.1 is a private address", Next::Never),
        (
            "169.254.169.254",
            "169.254.169.254 is a link-local address",
            Next::Never,
        ),
        (
            "100.64.0.1",
            "100.64.0.1 is a carrier NAT address",
            Next::Never,
        ),
        (
            "[fd00::1]",
            "fd00::1 is a unique local address",
            Next::Never,
        ),
        ("0.0.0.0", "0.0.0.0 is an unspecified address", Next::Never),
        (
            "inner.example",
            "192.168.1.1 is a private address",
            Next::Backoff,
        ),
        (
            "mapped.example",
            "::ffff:127.0.0.1 is a loopback address",
            Next::Backoff,
        ),
    ];
    for (place, what, next) in table {
        let script = sends_on(&host, place);
        let ((reason, then), _) = join!(failed(&reach, &url), script);
        assert!(reason.contains(what), "{place}: {reason}");
        assert_eq!(then, next, "{place}");
        assert_eq!(network.called(), [FIRST], "{place}");
    }
}

#[tokio::test]
async fn the_last_of_several_redirects_is_judged_like_the_first() {
    let (host, other) = (Host::open().await, Host::open().await);
    let (port, other_port) = (host.address.port(), other.address.port());
    let names = Names::of(&[("first.example", FIRST), ("second.example", SECOND)]);
    let network = Network::of(&[(FIRST, host.address), (SECOND, other.address)]);
    let reach = reach(&names, &network, OwnListeners::new());
    let script = async {
        let mut first = host.visit().await;
        let to = format!("rtmp://second.example:{other_port}/app");
        first.send_on("redirect", &to).await;
        let mut second = other.visit().await;
        second
            .send_on("redirect", "rtmp://169.254.169.254:80/app")
            .await;
        (first, second)
    };
    let url = format!("rtmp://first.example:{port}/app/key");
    let ((reason, next), _) = join!(failed(&reach, &url), script);
    assert!(
        reason.contains("169.254.169.254 is a link-local"),
        "{reason}"
    );
    assert_eq!(next, Next::Never);
    assert_eq!(network.called(), [FIRST, SECOND]);
}

#[tokio::test]
async fn no_redirect_leads_back_to_our_own_listener() {
    let host = Host::open().await;
    let port = host.address.port();
    let names = Names::of(&[("first.example", FIRST), ("us.example", SECOND)]);
    let network = Network::of(&[(FIRST, host.address)]);
    let own = OwnListeners::new();
    own.add(format!("{SECOND}:{port}").parse().unwrap());
    let reach = reach(&names, &network, own);
    let url = format!("rtmp://first.example:{port}/app/key");
    for place in [SECOND, "us.example", "[::ffff:8.8.4.4]", "134743044"] {
        let script = sends_on(&host, place);
        let ((reason, next), _) = join!(failed(&reach, &url), script);
        assert!(reason.contains("is a listener of this gateway"), "{reason}");
        assert_eq!(next, Next::Never);
        assert_eq!(network.called(), [FIRST], "{place}");
    }
}

#[tokio::test]
async fn a_name_that_rebinds_between_two_hops_is_caught_at_the_second() {
    let host = Host::open().await;
    let port = host.address.port();
    let names = Names::none();
    names.put_in_turn("moves.example", &[&[FIRST], &["127.0.0.1"]]);
    let network = Network::of(&[(FIRST, host.address)]);
    let reach = reach(&names, &network, OwnListeners::new());
    let url = format!("rtmp://moves.example:{port}/app/key");
    let script = async {
        let mut visit = host.visit().await;
        let to = format!("rtmp://moves.example:{port}/other");
        visit.send_on("redirect", &to).await;
        visit
    };
    let ((reason, next), _) = join!(failed(&reach, &url), script);
    assert!(
        reason.contains("127.0.0.1 is a loopback address"),
        "{reason}"
    );
    assert_eq!(next, Next::Backoff);
    assert_eq!(network.called(), [FIRST]);
    // And where the next attempt begins there.
    let (reason, _) = failed(&reach, &url).await;
    assert!(
        reason.contains("127.0.0.1 is a loopback address"),
        "{reason}"
    );
    assert_eq!(network.called(), [""; 0]);
}

#[tokio::test]
async fn only_a_judged_address_of_the_one_answer_is_connected_to() {
    let (host, other) = (Host::open().await, Host::open().await);
    let (port, other_port) = (host.address.port(), other.address.port());
    let names = Names::none();
    // A second look-up for the same hop would give what was never judged.
    names.put_in_turn(
        "first.example",
        &[&["10.0.0.1", FIRST, "::1"], &["127.0.0.1"]],
    );
    names.put_in_turn("second.example", &[&["fe80::1", SECOND], &["127.0.0.1"]]);
    let network = Network::of(&[(FIRST, host.address), (SECOND, other.address)]);
    let reach = reach(&names, &network, OwnListeners::new());
    let script = async {
        let mut first = host.visit().await;
        let to = format!("rtmp://second.example:{other_port}/app");
        first.send_on("redirect", &to).await;
        let mut second = other.visit().await;
        second.accept_publish().await;
        (first, second)
    };
    let url = format!("rtmp://first.example:{port}/app/key");
    let (established, _) = join!(attempt(&reach, &url), script);
    assert!(established.is_ok());
    assert_eq!(network.called(), [FIRST, SECOND]);
    for name in ["first.example", "second.example"] {
        assert_eq!(
            names.asked(name).len(),
            1,
            "{name}: one answer, judged and used"
        );
    }
}
