//! The hub: which streams are live, and who may publish them.

use super::bars::Bars;
use super::claim::{Claim, ClaimRefused, DuplicatePolicy};
use super::grace;
use super::hold::{Arrival, End};
use super::limits::STREAMS_MAX;
use super::ring::RingLimits;
use super::stream::{Handover, Producer, Stream, StreamId};
use super::watch::{Unwatched, Watch};
use crate::media::timeline::GapPolicy;
use crate::rule::{Role, StreamKey};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What holds for streams, and may change while the gateway runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// How long a stream whose publisher's connection was lost waits for its return, from that moment on; nothing means that it
    /// ends at once.
    pub grace: Duration,
    /// What becomes of the time in which nothing came, in streams that begin from now on.
    pub gap: GapPolicy,
    /// How long a name may not be published after its publisher was kicked.
    pub kick_bar: Duration,
}

/// The registry of live streams.
pub struct Hub {
    streams: Mutex<Registry>,
    terms: Mutex<Terms>,
    changed: watch::Sender<u64>,
    limits: RingLimits,
    drain: CancellationToken,
    watch: Arc<dyn Watch>,
}

#[derive(Default)]
struct Registry {
    live: HashMap<StreamKey, Arc<Stream>>,
    /// Which input streams of these names are to begin with: one for each stream with inputs at the most.
    reserved: HashMap<StreamKey, Role>,
    bars: Bars,
    next_id: u64,
}

impl Hub {
    /// A hub without streams, which waits for no publisher's return until its [`Terms`] say so, and tells nobody.
    pub fn new(limits: RingLimits) -> Arc<Self> {
        Self::watched(limits, Arc::new(Unwatched))
    }

    /// The same, and somebody is told what becomes of its streams.
    pub fn watched(limits: RingLimits, watch: Arc<dyn Watch>) -> Arc<Self> {
        Arc::new(Self {
            streams: Mutex::default(),
            terms: Mutex::default(),
            changed: watch::Sender::new(0),
            limits,
            drain: CancellationToken::new(),
            watch,
        })
    }

