//! The ledger of a live push: what is written down of it, whoever has served its line.

use super::{Carried, Sent, Standing};
use crate::egress::push::Watch;
use crate::egress::status::PushStatus;
use crate::relay::{LeftOut, Mode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// So long after it was last spared something a target is said to be slow: one that just takes a part of its stream goes to and fro.
const SLOW_SHOWN: Duration = Duration::from_secs(10);

/// Where what is known of one attempt goes: the push's figures, and whoever watches.
pub struct Ledger {
    status: Arc<PushStatus>,
    watch: Arc<dyn Watch>,
    /// The stream's repairs when the push began, attempts before this one included.
    repairs_before: u64,
    /// The status's figures when this attempt went live.
    before: Before,
    /// When the bitrate was last told, in milliseconds, and the bytes of all attempts then.
    second: (u64, u64),
    /// What the target was last given less than all, and when.
    slow: Option<(Mode, Duration)>,
}

/// What the attempts before this one have left in a push's figures.
struct Before {
    bytes: u64,
    frames: u64,
    left_out: LeftOut,
    late: u64,
}

impl Ledger {
    /// That of an attempt whose target takes media from now on; the stream had repaired so many timestamps when the push began.
    pub fn new(status: Arc<PushStatus>, watch: Arc<dyn Watch>, repairs_before: u64) -> Self {
        let figures = &status.figures;
        let before = Before {
            bytes: figures.bytes.load(Ordering::Relaxed),
            frames: figures.frames.load(Ordering::Relaxed),
            left_out: figures.left_out(),
            late: figures.late.load(Ordering::Relaxed),
        };
        Self {
            second: (0, before.bytes),
            before,
            status,
            watch,
            repairs_before,
            slow: None,
        }
    }

    /// The task has sent this.
    pub(super) fn sent(&self, sent: Sent, carried: Carried) {
        self.watch.sent(sent.bytes, sent.writes);
        self.carried(carried);
    }

    /// How far behind the target is, and whether it is slow.
    pub(super) fn lag(&mut self, standing: &Standing, now: Duration) {
        let lag_ms = &self.status.figures.lag_ms;
        lag_ms.store(standing.lag.ms, Ordering::Relaxed);
        let was_slow = self.slow.is_some();
        self.slow = match standing.mode {
            Mode::All => self.slow.filter(|(_, last)| now - *last < SLOW_SHOWN),
            mode => Some((mode, now)),
        };
        self.status.slow(self.slow.map(|(mode, _)| mode));
        match (was_slow, self.slow.is_some()) {
            (false, true) => {
                let lag = Duration::from_millis(standing.lag.ms);
                self.watch.slow(&self.status, standing.mode, lag);
            }
            (true, false) => self.watch.caught_up(&self.status),
            _ => {}
        }
    }

    /// The figures of a look, of which there is one a second.
    pub(super) fn figures(&mut self, standing: &Standing, now: Duration) {
        let figures = &self.status.figures;
        let set = |figure: &AtomicU64, value| figure.store(value, Ordering::Relaxed);
        if let Some(rtt) = standing.rtt {
            set(
                &figures.rtt_us,
                u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX),
            );
        }
        set(&figures.repaired, standing.repairs - self.repairs_before);
        set(&figures.late, self.before.late + standing.late);
        let mut left_out = self.before.left_out;
        left_out += standing.left_out;
        let lately = left_out.since(figures.left_out());
        figures.leave_out(left_out);
        self.watch
            .looked(Duration::from_millis(standing.lag.ms), lately);
        let bytes = self.carried(standing.carried);
        let (millis_before, bytes_before) = self.second;
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        if let Some(bits) = (8000 * (bytes - bytes_before)).checked_div(millis - millis_before) {
            set(&figures.bitrate, bits);
            self.second = (millis, bytes);
        }
    }

    /// Writes down what was sent so far; gives the bytes of all attempts.
    fn carried(&self, carried: Carried) -> u64 {
        let figures = &self.status.figures;
        let bytes = self.before.bytes + carried.bytes;
        figures.bytes.store(bytes, Ordering::Relaxed);
        let frames = self.before.frames + carried.frames;
        figures.frames.store(frames, Ordering::Relaxed);
        bytes
    }
}
