//! How the ends of a line stand, and what follows from that for who serves them.

use super::{Ends, Served};
use crate::egress::line::Standing;
use crate::egress::transport::Wire;
use crate::relay::Mode;
use std::time::Duration;
use tokio::time::Instant;

impl<W: Wire> Ends<W> {
    /// See [`Line::look`](crate::egress::line::Line::look).
    pub(in crate::egress::line) fn look(&mut self, now: Instant) -> bool {
        let standing = self.look_closely(now);
        self.ledger.figures(&standing, now - self.began);
        standing.is_behind()
    }

    /// See [`Line::look_closely`](crate::egress::line::Line::look_closely).
    pub(in crate::egress::line) fn look_closely(&mut self, now: Instant) -> Standing {
        let now = now - self.began;
        let standing = self.standing(now);
        self.ledger.lag(&standing, now);
        if self.flight.is_stalled(now) {
            self.serve(Served::ByNobody);
        } else if standing.mode != Mode::All {
            self.serve(Served::ByTask);
        }
        // What follows from the look is the task's to do.
        if matches!(self.served, Served::ByTask | Served::ByNobody) {
            self.task.wake_by_ref();
        }
        standing
    }

    fn standing(&mut self, now: Duration) -> Standing {
        // A write that returned has reached TLS or the kernel, and not the target.
        let in_kernel = self.wire.unacked_bytes().unwrap_or(0);
        let in_tls = self.wire.held_bytes(self.unflushed);
        let waiting = self.outbox.len_bytes() as u64 + in_tls + in_kernel;
        self.flight.outstanding(waiting, now);
        let lag = self.consumer.observe(self.flight.oldest(), waiting, now);
        Standing {
            carried: self.carried(),
            mode: self.consumer.mode(),
            left_out: self.consumer.left_out(),
            lag,
            late: self.consumer.late(),
            rtt: self.round_trip.at(now, &self.wire),
            repairs: self.consumer.stream().repairs(),
        }
    }
}
