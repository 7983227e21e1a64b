//! One publisher's connection, from its first byte to its last: greeted, admitted, read at the beat, and seen off.

use super::admission::{PublishAttempt, Verdict};
use super::buffer::ReadBuffer;
use super::flood::Allowance;
use super::outcome::{Ended, NotPublished};
use super::silence::Silence;
use super::socket::Socket;
use super::{Asked, Gate, Received};
use crate::media::MediaKind;
use crate::net::permits::Permit;
use crate::relay::{Beat, Claim, Producer};
use crate::rtmp::handshake;
use crate::rtmp::limits::{ADMISSION_TIMEOUT, HANDSHAKE_TIMEOUT, PUBLISH_TIMEOUT};
use crate::rtmp::session::server::{
    ConnectRefusal, PublishRequest, ServerConfig, ServerEvent, ServerSession,
};
use crate::secret::Secret;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::coop::consume_budget;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

/// How long a goodbye may take: the last answers, and the peer's own close.
const GOODBYE: Duration = Duration::from_secs(2);

/// How long a publisher that said it ends may take to close by itself, before we do. GStreamer's sink reports a connection
/// that is closed under it as an error, at the end of a stream that went well.
const PEER_CLOSE: Duration = Duration::from_secs(1);

/// Answers that a publisher leaves unread, in bytes. They are a few dozen bytes a second at the most.
const UNSENT_BYTES_MAX: usize = 64 * 1024;

