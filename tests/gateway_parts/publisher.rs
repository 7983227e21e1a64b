//! An encoder.

use super::{AUDIO_HEADER, METADATA, Pipe, VIDEO_HEADER, delivered, key, soon};
use aqueduct::media::MediaKind;
use aqueduct::net::close::close_gracefully;
use aqueduct::rtmp::chunk::{self, Header};
use aqueduct::rtmp::handshake;
use aqueduct::rtmp::session::client::{ClientConfig, ClientEvent, ClientSession};
use bytes::BytesMut;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Publisher {
    pub pipe: Pipe,
    pub session: ClientSession,
    inbox: BytesMut,
    /// The same socket once more, for what the kernel knows of it.
    socket: std::net::TcpStream,
}

/// What a publisher is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// A status that ends something: its code.
    Ended(String),
    /// A refusal: its code.
    Refused(String),
    /// The gateway closed properly.
    Closed,
    /// The connection was reset.
    Reset,
}

impl Publisher {
    /// Connects and publishes `live/NAME`; the query may follow the name.
    pub async fn connect(gateway: SocketAddr, name: &str) -> Self {
        Self::ask(gateway, name).await.unwrap()
    }

    /// The same over TLS.
    pub async fn connect_tls(
        gateway: SocketAddr,
        roots: &Arc<rustls::ClientConfig>,
        name: &str,
    ) -> Self {
        let (tcp, socket) = socket(gateway).await;
        let tls = aqueduct::net::tls::connect(roots, "localhost", tcp);
        let tls = tls.await.unwrap();
        Self::greet(Box::new(tls), socket, name).await.unwrap()
    }

    /// Asks to publish; a refusal is given as it was told.
    pub async fn ask(gateway: SocketAddr, name: &str) -> Result<Self, Told> {
        let (tcp, socket) = socket(gateway).await;
        Self::greet(Box::new(tcp), socket, name).await
    }

    async fn greet(pipe: Pipe, socket: std::net::TcpStream, name: &str) -> Result<Self, Told> {
        let tc_url = format!("rtmp://{}/live", socket.peer_addr().unwrap());
        let mut publisher = Self {
            pipe,
            session: ClientSession::new(ClientConfig::new("live", tc_url, name)),
            inbox: BytesMut::new(),
            socket,
        };
        publisher.shake_hands().await;
        match publisher.event().await {
            Ok(ClientEvent::Published) => Ok(publisher),
            Ok(ClientEvent::Refused(refused)) => Err(Told::Refused(refused.code)),
            Ok(other) => panic!("{other:?}"),
            Err(end) => Err(end),
        }
    }

    async fn shake_hands(&mut self) {
        let mut hands = handshake::Client::plain(7);
        loop {
            let mut unread: &[u8] = &self.inbox;
            let progress = hands.read(&mut unread).unwrap();
            let left = unread.len();
            self.inbox = self.inbox.split_off(self.inbox.len() - left);
            self.write(&progress.output).await;
            if progress.done {
                return;
            }
            assert_ne!(self.pipe.read_buf(&mut self.inbox).await.unwrap(), 0);
        }
    }

    /// The next event, or how the connection ended.
    async fn event(&mut self) -> Result<ClientEvent, Told> {
        loop {
            let mut unread: &[u8] = &self.inbox;
            let event = self.session.read(&mut unread, Duration::ZERO).unwrap();
            let left = unread.len();
            self.inbox = self.inbox.split_off(self.inbox.len() - left);
            let output = self.session.output().split();
            // The gateway may have closed; what it said before that is read all the same.
            let _ = self.pipe.write_all(&output).await;
            let _ = self.pipe.flush().await;
            match event {
                Some(ClientEvent::Acknowledged(_)) => {}
                Some(event) => return Ok(event),
                None => match self.pipe.read_buf(&mut self.inbox).await {
                    Ok(0) => return Err(Told::Closed),
                    Ok(_) => {}
                    Err(_) => return Err(Told::Reset),
                },
            }
        }
    }

    /// Waits until the gateway's kernel has all that was written.
    pub async fn delivered(&self) {
        delivered(&self.socket).await;
    }

    /// The socket alone; only of one that was connected without TLS.
    pub fn into_tcp(self) -> TcpStream {
        let pipe: Box<dyn std::any::Any> = self.pipe.into_any();
        *pipe.downcast().unwrap()
    }

    /// What the gateway says next.
    pub async fn told(&mut self) -> Told {
        let event = soon("a word to the publisher", self.event()).await;
        match event {
            Ok(ClientEvent::Ended(ended)) => Told::Ended(ended.code),
            Ok(ClientEvent::Refused(refused)) => Told::Refused(refused.code),
            Ok(other) => panic!("{other:?}"),
            Err(end) => end,
        }
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.pipe.write_all(bytes).await.unwrap();
        self.pipe.flush().await.unwrap();
    }

    pub async fn send(&mut self, kind: MediaKind, at: u32, payload: &[u8]) {
        let chunks = self.chunks(kind, at, payload);
        self.write(&chunks).await;
    }

    /// A message as it goes on the wire.
    pub fn chunks(&self, kind: MediaKind, at: u32, payload: &[u8]) -> BytesMut {
        let length = u32::try_from(payload.len()).unwrap();
        let header: Header = self.session.media_framing().header(kind, at, length);
        let mut chunks = BytesMut::new();
        chunk::write(&mut chunks, header, payload, 4096);
        chunks
    }

    pub async fn video(&mut self, at: u32, payload: &[u8]) {
        self.send(MediaKind::Video, at, payload).await;
    }

    pub async fn audio(&mut self, at: u32, payload: &[u8]) {
        self.send(MediaKind::Audio, at, payload).await;
    }

    pub async fn data(&mut self, at: u32, payload: &[u8]) {
        self.send(MediaKind::Data, at, payload).await;
    }

    /// Metadata, headers, and a keyframe of a hundred bytes.
    pub async fn start(&mut self, at: u32) {
        self.data(0, METADATA).await;
        self.video(0, VIDEO_HEADER).await;
        self.audio(0, AUDIO_HEADER).await;
        self.video(at, &key(100)).await;
    }

    /// Says that it is done, and waits for the gateway to close.
    pub async fn finish(mut self) {
        self.session.finish();
        let output = self.session.output().split();
        self.write(&output).await;
        soon(
            "the gateway's close",
            close_gracefully(self.pipe, super::PATIENCE),
        )
        .await;
    }
}

async fn socket(gateway: SocketAddr) -> (TcpStream, std::net::TcpStream) {
    let tcp = TcpStream::connect(gateway).await.unwrap();
    let tcp = tcp.into_std().unwrap();
    let socket = tcp.try_clone().unwrap();
    (TcpStream::from_std(tcp).unwrap(), socket)
}
