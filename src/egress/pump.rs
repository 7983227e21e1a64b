//! The pump: carries tags from a stream's ring to one target that takes media, and nothing else happens while it does.

use super::attempt::Established;
use super::failure::Failure;
use super::lag::Flight;
use super::push::Watch;
use super::status::PushStatus;
use super::transport::Wire;
use crate::media::{Class, MediaKind, Tag};
use crate::net::close::close_gracefully;
use crate::relay::limits::DRAIN_BYTES;
use crate::relay::{Consumer, Drained, Stream};
use crate::rtmp::chunk::Outbox;
use crate::rtmp::session::client::{ClientEvent, ClientSession};
use crate::rule::TargetUrl;
use bytes::{Bytes, BytesMut};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::io::poll_read_buf;
use tokio_util::sync::CancellationToken;

/// Slices of one vectored write: a batch of a beat has some twenty, one that catches up fills several writes.
const SLICES_MAX: usize = 256;

/// When less than this waits, in bytes, the next tags are taken from the ring: the socket never runs dry, and little that has
/// left the ring can go stale.
const LOW_WATER_BYTES: usize = 32 * 1024;

/// How often the kernel is asked about the connection.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long the rest of a stream that has ended may take. A target that is too slow for it holds up the next push to its URL.
const TAIL: Duration = Duration::from_secs(10);

/// How long what is under way and the goodbye behind it may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// How long the target may take to close after we have.
const CLOSE: Duration = Duration::from_secs(2);

/// How long a target that broke the connection may be listened to: its refusal may lie in front of the break.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// AMF0's `"@setDataFrame"`, which stands before metadata that an ingest shall keep.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";

/// How a push that was live came to its end.
#[derive(Debug)]
pub(super) enum Over {
    /// The stream ended; all of it was sent.
    StreamEnded,
    /// It was told to stop.
    Stopped,
    /// It failed.
    Failed(Failure),
}

/// A live push.
pub(super) struct Pump<'a, W> {
    line: Line<W>,
    session: ClientSession,
    consumer: Consumer,
    /// Where the target is; what it says is searched for the key that it was shown there.
    place: TargetUrl,
    status: &'a PushStatus,
    watch: &'a dyn Watch,
    began: Instant,
    flight: Flight,
    /// The stream's repairs when the push began, attempts before this one included.
    repairs_before: u64,
    /// What the attempts before this one missed.
    skipped_before: u64,
    second: (u64, u64),
    /// When the stream was first seen to have ended.
    ended: Option<Duration>,
}

impl<'a, W: Wire> Pump<'a, W> {
    pub(super) fn new(
        established: Established<W>,
        chunk_size: u32,
        consumer: Consumer,
        repairs_before: u64,
        status: &'a PushStatus,
        watch: &'a dyn Watch,
    ) -> Self {
        Self {
            line: Line {
                transport: established.transport,
                inbox: established.inbox,
                outbox: Outbox::new(chunk_size),
                unflushed: false,
            },
            session: established.session,
            consumer,
            place: established.place,
            status,
            watch,
            began: Instant::now(),
            flight: Flight::new(Duration::ZERO),
            repairs_before,
            skipped_before: status.figures.dropped.load(Ordering::Relaxed),
            second: (0, status.figures.bytes.load(Ordering::Relaxed)),
            ended: None,
        }
    }

