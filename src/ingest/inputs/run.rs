//! The life of one input that the gateway fetches itself: attempts, pauses, and the media in between.

use super::board::Board;
use super::fault::{Fault, Next};
use super::files::{Playlist, Shelf};
use super::http::{self, Body};
use super::limits::{MEDIA_TIMEOUT, REFUSALS_MAX};
use super::play::Player;
use super::status::InputState;
use crate::backoff::{Backoff, BackoffPolicy};
use crate::flv::FlvReader;
use crate::ingest::{Ended, Publisher, Received, Watch};
use crate::media::{MediaKind, Shape};
use crate::net::outbound::Outbound;
use crate::relay::{Claim, Credential, DuplicatePolicy, Hub, InputClaim, Producer};
use crate::rtmp::session::Media;
use crate::rule::{HttpUrl, Input, PullUrl, Source, TargetUrl};
use crate::secret::Secret;
use crate::telemetry::events::FilePassedOver;
use bytes::Bytes;
use futures::FutureExt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

/// Where an input comes from that the gateway fetches or plays.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// What every input is run with.
pub(super) struct Means {
    pub(super) hub: Arc<Hub>,
    pub(super) outbound: Outbound,
    pub(super) watch: Arc<dyn Watch>,
    /// What comes within this time is read, and given on, in one turn.
    pub(super) pace: Duration,
}

/// What whoever started an input says to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// To go on.
    #[default]
    Run,
    /// To make room for another input in its place: the stream waits.
    Yield,
    /// To end; where it is the last one, the stream ends with it.
    End,
    /// The same, since the gateway ends.
    Drain,
}

/// Runs an input until it is told to end, has played all it has, or fails for good.
pub(super) async fn run(
    input: Arc<Input>,
    means: Arc<Means>,
    shelf: Shelf,
    board: Arc<Board>,
    mut order: watch::Receiver<Order>,
) {
    let mut feed = match &input.source {
        Source::Pull(url) => Feed::Live(url.clone()),
        Source::Files(files) => Feed::Files(Box::new(Playlist::new(files.clone(), shelf))),
        // Publishers come by themselves.
        Source::Push(_) => return,
    };
    let mut life = Life {
        backoff: Backoff::new(
            BackoffPolicy::reconnect(),
            getrandom::u64().unwrap_or_default(),
        ),
        refusals: 0,
        shown: secrets(&input.source),
        hold: None,
        input,
        means,
        board,
    };
    let last = tokio::select! {
        biased;
        told = order.wait_for(|order| *order != Order::Run) => {
            told.map_or(Order::End, |order| *order)
        }
        () = life.live(&mut feed) => Order::End,
    };
    life.leave(last);
}

struct Life {
    input: Arc<Input>,
    means: Arc<Means>,
    board: Arc<Board>,
    backoff: Backoff,
    refusals: u32,
    /// What a server was shown and may echo.
    shown: Vec<Secret>,
    hold: Option<Hold>,
}

/// The input's hold on its stream.
struct Hold {
    producer: Producer,
    began: Instant,
    /// Of media, from then on.
    bytes: u64,
}

/// Where media comes from.
enum Feed {
    Live(PullUrl),
    Files(Box<Playlist>),
}

impl Life {
    async fn live(&mut self, feed: &mut Feed) {
        loop {
            self.board.connecting();
            let began = Instant::now();
            let fault = match self.attempt(feed).await {
                Ok(()) => return self.board.ended(),
                Err(fault) => fault,
            };
            self.backoff.stable_for(began.elapsed());
            let is_final = self.is_final(&fault, feed);
            let shown: Vec<_> = self.shown.iter().collect();
            let (why, reason) = (fault.interruption(), fault.reason(&shown));
            // The stream waits, or the other input takes over.
            drop(self.let_go(&Ended::Fetched(fault)));
            self.board.failed(why, reason, is_final);
            if is_final {
                return;
            }
            sleep(self.backoff.next()).await;
            if let Feed::Files(list) = feed {
                list.resume();
            }
        }
    }

