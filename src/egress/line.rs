//! A line: the connection of one live target, its place in the stream, and who serves it.
//!
//! A target that keeps up is served on the producer's turn: one write a beat, and nobody is woken. Where its socket takes no
//! more, or it has to be given something of its own, the push's task serves it until it has caught up again.

mod ends;
mod round_trip;

use super::composed::Composed;
use super::transport::Wire;
use crate::relay::{Consumer, Lag, LeftOut, Mode, Recycle};
use crate::rtmp::session::client::MediaFraming;
use bytes::BytesMut;
use ends::Ends;
use std::io;
use std::ops::AddAssign;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

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
    pub(super) sent: Sent,
    /// All that was sent so far, by whomever.
    pub(super) carried: Carried,
    /// Set once all that the target is to have was sent.
    pub(super) through: Option<Through>,
}

/// Why nothing more is sent to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Through {
    /// The stream has ended.
    Ended,
    /// What follows is for another session.
    Recycle(Recycle),
}

/// What a line has carried so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    /// Bytes given to the connection.
    pub(super) bytes: u64,
    /// Coded frames among them, and in what still waits.
    pub(super) frames: u64,
}

/// How a line stands at one moment.
pub struct Standing {
    pub(super) carried: Carried,
    /// Which part of the stream the target is given.
    pub(super) mode: Mode,
    /// What it was not given.
    pub(super) left_out: LeftOut,
    /// Frames that it was given with a later time, so that it gets them in order.
    pub(super) late: u64,
    /// How far behind the stream's newest tag the peer's last acknowledgement is.
    pub(super) lag: Lag,
    /// The connection's round-trip time, where the kernel tells; some seconds old at the most.
    pub(super) rtt: Option<Duration>,
    pub(super) is_stalled: bool,
}

impl<W: Wire> Line<W> {
    /// A line that its push's task serves, up to the first time that it has caught up.
    pub fn new(wire: W, consumer: Consumer, framing: MediaFraming) -> Self {
        Self(Mutex::new(Some(Ends::new(wire, consumer, framing))))
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

    /// Looks at the connection, at a moment since the line began.
    pub fn look(&self, now: Duration) -> Option<Standing> {
        self.lock().as_mut().map(|ends| ends.look(now))
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
