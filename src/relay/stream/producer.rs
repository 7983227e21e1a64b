//! The producer's hold on a stream: who feeds it, who takes it over, and what becomes of it when it is let go.

use super::standby::{Seat, Standby};
use super::{Shared, Stream};
use crate::media::MediaKind;
use crate::relay::claim::{Claim, DuplicatePolicy};
use crate::relay::hold::{Arrival, End, Hold, Presence};
use crate::relay::hub::Hub;
use crate::relay::status::Losses;
use crate::rule::{Role, SourceKind};
use bytes::Bytes;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::Instant;

/// What became of another publisher's wish for a stream.
pub(in crate::relay) enum Handover {
    /// It has it.
    Taken(Producer),
    /// The one before keeps it.
    Kept,
    /// It is kept for the one before, which was lost.
    Awaited,
    /// The stream has ended, a moment ago.
    Ended,
}

impl Stream {
    /// The hold of the input that a new stream was made for.
    pub(in crate::relay) fn produce(
        self: &Arc<Self>,
        hub: &Arc<Hub>,
        arrival: Arrival,
    ) -> Producer {
        let shared = self.lock();
        let beside = shared.standby.as_ref().map(|standby| &standby.seat);
        self.producer(hub, arrival, beside.unwrap_or(&shared.seat))
    }

    fn producer(self: &Arc<Self>, hub: &Arc<Hub>, arrival: Arrival, seat: &Seat) -> Producer {
        Producer {
            stream: Arc::clone(self),
            hub: Arc::clone(hub),
            epoch: seat.epoch,
            arrival,
            input: seat.claim.input.as_ref().map(|input| input.kind),
            superseded: seat.superseded.subscribe(),
            end: End::Lost,
        }
    }

    /// Hands one of the stream's places to an input, if it may have it. The one before, or who waits for it, learns of it.
    pub(in crate::relay) fn hand_over(
        self: &Arc<Self>,
        hub: &Arc<Hub>,
        role: Role,
        claim: &Claim,
        duplicate: DuplicatePolicy,
    ) -> Handover {
        let producer = {
            let mut shared = self.lock();
            let arrival = match arrival(&shared, role, claim, duplicate) {
                Ok(arrival) => arrival,
                Err(kept) => return kept,
            };
            shared.epochs += 1;
            let seat = Seat::new(role, shared.epochs, claim.clone());
            let producer = self.producer(hub, arrival, &seat);
            let is_reserved = shared.hold.presence == Presence::Reserved;
            let goes_beside = (arrival == Arrival::Beside && !is_reserved)
                || (shared.standby.as_ref()).is_some_and(|standby| standby.seat.role == role);
            let before = if goes_beside {
                let before = shared.standby.replace(Standby::new(seat));
                before.map(|standby| standby.seat)
            } else {
                if arrival == Arrival::Takeover {
                    shared.intake.end_input(self.began.elapsed());
                }
                if !is_reserved {
                    shared.intake.begin_input();
                }
                self.change_hold(&mut shared, producer.epoch, Presence::Fed);
                Some(std::mem::replace(&mut shared.seat, seat))
            };
            if let Some(before) = before {
                before.superseded.send_replace(true);
            }
            producer
        };
        // What the one before has sent last may be new to those who read.
        self.deliver_at_once();
        self.appended.notify_waiters();
        Handover::Taken(producer)
    }

    /// An input was lost. Says whether the stream is to wait for its return: it is not where the other input goes on, where another one
    /// has taken its place, or where the stream has ended.
    pub(in crate::relay) fn vacate(&self, epoch: u64) -> bool {
        {
            let mut shared = self.lock();
            if self.leave_to_other(&mut shared, epoch) || !shared.is_held_by(epoch) {
                return false;
            }
            shared.intake.end_input(self.began.elapsed());
            self.change_hold(&mut shared, epoch, Presence::Away);
        }
        self.deliver_at_once();
        self.appended.notify_waiters();
        true
    }

