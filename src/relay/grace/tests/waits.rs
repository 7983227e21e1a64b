//! How long a publisher's place is kept, and for whom.

use super::*;
use crate::relay::{Arrival, ClaimRefused, End, Presence, Stream};
use tokio::time::{Instant, advance, sleep, timeout};

fn presence(stream: &Stream) -> Presence {
    stream.hold().borrow().presence
}

/// A stream that has lost its publisher, and one that reads it.
fn lost(hub: &Arc<Hub>) -> (Arc<Stream>, Consumer) {
    let producer = publish(hub);
    let stream = Arc::clone(producer.stream());
    let mut consumer = stream.consume();
    push(&producer, &[(0, VIDEO_HEADER), (0, KEY), (33, INTER)]);
    assert_eq!(times(&mut consumer), [0, 0, 33]);
    drop(producer);
    (stream, consumer)
}

/// Lets the tasks do what they can do now.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_stream_of_a_lost_publisher_waits_and_goes_on_with_its_return() {
    let hub = hub(GapPolicy::Compress);
    let (stream, mut consumer) = lost(&hub);
    sleep(GRACE - Duration::from_millis(1)).await;
    assert_eq!(presence(&stream), Presence::Away);
    assert!(stream.snapshot().publisher.is_none());
    assert!(Arc::ptr_eq(&hub.find(&cam()).unwrap(), &stream));
    let producer = publish(&hub);
    assert_eq!(producer.arrival(), Arrival::Return);
    assert!(Arc::ptr_eq(producer.stream(), &stream));
    assert!(stream.snapshot().publisher.is_some());
    push(&producer, &[(7, VIDEO_HEADER), (7, KEY), (40, INTER)]);
    assert_eq!(times(&mut consumer), [66, 99]);
    // Nobody ends it any more.
    sleep(GRACE * 2).await;
    assert_eq!(presence(&stream), Presence::Fed);
    producer.finish();
    assert_eq!(drain(&mut consumer).1, Drained::Ended(End::Clean));
}

#[tokio::test(start_paused = true)]
async fn after_the_time_of_grace_the_stream_ends() {
    let hub = hub(GapPolicy::Compress);
    let (stream, mut consumer) = lost(&hub);
    let began = Instant::now();
    stream.ended().await;
    assert_eq!(began.elapsed().as_millis(), GRACE.as_millis());
    assert_eq!(drain(&mut consumer).1, Drained::Ended(End::Lost));
    assert!(hub.find(&cam()).is_none());
    assert_ne!(publish(&hub).stream().id(), stream.id());
}

#[tokio::test(start_paused = true)]
async fn every_loss_has_the_whole_time() {
    let hub = hub(GapPolicy::Compress);
    let (stream, _) = lost(&hub);
    for _ in 0..5 {
        sleep(GRACE - Duration::from_secs(1)).await;
        drop(publish(&hub));
    }
    let began = Instant::now();
    stream.ended().await;
    assert_eq!(began.elapsed().as_millis(), GRACE.as_millis());
}

