//! How long a target may take, from its TLS to its consent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{attempt, failed, reach};
use crate::gateway_parts::{HandClock, Host, soon};
use aqueduct::egress::failure::Next;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::join;
use tokio::time::Instant;

/// The reason for the failure, and how long it took in seconds.
async fn given_up(url: &str, clock: &HandClock, script: impl Future) -> (String, u64) {
    let began = Instant::now();
    let reach = reach();
    let attempt = async {
        let (reason, next) = failed(&reach, url).await;
        assert_eq!(next, Next::Backoff);
        (reason, began.elapsed())
    };
    let script = async {
        let kept = script.await;
        clock.settle().await;
        clock.leap(Duration::from_secs(20)).await;
        kept
    };
    let ((reason, took), _) = soon("the end of an attempt", async { join!(attempt, script) }).await;
    (reason, took.as_secs())
}

#[tokio::test]
async fn a_target_that_says_nothing_is_given_up() {
    let clock = HandClock::stop();
    let host = Host::open().await;
    let url = host.url("app/key");

    let tls = url.replace("rtmp://", "rtmps://");
    let silent = given_up(&tls, &clock, async {
        let mut tcp = host.accept().await;
        // The ClientHello has come.
        tcp.read_u8().await.unwrap();
        tcp
    });
    assert_eq!(
        silent.await,
        ("no TLS handshake within 10 s".to_owned(), 10)
    );

    let silent = given_up(&url, &clock, async {
        let mut tcp = host.accept().await;
        tcp.read_u8().await.unwrap();
        tcp
    });
    assert_eq!(silent.await, ("no RTMP handshake within 5 s".to_owned(), 5));

    let silent = given_up(&url, &clock, async {
        let mut visit = host.visit().await;
        visit.connect().await;
        visit
    });
    let reason = "no answer to connect within 15 s".to_owned();
    assert_eq!(silent.await, (reason, 15));

    let silent = given_up(&url, &clock, async {
        let mut visit = host.visit().await;
        visit.accept_connect().await;
        visit.until("createStream").await;
        visit
    });
    let reason = "no answer to createStream within 15 s".to_owned();
    assert_eq!(silent.await, (reason, 15));

    let silent = given_up(&url, &clock, async {
        let mut visit = host.visit().await;
        visit.publish().await;
        visit
    });
    let reason = "no answer to publish within 15 s".to_owned();
    assert_eq!(silent.await, (reason, 15));
}

/// Some servers answer `publish` with a plain result and say nothing more.
#[tokio::test]
async fn a_plain_result_counts_as_consent_after_two_seconds() {
    let clock = HandClock::stop();
    let host = Host::open().await;
    let (reach, url) = (reach(), host.url("app/key"));
    let began = Instant::now();
    let script = async {
        let mut visit = host.visit().await;
        visit.publish().await;
        visit
            .say(|mouth| {
                mouth.result(5.0, &[]);
            })
            .await;
        clock.settle().await;
        clock.leap(Duration::from_secs(3)).await;
        visit
    };
    let established = async {
        let established = attempt(&reach, &url).await;
        (established.is_ok(), began.elapsed().as_secs())
    };
    let (established, _) = soon("consent", async { join!(established, script) }).await;
    assert_eq!(established, (true, 2));
}
