//! A server that is played by hand: it says what the test says, message by message.

use super::{Pipe, Prompt, soon};
use crate::session_peer::ingest::{connect_success, info};
use crate::session_peer::{Mouth, object, text};
use aqueduct::rtmp::amf0::Value;
use aqueduct::rtmp::chunk::Reader;
use aqueduct::rtmp::command::Command;
use aqueduct::rtmp::handshake;
use aqueduct::rtmp::message::{Message, MessageType};
use bytes::BytesMut;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Where pushes go to be played with.
pub struct Host {
    listener: TcpListener,
    pub address: SocketAddr,
}

/// One connection of a push.
pub struct Visit {
    pub pipe: Pipe,
    pub mouth: Mouth,
    /// The name in TLS.
    pub sni: Option<String>,
    reader: Reader,
    inbox: BytesMut,
}

/// What `connect` said.
#[derive(Debug, PartialEq, Eq)]
pub struct Connect {
    pub app: String,
    pub tc_url: String,
}

impl Host {
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    /// The same with a kernel that takes little for one who does not read.
    pub async fn open_narrow() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(address).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    /// A URL there.
    pub fn url(&self, path: &str) -> String {
        format!("rtmp://{}/{path}", self.address)
    }

    /// The next connection, however long that takes.
    pub async fn caller(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// The next connection, before its first byte.
    pub async fn accept(&self) -> TcpStream {
        soon("a connection", self.listener.accept())
            .await
            .unwrap()
            .0
    }

    /// The next connection, with its handshake done.
    pub async fn visit(&self) -> Visit {
        let mut visit = Visit::new(Box::new(Prompt(self.accept().await)));
        visit.shake_hands().await;
        visit
    }

    /// The next connection, which is reset when it is dropped.
    pub async fn visit_to_reset(&self) -> Visit {
        let tcp = self.accept().await;
        let socket = socket2::SockRef::from(&tcp);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        let mut visit = Visit::new(Box::new(Prompt(tcp)));
        visit.shake_hands().await;
        visit
    }

    /// The next connection, with TLS and its handshake done.
    pub async fn visit_tls(&self, tls: &Arc<rustls::ServerConfig>) -> Visit {
        let tcp = self.accept().await;
        let stream = aqueduct::net::tls::accept(tls, self.address, Prompt(tcp));
        let stream = stream.await.unwrap();
        let sni = stream.get_ref().1.server_name().map(str::to_owned);
        let mut visit = Visit::new(Box::new(stream));
        visit.sni = sni;
        visit.shake_hands().await;
        visit
    }

    /// Whether nobody has connected, on a clock that stands still.
    pub async fn is_left_alone_now(&self) -> bool {
        for _ in 0..50 {
            tokio::select! {
                biased;
                _ = self.listener.accept() => return false,
                () = tokio::task::yield_now() => {}
            }
        }
        true
    }

    /// Whether nobody connects for a while.
    pub async fn is_left_alone(&self) -> bool {
        let waiting = tokio::time::timeout(Duration::from_millis(50), self.listener.accept());
        waiting.await.is_err()
    }
}

/// A refusal with `ex`, as Adobe's servers and SRS write it.
pub fn redirect(key: &str, to: &str) -> Value {
    let ex = object(&[("code", 302.0.into()), (key, text(to))]);
    let mut info = info("error", "NetConnection.Connect.Rejected", "moved");
    if let Value::Object(properties) = &mut info {
        properties.push(("ex".to_owned(), ex));
    }
    info
}

impl Visit {
    pub fn new(pipe: Pipe) -> Self {
        Self {
            pipe,
            mouth: Mouth::default(),
            sni: None,
            reader: Reader::new(),
            inbox: BytesMut::new(),
        }
    }

    /// Reads whatever comes, to the end or a reset, and says nothing.
    pub async fn discard(&mut self) {
        let mut scrap = vec![0; 64 * 1024];
        while (self.pipe.read(&mut scrap).await).is_ok_and(|count| count > 0) {}
    }

