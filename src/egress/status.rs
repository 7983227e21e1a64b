//! What each push is doing, for those who watch: written by the push, read by the doors and the metrics.

use super::plan::PushId;
use crate::rule::{RuleId, StreamKey, TargetUrl};
use crate::telemetry::Label;
use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Where a push stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// Nothing to do: no stream, none that has shown what a target can begin with, or the gateway's start rate holds it back.
    Waiting,
    /// Between the first look-up of the name and the CDN's consent.
    Connecting,
    /// The CDN takes media.
    Live,
    /// The last attempt failed; another one follows.
    BackingOff,
    /// The last attempt failed for good.
    Failed,
    /// Ended.
    Stopped,
}

/// As it stands in JSON and in metric labels.
impl Label for TargetState {
    const ALL: &'static [Self] = &[
        Self::Waiting,
        Self::Connecting,
        Self::Live,
        Self::BackingOff,
        Self::Failed,
        Self::Stopped,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::BackingOff => "backing_off",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// The state with what belongs to it.
#[derive(Clone, Debug)]
pub struct Phase {
    /// The state.
    pub state: TargetState,
    /// Since when.
    pub since: OffsetDateTime,
    /// Attempts to connect so far; the first is 1.
    pub attempt: u32,
    /// Why the last attempt failed, in words for an operator; no secret is in it.
    pub reason: Option<String>,
}

/// One push's status.
#[derive(Debug)]
pub struct PushStatus {
    /// The rule that wished for it.
    pub rule: RuleId,
    /// The stream that it carries.
    pub stream: StreamKey,
    url: ArcSwap<TargetUrl>,
    phase: Mutex<Phase>,
    /// Its figures.
    pub figures: PushFigures,
}

/// A push's figures; the pump writes them, nothing is decided by them.
#[derive(Debug, Default)]
pub struct PushFigures {
    /// Bytes handed to the connection.
    pub bytes: AtomicU64,
    /// Bits per second over the last second.
    pub bitrate: AtomicU64,
    /// Coded frames handed to the connection.
    pub frames: AtomicU64,
    /// Tags that the target could not be given.
    pub dropped: AtomicU64,
    /// Repaired timestamps of the stream since this push began.
    pub repaired: AtomicU64,
    /// How far behind the newest tag the last byte is that the peer has acknowledged, in milliseconds.
    pub lag_ms: AtomicU64,
    /// The connection's round-trip time, in microseconds; 0 means unknown.
    pub rtt_us: AtomicU64,
}

impl PushStatus {
    /// A push that has not begun.
    pub fn new(rule: RuleId, stream: StreamKey, url: TargetUrl) -> Self {
        Self {
            rule,
            stream,
            url: ArcSwap::from_pointee(url),
            phase: Mutex::new(Phase {
                state: TargetState::Waiting,
                since: OffsetDateTime::now_utc(),
                attempt: 0,
                reason: None,
            }),
            figures: PushFigures::default(),
        }
    }

    /// Whether it goes to this very target.
    pub fn is_to(&self, url: &TargetUrl) -> bool {
        self.url().expose() == url.expose()
    }

    /// Its target, as the next attempt takes it.
    pub fn url(&self) -> Arc<TargetUrl> {
        self.url.load_full()
    }

    /// The same address with other parameters, for the next attempt; a connection that stands goes on.
    pub(super) fn readdress(&self, url: TargetUrl) {
        self.url.store(Arc::new(url));
    }

    /// Its state now.
    pub fn phase(&self) -> Phase {
        self.lock().clone()
    }

    /// A new attempt begins. The reason for the last one's failure stays to be seen until the target is live.
    pub fn connecting(&self) {
        let mut phase = self.lock();
        phase.attempt += 1;
        phase.state = TargetState::Connecting;
        phase.since = OffsetDateTime::now_utc();
    }

    /// The CDN takes media.
    pub fn live(&self) {
        self.enter(TargetState::Live, None);
    }

    /// The attempt failed, or the push ended, for this reason.
    pub fn left(&self, state: TargetState, reason: String) {
        self.enter(state, Some(reason));
        self.figures.bitrate.store(0, Ordering::Relaxed);
        self.figures.lag_ms.store(0, Ordering::Relaxed);
    }

    fn enter(&self, state: TargetState, reason: Option<String>) {
        let mut phase = self.lock();
        phase.state = state;
        phase.since = OffsetDateTime::now_utc();
        phase.reason = reason;
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All pushes of the gateway, by id.
#[derive(Debug, Default)]
pub struct Board {
    pushes: Mutex<BTreeMap<PushId, Arc<PushStatus>>>,
}

impl Board {
    /// Every push that runs, waits for its next attempt, or has failed while its stream is live; the oldest first.
    pub fn pushes(&self) -> Vec<(PushId, Arc<PushStatus>)> {
        let lock = self.lock();
        let each = lock.iter().map(|(id, push)| (*id, Arc::clone(push)));
        each.collect()
    }

    pub(super) fn add(&self, push: PushId, status: Arc<PushStatus>) {
        self.lock().insert(push, status);
    }

    pub(super) fn remove(&self, push: PushId) {
        self.lock().remove(&push);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PushId, Arc<PushStatus>>> {
        self.pushes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
