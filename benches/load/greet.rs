//! How connections begin: publishers ask to publish, targets say yes.

use crate::Outcome;
use aqueduct::rtmp::handshake;
use aqueduct::rtmp::session::client::{ClientConfig, ClientEvent, ClientSession};
use aqueduct::rtmp::session::server::{ServerConfig, ServerEvent, ServerSession};
use bytes::{Buf, BytesMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// How often a relay that does not listen yet is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// A connection to a relay, as soon as there is one.
pub async fn dial(port: u16) -> TcpStream {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    loop {
        match TcpStream::connect(address).await {
            Ok(tcp) => return tcp,
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

/// Asks to publish `live/NAME`, until the relay agrees. The number of the message stream.
pub async fn publish(tcp: &mut TcpStream, name: &str) -> Outcome<u32> {
    let mut inbox = BytesMut::new();
    let mut hands = handshake::Client::plain(7);
    loop {
        let progress = take(&mut inbox, |unread| hands.read(unread))?;
        tcp.write_all(&progress.output).await?;
        if progress.done {
            break;
        }
        more(tcp, &mut inbox).await?;
    }
    let tc_url = format!("rtmp://{}/live", tcp.peer_addr()?);
    let mut session = ClientSession::new(ClientConfig::new("live", tc_url, name));
    let began = std::time::Instant::now();
    loop {
        let event = take(&mut inbox, |unread| session.read(unread, began.elapsed()))?;
        let output = session.output().split();
        tcp.write_all(&output).await?;
        match event {
            Some(ClientEvent::Published) => {
                let header =
                    session
                        .media_framing()
                        .header(aqueduct::media::MediaKind::Video, 0, 0);
                return Ok(header.stream_id);
            }
            Some(ClientEvent::Refused(refused)) => return Err(format!("{refused:?}").into()),
            Some(_) => {}
            None => more(tcp, &mut inbox).await?,
        }
    }
}

/// Lets a relay publish to us. What it sent behind that is in the buffer.
pub async fn receive(
    tcp: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Outcome<(ServerSession, BytesMut)> {
    let mut inbox = BytesMut::new();
    let mut hands = handshake::Server::new();
    loop {
        more(tcp, &mut inbox).await?;
        let progress = take(&mut inbox, |unread| hands.read(unread))?;
        tcp.write_all(&progress.output).await?;
        if progress.done {
            break;
        }
    }
    let mut session = ServerSession::new(ServerConfig::default());
    loop {
        let event = take(&mut inbox, |unread| session.read(unread, Duration::ZERO))?;
        match event {
            Some(ServerEvent::ConnectRequested(_)) => session.accept_connect(),
            Some(ServerEvent::PublishRequested(_)) => {
                session.accept_publish();
                let output = session.output().split();
                tcp.write_all(&output).await?;
                tcp.flush().await?;
                return Ok((session, inbox));
            }
            Some(_) => {}
            None => {
                let output = session.output().split();
                tcp.write_all(&output).await?;
                more(tcp, &mut inbox).await?;
            }
        }
    }
}

async fn more(tcp: &mut (impl AsyncRead + Unpin), inbox: &mut BytesMut) -> Outcome<()> {
    match tcp.read_buf(inbox).await? {
        0 => Err("the relay closed the connection".into()),
        _ => Ok(()),
    }
}

/// Reads from what has come, and takes out of it what was read.
fn take<T>(inbox: &mut BytesMut, read: impl FnOnce(&mut &[u8]) -> T) -> T {
    let mut unread: &[u8] = inbox;
    let taken = read(&mut unread);
    let left = unread.len();
    inbox.advance(inbox.len() - left);
    taken
}
