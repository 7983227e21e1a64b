//! Refusals: the target's own code and words, without our key, and what follows from them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{failed, reach};
use crate::gateway_parts::{Host, Visit};
use crate::session_peer::ingest::info;
use aqueduct::egress::failure::Next;
use tokio::join;

const KEY: &str = "cam?key=s3cr3t-k3y&x=1";

async fn refused(say: impl AsyncFnOnce(&mut Visit)) -> (String, Next) {
    let host = Host::open().await;
    let script = async {
        let mut visit = host.visit().await;
        say(&mut visit).await;
        visit
    };
    let (reach, url) = (reach(), host.url(&format!("app/{KEY}")));
    let (told, _) = join!(failed(&reach, &url), script);
    told
}

#[tokio::test]
async fn every_code_of_a_publish_is_shown_and_followed() {
    let table = [
        ("NetStream.Publish.BadName", Next::Busy),
        ("NetStream.Publish.Denied", Next::Never),
        ("NetStream.Publish.BadAuth", Next::Never),
        ("NetStream.Publish.Rejected", Next::Never),
        ("NetStream.Failed", Next::Never),
        ("NetStream.Something.New", Next::Backoff),
    ];
    for (code, next) in table {
        for in_error in [false, true] {
            let told = refused(async |visit| {
                visit.publish().await;
                let said = info(
                    "error",
                    code,
                    "Not today: cam?key=s3cr3t-k3y&x=1 (s3cr3t-k3y)",
                );
                visit
                    .say(|mouth| {
                        if in_error {
                            mouth.call_on(
                                5,
                                1,
                                "_error",
                                5.0,
                                aqueduct::rtmp::amf0::Value::Null,
                                vec![said],
                            );
                        } else {
                            mouth.status_of(said);
                        }
                    })
                    .await;
            })
            .await;
            let reason = format!("refused at publish: {code} (Not today: *** (***))");
            assert_eq!(told, (reason, next));
        }
    }
}

#[tokio::test]
async fn every_code_of_a_connect_is_shown_and_followed() {
    let table = [
        ("NetConnection.Connect.Rejected", Next::Never),
        ("NetConnection.Connect.InvalidApp", Next::Never),
        ("NetConnection.Connect.Failed", Next::Backoff),
        ("NetConnection.Connect.AppShutdown", Next::Backoff),
        ("NetConnection.Something.New", Next::Backoff),
    ];
    for (code, next) in table {
        let told = refused(async |visit| {
            visit.connect().await;
            visit
                .say(|mouth| {
                    mouth.error(1.0, code, "No app here");
                })
                .await;
        })
        .await;
        let reason = format!("refused at connect: {code} (No app here)");
        assert_eq!(told, (reason, next));
    }
}

#[tokio::test]
async fn refusals_of_other_calls_are_told_apart() {
    let told = refused(async |visit| {
        visit.accept_connect().await;
        visit.until("createStream").await;
        visit
            .say(|mouth| {
                mouth.error(4.0, "NetConnection.Call.Failed", "no stream");
            })
            .await;
    })
    .await;
    let reason = "refused at createStream: NetConnection.Call.Failed (no stream)";
    assert_eq!(told, (reason.to_owned(), Next::Backoff));

    let told = refused(async |visit| {
        visit.publish().await;
        visit
            .say(|mouth| {
                mouth.status("status", "NetConnection.Connect.Closed", "");
            })
            .await;
    })
    .await;
    let reason = "ended by the target: NetConnection.Connect.Closed";
    assert_eq!(told, (reason.to_owned(), Next::Backoff));

    let told = refused(async |visit| {
        visit.accept_connect().await;
        visit.until("createStream").await;
        visit
            .say(|mouth| {
                mouth.call("_error", 4.0, &[]);
            })
            .await;
    })
    .await;
    let reason = "refused at createStream: no code";
    assert_eq!(told, (reason.to_owned(), Next::Backoff));
}
