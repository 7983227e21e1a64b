//! The ways in which a conversation with a session of ours is held: whole and in pieces, in no time and in some, and with a peer
//! that takes none of our words.

use std::fmt::Debug;
use std::time::Duration;

use aqueduct::rtmp::limits::OUTPUT_BYTES_MAX;
use bytes::BytesMut;

use super::ear::Ear;
use super::pieces::Cuts;

/// How the wire comes, and how time goes by.
#[derive(Clone)]
pub struct Way {
    /// Where the wire is cut.
    pub cuts: Cuts,
    /// From one read to the next.
    pub pace: Duration,
    /// Whether what our side has to say is sent at once, or never.
    sends: bool,
}

/// What came of a conversation.
pub struct Heard<Event, Fault> {
    pub events: Vec<Event>,
    pub error: Option<Fault>,
    pub ear: Ear,
}

impl<Event, Fault> Default for Heard<Event, Fault> {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            error: None,
            ear: Ear::default(),
        }
    }
}

impl<Event, Fault> Heard<Event, Fault> {
    /// Hears what waits to be sent.
    ///
    /// # Panics
    /// Where that is more than the bound and one answer, in bytes.
    pub fn hear(&mut self, output: &mut BytesMut, answer_bytes_max: usize, way: &Way) {
        assert!(output.len() <= OUTPUT_BYTES_MAX + answer_bytes_max);
        if way.sends {
            self.ear.hear(&output.split());
        }
    }
}

/// Holds a conversation in every way; `said_bytes_max` is what our side may say in no time, acknowledgements left out, in bytes.
///
/// # Panics
/// Where pieces make a difference, our side says too much, or `check` finds something.
pub fn hold<Event: Debug + PartialEq, Fault: Debug + PartialEq>(
    cuts: Cuts,
    pace: Duration,
    said_bytes_max: usize,
    converse: impl Fn(Way) -> Heard<Event, Fault>,
    check: impl Fn(&Heard<Event, Fault>),
) {
    let at_once = |cuts| Way {
        cuts,
        pace: Duration::ZERO,
        sends: true,
    };
    let whole = converse(at_once(Cuts::WHOLE));
    let pieces = converse(at_once(cuts.clone()));
    assert_eq!(whole.events, pieces.events, "pieces make no difference");
    assert_eq!(whole.error, pieces.error);
    assert_eq!(whole.ear.said, pieces.ear.said);
    let bytes_said: usize = whole.ear.said.iter().map(|said| said.3.len()).sum();
    assert!(bytes_said <= said_bytes_max, "{bytes_said} bytes");
    check(&whole);
    let in_time = |sends| {
        let cuts = cuts.clone();
        converse(Way { cuts, pace, sends })
    };
    check(&in_time(true));
    in_time(false);
}
