//! A stream's clock: one line of milliseconds that outlives the publishers who feed it, and rises from frame to frame on every
//! track, whatever they send.
//!
//! Time is repaired here once, before the fan-out; a target only subtracts its own start. A publisher's stamps are unwrapped
//! and lie on a line, an epoch: what is added to them is the same for all tracks, so that audio keeps its distance to video.
//! Small steps back are clamped. A jump begins another line, one step behind the newest frame; a track that has not jumped
//! yet stays on the old one until it does. Nothing is dropped and nothing is held back.

mod epoch;
mod jumps;
mod limits;
mod pulse;
mod repair;
mod track_clock;

pub use limits::TRACKS_MAX;
pub use repair::{RepairKind, Repairs};

use super::composition::{COMPOSITION_MAX, delayed};
use super::tag::Shape;
use super::track::{MediaKind, Track};
use super::unwrap::Unwrap;
use epoch::{Candidate, Epoch, Epochs};
use jumps::Jumps;
use limits::{ASIDE_AHEAD_MAX, ASIDE_BEHIND_MAX, FORWARD_MAX, JOIN_MAX};
use pulse::{Verdict, is_pause, millis};
use std::time::Duration;
use track_clock::{Heard, Stamping, TrackClock, Tracks};

/// What becomes of the time in which a publisher sent nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GapPolicy {
    /// It is left out: the stream goes on one step later. CDNs report steps of more than a second as errors.
    #[default]
    Compress,
    /// It is kept: the stream's time stays that of the wall clock.
    Wall,
}

/// Where a tag belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its decoding time on the stream's timeline, in milliseconds. Negative for frames from before the first one that came.
    pub dts: i64,
    /// The composition time that it has to be given, in milliseconds; `None` where its own is right.
    pub cts: Option<i32>,
}

/// What is the matter with a publisher's clock, beyond single stamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Symptoms {
    /// It stands still on a track, whose frames are given their time of arrival.
    pub stuck: bool,
    /// On some track it ran at less than half, or more than twice, the wall clock's pace when it was last looked at. Nothing is
    /// repaired for that.
    pub off_pace: bool,
}

/// The clock of one stream.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    gap: GapPolicy,
    unwrap: Unwrap,
    /// The newest stamp of the current input, unwrapped.
    source: Option<i64>,
    epochs: Epochs,
    tracks: Tracks,
    front: Front,
    /// When the latest picture of all is shown.
    shown: Option<i64>,
    jumps: Jumps,
    repairs: Repairs,
}

/// The newest place of any track that has frames.
#[derive(Clone, Copy, Debug, Default)]
struct Front {
    newest: Option<i64>,
    at: Duration,
}

impl Timeline {
    /// A clock on which nothing has happened.
    pub fn new(gap: GapPolicy) -> Self {
        Self {
            gap,
            ..Self::default()
        }
    }

    /// A new input follows: its first frame comes one step after the newest one, whatever its own clock says; and if it is a
    /// picture, it is not shown before the last input's pictures are.
    pub fn begin_input(&mut self) {
        self.unwrap = Unwrap::default();
        self.source = None;
        self.epochs.clear();
        self.tracks.begin_input();
        self.jumps = Jumps::default();
    }

    /// Places a tag that is no header, and remembers it. A frame stands above its track's last place, whatever its stamp; a tag
    /// without a frame stands there at the least, since encoders end a sequence with the stamp of its last frame.
    ///
    /// `wire` is its stamp, in milliseconds modulo 2^31 or 2^32; `cts` its composition time in milliseconds, where its form has one;
    /// and `now` the time since some beginning at which it arrived, which never goes back.
    pub fn place(&mut self, shape: &Shape, wire: u32, cts: Option<i32>, now: Duration) -> Placed {
        if !shape.class.is_frame() {
            return Placed {
                dts: self.place_aside(shape.track, wire, now),
                cts: None,
            };
        }
        let clock = self.tracks.clock(shape.track);
        let src = self.unwrap.place(wire, clock.source().or(self.source));
        self.source = Some(src);
        let heard = clock.hear(src, wire, now);
        if heard.wrapped {
            self.repairs.count(RepairKind::Wrap);
        }
        let going_on = match (heard.verdict, clock.stamping, self.front.newest) {
            (Verdict::Goes | Verdict::KeepsPace, Stamping::Source, Some(newest)) => {
                self.epochs.go_on(clock, src, newest, now)
            }
            _ => None,
        };
        let (dts, late) = match going_on {
            Some(dts) => (dts, 0),
            None => self.place_anew(shape.track, src, heard, cts, now),
        };
        self.front.reach(dts, now);
        let placed = Placed {
            dts,
            cts: self.place_composition(cts, late),
        };
        if let Some(cts) = placed.cts.or(cts) {
            self.shown = self.shown.max(Some(dts + i64::from(cts)));
        }
        placed
    }