    /// Ends the stream if it still belongs to this epoch, and to no other input; says whether it did.
    pub(in crate::relay) fn finish(&self, epoch: u64, end: End) -> bool {
        {
            let mut shared = self.lock();
            if self.leave_to_other(&mut shared, epoch) || !shared.is_held_by(epoch) {
                return false;
            }
            shared.intake.finish(self.began.elapsed());
            self.change_hold(&mut shared, epoch, Presence::Ended(end));
        }
        self.ended.cancel();
        self.appended.notify_waiters();
        true
    }

    /// Has the input of this epoch leave, where there is another one that the stream goes on with.
    fn leave_to_other(&self, shared: &mut Shared, epoch: u64) -> bool {
        let is_beside = |standby: &Standby| standby.seat.epoch == epoch;
        if shared.standby.as_ref().is_some_and(is_beside) {
            if shared.hold.presence == Presence::Reserved {
                // Nobody else is there: it leaves as who is on the air does.
                shared.raise(self.began.elapsed());
                self.change_hold(shared, epoch, Presence::Fed);
                return false;
            }
            shared.standby = None;
            return true;
        }
        if shared.standby.is_none() || !shared.is_held_by(epoch) {
            return false;
        }
        let now = self.began.elapsed();
        shared.intake.end_input(now);
        shared.raise(now);
        let epoch = shared.seat.epoch;
        self.change_hold(shared, epoch, Presence::Fed);
        true
    }

    fn change_hold(&self, shared: &mut Shared, epoch: u64, presence: Presence) {
        shared.hold = Hold { epoch, presence };
        self.hold.send_replace(shared.hold);
    }
}

/// How an input comes to its place, or why it does not.
fn arrival(
    shared: &Shared,
    role: Role,
    claim: &Claim,
    duplicate: DuplicatePolicy,
) -> Result<Arrival, Handover> {
    let standby = shared
        .standby
        .as_ref()
        .filter(|standby| standby.seat.role == role);
    let (seat, is_there) = match (shared.hold.presence, standby) {
        (Presence::Ended(_), _) => return Err(Handover::Ended),
        (_, Some(standby)) => (&standby.seat, true),
        (Presence::Fed, None) if shared.seat.role != role => return Ok(Arrival::Beside),
        (Presence::Reserved, None) => return Ok(Arrival::Beside),
        // The other one is waited for, and need not be any longer.
        (Presence::Away, None) if shared.seat.role != role => return Ok(Arrival::Return),
        (presence, None) => (&shared.seat, presence == Presence::Fed),
    };
    let is_same = seat.claim.credential == claim.credential;
    match is_there {
        true if duplicate == DuplicatePolicy::Reject || !is_same => Err(Handover::Kept),
        true => Ok(Arrival::Takeover),
        false if !is_same => Err(Handover::Awaited),
        false => Ok(Arrival::Return),
    }
}

/// A publisher's hold on a stream. Dropping it says that its connection was lost: the stream waits for its return as long as
/// [`Terms::grace`](crate::relay::Terms::grace) says, unless another publisher has taken it over.
pub struct Producer {
    stream: Arc<Stream>,
    hub: Arc<Hub>,
    epoch: u64,
    arrival: Arrival,
    input: Option<SourceKind>,
    superseded: watch::Receiver<bool>,
    end: End,
}

