//! Both ends of a line: the target's place in the stream, its connection, what is between them, and who moves it along.

mod last;
mod standing;

use super::ledger::Ledger;
use super::round_trip::RoundTrip;
use super::{Carried, Did, Sent, Through};
use crate::egress::composed::{Composed, as_told};
use crate::egress::lag::Flight;
use crate::egress::transport::Wire;
use crate::media::Tag;
use crate::relay::limits::DRAIN_BYTES;
use crate::relay::{Consumer, Drained, Mode};
use crate::rtmp::chunk::Outbox;
use crate::rtmp::session::client::MediaFraming;
use bytes::BytesMut;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::io::poll_read_buf;

/// Slices of one vectored write: one that catches up fills several writes.
const SLICES_MAX: usize = 256;

/// Slices that are enough for a beat, which has some twenty. A place for a slice has to be cleared before it is filled, and clearing
/// all of the most would be a fifth of what the rest of such a write costs us.
const SLICES_OF_A_BEAT: usize = 32;

/// When less than this waits, in bytes, the next tags are taken from the ring: the socket never runs dry, and little that has
/// left the ring can go stale.
const LOW_WATER_BYTES: usize = 32 * 1024;

/// Both ends of a line, and what is between them.
#[repr(C)]
pub(in crate::egress) struct Ends<W> {
    served: Served,
    /// Bytes that the wire has taken since all of it was flushed: TLS may hold them back.
    unflushed: u64,
    framing: MediaFraming,
    frames: u64,
    consumer: Consumer,
    flight: Flight,
    wire: W,
    outbox: Outbox,
    /// Bytes given to the connection that no tag was queued for: what the session had to say.
    said: u64,
    round_trip: RoundTrip,
    /// Whether the socket took no more when it was last written to by the task.
    is_full: bool,
    /// Wakes the push's task.
    task: Waker,
    /// What a write on the producer's turn has met; the task finds out more.
    broken: Option<io::Error>,
    /// Runs out when the target is to have what its consumer waits with.
    due: Option<Pin<Box<Sleep>>>,
    began: Instant,
    ledger: Ledger,
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Served {
    /// The push's task, when the socket takes more.
    ByTask,
    /// Whoever has appended to the stream.
    OnTurn,
    /// The push's task, once something was appended, or what its consumer waits with is due.
    ByTaskLater,
    /// Nobody any more: the target has stalled, and its task ends it.
    ByNobody,
}

impl<W: Wire> Ends<W> {
    /// Ends that the task serves, with nothing between them.
    pub(super) fn new(wire: W, consumer: Consumer, framing: MediaFraming, ledger: Ledger) -> Self {
        Self {
            framing,
            consumer,
            wire,
            served: Served::ByTask,
            unflushed: 0,
            flight: Flight::new(Duration::ZERO),
            frames: 0,
            outbox: Outbox::new(framing.chunk_size),
            said: 0,
            round_trip: RoundTrip::default(),
            is_full: false,
            task: Waker::noop().clone(),
            broken: None,
            due: None,
            began: Instant::now(),
            ledger,
        }
    }

    /// See [`Line::flow`](super::Line::flow).
    pub(super) fn flow(&mut self, composed: &mut Composed<'_>) -> Sent {
        match self.served {
            Served::OnTurn => {}
            Served::ByTask | Served::ByNobody => return Sent::default(),
            Served::ByTaskLater => {
                self.hand_over();
                return Sent::default();
            }
        }
        match self.send(composed) {
            Ok((sent, true)) => sent,
            Ok((sent, false)) => {
                self.hand_over();
                sent
            }
            Err(error) => {
                self.broken = Some(error);
                self.hand_over();
                Sent::default()
            }
        }
    }

    /// See [`Line::poll_work`](super::Line::poll_work).
    pub(super) fn poll_work(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut BytesMut,
    ) -> Poll<io::Result<Did>> {
        let read = match self.poll_read(cx, inbox)? {
            Poll::Ready(count) => Some(count),
            Poll::Pending => None,
        };
        let (sent, through) = match (self.work(cx), read) {
            (Ok(None), None) => return Poll::Pending,
            (Ok(worked), _) => worked.unwrap_or_default(),
            (Err(error), None) => return Poll::Ready(Err(error)),
            // What was read is judged first.
            (Err(error), Some(_)) => {
                self.broken = Some(error);
                Default::default()
            }
        };
        if sent.writes > 0 {
            self.ledger.sent(sent, self.carried());
        }
        Poll::Ready(Ok(Did { read, through }))
    }