    /// Changes what holds for streams from now on.
    pub fn set_terms(&self, terms: Terms) {
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner) = terms;
    }

    /// Cancelled when the gateway is about to end: from then on no publisher's return is waited for.
    pub fn drain(&self) -> &CancellationToken {
        &self.drain
    }

    /// Who is told what becomes of streams.
    pub(super) fn watch(&self) -> &dyn Watch {
        &*self.watch
    }

    /// Gives the stream to a publisher, as its main input; see [`claim_as`](Self::claim_as).
    ///
    /// # Errors
    /// See `claim_as`.
    pub fn claim(
        self: &Arc<Self>,
        key: &StreamKey,
        claim: Claim,
        duplicate: DuplicatePolicy,
    ) -> Result<Producer, ClaimRefused> {
        self.claim_as(key, Role::Main, claim, duplicate)
    }

    /// Gives one of the stream's two places to an input. It is on the air at once where the other place is empty and the stream is not
    /// [reserved](Self::reserve) for that, and otherwise stands by; [`Stream::call`] has it take over. The runtime that this is called on becomes the home of a new
    /// stream's targets.
    ///
    /// # Errors
    /// The place has another input that keeps it, or there are too many streams.
    pub fn claim_as(
        self: &Arc<Self>,
        key: &StreamKey,
        role: Role,
        claim: Claim,
        duplicate: DuplicatePolicy,
    ) -> Result<Producer, ClaimRefused> {
        let gap = self.terms().gap;
        let producer = {
            let mut registry = self.lock();
            registry.bars.judge(key, Instant::now())?;
            let standing = registry.live.get(key);
            match standing.map(|stream| stream.hand_over(self, role, &claim, duplicate)) {
                Some(Handover::Taken(producer)) => producer,
                Some(Handover::Kept) => return Err(ClaimRefused::Busy),
                Some(Handover::Awaited) => return Err(ClaimRefused::Awaited),
                None if registry.live.len() >= STREAMS_MAX => return Err(ClaimRefused::Full),
                // The last publisher of one that has ended is about to say so here.
                Some(Handover::Ended) | None => {
                    registry.next_id += 1;
                    let id = StreamId(registry.next_id);
                    let mut stream = Stream::new(id, key.clone(), role, claim, self.limits, gap);
                    if registry.reserved.get(key) == Some(&role.other()) {
                        stream.reserve_for_other();
                    }
                    let stream = Arc::new(stream);
                    registry.live.insert(key.clone(), Arc::clone(&stream));
                    stream.produce(self, Arrival::New)
                }
            }
        };
        self.announce();
        Ok(producer)
    }

    /// From now on a stream of this name begins with this input: where the other one comes first, it stands by until it is
    /// [called](Stream::call). With `None` it begins with whichever comes first.
    pub fn reserve(&self, key: &StreamKey, first: Option<Role>) {
        let reserved = &mut self.lock().reserved;
        match first {
            Some(role) => reserved.insert(key.clone(), role),
            None => reserved.remove(key),
        };
    }

    /// The stream of that name, while it is live. One that has ended keeps its name until its end was told; it is not live any more.
    pub fn find(&self, key: &StreamKey) -> Option<Arc<Stream>> {
        let named = self.lock().live.get(key).cloned();
        named.filter(|stream| stream.end().is_none())
    }

    /// Ends the stream's publish, or the wait for its publisher's return, and bars its name for the time that the [`Terms`] say;
    /// `false` where there is no such stream.
    pub fn kick(&self, key: &StreamKey) -> bool {
        let time = self.terms().kick_bar;
        let stream = {
            let mut registry = self.lock();
            let stream = registry.live.get(key).cloned();
            if stream.is_some() {
                registry.bars.kick(key.clone(), Instant::now(), time);
            }
            stream
        };
        stream.inspect(|stream| stream.kick()).is_some()
    }

    /// Lets nobody publish this name any more, until [`permit`](Self::permit). Who publishes it is seen off: what was received is
    /// still delivered.
    pub fn forbid(&self, key: &StreamKey) {
        let stream = {
            let mut registry = self.lock();
            registry.bars.forbid(key.clone());
            registry.live.get(key).cloned()
        };
        if let Some(stream) = stream {
            stream.kick();
        }
    }

    /// Lets the name be published again, whether it was forbidden or its publisher kicked.
    pub fn permit(&self, key: &StreamKey) {
        self.lock().bars.permit(key);
    }

    /// All live streams, by name.
    pub fn live(&self) -> Vec<Arc<Stream>> {
        let mut live: Vec<_> = self.lock().live.values().cloned().collect();
        live.sort_by(|a, b| a.key().cmp(b.key()));
        live
    }

    /// Waits until no stream is live: for a drain, which takes no new ones.
    pub async fn emptied(&self) {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            // The sender lives in the hub.
            if self.lock().live.is_empty() || changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Says when a stream has begun or ended.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The publisher's connection was lost: the stream waits for its return, or ends where nobody is waited for.
    pub(super) fn lose(
        self: &Arc<Self>,
        stream: &Arc<Stream>,
        epoch: u64,
        superseded: &watch::Receiver<bool>,
    ) {
        let time = self.terms().grace;
        if time.is_zero() || self.drain.is_cancelled() {
            self.end(stream, epoch, End::Lost);
        } else if stream.vacate(epoch) {
            grace::wait(self, stream, epoch, superseded.clone(), time);
        }
    }

    /// Ends the stream, if it is still that publisher's.
    pub(super) fn end(&self, stream: &Arc<Stream>, epoch: u64, end: End) {
        if stream.finish(epoch, end) {
            // Told before the name is free: the next stream's begin comes after it.
            self.watch.ended(stream.key(), end);
            self.forget(stream);
        }
    }

    fn forget(&self, stream: &Arc<Stream>) {
        {
            let mut registry = self.lock();
            let is_current = registry
                .live
                .get(stream.key())
                .is_some_and(|live| live.id() == stream.id());
            if is_current {
                registry.live.remove(stream.key());
            }
        }
        self.announce();
    }

    fn terms(&self) -> Terms {
        *self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
