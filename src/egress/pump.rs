//! The pump: the task of a target that takes media. It listens to the target, looks after the connection, and serves the line
//! where the target does not keep up; one that does is served by its stream's fan-out.

use super::attempt::Established;
use super::failure::Failure;
use super::fanout::{Fanout, Joined};
use super::line::{Carried, Did, Line, Standing, Through};
use super::push::Watch;
use super::status::PushStatus;
use super::transport::Wire;
use crate::net::close::close_gracefully;
use crate::relay::limits::LAG_CALM_MS;
use crate::relay::{Beat, Consumer, LeftOut, Looker, Mode, Recycle, Stream};
use crate::rtmp::session::client::{ClientEvent, ClientSession};
use crate::rule::TargetUrl;
use bytes::BytesMut;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// From one look at a target that is behind to the next: what it is given follows from how far it is.
const CLOSE_LOOK: Duration = Duration::from_millis(200);

/// So long after it was last spared something a target is said to be slow: one that just takes a part of its stream goes to and fro.
const SLOW_SHOWN: Duration = Duration::from_secs(10);

/// How long the rest of a stream that has ended may take. A target that is too slow for it holds up the next push to its URL.
const TAIL: Duration = Duration::from_secs(10);

/// How long what is under way and the goodbye behind it may take.
const GOODBYE: Duration = Duration::from_secs(5);

/// How long the target may take to close after we have.
const CLOSE: Duration = Duration::from_secs(2);

/// How long a target that broke the connection may be listened to: its refusal may lie in front of the break.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How a push that was live came to its end.
#[derive(Debug)]
pub(super) enum Over {
    /// The stream ended; all of it was sent.
    StreamEnded,
    /// It was told to stop.
    Stopped,
    /// What follows is for another session; all before it was sent.
    Recycled(Recycle),
    /// It failed.
    Failed(Failure),
}

/// A live push.
pub(super) struct Pump<'a, W: Wire> {
    line: Joined<W>,
    stream: Arc<Stream>,
    session: ClientSession,
    /// What the target said and the session has not read.
    inbox: BytesMut,
    /// Where the target is; what it says is searched for the key that it was shown there.
    place: TargetUrl,
    status: &'a PushStatus,
    watch: &'a dyn Watch,
    began: Instant,
    looker: Arc<Looker>,
    /// The stream's repairs when the push began, attempts before this one included.
    repairs_before: u64,
    /// The status's figures when this attempt went live.
    before: Before,
    second: (u64, u64),
    /// Whether the target was behind when it was last looked at.
    is_behind: bool,
    /// What it was last given less than all, and when.
    slow: Option<(Mode, Duration)>,
    /// When the stream was seen to have ended.
    ended: Option<Duration>,
}

/// What the attempts before this one have left in a push's figures.
struct Before {
    bytes: u64,
    frames: u64,
    left_out: LeftOut,
    late: u64,
}

impl<'a, W: Wire> Pump<'a, W> {
    pub(super) fn new(
        established: Established<W>,
        consumer: Consumer,
        fanout: &Arc<Fanout<W>>,
        beat: &Arc<Beat>,
        repairs_before: u64,
        status: &'a PushStatus,
        watch: &'a dyn Watch,
    ) -> Self {
        let stream = Arc::clone(consumer.stream());
        let framing = established.session.media_framing();
        let line = fanout.join(Line::new(established.transport, consumer, framing));
        let figures = &status.figures;
        let before = Before {
            bytes: figures.bytes.load(Ordering::Relaxed),
            frames: figures.frames.load(Ordering::Relaxed),
            left_out: figures.left_out(),
            late: figures.late.load(Ordering::Relaxed),
        };
        Self {
            line,
            stream,
            session: established.session,
            // As small as what is unread: most targets say nothing for hours.
            inbox: BytesMut::from(&*established.inbox),
            place: established.place,
            status,
            watch,
            began: Instant::now(),
            looker: Arc::new(beat.look_after()),
            repairs_before,
            second: (0, before.bytes),
            before,
            is_behind: false,
            slow: None,
            ended: None,
        }
    }

