//! Whatever a publisher says: no panic, bounded memory and answers, events in their order, and the same in one piece and in
//! many.

use std::time::Duration;

use aqueduct::rtmp::limits::{BEFORE_PUBLISH_BYTES_MAX, NAME_BYTES_MAX, PARTIAL_BYTES_MAX};
use aqueduct::rtmp::session::server::{
    ConnectRefusal, Refusal, ServerConfig, ServerError, ServerEvent, ServerSession,
};

use super::conversation::{Side, wire};
use super::pieces::{Cuts, feed};
use super::ways::{self, Way};

/// What all answers within one second take at the most, acknowledgements left out, in bytes.
const ANSWERS_BYTES_MAX: usize = 8 * 1024;
/// One answer, in bytes.
const ANSWER_BYTES_MAX: usize = 1024;

/// What our side does.
#[derive(Clone, Copy)]
struct Ours {
    accepts_connect: bool,
    accepts_publish: bool,
    /// Ends the conversation at the first message of media.
    finishes: bool,
}

type Heard = ways::Heard<ServerEvent, ServerError>;

/// The first byte is our side's, two more cut the wire into reads, the fourth is the time between reads; the rest is what the
/// publisher says.
pub fn run(bytes: &[u8]) {
    let [answers, mode, piece, pace, said @ ..] = bytes else {
        return;
    };
    let wire = wire(Side::Publisher, answers & 1 == 1, said);
    let ours = Ours {
        accepts_connect: answers & 2 == 0,
        accepts_publish: answers & 4 == 0,
        finishes: answers & 8 != 0,
    };
    ways::hold(
        Cuts::chosen(*mode, *piece),
        Duration::from_millis(u64::from(*pace) * 8),
        ANSWERS_BYTES_MAX,
        |way| converse(&wire, way, ours),
        |heard| check_events(heard, ours),
    );
}

fn converse(wire: &[u8], way: Way, ours: Ours) -> Heard {
    let mut session = ServerSession::new(ServerConfig::default());
    let mut heard = Heard::default();
    let mut now = Duration::ZERO;
    let mut left = 0;
    let mut most = BEFORE_PUBLISH_BYTES_MAX;
    let end = feed(wire, way.cuts.clone(), |input| {
        now += way.pace;
        loop {
            let outcome = session.read(input, now);
            left = input.len();
            assert!(session.bytes_buffered() <= most);
            heard.hear(session.output(), ANSWER_BYTES_MAX, &way);
            let Some(event) = outcome? else {
                if !session.awaits_answer() {
                    return Ok(());
                }
                answer(&mut session, ours);
                continue;
            };
            match event {
                ServerEvent::PublishRequested(_) => most = PARTIAL_BYTES_MAX,
                ServerEvent::Media(_) if ours.finishes => session.finish(),
                _ => {}
            }
            heard.events.push(event);
        }
    });
    heard.error = end.err();
    if heard.error.is_none() {
        assert_eq!(session.bytes_in(), (wire.len() - left) as u64);
        session.finish();
    }
    let mut more = &b"\x03 anything"[..];
    assert_eq!(session.read(&mut more, now), Ok(None), "the end is the end");
    assert!(more.is_empty());
    heard.hear(session.output(), ANSWER_BYTES_MAX, &way);
    heard.ear.end(wire.len());
    heard
}

fn answer(session: &mut ServerSession, ours: Ours) {
    match ours.accepts_connect {
        true => session.accept_connect(),
        false => session.reject_connect(ConnectRefusal::InvalidApp, "There is no such app."),
    }
    match ours.accepts_publish {
        true => session.accept_publish(),
        false => session.reject_publish(Refusal::Denied, "The key is wrong."),
    }
}

/// A connect, a publish, media, an end: each once at the most, and none without the one before.
fn check_events(heard: &Heard, ours: Ours) {
    let mut stage = 0;
    for event in &heard.events {
        let (from, to) = match event {
            ServerEvent::ConnectRequested(request) => {
                let longest = request.app.len().max(request.tc_url.len());
                assert!(longest.max(request.query.expose().len()) <= NAME_BYTES_MAX);
                assert!(!request.app.starts_with('/') && !request.app.contains('?'));
                (0, 1)
            }
            ServerEvent::PublishRequested(request) => {
                assert!(ours.accepts_connect);
                assert!(!request.name.is_empty() && !request.name.starts_with('?'));
                assert!(request.name.len() <= 2 * NAME_BYTES_MAX);
                (1, 2)
            }
            ServerEvent::Media(_) => {
                assert!(ours.accepts_publish);
                (2, 2)
            }
            ServerEvent::Unpublished(_) => {
                assert!(ours.accepts_publish);
                (2, 3)
            }
        };
        assert_eq!(stage, from, "{event:?}");
        stage = to;
    }
    let media = |event: &&ServerEvent| matches!(event, ServerEvent::Media(_));
    assert!(!ours.finishes || heard.events.iter().filter(media).count() <= 1);
}
