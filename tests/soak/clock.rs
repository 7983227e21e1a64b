//! A publisher's clock, with the faults that encoders' clocks have.

use aqueduct::media::MediaKind;
use fastrand::Rng;

/// How long a publisher's clock is left alone after a jump: more than ten jumps in a minute end a publish, and each of two tracks
/// jumps.
const JUMP_PAUSE: u32 = 14_000;

/// Where clocks begin: just below what they are to cross.
#[derive(Clone, Copy, Debug)]
pub enum Border {
    /// The stamp that takes an extended one.
    Extended,
    /// 2^31, crossed by an encoder that counts in 32 bits.
    Half,
    /// 2^31, where an encoder that counts in 31 bits begins again.
    Wrap31,
    /// 2^32, where all begin again.
    Wrap32,
}

impl Border {
    pub const ALL: [Self; 4] = [Self::Extended, Self::Half, Self::Wrap31, Self::Wrap32];

    fn stamp(self) -> i64 {
        match self {
            Self::Extended => 0xFF_FFFF,
            Self::Half | Self::Wrap31 => 1 << 31,
            Self::Wrap32 => 1 << 32,
        }
    }

    fn wire(self, stamp: i64) -> u32 {
        let bits = if matches!(self, Self::Wrap31) { 31 } else { 32 };
        u32::try_from(stamp.rem_euclid(1 << bits)).unwrap_or_default()
    }
}

/// What goes wrong, until when.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The next frame of each track is so many milliseconds early.
    StepBack(i64, [bool; 2]),
    /// Stamps come in groups of equals.
    Groups,
    /// Stamps shake.
    Jitter,
}

pub struct Clock {
    border: Border,
    rng: Rng,
    /// From ideal to source time; a jump reaches the tracks one after the other.
    offset: [i64; 2],
    /// The jump that the audio has not made yet, and when it does.
    late: Option<(i64, u32)>,
    fault: Option<(Fault, u32)>,
    next_fault: u32,
    next_jump: u32,
    /// How many faults it has had.
    pub faults: u64,
}

impl Clock {
    pub fn new(border: Border, mut rng: Rng) -> Self {
        let start = border.stamp() - rng.i64(500..5000);
        Self {
            border,
            offset: [start; 2],
            late: None,
            fault: None,
            next_fault: rng.u32(2000..5000),
            next_jump: rng.u32(3000..9000),
            rng,
            faults: 0,
        }
    }

    /// The stamp of the next frame of a track, which is due at `ideal`; both tracks are asked in the order of time.
    pub fn stamp(&mut self, kind: MediaKind, ideal: u32) -> u32 {
        self.go_wrong(ideal);
        let track = usize::from(kind == MediaKind::Audio);
        if let Some((jump, at)) = self.late
            && ideal >= at
        {
            self.offset[1] += jump;
            self.late = None;
        }
        let ideal = i64::from(ideal);
        let wobble = match &mut self.fault {
            Some((Fault::StepBack(back, done), _)) => {
                match std::mem::replace(&mut done[track], true) {
                    false => -*back,
                    true => 0,
                }
            }
            Some((Fault::Groups, _)) => -(ideal % 120),
            Some((Fault::Jitter, _)) => self.rng.i64(-36..=36),
            None => 0,
        };
        self.border.wire(self.offset[track] + ideal + wobble)
    }

    fn go_wrong(&mut self, now: u32) {
        if self.fault.is_some_and(|(_, until)| now >= until) {
            self.fault = None;
        }
        if now >= self.next_jump {
            self.next_jump = now + JUMP_PAUSE + self.rng.u32(0..8000);
            self.faults += 1;
            let size = self.rng.i64(1500..60_000);
            let jump = if self.rng.bool() { size } else { -size };
            self.offset[0] += jump;
            self.late = Some((jump, now + self.rng.u32(0..400)));
        }
        if now >= self.next_fault && self.fault.is_none() {
            self.next_fault = now + self.rng.u32(2500..9000);
            self.faults += 1;
            let fault = match self.rng.u8(0..3) {
                0 => Fault::StepBack(self.rng.i64(30..420), [false; 2]),
                1 => Fault::Groups,
                _ => Fault::Jitter,
            };
            self.fault = Some((fault, now + self.rng.u32(200..2000)));
        }
    }
}
