//! The hub: which streams are live, and who may publish them.

use super::bars::{Barred, Bars};
use super::grace;
use super::hold::{Arrival, End};
use super::limits::STREAMS_MAX;
use super::ring::RingLimits;
use super::stream::{Handover, Producer, Stream, StreamId};
use super::watch::{Unwatched, Watch};
use crate::media::timeline::GapPolicy;
use crate::rule::{Role, StreamKey};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What a publisher showed to be let in; who shows the same may take its stream over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The digest of the key that matched. It never leaves the process.
    Key([u8; 32]),
    /// No key was asked for: the peer's address.
    Address(IpAddr),
    /// Nobody: the gateway fetches it, since somebody has wished for it.
    Wish,
}

/// Who publishes.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What it showed.
    pub credential: Credential,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// The encoder's name for itself.
    pub client: String,
}

/// What happens when a second publisher comes for a live stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicatePolicy {
    /// It takes the stream over, if it shows the same credential.
    #[default]
    Takeover,
    /// It is refused.
    Reject,
}

/// Why a claim was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRefused {
    /// Another publisher has it, and may keep it.
    #[error("the stream has a publisher already")]
    Busy,
    /// The publisher that it had was lost, and its place is kept for a while.
    #[error("the stream waits for the publisher that it had")]
    Awaited,
    /// Nobody may publish this name until that is taken back.
    #[error("publishing this stream is forbidden")]
    Forbidden,
    /// Its publisher was kicked, and nobody may publish it for a while.
    #[error("the stream's publisher was kicked a short while ago")]
    Kicked,
    /// The gateway carries as many streams as it may.
    #[error("the gateway carries {STREAMS_MAX} streams and takes no more")]
    Full,
}

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

    /// Gives one of the stream's two places to an input. It is on the air at once where the other place is empty, and otherwise stands
    /// by; [`Stream::call`] has it take over. The runtime that this is called on becomes the home of a new stream's targets.
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
                    let stream = Stream::new(id, key.clone(), role, claim, self.limits, gap);
                    let stream = Arc::new(stream);
                    registry.live.insert(key.clone(), Arc::clone(&stream));
                    stream.produce(self, Arrival::New)
                }
            }
        };
        self.announce();
        Ok(producer)
    }

    /// The stream of that name, while it is live.
    pub fn find(&self, key: &StreamKey) -> Option<Arc<Stream>> {
        self.lock().live.get(key).cloned()
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

impl From<Barred> for ClaimRefused {
    fn from(barred: Barred) -> Self {
        match barred {
            Barred::Forbidden => Self::Forbidden,
            Barred::Kicked => Self::Kicked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::MediaKind;
    use crate::relay::stream::Drained;
    use bytes::Bytes;

    const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 0x65];
    const HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1];

    fn key() -> StreamKey {
        StreamKey::parse("live", "cam").unwrap()
    }

    fn claim(credential: u8) -> Claim {
        Claim {
            credential: Credential::Key([credential; 32]),
            peer: "127.0.0.1:5000".parse().unwrap(),
            client: "test".into(),
        }
    }

    fn push(producer: &Producer, at: u32, payload: &'static [u8]) -> bool {
        producer.batch().is_some_and(|mut batch| {
            batch.push(MediaKind::Video, at, Bytes::from_static(payload));
            true
        })
    }

    #[tokio::test]
    async fn a_second_publisher_with_the_same_credential_goes_on_with_the_stream() {
        let hub = Hub::new(RingLimits::default());
        let first = hub
            .claim(&key(), claim(1), DuplicatePolicy::Takeover)
            .unwrap();
        push(&first, 0, HEADER);
        push(&first, 5000, KEY);
        let mut consumer = first.stream().consume();
        let mut times = Vec::new();
        consumer.drain(usize::MAX, |_, at| times.push(at));

        let second = hub
            .claim(&key(), claim(1), DuplicatePolicy::Takeover)
            .unwrap();
        first.superseded().await;
        assert!(!push(&first, 5033, KEY), "the first one's hold is gone");
        push(&second, 0, HEADER);
        push(&second, 0, KEY);
        drop(first);
        assert!(hub.find(&key()).is_some(), "the stream lives on");
        assert_eq!(
            consumer.drain(usize::MAX, |_, at| times.push(at)),
            Drained::CaughtUp
        );
        assert_eq!(times, [0, 0, 33], "the header is the same");
        assert_eq!(second.arrival(), Arrival::Takeover);
    }

    #[tokio::test]
    async fn a_publisher_that_comes_while_the_last_one_leaves_gets_a_stream_that_lives() {
        let hub = Hub::new(RingLimits::default());
        let old = hub
            .claim(&key(), claim(1), DuplicatePolicy::Takeover)
            .unwrap();
        // It has ended, and the registry does not know it yet.
        assert!(old.stream().finish(0, End::Lost));
        for policy in [DuplicatePolicy::Takeover, DuplicatePolicy::Reject] {
            let new = hub.claim(&key(), claim(1), policy).unwrap();
            assert_ne!(new.stream().id(), old.stream().id());
            assert!(new.stream().end().is_none());
            assert!(push(&new, 0, HEADER));
            drop(new);
        }
        let new = hub
            .claim(&key(), claim(2), DuplicatePolicy::Takeover)
            .unwrap();
        drop(old);
        let live = hub.find(&key()).unwrap();
        assert_eq!(live.id(), new.stream().id());
    }

    #[tokio::test]
    async fn what_waited_at_the_end_moves_nothing_that_was_read() {
        let hub = Hub::new(RingLimits::default());
        let producer = hub
            .claim(&key(), claim(1), DuplicatePolicy::Takeover)
            .unwrap();
        let mut consumer = producer.stream().consume();
        let send = |tags: &[(MediaKind, u32, &'static [u8])]| {
            let mut batch = producer.batch().unwrap();
            for &(kind, at, payload) in tags {
                batch.push(kind, at, Bytes::from_static(payload));
            }
        };
        let (video, audio) = (MediaKind::Video, MediaKind::Audio);
        send(&[
            (video, 0, HEADER),
            (audio, 0, &[0xAF, 0, 0x12]),
            (video, 0, KEY),
        ]);
        let mut got = Vec::new();
        consumer.drain(usize::MAX, |tag, at| got.push((tag.shape.track, at)));
        // The second video track has no header, so what is behind its frame waits with it, and the audio is older than what is read.
        send(&[
            (video, 80, &[0x27, 1, 0, 0, 0, 0x41]),
            (video, 80, b"\x96\x01hvc1\x01\x00\x00\x00\x26"),
            (audio, 60, &[0xAF, 1, 0x21]),
        ]);
        consumer.drain(usize::MAX, |tag, at| got.push((tag.shape.track, at)));
        producer.finish();
        consumer.drain(usize::MAX, |tag, at| got.push((tag.shape.track, at)));
        let (video, audio) = (crate::media::Track::VIDEO, crate::media::Track::AUDIO);
        assert_eq!(got[3..], [(video, 80), (audio, 60)]);
    }

    #[tokio::test]
    async fn nobody_else_gets_a_live_stream() {
        let hub = Hub::new(RingLimits::default());
        let _standing = hub
            .claim(&key(), claim(1), DuplicatePolicy::Takeover)
            .unwrap();
        for (credential, policy) in [(2, DuplicatePolicy::Takeover), (1, DuplicatePolicy::Reject)] {
            let refused = hub.claim(&key(), claim(credential), policy).err();
            assert_eq!(refused, Some(ClaimRefused::Busy));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_forbidden_or_kicked_name_is_nobodys() {
        let hub = Hub::new(RingLimits::default());
        hub.set_terms(Terms {
            kick_bar: Duration::from_secs(5),
            ..Terms::default()
        });
        let ask = || hub.claim(&key(), claim(1), DuplicatePolicy::Takeover);
        assert!(
            !hub.kick(&key()),
            "there is no such stream, nothing is barred"
        );
        let first = ask().unwrap();
        assert!(hub.kick(&key()));
        first.superseded().await;
        assert_eq!(
            ask().err(),
            Some(ClaimRefused::Kicked),
            "not even who had it"
        );
        first.finish();
        assert_eq!(ask().err(), Some(ClaimRefused::Kicked));
        tokio::time::advance(Duration::from_secs(5)).await;
        let second = ask().unwrap();
        hub.forbid(&key());
        second.superseded().await;
        second.finish();
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(ask().err(), Some(ClaimRefused::Forbidden));
        hub.permit(&key());
        assert!(ask().is_ok());
    }

    #[tokio::test]
    async fn consumers_get_the_tail_and_then_the_end() {
        let hub = Hub::new(RingLimits::default());
        let mut changes = hub.changes();
        let producer = hub
            .claim(&key(), claim(1), DuplicatePolicy::Takeover)
            .unwrap();
        let mut consumer = producer.stream().consume();
        push(&producer, 0, HEADER);
        push(&producer, 0, KEY);
        push(&producer, 33, &[0x27, 1, 0, 0, 0, 0x41]);
        changes.mark_unchanged();
        producer.finish();
        assert!(changes.has_changed().unwrap());
        assert!(hub.find(&key()).is_none());
        let mut count = 0;
        assert_eq!(
            consumer.drain(1, |_, _| count += 1),
            Drained::More,
            "the budget comes before the end"
        );
        assert_eq!(
            consumer.drain(usize::MAX, |_, _| count += 1),
            Drained::Ended(End::Clean)
        );
        assert_eq!(count, 3);
    }

    #[tokio::test]
    async fn a_consumer_that_waits_is_woken_by_a_batch() {
        let hub = Hub::new(RingLimits::default());
        let producer = hub
            .claim(&key(), claim(1), DuplicatePolicy::Takeover)
            .unwrap();
        let stream = Arc::clone(producer.stream());
        let appended = stream.appended();
        tokio::pin!(appended);
        appended.as_mut().enable();
        push(&producer, 0, HEADER);
        appended.await;
    }
}