    /// Carries tags until the stream ends, the push is told to stop, or something fails; then says goodbye.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> Over {
        let over = self.carry(stop).await;
        self.tell();
        match over {
            Ok(over) => {
                self.say_goodbye().await;
                over
            }
            Err(failure) => Over::Failed(failure.masked(&self.place)),
        }
    }

    async fn carry(&mut self, stop: &CancellationToken) -> Result<Over, Failure> {
        let stream: Arc<Stream> = Arc::clone(self.consumer.stream());
        let mut look = interval_at(Instant::now() + LOOK_INTERVAL, LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stopped = stop.cancelled();
        tokio::pin!(stopped);
        loop {
            let appended = stream.appended();
            tokio::pin!(appended);
            // From here on no batch is missed, whatever happens between the drain and the wait.
            appended.as_mut().enable();
            let drained = self.refill();
            if matches!(drained, Drained::Ended(_)) && self.line.outbox.is_empty() {
                return Ok(Over::StreamEnded);
            }
            // In a beat of a target that keeps up there is one drain, one write, and the wait for the next batch.
            loop {
                tokio::select! {
                    biased;
                    () = &mut stopped => return Ok(Over::Stopped),
                    // In front of the work, since a target that never stops talking gives it no end.
                    _ = look.tick() => if let Some(over) = self.look()? {
                        return Ok(over);
                    },
                    did = poll_fn(|cx| self.line.poll_work(cx)) => {
                        let did = match did {
                            Ok(did) => did,
                            Err(error) => return Err(self.last_words(error).await),
                        };
                        let heard = did.read.is_some();
                        self.did(did)?;
                        // What was heard may want an answer, and one that is heard without end must not hide the next batch.
                        if drained != Drained::CaughtUp || heard {
                            break;
                        }
                    }
                    () = &mut appended, if drained == Drained::CaughtUp => break,
                }
            }
        }
    }

    /// Takes from the ring what the target is to have next.
    fn refill(&mut self) -> Drained {
        let (outbox, session) = (&mut self.line.outbox, &mut self.session);
        if !session.output().is_empty() {
            outbox.push_control(&session.output().split());
        }
        if outbox.len_bytes() >= LOW_WATER_BYTES {
            return Drained::More;
        }
        let before = outbox.len_bytes();
        let (mut newest, mut frames) = (None, 0);
        let drained = self.consumer.drain(DRAIN_BYTES, |tag, at| {
            newest = Some(tag.dts);
            frames += u64::from(tag.shape.class.is_frame());
            push_tag(outbox, session, tag, at);
        });
        if let Some(newest) = newest {
            self.flight.queued(outbox.len_bytes() - before, newest);
            self.status
                .figures
                .frames
                .fetch_add(frames, Ordering::Relaxed);
        }
        drained
    }

    fn did(&mut self, did: Did) -> Result<(), Failure> {
        if did.sent.writes > 0 {
            let bytes = &self.status.figures.bytes;
            bytes.fetch_add(did.sent.bytes as u64, Ordering::Relaxed);
            self.watch.sent(did.sent.bytes, did.sent.writes);
        }
        match did.read {
            None => Ok(()),
            Some(0) => Err(Failure::Closed("while it was live")),
            Some(_) => self.hear(),
        }
    }

    /// Hears a target out that broke the connection: one that refuses what it had accepted says so and closes, and where our
    /// write is the first to find that out, its words are still to be read.
    async fn last_words(&mut self, error: io::Error) -> Failure {
        let said = timeout(LAST_WORDS, async {
            loop {
                match poll_fn(|cx| self.line.poll_read(cx)).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
                if let Err(failure) = self.hear() {
                    return Some(failure);
                }
            }
        });
        said.await.ok().flatten().unwrap_or_else(|| error.into())
    }

    /// Reads what the target says.
    fn hear(&mut self) -> Result<(), Failure> {
        loop {
            let mut unread: &[u8] = &self.line.inbox;
            let event = self.session.read(&mut unread, self.began.elapsed());
            let read = self.line.inbox.len() - unread.len();
            drop(self.line.inbox.split_to(read));
            match event? {
                None => return Ok(()),
                Some(ClientEvent::Refused(refused)) => return Err(Failure::Refused(refused)),
                Some(ClientEvent::Ended(ended)) => return Err(Failure::Ended(ended)),
                Some(_) => {}
            }
        }
    }

    /// Looks at the connection: how far behind the target is, and whether anything moves at all.
    fn look(&mut self) -> Result<Option<Over>, Failure> {
        let now = self.began.elapsed();
        let mut outstanding = self.line.outbox.len_bytes() as u64;
        if let Some(tcp) = self.line.transport.tcp_info() {
            outstanding += tcp.unacked_bytes;
            let rtt = u64::try_from(tcp.rtt.as_micros()).unwrap_or(u64::MAX);
            self.status.figures.rtt_us.store(rtt, Ordering::Relaxed);
        }
        self.flight.outstanding(outstanding, now);
        self.tell();
        if self.flight.is_stalled(now) {
            return Err(Failure::Stalled(super::lag::STALL));
        }
        if self.ended.is_none() && self.consumer.stream().end().is_some() {
            self.ended = Some(now);
        }
        let is_over = self.ended.is_some_and(|ended| now >= ended + TAIL);
        Ok(is_over.then_some(Over::StreamEnded))
    }

    /// Writes down the figures as they are now.
    fn tell(&mut self) {
        let now = self.began.elapsed();
        let figures = &self.status.figures;
        let lag_ms = self.lag_ms();
        figures.lag_ms.store(lag_ms, Ordering::Relaxed);
        let missed = self.skipped_before + self.consumer.skipped();
        let overtaken = missed - figures.dropped.swap(missed, Ordering::Relaxed);
        self.watch.looked(Duration::from_millis(lag_ms), overtaken);
        let repaired = self.consumer.stream().repairs() - self.repairs_before;
        figures.repaired.store(repaired, Ordering::Relaxed);
        let bytes = figures.bytes.load(Ordering::Relaxed);
        let (millis_before, bytes_before) = self.second;
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        if let Some(bits) = (8000 * (bytes - bytes_before)).checked_div(millis - millis_before) {
            figures.bitrate.store(bits, Ordering::Relaxed);
            self.second = (millis, bytes);
        }
    }

    fn lag_ms(&self) -> u64 {
        match (self.flight.oldest(), self.consumer.newest_dts()) {
            (Some(oldest), Some(newest)) => u64::try_from(newest - oldest).unwrap_or(0),
            _ => self.consumer.lag_ms(),
        }
    }

    /// Says goodbye behind the last tag: a CDN that sees a plain close takes it for a crash, and may lose what it has not read.
    async fn say_goodbye(mut self) {
        self.session.finish();
        let mut line = self.line;
        line.outbox.push_control(&self.session.output().split());
        let sent = timeout(GOODBYE, async {
            while !line.outbox.is_empty() || line.unflushed {
                match poll_fn(|cx| line.poll_work(cx)).await {
                    Ok(Did { read: Some(0), .. }) | Err(_) => return false,
                    Ok(_) => line.inbox.clear(),
                }
            }
            true
        });
        if sent.await == Ok(true) {
            close_gracefully(line.transport, CLOSE).await;
        }
    }
}

