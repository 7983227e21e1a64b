//! Targets that are too slow, or worse, beside others that are neither.

use super::claim;
use crate::gateway_parts::{
    AUDIO_HEADER, Authority, Gateway, Host, PATIENCE, Seen, Setup, Target, VIDEO_HEADER, Visit,
    audio, inter, key, rule,
};
use aqueduct::control::TargetState;
use aqueduct::egress::status::PushStatus;
use aqueduct::egress::transport::{Transport, Wire};
use aqueduct::media::MediaKind;
use aqueduct::relay::Producer;
use aqueduct::rtmp::message::MessageType;
use aqueduct::rule::RuleId;
use bytes::Bytes;
use socket2::SockRef;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

const HEALTHY: usize = 8;
/// A frame's time, in milliseconds.
const FRAME: u32 = 40;
const GOP: u32 = 25;
/// Ten seconds.
const FRAMES: u32 = 250;
/// A picture between keyframes, in bytes: long enough for those that keep up to be given it from the kernel's own pages.
const PICTURE_BYTES: usize = 24_000;
/// What the stream has in a second, in bytes, more or less: some 5.5 Mbit/s.
const RATE: usize = 700_000;

/// A message: kind, time, payload.
type Message = (MediaKind, u32, Bytes);

/// The messages of one frame: a picture and two sounds.
fn frame(number: u32) -> [Message; 3] {
    let picture = match number % GOP {
        0 => key(100_000),
        _ => [inter(number), vec![0x41; PICTURE_BYTES]].concat(),
    };
    let at = number * FRAME;
    let sound = |half: u32| {
        let payload = [audio(number * 2 + half), vec![0; 300]].concat();
        (MediaKind::Audio, at + 10 + half * 20, payload.into())
    };
    [(MediaKind::Video, at, picture.into()), sound(0), sound(1)]
}

/// Sends a stream in real time, though never further ahead than the slowest of these has come: what others take is their affair, and
/// that of a busy machine is not theirs.
async fn publish(producer: &Producer, healthy: &[Arc<Book>], sent: &AtomicU64) {
    let began = Instant::now();
    for number in 1..FRAMES {
        let at = u64::from(number * FRAME);
        sleep_until(began + Duration::from_millis(at)).await;
        let deadline = Instant::now() + PATIENCE;
        while healthy.iter().any(|book| book.newest() + 400 < at) {
            assert!(Instant::now() < deadline, "a healthy target gets nothing");
            sleep(Duration::from_millis(2)).await;
        }
        let mut batch = producer.batch().unwrap();
        for (kind, at, payload) in frame(number) {
            batch.push(kind, at, payload);
        }
        drop(batch);
        producer.deliver().await;
        sent.store(at, Ordering::Relaxed);
    }
}

/// What a target was given.
#[derive(Default)]
struct Book {
    messages: Mutex<Vec<Message>>,
    newest: AtomicU64,
}

impl Book {
    fn write(&self, message: Message) {
        self.newest.fetch_max(message.1.into(), Ordering::Relaxed);
        self.messages.lock().unwrap().push(message);
    }

    fn newest(&self) -> u64 {
        self.newest.load(Ordering::Relaxed)
    }
}

/// One that takes all.
async fn take_all(mut target: Target, book: Arc<Book>) {
    loop {
        match target.seen() {
            Some(Seen::Tag(kind, at, payload)) => book.write((kind, at, payload)),
            Some(Seen::Publish(_)) => {}
            Some(other) => panic!("{other:?}"),
            None => sleep(Duration::from_millis(1)).await,
        }
    }
}

/// One that takes a tenth of what was sent, and then the rest.
async fn take_a_tenth(host: Host, book: Arc<Book>, sent: Arc<AtomicU64>, stop: Arc<AtomicU64>) {
    let mut visit = visit(host.caller().await).await;
    visit.accept_publish().await;
    let mut taken = 0;
    let mut piece = vec![0; 2000];
    loop {
        let allowed = sent.load(Ordering::Relaxed) as usize * RATE / 10_000;
        if taken > allowed && stop.load(Ordering::Relaxed) == 0 {
            sleep(Duration::from_millis(5)).await;
            continue;
        }
        let read = visit.pipe.read(&mut piece).await.unwrap();
        taken += read;
        visit.take(&piece[..read]);
        while let Some(message) = visit.buffered() {
            let kind = match message.type_id {
                MessageType::AUDIO => MediaKind::Audio,
                MessageType::VIDEO => MediaKind::Video,
                _ => continue,
            };
            book.write((kind, message.timestamp, message.payload));
        }
    }
}

