//! A publisher, the gateway's media path and a target, all of them this project's own, in one process: what goes in comes
//! out, behind its headers, from a keyframe on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use aqueduct::egress::attempt::Reach;
use aqueduct::egress::failure::Failure;
use aqueduct::egress::gate::StartGate;
use aqueduct::egress::status::PushStatus;
use aqueduct::egress::{Board, Egress, Supervisor, TargetState};
use aqueduct::ingest::{Apps, Asked, Ended, Gate, Listener, NotPublished, PublishAuth, Received};
use aqueduct::media::MediaKind;
use aqueduct::net::dial::Dialer;
use aqueduct::net::listener::Acceptor;
use aqueduct::net::own::OwnListeners;
use aqueduct::net::permits::{ConnectionLimits, Permits};
use aqueduct::net::policy::AddressPolicy;
use aqueduct::net::resolve::SystemResolver;
use aqueduct::relay::ring::RingLimits;
use aqueduct::relay::{Hub, Shards, Tick};
use aqueduct::rtmp::handshake;
use aqueduct::rtmp::session::client::{ClientConfig, ClientEvent, ClientSession};
use aqueduct::rtmp::session::server::{ServerConfig, ServerEvent, ServerSession};
use aqueduct::rule::{
    AppName, Origin, Rule, RuleId, RuleSet, StreamKey, StreamPattern, UrlTemplate,
};
use aqueduct::telemetry::Metrics;
use bytes::{Bytes, BytesMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(20);

struct Silent;

impl aqueduct::ingest::Watch for Silent {
    fn publish_started(&self, _: &StreamKey, _: SocketAddr, _: &str, _: bool) {}
    fn publish_ended(&self, _: &StreamKey, _: SocketAddr, _: &Ended, _: u64, _: Duration) {}
    fn not_published(&self, _: SocketAddr, _: &NotPublished, _: Option<&Asked>) {}
    fn received(&self, _: Received) {}
}

impl aqueduct::egress::Watch for Silent {
    fn live(&self, _: &PushStatus, _: Duration) {}
    fn failed(&self, _: &PushStatus, _: &Failure, _: Option<Duration>) {}
    fn ended(&self, _: &PushStatus) {}
    fn sent(&self, _: usize, _: u32) {}
    fn looked(&self, _: Duration, _: u64) {}
}

/// The media path without its doors.
struct Gateway {
    address: SocketAddr,
    rules: watch::Sender<RuleSet>,
    board: Arc<Board>,
    _shards: Arc<Shards>,
}

impl Gateway {
    async fn start(window: Duration) -> Self {
        let shards = Arc::new(Shards::start(2).unwrap());
        let hub = Hub::new(RingLimits::default());
        let apps = Apps::new([(AppName::parse("live").unwrap(), PublishAuth::None)]);
        let gate = Arc::new(Gate {
            hub: Arc::clone(&hub),
            admission: Arc::new(apps),
            tick: Tick::new(window),
            drain: CancellationToken::new(),
            watch: Arc::new(Silent),
            reject_duplicates: AtomicBool::new(false),
        });
        let (rules, subscribed) = watch::channel(RuleSet::default());
        let policy = AddressPolicy {
            allow_private: true,
        };
        let own = Arc::new(OwnListeners::new());
        let egress = Egress {
            reach: Reach {
                dialer: Arc::new(Dialer::new(Arc::new(SystemResolver::new()), policy, own)),
                tls: aqueduct::net::tls::client_config(&[]).unwrap(),
            },
            gate: StartGate::new(0),
            chunk_size: 4096,
            watch: Arc::new(Silent),
        };
        let board = Arc::new(Board::default());
        let supervisor = Supervisor::new(hub, subscribed, Arc::new(egress), Arc::clone(&board));
        tokio::spawn(supervisor.run(CancellationToken::new(), PATIENCE));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let permits = Permits::new(ConnectionLimits::default());
        let acceptor = Acceptor::new(listener, permits, Arc::new(Metrics::new())).unwrap();
        let listener = Listener {
            acceptor,
            tls: None,
        };
        tokio::spawn(aqueduct::ingest::serve(listener, gate, Arc::clone(&shards)));
        Self {
            address,
            rules,
            board,
            _shards: shards,
        }
    }

    fn rule(&self, number: u8, url: &str) -> Rule {
        Rule {
            id: RuleId::from_random([number; 8]),
            app: AppName::parse("live").unwrap(),
            stream: StreamPattern::parse("*").unwrap(),
            url: UrlTemplate::parse(url).unwrap(),
            enabled: true,
            origin: Origin::Api,
            created_at: time::OffsetDateTime::UNIX_EPOCH,
            revision: 1,
            stop_at: None,
            chunk_size: None,
        }
    }

    fn wish(&self, rules: impl IntoIterator<Item = Rule>) {
        let rules = RuleSet::new(rules.into_iter().map(Arc::new));
        self.rules.send_replace(rules);
    }
}

/// A publisher.
struct Publisher {
    tcp: TcpStream,
    session: ClientSession,
}

impl Publisher {
    async fn connect(gateway: SocketAddr, name: &str) -> Self {
        let mut tcp = TcpStream::connect(gateway).await.unwrap();
        let mut inbox = BytesMut::new();
        let mut hands = handshake::Client::plain(7);
        loop {
            let mut unread: &[u8] = &inbox;
            let progress = hands.read(&mut unread).unwrap();
            let left = unread.len();
            inbox = inbox.split_off(inbox.len() - left);
            tcp.write_all(&progress.output).await.unwrap();
            if progress.done {
                break;
            }
            assert_ne!(tcp.read_buf(&mut inbox).await.unwrap(), 0);
        }
        let tc_url = format!("rtmp://{gateway}/live");
        let mut session = ClientSession::new(ClientConfig::new("live", tc_url, name));
        loop {
            let mut unread: &[u8] = &inbox;
            let event = session.read(&mut unread, Duration::ZERO).unwrap();
            let left = unread.len();
            inbox = inbox.split_off(inbox.len() - left);
            let output = session.output().split();
            tcp.write_all(&output).await.unwrap();
            match event {
                Some(ClientEvent::Published) => return Self { tcp, session },
                Some(_) => {}
                None => assert_ne!(tcp.read_buf(&mut inbox).await.unwrap(), 0),
            }
        }
    }

    async fn send(&mut self, kind: MediaKind, at: u32, payload: &[u8]) {
        let header = self
            .session
            .media_header(kind, at, u32::try_from(payload.len()).unwrap());
        let mut chunks = BytesMut::new();
        aqueduct::rtmp::chunk::write(&mut chunks, header, payload, 4096);
        self.tcp.write_all(&chunks).await.unwrap();
    }

    async fn finish(mut self) {
        self.session.finish();
        let output = self.session.output().split();
        self.tcp.write_all(&output).await.unwrap();
        aqueduct::net::close::close_gracefully(self.tcp, PATIENCE).await;
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Tag(MediaKind, u32, Bytes),
    Unpublished,
    End,
}

/// A target that tells all that it sees.
async fn target() -> (SocketAddr, mpsc::UnboundedReceiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(receive(tcp, tell.clone()));
        }
    });
    (address, told)
}