/// One tag as the target gets it: header bytes of its own, the payload shared.
fn push_tag(outbox: &mut Outbox, session: &ClientSession, tag: &Tag, at: u32) {
    let kind = tag.shape.track.kind;
    let payload = match tag.shape.class {
        Class::Metadata if kind == MediaKind::Data => {
            Bytes::from([SET_DATA_FRAME, &tag.payload].concat())
        }
        _ => tag.payload.clone(),
    };
    // The chunk reader bounds a message far below 4 GiB.
    let length = payload.len() as u32;
    outbox.push(session.media_header(kind, at, length), payload);
}

/// The connection and the bytes on both of its sides.
struct Line<W> {
    transport: W,
    inbox: BytesMut,
    outbox: Outbox,
    /// Whether TLS may hold records that the kernel has not taken.
    unflushed: bool,
}

/// What one turn of a pump brought.
struct Did {
    /// The bytes that came, if any did; 0 is the target's end.
    read: Option<usize>,
    sent: Sent,
}

/// What one turn sent.
#[derive(Default)]
struct Sent {
    /// Bytes given to the connection.
    bytes: usize,
    /// Vectored writes that it took.
    writes: u32,
    /// Whether TLS has given what it held to the kernel.
    flushed: bool,
}

impl<W: Wire> Line<W> {
    /// Reads what has come and writes what waits. Neither waits for the other: a target that never stops talking gets its media,
    /// and one that takes none is heard.
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Did>> {
        let read = match self.poll_read(cx)? {
            Poll::Ready(count) => Some(count),
            Poll::Pending => None,
        };
        let sent = match (self.write(cx), read) {
            (Ok(sent), _) => sent,
            // What was read is judged first; a connection that is broken fails again.
            (Err(_), Some(_)) => Sent::default(),
            (Err(error), None) => return Poll::Ready(Err(error)),
        };
        if read.is_none() && sent.bytes == 0 && !sent.flushed {
            return Poll::Pending;
        }
        Poll::Ready(Ok(Did { read, sent }))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        poll_read_buf(Pin::new(&mut self.transport), cx, &mut self.inbox)
    }

    /// Writes as much as is taken now.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<Sent> {
        let mut sent = Sent::default();
        while !self.outbox.is_empty() && sent.bytes < DRAIN_BYTES {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.outbox.slices(&mut slices);
            let filled = slices.get(..count).unwrap_or_default();
            match Pin::new(&mut self.transport).poll_write_vectored(cx, filled)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => {
                    self.outbox.advance(written);
                    self.unflushed = true;
                    sent.bytes += written;
                    sent.writes += 1;
                }
                Poll::Pending => break,
            }
        }
        if self.unflushed && self.outbox.is_empty() {
            sent.flushed = Pin::new(&mut self.transport).poll_flush(cx)?.is_ready();
            self.unflushed = !sent.flushed;
        }
        Ok(sent)
    }
}

#[cfg(test)]
mod tests;
