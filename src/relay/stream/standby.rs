//! A stream's second input: kept ready beside the one that is on the air, until it takes over at a keyframe.
//!
//! Nothing of its media is held, only the headers: it takes over with its next keyframe, so the change costs a GOP's wait at the most and
//! no memory (docs/decisions/2026-11-26-inputs.md).

use super::Shared;
use crate::media::{Class, MediaKind, Shape, Tag, TrackId};
use crate::relay::claim::Claim;
use crate::relay::headers::Headers;
use crate::relay::hold::Presence;
use crate::relay::limits::AUDIO_ONLY_AFTER;
use crate::relay::status::Publisher;
use crate::rule::Role;
use bytes::Bytes;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// One of a stream's inputs: who has claimed it, and under which epoch.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) role: Role,
    pub(super) epoch: u64,
    pub(super) claim: Claim,
    pub(super) superseded: watch::Sender<bool>,
}

impl Seat {
    pub(super) fn new(role: Role, epoch: u64, claim: Claim) -> Self {
        Self {
            role,
            epoch,
            claim,
            superseded: watch::Sender::new(false),
        }
    }

    pub(super) fn publisher(&self) -> Publisher {
        Publisher {
            role: self.role,
            input: self.claim.input.as_ref().map(|input| input.kind),
            peer: self.claim.peer,
            client: self.claim.client.clone(),
        }
    }
}

/// The input that is not on the air.
#[derive(Debug)]
pub(super) struct Standby {
    pub(super) seat: Seat,
    /// When its newest frame came, on the stream's own clock.
    heard: Option<Duration>,
    headers: Headers,
    /// When its first sound came, while it has shown no video.
    sound_since: Option<Duration>,
    has_video: bool,
    /// It is to take over at its next keyframe.
    is_called: bool,
    /// Whether it has shown something that targets could begin with.
    is_ready: bool,
}

/// How an input is seen from the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputSight {
    /// Which one.
    pub role: Role,
    /// How long ago its newest frame came; none where none has.
    pub silent_for: Option<Duration>,
    /// Whether it has shown something that targets can begin with.
    pub is_ready: bool,
}

impl Standby {
    pub(super) fn new(seat: Seat) -> Self {
        Self {
            seat,
            heard: None,
            headers: Headers::default(),
            sound_since: None,
            has_video: false,
            is_called: false,
            is_ready: false,
        }
    }

    /// An input that was on the air until now. Its headers hold on: encoders send them once.
    fn after(seat: Seat, headers: Headers) -> Self {
        Self {
            is_ready: true,
            has_video: headers.has_video(),
            headers,
            ..Self::new(seat)
        }
    }

    pub(super) fn sight(&self, now: Duration) -> InputSight {
        InputSight {
            role: self.seat.role,
            silent_for: self.heard.map(|heard| now.saturating_sub(heard)),
            is_ready: self.is_ready,
        }
    }

    pub(super) fn call(&mut self, is_called: bool) {
        self.is_called = is_called;
    }

    /// Takes note of a message; says whether the input takes over with it.
    fn take(&mut self, kind: MediaKind, payload: &Bytes, now: Duration) -> bool {
        let shape = Shape::of(kind, payload);
        if shape.class.is_kept() {
            self.headers.keep(&Tag {
                shape,
                dts: 0,
                payload: payload.clone(),
            });
        }
        if !shape.class.is_frame() {
            return false;
        }
        self.heard = Some(now);
        self.has_video |= shape.track.kind == MediaKind::Video;
        let begins = match shape.class {
            Class::Keyframe => {
                matches!(shape.track.id, TrackId::One(0) | TrackId::Several)
                    && self.headers.serves(shape.track, shape.codec)
            }
            // As for a publisher: sound alone is a stream where no pictures have come for a while.
            Class::Audio => {
                let since = *self.sound_since.get_or_insert(now);
                !self.has_video
                    && !self.headers.has_video()
                    && now.saturating_sub(since) >= AUDIO_ONLY_AFTER
                    && self.headers.serves(shape.track, shape.codec)
            }
            _ => false,
        };
        self.is_ready |= begins;
        begins && self.is_called
    }
}

impl Shared {
    /// Whether it is the epoch of the input that stands by.
    pub(super) fn is_beside(&self, epoch: u64) -> bool {
        let standby = self.standby.as_ref();
        standby.is_some_and(|standby| standby.seat.epoch == epoch)
    }

    /// Counts what came of an input that somebody has put.
    pub(super) fn count(&self, is_beside: bool, bytes: u64) {
        let beside = self.standby.as_ref().filter(|_| is_beside);
        let seat = beside.map_or(&self.seat, |standby| &standby.seat);
        if let Some(input) = &seat.claim.input {
            input.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Takes a message of the input that is not on the air; says whether it is, from this message on.
    pub(super) fn take_beside(
        &mut self,
        kind: MediaKind,
        wire: u32,
        payload: Bytes,
        now: Duration,
    ) -> bool {
        let takes_over = self
            .standby
            .as_mut()
            .is_some_and(|standby| standby.take(kind, &payload, now));
        if !takes_over {
            return false;
        }
        let headers = Headers::clone(self.intake.ring.headers());
        if self.hold.presence != Presence::Reserved {
            self.intake.end_input(now);
        }
        if let Some(before) = self.raise(now) {
            self.standby = Some(Standby::after(before, headers));
        }
        self.intake.push(kind, wire, payload, now);
        true
    }

    /// Has a stream that nothing was sent to begin with its other input: the one that it was made for stands by.
    pub(super) fn reserve_for_other(&mut self) {
        let nobody = Seat::new(self.seat.role.other(), 0, self.seat.claim.clone());
        let mut seat = std::mem::replace(&mut self.seat, nobody);
        self.epochs += 1;
        seat.epoch = self.epochs;
        self.standby = Some(Standby::new(seat));
        self.hold.presence = Presence::Reserved;
    }

    /// Puts the input that stands by on the air, where there is one; the one before has ended. Who was on the air.
    pub(super) fn raise(&mut self, now: Duration) -> Option<Seat> {
        let Standby { seat, headers, .. } = self.standby.take()?;
        self.intake.begin_input();
        for tag in headers.iter() {
            let (kind, payload) = (tag.shape.track.kind, tag.payload.clone());
            // A header's stamp means nothing.
            self.intake.push(kind, 0, payload, now);
        }
        let before = std::mem::replace(&mut self.seat, seat);
        (self.hold.presence != Presence::Reserved).then_some(before)
    }
}

#[cfg(test)]
mod tests;
