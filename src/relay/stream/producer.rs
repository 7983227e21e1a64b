//! The producer's hold on a stream: who feeds it, who takes it over, and what becomes of it when it is let go.

use super::{Shared, Stream};
use crate::media::MediaKind;
use crate::media::timeline::Repairs;
use crate::relay::hold::{Arrival, End, Hold, Presence};
use crate::relay::hub::{Claim, DuplicatePolicy, Hub};
use crate::relay::status::Drops;
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
    pub(in crate::relay) fn produce(
        self: &Arc<Self>,
        hub: &Arc<Hub>,
        arrival: Arrival,
    ) -> Producer {
        let shared = self.lock();
        Producer {
            stream: Arc::clone(self),
            hub: Arc::clone(hub),
            epoch: shared.hold.epoch,
            arrival,
            superseded: shared.superseded.subscribe(),
            end: End::Lost,
        }
    }

    /// Hands the stream to another publisher, if it may have it. The one before, or who waits for it, learns of it.
    pub(in crate::relay) fn hand_over(
        self: &Arc<Self>,
        hub: &Arc<Hub>,
        claim: &Claim,
        duplicate: DuplicatePolicy,
    ) -> Handover {
        let arrival = {
            let mut shared = self.lock();
            let arrival = match shared.hold.presence {
                Presence::Ended(_) => return Handover::Ended,
                Presence::Fed if duplicate == DuplicatePolicy::Reject => return Handover::Kept,
                Presence::Fed => Arrival::Takeover,
                Presence::Away => Arrival::Return,
            };
            if shared.claim.credential != claim.credential {
                return match arrival {
                    Arrival::Return => Handover::Awaited,
                    Arrival::New | Arrival::Takeover => Handover::Kept,
                };
            }
            if arrival == Arrival::Takeover {
                shared.intake.end_input(self.began.elapsed());
            }
            shared.claim = claim.clone();
            shared.intake.begin_input();
            let epoch = shared.hold.epoch + 1;
            self.change_hold(&mut shared, epoch, Presence::Fed);
            let before = std::mem::replace(&mut shared.superseded, watch::Sender::new(false));
            before.send_replace(true);
            arrival
        };
        // What the one before has sent last may be new to those who read.
        self.deliver_at_once();
        self.appended.notify_waiters();
        Handover::Taken(self.produce(hub, arrival))
    }

    /// The publisher's connection was lost. Says whether the stream is to wait for its return: it is not where another one has
    /// taken over, or where it has ended.
    pub(in crate::relay) fn vacate(&self, epoch: u64) -> bool {
        {
            let mut shared = self.lock();
            if !shared.is_held_by(epoch) {
                return false;
            }
            shared.intake.end_input(self.began.elapsed());
            self.change_hold(&mut shared, epoch, Presence::Away);
        }
        self.deliver_at_once();
        self.appended.notify_waiters();
        true
    }

    /// Ends the stream if it still belongs to this epoch; says whether it did.
    pub(in crate::relay) fn finish(&self, epoch: u64, end: End) -> bool {
        {
            let mut shared = self.lock();
            if !shared.is_held_by(epoch) {
                return false;
            }
            shared.intake.finish(self.began.elapsed());
            self.change_hold(&mut shared, epoch, Presence::Ended(end));
        }
        self.ended.cancel();
        self.appended.notify_waiters();
        true
    }

    fn change_hold(&self, shared: &mut Shared, epoch: u64, presence: Presence) {
        shared.hold = Hold { epoch, presence };
        self.hold.send_replace(shared.hold);
    }
}

/// A publisher's hold on a stream. Dropping it says that its connection was lost: the stream waits for its return as long as
/// [`Terms::grace`](crate::relay::Terms::grace) says, unless another publisher has taken it over.
pub struct Producer {
    stream: Arc<Stream>,
    hub: Arc<Hub>,
    epoch: u64,
    arrival: Arrival,
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
        if shared.hold.epoch != self.epoch {
            return None;
        }
        shared.intake.ring.begin_window();
        Some(Batch {
            before: (
                shared.intake.figures.drops,
                *shared.intake.timeline.repairs(),
            ),
            shared: Some(shared),
            stream: &self.stream,
            now: now - self.stream.began,
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

    /// Whether another publisher has the stream now.
    pub fn is_replaced(&self) -> bool {
        self.stream.lock().hold.epoch != self.epoch
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
    stream: &'a Stream,
    now: Duration,
    before: (Drops, Repairs),
}

impl Batch<'_> {
    /// What was left out, and how many timestamps were repaired, since the batch began.
    pub fn losses(&self) -> (Drops, Repairs) {
        let Some(shared) = &self.shared else {
            return Default::default();
        };
        let (drops, repairs) = self.before;
        (
            shared.intake.figures.drops.since(drops),
            shared.intake.timeline.repairs().since(&repairs),
        )
    }

    /// Whether the publisher's clock jumps so often that its connection should be ended; see
    /// [`Timeline::is_erratic`](crate::media::timeline::Timeline::is_erratic).
    pub fn is_erratic(&self) -> bool {
        let shared = self.shared.as_ref();
        shared.is_some_and(|shared| shared.intake.timeline.is_erratic(self.now))
    }

    /// Appends one message with its wire timestamp.
    pub fn push(&mut self, kind: MediaKind, wire: u32, payload: Bytes) {
        if let Some(shared) = &mut self.shared {
            shared.intake.push(kind, wire, payload, self.now);
        }
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        // The lock goes first: those who are woken want it.
        self.shared = None;
        self.stream.appended.notify_waiters();
    }
}