    /// Whether it is given up. A list of files is where none of them can be read.
    fn is_final(&mut self, fault: &Fault, feed: &Feed) -> bool {
        match (fault.next(), feed) {
            (_, Feed::Files(_)) if fault.is_of_file() => true,
            (Next::Never, _) => true,
            (Next::Refused, _) => {
                self.refusals += 1;
                self.refusals >= REFUSALS_MAX
            }
            (Next::Backoff, _) => false,
        }
    }

    /// Feeds the stream until something ends that; `Ok` where all was played.
    async fn attempt(&mut self, feed: &mut Feed) -> Result<(), Fault> {
        match feed {
            Feed::Live(PullUrl::Rtmp(url)) => self.play(url).await.map(|never| match never {}),
            Feed::Live(PullUrl::HttpFlv(url)) => {
                self.read_flv(url).await.map(|never| match never {})
            }
            Feed::Files(list) => self.read_files(list).await,
        }
    }

    async fn play(&mut self, url: &TargetUrl) -> Result<std::convert::Infallible, Fault> {
        let mut player = Player::open(&self.means.outbound, url).await?;
        let fault = self.relay(&mut player).await;
        if !matches!(fault, Fault::Io(_) | Fault::Closed) {
            player.close().await;
        }
        Err(fault)
    }

    async fn read_flv(&mut self, url: &HttpUrl) -> Result<std::convert::Infallible, Fault> {
        let body = http::get(&self.means.outbound, url, 0).await?;
        let mut flv = HttpFlv {
            body: body.ok_or(Fault::Closed)?,
            reader: FlvReader::new(),
            unread: Bytes::new(),
        };
        Err(self.relay(&mut flv).await)
    }

    /// Gives a live stream's media on as it comes.
    async fn relay(&mut self, live: &mut impl Live) -> Fault {
        let mut media = Vec::new();
        let mut heard = Instant::now();
        loop {
            let next = timeout_at(heard + MEDIA_TIMEOUT, live.next(&mut media)).await;
            match next {
                Ok(Ok(())) => {}
                Ok(Err(fault)) => return fault,
                Err(_) => return Fault::NoMedia,
            }
            // What else is there goes with it.
            let mut fault = None;
            while fault.is_none() && media.len() < super::limits::TURN_FRAMES_MAX {
                match live.next(&mut media).now_or_never() {
                    Some(Err(ended)) => fault = Some(ended),
                    Some(Ok(())) => {}
                    None => break,
                }
            }
            if media.iter().any(is_frame) {
                heard = Instant::now();
            }
            if let Err(ended) = self.give(&mut media).await {
                return ended;
            }
            if let Some(fault) = fault {
                return fault;
            }
            sleep(self.means.pace).await;
        }
    }

