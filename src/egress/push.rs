//! A push: one target's life beside one stream's, attempt after attempt, until the stream ends, the rule goes, or the target
//! has said that it never will.

use super::attempt::{Depth, Established, Manner, Reach};
use super::board::Board;
use super::failure::{Failure, Next};
use super::fanout::Fanout;
use super::gate::StartGate;
use super::line::Ledger;
use super::plan::{PushId, PushOptions};
use super::probe::Probe;
use super::pump::{Over, Pump};
use super::retries::{Other, Retries, Setback};
use super::status::{PushStatus, TargetState};
use crate::relay::{Beats, Consumer, LeftOut, Mode, Presence, Stream};
use crate::rtmp::session::client::Enhanced;
use futures::FutureExt;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// What every push of the gateway shares.
pub struct Egress {
    /// How targets are reached.
    pub reach: Reach,
    /// Bounds the rate of attempts.
    pub gate: StartGate,
    /// The chunk size towards targets whose rule has none of its own, in bytes.
    pub chunk_size: u32,
    /// What a session's clock begins with, in milliseconds: 0, but for whoever wants to see it come near its end.
    pub start_clock: u32,
    /// At which targets are looked after, each at that of its stream's home.
    pub beats: Beats,
    /// Told what happens.
    pub watch: Arc<dyn Watch>,
}

/// Is told what pushes do: the logs and the metrics.
pub trait Watch: Send + Sync {
    /// An attempt begins. Few have to know.
    fn connecting(&self, _push: &PushStatus) {}
    /// The target takes media, so long after the attempt began.
    fn live(&self, push: &PushStatus, took: Duration);
    /// The attempt failed, or the live push broke; the next one follows after `wait`, or none.
    fn failed(&self, push: &PushStatus, failure: &Failure, wait: Option<Duration>);
    /// The push has left its URL for the rule's other one, which the status names. Few have to know.
    fn switched(&self, _push: &PushStatus) {}
    /// The supervisor has panicked: rules are not carried out for so long, and what runs goes on.
    fn stumbled(&self, _rest: Duration) {}
    /// The push is over.
    fn ended(&self, push: &PushStatus);
    /// Bytes went out, in so many writes.
    fn sent(&self, bytes: usize, writes: u32);
    /// A live push's target is too slow, so far behind: from now on it is given this part of its stream. Told again once it was
    /// given all for some time. Few have to know.
    fn slow(&self, _push: &PushStatus, _mode: Mode, _lag: Duration) {}
    /// It was slow, and has been given all for a while.
    fn caught_up(&self, _push: &PushStatus) {}
    /// A look at a live push, once a second: how far behind it is, and what it was not given since the last look.
    fn looked(&self, lag: Duration, left_out: LeftOut);
}

/// What one push is.
pub(super) struct Push {
    pub(super) id: PushId,
    pub(super) options: PushOptions,
    pub(super) stream: Arc<Stream>,
    pub(super) fanout: Arc<Fanout>,
    pub(super) status: Arc<PushStatus>,
    pub(super) stop: CancellationToken,
    pub(super) egress: Arc<Egress>,
    pub(super) board: Arc<Board>,
}

/// Why a push's life was cut short from outside.
enum Cut {
    Stopped,
    StreamEnded,
}

/// How an attempt went on.
enum Outcome {
    /// The push is over.
    Cut(Cut),
    /// It failed.
    Failed {
        failure: Failure,
        /// How long the target had taken media.
        held: Option<Duration>,
        /// What is known of the other URL.
        other: Other,
    },
    /// The backup, which had taken media for so long, was left for the main URL.
    Left(Duration),
}

impl Push {
    /// Lives.
    pub(super) async fn run(self) {
        let why = match self.live().await {
            Cut::Stopped => "the rule is gone, disabled or changed",
            Cut::StreamEnded => "the stream ended",
        };
        self.status.left(TargetState::Stopped, why.to_owned());
        self.egress.watch.ended(&self.status);
    }

