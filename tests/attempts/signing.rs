//! Push authentication: what a CDN's domain wants to see behind the stream's name, at each connection.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{attempt, failed};
use crate::gateway_parts::{Host, Names, Visit, dialer};
use aqueduct::egress::attempt::{Depth, Reach};
use aqueduct::egress::failure::Next;
use aqueduct::egress::preflight::preflight;
use aqueduct::rule::{AuthKey, CdnAuth, DomainAuth, Formula, HexCase, Moment, TargetUrl};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::join;

const CDN: &str = "push.cdn.example";
const OTHER: &str = "other.cdn.example";

fn tencent(key: &str) -> DomainAuth {
    DomainAuth {
        formula: Formula::TxSecret(HexCase::Upper),
        key: key.into(),
        backup_key: None,
        ttl_seconds: 600,
    }
}

fn fixed(query: &str) -> DomainAuth {
    DomainAuth {
        formula: Formula::StaticQuery,
        key: query.into(),
        backup_key: None,
        ttl_seconds: 0,
    }
}

fn domains<const N: usize>(domains: [(&str, DomainAuth); N]) -> CdnAuth {
    CdnAuth::new(domains.map(|(host, auth)| (host.to_owned(), auth)))
}

/// Every name is loopback.
fn reach(auth: CdnAuth) -> Reach {
    let names = [CDN, "Push.CDN.example", OTHER, "edge.example"].map(|name| (name, "127.0.0.1"));
    Reach {
        dialer: dialer(Names::of(&names)),
        tls: aqueduct::net::tls::client_config(&[]).unwrap(),
        auth: Arc::new(ArcSwap::from_pointee(auth)),
    }
}

fn url(name: &str, host: &Host, path: &str) -> String {
    format!("rtmp://{name}:{}/{path}", host.address.port())
}

/// What one attempt publishes there.
async fn published(reach: &Reach, host: &Host, url: &str) -> String {
    let script = async {
        let mut visit = host.visit().await;
        (visit.accept_publish().await, visit)
    };
    let (established, (name, _visit)) = join!(attempt(reach, url), script);
    assert!(established.is_ok());
    name
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs()
}

async fn refuse(visit: &mut Visit, code: &str, words: &str) {
    visit
        .say(|mouth| {
            mouth.status("error", code, words);
        })
        .await;
}

#[tokio::test]
async fn the_token_is_good_for_the_moment_of_the_connection_and_is_behind_the_name_only() {
    let host = Host::open().await;
    let auth = tencent("K3y");
    let reach = reach(domains([(CDN, auth.clone())]));
    let url = url("Push.CDN.example", &host, "app/cam?a=b");
    let before = now();
    let script = async {
        let mut visit = host.visit().await;
        let connect = visit.accept_connect().await;
        assert_eq!(connect.app, "app");
        assert_eq!(connect.tc_url, url.strip_suffix("/cam?a=b").unwrap());
        visit.accept_create_stream().await;
        let publish = visit.until("publish").await;
        visit.start().await;
        let name = publish.args[0].as_str().unwrap().to_owned();
        (name, visit)
    };
    let (established, (name, _visit)) = join!(attempt(&reach, &url), script);
    assert!(established.is_ok());
    let (_, expiry) = name.split_once("&txTime=").unwrap();
    let expiry = u64::from_str_radix(expiry, 16).unwrap();
    assert!((before + 600..=now() + 600).contains(&expiry), "{name}");
    let moment = Moment {
        unix_seconds: expiry - 600,
        random: "",
    };
    let target = TargetUrl::parse(&url).unwrap();
    let expected = auth.sign(&target, AuthKey::First, moment).unwrap();
    assert_eq!(name, expected.name());
    assert!(name.starts_with("cam?a=b&txSecret="), "{name}");
}

#[tokio::test]
async fn every_connection_has_a_token_of_its_own() {
    let host = Host::open().await;
    let alibaba = DomainAuth {
        formula: Formula::AuthKey,
        ..tencent("K3y")
    };
    let reach = reach(domains([(CDN, alibaba)]));
    let url = url(CDN, &host, "app/cam");
    let first = published(&reach, &host, &url).await;
    let second = published(&reach, &host, &url).await;
    assert!(first.starts_with("cam?auth_key="), "{first}");
    assert_ne!(first, second);
}

#[tokio::test]
async fn other_hosts_and_urls_with_a_token_are_left_alone() {
    let host = Host::open().await;
    let reach = reach(domains([(CDN, tencent("K3y"))]));
    for (name, path, expected) in [
        (OTHER, "app/cam", "cam"),
        ("127.0.0.1", "app/cam", "cam"),
        (
            CDN,
            "app/cam?txSecret=1&txTime=2",
            "cam?txSecret=1&txTime=2",
        ),
    ] {
        let url = url(name, &host, path);
        assert_eq!(published(&reach, &host, &url).await, expected);
    }
}

