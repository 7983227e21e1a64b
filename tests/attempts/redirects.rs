//! Redirects: where a target sends us, and where we do not go.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{attempt, failed, reach, trusting};
use crate::gateway_parts::{Authority, Host, Names, redirect};
use crate::session_peer::ingest::info;
use aqueduct::egress::attempt::Reach;
use aqueduct::egress::failure::Next;
use aqueduct::net::dial::Dialer;
use aqueduct::net::own::OwnListeners;
use aqueduct::net::policy::AddressPolicy;
use std::sync::Arc;
use tokio::join;

#[tokio::test]
async fn a_redirect_in_an_error_leads_to_our_name_at_another_place() {
    let (host, other) = (Host::open().await, Host::open().await);
    // (the place, its app); a place may have a path of its own, and a query.
    let table = [
        ("app2", "app2"),
        ("app2/", "app2"),
        ("app2/instance", "app2/instance"),
        ("app2?token=a", "app2?token=a"),
        ("app2/instance?token=a/b", "app2/instance?token=a/b"),
    ];
    for (path, app) in table {
        let script = async {
            let mut visit = host.visit().await;
            visit.send_on("redirect", &other.url(path)).await;
            let mut visit = other.visit().await;
            let connect = visit.accept_connect().await;
            assert_eq!(connect.app, app);
            assert_eq!(connect.tc_url, other.url(app));
            visit.accept_create_stream().await;
            let publish = visit.until("publish").await;
            assert_eq!(publish.args[0].as_str(), Some("name?key=x/y"), "{path}");
            visit.start().await;
            visit
        };
        let (reach, url) = (reach(), host.url("app/name?key=x/y"));
        let (established, _) = join!(attempt(&reach, &url), script);
        assert!(established.is_ok(), "{path}");
    }
}

#[tokio::test]
async fn a_redirect_in_a_status_leads_to_the_whole_url() {
    let (host, other) = (Host::open().await, Host::open().await);
    let script = async {
        let mut visit = host.visit().await;
        visit.connect().await;
        let info = redirect("redirect2", &other.url("live/new?token=t"));
        visit
            .say(|mouth| {
                mouth.status_of(info);
            })
            .await;
        let mut visit = other.visit().await;
        assert_eq!(visit.accept_publish().await, "new?token=t");
        visit
    };
    let (reach, url) = (reach(), host.url("app/key"));
    let (established, _) = join!(attempt(&reach, &url), script);
    assert!(established.is_ok());
}

#[tokio::test]
async fn three_redirects_are_followed_and_a_loop_is_left() {
    let host = Host::open().await;
    let script = async {
        for _ in 0..4 {
            let mut visit = host.visit().await;
            visit.send_on("redirect", &host.url("app")).await;
        }
    };
    let (reach, url) = (reach(), host.url("app/key"));
    let (told, ()) = join!(failed(&reach, &url), script);
    assert_eq!(told, ("more than 3 redirects".to_owned(), Next::Backoff));
    assert!(host.is_left_alone().await);

    let script = async {
        for _ in 0..3 {
            let mut visit = host.visit().await;
            visit.send_on("redirect", &host.url("app")).await;
        }
        let mut visit = host.visit().await;
        visit.accept_publish().await;
        visit
    };
    let (established, _) = join!(attempt(&reach, &url), script);
    assert!(established.is_ok());
}

#[tokio::test]
async fn tls_is_never_left_and_what_is_no_rtmp_is_not_followed() {
    let authority = Authority::new();
    let tls = authority.server(&["localhost", "127.0.0.1"]);
    let reach = trusting(&authority);
    let (host, other) = (Host::open().await, Host::open().await);
    let url = host.url("app/key").replace("rtmp://", "rtmps://");
    for to in [
        other.url("app"),
        "http://127.0.0.1/app".into(),
        "elsewhere".into(),
    ] {
        let script = async {
            let mut visit = host.visit_tls(&tls).await;
            visit.send_on("redirect", &to).await;
            visit
        };
        let (told, _) = join!(failed(&reach, &url), script);
        let reason = "a redirect to an address that cannot be followed";
        assert_eq!(told, (reason.to_owned(), Next::Never), "{to}");
    }
    assert!(other.is_left_alone().await);
}

