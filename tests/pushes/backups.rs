//! A rule's second URL: when a push goes there, and when it comes back.

use super::stream;
use crate::gateway_parts::{Gateway, HandClock, Host, Names, Prompt, Setup, Visit, rule, until};
use aqueduct::egress::TargetState;
use aqueduct::egress::status::PushStatus;
use aqueduct::relay::Producer;
use aqueduct::rule::{Role, Rule, RuleId, UrlTemplate};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;

/// A push with two hosts that are played by hand, and a clock that is moved by hand.
struct Pair {
    clock: HandClock,
    gateway: Gateway,
    main: Host,
    backup: Host,
    rule: Rule,
    producer: Producer,
}

impl Pair {
    async fn begin() -> Self {
        let clock = HandClock::stop();
        let setup = Setup {
            names: Names::of(&[
                ("main.example", "127.0.0.1"),
                ("backup.example", "127.0.0.1"),
            ]),
            ..Setup::default()
        };
        let gateway = Gateway::start(setup).await;
        let (main, backup) = (Host::open().await, Host::open().await);
        let url = |name: &str, host: &Host| {
            format!("rtmp://{name}:{}/app/s3cr3t-k3y", host.address.port())
        };
        let rule = Rule {
            backup_url: Some(UrlTemplate::parse(&url("backup.example", &backup)).unwrap()),
            ..rule(1, &url("main.example", &main))
        };
        gateway.wish([rule.clone()]);
        let producer = stream(&gateway, "cam");
        Self {
            clock,
            gateway,
            main,
            backup,
            rule,
            producer,
        }
    }

    fn status(&self) -> Arc<PushStatus> {
        self.gateway.push_of(1)
    }

    /// The push's next connection to a host, which it lets publish.
    async fn accept(&self, host: &Host) -> Visit {
        let mut visit = self.arrival(host).await;
        visit.accept_publish().await;
        self.live().await;
        // What is not read is not acknowledged in the time that passes on this clock.
        for _ in 0..2 {
            visit.message().await;
        }
        visit
    }

    async fn live(&self) {
        let status = self.status();
        until("it is live", || status.phase().state == TargetState::Live).await;
    }

    /// The push's next connection to a host, for which the clock moves on.
    async fn arrival(&self, host: &Host) -> Visit {
        let began = Instant::now();
        loop {
            if let Some(visit) = self.caller(host, Duration::from_millis(20)).await {
                return visit;
            }
            let waited = began.elapsed();
            assert!(waited < Duration::from_secs(300), "nobody comes");
        }
    }

    /// Who calls a host, if somebody does before the clock has moved on that far.
    async fn caller(&self, host: &Host, step: Duration) -> Option<Visit> {
        let tcp = tokio::select! {
            biased;
            tcp = host.accept() => tcp,
            () = self.clock.nudge(step) => return None,
        };
        let mut visit = Visit::new(Box::new(Prompt(tcp)));
        visit.shake_hands().await;
        Some(visit)
    }

    /// The main URL breaks and refuses twice; the push is live at its backup.
    async fn fall_over(&self) -> Visit {
        drop(self.accept(&self.main).await);
        for _ in 0..2 {
            drop(self.arrival(&self.main).await);
        }
        let visit = self.accept(&self.backup).await;
        assert_eq!(self.status().role(), Some(Role::Backup));
        visit
    }

    /// Lets time pass in which the main URL answers every probe with or without a consent; how many came.
    async fn probed(&self, time: Duration, well: bool) -> usize {
        let (began, mut probes) = (Instant::now(), 0);
        while began.elapsed() < time {
            if let Some(probe) = self.caller(&self.main, STEP).await {
                probes += 1;
                answer(probe, well).await;
            }
        }
        probes
    }

