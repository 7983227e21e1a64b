//! What each push is doing, for those who watch: written by the push, read by the doors and the metrics.

use crate::relay::{LeftOut, Mode};
use crate::rule::{Role, RuleId, StreamKey, TargetUrl};
use crate::telemetry::Label;
use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
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
    /// Why the last attempt failed, why it is live at its backup or not given all, or what it waits for, in words for an
    /// operator; no secret is in it.
    pub reason: Option<String>,
    /// What a target that is too slow is given of its stream.
    slow: Option<Mode>,
}

/// The reason of a push that has nothing to send, since the stream's publisher is away.
pub const WAITING_FOR_ENCODER: &str = "waiting for the encoder";

/// One push's status.
#[derive(Debug)]
pub struct PushStatus {
    /// The rule that wished for it.
    pub rule: RuleId,
    /// The stream that it carries.
    pub stream: StreamKey,
    places: ArcSwap<Places>,
    phase: Mutex<Phase>,
    /// Its figures.
    pub figures: PushFigures,
}

/// Where a push may go, and which of it is next.
#[derive(Clone, Debug)]
struct Places {
    main: Arc<TargetUrl>,
    backup: Option<Arc<TargetUrl>>,
    role: Role,
    /// Why the main URL was left, in words for an operator, while the backup is in use.
    detour: Option<Arc<str>>,
}

impl Places {
    /// The URL of that role, where there is one.
    fn of(&self, role: Role) -> Option<&Arc<TargetUrl>> {
        match role {
            Role::Main => Some(&self.main),
            Role::Backup => self.backup.as_ref(),
        }
    }

    fn now(&self) -> &Arc<TargetUrl> {
        self.of(self.role).unwrap_or(&self.main)
    }
}

/// A push's figures; its line's ledger writes them, nothing is decided by them.
#[derive(Debug, Default)]
pub struct PushFigures {
    /// Bytes handed to the connection.
    pub bytes: AtomicU64,
    /// Bits per second over the last second.
    pub bitrate: AtomicU64,
    /// Coded frames handed to the connection.
    pub frames: AtomicU64,
    left_out: LeftOutFigures,
    /// Frames that the target was given with a later time, so that it gets them in order.
    pub late: AtomicU64,
    /// Repaired timestamps of the stream since this push began.
    pub repaired: AtomicU64,
    /// How far behind the newest tag the last byte is that the peer has acknowledged, in milliseconds.
    pub lag_ms: AtomicU64,
    /// The connection's round-trip time, in microseconds, read every few seconds; 0 means unknown.
    pub rtt_us: AtomicU64,
}

/// What the target was not given, since it was too slow, by cause.
#[derive(Debug, Default)]
struct LeftOutFigures {
    disposable: AtomicU64,
    until_keyframe: AtomicU64,
    overtaken: AtomicU64,
}

impl PushFigures {
    /// What the target was not given since the push began.
    pub fn left_out(&self) -> LeftOut {
        let of = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        LeftOut {
            disposable: of(&self.left_out.disposable),
            until_keyframe: of(&self.left_out.until_keyframe),
            overtaken: of(&self.left_out.overtaken),
        }
    }

    pub(super) fn leave_out(&self, all: LeftOut) {
        let set = |figure: &AtomicU64, count| figure.store(count, Ordering::Relaxed);
        set(&self.left_out.disposable, all.disposable);
        set(&self.left_out.until_keyframe, all.until_keyframe);
        set(&self.left_out.overtaken, all.overtaken);
    }
}

impl PushStatus {
    /// A push that has not begun.
    pub fn new(rule: RuleId, stream: StreamKey, url: TargetUrl) -> Self {
        Self {
            rule,
            stream,
            places: ArcSwap::from_pointee(Places {
                main: Arc::new(url),
                backup: None,
                role: Role::Main,
                detour: None,
            }),
            phase: Mutex::new(Phase {
                state: TargetState::Waiting,
                since: OffsetDateTime::now_utc(),
                attempt: 0,
                reason: None,
                slow: None,
            }),
            figures: PushFigures::default(),
        }
    }

