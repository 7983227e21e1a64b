//! A line: the connection of one live target, its place in the stream, and who serves it.
//!
//! A target that keeps up is served on the producer's turn: one write a beat, and nobody is woken. Where its socket takes no
//! more, or it has to be given something of its own, the push's task serves it until it has caught up again.

mod ends;
mod ledger;
mod round_trip;

use super::composed::Composed;
use super::transport::Wire;
use crate::relay::limits::LAG_CALM_MS;
use crate::relay::{Consumer, Lag, LeftOut, Mode, Recycle};
use crate::rtmp::session::client::MediaFraming;
use bytes::BytesMut;
use ends::Ends;
pub use ledger::Ledger;
use std::io;
use std::ops::AddAssign;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// One target's line, shared by the push's task and the stream's fan-out.
///
/// A beat meets it cold: what it was last time has left the processor's caches. So what a beat touches lies together, at the
/// beginning of a cache line.
#[repr(align(128))]
pub struct Line<W>(Mutex<Option<Ends<W>>>);

/// What was given to a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub(super) bytes: usize,
    /// Writes that it took.
    pub(super) writes: u32,
}

impl AddAssign for Sent {
    fn add_assign(&mut self, more: Self) {
        self.bytes += more.bytes;
        self.writes += more.writes;
    }
}

/// What one turn of a push's task brought.
pub struct Did {
    /// The bytes that came, if any did; 0 is the target's end.
    pub(super) read: Option<usize>,
    /// Set once nothing more is sent.
    pub(super) through: Option<Through>,
}

/// Why nothing more is sent to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Through {
    /// The stream has ended.
    Ended,
    /// What follows is for another session.
    Recycle(Recycle),
    /// Bytes have waited for too long without one being acknowledged.
    Stalled,
}

/// What a line has carried so far.
#[derive(Clone, Copy, Debug)]
struct Carried {
    /// Bytes given to the connection.
    bytes: u64,
    /// Coded frames among them, and in what still waits.
    frames: u64,
}

/// How a line stands at one moment.
struct Standing {
    carried: Carried,
    /// Which part of the stream the target is given.
    mode: Mode,
    /// What it was not given.
    left_out: LeftOut,
    /// Frames that it was given with a later time, so that it gets them in order.
    late: u64,
    /// How far behind the stream's newest tag the peer's last acknowledgement is.
    lag: Lag,
    /// The connection's round-trip time, where the kernel tells; some seconds old at the most.
    rtt: Option<Duration>,
    /// Timestamps that its stream has repaired so far.
    repairs: u64,
}

impl Standing {
    fn is_behind(&self) -> bool {
        self.mode != Mode::All || self.lag.ms > LAG_CALM_MS
    }
}

impl<W: Wire> Line<W> {
    /// A line that its push's task serves, up to the first time that it has caught up.
    pub fn new(wire: W, consumer: Consumer, framing: MediaFraming, ledger: Ledger) -> Self {
        Self(Mutex::new(Some(Ends::new(wire, consumer, framing, ledger))))
    }

    /// On the producer's turn: sends what is fresh, where the target is served so.
    pub(super) fn flow(&self, composed: &mut Composed<'_>) -> Sent {
        (self.lock().as_mut()).map_or_else(Sent::default, |ends| ends.flow(composed))
    }

    /// On the task's turn: reads what has come and, where it serves the line, writes what waits. Neither waits for the other: a
    /// target that never stops talking gets its media, and one that takes none is heard.
    pub fn poll_work(&self, cx: &mut Context<'_>, inbox: &mut BytesMut) -> Poll<io::Result<Did>> {
        match &mut *self.lock() {
            Some(ends) => ends.poll_work(cx, inbox),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Reads on where writing has failed.
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        inbox: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        match &mut *self.lock() {
            Some(ends) => ends.poll_read(cx, inbox),
            None => Poll::Ready(Ok(0)),
        }
    }

    /// Queues chunks of the session, between two messages; the task sends them.
    pub(super) fn say(&self, chunks: &[u8]) {
        if let Some(ends) = &mut *self.lock() {
            ends.say(chunks);
        }
    }

    /// A fault of the gateway's own has left it as it is: its task ends it.
    pub(super) fn break_off(&self) {
        if let Some(ends) = &mut *self.lock() {
            ends.break_off();
        }
    }

    /// The task serves the line from here on, until it has caught up.
    pub(super) fn take(&self) {
        if let Some(ends) = &mut *self.lock() {
            ends.take();
        }
    }

    /// The look of every second: how far behind the target is and whether anything moves at all. It is written down; where it finds
    /// something for the task to do, that is woken. Says whether the target is behind.
    pub fn look(&self, now: Instant) -> bool {
        self.lock().as_mut().is_some_and(|ends| ends.look(now))
    }

    /// A look between those of every second, at a target that is behind; says whether it still is.
    pub(super) fn look_closely(&self, now: Instant) -> bool {
        (self.lock().as_mut()).is_some_and(|ends| ends.look_closely(now).is_behind())
    }

    /// Takes the line apart; nothing flows any more.
    pub(super) fn close(&self) -> Option<Ends<W>> {
        self.lock().take()
    }

    /// Every step on a line is whole, so one that panicked leaves it usable.
    fn lock(&self) -> MutexGuard<'_, Option<Ends<W>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
