//! A publish: media is read at the beat and given to the stream and its targets, until something ends it.

use super::Connection;
use crate::ingest::flood::Allowance;
use crate::ingest::outcome::Ended;
use crate::ingest::silence::Silence;
use crate::ingest::socket::Socket;
use crate::ingest::{Gate, Received};
use crate::media::MediaKind;
use crate::relay::{Batch, Beat, Producer};
use crate::rtmp::session::server::{ServerEvent, ServerSession};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{FuturesUnordered, StreamExt};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Answers that a publisher leaves unread, in bytes. They are a few dozen bytes a second at the most.
const UNSENT_BYTES_MAX: usize = 64 * 1024;

/// What is read from one publisher in one beat, in bytes, before the others get their turn.
const BEAT_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Connection {
    /// Reads media until the publish ends. Everything read before the end is in the ring.
    pub(super) async fn publish(
        &mut self,
        producer: &Producer,
        gate: &Gate,
        beat: &Arc<Beat>,
    ) -> Ended {
        let ended = self.relay(producer, gate, beat).await;
        self.session.finish();
        ended
    }

    async fn relay(&mut self, producer: &Producer, gate: &Gate, beat: &Arc<Beat>) -> Ended {
        let member = match self.socket.pace() {
            Ok(socket) => beat.join(&socket),
            Err(error) => return error.into(),
        };
        // One token of its own each: waiting for it locks nothing that streams share.
        let drain = gate.drain.child_token();
        let mut silence = Silence::since(Instant::now());
        let mut interruptions = interruptions(producer, &drain, &silence);
        let mut allowance = Allowance::new(self.began.elapsed());
        let mut received = Received::default();
        // An early encoder's media is in the buffer already, and in that of TLS, of which no socket tells.
        let mut now = Instant::now();
        let mut round = self
            .read(now, producer, &mut allowance, &mut received, |_, _| Ok(0))
            .and_then(|_| self.read_round(now, producer, &mut allowance, &mut received));
        loop {
            // What was read is for the targets, also where it was the last.
            producer.deliver().await;
            gate.watch.received(&received);
            let left = match round {
                Ok(left) => left,
                Err(ended) => return *ended,
            };
            silence.heard(&received, now);
            if let Some(ended) = silence.over(now) {
                return ended;
            }
            let read_on = async {
                match left {
                    Left::Nothing => member.arrived().await,
                    // The others get their turn first.
                    Left::More => member.next().await,
                }
            };
            tokio::select! {
                biased;
                () = read_on => {}
                // What has arrived meanwhile is read before it is judged.
                interruption = interruptions.next() => match interruption {
                    Some(Interruption::Dismissed) => return gone(producer),
                    Some(Interruption::Drained) => return Ended::ShuttingDown,
                    Some(Interruption::Silent) | None => interruptions.push(silent(&silence)),
                }
            }
            received = Received::default();
            now = Instant::now();
            round = self.read_round(now, producer, &mut allowance, &mut received);
        }
    }

    /// Reads all that has arrived, as far as it may at once; says why it stopped, or why the publish is over. That is in a box, since it is
    /// told once, and passed on at every beat.
    fn read_round(
        &mut self,
        now: Instant,
        producer: &Producer,
        allowance: &mut Allowance,
        received: &mut Received,
    ) -> Result<Left, Box<Ended>> {
        let mut left = Left::More;
        while received.bytes < BEAT_BYTES_MAX {
            if !allowance.may_read(now - self.began) {
                break;
            }
            received.reads += 1;
            match self.read(now, producer, allowance, received, Socket::try_read)? {
                Read::End => return Err(Ended::Closed.into()),
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
        now: Instant,
        producer: &Producer,
        allowance: &mut Allowance,
        received: &mut Received,
        from: impl Fn(&mut Socket, &mut [u8]) -> io::Result<usize>,
    ) -> Result<Read, Box<Ended>> {
        let Self {
            socket,
            buffer,
            session,
            began,
        } = self;
        loop {
            let read = buffer.receive_media(
                |space| from(socket, space),
                |unread| {
                    let Some(batch) = producer.batch_at(now) else {
                        return Err(Ended::TakenOver.into());
                    };
                    absorb(session, now - *began, unread, batch, allowance, received)
                },
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
                Err(error) => Err(Ended::from(error).into()),
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
}

/// Gives what was read to the stream, under one lock.
fn absorb(
    session: &mut ServerSession,
    now: Duration,
    unread: &mut &[u8],
    mut batch: Batch<'_>,
    allowance: &mut Allowance,
    received: &mut Received,
) -> Result<(), Box<Ended>> {
    let size = unread.len();
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
            Ok(Some(ServerEvent::Unpublished(_))) => break Err(Ended::Unpublished.into()),
            Ok(Some(ServerEvent::ConnectRequested(_) | ServerEvent::PublishRequested(_))) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(Ended::from(error).into()),
        }
    };
    if let Some(losses) = batch.losses() {
        received.lose(losses);
    }
    let erratic = batch.is_erratic();
    drop(batch);
    if !allowance.take(size - unread.len(), messages) {
        return Err(Ended::Flood.into());
    }
    match outcome {
        Ok(()) if erratic => Err(Ended::Erratic.into()),
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
    /// There may be more.
    More,
}

/// What ends a publish from outside, or has it looked at. Nobody asks for it: whatever it is wakes the publish.
#[derive(Clone, Copy)]
enum Interruption {
    Dismissed,
    Drained,
    Silent,
}

/// Each is asked when it has something to say, and not at every message.
fn interruptions<'a>(
    producer: &Producer,
    drain: &'a CancellationToken,
    silence: &Silence,
) -> FuturesUnordered<BoxFuture<'a, Interruption>> {
    let dismissed = producer.superseded();
    let drained = drain.cancelled();
    FuturesUnordered::from_iter([
        dismissed.map(|()| Interruption::Dismissed).boxed(),
        drained.map(|()| Interruption::Drained).boxed(),
        silent(silence),
    ])
}

fn silent(silence: &Silence) -> BoxFuture<'static, Interruption> {
    let over = sleep_until(silence.deadline());
    over.map(|()| Interruption::Silent).boxed()
}
