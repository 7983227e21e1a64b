//! A live stream: one producer, any number of consumers, and the ring between them.

use super::cursor::{Cursor, Reached, Recycle};
use super::headers::Headers;
use super::hold::{Arrival, End, Hold, Presence};
use super::hub::{Claim, DuplicatePolicy, Hub};
use super::intake::Intake;
use super::outflow::{Fresh, Outflow};
use super::ring::RingLimits;
use super::status::{Drops, Publisher, StreamSnapshot};
use crate::media::timeline::{GapPolicy, Repairs};
use crate::media::{MediaKind, Tag};
use crate::rule::StreamKey;
use bytes::Bytes;
use futures::FutureExt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One life of a stream, from its first publisher to its end. The same name gets a new one next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub(super) u64);

impl StreamId {
    /// An id by number, for whoever plans without a hub.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// A live stream.
pub struct Stream {
    id: StreamId,
    key: StreamKey,
    home: Handle,
    began: Instant,
    since: SystemTime,
    shared: Mutex<Shared>,
    outflow: OnceLock<Arc<dyn Outflow>>,
    hold: watch::Sender<Hold>,
    appended: Notify,
    ended: CancellationToken,
}

struct Shared {
    intake: Intake,
    /// The place up to which the outflow was shown what was appended.
    delivered: u64,
    /// Room for what it is shown next.
    fresh: Fresh,
    claim: Claim,
    hold: Hold,
    superseded: watch::Sender<bool>,
}

impl Stream {
    pub(super) fn new(
        id: StreamId,
        key: StreamKey,
        claim: Claim,
        limits: RingLimits,
        gap: GapPolicy,
    ) -> Self {
        let hold = Hold {
            epoch: 0,
            presence: Presence::Fed,
        };
        Self {
            id,
            key,
            home: Handle::current(),
            began: Instant::now(),
            since: SystemTime::now(),
            shared: Mutex::new(Shared {
                intake: Intake::new(limits, gap),
                delivered: 0,
                fresh: Fresh::default(),
                claim,
                hold,
                superseded: watch::Sender::new(false),
            }),
            outflow: OnceLock::new(),
            hold: watch::Sender::new(hold),
            appended: Notify::new(),
            ended: CancellationToken::new(),
        }
    }

    /// This life's id.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Its name.
    pub fn key(&self) -> &StreamKey {
        &self.key
    }

    /// When it began.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// The runtime of its first publisher, where its targets are best run.
    pub fn home(&self) -> &Handle {
        &self.home
    }

    /// How it ended, once it has.
    pub fn end(&self) -> Option<End> {
        self.lock().end()
    }

    /// Who feeds it, now and whenever that changes.
    pub fn hold(&self) -> watch::Receiver<Hold> {
        self.hold.subscribe()
    }

    /// The headers in force now.
    pub fn headers(&self) -> Arc<Headers> {
        Arc::clone(self.lock().intake.ring.headers())
    }

    /// Timestamps that had to be repaired since the stream began.
    pub fn repairs(&self) -> u64 {
        self.lock().intake.timeline.repairs().total()
    }

    /// What can be seen of it at this moment.
    pub fn snapshot(&self) -> StreamSnapshot {
        let mut shared = self.lock();
        shared.intake.figures.roll(self.began.elapsed());
        let is_away = shared.hold.presence == Presence::Away;
        StreamSnapshot {
            figures: shared.intake.figures.clone(),
            publisher: (!is_away).then(|| Publisher {
                peer: shared.claim.peer,
                client: shared.claim.client.clone(),
            }),
            repairs: *shared.intake.timeline.repairs(),
            symptoms: shared.intake.timeline.symptoms(),
            ring_bytes: shared.intake.ring.bytes(),
            keyframe_interval_ms: shared.intake.ring.gop_ms(),
        }
    }

    /// From now on what is appended goes to this outflow, too. A stream keeps the first one that it is given.
    pub fn flow_to(&self, outflow: Arc<dyn Outflow>) {
        let _ = self.outflow.set(outflow);
    }

    /// Completes when the stream is appended to or ends. Create it, and `enable` it, before the [`Consumer::drain`] whose end
    /// it shall cover.
    pub fn appended(&self) -> Notified<'_> {
        self.appended.notified()
    }

    /// Whether there is something that a target can begin with.
    pub fn is_startable(&self) -> bool {
        self.lock().intake.ring.newest_start().is_some()
    }

    /// Completes once there is something that a target can begin with.
    pub async fn startable(&self) {
        loop {
            let appended = self.appended();
            tokio::pin!(appended);
            appended.as_mut().enable();
            if self.is_startable() {
                return;
            }
            appended.await;
        }
    }

    /// Completes once the stream has ended.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Ends the current publisher's hold: its connection learns of it and closes, or it is not waited for any longer.
    pub fn kick(&self) {
        self.lock().superseded.send_replace(true);
    }

    /// A consumer that begins at the newest keyframe, with its time at 0.
    pub fn consume(self: &Arc<Self>) -> Consumer {
        self.consume_from(0)
    }

