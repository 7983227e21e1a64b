//! The time between two attempts.

use super::stream;
use crate::gateway_parts::{Gateway, HandClock, Host, Names, Setup, Visit, rule, until};
use aqueduct::egress::TargetState;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Whether each time is its middle, more or less a fifth.
fn assert_spread(times: &[f64], middles: &[f64]) {
    assert_eq!(times.len(), middles.len(), "{times:?}");
    for (time, middle) in times.iter().zip(middles) {
        let within = (middle * 0.79)..=(middle * 1.21 + 0.1);
        assert!(within.contains(time), "{times:?} instead of {middles:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_does_not_resolve_is_asked_for_again_ever_more_seldom() {
    let names = Names::none();
    let gateway = Gateway::start(Setup {
        names: Arc::clone(&names),
        ..Setup::default()
    })
    .await;
    let began = Instant::now();
    gateway.wish([rule(1, "rtmp://gone.example/app/x")]);
    let _producer = stream(&gateway, "cam");
    while names.asked("gone.example").len() < 9 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let asked = names.asked("gone.example");
    assert!(asked[0] - began < Duration::from_millis(200), "at once");
    let waits: Vec<f64> = asked
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_secs_f64())
        .collect();
    assert_spread(&waits, &[1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0]);
    let status = gateway.push();
    let phase = status.phase();
    assert_eq!(phase.state, TargetState::BackingOff);
    assert_eq!(phase.attempt, 9);
    let reason = "gone.example does not resolve: no such name";
    assert_eq!(phase.reason.as_deref(), Some(reason));
}

#[tokio::test(start_paused = true)]
async fn two_pushes_do_not_try_again_at_the_same_moments() {
    let names = Names::none();
    let gateway = Gateway::start(Setup {
        names: Arc::clone(&names),
        ..Setup::default()
    })
    .await;
    gateway.wish([
        rule(1, "rtmp://one.example/app/x"),
        rule(2, "rtmp://two.example/app/x"),
    ]);
    let _producer = stream(&gateway, "cam");
    while names.asked("two.example").len() < 6 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (one, two) = (names.asked("one.example"), names.asked("two.example"));
    assert_ne!(one[4], two[4]);
}

/// A push to a host that is played by hand.
pub struct Play {
    pub clock: HandClock,
    pub gateway: Gateway,
    pub host: Host,
}

impl Play {
    pub async fn begin() -> Self {
        let clock = HandClock::stop();
        let names = Names::of(&[("live.example", "127.0.0.1")]);
        let setup = Setup {
            names,
            ..Setup::default()
        };
        let gateway = Gateway::start(setup).await;
        let host = Host::open().await;
        let port = host.address.port();
        gateway.wish([rule(1, &format!("rtmp://live.example:{port}/app/x"))]);
        Self {
            clock,
            gateway,
            host,
        }
    }

    /// Moves the clock until the push tries again; the seconds that took.
    pub async fn again(&self) -> f64 {
        let status = self.gateway.push();
        until("the attempt is over", || {
            status.phase().state != TargetState::Connecting
                && status.phase().state != TargetState::Live
        })
        .await;
        let (attempt, began) = (status.phase().attempt, Instant::now());
        while status.phase().attempt == attempt {
            self.clock.nudge(Duration::from_millis(50)).await;
            assert!(began.elapsed() < Duration::from_secs(60), "{status:?}");
        }
        began.elapsed().as_secs_f64()
    }

    /// The push's next connection, which it lets publish.
    pub async fn accept(&self) -> Visit {
        let mut visit = self.host.visit().await;
        visit.accept_publish().await;
        let status = self.gateway.push();
        until("it is live", || status.phase().state == TargetState::Live).await;
        // What is not read is not acknowledged in the time that passes on this clock.
        for _ in 0..2 {
            visit.message().await;
        }
        visit
    }
}

#[tokio::test]
async fn a_stable_minute_begins_the_ladder_anew_and_less_does_not() {
    let play = Play::begin().await;
    let _producer = stream(&play.gateway, "cam");
    let mut waits = Vec::new();
    for held in [10, 10, 59, 61, 10] {
        let visit = play.accept().await;
        play.clock.leap(Duration::from_secs(held)).await;
        drop(visit);
        waits.push(play.again().await);
    }
    assert_spread(&waits, &[1.0, 2.0, 4.0, 1.0, 2.0]);
}

#[tokio::test]
async fn a_name_is_looked_up_for_every_attempt() {
    let names = Names::of(&[("live.example", "127.0.0.1")]);
    let clock = HandClock::stop();
    let gateway = Gateway::start(Setup {
        names: Arc::clone(&names),
        ..Setup::default()
    })
    .await;
    let host = Host::open().await;
    let port = host.address.port();
    gateway.wish([rule(1, &format!("rtmp://live.example:{port}/app/x"))]);
    let _producer = stream(&gateway, "cam");
    let play = Play {
        clock,
        gateway,
        host,
    };
    let visit = play.accept().await;
    // The name moves to where nobody may go; the connection that stands goes on.
    names.put("live.example", "192.0.2.1");
    play.clock.leap(Duration::from_secs(10)).await;
    assert_eq!(play.gateway.push().phase().state, TargetState::Live);
    drop(visit);
    play.again().await;
    let status = play.gateway.push();
    until("it is refused", || {
        status.phase().state == TargetState::BackingOff
    })
    .await;
    let reason =
        "live.example is refused: 192.0.2.1 is a documentation address, which is never called";
    assert_eq!(status.phase().reason.as_deref(), Some(reason));
    // And back.
    names.put("live.example", "127.0.0.1");
    play.again().await;
    let _visit = play.accept().await;
    assert_eq!(names.asked("live.example").len(), 3);
    assert_eq!(status.phase().reason, None);
}