    async fn read_files(&mut self, list: &mut Playlist) -> Result<(), Fault> {
        let mut media = Vec::new();
        loop {
            let goes_on = list.next(&mut media).await;
            // What came before a fault is played.
            self.give(&mut media).await?;
            self.board.reach(list.position());
            match goes_on {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(fault) if fault.is_of_file() => {
                    let position = list.position();
                    if !list.skip() {
                        return Err(fault);
                    }
                    FilePassedOver {
                        stream: &self.input.stream,
                        url: position.map(|position| position.url),
                        why: &fault,
                    }
                    .emit();
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// Gives media to the stream and its targets. The stream is claimed with the first frame.
    async fn give(&mut self, media: &mut Vec<Media>) -> Result<(), Fault> {
        if media.is_empty() {
            return Ok(());
        }
        if self.hold.is_none() {
            self.hold = Some(self.claim()?);
        }
        let Some(Hold {
            producer, bytes, ..
        }) = &mut self.hold
        else {
            return Ok(());
        };
        if producer.is_superseded() {
            return Err(Fault::Kicked);
        }
        let mut received = Received::default();
        let has_frames = media.iter().any(is_frame);
        {
            let mut batch = producer.batch().ok_or(Fault::Kicked)?;
            for media in media.drain(..) {
                received.bytes += media.payload.len();
                match media.kind {
                    MediaKind::Video => received.video += 1,
                    MediaKind::Audio => received.audio += 1,
                    MediaKind::Data => received.data += 1,
                }
                batch.push(media.kind, media.timestamp, media.payload);
            }
            if let Some(losses) = batch.losses() {
                received.lose(losses);
            }
            if batch.is_erratic() {
                return Err(Fault::Erratic);
            }
        }
        producer.deliver().await;
        *bytes += received.bytes as u64;
        self.means.watch.received(&received);
        if has_frames {
            self.board.fed();
            self.refusals = 0;
        }
        Ok(())
    }

    fn claim(&self) -> Result<Hold, Fault> {
        let client = describe(&self.input.source);
        let claim = Claim {
            credential: Credential::Wish,
            peer: NOWHERE,
            client: client.clone(),
            input: Some(InputClaim {
                kind: self.input.source.kind(),
                bytes: Arc::clone(&self.board.bytes),
            }),
        };
        let (stream, role) = (&self.input.stream, self.input.role);
        // One before it in its place makes room.
        let claimed = (self.means.hub).claim_as(stream, role, claim, DuplicatePolicy::Takeover);
        let producer = claimed?;
        (self.means.watch).publish_started(self.publisher(), &client, producer.arrival());
        Ok(Hold {
            producer,
            began: Instant::now(),
            bytes: 0,
        })
    }

    /// Says that the publish is over. What becomes of the stream follows from it, so that is told first.
    fn let_go(&mut self, why: &Ended) -> Option<Producer> {
        let hold = self.hold.take()?;
        let lasted = hold.began.elapsed();
        (self.means.watch).publish_ended(self.publisher(), why, hold.bytes, lasted);
        Some(hold.producer)
    }

    fn publisher(&self) -> Publisher<'_> {
        Publisher {
            stream: &self.input.stream,
            peer: NOWHERE,
            input: Some(self.input.source.kind()),
        }
    }

    /// Lets the stream go: it waits, or ends where nobody else feeds it.
    fn leave(mut self, order: Order) {
        let why = match (order, self.board.state()) {
            (Order::Yield, _) => Ended::TakenOver,
            (Order::Drain, _) => Ended::ShuttingDown,
            (_, InputState::Ended) => Ended::Unpublished,
            _ => Ended::Kicked,
        };
        let Some(producer) = self.let_go(&why) else {
            return;
        };
        match order {
            Order::Yield => drop(producer),
            // What is over, and what nobody wants any more, is not waited for.
            _ => producer.finish(),
        }
    }
}

/// A live stream that is fetched.
trait Live: Send {
    /// Waits for media, and puts what there is into `out`. It may be dropped while it waits, and loses nothing.
    fn next(&mut self, out: &mut Vec<Media>) -> impl Future<Output = Result<(), Fault>> + Send;
}

impl Live for Player {
    async fn next(&mut self, out: &mut Vec<Media>) -> Result<(), Fault> {
        Player::next(self, out).await
    }
}

/// FLV that comes by HTTP.
struct HttpFlv {
    body: Body,
    reader: FlvReader,
    unread: Bytes,
}

impl Live for HttpFlv {
    async fn next(&mut self, out: &mut Vec<Media>) -> Result<(), Fault> {
        let before = out.len();
        loop {
            let mut unread: &[u8] = &self.unread;
            let read = loop {
                match self.reader.read(&mut unread) {
                    Ok(Some(tag)) => out.push(Media {
                        kind: tag.kind,
                        timestamp: tag.timestamp,
                        payload: tag.payload,
                    }),
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            self.unread = Bytes::new();
            if out.len() > before {
                // An error is told again.
                return Ok(());
            }
            read?;
            self.unread = self.body.next().await?.ok_or(Fault::Closed)?;
        }
    }
}

fn is_frame(media: &Media) -> bool {
    Shape::of(media.kind, &media.payload).class.is_frame()
}

/// What the stream's list of publishers calls it.
fn describe(source: &Source) -> String {
    match source {
        Source::Pull(url) => format!("pull of {url}"),
        Source::Files(files) => format!("{} files", files.urls().len()),
        Source::Push(_) => String::new(),
    }
}

/// What a server may echo of what it was shown.
fn secrets(source: &Source) -> Vec<Secret> {
    match source {
        Source::Pull(PullUrl::Rtmp(url)) => {
            let password = url.credentials().map(|(_, password)| password.clone());
            [Secret::from(url.expose()), Secret::from(url.name())]
                .into_iter()
                .chain(password)
                .collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