    /// The same with its first frame's time at `clock`, in milliseconds. It is for a session that is begun with the codecs of now.
    pub fn consume_from(self: &Arc<Self>, clock: u32) -> Consumer {
        let lineup = self.lock().intake.ring.lineup();
        Consumer {
            stream: Arc::clone(self),
            cursor: Cursor::new(lineup, clock),
        }
    }

    pub(super) fn produce(self: &Arc<Self>, hub: &Arc<Hub>, arrival: Arrival) -> Producer {
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
    pub(super) fn hand_over(
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
    pub(super) fn vacate(&self, epoch: u64) -> bool {
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

    /// Shows the outflow what was appended since the last time; `between` comes between two parts of it.
    async fn show<P: Future<Output = ()>>(&self, between: impl Fn() -> P) {
        let Some(outflow) = self.outflow.get() else {
            return;
        };
        let fresh = self.lock().freshen();
        let mut from = (!fresh.is_empty()).then_some(0);
        while let Some(at) = from {
            from = outflow.flow(&fresh, at);
            if from.is_some() {
                between().await;
            }
        }
        self.lock().fresh = fresh.cleared();
    }

    /// What [`Producer::deliver`] does, in one go, for the few tags that had waited for a header when their publisher went.
    fn deliver_at_once(&self) {
        // With nothing to wait for in between, it is done at the first poll.
        let _ = self.show(|| std::future::ready(())).now_or_never();
    }

    fn change_hold(&self, shared: &mut Shared, epoch: u64, presence: Presence) {
        shared.hold = Hold { epoch, presence };
        self.hold.send_replace(shared.hold);
    }

    /// A panic while the lock was held leaves the ring as it was between two tags: every step on it is whole.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the stream if it still belongs to this epoch; says whether it did.
    pub(super) fn finish(&self, epoch: u64, end: End) -> bool {
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
}

impl Shared {
    /// What was appended since the last time.
    fn freshen(&mut self) -> Fresh {
        let mut fresh = std::mem::take(&mut self.fresh);
        let ring = &self.intake.ring;
        let from = self.delivered.max(ring.first());
        fresh.begin(from, ring.lineup());
        for place in from..ring.end() {
            if let Some(tag) = ring.at(place) {
                fresh.push(tag);
            }
        }
        self.delivered = ring.end();
        fresh
    }

    fn end(&self) -> Option<End> {
        match self.hold.presence {
            Presence::Ended(end) => Some(end),
            Presence::Fed | Presence::Away => None,
        }
    }

    /// Whether it is still this publisher's, there or not.
    fn is_held_by(&self, epoch: u64) -> bool {
        self.hold.epoch == epoch && self.end().is_none()
    }
}

/// What became of another publisher's wish for a stream.
pub(super) enum Handover {
    /// It has it.
    Taken(Producer),
    /// The one before keeps it.
    Kept,
    /// It is kept for the one before, which was lost.
    Awaited,
    /// The stream has ended, a moment ago.
    Ended,
}

/// A publisher's hold on a stream. Dropping it says that its connection was lost: the stream waits for its return as long as
/// [`Terms::grace`](super::Terms::grace) says, unless another publisher has taken it over.
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
            now: self.stream.began.elapsed(),
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
        *self.superseded.borrow()
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

/// A target's hold on a stream.
pub struct Consumer {
    stream: Arc<Stream>,
    cursor: Cursor,
}

/// Where a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// There is more right now.
    More,
    /// Nothing more until the stream is appended to.
    CaughtUp,
    /// Nothing more ever.
    Ended(End),
    /// What follows is for another session of the target.
    Recycle(Recycle),
}

impl Consumer {
    /// The stream that it reads.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Its time for what is fresh, where it is to be given all of that and nothing else; see [`Cursor::in_step`].
    pub fn in_step(&self, fresh: &Fresh) -> Option<i64> {
        self.cursor.in_step(fresh)
    }

    /// It was given what is fresh.
    pub fn keep_step(&mut self, fresh: &Fresh) {
        self.cursor.keep_step(fresh);
    }

    /// Gives `sink` the next tags with their time for this target; see [`Cursor::drain`]. The stream's lock is held meanwhile.
    pub fn drain(&mut self, budget: usize, sink: impl FnMut(&Tag, u32)) -> Drained {
        let shared = self.stream.lock();
        match (
            self.cursor.drain(&shared.intake.ring, budget, sink),
            shared.end(),
        ) {
            (Reached::Budget, _) => Drained::More,
            (Reached::Recycle(why), _) => Drained::Recycle(why),
            (Reached::End | Reached::NoStart, Some(end)) => Drained::Ended(end),
            (Reached::End | Reached::NoStart, None) => Drained::CaughtUp,
        }
    }

    /// How far behind the newest tag this target's next one is, in milliseconds.
    pub fn lag_ms(&self) -> u64 {
        self.cursor.lag_ms(&self.stream.lock().intake.ring)
    }

    /// The time of the stream's newest tag, in milliseconds.
    pub fn newest_dts(&self) -> Option<i64> {
        self.stream.lock().intake.ring.newest_dts()
    }

    /// Tags that this target could not be given because it fell too far behind.
    pub fn skipped(&self) -> u64 {
        self.cursor.skipped()
    }
}
