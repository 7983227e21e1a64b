//! One publisher's connection, from its first byte to its last: greeted, admitted, read, and seen off.

mod media;

use super::admission::{PublishAttempt, Verdict};
use super::buffer::ReadBuffer;
use super::inputs::Resolved;
use super::outcome::{Ended, NotPublished};
use super::socket::Socket;
use super::{Asked, Gate, Publisher};
use crate::net::permits::Permit;
use crate::relay::{Beat, Claim, ClaimRefused, Credential, Producer};
use crate::rtmp::handshake;
use crate::rtmp::limits::{ADMISSION_TIMEOUT, HANDSHAKE_TIMEOUT, PUBLISH_TIMEOUT};
use crate::rtmp::session::server::{
    ConnectRefusal, PublishRequest, ServerConfig, ServerEvent, ServerSession,
};
use crate::rule::{Role, StreamKey};
use crate::secret::Secret;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a goodbye may take: the last answers, and the peer's own close.
const GOODBYE: Duration = Duration::from_secs(2);

/// How long a publisher that said it ends may take to close by itself, before we do. GStreamer's sink reports a connection
/// that is closed under it as an error, at the end of a stream that went well.
const PEER_CLOSE: Duration = Duration::from_secs(1);

/// Serves one connection to its end.
pub(super) async fn serve(
    socket: Socket,
    peer: SocketAddr,
    mut permit: Permit,
    gate: &Gate,
    beat: &Arc<Beat>,
) {
    let mut connection = Connection {
        socket,
        buffer: ReadBuffer::default(),
        session: ServerSession::new(ServerConfig::default()),
        began: Instant::now(),
    };
    let mut asked = None;
    let mut peer_closes = false;
    match connection.greet(peer, gate, &mut asked).await {
        Ok((producer, client)) => {
            // It has shown that it may be here: its place among the unknown is free again.
            permit.settle();
            let stream = Arc::clone(producer.stream());
            let began = Instant::now();
            let publisher = Publisher {
                stream: stream.key(),
                peer,
                input: producer.input(),
            };
            gate.watch
                .publish_started(publisher, &client, producer.arrival());
            let ended = connection.publish(&producer, gate, beat).await;
            let bytes = connection.session.bytes_in();
            // Told first: what becomes of the stream follows from it.
            gate.watch
                .publish_ended(publisher, &ended, bytes, began.elapsed());
            leave(producer, &ended);
            peer_closes = matches!(ended, Ended::Unpublished);
        }
        Err(reason) => {
            gate.watch.not_published(peer, &reason, asked.as_ref());
            connection.session.finish();
        }
    }
    connection.say_goodbye(peer_closes).await;
}

/// Lets the stream go: it ends, or waits for its publisher's return where the connection was lost.
fn leave(producer: Producer, ended: &Ended) {
    match ended.is_loss() {
        true => drop(producer),
        false => producer.finish(),
    }
}

struct Connection {
    socket: Socket,
    buffer: ReadBuffer,
    session: ServerSession,
    began: Instant,
}

impl Connection {
    /// Handshake, `connect` and `publish`, all within one time: bytes that drip in extend nothing.
    async fn greet(
        &mut self,
        peer: SocketAddr,
        gate: &Gate,
        asked: &mut Option<Asked>,
    ) -> Result<(Producer, String), NotPublished> {
        timeout(HANDSHAKE_TIMEOUT, self.shake_hands())
            .await
            .map_err(|_| NotPublished::TooSlow("complete handshake", HANDSHAKE_TIMEOUT))??;
        let latest = self.began + PUBLISH_TIMEOUT;
        let client = timeout_at(latest, self.connect(gate))
            .await
            .map_err(|_| NotPublished::TooSlow("connect", PUBLISH_TIMEOUT))??;
        let request = timeout_at(latest, self.publish_request())
            .await
            .map_err(|_| NotPublished::TooSlow("publish", PUBLISH_TIMEOUT))??;
        let asked = asked.insert(Asked {
            app: request.app,
            name: Secret::new(request.name),
        });
        let admitted = self.admit(asked, &request.query, peer, &client, gate);
        let producer = timeout(ADMISSION_TIMEOUT, admitted)
            .await
            .map_err(|_| NotPublished::TooSlow("admission", ADMISSION_TIMEOUT))??;
        Ok((producer, client))
    }

    async fn shake_hands(&mut self) -> Result<(), NotPublished> {
        let mut handshake = handshake::Server::new();
        loop {
            self.receive().await?;
            let mut unread = self.buffer.unread();
            let progress = handshake.read(&mut unread)?;
            let left = unread.len();
            self.buffer.left(left);
            self.send(&progress.output).await?;
            if progress.done {
                return Ok(());
            }
        }
    }

    async fn connect(&mut self, gate: &Gate) -> Result<String, NotPublished> {
        match self.next_event().await? {
            ServerEvent::ConnectRequested(request) if !gate.drain.is_cancelled() => {
                self.session.accept_connect();
                self.flush().await?;
                Ok(request.flash_ver)
            }
            ServerEvent::ConnectRequested(_) => {
                self.session.reject_connect(
                    ConnectRefusal::ShuttingDown,
                    "The gateway is shutting down.",
                );
                Err(NotPublished::ShuttingDown)
            }
            _ => Err(NotPublished::Closed),
        }
    }