    async fn live(&self) -> Cut {
        let began = Instant::now();
        let mut retries = Retries::new(self.id.0);
        let repairs_before = self.stream.repairs();
        loop {
            let attempt = AssertUnwindSafe(self.attempt(repairs_before, retries.well_for()));
            // One that began anew at once would panic as often as it can; what an attempt leaves behind is only figures.
            let outcome = attempt.catch_unwind().await;
            let outcome =
                outcome.unwrap_or_else(|_| failed(Failure::Panicked, None, Other::Unknown));
            let (wait, next) = match outcome {
                Outcome::Cut(cut) => return cut,
                Outcome::Left(held) => {
                    self.go_home(&mut retries, held);
                    continue;
                }
                Outcome::Failed {
                    failure,
                    held,
                    other,
                } => {
                    let other = match self.board.may_switch(self.id) {
                        true => other,
                        false => Other::Absent,
                    };
                    // A target that closes when nothing comes says nothing of what its consent is worth.
                    let setback = match failure.next() {
                        Next::Backoff if self.is_away() => {
                            retries.starved(failure, held, began.elapsed())
                        }
                        _ => retries.failed(failure, held, began.elapsed(), other),
                    };
                    let wait = self.set_back(&mut retries, &setback);
                    (wait, setback.failure.next())
                }
            };
            let rest = async {
                match (wait, next) {
                    (Some(wait), Next::Backoff) => {
                        tokio::select! {
                            () = sleep(wait) => {}
                            () = self.publisher_comes() => {}
                        }
                    }
                    (Some(wait), _) => sleep(wait).await,
                    (None, _) => std::future::pending().await,
                }
            };
            if let Some(cut) = self.unless_cut(rest).await.err() {
                return cut;
            }
        }
    }

    /// Tells of a failure, and goes to the other URL where that follows from it; how long to rest, or none for ever.
    fn set_back(&self, retries: &mut Retries, setback: &Setback) -> Option<Duration> {
        let wait = setback.there.or(setback.here);
        let reason = setback.failure.reason(&self.status.url());
        let state = match wait {
            Some(_) => TargetState::BackingOff,
            None => TargetState::Failed,
        };
        self.status.left(state, reason.clone());
        let watch = &self.egress.watch;
        watch.failed(&self.status, &setback.failure, wait);
        if setback.there.is_some() && self.board.switch(self.id, &reason) {
            retries.switched();
            watch.switched(&self.status);
        }
        wait
    }

    /// Returns to the main URL, unless another push has taken it meanwhile.
    fn go_home(&self, retries: &mut Retries, held: Duration) {
        let why = "the main URL is well again";
        if self.board.switch(self.id, why) {
            self.status.left(TargetState::Waiting, why.to_owned());
            retries.returned(held);
            self.egress.watch.switched(&self.status);
        }
    }

    /// One attempt and, if it succeeds, all the media: on a backup, until the main URL has been well for so long.
    async fn attempt(&self, repairs_before: u64, well_for: Option<Duration>) -> Outcome {
        if let Err(cut) = self.unless_cut(self.turn()).await {
            return Outcome::Cut(cut);
        }
        self.status.connecting();
        self.egress.watch.connecting(&self.status);
        let began = Instant::now();
        let mut consumer = self.stream.consume_from(self.egress.start_clock);
        if self.options.strict_interleave {
            consumer = consumer.in_order();
        }
        let manner = self.manner(enhanced(&self.stream), Depth::Publish);
        let url = self.status.url();
        // Its room is given back before the push is live, which may be for days.
        let established = Box::pin(self.egress.reach.establish(&url, &manner, |_, _| {}));
        let established = match self.unless_cut(established).await {
            Ok(Ok(established)) => established,
            Ok(Err(failure)) => return failed(failure, None, Other::Unknown),
            Err(cut) => return Outcome::Cut(cut),
        };
        self.status.live();
        self.egress.watch.live(&self.status, began.elapsed());
        let carried = self.carry(established, consumer, repairs_before, well_for);
        tokio::select! {
            biased;
            outcome = carried => outcome,
            never = self.tell_presence() => match never {},
        }
    }