#[tokio::test(start_paused = true)]
async fn the_place_is_kept_for_who_showed_the_same_and_for_nobody_else() {
    let hub = hub(GapPolicy::Compress);
    let (stream, _) = lost(&hub);
    let other = hub.claim(&cam(), claim(2), DuplicatePolicy::Takeover);
    assert_eq!(other.err(), Some(ClaimRefused::Awaited));
    assert_eq!(presence(&stream), Presence::Away, "it changes nothing");
    // Where second publishers are rejected, there is none to be the second to.
    let back = hub
        .claim(&cam(), claim(1), DuplicatePolicy::Reject)
        .unwrap();
    assert_eq!(back.stream().id(), stream.id());
    drop(back);
    stream.ended().await;
    assert!(
        hub.claim(&cam(), claim(2), DuplicatePolicy::Takeover)
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_key_the_place_is_kept_for_the_address() {
    let hub = hub(GapPolicy::Compress);
    let from = |peer: &str| {
        let peer: std::net::SocketAddr = peer.parse().unwrap();
        Claim {
            credential: Credential::Address(peer.ip()),
            peer,
            client: "test".into(),
            input: None,
        }
    };
    let ask = |peer| hub.claim(&cam(), from(peer), DuplicatePolicy::Takeover);
    drop(ask("192.0.2.7:4000").unwrap());
    assert_eq!(ask("192.0.2.8:4000").err(), Some(ClaimRefused::Awaited));
    assert_eq!(ask("192.0.2.7:4999").unwrap().arrival(), Arrival::Return);
}

#[tokio::test(start_paused = true)]
async fn an_operator_and_a_drain_end_the_wait_at_once() {
    let kicked = hub(GapPolicy::Compress);
    let (stream, mut consumer) = lost(&kicked);
    settle().await;
    stream.kick();
    settle().await;
    assert_eq!(drain(&mut consumer).1, Drained::Ended(End::Lost));
    assert!(kicked.find(&cam()).is_none());

    let drained = hub(GapPolicy::Compress);
    let (stream, mut consumer) = lost(&drained);
    settle().await;
    drained.drain().cancel();
    settle().await;
    assert_eq!(drain(&mut consumer).1, Drained::Ended(End::Lost));
    assert!(stream.end().is_some());
    // Who is lost from then on is not waited for.
    let (stream, _) = lost(&drained);
    assert_eq!(stream.end(), Some(End::Lost));
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_somebody_ended_is_not_waited_for() {
    let hub = hub(GapPolicy::Compress);
    let producer = publish(&hub);
    let stream = Arc::clone(producer.stream());
    producer.finish();
    assert_eq!(stream.end(), Some(End::Clean));
    // One that was taken over has nothing to end, nor to wait for.
    for finishes in [true, false] {
        let old = publish(&hub);
        let new = publish(&hub);
        if finishes {
            old.finish();
        } else {
            drop(old);
        }
        assert_eq!(presence(new.stream()), Presence::Fed);
        new.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn other_terms_hold_for_who_is_lost_from_then_on() {
    let hub = hub(GapPolicy::Compress);
    let began = Instant::now();
    let (waiting, _) = lost(&hub);
    hub.set_terms(Terms::default());
    advance(Duration::from_secs(1)).await;
    let other = StreamKey::parse("live", "other").unwrap();
    let producer = hub.claim(&other, claim(1), DuplicatePolicy::Takeover);
    let producer = producer.unwrap();
    let stream = Arc::clone(producer.stream());
    drop(producer);
    assert_eq!(stream.end(), Some(End::Lost), "no grace any more");
    waiting.ended().await;
    assert_eq!(began.elapsed().as_millis(), GRACE.as_millis());
}

#[tokio::test(start_paused = true)]
async fn who_begins_meanwhile_waits_for_the_new_keyframe() {
    let hub = hub(GapPolicy::Compress);
    let (stream, mut reader) = lost(&hub);
    let mut late = stream.consume();
    let (got, drained) = drain(&mut late);
    assert!(got.is_empty() && drained == Drained::CaughtUp);
    let startable = stream.startable();
    tokio::pin!(startable);
    assert!(timeout(GRACE / 3, &mut startable).await.is_err());
    let producer = publish(&hub);
    push(&producer, &[(0, VIDEO_HEADER), (0, INTER)]);
    assert!(timeout(GRACE / 3, &mut startable).await.is_err());
    push(&producer, &[(33, KEY), (66, INTER)]);
    startable.await;
    assert_eq!(times(&mut late), [0, 0, 33]);
    assert_eq!(times(&mut reader), [66, 99]);
}

#[tokio::test(start_paused = true)]
async fn what_was_received_last_is_delivered_in_the_time_of_grace() {
    let hub = hub(GapPolicy::Compress);
    let producer = publish(&hub);
    let stream = Arc::clone(producer.stream());
    let mut consumer = stream.consume();
    push(&producer, &[(0, VIDEO_HEADER), (0, AUDIO_HEADER), (0, KEY)]);
    drain(&mut consumer);
    let appended = stream.appended();
    tokio::pin!(appended);
    appended.as_mut().enable();
    // The second track's frame has no header, so what is behind it waits with it; and nobody was woken for that.
    push(
        &producer,
        &[(33, b"\x96\x01hvc1\x01\0\0\0\x26"), (40, INTER)],
    );
    appended.as_mut().await;
    assert!(times(&mut consumer).is_empty());
    let appended = stream.appended();
    tokio::pin!(appended);
    appended.as_mut().enable();
    drop(producer);
    let woken = timeout(GRACE / 3, appended).await;
    assert!(woken.is_ok(), "at once");
    assert_eq!(times(&mut consumer), [40]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_is_left_out_or_kept_as_the_terms_have_it() {
    for (gap, expected) in [
        (GapPolicy::Compress, [66, 99]),
        (GapPolicy::Wall, [5033, 5066]),
    ] {
        let hub = hub(gap);
        let (_, mut consumer) = lost(&hub);
        sleep(Duration::from_secs(5)).await;
        let producer = publish(&hub);
        push(&producer, &[(0, VIDEO_HEADER), (0, KEY), (33, INTER)]);
        assert_eq!(times(&mut consumer), expected, "{gap:?}");
    }
}

/// Notes what it is shown.
#[derive(Default)]
struct Shown(std::sync::Mutex<Vec<u64>>);

impl crate::relay::Outflow for Shown {
    fn flow(&self, _: &Stream, fresh: &crate::relay::Fresh, _: usize) -> Option<usize> {
        self.0.lock().unwrap().extend(fresh.from()..fresh.end());
        None
    }
}

#[tokio::test(start_paused = true)]
async fn what_waited_for_a_header_at_the_loss_goes_out_at_once() {
    let hub = hub(GapPolicy::Compress);
    let producer = publish(&hub);
    let shown = Arc::new(Shown::default());
    producer.stream().flow_to(shown.clone());
    push(&producer, &[(0, VIDEO_HEADER), (0, AUDIO_HEADER), (0, KEY)]);
    producer.deliver().await;
    assert_eq!(shown.0.lock().unwrap().len(), 3);
    // The second track has no header, so the sound behind it waits with it.
    push(
        &producer,
        &[(40, b"\x96\x01hvc1\x01\x00\x00\x00\x26"), (60, AUDIO)],
    );
    producer.deliver().await;
    assert_eq!(shown.0.lock().unwrap().len(), 3);
    drop(producer);
    assert_eq!(*shown.0.lock().unwrap(), [0, 1, 2, 3]);
}

/// Writes down what it is told.
#[derive(Default)]
struct Told(std::sync::Mutex<Vec<String>>);

impl crate::relay::Watch for Told {
    fn awaited(&self, stream: &StreamKey, time: Duration) {
        let line = format!("{stream} waits {time:?}");
        self.0.lock().unwrap().push(line);
    }

    fn given_up(&self, stream: &StreamKey, _: Duration) {
        self.0.lock().unwrap().push(format!("{stream} is given up"));
    }

    fn ended(&self, stream: &StreamKey, end: End) {
        let line = format!("{stream} ended {end:?}");
        self.0.lock().unwrap().push(line);
    }
}

#[tokio::test(start_paused = true)]
async fn what_becomes_of_a_stream_is_told_once_and_in_order() {
    let told = Arc::new(Told::default());
    let hub = Hub::watched(RingLimits::default(), told.clone());
    let gap = GapPolicy::Compress;
    hub.set_terms(Terms {
        grace: GRACE,
        gap,
        ..Terms::default()
    });
    drop(publish(&hub));
    // It returns, is lost again, and stays away.
    let (stream, _consumer) = lost(&hub);
    stream.ended().await;
    settle().await;
    // The next one is taken over, and finished: its first publisher has nothing to say any more.
    let first = publish(&hub);
    let second = publish(&hub);
    drop(first);
    second.finish();
    let expected = [
        "live/cam waits 15s",
        "live/cam waits 15s",
        "live/cam is given up",
        "live/cam ended Lost",
        "live/cam ended Clean",
    ];
    assert_eq!(*told.0.lock().unwrap(), expected);
}