/// What is read from one publisher in one beat, in bytes, before the others get their turn.
const BEAT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long a publisher that sends too much is not read where there is no beat.
const HELD_BACK: Duration = Duration::from_millis(10);

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
            gate.watch
                .publish_started(stream.key(), peer, &client, producer.arrival());
            let ended = connection.publish(producer, gate, beat).await;
            let bytes = connection.session.bytes_in();
            gate.watch
                .publish_ended(stream.key(), peer, &ended, bytes, began.elapsed());
            peer_closes = matches!(ended, Ended::Unpublished);
        }
        Err(reason) => {
            gate.watch.not_published(peer, &reason, asked.as_ref());
            connection.session.finish();
        }
    }
    connection.say_goodbye(peer_closes).await;
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
                self.session.reject_publish(refusal, words);
                Err(reason)
            }
        }
    }

    /// Reads media until the publish ends. Everything read before the end is in the ring. Where the connection was lost, the stream
    /// waits for its publisher's return.
    async fn publish(&mut self, producer: Producer, gate: &Gate, beat: &Arc<Beat>) -> Ended {
        let ended = self.relay(&producer, gate, beat).await;
        if !ended.is_loss() {
            producer.finish();
        }
        self.session.finish();
        ended
    }

    async fn relay(&mut self, producer: &Producer, gate: &Gate, beat: &Arc<Beat>) -> Ended {
        if let Err(error) = self.socket.set_paced(beat.is_paced()) {
            return error.into();
        }
        let member = beat.is_paced().then(|| beat.join());
        // One token of its own each: waiting for it locks nothing that streams share.
        let drain = gate.drain.child_token();
        let (superseded, drained) = (producer.superseded(), drain.cancelled());
        let mut silence = Silence::since(Instant::now());
        let silent = sleep_until(silence.deadline());
        tokio::pin!(superseded, drained, silent);
        let mut allowance = Allowance::new(self.began.elapsed());
        let mut received = Received::default();
        // An early encoder's media is in the buffer already, and in that of TLS, of which no socket tells.
        let mut round = self
            .read(producer, &mut allowance, &mut received, |_, _| Ok(0))
            .and_then(|_| self.read_round(producer, &mut allowance, &mut received));
        loop {
            // What was read is for the targets, also where it was the last.
            producer.deliver().await;
            gate.watch.received(received);
            let left = match round {
                Ok(left) => left,
                Err(ended) => return ended,
            };
            let now = Instant::now();
            silence.heard(&received, now);
            if let Some(ended) = silence.over(now) {
                return ended;
            }
            let waited = match &member {
                // Whatever else may end the publish is looked at then, too: nothing is waited for on the way of a frame.
                Some(member) => {
                    member.next().await;
                    Ok(())
                }
                None => {
                    tokio::select! {
                        biased;
                        waited = wait(&self.socket, beat, left) => waited,
                        () = &mut superseded => Ok(()),
                        () = &mut drained => Ok(()),
                        // What has arrived meanwhile is read before it is judged.
                        () = &mut silent => {
                            silent.as_mut().reset(silence.deadline());
                            Ok(())
                        }
                    }
                }
            };
            if let Err(error) = waited {
                return error.into();
            }
            if producer.is_superseded() {
                return gone(producer);
            }
            if drain.is_cancelled() {
                return Ended::ShuttingDown;
            }
            received = Received::default();
            round = self.read_round(producer, &mut allowance, &mut received);
        }
    }

    /// Reads all that has arrived, as far as it may at once; says why it stopped, or why the publish is over.
    fn read_round(
        &mut self,
        producer: &Producer,
        allowance: &mut Allowance,
        received: &mut Received,
    ) -> Result<Left, Ended> {
        let mut left = Left::More;
        while received.bytes < BEAT_BYTES_MAX {
            if !allowance.may_read(self.began.elapsed()) {
                left = Left::HeldBack;
                break;
            }
            received.reads += 1;
            match self.read(producer, allowance, received, Socket::try_read)? {
                Read::End => return Err(Ended::Closed),
                Read::Full => {}
                // Asking a socket that is empty, or as good as, once more costs as much as a full read.
                Read::All => {
                    left = Left::Nothing;
                    break;
                }
            }
        }
        self.answer()?;
        Ok(left)
    }

    /// Reads once, and gives what came to the stream, under one lock.
    fn read(
        &mut self,
        producer: &Producer,
        allowance: &mut Allowance,
        received: &mut Received,
        from: impl Fn(&mut Socket, &mut [u8]) -> io::Result<usize>,
    ) -> Result<Read, Ended> {
        let Self {
            socket,
            buffer,
            session,
            began,
        } = self;
        let now = began.elapsed();
        loop {
            let read = buffer.receive_media(
                |space| from(socket, space),
                |unread| absorb(session, now, unread, producer, allowance, received),
            );
            return match read {
                Ok(read) => {
                    read.taken?;
                    received.bytes += read.count;
                    Ok(match read.count {
                        0 => Read::End,
                        _ if read.is_full => Read::Full,
                        _ => Read::All,
                    })
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::All),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Sends what the session has to say, as far as there is room; the rest goes out at the next beat.
    fn answer(&mut self) -> Result<(), Ended> {
        let output = self.session.output();
        while !output.is_empty() {
            match self.socket.try_write(output) {
                Ok(count) => drop(output.split_to(count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // No room. Or the peer is gone, which shows when it is read, behind what it sent last.
                Err(_) => break,
            }
        }
        if output.len() > UNSENT_BYTES_MAX {
            return Err(Ended::Deaf);
        }
        Ok(())
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
            self.socket.set_paced(false)?;
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
        let mut sink = [0; 4096];
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

/// Gives what was read to the stream, under one lock.
fn absorb(
    session: &mut ServerSession,
    now: Duration,
    unread: &mut &[u8],
    producer: &Producer,
    allowance: &mut Allowance,
    received: &mut Received,
) -> Result<(), Ended> {
    let size = unread.len();
    let Some(mut batch) = producer.batch() else {
        return Err(Ended::TakenOver);
    };
    let mut messages = 0;
    let outcome = loop {
        match session.read(unread, now) {
            Ok(Some(ServerEvent::Media(media))) => {
                messages += 1;
                match media.kind {
                    MediaKind::Video => received.video += 1,
                    MediaKind::Audio => received.audio += 1,
                    MediaKind::Data => received.data += 1,
                }
                batch.push(media.kind, media.timestamp, media.payload);
            }
            Ok(Some(ServerEvent::Unpublished(_))) => break Err(Ended::Unpublished),
            Ok(Some(ServerEvent::ConnectRequested(_) | ServerEvent::PublishRequested(_))) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(error.into()),
        }
    };
    let (drops, repairs) = batch.losses();
    let erratic = batch.is_erratic();
    drop(batch);
    received.drops += drops;
    received.repairs += repairs;
    if !allowance.take(size - unread.len(), messages) {
        return Err(Ended::Flood);
    }
    match outcome {
        Ok(()) if erratic => Err(Ended::Erratic),
        outcome => outcome,
    }
}

/// What one read came to.
enum Read {
    /// All that had arrived.
    All,
    /// As much as there was room for.
    Full,
    /// The peer's end.
    End,
}

/// Asks whether the publisher may, and takes the stream for it.
async fn claim(
    asked: &Asked,
    query: &Secret,
    peer: SocketAddr,
    client: &str,
    gate: &Gate,
) -> Result<Producer, NotPublished> {
    let attempt = PublishAttempt {
        app: &asked.app,
        name: &asked.name,
        query,
        peer,
    };
    match gate.admission.judge(attempt).await {
        Verdict::Allowed { key, credential } => {
            let claim = Claim {
                credential,
                peer,
                client: client.to_owned(),
            };
            Ok(gate.hub.claim(&key, claim, gate.duplicate())?)
        }
        Verdict::Refused(refused) => Err(refused.into()),
    }
}

/// Why a publisher that was told to go has to.
fn gone(producer: &Producer) -> Ended {
    if producer.is_replaced() {
        Ended::TakenOver
    } else {
        Ended::Kicked
    }
}

/// What a round of reading has left behind.
#[derive(Clone, Copy)]
enum Left {
    /// Nothing that has arrived.
    Nothing,
    /// There may be more: the others get their turn first.
    More,
    /// There may be more, and the publisher has used up what it may send.
    HeldBack,
}

/// Waits for bytes that may be read, where there is no beat.
async fn wait(socket: &Socket, beat: &Arc<Beat>, left: Left) -> io::Result<()> {
    match left {
        Left::Nothing => {
            socket.ready().await?;
            beat.turn().await;
            Ok(())
        }
        Left::More => {
            yield_now().await;
            Ok(())
        }
        Left::HeldBack => {
            sleep(HELD_BACK).await;
            Ok(())
        }
    }
}
