//! What a checked target finds out: loss, order, time, and how long each message took.

use crate::clock;
use crate::frames::{Frames, Kind, Stamp};
use std::time::Duration;

/// The findings of one target, or of all together.
#[derive(Debug, Default)]
pub struct Findings {
    /// Messages checked.
    pub messages: u64,
    /// Numbers that were passed over.
    pub lost: u64,
    /// Messages behind a later one of their track.
    pub reordered: u64,
    /// Timestamps below the one before on their track.
    pub steps_back: u64,
    /// Messages with other bytes than were sent.
    pub altered: u64,
    /// From the publisher's send to the target's read.
    pub latencies: Vec<Duration>,
}

impl Findings {
    pub fn add(&mut self, other: Findings) {
        self.messages += other.messages;
        self.lost += other.lost;
        self.reordered += other.reordered;
        self.steps_back += other.steps_back;
        self.altered += other.altered;
        self.latencies.extend(other.latencies);
    }
}

/// One target's view of one stream.
#[derive(Debug, Default)]
pub struct Checker {
    tracks: [Option<Place>; 2],
    pub findings: Findings,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    next: u32,
    timestamp: u32,
}

impl Checker {
    /// Takes a message. Only what is sent from `since` on is counted; what came before sets the places.
    pub fn take(
        &mut self,
        frames: &Frames,
        kind: Kind,
        timestamp: u32,
        payload: &[u8],
        since: Duration,
    ) {
        if Frames::is_header(payload) {
            return;
        }
        let Some(stamp) = frames.check(kind, payload) else {
            self.findings.altered += 1;
            return;
        };
        let counts = stamp.sent >= since;
        self.compare(kind, timestamp, stamp, counts);
        if counts {
            self.findings.messages += 1;
            let latency = clock::now().saturating_sub(stamp.sent);
            self.findings.latencies.push(latency);
        }
    }

    fn compare(&mut self, kind: Kind, timestamp: u32, stamp: Stamp, counts: bool) {
        let track = &mut self.tracks[kind as usize];
        if let (Some(place), true) = (&track, counts) {
            let gap = i64::from(stamp.number) - i64::from(place.next);
            if gap > 0 {
                self.findings.lost += gap.unsigned_abs();
            }
            self.findings.reordered += u64::from(gap < 0);
            self.findings.steps_back += u64::from(timestamp < place.timestamp);
        }
        let next = track.map_or(0, |place| place.next).max(stamp.number + 1);
        *track = Some(Place { next, timestamp });
    }
}
