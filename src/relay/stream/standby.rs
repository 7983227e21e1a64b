//! A stream's second input: kept ready beside the one that is on the air, until it takes over at a keyframe.
//!
//! Nothing of its media is held, only the headers: it takes over with its next keyframe, so the change costs a GOP's wait at the most and
//! no memory (docs/decisions/2026-11-26-inputs.md).

use super::Shared;
use crate::media::{Class, MediaKind, Shape, Tag, TrackId};
use crate::relay::claim::Claim;
use crate::relay::headers::Headers;
use crate::relay::hold::Presence;
use crate::relay::limits::AUDIO_ONLY_AFTER;
use crate::relay::status::Publisher;
use crate::rule::Role;
use bytes::Bytes;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// One of a stream's inputs: who has claimed it, and under which epoch.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) role: Role,
    pub(super) epoch: u64,
    pub(super) claim: Claim,
    pub(super) superseded: watch::Sender<bool>,
}

impl Seat {
    pub(super) fn new(role: Role, epoch: u64, claim: Claim) -> Self {
        Self {
            role,
            epoch,
            claim,
            superseded: watch::Sender::new(false),
        }
    }

    pub(super) fn publisher(&self) -> Publisher {
        Publisher {
            role: self.role,
            input: self.claim.input.as_ref().map(|input| input.kind),
            peer: self.claim.peer,
            client: self.claim.client.clone(),
        }
    }
}

/// The input that is not on the air.
#[derive(Debug)]
pub(super) struct Standby {
    pub(super) seat: Seat,
    /// When its newest frame came, on the stream's own clock.
    heard: Option<Duration>,
    headers: Headers,
    /// When its first sound came, while it has shown no video.
    sound_since: Option<Duration>,
    has_video: bool,
    /// It is to take over at its next keyframe.
    is_called: bool,
    /// Whether it has shown something that targets could begin with.
    is_ready: bool,
}

/// How an input is seen from the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputSight {
    /// Which one.
    pub role: Role,
    /// How long ago its newest frame came; none where none has.
    pub silent_for: Option<Duration>,
    /// Whether it has shown something that targets can begin with.
    pub is_ready: bool,
}

impl Standby {
    pub(super) fn new(seat: Seat) -> Self {
        Self {
            seat,
            heard: None,
            headers: Headers::default(),
            sound_since: None,
            has_video: false,
            is_called: false,
            is_ready: false,
        }
    }

    /// An input that was on the air until now. Its headers hold on: encoders send them once.
    fn after(seat: Seat, headers: Headers) -> Self {
        Self {
            is_ready: true,
            has_video: headers.has_video(),
            headers,
            ..Self::new(seat)
        }
    }

    pub(super) fn sight(&self, now: Duration) -> InputSight {
        InputSight {
            role: self.seat.role,
            silent_for: self.heard.map(|heard| now.saturating_sub(heard)),
            is_ready: self.is_ready,
        }
    }

    pub(super) fn call(&mut self, is_called: bool) {
        self.is_called = is_called;
    }

    /// Takes note of a message; says whether the input takes over with it.
    fn take(&mut self, kind: MediaKind, payload: &Bytes, now: Duration) -> bool {
        let shape = Shape::of(kind, payload);
        if shape.class.is_kept() {
            self.headers.keep(&Tag {
                shape,
                dts: 0,
                payload: payload.clone(),
            });
        }
        if !shape.class.is_frame() {
            return false;
        }
        self.heard = Some(now);
        self.has_video |= shape.track.kind == MediaKind::Video;
        let begins = match shape.class {
            Class::Keyframe => {
                matches!(shape.track.id, TrackId::One(0) | TrackId::Several)
                    && self.headers.serves(shape.track, shape.codec)
            }
            // As for a publisher: sound alone is a stream where no pictures have come for a while.
            Class::Audio => {
                let since = *self.sound_since.get_or_insert(now);
                !self.has_video
                    && !self.headers.has_video()
                    && now.saturating_sub(since) >= AUDIO_ONLY_AFTER
                    && self.headers.serves(shape.track, shape.codec)
            }
            _ => false,
        };
        self.is_ready |= begins;
        begins && self.is_called
    }
}

impl Shared {
    /// Whether it is the epoch of the input that stands by.
    pub(super) fn is_beside(&self, epoch: u64) -> bool {
        let standby = self.standby.as_ref();
        standby.is_some_and(|standby| standby.seat.epoch == epoch)
    }

