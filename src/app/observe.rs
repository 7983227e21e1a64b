//! Tells the log, the metrics and the feed what publishers, streams and pushes do.

use crate::egress::failure::Failure;
use crate::egress::status::{PushStatus, TargetState};
use crate::egress::{self, Board};
use crate::ingest::inputs::Interruption;
use crate::ingest::{self, Asked, Ended, NotPublished, Publisher, Received, Refused};
use crate::media::MediaKind;
use crate::net::dial::DialClass;
use crate::relay::status::Losses;
use crate::relay::{
    self, Arrival, ClaimRefused, End, Hub, LeftOut, Mode, Presence, Recycle, Stream,
};
use crate::rtmp::session::Action;
use crate::rule::{Role, StreamKey, TargetUrl};
use crate::telemetry::events::{
    ConnectionRejected, PublishEnded, PublishRefused, PublishStarted, PublisherAwaited,
    PublisherGivenUp, Push, RulesWait, StreamEnded, TargetBackingOff, TargetCaughtUp,
    TargetConnecting, TargetFailed, TargetLive, TargetRecycled, TargetSlow, TargetStopped,
    TargetSwitched,
};
use crate::telemetry::feed::PublishStart;
use crate::telemetry::labels::{
    DropReason, PublishEnd, PublishRefusal, Rejection, RepairKind, Setback, StreamEnd,
};
use crate::telemetry::{Metrics, Snapshot, TargetSample};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The watch over publishers and pushes.
pub(super) struct Observer {
    metrics: Arc<Metrics>,
}

impl Observer {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics }
    }
}

impl ingest::Watch for Observer {
    fn publish_started(&self, publisher: Publisher<'_>, client: &str, how: Arrival) {
        PublishStarted {
            stream: publisher.stream,
            peer: publisher.peer,
            input: publisher.input,
            client,
            how: match how {
                Arrival::New => PublishStart::New,
                Arrival::Takeover => PublishStart::Takeover,
                Arrival::Return => PublishStart::Return,
                Arrival::Beside => PublishStart::Beside,
            },
        }
        .emit(&self.metrics);
    }

    fn publish_ended(&self, publisher: Publisher<'_>, why: &Ended, bytes: u64, lasted: Duration) {
        let reason = match why {
            Ended::Unpublished => PublishEnd::Unpublished,
            Ended::TakenOver => PublishEnd::TakenOver,
            Ended::Kicked => PublishEnd::Kicked,
            Ended::ShuttingDown => PublishEnd::Draining,
            Ended::Closed => PublishEnd::Closed,
            Ended::Idle | Ended::NoMedia => PublishEnd::Idle,
            Ended::Flood | Ended::Deaf | Ended::Erratic | Ended::Protocol(_) => {
                PublishEnd::Protocol
            }
            Ended::Io(_) => PublishEnd::Lost,
            Ended::Fetched(fault) => match fault.interruption() {
                Interruption::Stalled => PublishEnd::Idle,
                Interruption::Garbage => PublishEnd::Protocol,
                Interruption::Lost => PublishEnd::Lost,
            },
        };
        PublishEnded {
            stream: publisher.stream,
            peer: publisher.peer,
            input: publisher.input,
            reason,
            detail: Some(why),
            bytes,
            lasted,
        }
        .emit(&self.metrics);
    }

    fn not_published(&self, peer: SocketAddr, why: &NotPublished, asked: Option<&Asked>) {
        if let (Some(asked), Some(reason)) = (asked, refusal(why)) {
            PublishRefused {
                app: &asked.app,
                name: asked.name.expose(),
                peer,
                reason,
                detail: match why {
                    NotPublished::Refused(Refused::Hook(why) | Refused::HookDown(why)) => Some(why),
                    _ => None,
                },
            }
            .emit(&self.metrics);
            return;
        }
        let reason = match why {
            // Whoever connects and leaves is a port scan or a probe, and no event.
            NotPublished::Closed => return,
            NotPublished::TooSlow(..) => Rejection::Timeout,
            NotPublished::Io(error) if is_tls(error) => Rejection::Tls,
            _ => Rejection::Protocol,
        };
        ConnectionRejected {
            peer,
            reason,
            detail: why,
        }
        .emit(&self.metrics);
    }