    /// Carries the stream to a target that takes it.
    async fn carry(
        &self,
        established: Established,
        consumer: Consumer,
        repairs_before: u64,
        well_for: Option<Duration>,
    ) -> Outcome {
        let since = Instant::now();
        let pump = Pump::new(
            established,
            consumer,
            &self.fanout,
            Ledger::new(
                Arc::clone(&self.status),
                Arc::clone(&self.egress.watch),
                repairs_before,
            ),
        );
        let leave = self.stop.child_token();
        let carried = pump.run(&leave);
        let (over, other) = match well_for {
            None => (carried.await, Other::Unknown),
            // Boxed: a push that has no backup, which is nearly every one, does not carry the room for this.
            Some(well_for) => Box::pin(self.until_well(carried, well_for, &leave)).await,
        };
        match over {
            Over::StreamEnded => Outcome::Cut(Cut::StreamEnded),
            Over::Stopped if self.stop.is_cancelled() => Outcome::Cut(Cut::Stopped),
            Over::Stopped => Outcome::Left(since.elapsed()),
            Over::Recycled(why) => failed(Failure::Recycled(why), Some(since.elapsed()), other),
            Over::Failed(failure) => failed(failure, Some(since.elapsed()), other),
        }
    }

    /// Lets the backup carry the stream until the main URL is well; then has it say goodbye.
    async fn until_well(
        &self,
        carried: impl Future<Output = Over>,
        well_for: Duration,
        leave: &CancellationToken,
    ) -> (Over, Other) {
        let (reach, gate) = (&self.egress.reach, &self.egress.gate);
        let manner = self.manner(None, Depth::Connect);
        let mut probe = Probe::new(reach, gate, &self.status, manner, self.id.0);
        let mut carried = pin!(carried);
        let over = tokio::select! {
            biased;
            over = &mut carried => over,
            () = probe.well(well_for) => {
                leave.cancel();
                carried.await
            }
        };
        match probe.is_well() {
            true => (over, Other::Well),
            false => (over, Other::Unknown),
        }
    }

    /// How the target is spoken to.
    fn manner(&self, enhanced: Option<Enhanced>, depth: Depth) -> Manner {
        Manner {
            chunk_size: self.options.chunk_size.unwrap_or(self.egress.chunk_size),
            digest_handshake: self.options.digest_handshake,
            enhanced,
            depth,
        }
    }

    /// Waits for something to send, and for this attempt's turn. A target that consents before there is media may not wait for it
    /// (Twitch closes after some 4 s), and what the stream's codecs are is only known then.
    async fn turn(&self) {
        loop {
            tokio::select! {
                biased;
                () = self.stream.startable() => {}
                never = self.tell_presence() => match never {},
            }
            self.egress.gate.pass().await;
            // The publisher may have been lost while others had their turn.
            if self.stream.is_startable() {
                return;
            }
        }
    }

    /// Whether the stream's publisher was lost, and is waited for.
    fn is_away(&self) -> bool {
        self.stream.hold().borrow().presence == Presence::Away
    }

    /// Completes when another publisher comes, or the same one comes back.
    async fn publisher_comes(&self) {
        let mut hold = self.stream.hold();
        let before = hold.borrow().epoch;
        // The sender lives in the stream that `self` holds.
        let _ = hold.wait_for(|hold| hold.epoch != before).await;
    }

    /// Says in the status of a push that is live, or has nothing to begin with, whether the stream's publisher is there.
    async fn tell_presence(&self) -> Infallible {
        let mut hold = self.stream.hold();
        loop {
            let is_away = hold.borrow_and_update().presence == Presence::Away;
            self.status.encoder_is_away(is_away);
            if hold.changed().await.is_err() {
                std::future::pending().await
            }
        }
    }

    /// Runs `work` unless the push is told to stop or its stream ends meanwhile.
    async fn unless_cut<T>(&self, work: impl Future<Output = T>) -> Result<T, Cut> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Cut::Stopped),
            () = self.stream.ended() => Err(Cut::StreamEnded),
            done = work => Ok(done),
        }
    }
}

fn failed(failure: Failure, held: Option<Duration>, other: Other) -> Outcome {
    Outcome::Failed {
        failure,
        held,
        other,
    }
}

/// What a target has to be told of a stream that uses Enhanced RTMP: its codecs. Nothing for plain H.264 and AAC, since some
/// ingests close on fields that they do not know.
fn enhanced(stream: &Stream) -> Option<Enhanced> {
    let mut four_ccs: Vec<[u8; 4]> = Vec::new();
    for track in stream.snapshot().figures.tracks {
        let four_cc = track.codec.four_cc().filter(|_| track.enhanced);
        four_ccs.extend(four_cc.filter(|four_cc| !four_ccs.contains(four_cc)));
    }
    (!four_ccs.is_empty()).then_some(Enhanced { four_ccs })
}
