//! What is shown of rules that have no push.

use super::{claim, stream, tag};
use crate::gateway_parts::{Gateway, Host, Names, Setup, dialer, rule, until};
use aqueduct::control::{
    Live, RepairCounts, Running, StreamInputState, TargetState, TargetStatus, WarningCode,
};
use aqueduct::egress::attempt::Reach;
use aqueduct::relay::Terms;
use aqueduct::rule::{Rule, RuleId, StreamPattern, UrlTemplate};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;

fn live(gateway: &Gateway) -> Live {
    Live {
        hub: Arc::clone(&gateway.hub),
        board: Arc::clone(&gateway.board),
        rules: gateway.rules.subscribe(),
        reach: Reach {
            dialer: dialer(Names::none()),
            tls: aqueduct::net::tls::client_config(&[]).unwrap(),
            auth: std::sync::Arc::default(),
        },
        chunk_size: 4096,
    }
}

/// A rule for streams of that name or pattern.
fn for_stream(number: u8, pattern: &str, url: &str) -> Rule {
    Rule {
        stream: StreamPattern::parse(pattern).unwrap(),
        ..rule(number, url)
    }
}

/// `stream state: reason` of a rule's targets.
fn shown(targets: &[TargetStatus], number: u8) -> Vec<String> {
    let id = RuleId::from_random([number; 8]);
    let of_rule = targets.iter().filter(|target| target.rule == id);
    of_rule
        .map(|target| {
            let reason = target.reason.as_deref().unwrap_or_default();
            format!("{} {:?}: {reason}", target.stream, target.state)
        })
        .collect()
}

#[tokio::test]
async fn a_rule_without_a_push_says_why_for_each_of_its_streams() {
    let gateway = Gateway::start(Setup::default()).await;
    let read_model = live(&gateway);
    let now = OffsetDateTime::now_utc();
    let disabled = |rule| Rule {
        enabled: false,
        ..rule
    };
    let over = |rule| Rule {
        stop_at: Some(now - Duration::from_secs(60)),
        ..rule
    };
    gateway.wish([
        for_stream(1, "nobody", "rtmp://a.invalid/app/x"),
        for_stream(2, "n*", "rtmp://a.invalid/app/{stream}"),
        disabled(for_stream(3, "cam", "rtmp://b.invalid/app/x")),
        disabled(for_stream(4, "*", "rtmp://c.invalid/app/{stream}")),
        over(for_stream(5, "*", "rtmp://d.invalid/app/{stream}")),
        for_stream(6, "*/*", "rtmp://e.invalid/app/{stream}"),
    ]);
    let _producers = [stream(&gateway, "cam"), stream(&gateway, "odd/name")];
    let targets = read_model.targets();
    let nobody = "Waiting: nobody publishes the stream";
    assert_eq!(shown(&targets, 1), [format!("live/nobody {nobody}")]);
    assert!(shown(&targets, 2).is_empty());
    let off = "Stopped: the rule is disabled";
    assert_eq!(shown(&targets, 3), [format!("live/cam {off}")]);
    let both = [format!("live/cam {off}"), format!("live/odd/name {off}")];
    assert_eq!(shown(&targets, 4), both);
    let ended = "Stopped: the rule's stop_at has passed";
    assert_eq!(shown(&targets, 5).len(), 2);
    assert_eq!(shown(&targets, 5)[0], format!("live/cam {ended}"));
    let odd = "Waiting: the stream's name does not fit into the rule's URL";
    assert_eq!(shown(&targets, 6), [format!("live/odd/name {odd}")]);
}