#[tokio::test]
async fn a_redirect_may_lead_into_tls() {
    let authority = Authority::new();
    let tls = authority.server(&["127.0.0.1"]);
    let reach = trusting(&authority);
    let (host, other) = (Host::open().await, Host::open().await);
    let script = async {
        let mut visit = host.visit().await;
        let to = other.url("app").replace("rtmp://", "rtmps://");
        visit.send_on("redirect", &to).await;
        let mut visit = other.visit_tls(&tls).await;
        visit.accept_publish().await;
        visit
    };
    let url = host.url("app/key");
    let (established, _) = join!(attempt(&reach, &url), script);
    assert!(established.is_ok());
}

#[tokio::test]
async fn where_a_redirect_leads_is_judged_like_any_other_address() {
    // A public name whose address is ours stands for the target; the policy permits what it is told to be public.
    let (host, other) = (Host::open().await, Host::open().await);
    let own = Arc::new(OwnListeners::new());
    own.add(other.address);
    let policy = AddressPolicy {
        allow_private: true,
    };
    let names = Names::of(&[
        ("inner.example", "127.0.0.1"),
        ("nowhere.example", "192.0.2.1"),
    ]);
    let reach = Reach {
        dialer: Arc::new(Dialer::new(names, policy, own)),
        tls: super::reach().tls,
        auth: std::sync::Arc::default(),
    };
    let port = other.address.port();
    let table = [
        (
            format!("rtmp://{}/app", other.address),
            format!(
                "127.0.0.1 is refused: {} is a listener of this gateway, the stream would come back to itself",
                other.address
            ),
            Next::Never,
        ),
        (
            format!("rtmp://inner.example:{port}/app"),
            format!(
                "inner.example is refused: {} is a listener of this gateway, the stream would come back to itself",
                other.address
            ),
            Next::Never,
        ),
        (
            format!("rtmp://nowhere.example:{port}/app"),
            "nowhere.example is refused: 192.0.2.1 is a documentation address, which is never called"
                .to_owned(),
            Next::Backoff,
        ),
        (
            format!("rtmp://[2001:db8::1]:{port}/app"),
            "2001:db8::1 is refused: 2001:db8::1 is a documentation address, which is never called".to_owned(),
            Next::Never,
        ),
    ];
    let url = host.url("app/key");
    for (to, reason, next) in table {
        let script = async {
            let mut visit = host.visit().await;
            visit.send_on("redirect", &to).await;
            visit
        };
        let (told, _) = join!(failed(&reach, &url), script);
        assert_eq!(told, (reason, next));
    }
    assert!(other.is_left_alone().await);
}

#[tokio::test]
async fn credentials_are_not_carried_to_another_place() {
    let (host, other) = (Host::open().await, Host::open().await);
    let url = format!("rtmp://bob:pw@{}/app/key", host.address);
    let script = async {
        let mut visit = host.visit().await;
        visit.send_on("redirect", &other.url("app")).await;
        let mut visit = other.visit().await;
        visit.connect().await;
        let info = info(
            "error",
            "NetConnection.Connect.Rejected",
            "code=403 need auth; authmod=adobe",
        );
        visit
            .say(|mouth| {
                mouth.call("_error", 1.0, &[info]);
            })
            .await;
        visit
    };
    let reach = reach();
    let ((reason, _), _) = join!(failed(&reach, &url), script);
    assert!(reason.starts_with("the target wants a user"), "{reason}");
}

#[tokio::test]
async fn the_key_of_a_redirect_is_masked_where_the_new_place_echoes_it() {
    let (host, other) = (Host::open().await, Host::open().await);
    let script = async {
        let mut visit = host.visit().await;
        visit
            .send_on("redirect2", &other.url("live/fresh-k3y?token=t0ken1"))
            .await;
        let mut visit = other.visit().await;
        visit.publish().await;
        visit
            .say(|mouth| {
                mouth.status(
                    "error",
                    "NetStream.Publish.Denied",
                    "no fresh-k3y?token=t0ken1, no t0ken1, no fresh-k3y, no 0ld-k3y-of-ours",
                );
            })
            .await;
        visit
    };
    let (reach, url) = (reach(), host.url("app/0ld-k3y-of-ours"));
    let ((reason, next), _) = join!(failed(&reach, &url), script);
    assert_eq!(
        reason,
        "refused at publish: NetStream.Publish.Denied (no ***, no ***, no ***, no ***)"
    );
    assert_eq!(next, Next::Never);
}
