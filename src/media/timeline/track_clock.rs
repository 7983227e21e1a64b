//! Where each track of a stream is.

use super::epoch::EpochId;
use super::limits::{FORWARD_MAX, STEP, TRACKS_MAX};
use super::pulse::{Pulse, Verdict};
use crate::media::track::{MediaKind, Track};
use std::time::Duration;

/// Steps are averaged in sixteenths of a millisecond.
const SCALE: i64 = 16;

/// One track's place on the timeline, and what is known of its clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrackClock {
    track: Track,
    last_out: Option<i64>,
    /// The newest frame of the current input.
    seen: Option<Seen>,
    /// The line that it was on, and its place there before any repair.
    line: Option<(EpochId, i64)>,
    pub(super) stamping: Stamping,
    scaled_step: i64,
    pulse: Pulse,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    src: i64,
    /// What the unwrapped stamp is more than the one on the wire.
    turns: i64,
    at: Duration,
}

/// Where a track's times come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamping {
    /// The publisher's stamps.
    Source,
    /// The time of arrival, since the publisher's clock stands still: `out` was at `at`.
    Arrival { out: i64, at: Duration },
}

/// What a frame's stamp tells beside its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    /// The step from the track's frame before, on the publisher's clock.
    pub(super) step: i64,
    /// The time since that one arrived.
    pub(super) silence: Duration,
    /// Its clock began again between the two.
    pub(super) wrapped: bool,
    /// See [`Pulse`].
    pub(super) verdict: Verdict,
}

impl TrackClock {
    fn new(track: Track) -> Self {
        let step = match track.kind {
            // 30 frames a second, and AAC at 48 kHz.
            MediaKind::Video => 33,
            MediaKind::Audio | MediaKind::Data => 21,
        };
        Self {
            track,
            last_out: None,
            seen: None,
            line: None,
            stamping: Stamping::Source,
            scaled_step: step * SCALE,
            pulse: Pulse::default(),
        }
    }

    /// The newest stamp in this input, unwrapped.
    pub(super) fn source(&self) -> Option<i64> {
        self.seen.map(|seen| seen.src)
    }

    /// The track's newest place.
    pub(super) fn last_out(&self) -> Option<i64> {
        self.last_out
    }

    /// The line that it was on last.
    pub(super) fn line(&self) -> Option<EpochId> {
        self.line.map(|(id, _)| id)
    }

    /// Its usual step, in milliseconds.
    pub(super) fn step(&self) -> i64 {
        (self.scaled_step / SCALE).clamp(*STEP.start(), *STEP.end())
    }

    pub(super) fn is_off_pace(&self) -> bool {
        self.pulse.is_off_pace()
    }

    /// Takes in a frame's stamp.
    pub(super) fn hear(&mut self, src: i64, wire: u32, now: Duration) -> Heard {
        let turns = src - i64::from(wire);
        let before = self.seen.replace(Seen {
            src,
            turns,
            at: now,
        });
        let step = before.map_or(0, |before| src - before.src);
        let silence = before.map_or(Duration::ZERO, |before| now.saturating_sub(before.at));
        Heard {
            step,
            silence,
            wrapped: before.is_some_and(|before| before.turns != turns),
            verdict: match before {
                Some(_) => self.pulse.beat(step, silence, now),
                None => Verdict::Goes,
            },
        }
    }

    /// Notes the frame's line and its place there, which tells the track's usual step.
    pub(super) fn follow(&mut self, id: EpochId, place: i64) {
        if let Some((before, last)) = self.line.replace((id, place))
            && before == id
            && (1..=FORWARD_MAX).contains(&(place - last))
        {
            self.scaled_step += ((place - last) * SCALE - self.scaled_step) / 8;
        }
    }

    /// Leaves its line: the next frame is judged like a first one.
    pub(super) fn leave_line(&mut self) {
        self.line = None;
    }

    /// The place of a tag without a frame that belongs at `wanted`: there, or with the track's last one.
    pub(super) fn settle_aside(&mut self, wanted: i64) -> i64 {
        *self
            .last_out
            .insert(self.last_out.map_or(wanted, |last| wanted.max(last)))
    }

    /// The place of a frame that belongs at `wanted`: there, or right behind the track's last tag.
    pub(super) fn settle(&mut self, wanted: i64) -> i64 {
        *self
            .last_out
            .insert(self.last_out.map_or(wanted, |last| wanted.max(last + 1)))
    }

    fn begin_input(&mut self) {
        self.seen = None;
        self.line = None;
        self.stamping = Stamping::Source;
        self.pulse = Pulse::default();
    }
}

/// The tracks of a stream.
#[derive(Clone, Debug)]
pub(super) struct Tracks {
    clocks: Vec<TrackClock>,
    /// Shared by the tracks beyond [`TRACKS_MAX`].
    rest: TrackClock,
}

impl Default for Tracks {
    fn default() -> Self {
        Self {
            clocks: Vec::new(),
            rest: TrackClock::new(Track::DATA),
        }
    }
}

impl Tracks {
    pub(super) fn clock(&mut self, track: Track) -> &mut TrackClock {
        let known = self.clocks.iter().position(|clock| clock.track == track);
        let place = known.unwrap_or_else(|| self.add(track));
        self.clocks.get_mut(place).unwrap_or(&mut self.rest)
    }

    /// Gives a track a clock of its own, if there is room; its place.
    #[cold]
    fn add(&mut self, track: Track) -> usize {
        let place = self.clocks.len();
        if place < TRACKS_MAX {
            self.clocks.push(TrackClock::new(track));
        }
        place
    }

    /// The track's newest place, if it had any.
    pub(super) fn last_out(&self, track: Track) -> Option<i64> {
        match self.clocks.iter().find(|clock| clock.track == track) {
            Some(clock) => clock.last_out,
            None if self.clocks.len() < TRACKS_MAX => None,
            None => self.rest.last_out,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &TrackClock> {
        self.clocks.iter().chain([&self.rest])
    }

    pub(super) fn begin_input(&mut self) {
        self.clocks.iter_mut().for_each(TrackClock::begin_input);
        self.rest.begin_input();
    }
}