#[tokio::test]
async fn a_reload_counts_from_the_next_connection_on() {
    let host = Host::open().await;
    let reach = reach(domains([(CDN, fixed("t=1"))]));
    let url = url(CDN, &host, "app/cam");
    assert_eq!(published(&reach, &host, &url).await, "cam?t=1");
    reach.auth.store(Arc::new(domains([(CDN, fixed("t=2"))])));
    assert_eq!(published(&reach, &host, &url).await, "cam?t=2");
    reach.auth.store(Arc::default());
    assert_eq!(published(&reach, &host, &url).await, "cam");
}

#[tokio::test]
async fn a_redirect_keeps_the_token_s_domain_unless_the_new_host_has_its_own() {
    let (host, edge) = (Host::open().await, Host::open().await);
    let reach = reach(domains([(CDN, fixed("cdn=1")), (OTHER, fixed("other=1"))]));
    for (to, expected) in [
        (CDN, "cam?cdn=1"),
        (OTHER, "cam?other=1"),
        ("edge.example", "cam?cdn=1"),
        ("127.0.0.1", "cam?cdn=1"),
    ] {
        let script = async {
            let mut visit = host.visit().await;
            visit.send_on("redirect", &url(to, &edge, "app")).await;
            let mut visit = edge.visit().await;
            (visit.accept_publish().await, visit)
        };
        let from = url(CDN, &host, "app/cam");
        let (established, (name, _visit)) = join!(attempt(&reach, &from), script);
        assert!(established.is_ok());
        assert_eq!(name, expected, "{to}");
    }
}

#[tokio::test]
async fn a_refused_key_has_the_backup_key_tried_once() {
    let host = Host::open().await;
    let auth = DomainAuth {
        backup_key: Some("t=2".into()),
        ..fixed("t=1")
    };
    let reach = reach(domains([(CDN, auth)]));
    let url = url(CDN, &host, "app/cam");
    let script = async {
        let mut visit = host.visit().await;
        assert_eq!(visit.publish().await, "cam?t=1");
        refuse(&mut visit, "NetStream.Publish.Denied", "auth failed").await;
        (host.visit().await.accept_publish().await, visit)
    };
    let (established, (name, _visit)) = join!(attempt(&reach, &url), script);
    assert!(established.is_ok());
    assert_eq!(name, "cam?t=2");

    let script = async {
        // A CDN that closes without a word has said no as well.
        assert_eq!(host.visit().await.publish().await, "cam?t=1");
        let mut visit = host.visit().await;
        assert_eq!(visit.publish().await, "cam?t=2");
        refuse(&mut visit, "NetStream.Publish.Denied", "auth failed").await;
        visit
    };
    let ((reason, next), _visit) = join!(failed(&reach, &url), script);
    assert!(reason.starts_with("refused at publish"), "{reason}");
    assert_eq!(next, Next::Never);

    let script = async {
        let mut visit = host.visit().await;
        visit.publish().await;
        refuse(
            &mut visit,
            "NetStream.Publish.BadName",
            "Already publishing",
        )
        .await;
        visit
    };
    let ((_, next), _visit) = join!(failed(&reach, &url), script);
    assert_eq!(next, Next::Busy, "that is no word about the key");
    assert!(host.is_left_alone().await);
}

#[tokio::test]
async fn a_token_that_the_target_echoes_is_masked() {
    let host = Host::open().await;
    let reach = reach(domains([(CDN, tencent("K3y"))]));
    let url = url(CDN, &host, "app/camera-1");
    let script = async {
        let mut visit = host.visit().await;
        let name = visit.publish().await;
        let hash = name.split(['=', '&']).nth(1).unwrap().to_owned();
        let words = format!("no {name}; {hash} is wrong");
        refuse(&mut visit, "NetStream.Publish.Denied", &words).await;
        visit
    };
    let ((reason, _), _visit) = join!(failed(&reach, &url), script);
    let expected = "refused at publish: NetStream.Publish.Denied (no ***; *** is wrong)";
    assert_eq!(reason, expected);
}

#[tokio::test]
async fn a_preflight_says_that_a_token_is_added_and_not_which() {
    let host = Host::open().await;
    let reach = reach(domains([(CDN, fixed("token=s3cr3t-t0k3n"))]));
    let added = "the push authentication of [[cdn_auth]] is added to the stream's name";
    for (name, depth, is_added) in [
        (CDN, Depth::Publish, true),
        (CDN, Depth::Connect, true),
        (OTHER, Depth::Publish, false),
    ] {
        let script = async {
            let mut visit = host.visit().await;
            match depth {
                Depth::Publish => drop(visit.accept_publish().await),
                Depth::Connect => drop(visit.accept_connect().await),
            }
            visit.is_closed_properly().await;
        };
        let url = TargetUrl::parse(&url(name, &host, "app/cam")).unwrap();
        let (tried, ()) = join!(preflight(&reach, &url, 4096, depth), script);
        let found: Vec<_> = tried
            .into_iter()
            .map(|tried| tried.outcome.unwrap())
            .collect();
        let last = found.last().unwrap();
        assert_eq!(last.contains(added), is_added, "{last}");
        assert!(!format!("{found:?}").contains("s3cr3t"), "{found:?}");
    }
}