    /// The same with another URL for while the first one fails.
    #[must_use]
    pub fn with_backup(self, backup: Option<TargetUrl>) -> Self {
        let places = Places {
            backup: backup.map(Arc::new),
            ..Places::clone(&self.places.load())
        };
        self.places.store(Arc::new(places));
        self
    }

    /// Whether this very target is its own: it is there, or its main URL is that, to which it returns.
    pub fn is_to(&self, url: &TargetUrl) -> bool {
        let places = self.places.load();
        *places.main == *url || **places.now() == *url
    }

    /// Its target, as the next attempt takes it.
    pub fn url(&self) -> Arc<TargetUrl> {
        Arc::clone(self.places.load().now())
    }

    /// Its main URL, wherever it is at this moment.
    pub fn main_url(&self) -> Arc<TargetUrl> {
        Arc::clone(&self.places.load().main)
    }

    /// Which of its two URLs it is at; none where it has but one.
    pub fn role(&self) -> Option<Role> {
        let places = self.places.load();
        places.backup.is_some().then_some(places.role)
    }

    /// Other URLs for the next attempt; a connection that stands goes on. Refused where it stands at a backup that is another
    /// one now. Told by the board, under its lock.
    pub(super) fn readdress(&self, main: TargetUrl, backup: Option<TargetUrl>) -> bool {
        let places = self.places.load();
        let keeps_backup = places.backup.as_deref() == backup.as_ref();
        if places.role == Role::Backup && !keeps_backup {
            return false;
        }
        self.places.store(Arc::new(Places {
            main: Arc::new(main),
            backup: backup.map(Arc::new),
            ..Places::clone(&places)
        }));
        true
    }

    /// The URL that it is not at, where it has two.
    pub(super) fn other_url(&self) -> Option<Arc<TargetUrl>> {
        let places = self.places.load();
        places.of(places.role.other()).cloned()
    }

    /// Goes to its other URL with the next attempt, for a reason in words for an operator. Told by the board, under its lock.
    pub(super) fn switch(&self, why: &str) {
        let places = self.places.load();
        let role = places.role.other();
        self.places.store(Arc::new(Places {
            role,
            detour: (role == Role::Backup).then(|| why.into()),
            ..Places::clone(&places)
        }));
    }

    /// Its state now. One that is live at its backup says why, unless there is something else to say.
    pub fn phase(&self) -> Phase {
        let mut phase = self.lock().clone();
        if phase.state == TargetState::Live && phase.reason.is_none() {
            let slow = phase.slow.and_then(what_is_left_out).map(str::to_owned);
            let detour = self.places.load().detour.clone();
            let detour = detour.map(|why| format!("the main URL failed: {why}"));
            phase.reason = slow.or(detour);
        }
        phase
    }

    /// Says of a push that is live whether its target is too slow, and what it is given for that.
    pub(super) fn slow(&self, slow: Option<Mode>) {
        self.lock().slow = slow;
    }

    /// A new attempt begins. The reason for the last one's failure stays to be seen until the target is live.
    pub fn connecting(&self) {
        let mut phase = self.lock();
        phase.attempt += 1;
        if phase.state == TargetState::Waiting {
            phase.reason = None;
        }
        phase.state = TargetState::Connecting;
        phase.since = OffsetDateTime::now_utc();
    }

    /// The CDN takes media.
    pub fn live(&self) {
        self.enter(TargetState::Live, None);
    }

    /// Says of a push that is live, or waits for something to send, whether the stream's publisher is away.
    pub fn encoder_is_away(&self, away: bool) {
        let reason = away.then(|| WAITING_FOR_ENCODER.to_owned());
        let mut phase = self.lock();
        match phase.state {
            TargetState::Live | TargetState::Waiting => phase.reason = reason,
            // The time between two attempts is over, and there is nothing to make one for.
            _ if away => {
                phase.state = TargetState::Waiting;
                phase.since = OffsetDateTime::now_utc();
                phase.reason = reason;
            }
            _ => {}
        }
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
        phase.slow = None;
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a target that is too slow is not given.
fn what_is_left_out(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::All => None,
        Mode::NoDisposable => {
            Some("too slow for the stream: frames that no other one needs are left out")
        }
        Mode::AudioUntilKeyframe => Some(
            "too slow for the stream: pictures are left out up to a keyframe at which it has caught up",
        ),
    }
}
