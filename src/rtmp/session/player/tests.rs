use super::*;
use crate::rtmp::chunk::{self, Header};
use crate::rtmp::limits::MESSAGES_BEFORE_PUBLISH_MAX;
use crate::rtmp::message::MessageType;
use crate::rtmp::session::MediaKind;
use bytes::Bytes;

/// A server that says what it is told to say.
struct Server {
    session: PlayerSession,
    said: BytesMut,
}

impl Server {
    fn new() -> Self {
        Self {
            session: PlayerSession::new(ClientConfig::new("live", "rtmp://host/live", "cam?key=1")),
            said: BytesMut::new(),
        }
    }

    fn say(&mut self, type_id: u8, payload: &[u8]) {
        let header = Header {
            csid: 3,
            timestamp: 40,
            length: payload.len() as u32,
            type_id,
            stream_id: 1,
        };
        chunk::write(&mut self.said, header, payload, 128);
    }

    fn call(&mut self, name: &str, transaction: f64, args: Vec<Value>) {
        let payload = Command::new(name, transaction, Value::Null, args).encode();
        self.say(MessageType::COMMAND_AMF0, &payload);
    }

    fn status(&mut self, level: &str, code: &str) {
        let info = [("level", level), ("code", code), ("description", "words")];
        let info = info.map(|(key, value)| (key.to_owned(), value.into()));
        self.call("onStatus", 0.0, vec![Value::Object(info.into())]);
    }

    fn accept(&mut self) {
        self.call("_result", 1.0, vec![Value::Null]);
        self.call("_result", 2.0, vec![1.0.into()]);
    }

    /// The names of the calls that were made since the last time.
    fn heard(&mut self) -> String {
        let output = self.session.output().split();
        let text = String::from_utf8_lossy(&output);
        let names = [
            "connect",
            "createStream",
            "play",
            "deleteStream",
            "cam?key=1",
        ];
        let heard = names.into_iter().filter(|name| text.contains(name));
        heard.collect::<Vec<_>>().join(" ")
    }

    fn events(&mut self) -> Vec<PlayEvent> {
        let said = self.said.split();
        let mut input: &[u8] = &said;
        let mut events = Vec::new();
        while let Ok(Some(event)) = self.session.read(&mut input, Duration::ZERO) {
            events.push(event);
        }
        assert!(input.is_empty());
        events
    }
}

#[test]
fn a_stream_is_asked_for_and_its_media_comes() {
    let mut server = Server::new();
    assert_eq!(server.heard(), "connect");
    server.call("_result", 1.0, vec![Value::Null]);
    assert_eq!(server.events(), []);
    assert_eq!(server.heard(), "createStream");
    server.call("_result", 2.0, vec![1.0.into()]);
    assert_eq!(server.events(), []);
    assert_eq!(server.heard(), "play cam?key=1");
    assert_eq!(server.session.stage(), Stage::Play);
    server.status("status", "NetStream.Play.Reset");
    server.status("status", "NetStream.Play.Start");
    // Longer than what a stranger may send.
    let picture = vec![0x17; 100_000];
    server.say(MessageType::VIDEO, &picture);
    server.say(MessageType::AUDIO, b"\xAF\x01\x21");
    let media = |kind, payload: &[u8]| {
        PlayEvent::Media(Media {
            kind,
            timestamp: 40,
            payload: Bytes::copy_from_slice(payload),
        })
    };
    assert_eq!(
        server.events(),
        [
            media(MediaKind::Video, &picture),
            media(MediaKind::Audio, b"\xAF\x01\x21")
        ]
    );
    assert_eq!(server.session.stage(), Stage::Live);
    server.status("status", "NetStream.Play.UnpublishNotify");
    assert!(
        matches!(&server.events()[..], [PlayEvent::Ended(ended)] if ended.code == "NetStream.Play.UnpublishNotify")
    );
}

#[test]
fn whoever_leaves_says_so() {
    let mut server = Server::new();
    server.accept();
    server.events();
    server.heard();
    server.session.finish();
    assert_eq!(server.heard(), "deleteStream");
    server.session.finish();
    assert_eq!(server.heard(), "");
}

#[test]
fn a_refusal_says_at_which_stage_and_whether_to_come_again() {
    let mut server = Server::new();
    server.accept();
    server.status("error", "NetStream.Play.StreamNotFound");
    let [PlayEvent::Refused(refused)] = &server.events()[..] else {
        panic!("it was refused");
    };
    assert_eq!(
        (refused.stage, refused.action),
        (Stage::Play, Action::RetryBackoff)
    );
    let mut server = Server::new();
    let info = [
        ("level", "error"),
        ("code", "NetConnection.Connect.Rejected"),
    ];
    let info = info.map(|(key, value)| (key.to_owned(), value.into()));
    server.call("_error", 1.0, vec![Value::Object(info.into())]);
    let [PlayEvent::Refused(refused)] = &server.events()[..] else {
        panic!("it was refused");
    };
    assert_eq!(
        (refused.stage, refused.action),
        (Stage::Connect, Action::Permanent)
    );
}

#[test]
fn a_server_that_only_talks_is_left() {
    let mut server = Server::new();
    for _ in 0..=MESSAGES_BEFORE_PUBLISH_MAX {
        server.say(MessageType::WINDOW_ACK_SIZE, &[0, 0x26, 0x25, 0xA0]);
    }
    let said = server.said.split();
    let read = server.session.read(&mut &said[..], Duration::ZERO);
    assert_eq!(read.unwrap_err().fault, Fault::NoAnswer);
}