    /// Counts what came of an input that somebody has put.
    pub(super) fn count(&self, is_beside: bool, bytes: u64) {
        let beside = self.standby.as_ref().filter(|_| is_beside);
        let seat = beside.map_or(&self.seat, |standby| &standby.seat);
        if let Some(input) = &seat.claim.input {
            input.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Takes a message of the input that is not on the air; says whether it is, from this message on.
    pub(super) fn take_beside(
        &mut self,
        kind: MediaKind,
        wire: u32,
        payload: Bytes,
        now: Duration,
    ) -> bool {
        let takes_over = self
            .standby
            .as_mut()
            .is_some_and(|standby| standby.take(kind, &payload, now));
        if !takes_over {
            return false;
        }
        let headers = Headers::clone(self.intake.ring.headers());
        if self.hold.presence != Presence::Reserved {
            self.intake.end_input(now);
        }
        if let Some(before) = self.raise(now) {
            self.standby = Some(Standby::after(before, headers));
        }
        self.intake.push(kind, wire, payload, now);
        true
    }

    /// Has a stream that nothing was sent to begin with its other input: the one that it was made for stands by.
    pub(super) fn reserve_for_other(&mut self) {
        let nobody = Seat::new(self.seat.role.other(), 0, self.seat.claim.clone());
        let mut seat = std::mem::replace(&mut self.seat, nobody);
        self.epochs += 1;
        seat.epoch = self.epochs;
        self.standby = Some(Standby::new(seat));
        self.hold.presence = Presence::Reserved;
    }

    /// Puts the input that stands by on the air, where there is one; the one before has ended. Who was on the air.
    pub(super) fn raise(&mut self, now: Duration) -> Option<Seat> {
        let Standby { seat, headers, .. } = self.standby.take()?;
        self.intake.begin_input();
        for tag in headers.iter() {
            let (kind, payload) = (tag.shape.track.kind, tag.payload.clone());
            // A header's stamp means nothing.
            self.intake.push(kind, 0, payload, now);
        }
        let before = std::mem::replace(&mut self.seat, seat);
        (self.hold.presence != Presence::Reserved).then_some(before)
    }
}

#[cfg(test)]
mod tests {
    use crate::media::MediaKind;
    use crate::relay::ring::RingLimits;
    use crate::relay::{Arrival, Claim, Credential, DuplicatePolicy, Hub, Presence, Producer};
    use crate::rule::{Role, StreamKey};
    use bytes::Bytes;
    use std::sync::Arc;

    const HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1];
    const OTHER_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 2];
    const KEY: &[u8] = &[0x17, 1, 0, 0, 80, 0x65];
    const INTER: &[u8] = &[0x27, 1, 0, 0, 80, 0x41];
    const LEADING: &[u8] = &[0x27, 1, 0, 0, 0, 0x42];
    const SOUND_HEADER: &[u8] = &[0xAF, 0, 0x12, 0x10];
    const SOUND: &[u8] = &[0xAF, 1, 0x21];

    fn claim(hub: &Arc<Hub>, role: Role) -> Producer {
        let claim = Claim {
            credential: Credential::Wish,
            peer: "127.0.0.1:5000".parse().unwrap(),
            client: "test".into(),
            input: None,
        };
        hub.claim_as(&key(), role, claim, DuplicatePolicy::Takeover)
            .unwrap()
    }