    fn received(&self, received: &Received) {
        let metrics = &self.metrics;
        metrics.ingest_bytes.increment(received.bytes as u64);
        for (kind, count) in [
            (MediaKind::Video, received.video),
            (MediaKind::Audio, received.audio),
            (MediaKind::Data, received.data),
        ] {
            add(count, |count| metrics.tags.add(kind, count));
        }
        if let Some(losses) = &received.losses {
            self.lost(losses);
        }
    }
}

impl Observer {
    /// Tags were left out, or stamps repaired, as in few beats.
    #[cold]
    fn lost(&self, Losses { drops, repairs }: &Losses) {
        let metrics = &self.metrics;
        for kind in RepairKind::ALL {
            add(repairs.of(kind), |count| {
                metrics.timestamp_repairs.add(kind, count);
            });
        }
        for (reason, count) in [
            (DropReason::BeforeKeyframe, drops.before_keyframe),
            (DropReason::NoHeader, drops.no_header),
            (DropReason::HeadersFull, drops.headers_full),
            (DropReason::Malformed, drops.malformed),
        ] {
            add(count, |count| metrics.tags_dropped.add(reason, count));
        }
    }
}

impl relay::Watch for Observer {
    fn awaited(&self, stream: &StreamKey, time: Duration) {
        PublisherAwaited { stream, time }.emit(&self.metrics);
    }

    fn given_up(&self, stream: &StreamKey, waited: Duration) {
        PublisherGivenUp { stream, waited }.emit();
    }

    fn ended(&self, stream: &StreamKey, end: End) {
        let reason = match end {
            End::Clean => StreamEnd::Finished,
            End::Lost => StreamEnd::Lost,
        };
        StreamEnded { stream, reason }.emit(&self.metrics);
    }
}

impl egress::Watch for Observer {
    fn connecting(&self, push: &PushStatus) {
        TargetConnecting {
            push: named(push, &push.url()),
        }
        .emit(&self.metrics);
    }

    fn live(&self, push: &PushStatus, took: Duration) {
        TargetLive {
            push: named(push, &push.url()),
            took,
        }
        .emit(&self.metrics);
    }

    fn failed(&self, push: &PushStatus, failure: &Failure, wait: Option<Duration>) {
        let (reason, detail) = (setback(failure), failure);
        let url = push.url();
        let push = named(push, &url);
        if let Failure::Recycled(_) = failure {
            return TargetRecycled {
                push,
                reason,
                detail,
            }
            .emit(&self.metrics);
        }
        match wait {
            Some(retry_in) => TargetBackingOff {
                push,
                reason,
                detail,
                retry_in,
            }
            .emit(&self.metrics),
            None => TargetFailed {
                push,
                reason,
                detail,
            }
            .emit(&self.metrics),
        }
    }

    fn switched(&self, push: &PushStatus) {
        TargetSwitched {
            push: named(push, &push.url()),
            to: push.role().unwrap_or(Role::Main),
        }
        .emit(&self.metrics);
    }

    fn ended(&self, push: &PushStatus) {
        TargetStopped {
            push: named(push, &push.url()),
            bytes: push.figures.bytes.load(Ordering::Relaxed),
        }
        .emit(&self.metrics);
    }

    fn stumbled(&self, rest: Duration) {
        RulesWait { rest }.emit(&self.metrics);
    }

    fn sent(&self, bytes: usize, _writes: u32) {
        self.metrics.egress_bytes.increment(bytes as u64);
    }

    fn slow(&self, push: &PushStatus, mode: Mode, lag: Duration) {
        TargetSlow {
            push: named(push, &push.url()),
            left_out: match mode {
                Mode::All | Mode::NoDisposable => DropReason::Disposable,
                Mode::AudioUntilKeyframe => DropReason::UntilKeyframe,
            },
            lag,
        }
        .emit(&self.metrics);
    }

    fn caught_up(&self, push: &PushStatus) {
        TargetCaughtUp {
            push: named(push, &push.url()),
        }
        .emit(&self.metrics);
    }

    fn looked(&self, lag: Duration, left_out: LeftOut) {
        self.metrics.egress_lag.record(lag.as_secs_f64());
        for (reason, count) in [
            (DropReason::Disposable, left_out.disposable),
            (DropReason::UntilKeyframe, left_out.until_keyframe),
            (DropReason::Overtaken, left_out.overtaken),
        ] {
            add(count, |count| self.metrics.tags_dropped.add(reason, count));
        }
    }
}

