//! What a peer says: bytes as they are, or calls and messages that a fuzzer picks, since it rarely makes one byte by byte.

use aqueduct::rtmp::amf0::Value;
use aqueduct::rtmp::chunk::{Header, write};
use aqueduct::rtmp::command::Command;
use aqueduct::rtmp::limits::CHUNK_SIZE_MIN;
use aqueduct::rtmp::message::MessageType;
use arbitrary::Unstructured;
use bytes::BytesMut;

/// What may be called, by either side.
const CALLS: [&str; 20] = [
    "connect",
    "createStream",
    "publish",
    "_result",
    "_error",
    "onStatus",
    "releaseStream",
    "FCPublish",
    "FCUnpublish",
    "deleteStream",
    "closeStream",
    "close",
    "onFCPublish",
    "onFCUnpublish",
    "getStreamLength",
    "FCSubscribe",
    "_checkbw",
    "onBWDone",
    "play",
    "",
];

/// What may stand in a status object, and names and addresses.
const TEXTS: [&str; 40] = [
    "live",
    "cam",
    "cam?key=x",
    "?key=x",
    "",
    "rtmp://host/live",
    "rtmp://host/live/cam?key=x",
    "live/_definst_",
    "live?key=x",
    "'rtmp://host/live'",
    "/",
    "status",
    "error",
    "_error",
    "warning",
    "NetConnection.Connect.Success",
    "NetConnection.Connect.Rejected",
    "NetConnection.Connect.Failed",
    "NetConnection.Connect.Closed",
    "NetConnection.Connect.ReconnectRequest",
    "NetConnection.Connect.InvalidApp",
    "NetStream.Publish.Start",
    "NetStream.Publish.BadName",
    "NetStream.Publish.Denied",
    "NetStream.Failed",
    "NetStream.Unpublish.Success",
    "code=403 need auth; authmod=adobe",
    "code=403 need auth; authmod=llnw",
    "authmod=adobe ?reason=needauth&user=u&salt=S&challenge=C&opaque=O",
    "authmod=llnw ?reason=needauth&user=u&nonce=N",
    "authmod=adobe ?reason=authfailed",
    "rtmp://other:1936/app/name",
    "canary7key",
    "canary7key?token=canary8token",
    "a\u{1b}[2J\r\n\u{202e}b",
    "@setDataFrame",
    "@clearDataFrame",
    "onMetaData",
    "nonprivate",
    "FMLE/3.0",
];

/// The properties that somebody reads.
const KEYS: [&str; 12] = [
    "app",
    "tcUrl",
    "tcurl",
    "flashVer",
    "level",
    "code",
    "description",
    "ex",
    "redirect",
    "redirect2",
    "fourCcList",
    "capsEx",
];

/// Longest payload that is picked, in bytes.
const PAYLOAD_BYTES_MAX: usize = 600;

/// Who speaks.
#[derive(Clone, Copy)]
pub enum Side {
    /// To our server session.
    Publisher,
    /// To our client session.
    Ingest,
}

/// A wire: the bytes themselves, or what the bytes pick.
pub fn wire(side: Side, is_picked: bool, bytes: &[u8]) -> Vec<u8> {
    if !is_picked {
        return bytes.to_vec();
    }
    let mut peer = Peer {
        side,
        choice: Unstructured::new(bytes),
        wire: BytesMut::new(),
        chunk_size: 128,
        usual_steps: 0,
    };
    // The most that is interesting lies behind a proper beginning.
    let beginning = peer.choice.int_in_range(0..=4u8).unwrap_or_default();
    (0..beginning).for_each(|_| peer.usual_step());
    while !peer.choice.is_empty() {
        if peer.say().is_err() {
            break;
        }
    }
    peer.wire.to_vec()
}

/// Writes what the bytes pick.
struct Peer<'a> {
    side: Side,
    choice: Unstructured<'a>,
    wire: BytesMut,
    chunk_size: u32,
    usual_steps: u8,
}