async fn receive(mut tcp: TcpStream, tell: mpsc::UnboundedSender<Seen>) {
    let mut inbox = BytesMut::new();
    let mut hands = handshake::Server::new();
    loop {
        assert_ne!(tcp.read_buf(&mut inbox).await.unwrap(), 0);
        let mut unread: &[u8] = &inbox;
        let progress = hands.read(&mut unread).unwrap();
        let left = unread.len();
        inbox = inbox.split_off(inbox.len() - left);
        tcp.write_all(&progress.output).await.unwrap();
        if progress.done {
            break;
        }
    }
    let mut session = ServerSession::new(ServerConfig::default());
    loop {
        let mut unread: &[u8] = &inbox;
        let event = session.read(&mut unread, Duration::ZERO).unwrap();
        let left = unread.len();
        inbox = inbox.split_off(inbox.len() - left);
        match event {
            Some(ServerEvent::ConnectRequested(_)) => session.accept_connect(),
            Some(ServerEvent::PublishRequested(_)) => session.accept_publish(),
            Some(ServerEvent::Media(media)) => {
                let _ = tell.send(Seen::Tag(media.kind, media.timestamp, media.payload));
            }
            Some(ServerEvent::Unpublished(_)) => {
                let _ = tell.send(Seen::Unpublished);
            }
            None => {
                let output = session.output().split();
                tcp.write_all(&output).await.unwrap();
                if tcp.read_buf(&mut inbox).await.unwrap_or(0) == 0 {
                    let _ = tell.send(Seen::End);
                    return;
                }
            }
        }
    }
}