impl Producer {
    /// The stream that it feeds.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Takes the stream's lock for a batch; what it appends is given to targets by [`deliver`](Self::deliver). `None` when another
    /// publisher has taken over.
    pub fn batch(&self) -> Option<Batch<'_>> {
        self.batch_at(Instant::now())
    }

    /// The same for what has come at this moment.
    pub fn batch_at(&self, now: Instant) -> Option<Batch<'_>> {
        let mut shared = self.stream.lock();
        let is_beside = shared.hold.epoch != self.epoch;
        if is_beside && !shared.is_beside(self.epoch) {
            return None;
        }
        if !is_beside {
            shared.intake.ring.begin_window();
        }
        Some(Batch {
            is_beside,
            before: Losses {
                drops: shared.intake.figures.drops,
                repairs: *shared.intake.timeline.repairs(),
            },
            shared: Some(shared),
            stream: &self.stream,
            now: now - self.stream.began,
            bytes: 0,
        })
    }

    /// Gives what was appended since the last time to the stream's targets, as far as they can take it now. Other tasks of the
    /// runtime get their turn in between where a stream has many.
    pub async fn deliver(&self) {
        self.stream.show(yield_now).await;
    }

    /// Completes when the stream is taken over, or its publisher is told to go.
    pub fn superseded(&self) -> impl Future<Output = ()> + use<> {
        let mut superseded = self.superseded.clone();
        async move {
            // The sender lives in the stream, or has sent `true` when it was replaced.
            let _ = superseded.wait_for(|&gone| gone).await;
        }
    }

    /// Whether [`superseded`](Self::superseded) has completed.
    pub fn is_superseded(&self) -> bool {
        // It is told so once. A look whether it was told locks nothing, which a look at what it was told does.
        self.superseded.has_changed().unwrap_or(true)
    }

    /// How this publisher came.
    pub fn arrival(&self) -> Arrival {
        self.arrival
    }

    /// The kind of the input that it feeds, where one was put; none for a plain publisher.
    pub fn input(&self) -> Option<SourceKind> {
        self.input
    }

    /// Whether another publisher has the stream now.
    pub fn is_replaced(&self) -> bool {
        let shared = self.stream.lock();
        shared.hold.epoch != self.epoch && !shared.is_beside(self.epoch)
    }

    /// Ends the stream, unless it is another publisher's: all that was sent is delivered, and nobody is waited for.
    pub fn finish(mut self) {
        self.end = End::Clean;
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        match self.end {
            End::Clean => self.hub.end(&self.stream, self.epoch, End::Clean),
            End::Lost => self.hub.lose(&self.stream, self.epoch, &self.superseded),
        }
    }
}

/// A stretch of tags that are appended under one lock.
pub struct Batch<'a> {
    shared: Option<MutexGuard<'a, Shared>>,
    /// Whether the input stands by.
    is_beside: bool,
    stream: &'a Stream,
    now: Duration,
    before: Losses,
    /// Of payload that was pushed.
    bytes: u64,
}

impl Batch<'_> {
    /// What was left out, and which timestamps were repaired, since the batch began; none where all is well.
    pub fn losses(&self) -> Option<Losses> {
        let intake = &self.shared.as_ref()?.intake;
        let (drops, repairs) = (&intake.figures.drops, intake.timeline.repairs());
        if *drops == self.before.drops && *repairs == self.before.repairs {
            return None;
        }
        Some(Losses {
            drops: drops.since(self.before.drops),
            repairs: repairs.since(&self.before.repairs),
        })
    }

    /// Whether the publisher's clock jumps so often that its connection should be ended; see
    /// [`Timeline::is_erratic`](crate::media::timeline::Timeline::is_erratic).
    pub fn is_erratic(&self) -> bool {
        let shared = self.shared.as_ref();
        let is_erratic = |shared: &Shared| shared.intake.timeline.is_erratic(self.now);
        // The timeline is that of the input on the air.
        !self.is_beside && shared.is_some_and(|shared| is_erratic(shared))
    }

    /// Appends one message with its wire timestamp.
    pub fn push(&mut self, kind: MediaKind, wire: u32, payload: Bytes) {
        let Some(shared) = &mut self.shared else {
            return;
        };
        self.bytes += payload.len() as u64;
        if !self.is_beside {
            shared.intake.push(kind, wire, payload, self.now);
        } else if shared.take_beside(kind, wire, payload, self.now) {
            self.is_beside = false;
            let epoch = shared.seat.epoch;
            self.stream.change_hold(shared, epoch, Presence::Fed);
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.count(self.is_beside, self.bytes);
        }
        // The lock goes first: those who are woken want it.
        self.shared = None;
        self.stream.appended.notify_waiters();
    }
}
