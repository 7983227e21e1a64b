//! RTMP servers of our own that note what they are sent, or misbehave as CDNs do. Chunks and commands are rml_rtmp's.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rml_rtmp::chunk_io::{ChunkDeserializer, ChunkSerializer};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::{MessagePayload, PeerBandwidthLimitType, RtmpMessage};
use rml_rtmp::rml_amf0::Amf0Value;
use rml_rtmp::time::RtmpTimestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::flv::{AUDIO, DATA, Tag, VIDEO};
use super::visit::Notes;
pub use super::visit::{Arrival, End, Visit};

/// What a target does with a publish.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Takes all that it is sent.
    Records,
    /// Accepts the publish and reads nothing after it; the connection stays open.
    NeverReads,
    /// Accepts the publish and resets the connection at the first media.
    Resets,
    /// Refuses the publish with this status. In the description, `{name}` and `{tc_url}` become what the client sent.
    Refuses {
        code: &'static str,
        description: &'static str,
    },
    /// As `Records`, with the stream's name and the tcUrl in the description of its consent.
    AcceptsAndEchoes,
}

/// A listening target.
pub struct Target {
    pub address: SocketAddr,
    visits: Arc<Mutex<Vec<Visit>>>,
    accepting: JoinHandle<()>,
}

impl Target {
    /// Starts one on a free port.
    pub async fn start(behaviour: Behaviour) -> Target {
        let socket = TcpSocket::new_v4().expect("a socket");
        if matches!(behaviour, Behaviour::NeverReads) {
            // What waits unread in our kernel would look like progress to the gateway.
            socket.set_recv_buffer_size(4096).expect("a small buffer");
        }
        socket
            .bind("127.0.0.1:0".parse().unwrap())
            .expect("a free port");
        let listener = socket.listen(64).expect("a listener");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let visits = Arc::new(Mutex::new(Vec::new()));
        let noted = visits.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                // Answers are small, and several are written in a row.
                let _ = socket.set_nodelay(true);
                let place = {
                    let mut visits = noted.lock().unwrap();
                    visits.push(Visit::default());
                    visits.len() - 1
                };
                let connection = Connection {
                    socket,
                    behaviour: behaviour.clone(),
                    notes: Notes {
                        visits: noted.clone(),
                        place,
                    },
                    serializer: ChunkSerializer::new(),
                };
                tokio::spawn(connection.serve());
            }
        });
        Target {
            address,
            visits,
            accepting,
        }
    }

    /// The URL to push to.
    pub fn url(&self, rest: &str) -> String {
        format!("rtmp://{}/{rest}", self.address)
    }

    /// The first connection, once it is as it should be.
    pub async fn visit(
        &self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Visit) -> bool,
    ) -> Visit {
        super::eventually(what, within, || async {
            self.visits().into_iter().next().filter(&wanted)
        })
        .await
    }

    /// All connections so far.
    pub fn visits(&self) -> Vec<Visit> {
        self.visits.lock().unwrap().clone()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Connection {
    socket: TcpStream,
    behaviour: Behaviour,
    notes: Notes,
    serializer: ChunkSerializer,
}

/// What to do after a message.
enum Next {
    ReadOn,
    /// Keep the connection and never look at it again.
    Sleep,
    Leave,
}

impl Connection {
    async fn serve(mut self) {
        let end = match self.converse().await {
            Ok(end) => end,
            Err(error) => End::Broken(error.to_string()),
        };
        self.notes.note(|visit| visit.end = Some(end));
    }

    async fn converse(&mut self) -> std::io::Result<End> {
        let mut bytes = self.shake_hands().await?;
        let mut deserializer = ChunkDeserializer::new();
        let (mut received, mut acknowledged) = (0_u32, 0);
        loop {
            while let Some(message) = deserializer
                .get_next_message(&bytes)
                .map_err(std::io::Error::other)?
            {
                bytes.clear();
                match self.message(&message, &mut deserializer).await? {
                    Next::ReadOn => {}
                    Next::Sleep => loop {
                        tokio::time::sleep(Duration::from_secs(3600)).await;
                    },
                    Next::Leave => return Ok(End::Closed),
                }
            }
            bytes.resize(64 * 1024, 0);
            let n = self.socket.read(&mut bytes).await?;
            if n == 0 {
                return Ok(End::Closed);
            }
            bytes.truncate(n);
            received = received.wrapping_add(n as u32);
            if received.wrapping_sub(acknowledged) > 100_000 {
                acknowledged = received;
                self.send(
                    RtmpMessage::Acknowledgement {
                        sequence_number: received,
                    },
                    0,
                )
                .await?;
            }
        }
    }

    async fn shake_hands(&mut self) -> std::io::Result<Vec<u8>> {
        let mut handshake = Handshake::new(PeerType::Server);
        let mut bytes = vec![0; 4096];
        loop {
            let n = self.socket.read(&mut bytes).await?;
            if n == 0 {
                return Err(std::io::Error::other("closed in the handshake"));
            }
            match handshake
                .process_bytes(&bytes[..n])
                .map_err(std::io::Error::other)?
            {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    self.socket.write_all(&response_bytes).await?
                }
                HandshakeProcessResult::Completed {
                    response_bytes,
                    remaining_bytes,
                } => {
                    self.socket.write_all(&response_bytes).await?;
                    return Ok(remaining_bytes);
                }
            }
        }
    }

    async fn message(
        &mut self,
        message: &MessagePayload,
        deserializer: &mut ChunkDeserializer,
    ) -> std::io::Result<Next> {
        if let AUDIO | VIDEO | DATA = message.type_id {
            return self.media(message);
        }
        match message.to_rtmp_message().map_err(std::io::Error::other)? {
            RtmpMessage::SetChunkSize { size } => {
                deserializer
                    .set_max_chunk_size(size as usize)
                    .map_err(std::io::Error::other)?;
            }
            RtmpMessage::Amf0Command {
                command_name,
                transaction_id,
                command_object,
                additional_arguments,
            } => {
                self.notes
                    .note(|visit| visit.commands.push(command_name.clone()));
                match command_name.as_str() {
                    "connect" => self.connect(transaction_id, &command_object).await?,
                    "createStream" => {
                        self.reply(transaction_id, vec![Amf0Value::Number(1.0)])
                            .await?
                    }
                    "publish" => return self.publish(&additional_arguments).await,
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(Next::ReadOn)
    }

    fn media(&mut self, message: &MessagePayload) -> std::io::Result<Next> {
        let tag = Tag {
            kind: message.type_id,
            timestamp: message.timestamp.value,
            payload: message.data.clone(),
        };
        self.notes.note(|visit| {
            visit.arrivals.push(Arrival {
                at: Instant::now(),
                tag,
            })
        });
        if matches!(self.behaviour, Behaviour::Resets) {
            // Lingering for no time makes the close a reset.
            socket2::SockRef::from(&self.socket).set_linger(Some(Duration::ZERO))?;
            return Ok(Next::Leave);
        }
        Ok(Next::ReadOn)
    }

    async fn connect(&mut self, transaction: f64, object: &Amf0Value) -> std::io::Result<()> {
        self.notes.note(|visit| {
            visit.app = text_of(object, "app");
            visit.tc_url = text_of(object, "tcUrl");
        });
        self.send(RtmpMessage::WindowAcknowledgement { size: 2_500_000 }, 0)
            .await?;
        let limit_type = PeerBandwidthLimitType::Dynamic;
        self.send(
            RtmpMessage::SetPeerBandwidth {
                size: 2_500_000,
                limit_type,
            },
            0,
        )
        .await?;
        let announcement = self
            .serializer
            .set_max_chunk_size(4096, RtmpTimestamp::new(0))
            .map_err(std::io::Error::other)?;
        self.socket.write_all(&announcement.bytes).await?;
        let status = status(
            "status",
            "NetConnection.Connect.Success",
            "Connection succeeded.",
        );
        self.reply(transaction, vec![status]).await
    }

    async fn publish(&mut self, arguments: &[Amf0Value]) -> std::io::Result<Next> {
        if let Some(Amf0Value::Utf8String(name)) = arguments.first() {
            self.notes.note(|visit| visit.name = name.clone());
        }
        let (name, tc_url) = self
            .notes
            .note(|visit| (visit.name.clone(), visit.tc_url.clone()));
        let echoed = |text: &str| text.replace("{name}", &name).replace("{tc_url}", &tc_url);
        let started = "NetStream.Publish.Start";
        match self.behaviour {
            Behaviour::Refuses { code, description } => {
                self.on_status(status("error", code, &echoed(description)))
                    .await?;
                self.socket.shutdown().await?;
                return Ok(Next::ReadOn);
            }
            Behaviour::AcceptsAndEchoes => {
                let description = echoed("{name} is now published to {tc_url}");
                self.on_status(status("status", started, &description))
                    .await?;
            }
            _ => {
                self.on_status(status("status", started, "Started publishing."))
                    .await?
            }
        }
        Ok(if matches!(self.behaviour, Behaviour::NeverReads) {
            Next::Sleep
        } else {
            Next::ReadOn
        })
    }

    async fn on_status(&mut self, status: Amf0Value) -> std::io::Result<()> {
        let message = RtmpMessage::Amf0Command {
            command_name: "onStatus".to_owned(),
            transaction_id: 0.0,
            command_object: Amf0Value::Null,
            additional_arguments: vec![status],
        };
        self.send(message, 1).await
    }

    async fn reply(&mut self, transaction: f64, arguments: Vec<Amf0Value>) -> std::io::Result<()> {
        let message = RtmpMessage::Amf0Command {
            command_name: "_result".to_owned(),
            transaction_id: transaction,
            command_object: Amf0Value::Null,
            additional_arguments: arguments,
        };
        self.send(message, 0).await
    }

    async fn send(&mut self, message: RtmpMessage, message_stream: u32) -> std::io::Result<()> {
        let payload = message
            .into_message_payload(RtmpTimestamp::new(0), message_stream)
            .map_err(std::io::Error::other)?;
        let packet = self
            .serializer
            .serialize(&payload, true, false)
            .map_err(std::io::Error::other)?;
        self.socket.write_all(&packet.bytes).await
    }
}

fn status(level: &str, code: &str, description: &str) -> Amf0Value {
    let text = |text: &str| Amf0Value::Utf8String(text.to_owned());
    Amf0Value::Object(HashMap::from([
        ("level".to_owned(), text(level)),
        ("code".to_owned(), text(code)),
        ("description".to_owned(), text(description)),
    ]))
}

fn text_of(object: &Amf0Value, property: &str) -> String {
    match object {
        Amf0Value::Object(properties) => match properties.get(property) {
            Some(Amf0Value::Utf8String(text)) => text.clone(),
            _ => String::new(),
        },
        _ => String::new(),
    }
}