    async fn publish_request(&mut self) -> Result<PublishRequest, NotPublished> {
        match self.next_event().await? {
            ServerEvent::PublishRequested(request) => Ok(request),
            _ => Err(NotPublished::Closed),
        }
    }

    /// Judges the wish to publish, and says what came of it.
    async fn admit(
        &mut self,
        asked: &Asked,
        query: &Secret,
        peer: SocketAddr,
        client: &str,
        gate: &Gate,
    ) -> Result<Producer, NotPublished> {
        match claim(asked, query, peer, client, gate).await {
            Ok(producer) => {
                self.session.accept_publish();
                self.flush().await?;
                Ok(producer)
            }
            Err(reason) => {
                let (refusal, words) = reason.answer();
                self.session.reject_publish(refusal, &words);
                Err(reason)
            }
        }
    }

    /// The session's next event; answers go out meanwhile.
    async fn next_event(&mut self) -> Result<ServerEvent, NotPublished> {
        loop {
            let now = self.began.elapsed();
            let mut unread = self.buffer.unread();
            let event = self.session.read(&mut unread, now);
            let left = unread.len();
            self.buffer.left(left);
            self.flush().await?;
            if let Some(event) = event? {
                return Ok(event);
            }
            self.receive().await?;
        }
    }

    async fn receive(&mut self) -> Result<(), NotPublished> {
        loop {
            match self.buffer.receive(|space| self.socket.try_read(space)) {
                Ok(0) => return Err(NotPublished::Closed),
                Ok(_) => {
                    // A socket that is never empty would have no await in it, and the shard no other connection.
                    consume_budget().await;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.ready().await?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let output = self.session.output().split();
        self.send(&output).await
    }

    async fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.socket.try_write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.writable().await?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        while !self.socket.is_flushed()? {
            self.socket.writable().await?;
        }
        Ok(())
    }

    /// Lets the peer have our last words: a plain close with its bytes unread would throw them away and show it a reset.
    async fn say_goodbye(mut self, peer_closes: bool) {
        let _ = timeout(GOODBYE, async {
            self.socket.unpace()?;
            self.flush().await?;
            if peer_closes && let Ok(closed) = timeout(PEER_CLOSE, self.read_out()).await {
                return closed;
            }
            self.socket.shutdown_write()?;
            self.read_out().await
        })
        .await;
    }

    /// Reads on, without looking at it, until the peer has closed its side.
    async fn read_out(&mut self) -> io::Result<()> {
        // Not within the future, which lives as long as the connection.
        let mut sink = vec![0; 4096];
        loop {
            match self.socket.try_read(&mut sink) {
                Ok(0) => return Ok(()),
                Ok(_) => consume_budget().await,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.socket.ready().await?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Asks whether the publisher may, and takes its place in the stream for it.
async fn claim(
    asked: &Asked,
    query: &Secret,
    peer: SocketAddr,
    client: &str,
    gate: &Gate,
) -> Result<Producer, NotPublished> {
    let (key, role, credential, input) = match resolve(asked, query, gate) {
        Resolved::Input {
            stream,
            role,
            credential,
            input,
        } => {
            gate.admission.judge_push(peer, Ok(()))?;
            (stream, role, credential, Some(input))
        }
        Resolved::Refused(refused) => {
            gate.admission.judge_push(peer, Err(refused))?;
            return Err(refused.into());
        }
        Resolved::Plain => {
            let (key, credential) = admit(asked, query, peer, gate).await?;
            if gate.names.is_taken(&key) {
                return Err(ClaimRefused::Busy.into());
            }
            (key, Role::Main, credential, None)
        }
    };
    let claim = Claim {
        credential,
        peer,
        client: client.to_owned(),
        input,
    };
    let duplicate = gate.duplicate();
    Ok(gate.hub.claim_as(&key, role, claim, duplicate)?)
}

/// What the name leads to that it asks for.
fn resolve(asked: &Asked, query: &Secret, gate: &Gate) -> Resolved {
    let asked_name = asked.name.expose();
    let (name, own) = asked_name.split_once('?').unwrap_or((asked_name, ""));
    let queries = [own, query.expose()];
    let now = OffsetDateTime::now_utc();
    gate.names.resolve(&asked.app, name, queries, now)
}

async fn admit(
    asked: &Asked,
    query: &Secret,
    peer: SocketAddr,
    gate: &Gate,
) -> Result<(StreamKey, Credential), NotPublished> {
    let attempt = PublishAttempt {
        app: &asked.app,
        name: &asked.name,
        query,
        peer,
    };
    match gate.admission.judge(attempt).await {
        Verdict::Allowed { key, credential } => Ok((key, credential)),
        Verdict::Refused(refused) => Err(refused.into()),
    }
}
