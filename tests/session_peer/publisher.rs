//! A publisher that talks to our server session, and what it expects to hear.

use std::time::Duration;

use aqueduct::rtmp::amf0::Value;
use aqueduct::rtmp::session::server::{
    ConnectRequest, PublishRequest, ServerConfig, ServerError, ServerEvent, ServerSession,
};
use aqueduct::rtmp::session::{Media, MediaKind};

use super::{Ear, Mouth, cam, object, text};

/// A publisher talking to a session that accepts whatever it is asked.
pub struct Talk {
    pub session: ServerSession,
    pub mouth: Mouth,
    pub ear: Ear,
    pub now: Duration,
    pub events: Vec<ServerEvent>,
    pub accepts: bool,
}

impl Talk {
    pub fn new() -> Self {
        Self {
            session: ServerSession::new(ServerConfig::default()),
            mouth: Mouth::default(),
            ear: Ear::default(),
            now: Duration::ZERO,
            events: Vec::new(),
            accepts: true,
        }
    }

    /// A publisher that is connected and publishes, minimally.
    pub fn publishing() -> Self {
        let mut talk = Self::new();
        talk.mouth
            .connect(connect_object("live"))
            .call("createStream", 2.0, &[])
            .publish(1, 3.0, &cam());
        talk.hear();
        talk.events.clear();
        talk
    }

    /// Sends what the mouth has said; gives what came back, line by line.
    pub fn hear(&mut self) -> Vec<String> {
        self.try_hear().expect("a conversation without errors")
    }

    pub fn try_hear(&mut self) -> Result<Vec<String>, ServerError> {
        let bytes = self.mouth.take();
        self.read(&mut bytes.as_slice())?;
        Ok(self.lines())
    }

    pub fn lines(&mut self) -> Vec<String> {
        let output = self.session.output().split();
        self.ear.lines(&output)
    }

    pub fn read(&mut self, input: &mut &[u8]) -> Result<(), ServerError> {
        loop {
            match self.session.read(input, self.now)? {
                Some(event) => self.events.push(event),
                None if self.accepts && self.session.awaits_answer() => {
                    self.session.accept_connect();
                    self.session.accept_publish();
                }
                None => return Ok(()),
            }
        }
    }

    pub fn connected(&self) -> &ConnectRequest {
        let found = self.events.iter().find_map(|event| match event {
            ServerEvent::ConnectRequested(request) => Some(request),
            _ => None,
        });
        found.expect("a connect")
    }

    pub fn published(&self) -> &PublishRequest {
        let found = self.events.iter().find_map(|event| match event {
            ServerEvent::PublishRequested(request) => Some(request),
            _ => None,
        });
        found.expect("a publish")
    }

    pub fn media(&self) -> Vec<Media> {
        let media = |event: &ServerEvent| match event {
            ServerEvent::Media(media) => Some(media.clone()),
            _ => None,
        };
        self.events.iter().filter_map(media).collect()
    }
}

pub fn connect_object(app: &str) -> Value {
    object(&[
        ("app", text(app)),
        ("tcUrl", text(&format!("rtmp://host/{app}"))),
    ])
}

pub fn media(kind: MediaKind, timestamp: u32, payload: &'static [u8]) -> Media {
    Media {
        kind,
        timestamp,
        payload: payload.into(),
    }
}

pub const CONNECTED: [&str; 4] = [
    "2/0 window 2500000",
    "2/0 bandwidth 2500000 2",
    "2/0 chunk 60000",
    "3/0 _result 1 {fmsVer='FMS/3,0,1,123',capabilities=31} {level='status',code='NetConnection.Connect.Success',\
     description='Connection succeeded.',objectEncoding=0,fourCcList=('*'),videoFourCcInfoMap={*=4},\
     audioFourCcInfoMap={*=4},capsEx=14}",
];

pub fn started(stream_id: u32) -> String {
    format!(
        "5/{stream_id} onStatus 0 null {{level='status',code='NetStream.Publish.Start',\
         description='Publishing started.',clientid='aqueduct'}}"
    )
}

pub fn fc_started(stream_id: u32) -> String {
    format!(
        "5/{stream_id} onFCPublish 0 null {{code='NetStream.Publish.Start',description='Publishing started.'}}"
    )
}

pub fn unpublished(stream_id: u32) -> String {
    format!(
        "5/{stream_id} onStatus 0 null {{level='status',code='NetStream.Unpublish.Success',\
         description='Stream is unpublished.',clientid='aqueduct'}}"
    )
}

pub fn fc_unpublished(stream_id: u32) -> String {
    format!(
        "5/{stream_id} onFCUnpublish 0 null {{code='NetStream.Unpublish.Success',description='Stream is unpublished.'}}"
    )
}
