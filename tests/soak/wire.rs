//! RTMP over a socket, for both ends of the gateway.

use aqueduct::media::MediaKind;
use aqueduct::rtmp::chunk;
use aqueduct::rtmp::handshake;
use aqueduct::rtmp::session::client::{ClientConfig, ClientEvent, ClientSession, MediaFraming};
use bytes::BytesMut;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A peer that does not follow the protocol, or goes in the middle of it.
fn odd(what: impl std::fmt::Display) -> io::Error {
    io::Error::other(what.to_string())
}

/// A publisher that was let in.
pub struct Published {
    pub tcp: TcpStream,
    session: ClientSession,
    framing: MediaFraming,
}

/// Connects, and publishes `live/NAME`.
pub async fn publish(gateway: SocketAddr, name: &str) -> io::Result<Published> {
    let mut tcp = TcpStream::connect(gateway).await?;
    tcp.set_nodelay(true)?;
    let mut inbox = BytesMut::new();
    let mut hands = handshake::Client::plain(7);
    loop {
        let mut unread: &[u8] = &inbox;
        let progress = hands.read(&mut unread).map_err(odd)?;
        inbox = inbox.split_off(inbox.len() - unread.len());
        tcp.write_all(&progress.output).await?;
        if progress.done {
            break;
        }
        fill(&mut tcp, &mut inbox).await?;
    }
    let url = format!("rtmp://{gateway}/live");
    let mut session = ClientSession::new(ClientConfig::new("live", url, name));
    loop {
        let mut unread: &[u8] = &inbox;
        let event = session.read(&mut unread, Duration::ZERO).map_err(odd)?;
        inbox = inbox.split_off(inbox.len() - unread.len());
        tcp.write_all(&session.output().split()).await?;
        match event {
            Some(ClientEvent::Published) => break,
            Some(ClientEvent::Refused(refused)) => return Err(odd(refused.code)),
            Some(_) => {}
            None => fill(&mut tcp, &mut inbox).await?,
        }
    }
    let framing = session.media_framing();
    Ok(Published {
        tcp,
        session,
        framing,
    })
}

async fn fill(tcp: &mut TcpStream, inbox: &mut BytesMut) -> io::Result<()> {
    match tcp.read_buf(inbox).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

impl Published {
    pub async fn send(&mut self, kind: MediaKind, stamp: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).map_err(odd)?;
        let header = self.framing.header(kind, stamp, length);
        let mut chunks = BytesMut::new();
        chunk::write(&mut chunks, header, payload, 4096);
        self.tcp.write_all(&chunks).await
    }

    /// Throws away what the gateway has said; an error where it has closed.
    pub fn hear(&self) -> io::Result<()> {
        let mut scrap = [0; 4096];
        match self.tcp.try_read(&mut scrap) {
            Ok(0) => Err(odd("the gateway closed a publisher")),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Says that it is over.
    pub async fn say_goodbye(&mut self) -> io::Result<()> {
        self.session.finish();
        self.tcp.write_all(&self.session.output().split()).await
    }
}