    fn push(producer: &Producer, messages: &[(u32, &'static [u8])]) {
        let mut batch = producer.batch().unwrap();
        for &(at, payload) in messages {
            let kind = match payload[0] {
                0xAF => MediaKind::Audio,
                _ => MediaKind::Video,
            };
            batch.push(kind, at, Bytes::from_static(payload));
        }
    }

    #[tokio::test]
    async fn the_input_that_stands_by_takes_over_at_its_keyframe() {
        let hub = Hub::new(RingLimits::default());
        let main = claim(&hub, Role::Main);
        push(
            &main,
            &[(0, HEADER), (0, SOUND_HEADER), (0, KEY), (5, SOUND)],
        );
        let stream = Arc::clone(main.stream());
        let mut consumer = stream.consume();
        let mut seen = Vec::new();
        consumer.drain(usize::MAX, |_, _| {});
        let backup = claim(&hub, Role::Backup);
        assert_eq!(backup.arrival(), Arrival::Beside);
        push(
            &backup,
            &[
                (9000, OTHER_HEADER),
                (9000, SOUND_HEADER),
                (9000, KEY),
                (9040, INTER),
            ],
        );
        stream.call(Some(Role::Backup));
        push(&backup, &[(9080, INTER), (9090, SOUND)]);
        push(&main, &[(40, INTER)]);
        assert_eq!(stream.on_air(), Role::Main);
        push(
            &backup,
            &[(9120, KEY), (9130, SOUND), (9160, LEADING), (9200, INTER)],
        );
        assert_eq!(stream.on_air(), Role::Backup);
        // The one before is muted in the same instant, and stands by.
        push(&main, &[(80, KEY), (120, INTER)]);
        consumer.drain(usize::MAX, |tag, at| seen.push((at, tag.payload.clone())));
        let seen: Vec<_> = seen.iter().map(|(at, payload)| (*at, &**payload)).collect();
        assert_eq!(
            seen,
            [
                (40, INTER),
                (40, OTHER_HEADER),
                // One step later, and shown one step behind the last picture.
                (73, KEY),
                (83, SOUND),
                (153, INTER),
            ]
        );
        let sights = stream.sights();
        assert!(sights.iter().all(|sight| sight.is_ready), "{sights:?}");
        assert_eq!(
            sights.iter().map(|sight| sight.role).collect::<Vec<_>>(),
            [Role::Backup, Role::Main]
        );
        assert!(!main.is_replaced() && !backup.is_replaced());
        // It comes back though it says its headers but once.
        stream.call(Some(Role::Main));
        push(&main, &[(160, KEY)]);
        assert_eq!(stream.on_air(), Role::Main);
    }

    #[tokio::test]
    async fn the_stream_goes_on_with_the_other_when_one_is_lost_or_ends() {
        let hub = Hub::new(RingLimits::default());
        let main = claim(&hub, Role::Main);
        push(&main, &[(0, HEADER), (0, KEY)]);
        let stream = Arc::clone(main.stream());
        for lost in [true, false] {
            let backup = claim(&hub, Role::Backup);
            push(&backup, &[(0, HEADER), (0, KEY)]);
            match lost {
                // The one that stands by leaves: nothing happens.
                true => drop(backup),
                false => backup.finish(),
            }
            assert_eq!((stream.on_air(), stream.end()), (Role::Main, None));
        }
        let backup = claim(&hub, Role::Backup);
        push(&backup, &[(0, HEADER), (0, KEY)]);
        let epoch = stream.hold().borrow().epoch;
        main.finish();
        assert_eq!(stream.on_air(), Role::Backup);
        let hold = *stream.hold().borrow();
        assert_eq!(hold.presence, Presence::Fed);
        assert!(hold.epoch > epoch);
        let mut consumer = stream.consume();
        push(&backup, &[(40, INTER), (80, KEY), (120, INTER)]);
        let mut seen = Vec::new();
        consumer.drain(usize::MAX, |tag, _| seen.push(tag.payload.clone()));
        assert_eq!(seen, [HEADER, KEY, INTER]);
        let main = claim(&hub, Role::Main);
        assert_eq!(main.arrival(), Arrival::Beside);
        drop(backup);
        assert_eq!(stream.on_air(), Role::Main);
        drop(main);
        assert!(stream.end().is_some(), "there is no time of grace here");
    }

    #[tokio::test]
    async fn a_place_is_handed_over_only_to_its_own() {
        let hub = Hub::new(RingLimits::default());
        let main = claim(&hub, Role::Main);
        let first = claim(&hub, Role::Backup);
        let second = claim(&hub, Role::Backup);
        assert!(first.is_replaced() && first.is_superseded() && first.batch().is_none());
        assert!(!main.is_superseded());
        drop(first);
        push(&second, &[(0, HEADER), (0, KEY)]);
        let key = key();
        let stranger = Claim {
            credential: Credential::Key([1; 32]),
            peer: "127.0.0.1:5000".parse().unwrap(),
            client: "test".into(),
            input: None,
        };
        for role in Role::BOTH {
            let refused = hub.claim_as(&key, role, stranger.clone(), DuplicatePolicy::Takeover);
            assert!(refused.is_err());
        }
        main.stream().dismiss(Role::Backup);
        assert!(second.is_superseded() && !main.is_superseded());
    }

    #[tokio::test]
    async fn sound_alone_takes_over_once_it_is_taken_for_all_there_is() {
        let hub = Hub::new(RingLimits::default());
        let main = claim(&hub, Role::Main);
        push(&main, &[(0, HEADER), (0, KEY)]);
        let backup = claim(&hub, Role::Backup);
        let stream = main.stream();
        stream.call(Some(Role::Backup));
        push(&backup, &[(0, SOUND_HEADER), (0, SOUND), (21, SOUND)]);
        assert_eq!(stream.on_air(), Role::Main);
        let later = tokio::time::Instant::now() + crate::relay::limits::AUDIO_ONLY_AFTER;
        let mut batch = backup.batch_at(later).unwrap();
        batch.push(MediaKind::Audio, 1100, Bytes::from_static(SOUND));
        drop(batch);
        assert_eq!(stream.on_air(), Role::Backup);
    }

    fn key() -> StreamKey {
        StreamKey::parse("live", "cam").unwrap()
    }

    /// What a target that begins now is given.
    fn told(producer: &Producer) -> Vec<(u32, Bytes)> {
        let mut told = Vec::new();
        let mut consumer = producer.stream().consume();
        consumer.drain(usize::MAX, |tag, at| told.push((at, tag.payload.clone())));
        told
    }

    #[tokio::test]
    async fn a_stream_that_is_reserved_begins_with_the_other_input_though_this_one_is_there_first()
    {
        let hub = Hub::new(RingLimits::default());
        hub.reserve(&key(), Some(Role::Main));
        let backup = claim(&hub, Role::Backup);
        let stream = Arc::clone(backup.stream());
        assert_eq!(backup.arrival(), Arrival::New);
        assert_eq!(stream.hold().borrow().presence, Presence::Reserved);
        push(&backup, &[(0, OTHER_HEADER), (0, KEY), (40, INTER)]);
        assert!(told(&backup).is_empty() && !stream.is_startable());
        assert_eq!(stream.on_air(), Role::Main);
        let sights = stream.sights();
        assert!(
            matches!(sights.as_slice(), [sight] if sight.role == Role::Backup && sight.is_ready)
        );
        let main = claim(&hub, Role::Main);
        assert_eq!(main.arrival(), Arrival::Beside);
        push(&main, &[(7000, HEADER), (7000, KEY), (7040, INTER)]);
        push(&backup, &[(80, KEY)]);
        let of_main = [(0, HEADER), (0, KEY), (40, INTER)];
        assert_eq!(
            told(&main),
            of_main.map(|(at, bytes)| (at, Bytes::from_static(bytes)))
        );
        // From here on it is as with any two inputs.
        drop(main);
        push(&backup, &[(120, INTER), (160, KEY)]);
        assert_eq!(stream.on_air(), Role::Backup);
        let of_backup = [(0, OTHER_HEADER), (0, KEY)];
        assert_eq!(
            told(&backup),
            of_backup.map(|(at, bytes)| (at, Bytes::from_static(bytes)))
        );
    }

    #[tokio::test]
    async fn who_stands_by_for_nobody_is_called_or_leaves_with_the_stream() {
        let hub = Hub::new(RingLimits::default());
        hub.reserve(&key(), Some(Role::Main));
        let backup = claim(&hub, Role::Backup);
        let stream = Arc::clone(backup.stream());
        push(&backup, &[(0, HEADER), (0, KEY), (40, INTER)]);
        stream.call(Some(Role::Backup));
        push(&backup, &[(80, INTER), (120, KEY), (160, INTER)]);
        assert_eq!(stream.hold().borrow().presence, Presence::Fed);
        assert_eq!(stream.on_air(), Role::Backup);
        assert_eq!(
            told(&backup),
            [(0, HEADER), (0, KEY), (40, INTER)].map(|(at, bytes)| (at, Bytes::from_static(bytes)))
        );
        drop(backup);
        assert!(stream.end().is_some(), "nobody is beside it");
        for is_lost in [true, false] {
            let backup = claim(&hub, Role::Backup);
            let stream = Arc::clone(backup.stream());
            assert_eq!(stream.hold().borrow().presence, Presence::Reserved);
            match is_lost {
                true => drop(backup),
                false => backup.finish(),
            }
            assert!(stream.end().is_some() && hub.find(&key()).is_none());
        }
        hub.reserve(&key(), None);
        let backup = claim(&hub, Role::Backup);
        push(&backup, &[(0, HEADER), (0, KEY)]);
        assert_eq!(told(&backup).len(), 2);
    }
}