    /// Carries tags until the stream ends, the push is told to stop, or something fails; then says goodbye.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> Over {
        let over = self.carry(stop).await;
        self.look_and_tell();
        match over {
            Ok(over) => {
                // Boxed: a push that is live for days does not carry the room for its end.
                Box::pin(self.say_goodbye()).await;
                over
            }
            Err(failure) => Over::Failed(failure.masked(&self.place)),
        }
    }

    async fn carry(&mut self, stop: &CancellationToken) -> Result<Over, Failure> {
        let stream = Arc::clone(&self.stream);
        let looker = Arc::clone(&self.looker);
        let look = looker.next();
        // It is set for those who are behind alone.
        let close_look = sleep(CLOSE_LOOK);
        let (stopped, ended) = (stop.cancelled(), stream.ended());
        tokio::pin!(look, close_look, stopped, ended);
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => return Ok(Over::Stopped),
                // In front of the work, since a target that never stops talking gives it no end.
                () = &mut look => {
                    look.set(looker.next());
                    if let Some(over) = self.look()? {
                        return Ok(over);
                    }
                    if self.is_behind {
                        close_look.as_mut().reset(Instant::now() + CLOSE_LOOK);
                    }
                }
                // What it is to have next is this task's to send, so it is woken for it, too.
                () = &mut close_look, if self.is_behind => {
                    self.look_closely();
                    if self.is_behind {
                        close_look.as_mut().reset(Instant::now() + CLOSE_LOOK);
                    }
                }
                // Nobody delivers any more: what the ring still holds is this task's to send.
                () = &mut ended, if self.ended.is_none() => {
                    self.ended = Some(self.began.elapsed());
                    self.line.take();
                }
                did = poll_fn(|cx| self.line.poll_work(cx, &mut self.inbox)) => {
                    let did = match did {
                        Ok(did) => did,
                        Err(error) => return Err(self.last_words(error).await),
                    };
                    let through = did.through;
                    self.did(did)?;
                    match through {
                        Some(Through::Ended) => return Ok(Over::StreamEnded),
                        Some(Through::Recycle(why)) => return Ok(Over::Recycled(why)),
                        None => {}
                    }
                }
            }
        }
    }

    fn did(&mut self, did: Did) -> Result<(), Failure> {
        if did.sent.writes > 0 {
            self.watch.sent(did.sent.bytes, did.sent.writes);
            self.tell_carried(did.carried);
        }
        match did.read {
            None => Ok(()),
            Some(0) => Err(Failure::Closed("while it was live")),
            Some(_) => {
                let heard = self.hear();
                self.line.say(&self.session.output().split());
                heard
            }
        }
    }

    /// Hears a target out that broke the connection: one that refuses what it had accepted says so and closes, and where our
    /// write is the first to find that out, its words are still to be read.
    async fn last_words(&mut self, error: io::Error) -> Failure {
        let said = timeout(LAST_WORDS, async {
            loop {
                match poll_fn(|cx| self.line.poll_read(cx, &mut self.inbox)).await {
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
            let mut unread: &[u8] = &self.inbox;
            let event = self.session.read(&mut unread, self.began.elapsed());
            let read = self.inbox.len() - unread.len();
            drop(self.inbox.split_to(read));
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
        if self.look_and_tell() {
            return Err(Failure::Stalled(super::lag::STALL));
        }
        let now = self.began.elapsed();
        let is_over = self.ended.is_some_and(|ended| now >= ended + TAIL);
        Ok(is_over.then_some(Over::StreamEnded))
    }

    /// Looks how far behind the target is, and writes that down.
    fn look_closely(&mut self) -> Option<Standing> {
        let now = self.began.elapsed();
        let standing = self.line.look(now)?;
        self.is_behind = standing.mode != Mode::All || standing.lag.ms > LAG_CALM_MS;
        let lag_ms = &self.status.figures.lag_ms;
        lag_ms.store(standing.lag.ms, Ordering::Relaxed);
        let was_slow = self.slow.is_some();
        self.slow = match standing.mode {
            Mode::All => self.slow.filter(|(_, last)| now - *last < SLOW_SHOWN),
            mode => Some((mode, now)),
        };
        self.status.slow(self.slow.map(|(mode, _)| mode));
        match (was_slow, self.slow.is_some()) {
            (false, true) => {
                let lag = Duration::from_millis(standing.lag.ms);
                self.watch.slow(self.status, standing.mode, lag);
            }
            (true, false) => self.watch.caught_up(self.status),
            _ => {}
        }
        Some(standing)
    }

    /// Writes down the figures as they are now; says whether the target has stalled.
    fn look_and_tell(&mut self) -> bool {
        let Some(standing) = self.look_closely() else {
            return false;
        };
        let now = self.began.elapsed();
        let figures = &self.status.figures;
        let set = |figure: &AtomicU64, value| figure.store(value, Ordering::Relaxed);
        if let Some(rtt) = standing.rtt {
            set(
                &figures.rtt_us,
                u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX),
            );
        }
        set(
            &figures.repaired,
            self.stream.repairs() - self.repairs_before,
        );
        set(&figures.late, self.before.late + standing.late);
        let mut left_out = self.before.left_out;
        left_out += standing.left_out;
        let lately = left_out.since(figures.left_out());
        figures.leave_out(left_out);
        self.watch
            .looked(Duration::from_millis(standing.lag.ms), lately);
        let bytes = self.tell_carried(standing.carried);
        let (millis_before, bytes_before) = self.second;
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        if let Some(bits) = (8000 * (bytes - bytes_before)).checked_div(millis - millis_before) {
            set(&figures.bitrate, bits);
            self.second = (millis, bytes);
        }
        standing.is_stalled
    }

    /// Writes down what was sent so far; gives the bytes of all attempts.
    fn tell_carried(&self, carried: Carried) -> u64 {
        let figures = &self.status.figures;
        let bytes = self.before.bytes + carried.bytes;
        figures.bytes.store(bytes, Ordering::Relaxed);
        let frames = self.before.frames + carried.frames;
        figures.frames.store(frames, Ordering::Relaxed);
        bytes
    }

    /// Says goodbye behind the last tag: a CDN that sees a plain close takes it for a crash, and may lose what it has not read.
    async fn say_goodbye(mut self) {
        self.session.finish();
        let Some(mut line) = self.line.close() else {
            return;
        };
        let goodbye = self.session.output().split();
        if timeout(GOODBYE, line.send_last(&goodbye)).await == Ok(true) {
            close_gracefully(line.into_wire(), CLOSE).await;
        }
    }
}

#[cfg(test)]
mod tests;