    /// The moment at which a header or metadata of the track stands, in milliseconds of the stream: where the track is, which is never after its next frame.
    /// Its own stamp is not looked at, since encoders send headers with a stamp of 0 in the middle of a stream.
    pub fn place_of_header(&self, track: Track) -> i64 {
        let last = self.tracks.last_out(track);
        last.or(self.front.newest).unwrap_or_default()
    }

    /// What was repaired since the stream began.
    pub fn repairs(&self) -> &Repairs {
        &self.repairs
    }

    /// What is the matter with the current input's clock.
    pub fn symptoms(&self) -> Symptoms {
        let any = |is_so: fn(&TrackClock) -> bool| self.tracks.iter().any(is_so);
        Symptoms {
            stuck: any(|clock| clock.stamping != Stamping::Source),
            off_pace: any(TrackClock::is_off_pace),
        }
    }

    /// Whether the current input's clock has jumped more than ten times within the last minute. What it sends has no time
    /// worth repairing, and its connection should be ended.
    pub fn is_erratic(&self, now: Duration) -> bool {
        self.jumps.are_too_many(now)
    }

    /// How often the current input's clock has jumped within the last minute: eleven at the most, which is erratic.
    pub fn jumps(&self, now: Duration) -> usize {
        self.jumps.count(now)
    }

    /// Script data, marks and ends of sequences. Their stamps may be anyone's, so they move no line.
    fn place_aside(&mut self, track: Track, wire: u32, now: Duration) -> i64 {
        let src = self.unwrap.peek(wire, self.source);
        let line = self.epochs.current().map(|epoch| epoch.place(src));
        let wanted = match (self.front.newest, line) {
            (Some(newest), Some(line))
                if (newest - ASIDE_BEHIND_MAX..=newest + ASIDE_AHEAD_MAX).contains(&line) =>
            {
                line
            }
            (Some(newest), _) => newest,
            // The first frame stands at 0.
            (None, _) => -1,
        };
        let out = self.tracks.clock(track).settle_aside(wanted);
        if line.is_some_and(|line| line != out) {
            self.repairs.count(RepairKind::Clamp);
        }
        if track.kind != MediaKind::Data && self.front.newest.is_some() {
            self.front.reach(out, now);
        }
        out
    }

    /// The place of a frame that does not just go on, and how much later that is than its stamp says.
    #[cold]
    fn place_anew(
        &mut self,
        track: Track,
        src: i64,
        heard: Heard,
        cts: Option<i32>,
        now: Duration,
    ) -> (i64, i64) {
        let clock = self.tracks.clock(track);
        match (heard.verdict, clock.stamping) {
            (Verdict::Stuck, Stamping::Source) => {
                let out = self.front.newest.unwrap_or_default();
                clock.stamping = Stamping::Arrival { out, at: now };
                clock.leave_line();
            }
            (Verdict::KeepsPace, Stamping::Arrival { .. }) => {
                clock.stamping = Stamping::Source;
                self.repairs.count(RepairKind::Rebase);
            }
            _ => {}
        }
        match clock.stamping {
            Stamping::Arrival { .. } => (self.place_by_arrival(track, now), 0),
            Stamping::Source => self.place_by_source(track, src, heard, cts, now),
        }
    }