    /// Has the main URL answer probes until the push leaves its backup for it, which has to be with a goodbye; the push's
    /// connection there, and how long that took.
    async fn until_return(&self, mut on_backup: Visit) -> (Visit, Duration) {
        let began = Instant::now();
        let goodbye = tokio::spawn(async move {
            while let Ok(Some(_)) = on_backup.try_message().await {}
            assert!(on_backup.is_closed_properly().await);
        });
        let on_main = loop {
            let caller = self.caller(&self.main, STEP).await;
            match (caller, self.status().role()) {
                (Some(probe), Some(Role::Backup)) => answer(probe, true).await,
                (Some(visit), _) => break visit,
                (None, _) => {}
            }
        };
        goodbye.await.unwrap();
        (on_main, began.elapsed())
    }
}

/// How far the clock is moved at once while probes are waited for.
const STEP: Duration = Duration::from_millis(250);

async fn answer(mut probe: Visit, well: bool) {
    if well {
        probe.accept_connect().await;
        assert!(probe.is_closed_properly().await, "it publishes nothing");
    }
}

#[tokio::test]
async fn three_failures_lead_to_the_backup_at_once_and_the_status_says_so() {
    let pair = Pair::begin().await;
    drop(pair.accept(&pair.main).await);
    assert_eq!(pair.status().role(), Some(Role::Main));
    drop(pair.arrival(&pair.main).await);
    let mut visit = pair.arrival(&pair.main).await;
    visit.publish().await;
    visit
        .say(|mouth| {
            mouth.status("error", "NetStream.Busy", "s3cr3t-k3y has to wait");
        })
        .await;
    let began = Instant::now();
    let mut visit = pair.arrival(&pair.backup).await;
    assert!(
        began.elapsed() < Duration::from_millis(500),
        "without a rest"
    );
    assert_eq!(visit.accept_publish().await, "s3cr3t-k3y");
    pair.live().await;
    let status = pair.status();
    until("it says why", || status.phase().reason.is_some()).await;
    let reason = status.phase().reason.unwrap();
    assert_eq!(
        reason,
        "the main URL failed: refused at publish: NetStream.Busy (*** has to wait)"
    );
    assert_eq!(status.role(), Some(Role::Backup));
    assert!(status.url().expose().contains("backup.example"));
    assert_eq!(status.phase().attempt, 4);
    assert_eq!(pair.gateway.diary.about("switched").len(), 1);
    assert!(!pair.gateway.diary.lines().concat().contains("s3cr3t"));
}

#[tokio::test]
async fn a_refusal_for_good_leads_to_the_backup_and_the_main_url_is_left_alone() {
    let pair = Pair::begin().await;
    let mut visit = pair.arrival(&pair.main).await;
    visit.publish().await;
    visit
        .say(|mouth| {
            mouth.status("error", "NetStream.Publish.Denied", "not s3cr3t-k3y");
        })
        .await;
    let visit = pair.accept(&pair.backup).await;
    let reason = pair.status().phase().reason.unwrap();
    assert_eq!(
        reason,
        "the main URL failed: refused at publish: NetStream.Publish.Denied (not ***)"
    );
    pair.clock.leap(Duration::from_secs(300)).await;
    assert!(pair.main.is_left_alone_now().await);
    // The backup's own end does not lead there either.
    drop(visit);
    let _visit = pair.accept(&pair.backup).await;
    assert!(pair.main.is_left_alone_now().await);
}

#[tokio::test]
async fn both_refused_for_good_is_failed() {
    let pair = Pair::begin().await;
    for host in [&pair.main, &pair.backup] {
        let mut visit = pair.arrival(host).await;
        visit.publish().await;
        visit
            .say(|mouth| {
                mouth.status("error", "NetStream.Publish.Denied", "");
            })
            .await;
    }
    let status = pair.status();
    until("it is given up", || {
        status.phase().state == TargetState::Failed
    })
    .await;
    pair.clock.leap(Duration::from_secs(300)).await;
    assert!(pair.main.is_left_alone_now().await && pair.backup.is_left_alone_now().await);
}

