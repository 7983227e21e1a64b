use super::*;
use crate::media::MediaKind;
use crate::relay::claim::Credential;
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
        input: None,
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

/// Looks for the stream at the moment at which it is told of its end, as whoever reads of it at once may.
#[derive(Default)]
struct Quick {
    hub: std::sync::OnceLock<std::sync::Weak<Hub>>,
    found: std::sync::Mutex<Vec<bool>>,
}

impl crate::relay::Watch for Quick {
    fn awaited(&self, _: &StreamKey, _: Duration) {}
    fn given_up(&self, _: &StreamKey, _: Duration) {}

    fn ended(&self, stream: &StreamKey, _: End) {
        let hub = self.hub.get().unwrap().upgrade().unwrap();
        let is_found = hub.find(stream).is_some();
        self.found.lock().unwrap().push(is_found);
    }
}

#[tokio::test]
async fn a_stream_whose_end_is_told_is_not_found_any_more() {
    let quick = Arc::new(Quick::default());
    let hub = Hub::watched(RingLimits::default(), quick.clone());
    quick.hub.set(Arc::downgrade(&hub)).unwrap();
    for is_finished in [true, false] {
        let producer = hub
            .claim(&key(), claim(1), DuplicatePolicy::Takeover)
            .unwrap();
        assert!(hub.find(&key()).is_some());
        match is_finished {
            true => producer.finish(),
            false => drop(producer),
        }
    }
    assert_eq!(*quick.found.lock().unwrap(), [false, false]);
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
