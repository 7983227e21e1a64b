//! What somebody who has not shown yet who he is can make us hold: ten times what he has sent, at the most, whatever that is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use crate::counting_allocator::{live_bytes, peak_of};
use crate::gateway_parts::{Authority, Gateway, Setup, until};
use crate::session_peer::publisher::connect_object;
use crate::session_peer::{Mouth, object, text};

use aqueduct::rtmp::amf0::Value;
use aqueduct::rtmp::handshake;
use aqueduct::rtmp::limits::{
    AMF0_DEPTH_MAX, BEFORE_PUBLISH_BYTES_MAX, BEFORE_PUBLISH_VALUES_MAX, NAME_BYTES_MAX,
};
use aqueduct::rtmp::message::MessageType;
use aqueduct::rtmp::session::server::{ServerConfig, ServerEvent, ServerSession};
use tokio::net::TcpStream;

/// What a connection costs by itself, in bytes: its buffer, its handshake, its session.
const SILENT_BYTES_MAX: usize = 16 * 1024;

/// The same with its task, its socket, and the socket that the test holds at the other end, in bytes.
const IDLE_BYTES_MAX: usize = 24 * 1024;

/// The same in TLS.
const IDLE_TLS_BYTES_MAX: usize = 48 * 1024;

/// Bytes held for each byte that was sent, those of the handshake among them.
const AMPLIFICATION_MAX: usize = 10;

/// The buffer that a stranger's socket is read into, as `ingest::buffer` has it.
const READ_BYTES: usize = 4096;

/// C0 to C2 of a client that wants no digest.
const HANDSHAKE: [u8; 3073] = {
    let mut bytes = [0; 3073];
    bytes[0] = 3;
    bytes
};

/// Lives through a connection up to its publish, as `ingest::connection` does; answers are sent after each read.
fn live(sent: &[u8]) {
    let mut buffer = vec![0; READ_BYTES];
    let mut unread = 0;
    let mut hands = Some(handshake::Server::new());
    let mut session = ServerSession::new(ServerConfig::default());
    let mut sent = sent;
    while !sent.is_empty() && unread < buffer.len() {
        let more = sent.len().min(buffer.len() - unread);
        buffer[unread..unread + more].copy_from_slice(&sent[..more]);
        sent = &sent[more..];
        let filled = unread + more;
        let mut input = &buffer[..filled];
        if let Some(shaking) = &mut hands {
            let Ok(progress) = shaking.read(&mut input) else {
                return;
            };
            if progress.done {
                hands = None;
            }
        }
        while hands.is_none() {
            match session.read(&mut input, Duration::ZERO) {
                Ok(Some(ServerEvent::ConnectRequested(_))) => session.accept_connect(),
                Ok(Some(_)) | Err(_) => return,
                Ok(None) => break,
            }
            drop(session.output().split());
        }
        drop(session.output().split());
        let left = input.len();
        buffer.copy_within(filled - left..filled, 0);
        unread = left;
    }
}

/// A message whose chunks are the largest that can be, behind a connect where that is asked for.
fn said(connected: bool, say: impl FnOnce(&mut Mouth)) -> Vec<u8> {
    let mut mouth = Mouth::default();
    mouth.set_chunk_size(0xFF_FFFF);
    if connected {
        mouth.connect(connect_object("live"));
    }
    say(&mut mouth);
    mouth.take()
}

fn command(values: &[u8]) -> Vec<u8> {
    said(true, |mouth| {
        let payload = [&b"\x02\x00\x01x\x00\0\0\0\0\0\0\0\0"[..], values].concat();
        mouth.message(3, MessageType::COMMAND_AMF0, 0, 0, &payload);
    })
}

/// Begun messages on chunk streams of their own, of which so many bytes come.
fn begun(type_id: u8, bytes: usize) -> Vec<u8> {
    let [_, l0, l1, l2] = (BEFORE_PUBLISH_BYTES_MAX as u32).to_be_bytes();
    let begin = |csid: u8| {
        let header = [csid, 0, 0, 0, l0, l1, l2, type_id, 0, 0, 0, 0];
        [&header[..], &vec![0; bytes]].concat()
    };
    (3..35).flat_map(begin).collect()
}

fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let few = BEFORE_PUBLISH_VALUES_MAX - 2;
    let of = |one: &[u8], count: usize| command(&one.repeat(count));
    let array = |count: u32, values: &[u8]| {
        let head = [&[0x0A][..], &count.to_be_bytes()].concat();
        command(&[&head[..], values].concat())
    };
    let typed = b"\x10\x00\x00\x00\x00\x05\x00\x00\x09";
    vec![
        ("nothing", Vec::new()),
        ("claims", begun(20, 128)),
        ("claims of few bytes", begun(20, 1)),
        ("claims of media", begun(9, 128)),
        ("claims without a byte", begun(20, 0)),
        (
            "one long command",
            said(false, |mouth| {
                mouth.message(3, 20, 0, 0, &[5; BEFORE_PUBLISH_BYTES_MAX]);
            }),
        ),
        ("nulls", of(&[5], few)),
        ("more nulls than are taken", of(&[5], 50_000)),
        ("an array of nulls", array(few as u32, &[5].repeat(few))),
        ("an array that claims", array(u32::MAX, &[5].repeat(few))),
        ("arrays of nothing", of(b"\x0a\x00\x00\x00\x00", few)),
        ("arrays of one", of(b"\x0a\x00\x00\x00\x01\x05", few / 2)),
        (
            "arrays of two",
            of(b"\x0a\x00\x00\x00\x02\x05\x05", few / 3),
        ),
        ("objects of nothing", of(b"\x03\x00\x00\x09", few)),
        (
            "objects of one",
            of(b"\x03\x00\x00\x05\x00\x00\x09", few / 2),
        ),
        (
            "objects of two",
            of(b"\x03\x00\x00\x05\x00\x00\x05\x00\x00\x09", few / 3),
        ),
        ("typed objects", of(typed, few / 2)),
        ("the deepest", of(b"\x0a\x00\x00\x00\x01", AMF0_DEPTH_MAX)),
        ("deeper", of(b"\x03\x00\x01a", 15_000)),
        ("letters", of(b"\x02\x00\x01a", few)),
        (
            "text that is repaired",
            command(&[&b"\x0c\x00\x00\x50\x00"[..], &[0xFF; 0x5000]].concat()),
        ),
        (
            "long names",
            said(false, |mouth| {
                let name = || text(&"n".repeat(NAME_BYTES_MAX));
                let object = object(&[
                    ("app", name()),
                    ("tcUrl", name()),
                    ("flashVer", Value::String("v".repeat(50_000))),
                ]);
                mouth.connect(object);
            }),
        ),
        (
            "calls that want an answer",
            said(true, |mouth| {
                for _ in 0..19 {
                    mouth.call("x", 1.0, &[]);
                }
            }),
        ),
        (
            "pings and windows",
            said(true, |mouth| {
                for n in 0..120u32 {
                    let ping = [&[0, 6], &n.to_be_bytes()[..]].concat();
                    mouth.message(2, MessageType::USER_CONTROL, 0, 0, &ping);
                    let limit = [&n.to_be_bytes()[..], &[2]].concat();
                    mouth.message(2, MessageType::SET_PEER_BANDWIDTH, 0, 0, &limit);
                }
            }),
        ),
        (
            "an aggregate of small parts",
            said(true, |mouth| {
                let part = b"\x08\x00\x00\x01\0\0\0\0\0\0\0\xaf\x00\x00\x00\x0c";
                mouth.message(4, MessageType::AGGREGATE, 1, 0, &part.repeat(1024));
            }),
        ),
        (
            "empty messages on every chunk stream",
            said(true, |mouth| {
                for csid in 3..35 {
                    mouth.message(csid, 8, 1, 0, &[]);
                }
            }),
        ),
    ]
}

#[test]
fn a_stranger_makes_us_hold_ten_times_what_it_sends_at_the_most() {
    // What the first handshake of a thread makes for all of them: its source of random numbers.
    live(&HANDSHAKE);
    for (what, bytes) in hostile() {
        let all = [&HANDSHAKE[..], &bytes].concat();
        // All of it, and the first of it: no cut makes a little go further.
        for eighths in 0..=8 {
            let sent = &all[..HANDSHAKE.len() + bytes.len() * eighths / 8];
            let held = peak_of(|| live(sent));
            assert!(
                held <= AMPLIFICATION_MAX * sent.len(),
                "{what}: {held} bytes held for {} sent",
                sent.len()
            );
        }
    }
}

#[test]
fn a_stranger_that_says_little_costs_little() {
    live(&HANDSHAKE);
    for bytes in [0, 1, 2, 1536, 1537, 3072] {
        let held = peak_of(|| live(&HANDSHAKE[..bytes]));
        assert!(held <= SILENT_BYTES_MAX, "{held} bytes for {bytes} sent");
    }
}

#[tokio::test]
async fn an_idle_connection_costs_little() {
    let each = idle(None).await;
    assert!(each <= IDLE_BYTES_MAX, "{each} bytes for each");
}

#[tokio::test]
async fn an_idle_connection_in_tls_costs_little() {
    let tls = Authority::new().server(&["localhost"]);
    let each = idle(Some(tls)).await;
    assert!(each <= IDLE_TLS_BYTES_MAX, "{each} bytes for each");
}

/// What each of many connections costs that say nothing.
async fn idle(tls: Option<Arc<rustls::ServerConfig>>) -> usize {
    const STRANGERS: usize = 200;
    // All of it runs on the thread of this test, which is the one that is counted.
    let gateway = Gateway::start(Setup {
        tls,
        ..Setup::default()
    })
    .await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let (before, without) = (live_bytes(), tasks());
    let mut strangers = Vec::with_capacity(STRANGERS);
    for _ in 0..STRANGERS {
        strangers.push(TcpStream::connect(gateway.address).await.unwrap());
    }
    until("all are accepted", || tasks() == without + STRANGERS).await;
    (live_bytes() - before) / STRANGERS
}