    /// The frame's place by its stamp, and how much later that is than the stamp says.
    fn place_by_source(
        &mut self,
        track: Track,
        src: i64,
        heard: Heard,
        cts: Option<i32>,
        now: Duration,
    ) -> (i64, i64) {
        self.epochs.retire(now);
        let clock = self.tracks.clock(track);
        let before = clock.line();
        let epoch = match self.front.newest {
            Some(newest) if self.epochs.current().is_some() => {
                let candidate = Candidate::new(clock, src, heard.silence, newest, now);
                let kept = || {
                    self.keeps_pause(heard)
                        .then(|| self.epochs.find(before?).copied())
                };
                self.epochs.line_of(&candidate).or_else(|| kept().flatten())
            }
            _ => None,
        };
        let epoch = match epoch {
            Some(epoch) => {
                if before != Some(epoch.id) {
                    self.epochs.enter(epoch.id, before);
                }
                if before.is_some_and(|before| before != epoch.id) {
                    self.repairs.count(epoch.cause);
                }
                epoch
            }
            None => self.open(track, src, heard, cts, now),
        };
        let wanted = epoch.place(src);
        let clock = self.tracks.clock(track);
        clock.follow(epoch.id, wanted);
        let dts = clock.settle(wanted);
        let late = dts - wanted;
        if late > 0 {
            self.repairs.count(RepairKind::Clamp);
        }
        self.epochs.used(epoch.id, late, before.is_none(), now);
        (dts, late)
    }

    /// Begins a line with the frame, one step behind the newest place.
    fn open(
        &mut self,
        track: Track,
        src: i64,
        heard: Heard,
        cts: Option<i32>,
        now: Duration,
    ) -> Epoch {
        let is_first = self.epochs.current().is_none();
        let cause = if is_pause(heard.step, heard.silence) {
            RepairKind::Gap
        } else {
            RepairKind::Rebase
        };
        if !is_first {
            self.repairs.count(cause);
        }
        if !is_first && cause == RepairKind::Rebase {
            self.jumps.note(now);
        }
        let clock = self.tracks.clock(track);
        let mut out = self.front.after(clock.step(), self.gap, now);
        if let (true, Some(cts), Some(shown)) = (is_first, cts, self.shown) {
            // B frames have the last input's newest pictures shown later than the decoding times alone tell.
            let behind = shown + clock.step() - i64::from(cts);
            out = out.max(behind.min(out + JOIN_MAX));
        }
        // Tags without a frame may have brought the track further.
        let out = clock.last_out().map_or(out, |last| out.max(last + 1));
        self.epochs.open(src, out, cause, now)
    }

    fn keeps_pause(&self, heard: Heard) -> bool {
        self.gap == GapPolicy::Wall && is_pause(heard.step, heard.silence)
    }

    /// The place of a frame whose track's clock stands still.
    fn place_by_arrival(&mut self, track: Track, now: Duration) -> i64 {
        self.repairs.count(RepairKind::Stuck);
        let newest = self.front.newest.unwrap_or_default();
        let clock = self.tracks.clock(track);
        let mut wanted = match clock.stamping {
            Stamping::Arrival { out, at } => out + millis(now.saturating_sub(at)),
            Stamping::Source => newest,
        };
        if wanted > newest + FORWARD_MAX && self.gap == GapPolicy::Compress {
            wanted = newest + clock.step();
            clock.stamping = Stamping::Arrival {
                out: wanted,
                at: now,
            };
        }
        clock.settle(wanted)
    }

    /// The composition time that keeps the moment at which the picture is shown, though it is decoded `late` milliseconds later
    /// than it should be.
    fn place_composition(&mut self, cts: Option<i32>, late: i64) -> Option<i32> {
        let own = i64::from(cts?);
        let legal = if own.abs() > COMPOSITION_MAX {
            self.repairs.count(RepairKind::Cts);
            0
        } else {
            own
        };
        Some(delayed(legal, late)).filter(|&cts| i64::from(cts) != own)
    }
}

impl Front {
    /// Where something new begins, one step on.
    fn after(&self, step: i64, gap: GapPolicy, now: Duration) -> i64 {
        let Some(newest) = self.newest else {
            return 0;
        };
        newest
            + match gap {
                GapPolicy::Compress => step,
                GapPolicy::Wall => step.max(millis(now.saturating_sub(self.at))),
            }
    }

    fn reach(&mut self, out: i64, now: Duration) {
        if self.newest.is_none_or(|newest| out > newest) {
            *self = Self {
                newest: Some(out),
                at: now,
            };
        }
    }
}

#[cfg(test)]
mod tests;
