//! What is known of an input that runs: written by whoever runs it, read by whoever shows it.

use super::status::{Happening, InputNotice, InputState, Interruption, Position, Standing};
use crate::rule::{Role, StreamKey};
use crate::telemetry::events::{InputEnded, InputFailed, InputFed};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use time::OffsetDateTime;
use tokio::sync::broadcast;

/// One input's board.
pub(super) struct Board {
    pub(super) stream: StreamKey,
    pub(super) role: Role,
    phase: Mutex<Phase>,
    /// Of media, from the start on; whoever has claimed the stream for it counts them.
    pub(super) bytes: Arc<AtomicU64>,
    notices: broadcast::Sender<InputNotice>,
}

struct Phase {
    state: InputState,
    since: OffsetDateTime,
    attempt: u32,
    reason: Option<String>,
    position: Option<Position>,
}

impl Board {
    pub(super) fn new(
        stream: StreamKey,
        role: Role,
        state: InputState,
        notices: broadcast::Sender<InputNotice>,
    ) -> Self {
        Self {
            stream,
            role,
            phase: Mutex::new(Phase {
                state,
                since: OffsetDateTime::now_utc(),
                attempt: 0,
                reason: None,
                position: None,
            }),
            bytes: Arc::default(),
            notices,
        }
    }

    /// How it stands. Whether what comes is on the air, the stream knows.
    pub(super) fn standing(&self, is_on_air: bool) -> Standing {
        let phase = self.phase();
        let state = match phase.state {
            InputState::Live | InputState::Standby if is_on_air => InputState::Live,
            InputState::Live | InputState::Standby => InputState::Standby,
            other => other,
        };
        Standing {
            state,
            since: phase.since,
            attempt: phase.attempt,
            reason: phase.reason.clone(),
            bytes: self.bytes.load(Ordering::Relaxed),
            position: phase.position.clone(),
        }
    }

    pub(super) fn state(&self) -> InputState {
        self.phase().state
    }

    /// Whether it may still become the one that the stream begins with: its first attempt has not failed.
    pub(super) fn is_coming(&self) -> bool {
        let phase = self.phase();
        match phase.state {
            InputState::Connecting => phase.attempt <= 1,
            state => state == InputState::Waiting || state.is_fed(),
        }
    }

    /// Another attempt begins.
    pub(super) fn connecting(&self) {
        let mut phase = self.phase();
        phase.attempt = phase.attempt.saturating_add(1);
        phase.enter(InputState::Connecting);
    }

    /// Its media comes.
    pub(super) fn fed(&self) {
        let mut phase = self.phase();
        if !phase.state.is_fed() {
            phase.reason = None;
            phase.enter(InputState::Standby);
            drop(phase);
            let (stream, role) = (&self.stream, self.role);
            InputFed { stream, role }.emit();
            self.tell(Happening::Fed { role });
        }
    }

    /// Its media stalls, though its connection stands.
    pub(super) fn interrupted(&self, why: Interruption) {
        let role = self.role;
        self.tell(Happening::Interrupted { role, why });
    }

    /// An attempt, or what came of it, is over.
    pub(super) fn failed(&self, why: Interruption, reason: String, is_final: bool) {
        let mut phase = self.phase();
        let was_fed = phase.state.is_fed();
        InputFailed {
            stream: &self.stream,
            role: self.role,
            reason: &reason,
            is_final,
        }
        .emit();
        phase.reason = Some(reason);
        phase.enter(match is_final {
            true => InputState::Failed,
            false => InputState::BackingOff,
        });
        drop(phase);
        if was_fed {
            self.interrupted(why);
        }
        if is_final {
            self.tell(Happening::Failed { role: self.role });
        }
    }

    /// Everything was played.
    pub(super) fn ended(&self) {
        let mut phase = self.phase();
        phase.reason = None;
        phase.enter(InputState::Ended);
        drop(phase);
        let (stream, role) = (&self.stream, self.role);
        InputEnded { stream, role }.emit();
        self.tell(Happening::Ended { role });
    }

    /// A publisher is waited for.
    pub(super) fn waiting(&self, was_lost: bool) {
        self.phase().enter(InputState::Waiting);
        if was_lost {
            self.interrupted(Interruption::Lost);
        }
    }

    /// It is there in its files.
    pub(super) fn reach(&self, position: Option<Position>) {
        if position.is_some() {
            self.phase().position = position;
        }
    }

    fn tell(&self, what: Happening) {
        // Nobody may be listening.
        let _ = self.notices.send(InputNotice {
            stream: self.stream.clone(),
            what,
        });
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Phase {
    fn enter(&mut self, state: InputState) {
        if self.state != state {
            self.state = state;
            self.since = OffsetDateTime::now_utc();
        }
    }
}