#[tokio::test]
async fn a_main_url_that_is_well_for_a_minute_is_returned_to_behind_a_goodbye() {
    let pair = Pair::begin().await;
    let on_backup = pair.fall_over().await;
    // It answers, then does not, then answers for good: only the last row counts.
    assert!(pair.probed(Duration::from_secs(45), true).await >= 1);
    assert!(pair.probed(Duration::from_secs(30), false).await >= 1);
    let sent = pair.status().figures.bytes.load(Ordering::Relaxed);
    let (mut on_main, took) = pair.until_return(on_backup).await;
    assert!(took >= Duration::from_secs(48), "{took:?}");
    assert!(took <= Duration::from_secs(72 + 2 * 24 + 2), "{took:?}");
    on_main.accept_publish().await;
    pair.live().await;
    for _ in 0..2 {
        on_main.message().await;
    }
    let status = pair.status();
    assert_eq!(status.role(), Some(Role::Main));
    assert_eq!(status.phase().reason, None);
    assert!(status.figures.bytes.load(Ordering::Relaxed) > sent);
    pair.clock.leap(Duration::from_secs(60)).await;
    assert!(
        pair.main.is_left_alone_now().await,
        "nobody probes where it is"
    );
    assert!(pair.backup.is_left_alone_now().await);
    let switches = pair.gateway.diary.about("switched");
    assert!(switches[0].ends_with("Some(Backup)") && switches[1].ends_with("Some(Main)"));
}

#[tokio::test]
async fn a_main_url_that_connects_and_takes_nothing_disturbs_the_backup_ever_more_seldom() {
    let pair = Pair::begin().await;
    let mut on_backup = pair.fall_over().await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let (mut visit, took) = pair.until_return(on_backup).await;
        held.push(took.as_secs());
        visit.publish().await;
        visit
            .say(|mouth| {
                mouth.status("error", "NetStream.Publish.BadName", "in use");
            })
            .await;
        let gap = Instant::now();
        on_backup = pair.accept(&pair.backup).await;
        assert!(gap.elapsed() < Duration::from_millis(500), "back at once");
    }
    assert!(held[0] >= 48 && held[1] >= 96 && held[2] >= 192, "{held:?}");
}

#[tokio::test]
async fn a_backup_that_breaks_while_the_main_url_answers_is_an_occasion_to_return() {
    let pair = Pair::begin().await;
    let on_backup = pair.fall_over().await;
    while pair.probed(Duration::from_secs(1), true).await == 0 {}
    drop(on_backup);
    let began = Instant::now();
    let _on_main = pair.accept(&pair.main).await;
    assert!(began.elapsed() < Duration::from_millis(500), "at once");
    assert_eq!(pair.status().role(), Some(Role::Main));
}

#[tokio::test]
async fn the_streams_next_life_begins_at_the_main_url() {
    let pair = Pair::begin().await;
    let mut on_backup = pair.fall_over().await;
    let Pair {
        producer,
        gateway,
        main,
        clock: _clock,
        ..
    } = pair;
    producer.finish();
    assert!(on_backup.is_closed_properly().await);
    drop(on_backup);
    until("the push is gone", || gateway.board.pushes().is_empty()).await;
    let _producer = stream(&gateway, "cam");
    let mut visit = main.visit().await;
    visit.accept_publish().await;
    assert_eq!(gateway.push().role(), Some(Role::Main));
}

#[tokio::test]
async fn another_backup_disturbs_nobody_but_those_who_use_the_old_one() {
    let pair = Pair::begin().await;
    let other = Host::open().await;
    let elsewhere = format!("rtmp://backup.example:{}/app/x", other.address.port());
    let changed = Rule {
        backup_url: Some(UrlTemplate::parse(&elsewhere).unwrap()),
        revision: 2,
        ..pair.rule.clone()
    };
    // On its main URL the push goes on, and takes the new one when it needs it.
    let on_main = pair.accept(&pair.main).await;
    pair.gateway.wish([changed]);
    pair.clock.settle().await;
    assert_eq!(pair.status().phase().state, TargetState::Live);
    drop(on_main);
    for _ in 0..2 {
        drop(pair.arrival(&pair.main).await);
    }
    let mut on_other = pair.accept(&other).await;
    assert_eq!(pair.status().role(), Some(Role::Backup));
    // On a backup that the rule no longer names it does not stay.
    pair.gateway.wish([pair.rule.clone()]);
    assert!(on_other.is_closed_properly().await);
    drop(on_other);
    let _on_main = pair.accept(&pair.main).await;
    assert_eq!(pair.status().role(), Some(Role::Main));
    assert!(pair.backup.is_left_alone_now().await);
}

