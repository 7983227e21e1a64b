//! Whatever an ingest says: no panic, bounded memory and answers, events in their order, the same in one piece and in many,
//! and no key in what is shown.

use std::time::Duration;

use aqueduct::rtmp::limits::{
    AUTH_VALUE_BYTES_MAX, PARTIAL_BYTES_MAX, REDIRECT_URL_BYTES_MAX, STATUS_CODE_CHARS_MAX,
    STATUS_DESCRIPTION_CHARS_MAX,
};
use aqueduct::rtmp::session::Stage;
use aqueduct::rtmp::session::client::{
    ClientConfig, ClientError, ClientEvent, ClientSession, Enhanced, Redirect,
};
use aqueduct::secret::Secret;

use super::conversation::{Side, wire};
use super::pieces::{Cuts, feed};
use super::ways::{self, Way};

/// What all calls and answers of one conversation take at the most where no time goes by, acknowledgements left out, in bytes.
const CALLS_BYTES_MAX: usize = 8 * 1024;
/// The calls that follow from one answer, in bytes.
const CALL_BYTES_MAX: usize = 1024;
/// The calls that we have, in their order.
const CALLS: [&str; 7] = [
    "connect",
    "releaseStream",
    "FCPublish",
    "createStream",
    "publish",
    "FCUnpublish",
    "deleteStream",
];
/// The two that stand in the name.
const CANARIES: [&str; 2] = ["canary7key", "canary8token"];

/// What our side does.
#[derive(Clone, Copy)]
struct Ours {
    announces_enhanced: bool,
    /// Says goodbye as soon as the server takes our media.
    finishes: bool,
}

type Heard = ways::Heard<ClientEvent, ClientError>;

/// The first byte is our side's, two more cut the wire into reads, the fourth is the time between reads; the rest is what the
/// ingest says.
pub fn run(bytes: &[u8]) {
    let [ours, mode, piece, pace, said @ ..] = bytes else {
        return;
    };
    let wire = wire(Side::Ingest, ours & 1 == 1, said);
    let ours = Ours {
        announces_enhanced: ours & 2 != 0,
        finishes: ours & 4 != 0,
    };
    ways::hold(
        Cuts::chosen(*mode, *piece),
        Duration::from_millis(u64::from(*pace) * 8),
        CALLS_BYTES_MAX,
        |way| converse(&wire, way, ours),
        check_events,
    );
}

fn converse(wire: &[u8], way: Way, ours: Ours) -> Heard {
    let name = format!("{}?token={}", CANARIES[0], CANARIES[1]);
    let mut config = ClientConfig::new("live", "rtmp://host/live", name);
    config.enhanced = ours.announces_enhanced.then(|| Enhanced {
        four_ccs: vec![*b"hvc1", *b"Opus"],
    });
    let mut session = ClientSession::new(config);
    let mut heard = Heard::default();
    let mut now = Duration::ZERO;
    let mut left = 0;
    let mut stage = session.stage();
    let end = feed(wire, way.cuts.clone(), |input| {
        now += way.pace;
        loop {
            let outcome = session.read(input, now);
            left = input.len();
            assert!(session.bytes_buffered() <= PARTIAL_BYTES_MAX);
            assert!(steps(stage) <= steps(session.stage()), "no step back");
            stage = session.stage();
            heard.hear(session.output(), CALL_BYTES_MAX, &way);
            let Some(event) = outcome? else {
                return Ok(());
            };
            if ours.finishes && event == ClientEvent::Published {
                session.finish();
            }
            heard.events.push(event);
        }
    });
    heard.error = end.err();
    if heard.error.is_none() {
        assert_eq!(session.bytes_in(), (wire.len() - left) as u64);
    }
    session.finish();
    heard.hear(session.output(), CALL_BYTES_MAX, &way);
    heard.ear.end(wire.len());
    let order = |name: &String| {
        CALLS
            .iter()
            .position(|call| call == name)
            .expect("a call of ours")
    };
    let calls: Vec<usize> = heard.ear.calls.iter().map(order).collect();
    assert!(
        calls.is_sorted_by(|one, next| one < next),
        "{:?}",
        heard.ear.calls
    );
    heard
}

fn steps(stage: Stage) -> u8 {
    match stage {
        Stage::Connect => 0,
        Stage::CreateStream => 1,
        Stage::Publish | Stage::Play => 2,
        Stage::Live => 3,
    }
}

/// The start once at the most, nothing behind an end, and nothing that an ingest could smuggle through.
fn check_events(heard: &Heard) {
    let (mut is_live, mut is_over) = (false, false);
    for event in &heard.events {
        assert!(!is_over, "{event:?} behind the end");
        match event {
            ClientEvent::Published => {
                assert!(!is_live, "one start");
                is_live = true;
            }
            ClientEvent::Acknowledged(_) => {}
            ClientEvent::ReconnectRequest { tc_url } => {
                assert!(is_live);
                let length = tc_url.as_ref().map_or(1, |url| url.expose().len());
                assert!((1..=REDIRECT_URL_BYTES_MAX).contains(&length));
            }
            ClientEvent::Refused(refused) => {
                is_over = true;
                check_words(&refused.code, &refused.description);
            }
            ClientEvent::Ended(ended) => {
                is_over = true;
                check_words(&ended.code, &ended.description);
            }
            ClientEvent::Redirect(Redirect::Url(url) | Redirect::TcUrl(url)) => {
                is_over = true;
                assert!((1..=REDIRECT_URL_BYTES_MAX).contains(&url.len()));
            }
            ClientEvent::Auth(challenge) => {
                is_over = true;
                let query = challenge.answer("user", "password", "live", 7);
                assert!(query.len() <= 2 * AUTH_VALUE_BYTES_MAX + 200);
                assert!(!query.contains(char::is_control));
            }
        }
        let shown = format!("{event:?}");
        assert!(
            CANARIES.iter().all(|canary| !shown.contains(canary)),
            "{shown}"
        );
    }
    assert!(!is_over || heard.error.is_none());
}

fn check_words(code: &str, description: &Secret) {
    assert!(code.len() <= STATUS_CODE_CHARS_MAX);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-*".contains(c);
    assert!(code.chars().all(is_plain), "{code:?}");
    let description = description.expose();
    assert!(description.chars().count() <= STATUS_DESCRIPTION_CHARS_MAX);
    assert!(!description.contains(char::is_control));
}
