//! Authentication: rounds of connections, each with the answer to what the one before was told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{attempt, failed, reach};
use crate::gateway_parts::{Connect, Host, Visit};
use crate::session_peer::ingest::info;
use aqueduct::egress::failure::Next;
use tokio::join;

/// Hears `connect` and refuses it with this description.
async fn refuse(visit: &mut Visit, description: &str) -> Connect {
    let connect = visit.connect().await;
    let info = info("error", "NetConnection.Connect.Rejected", description);
    visit
        .say(|mouth| {
            mouth.call("_error", 1.0, &[info]);
        })
        .await;
    connect
}

/// A query's value.
fn value<'a>(query: &'a str, key: &str) -> &'a str {
    let mut pairs = query
        .split(['?', '&'])
        .filter_map(|pair| pair.split_once('='));
    pairs.find(|pair| pair.0 == key).map_or("", |pair| pair.1)
}

#[tokio::test]
async fn adobe_is_answered_in_three_connections_on_app_and_tc_url() {
    let host = Host::open().await;
    let address = host.address;
    let url = format!("rtmp://al%40ice:p%2Fw@{address}/app?x=1/key?y=2");
    let script = async {
        let mut first = host.visit().await;
        let connect = refuse(
            &mut first,
            "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ",
        )
        .await;
        assert_eq!(connect.app, "app?x=1");
        assert_eq!(connect.tc_url, format!("rtmp://{address}/app?x=1"));
        assert!(first.is_closed_properly().await);

        let mut second = host.visit().await;
        let connect = refuse(
            &mut second,
            "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=al@ice&salt=S/+=&challenge=C==&opaque=O",
        )
        .await;
        let query = "&authmod=adobe&user=al@ice";
        assert_eq!(connect.app, format!("app?x=1{query}"));
        assert_eq!(connect.tc_url, format!("rtmp://{address}/app?x=1{query}"));

        let mut third = host.visit().await;
        let connect = third.accept_connect().await;
        let query = connect.app.strip_prefix("app?x=1&").unwrap_or_default();
        assert!(connect.tc_url.ends_with(query), "{connect:?}");
        let nonce = value(query, "challenge");
        let challenge = aqueduct::rtmp::auth::Challenge::Adobe {
            salt: "S/+=".into(),
            challenge: "C==".into(),
            opaque: Some("O".into()),
        };
        let nonce = u32::from_str_radix(nonce, 16).unwrap();
        let expected = challenge.answer("al@ice", "p/w", "app?x=1", nonce);
        assert_eq!(query, expected);
        third.accept_create_stream().await;
        third.until("publish").await;
        third.start().await;
        third
    };
    let reach = reach();
    let (established, _) = join!(attempt(&reach, &url), script);
    assert!(established.is_ok());
}

#[tokio::test]
async fn llnw_is_answered_for_the_app_without_its_query() {
    let host = Host::open().await;
    let url = format!("rtmp://bob:pw@{}/app/key", host.address);
    let script = async {
        let mut visit = host.visit().await;
        refuse(&mut visit, "code=403 need auth; authmod=llnw").await;
        let mut visit = host.visit().await;
        let connect = refuse(&mut visit, "authmod=llnw ?reason=needauth&user=bob&nonce=N").await;
        assert_eq!(connect.app, "app?authmod=llnw&user=bob");
        let mut visit = host.visit().await;
        let connect = visit.accept_connect().await;
        let nonce = u32::from_str_radix(value(&connect.app, "cnonce"), 16).unwrap();
        let challenge = aqueduct::rtmp::auth::Challenge::Llnw { nonce: "N".into() };
        let expected = challenge.answer("bob", "pw", "app", nonce);
        assert_eq!(connect.app, format!("app?{expected}"));
        visit.accept_create_stream().await;
        visit.until("publish").await;
        visit.start().await;
        visit
    };
    let reach = reach();
    let (established, _) = join!(attempt(&reach, &url), script);
    assert!(established.is_ok());
}

#[tokio::test]
async fn a_target_that_wants_credentials_which_the_url_lacks_is_given_up() {
    let host = Host::open().await;
    let script = async {
        let mut visit = host.visit().await;
        refuse(&mut visit, "code=403 need auth; authmod=adobe").await;
        visit
    };
    let (reach, url) = (reach(), host.url("app/cam7"));
    let (told, _) = join!(failed(&reach, &url), script);
    let reason = "the target wants a user and a password: rtmp://USER:PASSWORD@host/app/key";
    assert_eq!(told, (reason.to_owned(), Next::Never));
}

#[tokio::test]
async fn wrong_credentials_are_given_up_and_the_password_is_not_shown() {
    for reason in ["authfailed", "nosuchuser"] {
        let host = Host::open().await;
        let url = format!("rtmp://bob:s3cretpw@{}/app/key", host.address);
        let script = async {
            let mut visit = host.visit().await;
            refuse(&mut visit, "code=403 need auth; authmod=adobe").await;
            let mut visit = host.visit().await;
            refuse(
                &mut visit,
                "authmod=adobe ?reason=needauth&salt=S&challenge=C",
            )
            .await;
            let mut visit = host.visit().await;
            let said = format!("authmod=adobe ?reason={reason}&user=bob&password=s3cretpw");
            refuse(&mut visit, &said).await;
            visit
        };
        let reach = reach();
        let ((told, next), _) = join!(failed(&reach, &url), script);
        assert_eq!(next, Next::Never);
        assert!(
            told.starts_with("refused at connect: NetConnection.Connect.Rejected ("),
            "{told}"
        );
        assert!(
            told.contains(&format!("reason={reason}&user=bob&password=***")),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_target_that_asks_for_ever_is_given_up_after_the_third_connection() {
    let host = Host::open().await;
    let url = format!("rtmp://bob:pw@{}/app/key", host.address);
    let script = async {
        for _ in 0..3 {
            let mut visit = host.visit().await;
            refuse(
                &mut visit,
                "authmod=adobe ?reason=needauth&salt=S&challenge=C",
            )
            .await;
        }
    };
    let reach = reach();
    let (told, ()) = join!(failed(&reach, &url), script);
    let reason = "more than 2 rounds of authentication";
    assert_eq!(told, (reason.to_owned(), Next::Never));
    assert!(host.is_left_alone().await);
}
