//! A push: one target's life beside one stream's, attempt after attempt, until the stream ends, the rule goes, or the target
//! has said that it never will.

use super::attempt::{Depth, Manner, Reach};
use super::failure::{Failure, Next};
use super::fanout::Fanout;
use super::gate::StartGate;
use super::plan::{PushId, PushOptions};
use super::pump::{Over, Pump};
use super::status::{PushStatus, TargetState};
use crate::backoff::{Backoff, BackoffPolicy};
use crate::relay::{Stream, Tick};
use crate::rtmp::session::client::Enhanced;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// A target that closes this soon after its consent has not taken the stream.
const FAST_CLOSE: Duration = Duration::from_secs(5);

/// So many fast closes in a row are an answer: with the usual backoff, they take a minute and a half.
const FAST_CLOSES_MAX: u32 = 8;

/// What every push of the gateway shares.
pub struct Egress {
    /// How targets are reached.
    pub reach: Reach,
    /// Bounds the rate of attempts.
    pub gate: StartGate,
    /// The chunk size towards targets whose rule has none of its own, in bytes.
    pub chunk_size: u32,
    /// The gateway's beat, at which targets are looked after too.
    pub tick: Tick,
    /// Told what happens.
    pub watch: Arc<dyn Watch>,
}

/// Is told what pushes do: the logs and the metrics.
pub trait Watch: Send + Sync {
    /// The target takes media, so long after the attempt began.
    fn live(&self, push: &PushStatus, took: Duration);
    /// The attempt failed, or the live push broke; the next one follows after `wait`, or none.
    fn failed(&self, push: &PushStatus, failure: &Failure, wait: Option<Duration>);
    /// The push is over.
    fn ended(&self, push: &PushStatus);
    /// Bytes went out, in so many writes.
    fn sent(&self, bytes: usize, writes: u32);
    /// A look at a live push, once a second: how far behind it is, and how many tags it has missed since the last look.
    fn looked(&self, lag: Duration, overtaken: u64);
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
}

/// Why a push's life was cut short from outside.
enum Cut {
    Stopped,
    StreamEnded,
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
        let mut backoff = Backoff::new(BackoffPolicy::reconnect(), self.id.0);
        let mut busy = Backoff::new(BackoffPolicy::name_in_use(), self.id.0);
        let mut fast_closes = 0;
        let repairs_before = self.stream.repairs();
        loop {
            let failure = match self.attempt(repairs_before).await {
                Ok(cut) => return cut,
                Err((failure, held)) => {
                    backoff.stable_for(held.unwrap_or_default());
                    busy.stable_for(held.unwrap_or_default());
                    count_fast_close(failure, held, &mut fast_closes)
                }
            };
            let wait = match failure.next() {
                Next::Never => None,
                Next::Backoff => Some(backoff.next()),
                Next::Busy if busy.is_exhausted() => None,
                Next::Busy => Some(busy.next()),
            };
            let reason = failure.reason(&self.status.url());
            let state = match wait {
                Some(_) => TargetState::BackingOff,
                None => TargetState::Failed,
            };
            self.status.left(state, reason);
            self.egress.watch.failed(&self.status, &failure, wait);
            let rest = async {
                match wait {
                    Some(wait) => sleep(wait).await,
                    None => std::future::pending().await,
                }
            };
            if let Some(cut) = self.unless_cut(rest).await.err() {
                return cut;
            }
        }
    }

    /// One attempt and, if it succeeds, all the media. The failure comes with how long the target had taken media.
    async fn attempt(&self, repairs_before: u64) -> Result<Cut, (Failure, Option<Duration>)> {
        if let Err(cut) = self.unless_cut(self.turn()).await {
            return Ok(cut);
        }
        self.status.connecting();
        let began = Instant::now();
        let chunk_size = self.options.chunk_size.unwrap_or(self.egress.chunk_size);
        let manner = Manner {
            chunk_size,
            enhanced: enhanced(&self.stream),
            depth: Depth::Publish,
        };
        let url = self.status.url();
        // Its room is given back before the push is live, which may be for days.
        let established = Box::pin(self.egress.reach.establish(&url, &manner, |_, _| {}));
        let established = match self.unless_cut(established).await {
            Ok(established) => established.map_err(|failure| (failure, None))?,
            Err(cut) => return Ok(cut),
        };
        self.status.live();
        self.egress.watch.live(&self.status, began.elapsed());
        let since = Instant::now();
        let pump = Pump::new(
            established,
            self.stream.consume(),
            &self.fanout,
            self.egress.tick,
            repairs_before,
            &self.status,
            &*self.egress.watch,
        );
        match pump.run(&self.stop).await {
            Over::StreamEnded => Ok(Cut::StreamEnded),
            Over::Stopped => Ok(Cut::Stopped),
            Over::Failed(failure) => Err((failure, Some(since.elapsed()))),
        }
    }

    /// Waits for something to send, and for this attempt's turn. A target that consents before there is media may not wait for it
    /// (Twitch closes after some 4 s), and what the stream's codecs are is only known then.
    async fn turn(&self) {
        self.stream.startable().await;
        self.egress.gate.pass().await;
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

/// Turns one fast close too many into an answer for good. Only a consent that held forgets those before it: an attempt that fails
/// on the way to it says nothing of what it is worth.
fn count_fast_close(failure: Failure, held: Option<Duration>, fast_closes: &mut u32) -> Failure {
    let Some(held) = held else {
        return failure;
    };
    if held >= FAST_CLOSE {
        *fast_closes = 0;
        return failure;
    }
    if !matches!(
        failure,
        Failure::Closed(_) | Failure::Io(_) | Failure::Ended(_)
    ) {
        return failure;
    }
    *fast_closes += 1;
    if *fast_closes < FAST_CLOSES_MAX {
        return failure;
    }
    Failure::FastCloses {
        times: *fast_closes,
        within: FAST_CLOSE,
        last: failure.to_string(),
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