    pub async fn shake_hands(&mut self) {
        let mut hands = handshake::Server::new();
        loop {
            assert_ne!(self.pipe.read_buf(&mut self.inbox).await.unwrap(), 0);
            let mut unread: &[u8] = &self.inbox;
            let progress = hands.read(&mut unread).unwrap();
            let left = unread.len();
            self.inbox = self.inbox.split_off(self.inbox.len() - left);
            self.pipe.write_all(&progress.output).await.unwrap();
            self.pipe.flush().await.unwrap();
            if progress.done {
                return;
            }
        }
    }

    /// The next message; none at the push's proper end.
    ///
    /// # Errors
    /// The connection was reset.
    pub async fn try_message(&mut self) -> std::io::Result<Option<Message>> {
        loop {
            let message = self.buffered();
            if message.is_some() {
                return Ok(message);
            }
            if self.pipe.read_buf(&mut self.inbox).await? == 0 {
                assert!(self.inbox.is_empty(), "it ended inside a chunk");
                assert_eq!(self.reader.bytes_buffered(), 0, "it ended inside a message");
                return Ok(None);
            }
        }
    }

    /// The next message of what was read so far.
    pub fn buffered(&mut self) -> Option<Message> {
        let mut unread: &[u8] = &self.inbox;
        let message = self.reader.read(&mut unread).unwrap();
        let left = unread.len();
        self.inbox = self.inbox.split_off(self.inbox.len() - left);
        message
    }

    /// Takes what a test has read by itself.
    pub fn take(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
    }

    pub async fn message(&mut self) -> Option<Message> {
        soon("a message", self.try_message()).await.unwrap()
    }

    /// The next command of that name; others and all that is no command are passed over.
    pub async fn until(&mut self, name: &str) -> Command {
        loop {
            let Some(message) = self.message().await else {
                panic!("the push ended before {name}");
            };
            if message.type_id == MessageType::COMMAND_AMF0 {
                let command = Command::decode(message.type_id, &message.payload).unwrap();
                if command.name == name {
                    return command;
                }
            }
        }
    }

    pub async fn connect(&mut self) -> Connect {
        let connect = self.until("connect").await;
        let text = |key| {
            let value = connect.object.property(key).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        Connect {
            app: text("app"),
            tc_url: text("tcUrl"),
        }
    }

    /// Sends what the mouth says.
    pub async fn say(&mut self, say: impl FnOnce(&mut Mouth)) {
        say(&mut self.mouth);
        let bytes = self.mouth.take();
        self.pipe.write_all(&bytes).await.unwrap();
        self.pipe.flush().await.unwrap();
    }

    pub async fn accept_connect(&mut self) -> Connect {
        let connect = self.connect().await;
        self.say(|mouth| {
            mouth.result(1.0, &[connect_success()]);
        })
        .await;
        connect
    }

    /// Answers `connect` with a redirect in an `_error`.
    pub async fn send_on(&mut self, key: &str, to: &str) {
        self.connect().await;
        let info = redirect(key, to);
        self.say(|mouth| {
            mouth.call("_error", 1.0, &[info]);
        })
        .await;
    }

    pub async fn accept_create_stream(&mut self) {
        self.until("createStream").await;
        self.say(|mouth| {
            mouth.result(4.0, &[1.0.into()]);
        })
        .await;
    }

    /// Hears the publish and says nothing yet; gives its name.
    pub async fn publish(&mut self) -> String {
        self.accept_connect().await;
        self.accept_create_stream().await;
        let publish = self.until("publish").await;
        let name = publish.args.first().and_then(Value::as_str);
        name.unwrap_or_default().to_owned()
    }

    /// Lets the push publish; gives its name.
    pub async fn accept_publish(&mut self) -> String {
        let name = self.publish().await;
        self.start().await;
        name
    }

    pub async fn start(&mut self) {
        self.reader.publish_accepted();
        self.say(|mouth| {
            mouth.status("status", "NetStream.Publish.Start", "ok");
        })
        .await;
    }

    /// Reads to the push's end; says whether that was a proper one.
    pub async fn is_closed_properly(&mut self) -> bool {
        let ended = async {
            loop {
                match self.try_message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return true,
                    Err(_) => return false,
                }
            }
        };
        soon("the end of a push", ended).await
    }
}
