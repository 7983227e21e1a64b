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
async fn a_stream_that_is_reserved_begins_with_the_other_input_though_this_one_is_there_first() {
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
    assert!(matches!(sights.as_slice(), [sight] if sight.role == Role::Backup && sight.is_ready));
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
