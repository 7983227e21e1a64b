//! Targets: those that take all, and those that make trouble, each connection in its own way.

use super::reading::{Reader, Reading};
use aqueduct::rtmp::handshake;
use aqueduct::rtmp::session::server::{Refusal, ServerConfig, ServerEvent, ServerSession};
use bytes::BytesMut;
use fastrand::Rng;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What a connection is treated with.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Takes,
    ClosesAtOnce,
    ClosesInTheHandshake,
    Refuses,
    /// Resets after so long.
    Resets(Duration),
    /// Reads nothing for a while after so long, then goes on.
    Stalls(Duration, Duration),
    /// Reads a little at a time.
    Crawls,
}

/// Starts a target; where it listens.
pub async fn start(reader: Reader, mut rng: Rng) -> io::Result<SocketAddr> {
    let socket = TcpSocket::new_v4()?;
    if !reader.healthy {
        // What waits unread in our kernel would look like progress to the gateway.
        socket.set_recv_buffer_size(16 * 1024)?;
    }
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let listener: TcpListener = socket.listen(64)?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let mood = if reader.healthy {
                Mood::Takes
            } else {
                mood(&mut rng)
            };
            let reader = reader.clone();
            tokio::spawn(async move {
                reader.book.count(|figures| match reader.healthy {
                    true => figures.healthy_visits += 1,
                    false => figures.unruly_visits += 1,
                });
                let mut reading = Reading::new(reader);
                let orderly = serve(tcp, mood, &mut reading).await.is_ok();
                reading.ends(orderly);
            });
        }
    });
    Ok(address)
}

fn mood(rng: &mut Rng) -> Mood {
    let mut seconds = |range| Duration::from_millis(rng.u64(range));
    let (after, pause) = (seconds(200..6000), seconds(500..14_000));
    match rng.u8(0..10) {
        0 => Mood::ClosesAtOnce,
        1 => Mood::ClosesInTheHandshake,
        2 => Mood::Refuses,
        3..5 => Mood::Resets(after),
        5..7 => Mood::Stalls(after, pause),
        7 => Mood::Crawls,
        _ => Mood::Takes,
    }
}

/// A connection, and what it is treated with from now on.
struct Visit {
    tcp: TcpStream,
    mood: Mood,
    inbox: BytesMut,
    began: Instant,
}

async fn serve(tcp: TcpStream, mood: Mood, reading: &mut Reading) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut visit = Visit {
        tcp,
        mood,
        inbox: BytesMut::new(),
        began: Instant::now(),
    };
    if matches!(mood, Mood::ClosesAtOnce) {
        return Ok(());
    }
    visit.shake_hands().await?;
    if matches!(mood, Mood::ClosesInTheHandshake) {
        return Ok(());
    }
    let mut session = ServerSession::new(ServerConfig::default());
    loop {
        let mut unread: &[u8] = &visit.inbox;
        let event = session
            .read(&mut unread, Duration::ZERO)
            .map_err(io::Error::other)?;
        visit.inbox = visit.inbox.split_off(visit.inbox.len() - unread.len());
        match event {
            Some(ServerEvent::ConnectRequested(_)) => session.accept_connect(),
            Some(ServerEvent::PublishRequested(_)) if matches!(mood, Mood::Refuses) => {
                session.reject_publish(Refusal::Busy, "not now");
            }
            Some(ServerEvent::PublishRequested(_)) => {
                session.accept_publish();
                visit.began = Instant::now();
            }
            Some(ServerEvent::Media(media)) => {
                reading.media(media.kind, media.timestamp, &media.payload);
            }
            Some(ServerEvent::Unpublished(_)) => {
                reading.said_goodbye = true;
                return visit.hear_out().await;
            }
            None => {
                let output = session.output().split();
                visit.tcp.write_all(&output).await?;
                if !visit.fill().await? {
                    return Ok(());
                }
            }
        }
    }
}

impl Visit {
    async fn shake_hands(&mut self) -> io::Result<()> {
        let mut hands = handshake::Server::new();
        loop {
            if self.tcp.read_buf(&mut self.inbox).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut unread: &[u8] = &self.inbox;
            let progress = hands.read(&mut unread).map_err(io::Error::other)?;
            self.inbox = self.inbox.split_off(self.inbox.len() - unread.len());
            self.tcp.write_all(&progress.output).await?;
            if progress.done {
                return Ok(());
            }
        }
    }

    /// Reads something, in the way that the mood has it; false at the end.
    async fn fill(&mut self) -> io::Result<bool> {
        match self.mood {
            Mood::Resets(after) => {
                let moment = self.began + after;
                let read = timeout(moment - Instant::now(), self.tcp.read_buf(&mut self.inbox));
                if let Ok(read) = read.await {
                    return Ok(read? > 0);
                }
                socket2::SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO))?;
                return Ok(false);
            }
            Mood::Stalls(after, pause) if self.began.elapsed() > after => {
                sleep(pause).await;
                self.mood = Mood::Takes;
            }
            Mood::Crawls => {
                sleep_until(Instant::now() + Duration::from_millis(100)).await;
                let mut piece = [0; 3000];
                let read = self.tcp.read(&mut piece).await?;
                self.inbox.extend_from_slice(&piece[..read]);
                return Ok(read > 0);
            }
            _ => {}
        }
        Ok(self.tcp.read_buf(&mut self.inbox).await? > 0)
    }

    /// Reads to the end, which a reset is not.
    async fn hear_out(mut self) -> io::Result<()> {
        let mut scrap = [0; 1024];
        while self.tcp.read(&mut scrap).await? > 0 {}
        Ok(())
    }
}
