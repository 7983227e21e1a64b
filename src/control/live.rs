//! The read model of what runs: hub, supervisor's board and rules, put together for the doors.

use super::live_stream::stream_status;
use super::status::{
    PreflightReport, PreflightStep, Running, Step, StepResult, TargetDrops, TargetState,
    TargetStatus,
};
use super::stream_status::StreamStatus;
use crate::egress::Board;
use crate::egress::attempt::{Depth, Reach};
use crate::egress::preflight::{Rung, Tried, preflight};
use crate::egress::status::PushStatus;
use crate::relay::{Hub, Stream};
use crate::rule::{Role, Rule, RuleSet, StreamKey, TargetUrl};
use futures::future::BoxFuture;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::timeout;

/// A preflight that takes longer has found what it was asked for: the target does not work.
const PREFLIGHT_TIMEOUT: Duration = Duration::from_secs(28);

/// What runs in this gateway.
pub struct Live {
    /// The streams.
    pub hub: Arc<Hub>,
    /// The pushes.
    pub board: Arc<Board>,
    /// The rules.
    pub rules: watch::Receiver<RuleSet>,
    /// How targets are reached.
    pub reach: Reach,
    /// The chunk size towards targets, in bytes.
    pub chunk_size: u32,
}

impl Running for Live {
    fn streams(&self) -> Vec<StreamStatus> {
        let mut pushes: HashMap<StreamKey, u64> = HashMap::new();
        for (_, push) in self.board.pushes() {
            *pushes.entry(push.stream.clone()).or_default() += 1;
        }
        let live = self.hub.live();
        let count = |stream: &Stream| pushes.get(stream.key()).copied().unwrap_or(0);
        live.iter()
            .map(|stream| stream_status(stream, count(stream)))
            .collect()
    }

    fn targets(&self) -> Vec<TargetStatus> {
        let pushes = self.board.pushes();
        let mut targets: Vec<_> = pushes.iter().map(|(_, push)| target_status(push)).collect();
        let pushed: HashSet<_> = (pushes.iter())
            .map(|(_, push)| (&push.rule, &push.stream))
            .collect();
        let rules = self.rules.borrow().clone();
        let live: Vec<StreamKey> = (self.hub.live().iter())
            .map(|stream| stream.key().clone())
            .collect();
        let is_live: HashSet<&StreamKey> = live.iter().collect();
        let urls: Vec<_> = (pushes.iter())
            .flat_map(|(_, push)| [push.url(), push.main_url()])
            .collect();
        let taken: HashSet<&str> = urls.iter().map(|url| url.expose()).collect();
        let now = OffsetDateTime::now_utc();
        for rule in rules.iter() {
            let idle = wanted(rule, &live).filter(|key| !pushed.contains(&(&rule.id, key)));
            let lack = |key: &StreamKey| match is_live.contains(key) {
                true => lack(rule, key, &taken),
                false => "nobody publishes the stream",
            };
            targets.extend(idle.map(|key| idle_target(rule, key, lack, now)));
        }
        targets
    }

    fn kick(&self, key: &StreamKey) -> bool {
        self.hub.kick(key)
    }

    fn preflight(&self, url: TargetUrl, publish: bool) -> BoxFuture<'static, PreflightReport> {
        let is_pushed = self.board.pushes().iter().any(|(_, push)| push.is_to(&url));
        let (reach, chunk_size) = (self.reach.clone(), self.chunk_size);
        Box::pin(async move {
            let depth = if publish && !is_pushed {
                Depth::Publish
            } else {
                Depth::Connect
            };
            let climb = preflight(&reach, &url, chunk_size, depth);
            let mut steps: Vec<_> = match timeout(PREFLIGHT_TIMEOUT, climb).await {
                Ok(tried) => tried.into_iter().map(step).collect(),
                Err(_) => vec![out_of_time()],
            };
            let ok = steps.iter().all(|step| step.result == StepResult::Ok);
            if ok && depth == Depth::Connect {
                steps.push(not_published(publish));
            }
            PreflightReport {
                url: url.masked(),
                ok,
                steps,
            }
        })
    }
}

