//! Targets: those that take all, and those that make trouble, each connection in its own way.

use super::reading::{Reader, Reading};
use super::spoil::{Plant, Spoiler};
use aqueduct::rtmp::handshake;
use aqueduct::rtmp::session::Media;
use aqueduct::rtmp::session::server::{Refusal, ServerConfig, ServerEvent, ServerSession};
use bytes::BytesMut;
use fastrand::Rng;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// What hears what a connection brings.
pub trait Ear {
    /// The gateway publishes under that name, and was let in.
    fn begins(&mut self, _name: &str) {}
    /// An error breaks the connection.
    fn media(&mut self, media: &Media) -> io::Result<()>;
    /// The gateway said that it is over.
    fn goodbye(&mut self);
}

/// What a connection is treated with.
#[derive(Clone, Copy, Debug)]
pub enum Mood {
    Takes,
    ClosesAtOnce,
    ClosesInTheHandshake,
    Refuses,
    /// Refuses for good, so that the rule is given up.
    Denies,
    /// Resets after so long.
    Resets(Duration),
    /// Reads nothing for a while after so long, then goes on.
    Stalls(Duration, Duration),
    /// Reads so many bytes in a tenth of a second.
    Crawls(usize),
}

/// The moods of an unruly target's connections: one after the other, in an order that is drawn anew for each round.
struct Moods {
    rng: Rng,
    round: Vec<u8>,
}

/// How many moods a round has.
const ROUND: u8 = 10;

/// Starts a target, with that fault between the gateway and what it reads; where it listens.
pub async fn start(reader: Reader, rng: Rng, plant: Option<Plant>) -> io::Result<SocketAddr> {
    let listener = listen(reader.healthy)?;
    let address = listener.local_addr()?;
    let mut moods = Moods {
        rng,
        round: Vec::new(),
    };
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let mood = if reader.healthy {
                Mood::Takes
            } else {
                moods.next()
            };
            let reader = reader.clone();
            reader.record.visit();
            reader.book.count(|figures| match reader.healthy {
                true => figures.healthy_visits += 1,
                false => figures.unruly_visits += 1,
            });
            tokio::spawn(async move {
                let mut reading = Reading::new(reader);
                let mut spoilt = Spoilt {
                    spoiler: Spoiler::new(plant),
                    reading: &mut reading,
                };
                let orderly = serve(tcp, mood, &mut spoilt).await.is_ok();
                reading.ends(orderly);
            });
        }
    });
    Ok(address)
}

/// A listener on a free port.
pub fn listen(healthy: bool) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    if !healthy {
        // What waits unread in our kernel would look like progress to the gateway.
        socket.set_recv_buffer_size(16 * 1024)?;
    }
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    socket.listen(1024)
}

impl Moods {
    fn next(&mut self) -> Mood {
        if self.round.is_empty() {
            self.round = (0..ROUND).collect();
            self.rng.shuffle(&mut self.round);
        }
        let mut millis = |range| Duration::from_millis(self.rng.u64(range));
        let (after, pause) = (millis(200..6000), millis(500..14_000));
        match self.round.pop() {
            Some(0) => Mood::ClosesAtOnce,
            Some(1) => Mood::ClosesInTheHandshake,
            Some(2) => Mood::Refuses,
            Some(3) => Mood::Denies,
            Some(4..6) => Mood::Resets(after),
            Some(6..8) => Mood::Stalls(after, pause),
            Some(8) => Mood::Crawls(3000),
            _ => Mood::Takes,
        }
    }
}

/// A connection, and what it is treated with from now on.
struct Visit {
    tcp: TcpStream,
    mood: Mood,
    inbox: BytesMut,
    began: Instant,
}

/// A reading with a fault before it.
struct Spoilt<'a> {
    spoiler: Spoiler,
    reading: &'a mut Reading,
}

impl Ear for Spoilt<'_> {
    fn media(&mut self, media: &Media) -> io::Result<()> {
        let arrived = self.spoiler.pass(media.clone());
        for media in arrived.ok_or(io::ErrorKind::ConnectionReset)? {
            self.reading
                .media(media.kind, media.timestamp, &media.payload);
        }
        Ok(())
    }

    fn goodbye(&mut self) {
        self.reading.said_goodbye = true;
    }
}

/// Serves one connection of the gateway's to its end; an error where that is none that it should have.
pub async fn serve(tcp: TcpStream, mood: Mood, ear: &mut impl Ear) -> io::Result<()> {
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
            Some(ServerEvent::PublishRequested(_)) if matches!(mood, Mood::Denies) => {
                session.reject_publish(Refusal::Denied, "never");
            }
            Some(ServerEvent::PublishRequested(request)) => {
                ear.begins(&request.name);
                session.accept_publish();
                visit.began = Instant::now();
            }
            Some(ServerEvent::Media(media)) => ear.media(&media)?,
            Some(ServerEvent::Unpublished(_)) => {
                ear.goodbye();
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
            Mood::Crawls(bytes) => {
                sleep_until(Instant::now() + Duration::from_millis(100)).await;
                let mut piece = vec![0; bytes];
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