/// One that never reads.
async fn stall(host: Host) {
    let mut visits = Vec::new();
    loop {
        let mut visit = visit(host.caller().await).await;
        visit.accept_publish().await;
        visits.push(visit);
    }
}

/// One that resets a second after its consent, again and again.
async fn reset(host: Host, count: Arc<AtomicU64>) {
    loop {
        let tcp = host.caller().await;
        SockRef::from(&tcp)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        let mut visit = visit(tcp).await;
        visit.accept_publish().await;
        let _ = tokio::time::timeout(Duration::from_secs(1), visit.discard()).await;
        drop(visit);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

async fn visit(tcp: TcpStream) -> Visit {
    let mut visit = Visit::new(Box::new(tcp));
    visit.shake_hands().await;
    visit
}

/// One that says no.
async fn refuse(host: Host, count: Arc<AtomicU64>) {
    loop {
        let mut visit = visit(host.caller().await).await;
        visit.publish().await;
        visit
            .say(|mouth| {
                mouth.status("error", "NetStream.Publish.BadName", "in use");
            })
            .await;
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn push(gateway: &Gateway, number: u8) -> Arc<PushStatus> {
    let rule = RuleId::from_random([number; 8]);
    let pushes = gateway.board.pushes();
    let found = pushes.into_iter().find(|(_, push)| push.rule == rule);
    found.unwrap().1
}

#[tokio::test]
async fn eight_that_keep_up_lose_nothing_beside_four_that_do_not() {
    let gateway = Gateway::start(Setup::default()).await;
    let mut rules = Vec::new();
    let mut books = Vec::new();
    for number in 1..=HEALTHY as u8 {
        let target = Target::open().await;
        rules.push(rule(number, &target.url("x")));
        let book = Arc::new(Book::default());
        books.push(Arc::clone(&book));
        tokio::spawn(take_all(target, book));
    }
    let [stalled, tenth, resetting, refusing] = [101, 102, 103, 104];
    let narrow = Host::open_narrow().await;
    rules.push(rule(stalled, &narrow.url("app/x")));
    tokio::spawn(stall(narrow));
    let (sent, rest) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let slow = Arc::new(Book::default());
    let narrow = Host::open_narrow().await;
    rules.push(rule(tenth, &narrow.url("app/x")));
    tokio::spawn(take_a_tenth(
        narrow,
        Arc::clone(&slow),
        Arc::clone(&sent),
        Arc::clone(&rest),
    ));
    let (resets, refusals) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let host = Host::open().await;
    rules.push(rule(resetting, &host.url("app/x")));
    tokio::spawn(reset(host, Arc::clone(&resets)));
    let host = Host::open().await;
    rules.push(rule(refusing, &host.url("app/x")));
    tokio::spawn(refuse(host, Arc::clone(&refusals)));

    gateway.wish(rules);
    let producer = claim(&gateway, "cam");
    let mut batch = producer.batch().unwrap();
    batch.push(MediaKind::Video, 0, Bytes::from_static(VIDEO_HEADER));
    batch.push(MediaKind::Audio, 0, Bytes::from_static(AUDIO_HEADER));
    let [first, ..] = frame(0);
    batch.push(first.0, first.1, first.2);
    drop(batch);
    producer.deliver().await;
    let are_live = || {
        let healthy = 1..=HEALTHY as u8;
        let count = gateway.board.pushes().len();
        count == HEALTHY + 4
            && healthy
                .chain([stalled, tenth])
                .all(|number| push(&gateway, number).phase().state == TargetState::Live)
    };
    wait("all are live", are_live).await;
    publish(&producer, &books, &sent).await;

    let status = push(&gateway, tenth);
    wait("it is said to be slow", || {
        status.figures.left_out().until_keyframe > 0
    })
    .await;
    let reason = status.phase().reason.unwrap();
    assert!(reason.starts_with("too slow for the stream: "), "{reason}");
    assert_eq!(status.figures.left_out().overtaken, 0);
    // On a busy machine it has been given up meanwhile.
    let other = push(&gateway, stalled);
    let given_up = gateway
        .diary
        .lines()
        .iter()
        .any(|line| line.contains("nothing was acknowledged"));
    assert!(given_up || other.figures.lag_ms.load(Ordering::Relaxed) > 2_000);
    assert!(resets.load(Ordering::Relaxed) >= 2);
    assert!(refusals.load(Ordering::Relaxed) >= 1);

    let expected: Vec<Message> = (1..FRAMES).flat_map(frame).collect();
    let newest = u64::from(expected.last().unwrap().1);
    wait("they have all", || {
        books.iter().all(|book| book.newest() >= newest)
    })
    .await;
    for (number, book) in books.iter().enumerate() {
        let got = book.messages.lock().unwrap();
        // Headers and the frame that it began with stand in front.
        assert!(
            got.len() >= expected.len(),
            "target {number} has lost something"
        );
        let from = got.len() - expected.len();
        assert!(
            got[from..] == expected[..],
            "target {number} has lost something"
        );
        let figures = &push(&gateway, number as u8 + 1).figures;
        assert_eq!(figures.left_out().total(), 0, "target {number}");
    }

    rest.store(1, Ordering::Relaxed);
    wait("it has the end", || slow.newest() >= newest).await;
    let got = slow.messages.lock().unwrap();
    let of = |kind: MediaKind| got.iter().filter(move |message| message.0 == kind);
    // Sound is whole; its headers come with each keyframe.
    let sound: Vec<_> = of(MediaKind::Audio)
        .filter(|message| message.2[1] == 1)
        .collect();
    let all = expected
        .iter()
        .filter(|message| message.0 == MediaKind::Audio)
        .count();
    assert!(
        sound.windows(2).all(|pair| pair[1].1 == pair[0].1 + 20),
        "sound has a hole"
    );
    assert!(
        sound.len() <= all && sound.len() >= all - 2,
        "{} of {all}",
        sound.len()
    );
    // Pictures begin at keyframes behind their headers, and have no holes from there.
    let mut before: Option<&Message> = None;
    let mut starts = 0;
    for picture in of(MediaKind::Video) {
        let is_header = picture.2[1] == 0;
        starts += usize::from(is_header);
        match before {
            None => assert!(is_header),
            Some(before) if before.2[1] == 0 => assert_eq!(picture.2[0], 0x17),
            Some(before) => assert!(
                is_header || picture.1 == before.1 + FRAME,
                "a hole at {} ms",
                picture.1
            ),
        }
        before = Some(picture);
    }
    assert!(starts > 1, "it never went on");
}

#[tokio::test]
async fn what_tls_holds_back_for_a_full_socket_is_seen() {
    let authority = Authority::new();
    let (server, client) = (authority.server(&["localhost"]), authority.client());
    let host = Host::open_narrow().await;
    let near = async {
        let tcp = TcpStream::connect(host.address).await.unwrap();
        let tls = aqueduct::net::tls::connect(&client, "localhost", tcp);
        Transport::Tls(Box::new(tls.await.unwrap()))
    };
    let far = async {
        let tcp = host.caller().await;
        let tls = aqueduct::net::tls::accept(&server, host.address, tcp);
        tls.await.unwrap()
    };
    let (mut near, mut far) = tokio::join!(near, far);
    assert_eq!(near.held_bytes(0), 0);
    let (mut taken, mut refusals) = (0, 0);
    while refusals < 20 {
        match near.try_write(&[0; 16 * 1024]) {
            Ok(count) => (taken, refusals) = (taken + count as u64, 0),
            // Room may come a moment later.
            Err(_) => {
                refusals += 1;
                sleep(Duration::from_millis(5)).await;
            }
        }
    }
    let held = near.held_bytes(taken);
    assert!((1..=64 * 1024).contains(&held), "{held} bytes");
    assert_eq!(near.held_bytes(100), 100, "no more than was not flushed");
    let read = async {
        let mut scrap = vec![0; 64 * 1024];
        let mut left = taken as usize;
        while left > 0 {
            left -= far.read(&mut scrap).await.unwrap();
        }
    };
    let (flushed, ()) = tokio::join!(near.flush(), read);
    flushed.unwrap();
    assert_eq!(near.held_bytes(taken), 0);
}

/// Waits in this runtime's own time, so that all others go on meanwhile.
async fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came true: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