impl Peer<'_> {
    fn say(&mut self) -> arbitrary::Result<()> {
        match self.choice.int_in_range(0..=11u8)? {
            0 => self.connect(),
            1 => self.publish(),
            2..=4 => self.call(),
            5 => self.control(),
            6..=8 => self.media(),
            9 => self.set_chunk_size(),
            10 => {
                self.usual_step();
                Ok(())
            }
            _ => {
                let length = self.choice.int_in_range(0..=24)?;
                let bytes = self.choice.bytes(length)?;
                self.wire.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// What a peer of this side says next that wants nothing but a stream.
    fn usual_step(&mut self) {
        let status = |level: &str, code: &str| {
            let properties = [("level", level), ("code", code)];
            Value::Object(
                properties
                    .map(|(key, text)| (key.to_owned(), text.into()))
                    .into(),
            )
        };
        let (stream_id, name, transaction, object, args) = match (self.side, self.usual_steps) {
            (Side::Publisher, 0) => {
                let properties = [("app", "live"), ("tcUrl", "rtmp://host/live")];
                let object = properties.map(|(key, text)| (key.to_owned(), text.into()));
                (0, "connect", 1.0, Value::Object(object.into()), vec![])
            }
            (Side::Publisher, 1) => (0, "FCPublish", 2.0, Value::Null, vec!["cam".into()]),
            (Side::Publisher, 2) => (0, "createStream", 3.0, Value::Null, vec![]),
            (Side::Publisher, 3) => (1, "publish", 4.0, Value::Null, vec!["cam".into()]),
            (Side::Publisher, _) => (0, "FCUnpublish", 5.0, Value::Null, vec!["cam".into()]),
            (Side::Ingest, 0) => {
                let success = status("status", "NetConnection.Connect.Success");
                (0, "_result", 1.0, Value::Null, vec![success])
            }
            (Side::Ingest, 1) => (0, "_result", 2.0, Value::Null, vec![Value::Undefined]),
            (Side::Ingest, 2) => (0, "_result", 4.0, Value::Null, vec![1.0.into()]),
            (Side::Ingest, 3) => {
                let start = status("status", "NetStream.Publish.Start");
                (1, "onStatus", 0.0, Value::Null, vec![start])
            }
            (Side::Ingest, _) => {
                let end = status("status", "NetStream.Unpublish.Success");
                (1, "onStatus", 0.0, Value::Null, vec![end])
            }
        };
        self.usual_steps = self.usual_steps.saturating_add(1);
        self.command(stream_id, &Command::new(name, transaction, object, args));
    }

    fn message(&mut self, csid: u8, type_id: u8, stream_id: u32, payload: &[u8]) {
        let header = Header {
            csid,
            timestamp: 0,
            length: payload.len() as u32,
            type_id,
            stream_id,
        };
        write(&mut self.wire, header, payload, self.chunk_size);
    }

    fn command(&mut self, stream_id: u32, command: &Command) {
        let csid = if stream_id == 0 { 3 } else { 4 };
        self.message(
            csid,
            MessageType::COMMAND_AMF0,
            stream_id,
            &command.encode(),
        );
    }

    fn connect(&mut self) -> arbitrary::Result<()> {
        let object = self.object(1)?;
        self.command(0, &Command::new("connect", 1.0, object, vec![]));
        Ok(())
    }

    /// What comes before it goes without saying.
    fn publish(&mut self) -> arbitrary::Result<()> {
        let name = self.text()?;
        let stream_id = self.choice.int_in_range(0..=1)?;
        let args = vec![name.into(), "live".into()];
        self.command(stream_id, &Command::new("publish", 5.0, Value::Null, args));
        Ok(())
    }

    fn call(&mut self) -> arbitrary::Result<()> {
        let name = *self.choice.choose(&CALLS)?;
        let transaction = match self.choice.int_in_range(0..=9u8)? {
            9 => self.choice.arbitrary()?,
            small => f64::from(small),
        };
        let object = self.value(2)?;
        let args = (0..self.choice.int_in_range(0..=2u8)?)
            .map(|_| self.value(2))
            .collect::<Result<_, _>>()?;
        let stream_id = self.choice.int_in_range(0..=1)?;
        self.command(stream_id, &Command::new(name, transaction, object, args));
        Ok(())
    }

    fn control(&mut self) -> arbitrary::Result<()> {
        let type_id = self
            .choice
            .int_in_range(MessageType::ABORT..=MessageType::SET_PEER_BANDWIDTH)?;
        let event = match type_id {
            MessageType::USER_CONTROL => &[0, self.choice.int_in_range(0..=7)?][..],
            _ => &[],
        };
        let number: u32 = match self.choice.arbitrary()? {
            true => self.choice.int_in_range(0..=100_000)?,
            false => self.choice.arbitrary()?,
        };
        let payload = [event, &number.to_be_bytes()[..], &[2][..]].concat();
        self.message(2, type_id, 0, &payload);
        Ok(())
    }

    fn media(&mut self) -> arbitrary::Result<()> {
        let types = [
            MessageType::AUDIO,
            MessageType::VIDEO,
            MessageType::DATA_AMF0,
            MessageType::DATA_AMF3,
            MessageType::AGGREGATE,
            MessageType::COMMAND_AMF3,
            99,
        ];
        let type_id = *self.choice.choose(&types)?;
        let mut payload = Vec::new();
        if matches!(type_id, MessageType::DATA_AMF0 | MessageType::DATA_AMF3) {
            for _ in 0..self.choice.int_in_range(0..=3u8)? {
                let value = self.value(2)?;
                aqueduct::rtmp::amf0::encode(&mut payload, &value);
            }
        } else {
            let length = self.choice.int_in_range(0..=PAYLOAD_BYTES_MAX)?;
            let seen = self.choice.bytes(length.min(self.choice.len()))?;
            payload.extend_from_slice(seen);
            payload.resize(length, 7);
        }
        let csid = self.choice.int_in_range(4..=7)?;
        self.message(csid, type_id, 1, &payload);
        Ok(())
    }

    fn set_chunk_size(&mut self) -> arbitrary::Result<()> {
        let size = self.choice.int_in_range(CHUNK_SIZE_MIN..=70_000)?;
        self.message(2, MessageType::SET_CHUNK_SIZE, 0, &size.to_be_bytes());
        self.chunk_size = size;
        Ok(())
    }

    fn value(&mut self, levels: u8) -> arbitrary::Result<Value> {
        Ok(match self.choice.int_in_range(0..=9u8)? {
            0 => Value::Null,
            1 => Value::Undefined,
            2 => Value::Boolean(self.choice.arbitrary()?),
            3 => Value::Number(f64::from(self.choice.arbitrary::<u8>()?)),
            4 => Value::Number(self.choice.arbitrary()?),
            5 | 6 => self.text()?.into(),
            7 => Value::Unsupported,
            _ if levels == 0 => Value::Null,
            _ => self.object(levels)?,
        })
    }

    fn object(&mut self, levels: u8) -> arbitrary::Result<Value> {
        let mut properties = Vec::new();
        for _ in 0..self.choice.int_in_range(0..=4u8)? {
            let key = *self.choice.choose(&KEYS)?;
            properties.push((key.to_owned(), self.value(levels - 1)?));
        }
        Ok(match self.choice.ratio(1, 8)? {
            true => Value::EcmaArray(properties),
            false => Value::Object(properties),
        })
    }

    fn text(&mut self) -> arbitrary::Result<String> {
        match self.choice.int_in_range(0..=9u8)? {
            0 => Ok("n".repeat(self.choice.int_in_range(0..=6000)?)),
            1 => Ok(self.choice.arbitrary::<&str>()?.to_owned()),
            2 => {
                let (one, other) = (self.choice.choose(&TEXTS)?, self.choice.choose(&TEXTS)?);
                Ok(format!("{one}{other}"))
            }
            _ => Ok((*self.choice.choose(&TEXTS)?).to_owned()),
        }
    }
}