    /// Reads what the target says.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        poll_read_buf(Pin::new(&mut self.wire), cx, inbox)
    }

    /// See [`Line::say`](super::Line::say).
    pub(super) fn say(&mut self, chunks: &[u8]) {
        if !chunks.is_empty() {
            self.outbox.push_control(chunks);
            self.said += chunks.len() as u64;
            self.take();
        }
    }

    /// See [`Line::break_off`](super::Line::break_off).
    pub(super) fn break_off(&mut self) {
        self.broken = Some(io::Error::other("a fault of the gateway's own"));
        self.hand_over();
    }

    /// The task serves them from here on.
    pub(super) fn take(&mut self) {
        self.serve(Served::ByTask);
    }

    fn serve(&mut self, served: Served) {
        self.served = served;
        match served {
            Served::OnTurn | Served::ByTaskLater => self.consumer.attend(),
            Served::ByTask | Served::ByNobody => self.consumer.read_by_itself(),
        }
    }

    fn hand_over(&mut self) {
        self.take();
        self.task.wake_by_ref();
    }

    /// Sends what is fresh; says whether nothing is left to be done.
    fn send(&mut self, composed: &mut Composed<'_>) -> io::Result<(Sent, bool)> {
        if let Some(base) = self.consumer.in_step(composed.fresh())
            && composed.compose_for(base, self.framing)
        {
            return self.send_composed(composed, base);
        }
        let drained = self.refill();
        let task = self.task.clone();
        let sent = self.write(&mut Context::from_waker(&task))?;
        Ok((sent, drained == Drained::CaughtUp && self.is_empty()))
    }

