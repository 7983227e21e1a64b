//! An ingest that our client session talks to, and what it expects to hear.

use std::time::Duration;

use aqueduct::rtmp::amf0::Value;
use aqueduct::rtmp::session::client::{ClientConfig, ClientError, ClientEvent, ClientSession};

use super::{Ear, Mouth, object, text};

pub struct Push {
    pub session: ClientSession,
    pub mouth: Mouth,
    pub ear: Ear,
    pub now: Duration,
}

impl Push {
    pub fn new(config: ClientConfig) -> Self {
        Self {
            session: ClientSession::new(config),
            mouth: Mouth::default(),
            ear: Ear::default(),
            now: Duration::ZERO,
        }
    }

    /// To app `live` of `host`, with a key that must not be seen.
    pub fn usual() -> Self {
        Self::new(ClientConfig::new("live", "rtmp://host/live", "canary?x=1"))
    }

    /// At the point where the ingest has to answer createStream.
    pub fn connected() -> Self {
        let mut push = Self::usual();
        push.mouth.result(1.0, &[connect_success()]);
        assert_eq!(push.events(), []);
        push.heard();
        push
    }

    /// At the point where the ingest has to answer publish.
    pub fn created() -> Self {
        let mut push = Self::connected();
        push.mouth.result(4.0, &[1.0.into()]);
        assert_eq!(push.events(), []);
        push.heard();
        push
    }

    pub fn live() -> Self {
        let mut push = Self::created();
        push.mouth.status("status", "NetStream.Publish.Start", "ok");
        assert_eq!(push.events(), [ClientEvent::Published]);
        push
    }

    /// Sends what the ingest has said; gives what that brought about.
    pub fn events(&mut self) -> Vec<ClientEvent> {
        self.try_events().expect("a conversation without errors")
    }

    pub fn try_events(&mut self) -> Result<Vec<ClientEvent>, ClientError> {
        let bytes = self.mouth.take();
        let mut input = bytes.as_slice();
        let mut events = Vec::new();
        while let Some(event) = self.session.read(&mut input, self.now)? {
            events.push(event);
        }
        assert!(input.is_empty(), "whole messages leave nothing");
        Ok(events)
    }

    /// What the session has said since.
    pub fn heard(&mut self) -> Vec<String> {
        let output = self.session.output().split();
        self.ear.lines(&output)
    }
}

impl Mouth {
    pub fn result(&mut self, transaction: f64, args: &[Value]) -> &mut Self {
        self.call("_result", transaction, args)
    }

    pub fn error(&mut self, transaction: f64, code: &str, description: &str) -> &mut Self {
        self.call("_error", transaction, &[info("error", code, description)])
    }

    pub fn status(&mut self, level: &str, code: &str, description: &str) -> &mut Self {
        self.status_of(info(level, code, description))
    }

    pub fn status_of(&mut self, info: Value) -> &mut Self {
        self.call_on(5, 1, "onStatus", 0.0, Value::Null, vec![info])
    }
}

pub fn info(level: &str, code: &str, description: &str) -> Value {
    object(&[
        ("level", text(level)),
        ("code", text(code)),
        ("description", text(description)),
    ])
}

pub fn connect_success() -> Value {
    info(
        "status",
        "NetConnection.Connect.Success",
        "Connection succeeded.",
    )
}