fn target_status(push: &PushStatus) -> TargetStatus {
    let phase = push.phase();
    let figures = &push.figures;
    let rtt_us = figures.rtt_us.load(Ordering::Relaxed);
    TargetStatus {
        rule: push.rule.clone(),
        stream: push.stream.clone(),
        url: push.url().masked(),
        role: push.role(),
        state: phase.state,
        since: phase.since,
        attempt: phase.attempt,
        reason: phase.reason,
        bytes: figures.bytes.load(Ordering::Relaxed),
        bitrate: figures.bitrate.load(Ordering::Relaxed),
        frames: figures.frames.load(Ordering::Relaxed),
        dropped: figures.left_out().total(),
        drops: TargetDrops::from(figures.left_out()),
        repaired: figures.repaired.load(Ordering::Relaxed),
        late: figures.late.load(Ordering::Relaxed),
        lag_ms: figures.lag_ms.load(Ordering::Relaxed),
        rtt_ms: (rtt_us > 0).then_some(rtt_us as f64 / 1000.0),
    }
}

/// The streams that a rule is about, whether it is in force or not: the one that it names, or those that are live and fit.
fn wanted<'a>(rule: &'a Rule, live: &'a [StreamKey]) -> impl Iterator<Item = StreamKey> + 'a {
    let named = rule.stream.as_literal();
    let is_pattern = named.is_none();
    let fits =
        move |key: &&StreamKey| is_pattern && key.app == rule.app && rule.stream.matches(&key.name);
    let named = named.map(|name| StreamKey::new(rule.app.clone(), name.clone()));
    let fitting = live.iter().filter(fits).cloned();
    named.into_iter().chain(fitting)
}

/// A rule without a push for one of its streams. `lack` says what a rule in force lacks for one.
fn idle_target(
    rule: &Rule,
    stream: StreamKey,
    lack: impl FnOnce(&StreamKey) -> &'static str,
    now: OffsetDateTime,
) -> TargetStatus {
    let over = rule.stop_at.filter(|&at| at <= now);
    let (state, reason) = match (rule.enabled, over) {
        (false, _) => (TargetState::Stopped, "the rule is disabled"),
        (_, Some(_)) => (TargetState::Stopped, "the rule's stop_at has passed"),
        _ => (TargetState::Waiting, lack(&stream)),
    };
    TargetStatus {
        rule: rule.id.clone(),
        stream,
        url: rule.url.masked(),
        role: rule.backup_url.is_some().then_some(Role::Main),
        state,
        since: over.filter(|_| rule.enabled).unwrap_or(rule.created_at),
        attempt: 0,
        reason: Some(reason.to_owned()),
        bytes: 0,
        bitrate: 0,
        frames: 0,
        dropped: 0,
        drops: TargetDrops::default(),
        repaired: 0,
        late: 0,
        lag_ms: 0,
        rtt_ms: None,
    }
}

/// What a rule in force lacks for a push of a live stream.
fn lack(rule: &Rule, stream: &StreamKey, taken: &HashSet<&str>) -> &'static str {
    match rule.url.fill(stream) {
        Ok(url) if rule.applies_to(stream) => match taken.contains(url.expose()) {
            true => "another push has this URL",
            false => "it is about to begin",
        },
        _ => "the stream's name does not fit into the rule's URL",
    }
}

fn step(tried: Tried) -> PreflightStep {
    let (result, detail) = match tried.outcome {
        Ok(found) => (StepResult::Ok, found),
        Err(reason) => (StepResult::Failed, reason),
    };
    PreflightStep {
        step: match tried.rung {
            Rung::Dns => Step::Dns,
            Rung::Tcp => Step::Tcp,
            Rung::Tls => Step::Tls,
            Rung::Handshake => Step::Handshake,
            Rung::Connect => Step::Connect,
            Rung::Publish => Step::Publish,
        },
        result,
        elapsed_ms: u64::try_from(tried.took.as_millis()).unwrap_or(u64::MAX),
        detail,
    }
}

fn out_of_time() -> PreflightStep {
    PreflightStep {
        step: Step::Connect,
        result: StepResult::Failed,
        elapsed_ms: u64::try_from(PREFLIGHT_TIMEOUT.as_millis()).unwrap_or(u64::MAX),
        detail: format!("no answer within {} s", PREFLIGHT_TIMEOUT.as_secs()),
    }
}

fn not_published(asked: bool) -> PreflightStep {
    PreflightStep {
        step: Step::Publish,
        result: StepResult::Skipped,
        elapsed_ms: 0,
        detail: if asked {
            "left out: this URL is being pushed right now".to_owned()
        } else {
            "not asked for; it would tell whether the stream key is right".to_owned()
        },
    }
}
