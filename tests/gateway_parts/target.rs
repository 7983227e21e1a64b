//! A target that takes whatever it is given, and tells what that was.

use super::{Pipe, Prompt, soon};
use aqueduct::media::MediaKind;
use aqueduct::rtmp::handshake;
use aqueduct::rtmp::session::server::{ServerConfig, ServerEvent, ServerSession};
use bytes::{Bytes, BytesMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// A push began: the name that it publishes.
    Publish(String),
    Tag(MediaKind, u32, Bytes),
    Unpublished,
    /// The gateway closed properly.
    End,
    /// The gateway reset the connection, or broke the protocol.
    Broken,
}

pub struct Target {
    pub address: SocketAddr,
    told: mpsc::UnboundedReceiver<Seen>,
}

impl Target {
    pub async fn open() -> Self {
        Self::open_with(None).await
    }

    /// RTMPS.
    pub async fn open_tls(tls: Arc<rustls::ServerConfig>) -> Self {
        Self::open_with(Some(tls)).await
    }

    async fn open_with(tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((tcp, peer)) = listener.accept().await {
                let (tcp, tell, tls) = (Prompt(tcp), tell.clone(), tls.clone());
                tokio::spawn(async move {
                    let pipe: Pipe = match tls {
                        None => Box::new(tcp),
                        Some(tls) => match aqueduct::net::tls::accept(&tls, peer, tcp).await {
                            Ok(tls) => Box::new(tls),
                            Err(_) => return,
                        },
                    };
                    let end = match serve(pipe, &tell).await {
                        Some(()) => Seen::End,
                        None => Seen::Broken,
                    };
                    let _ = tell.send(end);
                });
            }
        });
        Self { address, told }
    }

    /// Its URL for a name; an app comes by itself.
    pub fn url(&self, name: &str) -> String {
        format!("rtmp://{}/app/{name}", self.address)
    }

    pub async fn next(&mut self) -> Seen {
        soon("what a target sees", self.told.recv()).await.unwrap()
    }

    /// What it has seen already, if there is anything.
    pub fn seen(&mut self) -> Option<Seen> {
        self.told.try_recv().ok()
    }

    /// The name of the push that has to begin now.
    pub async fn publish(&mut self) -> String {
        match self.next().await {
            Seen::Publish(name) => name,
            other => panic!("{other:?} instead of a publish"),
        }
    }

    /// The next tag, which has to be one.
    pub async fn tag(&mut self) -> (MediaKind, u32, Bytes) {
        match self.next().await {
            Seen::Tag(kind, at, payload) => (kind, at, payload),
            other => panic!("{other:?} instead of a tag"),
        }
    }

    /// The next tags without their payloads.
    pub async fn tags(&mut self, count: usize) -> Vec<(MediaKind, u32)> {
        let mut got = Vec::new();
        while got.len() < count {
            match self.next().await {
                Seen::Tag(kind, at, _) => got.push((kind, at)),
                other => panic!("{other:?} after {got:?}"),
            }
        }
        got
    }

    /// The goodbye that has to come now.
    pub async fn goodbye(&mut self) {
        assert_eq!(self.next().await, Seen::Unpublished);
        assert_eq!(self.next().await, Seen::End);
    }
}

/// Serves one push; none where it was not ended properly.
async fn serve(mut pipe: Pipe, tell: &mpsc::UnboundedSender<Seen>) -> Option<()> {
    let mut inbox = BytesMut::new();
    let mut hands = handshake::Server::new();
    loop {
        if pipe.read_buf(&mut inbox).await.ok()? == 0 {
            return Some(());
        }
        let mut unread: &[u8] = &inbox;
        let progress = hands.read(&mut unread).ok()?;
        let left = unread.len();
        inbox = inbox.split_off(inbox.len() - left);
        pipe.write_all(&progress.output).await.ok()?;
        pipe.flush().await.ok()?;
        if progress.done {
            break;
        }
    }
    let mut session = ServerSession::new(ServerConfig::default());
    loop {
        let mut unread: &[u8] = &inbox;
        let event = session.read(&mut unread, Duration::ZERO).ok()?;
        let left = unread.len();
        inbox = inbox.split_off(inbox.len() - left);
        let seen = match event {
            Some(ServerEvent::ConnectRequested(_)) => {
                session.accept_connect();
                continue;
            }
            Some(ServerEvent::PublishRequested(request)) => {
                session.accept_publish();
                Seen::Publish(request.name)
            }
            Some(ServerEvent::Media(media)) => {
                Seen::Tag(media.kind, media.timestamp, media.payload)
            }
            Some(ServerEvent::Unpublished(_)) => Seen::Unpublished,
            None => {
                let output = session.output().split();
                pipe.write_all(&output).await.ok()?;
                pipe.flush().await.ok()?;
                if pipe.read_buf(&mut inbox).await.ok()? == 0 {
                    return Some(());
                }
                continue;
            }
        };
        let _ = tell.send(seen);
    }
}
