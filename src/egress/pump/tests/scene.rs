//! A live push with its stream on one side and a wire on the other, both played by the test.

use super::super::super::looks::look_after;
use super::super::super::push::Watch;
use super::super::super::status::{PushFigures, PushStatus};
use super::super::*;
use super::wire::{Near, Wired};
use crate::media::MediaKind;
use crate::relay::ring::RingLimits;
use crate::relay::testing::claim;
use crate::relay::{DuplicatePolicy, Hub, LeftOut, Mode, Producer, Shards, Tick};
use crate::rtmp::command::Command;
use crate::rtmp::message::{Message, MessageType};
use crate::rtmp::session::client::ClientConfig;
use crate::rtmp::session::server::{ServerConfig, ServerEvent, ServerSession};
use crate::rule::{RuleId, StreamKey};
use futures::FutureExt;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

pub const HEADER: &[u8] = &[0x17, 0, 0, 0, 0, 1];
pub const SECOND: Duration = Duration::from_secs(1);

/// What is told of a push.
#[derive(Default)]
pub struct Told(Mutex<Vec<&'static str>>);

impl Told {
    /// Whether the target was said to be slow, or to have caught up, in the order of that.
    pub fn slowness(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

impl Watch for Told {
    fn slow(&self, _: &PushStatus, _: Mode, _: Duration) {
        self.0.lock().unwrap().push("slow");
    }
    fn caught_up(&self, _: &PushStatus) {
        self.0.lock().unwrap().push("caught up");
    }
    fn live(&self, _: &PushStatus, _: Duration) {}
    fn failed(&self, _: &PushStatus, _: &Failure, _: Option<Duration>) {}
    fn ended(&self, _: &PushStatus) {}
    fn sent(&self, _: usize, _: u32) {}
    fn looked(&self, _: Duration, _: LeftOut) {}
}

/// A live push with its stream on one side and a wire on the other.
pub struct Scene {
    pub producer: Option<Producer>,
    pub wire: Wired,
    pub status: Arc<PushStatus>,
    pub watched: Arc<Told>,
    /// How often the pump's task was polled.
    pub polls: Arc<AtomicUsize>,
    pub fanout: Arc<Fanout<Near>>,
    pub stop: CancellationToken,
    pub task: JoinHandle<Over>,
}

pub fn key(size: usize) -> Vec<u8> {
    [&[0x17, 1, 0, 0, 0][..], &vec![0x65; size]].concat()
}

pub fn inter(number: u32) -> Vec<u8> {
    [&[0x27, 1, 0, 0, 0][..], &number.to_be_bytes()].concat()
}

/// A session whose publish was accepted.
pub fn session() -> ClientSession {
    let mut client = ClientSession::new(ClientConfig::new("app", "rtmp://h/app", "s3cr3t-k3y"));
    let mut server = ServerSession::new(ServerConfig::default());
    loop {
        let said = client.output().split();
        let mut unread: &[u8] = &said;
        while let Some(event) = server.read(&mut unread, Duration::ZERO).unwrap() {
            match event {
                ServerEvent::ConnectRequested(_) => server.accept_connect(),
                ServerEvent::PublishRequested(_) => server.accept_publish(),
                other => panic!("{other:?}"),
            }
        }
        let said = server.output().split();
        let mut unread: &[u8] = &said;
        while let Some(event) = client.read(&mut unread, Duration::ZERO).unwrap() {
            if event == ClientEvent::Published {
                return client;
            }
        }
    }
}

impl Scene {
    pub fn new() -> Self {
        Self::with(RingLimits::default())
    }

    pub fn with(limits: RingLimits) -> Self {
        let hub = Hub::new(limits);
        let stream = StreamKey::parse("live", "cam").unwrap();
        let producer = hub.claim(&stream, claim(), DuplicatePolicy::Takeover);
        let producer = producer.ok().unwrap();
        let place = TargetUrl::parse("rtmp://h/app/s3cr3t-k3y").unwrap();
        let rule = RuleId::from_random([7; 8]);
        let status = Arc::new(PushStatus::new(rule, stream, place.clone()));
        let (wire, stop) = (Wired::default(), CancellationToken::new());
        let session = session();
        let established = Established {
            transport: wire.near(),
            session,
            inbox: BytesMut::new(),
            place,
        };
        let consumer = producer.stream().consume();
        let stopped = stop.clone();
        let beats = Shards::here(Tick::new(Duration::from_millis(30))).beats();
        let watched = Arc::<Told>::default();
        let fanout = Fanout::of(producer.stream(), watched.clone());
        let looker = beats.at(&Handle::current()).look_after();
        tokio::spawn(look_after(Arc::downgrade(&fanout), looker));
        let ledger = Ledger::new(Arc::clone(&status), watched.clone(), 0);
        let polls = Arc::<AtomicUsize>::default();
        let (polled, served) = (Arc::clone(&polls), Arc::clone(&fanout));
        let task = tokio::spawn(async move {
            let pump = Pump::new(established, consumer, &served, ledger);
            let mut run = pin!(pump.run(&stopped));
            poll_fn(|cx| {
                polled.fetch_add(1, Ordering::Relaxed);
                run.as_mut().poll(cx)
            })
            .await
        });
        Self {
            producer: Some(producer),
            wire,
            status,
            watched,
            polls,
            fanout,
            stop,
            task,
        }
    }

    pub fn push(&self, at: u32, payload: Vec<u8>) {
        self.push_kind(MediaKind::Video, at, payload);
    }

    pub fn push_kind(&self, kind: MediaKind, at: u32, payload: Vec<u8>) {
        let producer = self.producer.as_ref().unwrap();
        let mut batch = producer.batch().unwrap();
        batch.push(kind, at, payload.into());
        drop(batch);
        // One target is one turn.
        producer.deliver().now_or_never().unwrap();
    }

    /// The publisher ends the stream.
    pub fn finish(&mut self) {
        self.producer.take().unwrap().finish();
    }

    /// Lets the pump do all that needs no time.
    pub async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    /// What was sent so far, as messages; all of it has to be whole.
    pub fn messages(&self) -> Vec<Message> {
        self.wire.messages()
    }

    pub fn figure(&self, figure: impl Fn(&PushFigures) -> u64) -> u64 {
        figure(&self.status.figures)
    }

    pub async fn over(self) -> Over {
        timeout(SECOND * 60, self.task).await.unwrap().unwrap()
    }
}

/// `video 40 1005`: kind, time and length; commands by their names.
pub fn line(message: &Message) -> String {
    match message.type_id {
        MessageType::AUDIO => format!("audio {}", message.timestamp),
        MessageType::VIDEO => format!("video {} {}", message.timestamp, message.payload.len()),
        MessageType::COMMAND_AMF0 => {
            let command = Command::decode(message.type_id, &message.payload).unwrap();
            command.name
        }
        MessageType::USER_CONTROL => format!("event {}", message.payload[1]),
        MessageType::ACKNOWLEDGEMENT => "ack".to_owned(),
        other => format!("type {other}"),
    }
}

pub fn lines(messages: &[Message]) -> Vec<String> {
    messages.iter().map(line).collect()
}

/// A ping of the target, and other things that it may say in the middle of a stream.
pub fn chatter(target: &mut Vec<u8>) {
    let control = |target: &mut Vec<u8>, type_id: u8, payload: &[u8]| {
        let mut bytes = BytesMut::new();
        let length = payload.len() as u32;
        let header = crate::rtmp::chunk::Header {
            csid: 2,
            timestamp: 0,
            length,
            type_id,
            stream_id: 0,
        };
        crate::rtmp::chunk::write(&mut bytes, header, payload, 128);
        target.extend_from_slice(&bytes);
    };
    control(
        target,
        MessageType::SET_CHUNK_SIZE,
        &65_536u32.to_be_bytes(),
    );
    control(
        target,
        MessageType::WINDOW_ACK_SIZE,
        &40_000u32.to_be_bytes(),
    );
    control(target, MessageType::SET_PEER_BANDWIDTH, &[0, 1, 0, 0, 2]);
    control(target, MessageType::USER_CONTROL, &[0, 6, 1, 2, 3, 4]);
    control(target, MessageType::ACKNOWLEDGEMENT, &[0, 0, 1, 0]);
    // Events that nobody knows are nobody's mistake.
    control(target, MessageType::USER_CONTROL, &[0, 31, 0, 0, 0, 1]);
}

/// An onStatus on stream 1.
pub fn status(level: &str, code: &str, description: &str) -> Vec<u8> {
    use crate::rtmp::amf0::Value;
    let info = [
        ("level", level),
        ("code", code),
        ("description", description),
    ];
    let info = info.map(|(key, value)| (key.to_owned(), Value::from(value)));
    let payload = Command::new(
        "onStatus",
        0.0,
        Value::Null,
        vec![Value::Object(info.into())],
    );
    let payload = payload.encode();
    let header = crate::rtmp::chunk::Header {
        csid: 5,
        timestamp: 0,
        length: payload.len() as u32,
        type_id: MessageType::COMMAND_AMF0,
        stream_id: 1,
    };
    let mut bytes = BytesMut::new();
    crate::rtmp::chunk::write(&mut bytes, header, &payload, 60_000);
    bytes.to_vec()
}