    /// Sends what all that are in step get, in one write. What the socket does not take of it is queued.
    fn send_composed(
        &mut self,
        composed: &mut Composed<'_>,
        base: i64,
    ) -> io::Result<(Sent, bool)> {
        let given = self.wire.plain().and_then(|socket| composed.give(socket));
        let (fresh, bytes) = (composed.fresh(), composed.bytes());
        let written = match given.unwrap_or_else(|| self.wire.try_write(bytes)) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => written,
            // The target still stands in front of all of it.
            Err(error) if is_later(&error) => return Ok((Sent::default(), false)),
            Err(error) => return Err(error),
        };
        self.consumer.keep_step(fresh);
        self.count(bytes.len(), fresh.frames(), fresh.newest_dts());
        if written < bytes.len() {
            let (outbox, framing) = (&mut self.outbox, self.framing);
            if composed.stamped(base, |tag, at| push_tag(outbox, framing, tag, at)) {
                outbox.advance(written);
            } else {
                // What has begun is ended, from wherever it can be had.
                outbox.push_control(bytes.get(written..).unwrap_or_default());
            }
        }
        self.unflushed = match self.wire.try_flush()? {
            true => 0,
            false => written as u64,
        };
        let sent = Sent {
            bytes: written,
            writes: 1,
        };
        // Nothing waited before.
        Ok((sent, written == bytes.len() && self.unflushed == 0))
    }

    /// What the task does where it serves the line; none where there is nothing to be done now.
    fn work(&mut self, cx: &mut Context<'_>) -> io::Result<Option<(Sent, Option<Through>)>> {
        self.task.clone_from(cx.waker());
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        match self.served {
            Served::OnTurn => return Ok(None),
            Served::ByNobody => return Ok(Some((Sent::default(), Some(Through::Stalled)))),
            Served::ByTask => {}
            Served::ByTaskLater => {
                if !self.is_due(cx) {
                    return Ok(None);
                }
                self.take();
            }
        }
        let drained = self.refill();
        let was_unflushed = self.unflushed > 0;
        let sent = self.write(cx)?;
        let mut through = None;
        if self.is_empty() {
            match drained {
                Drained::CaughtUp => self.rest(cx),
                Drained::More => {}
                Drained::Ended(_) => through = Some(Through::Ended),
                Drained::Recycle(why) => through = Some(Through::Recycle(why)),
            }
        }
        let flushed = was_unflushed && self.unflushed == 0;
        let did = sent.writes > 0 || flushed || through.is_some();
        Ok(did.then_some((sent, through)))
    }

    /// Leaves the line to whoever appends; where it is given its tags in order, to the task's next turn.
    fn rest(&mut self, cx: &mut Context<'_>) {
        if !self.consumer.is_in_order() {
            // One that is not given all stays with its task: the producer's turn is for those that are.
            if self.consumer.mode() == Mode::All {
                self.serve(Served::OnTurn);
            }
            return;
        }
        self.serve(Served::ByTaskLater);
        self.due = (self.consumer.due()).map(|due| Box::pin(sleep_until(due)));
        if self.is_due(cx) {
            cx.waker().wake_by_ref();
        }
    }

    /// Whether the target is to have what its consumer waits with; the task is woken then.
    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let due = self.due.as_mut();
        due.is_some_and(|due| due.as_mut().poll(cx).is_ready())
    }

    /// Takes from the ring what the target is to have next.
    fn refill(&mut self) -> Drained {
        let before = self.outbox.len_bytes();
        let (room, budget) = self.room();
        if before >= room {
            return Drained::More;
        }
        let (mut newest, mut frames) = (None, 0);
        let (outbox, framing) = (&mut self.outbox, self.framing);
        let drained = self.consumer.drain(budget, |tag, at| {
            newest = Some(tag.dts);
            frames += u64::from(tag.shape.class.is_frame());
            push_tag(outbox, framing, tag, at);
        });
        self.count(self.outbox.len_bytes() - before, frames, newest);
        drained
    }

    /// Below how many bytes that wait the next tags are taken from the ring, and how many bytes of them.
    fn room(&self) -> (usize, usize) {
        match (self.consumer.mode(), self.is_full) {
            // Sound is little, and all of it is wanted: it does not wait in the ring until that goes on without it.
            (Mode::AudioUntilKeyframe, _) => (DRAIN_BYTES, LOW_WATER_BYTES),
            // What is taken now can be left out no more.
            (_, true) => (LOW_WATER_BYTES, LOW_WATER_BYTES),
            (_, false) => (LOW_WATER_BYTES, DRAIN_BYTES),
        }
    }

    fn count(&mut self, bytes: usize, frames: u64, newest: Option<i64>) {
        self.frames += frames;
        if let Some(newest) = newest {
            self.flight.queued(bytes, newest);
        }
    }

    /// Writes as much of what waits as is taken now.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<Sent> {
        let mut sent = Sent::default();
        self.is_full = false;
        while !self.outbox.is_empty() && sent.bytes < DRAIN_BYTES {
            let written = if self.outbox.slices_at_most() <= SLICES_OF_A_BEAT {
                self.poll_write::<SLICES_OF_A_BEAT>(cx)?
            } else {
                self.poll_write::<SLICES_MAX>(cx)?
            };
            match written {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => {
                    self.outbox.advance(written);
                    self.unflushed += written as u64;
                    sent.bytes += written;
                    sent.writes += 1;
                }
                Poll::Pending => {
                    self.is_full = true;
                    break;
                }
            }
        }
        if self.unflushed > 0
            && self.outbox.is_empty()
            && Pin::new(&mut self.wire).poll_flush(cx)?.is_ready()
        {
            self.unflushed = 0;
        }
        Ok(sent)
    }

    /// One vectored write of so many slices at the most.
    fn poll_write<const SLICES: usize>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.outbox.slices(&mut slices);
        let filled = slices.get(..count).unwrap_or_default();
        Pin::new(&mut self.wire).poll_write_vectored(cx, filled)
    }

    /// Whether the kernel has all that was taken from the ring.
    fn is_empty(&self) -> bool {
        self.outbox.is_empty() && self.unflushed == 0
    }

    fn carried(&self) -> Carried {
        let queued = self.flight.queued_bytes() + self.said;
        Carried {
            bytes: queued - self.outbox.len_bytes() as u64,
            frames: self.frames,
        }
    }

    pub(in crate::egress) fn into_wire(self) -> W {
        self.wire
    }
}

/// Whether the connection only takes nothing now.
fn is_later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// One tag as the target gets it: header bytes of its own, the payload shared.
fn push_tag(outbox: &mut Outbox, framing: MediaFraming, tag: &Tag, at: u32) {
    let payload = match as_told(tag) {
        Some(told) => told.into(),
        None => tag.payload.clone(),
    };
    // The chunk reader bounds a message far below 4 GiB.
    let length = payload.len() as u32;
    outbox.push(framing.header(tag.shape.track.kind, at, length), payload);
}