async fn next(told: &mut mpsc::UnboundedReceiver<Seen>) -> Seen {
    timeout(PATIENCE, told.recv()).await.unwrap().unwrap()
}

async fn tags(told: &mut mpsc::UnboundedReceiver<Seen>, count: usize) -> Vec<(MediaKind, u32)> {
    let mut got = Vec::new();
    while got.len() < count {
        match next(told).await {
            Seen::Tag(kind, at, _) => got.push((kind, at)),
            other => panic!("{other:?} after {got:?}"),
        }
    }
    got
}

async fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const METADATA: &[u8] = b"\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData\x08\0\0\0\0\0\0\x09";
const VIDEO_HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1];
const AUDIO_HEADER: &[u8] = &[0xAF, 0, 0x12, 0x10];

fn key(size: usize) -> Vec<u8> {
    [&[0x17, 1, 0, 0, 0][..], &vec![0x65; size]].concat()
}

async fn send_start(publisher: &mut Publisher, at: u32) {
    publisher.send(MediaKind::Data, 0, METADATA).await;
    publisher.send(MediaKind::Video, 0, VIDEO_HEADER).await;
    publisher.send(MediaKind::Audio, 0, AUDIO_HEADER).await;
    publisher.send(MediaKind::Video, at, &key(100_000)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_reaches_its_target_whole_and_says_goodbye() {
    for window in [0, 30] {
        let gateway = Gateway::start(Duration::from_millis(window)).await;
        let (address, mut told) = target().await;
        gateway.wish([gateway.rule(1, &format!("rtmp://{address}/app/{{stream}}"))]);
        let mut publisher = Publisher::connect(gateway.address, "cam").await;
        send_start(&mut publisher, 5000).await;
        for frame in 1..50u32 {
            let payload = [&[0x27, 1, 0, 0, 0][..], &frame.to_be_bytes()].concat();
            publisher
                .send(MediaKind::Video, 5000 + frame * 40, &payload)
                .await;
        }
        let got = tags(&mut told, 4).await;
        let kinds = [
            MediaKind::Data,
            MediaKind::Video,
            MediaKind::Audio,
            MediaKind::Video,
        ];
        assert_eq!(got, kinds.map(|kind| (kind, 0)));
        for frame in 1..50u32 {
            let expected = [&[0x27, 1, 0, 0, 0][..], &frame.to_be_bytes()].concat();
            assert_eq!(
                next(&mut told).await,
                Seen::Tag(MediaKind::Video, frame * 40, expected.into())
            );
        }
        publisher.send(MediaKind::Video, 7000, &key(10)).await;
        publisher.finish().await;
        assert_eq!(tags(&mut told, 1).await, [(MediaKind::Video, 2000)]);
        assert_eq!(next(&mut told).await, Seen::Unpublished);
        assert_eq!(next(&mut told).await, Seen::End);
        until(|| gateway.board.pushes().is_empty()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_comes_late_gets_the_cached_gop_and_leaves_the_others_alone() {
    let gateway = Gateway::start(Duration::from_millis(10)).await;
    let (first, mut told_first) = target().await;
    let (second, mut told_second) = target().await;
    let one = gateway.rule(1, &format!("rtmp://{first}/app/x"));
    let two = gateway.rule(2, &format!("rtmp://{second}/app/y"));
    gateway.wish([one.clone()]);
    let mut publisher = Publisher::connect(gateway.address, "cam").await;
    send_start(&mut publisher, 0).await;
    for frame in 1..10 {
        publisher
            .send(MediaKind::Video, frame * 40, &[0x27, 1, 0, 0, 0, 1])
            .await;
    }
    tags(&mut told_first, 13).await;
    gateway.wish([one, two.clone()]);
    let got = tags(&mut told_second, 13).await;
    assert_eq!(got[3], (MediaKind::Video, 0));
    assert_eq!(got[12], (MediaKind::Video, 360));

    gateway.wish([two]);
    assert_eq!(next(&mut told_first).await, Seen::Unpublished);
    assert_eq!(next(&mut told_first).await, Seen::End);
    publisher
        .send(MediaKind::Video, 400, &[0x27, 1, 0, 0, 0, 1])
        .await;
    assert_eq!(tags(&mut told_second, 1).await, [(MediaKind::Video, 400)]);
    let pushes = gateway.board.pushes();
    assert_eq!(pushes.len(), 1);
    assert_eq!(pushes[0].1.phase().state, TargetState::Live);
}
