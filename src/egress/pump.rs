//! The pump: the task of a target that takes media. It listens to the target, and serves the line where the target does
//! not keep up; one that does is served by its stream's fan-out. Looks at it are made elsewhere, and wake this task where they find
//! something for it to do.

use super::attempt::Established;
use super::failure::Failure;
use super::fanout::{Fanout, Joined};
use super::lag::STALL;
use super::line::{Did, Ledger, Line, Through};
use super::transport::Wire;
use crate::net::close::close_gracefully;
use crate::relay::{Consumer, Recycle, Stream};
use crate::rtmp::session::client::{ClientEvent, ClientSession};
use crate::rule::TargetUrl;
use bytes::BytesMut;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

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
pub(super) struct Pump<W: Wire> {
    line: Joined<W>,
    stream: Arc<Stream>,
    session: ClientSession,
    /// What the target said and the session has not read.
    inbox: BytesMut,
    /// Where the target is; what it says is searched for the key that it was shown there.
    place: TargetUrl,
    began: Instant,
}

impl<W: Wire> Pump<W> {
    pub(super) fn new(
        established: Established<W>,
        consumer: Consumer,
        fanout: &Arc<Fanout<W>>,
        ledger: Ledger,
    ) -> Self {
        let stream = Arc::clone(consumer.stream());
        let framing = established.session.media_framing();
        let line = Line::new(established.transport, consumer, framing, ledger);
        Self {
            line: fanout.join(line),
            stream,
            session: established.session,
            // As small as what is unread: most targets say nothing for hours.
            inbox: BytesMut::from(&*established.inbox),
            place: established.place,
            began: Instant::now(),
        }
    }

    /// Carries tags until the stream ends, the push is told to stop, or something fails; then says goodbye.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> Over {
        let over = self.carry(stop).await;
        self.line.look(Instant::now());
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
        let line = self.line.line();
        // Nobody delivers any more: what the ring still holds is this task's to send.
        let tail = async {
            stream.ended().await;
            line.take();
            sleep(TAIL).await;
        };
        let stopped = stop.cancelled();
        tokio::pin!(stopped, tail);
        loop {
            tokio::select! {
                biased;
                () = &mut stopped => return Ok(Over::Stopped),
                // In front of the work, since a target that never stops talking gives it no end.
                () = &mut tail => return Ok(Over::StreamEnded),
                did = poll_fn(|cx| self.line.poll_work(cx, &mut self.inbox)) => {
                    let did = match did {
                        Ok(did) => did,
                        Err(error) => return Err(self.last_words(error).await),
                    };
                    let through = did.through;
                    self.did(did)?;
                    match through {
                        Some(Through::Stalled) => return Err(Failure::Stalled(STALL)),
                        Some(Through::Ended) => return Ok(Over::StreamEnded),
                        Some(Through::Recycle(why)) => return Ok(Over::Recycled(why)),
                        None => {}
                    }
                }
            }
        }
    }

    fn did(&mut self, did: Did) -> Result<(), Failure> {
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