#[tokio::test]
async fn a_backup_helps_a_push_that_had_given_up() {
    let pair = Pair::begin().await;
    pair.gateway.wish([Rule {
        backup_url: None,
        ..pair.rule.clone()
    }]);
    let deny = async || {
        let mut visit = pair.arrival(&pair.main).await;
        visit.publish().await;
        visit
            .say(|mouth| {
                mouth.status("error", "NetStream.Publish.Denied", "");
            })
            .await;
    };
    deny().await;
    let status = pair.status();
    until("it is given up", || {
        status.phase().state == TargetState::Failed
    })
    .await;
    assert_eq!(status.role(), None);
    pair.gateway.wish([pair.rule.clone()]);
    deny().await;
    let _on_backup = pair.accept(&pair.backup).await;
}

/// A second rule for the same stream.
fn second(url: &UrlTemplate) -> Rule {
    Rule {
        id: RuleId::from_random([2; 8]),
        ..rule(2, url.expose())
    }
}

#[tokio::test]
async fn a_backup_that_another_rule_pushes_to_is_none() {
    let pair = Pair::begin().await;
    let other = second(pair.rule.backup_url.as_ref().unwrap());
    pair.gateway.wish([pair.rule.clone(), other]);
    let mut theirs = pair.backup.visit().await;
    theirs.accept_publish().await;
    for _ in 0..6 {
        drop(pair.arrival(&pair.main).await);
    }
    assert_eq!(pair.status().role(), Some(Role::Main));
    assert!(pair.backup.is_left_alone_now().await);
    // Once the other rule is gone, it is free.
    pair.gateway.wish([pair.rule.clone()]);
    assert!(theirs.is_closed_properly().await);
    drop(theirs);
    until("their push is gone", || {
        pair.gateway.board.pushes().len() == 1
    })
    .await;
    let next = pair.arrival(&pair.main);
    drop(next.await);
    let _ours = pair.accept(&pair.backup).await;
}

#[tokio::test]
async fn a_rule_for_the_url_of_a_backup_in_use_waits_until_that_is_left() {
    let pair = Pair::begin().await;
    let on_backup = pair.fall_over().await;
    let other = second(pair.rule.backup_url.as_ref().unwrap());
    pair.gateway.wish([pair.rule.clone(), other]);
    pair.clock.settle().await;
    assert_eq!(pair.gateway.board.pushes().len(), 1);
    assert!(pair.backup.is_left_alone_now().await);
    while pair.probed(Duration::from_secs(1), true).await == 0 {}
    drop(on_backup);
    let _ours = pair.accept(&pair.main).await;
    let mut theirs = pair.backup.visit().await;
    theirs.accept_publish().await;
    assert_eq!(pair.gateway.board.pushes().len(), 2);
}

#[tokio::test]
async fn a_rule_that_goes_while_the_backup_carries_ends_the_push_there() {
    let pair = Pair::begin().await;
    let mut on_backup = pair.fall_over().await;
    let status = pair.status();
    pair.gateway.wish([]);
    assert!(on_backup.is_closed_properly().await);
    drop(on_backup);
    until("the push is gone", || {
        pair.gateway.board.pushes().is_empty()
    })
    .await;
    assert_eq!(status.phase().state, TargetState::Stopped);
    assert!(pair.main.is_left_alone_now().await);
}