/// What runs at this moment, for the metrics.
pub(super) fn snapshot(hub: &Hub, board: &Board) -> Snapshot<TargetState> {
    let live = hub.live();
    Snapshot {
        streams: live.len() as u64,
        streams_in_grace: live.iter().filter(|stream| is_in_grace(stream)).count() as u64,
        ring_bytes: live
            .iter()
            .map(|stream| stream.snapshot().ring_bytes as u64)
            .sum(),
        targets: board
            .pushes()
            .into_iter()
            .map(|(id, push)| {
                let state = push.phase().state;
                TargetSample {
                    push: Some(id.0),
                    rule: push.rule.clone(),
                    state,
                    up: state == TargetState::Live,
                    bytes: push.figures.bytes.load(Ordering::Relaxed),
                }
            })
            .collect(),
    }
}

fn is_in_grace(stream: &Stream) -> bool {
    stream.hold().borrow().presence == Presence::Away
}

fn named<'a>(push: &'a PushStatus, url: &'a TargetUrl) -> Push<'a> {
    Push {
        rule: &push.rule,
        stream: &push.stream,
        url,
        attempt: push.phase().attempt,
    }
}

fn refusal(why: &NotPublished) -> Option<PublishRefusal> {
    Some(match why {
        NotPublished::Refused(Refused::UnknownApp) => PublishRefusal::App,
        NotPublished::Refused(Refused::WrongKey | Refused::Expired) => PublishRefusal::Auth,
        NotPublished::Refused(Refused::Hook(_)) => PublishRefusal::Hook,
        NotPublished::Refused(Refused::HookDown(_)) => PublishRefusal::HookDown,
        NotPublished::Refused(Refused::TooOften) => PublishRefusal::TooOften,
        NotPublished::Refused(Refused::BadName) => PublishRefusal::Name,
        NotPublished::Claim(ClaimRefused::Busy | ClaimRefused::Awaited) => PublishRefusal::Busy,
        NotPublished::Claim(ClaimRefused::Forbidden | ClaimRefused::Kicked) => {
            PublishRefusal::Barred
        }
        NotPublished::Claim(ClaimRefused::Full) => PublishRefusal::Full,
        NotPublished::Push(_) => PublishRefusal::Auth,
        NotPublished::ShuttingDown => PublishRefusal::Draining,
        _ => return None,
    })
}

fn setback(failure: &Failure) -> Setback {
    match failure {
        Failure::Dial(error) => match error.class() {
            DialClass::Dns => Setback::Dns,
            DialClass::Denied => Setback::Denied,
            DialClass::OwnListener => Setback::OwnListener,
            DialClass::Refused => Setback::Refused,
            DialClass::Unreachable => Setback::Unreachable,
            DialClass::Timeout => Setback::Timeout,
            DialClass::Other => Setback::Reset,
        },
        Failure::Tls(_) => Setback::Tls,
        Failure::Handshake(_) | Failure::Protocol(_) => Setback::Protocol,
        Failure::TooSlow { .. } => Setback::Timeout,
        Failure::Refused(refused) if refused.action == Action::RetryBusy => Setback::BadName,
        Failure::Refused(_) | Failure::FastCloses { .. } => Setback::Rejected,
        Failure::Redirects | Failure::BadRedirect => Setback::Redirect,
        Failure::NoCredentials | Failure::AuthRounds => Setback::Auth,
        Failure::Ended(_) => Setback::Ended,
        Failure::Closed(_) => Setback::Closed,
        Failure::Stalled(_) | Failure::Stalls { .. } => Setback::Stalled,
        Failure::Recycled(Recycle::Codec) => Setback::Codec,
        Failure::Recycled(Recycle::Clock) => Setback::Clock,
        Failure::Io(_) => Setback::Reset,
        Failure::Panicked => Setback::Internal,
    }
}

/// Rustls wraps its own errors, and nobody else does.
fn is_tls(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
}

/// Most counts of a beat are 0, and cost nothing then.
fn add(count: u64, count_it: impl FnOnce(u64)) {
    if count > 0 {
        count_it(count);
    }
}