#[tokio::test]
async fn a_rule_that_reaches_its_end_says_goodbye_and_is_shown_as_stopped() {
    let gateway = Gateway::start(Setup::default()).await;
    let read_model = live(&gateway);
    let host = Host::open().await;
    let without_end = Rule {
        backup_url: Some(UrlTemplate::parse("rtmp://b.invalid/app/x").unwrap()),
        ..rule(1, &host.url("app/x"))
    };
    gateway.wish([without_end.clone()]);
    let _producer = stream(&gateway, "cam");
    let mut visit = host.visit().await;
    visit.accept_publish().await;
    let end = OffsetDateTime::now_utc() + Duration::from_millis(200);
    gateway.wish([Rule {
        stop_at: Some(end),
        ..without_end
    }]);
    assert!(visit.is_closed_properly().await);
    assert!(OffsetDateTime::now_utc() >= end);
    drop(visit);
    until("the push is gone", || gateway.board.pushes().is_empty()).await;
    let targets = read_model.targets();
    assert_eq!(
        shown(&targets, 1),
        ["live/cam Stopped: the rule's stop_at has passed"]
    );
    assert_eq!(
        (targets[0].state, targets[0].since),
        (TargetState::Stopped, end)
    );
    assert!(host.is_left_alone().await);
}

/// Full HD at 30 pictures a second, as x264 describes it.
const FULL_HD: &str = "170000000001640028ffe1001b67640028acd940780227e5c044000003000400000300f03c60c658\
                       01000668ebe3cb22c0fdf8f800";

#[tokio::test(start_paused = true)]
async fn a_stream_is_described_by_its_headers_and_by_what_comes() {
    let gateway = Gateway::start(Setup {
        terms: Terms {
            grace: Duration::from_secs(600),
            ..Terms::default()
        },
        ..Setup::default()
    })
    .await;
    let read_model = live(&gateway);
    let producer = claim(&gateway, "cam");
    tag(&producer, 0, &hex::decode(FULL_HD).unwrap());
    tag(&producer, 0, &[0x17, 1, 0, 0, 80, 0x65]);
    let mut frame = 1;
    let mut pictures = async |count: u32, ahead: u32| {
        for _ in 0..count {
            tokio::time::advance(Duration::from_millis(40)).await;
            tag(&producer, ahead + frame * 40, &[0x27, 1, 0, 0, 80, 0x41]);
            frame += 1;
        }
    };
    pictures(60, 0).await;
    let shown = &read_model.streams()[0];
    let track = &shown.tracks[0];
    assert_eq!(
        (track.profile.as_deref(), track.level.as_deref()),
        (Some("High"), Some("4.0"))
    );
    assert_eq!((track.width, track.height), (Some(1920), Some(1080)));
    assert_eq!(
        (track.frame_rate, track.fps, shown.fps),
        (Some(30.0), Some(25.0), Some(25.0))
    );
    // A picture has six bytes.
    assert_eq!(track.bitrate, Some(25 * 6 * 8));
    assert_eq!(
        (shown.repairs_by_kind, shown.b_frames),
        (RepairCounts::default(), 0)
    );
    assert_eq!(shown.inputs[0].state, StreamInputState::Active);
    assert_eq!(shown.warnings, []);

    // A step back, a picture that is shown early, a jump, and no sound for longer than it may be missing.
    tag(&producer, 59 * 40, &[0x27, 1, 0, 0, 120, 0x41]);
    tag(&producer, 61 * 40, &[0x27, 1, 0, 0, 0, 0x41]);
    pictures(100, 60_000).await;
    let shown = &read_model.streams()[0];
    assert_eq!((shown.repairs_by_kind.clamp, shown.b_frames), (1, 1));
    assert_eq!(shown.repairs_by_kind.rebase, 1);
    let codes: Vec<_> = shown.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(
        codes,
        [
            WarningCode::KeyframeInterval,
            WarningCode::BFrames,
            WarningCode::NoAudio,
            WarningCode::ClockJumps,
        ]
    );
    drop(producer);
    let shown = &read_model.streams()[0];
    assert_eq!(
        (shown.inputs[0].state, shown.inputs[0].peer),
        (StreamInputState::Lost, None)
    );
}
