//! A live stream: one producer, any number of consumers, and the ring between them.

mod consumer;
mod producer;
mod standby;

use consumer::Reading;
pub use consumer::{Consumer, Drained};
pub(super) use producer::Handover;
pub use producer::{Batch, Producer};
pub use standby::InputSight;

use super::claim::Claim;
use super::cursor::{Cursor, stamp};
use super::headers::Headers;
use super::hold::{End, Hold, Presence};
use super::intake::Intake;
use super::outflow::{Fresh, Outflow};
use super::ring::RingLimits;
use super::status::StreamSnapshot;
use crate::media::Tag;
use crate::media::timeline::GapPolicy;
use crate::rule::{Role, StreamKey};
use futures::FutureExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use standby::{Seat, Standby};

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
    /// Consumers that read the ring in their own time.
    readers: AtomicUsize,
    hold: watch::Sender<Hold>,
    appended: Notify,
    ended: CancellationToken,
}

struct Shared {
    intake: Intake,
    /// The place up to which the outflow was shown what was appended.
    delivered: u64,
    /// The same one delivery before.
    delivered_before: u64,
    /// The input on the air, or the one that is waited for.
    seat: Seat,
    /// The other one, while it is there.
    standby: Option<Standby>,
    /// The newest epoch that was given out.
    epochs: u64,
    hold: Hold,
}

impl Stream {
    pub(super) fn new(
        id: StreamId,
        key: StreamKey,
        role: Role,
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
                delivered_before: 0,
                seat: Seat::new(role, 0, claim),
                standby: None,
                epochs: 0,
                hold,
            }),
            outflow: OnceLock::new(),
            readers: AtomicUsize::new(0),
            hold: watch::Sender::new(hold),
            appended: Notify::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Has a stream that nothing was sent to begin with its other input: the one that it was made for stands by.
    pub(super) fn reserve_for_other(&mut self) {
        let shared = self.shared.get_mut();
        let shared = shared.unwrap_or_else(PoisonError::into_inner);
        shared.reserve_for_other();
        self.hold.send_replace(shared.hold);
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
        let shared = self.lock();
        let (now, intake) = (self.began.elapsed(), &shared.intake);
        let presence = shared.hold.presence;
        let is_there = !matches!(presence, Presence::Away | Presence::Reserved);
        StreamSnapshot {
            figures: intake.figures.at(now),
            publisher: is_there.then(|| shared.seat.publisher()),
            lost: (presence == Presence::Away).then(|| shared.seat.publisher()),
            standby: (shared.standby.as_ref()).map(|standby| standby.seat.publisher()),
            repairs: *intake.timeline.repairs(),
            symptoms: intake.timeline.symptoms(),
            jumps: intake.timeline.jumps(now),
            fed_for: (intake.figures.fed_since)
                .map_or(Duration::ZERO, |since| now.saturating_sub(since)),
            headers: Arc::clone(intake.ring.headers()),
            ring_bytes: intake.ring.bytes(),
            keyframe_interval_ms: intake.ring.gop_ms(),
            since_keyframe_ms: intake.ring.open_gop_ms(),
        }
    }

    /// From now on what is appended goes to this outflow, too. A stream keeps the first one that it is given.
    pub fn flow_to(&self, outflow: Arc<dyn Outflow>) {
        let _ = self.outflow.set(outflow);
    }

    /// Gives `sink` the tags of what is fresh with their time for a target whose first frame was at `base`; see
    /// [`Cursor`]. The stream's lock is held meanwhile. False where the ring has let go of some, which happens only
    /// where another publisher has filled it since.
    pub fn stamped(&self, fresh: &Fresh, base: i64, mut sink: impl FnMut(&Tag, u32)) -> bool {
        let shared = self.lock();
        let ring = &shared.intake.ring;
        if ring.first() > fresh.from() {
            return false;
        }
        let tags = (fresh.from()..fresh.end()).map_while(|place| ring.at(place));
        tags.for_each(|tag| sink(tag, stamp(tag.dts, base)));
        true
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

    /// Ends the holds of those who feed it: their connections learn of it and close, or they are not waited for any longer.
    pub fn kick(&self) {
        let shared = self.lock();
        shared.seat.superseded.send_replace(true);
        if let Some(standby) = &shared.standby {
            standby.seat.superseded.send_replace(true);
        }
    }

    /// Ends the hold of the input in one place: its connection learns of it and closes, or it is not waited for any longer.
    pub fn dismiss(&self, role: Role) {
        let shared = self.lock();
        let beside = shared.standby.as_ref().map(|standby| &standby.seat);
        for seat in [Some(&shared.seat), beside].into_iter().flatten() {
            if seat.role == role {
                seat.superseded.send_replace(true);
            }
        }
    }

    /// Which input is on the air, or was last.
    pub fn on_air(&self) -> Role {
        self.lock().seat.role
    }

    /// The inputs that are there: the one on the air first.
    pub fn sights(&self) -> Vec<InputSight> {
        let (shared, now) = (self.lock(), self.began.elapsed());
        let heard = shared.intake.figures.heard;
        let on_air = (shared.hold.presence == Presence::Fed).then(|| InputSight {
            role: shared.seat.role,
            silent_for: heard.map(|heard| now.saturating_sub(heard)),
            is_ready: !shared.intake.ring.wants_keyframe(),
        });
        let beside = shared.standby.as_ref();
        (on_air.into_iter())
            .chain(beside.map(|standby| standby.sight(now)))
            .collect()
    }

    /// Has the input that stands by take over at its next keyframe, where it has this role; or lets it stand by, with `None`.
    pub fn call(&self, role: Option<Role>) {
        if let Some(standby) = &mut self.lock().standby {
            standby.call(role == Some(standby.seat.role));
        }
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
            reading: Reading::default(),
            cursor: Cursor::new(lineup, clock),
            order: None,
        }
    }

    /// Shows the outflow what was appended since the last time; `between` comes between two parts of it.
    async fn show<P: Future<Output = ()>>(&self, between: impl Fn() -> P) {
        let has_readers = self.readers.load(Ordering::Relaxed) > 0;
        let fresh = self.lock().freshen(has_readers);
        let Some(outflow) = self.outflow.get() else {
            return;
        };
        let mut from = (!fresh.is_empty()).then_some(0);
        while let Some(at) = from {
            from = outflow.flow(self, &fresh, at);
            if from.is_some() {
                between().await;
            }
        }
    }

    /// What [`Producer::deliver`] does, in one go, for the few tags that had waited for a header when their publisher went.
    fn deliver_at_once(&self) {
        // With nothing to wait for in between, it is done at the first poll.
        let _ = self.show(|| std::future::ready(())).now_or_never();
    }

    /// A panic while the lock was held leaves the ring as it was between two tags: every step on it is whole.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// What was appended since the last time.
    fn freshen(&mut self, has_readers: bool) -> Fresh {
        let ring = &mut self.intake.ring;
        if !has_readers {
            ring.let_go(self.delivered_before);
        }
        self.delivered_before = self.delivered;
        let fresh = Fresh::of(ring, self.delivered.max(ring.first()));
        self.delivered = fresh.end();
        fresh
    }

    fn end(&self) -> Option<End> {
        match self.hold.presence {
            Presence::Ended(end) => Some(end),
            Presence::Fed | Presence::Away | Presence::Reserved => None,
        }
    }

    /// Whether it is still this publisher's, there or not.
    fn is_held_by(&self, epoch: u64) -> bool {
        self.hold.epoch == epoch && self.end().is_none()
    }
}
