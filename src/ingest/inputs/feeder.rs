//! Runs the inputs that somebody has wished for, and decides which one of a stream is on the air.

use super::board::Board;
use super::fault::Fault;
use super::files::Shelf;
use super::names::Names;
use super::referee::{Referee, SwitchTerms};
use super::run::{Means, Order, run};
use super::status::{Happening, InputNotice, InputState, Interruption, Standing};
use super::{Feeding, NOTICES_MAX};
use crate::ingest::Watch;
use crate::net::outbound::Outbound;
use crate::relay::{Hub, InputSight, Shards, Stream};
use crate::rule::{Input, Role, Source, StreamKey};
use crate::telemetry::events::InputSwitched;
use arc_swap::ArcSwap;
use futures::FutureExt;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// How often a stream's inputs are looked at: a stall is noticed so much later than it could be at the most.
const LOOK: Duration = Duration::from_millis(100);

/// The pause after a fault of the gateway's own.
const AFTER_PANIC: Duration = Duration::from_secs(30);

/// What may change while the gateway runs.
#[derive(Clone, Debug, Default)]
pub struct FeedTerms {
    /// When a stream changes its input by itself.
    pub switch: SwitchTerms,
    /// The directories that files on the disk may be in.
    pub directories: Vec<PathBuf>,
}

/// Runs inputs.
pub struct Feeder {
    means: Arc<Means>,
    shards: Arc<Shards>,
    names: Arc<Names>,
    terms: Arc<ArcSwap<FeedTerms>>,
    notices: broadcast::Sender<InputNotice>,
    streams: Mutex<HashMap<StreamKey, Fed>>,
    began: Instant,
    me: Weak<Self>,
}

/// One stream's inputs.
struct Fed {
    main: Option<Run>,
    backup: Option<Run>,
    referee: Referee,
    /// The input that the stream's name is kept for in the hub.
    kept_for: Option<Role>,
    /// The input that was on the air last, as it was told.
    current: Option<Role>,
    /// Whether it was told that nothing is left.
    is_over: bool,
    /// Ends the look-out.
    _lookout: DropCancel,
}

/// One input that was started.
struct Run {
    board: Arc<Board>,
    is_push: bool,
    order: watch::Sender<Order>,
}

struct DropCancel(CancellationToken);

impl Drop for DropCancel {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Feeder {
    /// A feeder of the hub's streams, each on a shard of its own. `watch` is told what comes; what comes within `pace` is given on in
    /// one turn.
    pub fn new(
        hub: Arc<Hub>,
        shards: Arc<Shards>,
        outbound: Outbound,
        names: Arc<Names>,
        watch: Arc<dyn Watch>,
        pace: Duration,
        terms: FeedTerms,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            means: Arc::new(Means {
                hub,
                outbound,
                watch,
                pace,
            }),
            shards,
            names,
            terms: Arc::new(ArcSwap::from_pointee(terms)),
            notices: broadcast::channel(NOTICES_MAX).0,
            streams: Mutex::default(),
            began: Instant::now(),
            me: me.clone(),
        })
    }

    /// Changes what holds from now on; files that are open stay so.
    pub fn set_terms(&self, terms: FeedTerms) {
        self.terms.store(Arc::new(terms));
    }

    /// Ends all inputs, with their streams: for the end of the process.
    pub fn drain(&self) {
        for (_, fed) in self.streams().drain() {
            for run in [fed.main, fed.backup].into_iter().flatten() {
                run.order.send_replace(Order::Drain);
            }
        }
    }

    fn fetch(&self, input: &Arc<Input>, board: &Arc<Board>, order: watch::Receiver<Order>) {
        let shard = self.shards.pick();
        let terms = self.terms.load();
        let shelf = Shelf {
            outbound: self.means.outbound.clone(),
            directories: Arc::new(terms.directories.clone()),
        };
        let (input, means, board) = (
            Arc::clone(input),
            Arc::clone(&self.means),
            Arc::clone(board),
        );
        shard.handle.spawn(async move {
            loop {
                let life = run(
                    Arc::clone(&input),
                    Arc::clone(&means),
                    shelf.clone(),
                    Arc::clone(&board),
                    order.clone(),
                );
                if AssertUnwindSafe(life).catch_unwind().await.is_ok() {
                    return;
                }
                let fault = Fault::Panicked;
                board.failed(fault.interruption(), fault.to_string(), false);
                sleep(AFTER_PANIC).await;
                if *order.borrow() != Order::Run {
                    return;
                }
            }
        });
    }

    /// Looks at a stream's inputs again and again, until its last one is stopped.
    fn look_out(&self, stream: &StreamKey) -> DropCancel {
        let stop = CancellationToken::new();
        let (stopped, me, stream) = (stop.clone(), self.me.clone(), stream.clone());
        self.shards.pick().handle.spawn(async move {
            while !stopped.is_cancelled() {
                match me.upgrade() {
                    Some(feeder) => feeder.look(&stream),
                    None => return,
                }
                tokio::select! {
                    () = stopped.cancelled() => return,
                    () = sleep(LOOK) => {}
                }
            }
        });
        DropCancel(stop)
    }

    fn look(&self, key: &StreamKey) {
        let now = self.began.elapsed();
        let stream = self.means.hub.find(key);
        let sights = stream
            .as_ref()
            .map(|stream| stream.sights())
            .unwrap_or_default();
        let terms = self.terms.load();
        let mut streams = self.streams();
        let Some(fed) = streams.get_mut(key) else {
            return;
        };
        fed.see_publishers(&sights);
        let preferred = fed.referee.preferred();
        let on_air = stream.as_ref().map_or(preferred, |stream| stream.on_air());
        let is_coming = (fed.at(preferred).as_ref()).is_some_and(|run| run.board.is_coming());
        let ruling = (fed.referee).judge(on_air, &sights, is_coming, &terms.switch, now);
        self.keep(key, fed, ruling.kept_for);
        if let Some(stream) = &stream {
            let is_begun = sights
                .iter()
                .any(|sight| sight.role == on_air && sight.is_ready);
            if is_begun && fed.current != Some(on_air) {
                if fed.current.is_some() {
                    let (stream, to) = (key, on_air);
                    InputSwitched { stream, to }.emit();
                }
                fed.current = Some(on_air);
                self.tell(key, Happening::Current { role: on_air });
            }
            stream.call(ruling.call);
            if let Some(run) = ruling.stalled.and_then(|role| fed.at(role).as_ref()) {
                run.board.interrupted(Interruption::Stalled);
            }
        }
        let is_over = fed.is_over();
        if is_over && !fed.is_over {
            self.tell(key, Happening::AllEnded);
        }
        fed.is_over = is_over;
    }

    /// Has a stream that is not there yet begin with this input.
    fn keep(&self, key: &StreamKey, fed: &mut Fed, first: Option<Role>) {
        if fed.kept_for != first {
            fed.kept_for = first;
            self.means.hub.reserve(key, first);
        }
    }

    fn tell(&self, stream: &StreamKey, what: Happening) {
        // Nobody may be listening.
        let _ = self.notices.send(InputNotice {
            stream: stream.clone(),
            what,
        });
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<StreamKey, Fed>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self, stream: &StreamKey) -> Option<Arc<Stream>> {
        self.means.hub.find(stream)
    }
}

impl Feeding for Feeder {
    fn start(&self, input: &Arc<Input>) {
        let (stream, role) = (&input.stream, input.role);
        let push = match &input.source {
            Source::Push(push) => Some(push),
            Source::Pull(_) | Source::Files(_) => None,
        };
        let (order, told) = watch::channel(Order::Run);
        let state = match push {
            Some(_) => InputState::Waiting,
            None => InputState::Connecting,
        };
        let board = Board::new(stream.clone(), role, state, self.notices.clone());
        self.names.begin(stream, role, push, &board.bytes);
        let run = Run {
            board: Arc::new(board),
            is_push: push.is_some(),
            order,
        };
        let now = self.began.elapsed();
        let mut streams = self.streams();
        let fed = streams.entry(stream.clone()).or_insert_with(|| Fed {
            main: None,
            backup: None,
            referee: Referee::new(Role::Main, now),
            kept_for: None,
            current: None,
            is_over: false,
            _lookout: self.look_out(stream),
        });
        fed.is_over = false;
        fed.referee.started(role, now);
        if role == fed.referee.preferred() {
            self.keep(stream, fed, Some(role));
        }
        let board = Arc::clone(&run.board);
        if let Some(before) = fed.at_mut(role).replace(run) {
            before.order.send_replace(Order::Yield);
        }
        drop(streams);
        if push.is_none() {
            self.fetch(input, &board, told);
        }
    }

    fn stop(&self, stream: &StreamKey, role: Role) {
        self.names.end(stream, role);
        let mut streams = self.streams();
        let Some(fed) = streams.get_mut(stream) else {
            return;
        };
        let run = fed.at_mut(role).take();
        fed.referee.stopped(role);
        if fed.main.is_none() && fed.backup.is_none() {
            self.keep(stream, fed, None);
            streams.remove(stream);
        }
        drop(streams);
        let Some(run) = run else { return };
        run.order.send_replace(Order::End);
        // Its publisher goes, and who is waited for is not any longer.
        if let Some(live) = self.live(stream) {
            live.dismiss(role);
        }
    }

    fn prefer(&self, stream: &StreamKey, role: Role) {
        if let Some(fed) = self.streams().get_mut(stream) {
            fed.referee.prefer(role);
            // What is kept is kept for this one now, if it is there.
            let is_there = fed.at(role).is_some();
            let first = fed.kept_for.and(is_there.then_some(role));
            self.keep(stream, fed, first);
        }
    }

    fn current(&self, stream: &StreamKey) -> Option<Role> {
        self.streams().get(stream)?.current
    }

    fn standing(&self, stream: &StreamKey, role: Role) -> Option<Standing> {
        let board = Arc::clone(&self.streams().get(stream)?.at(role).as_ref()?.board);
        let is_on_air = self.live(stream).is_some_and(|live| live.on_air() == role);
        Some(board.standing(is_on_air))
    }

    fn notices(&self) -> broadcast::Receiver<InputNotice> {
        self.notices.subscribe()
    }
}

impl Fed {
    fn at(&self, role: Role) -> &Option<Run> {
        match role {
            Role::Main => &self.main,
            Role::Backup => &self.backup,
        }
    }

    fn at_mut(&mut self, role: Role) -> &mut Option<Run> {
        match role {
            Role::Main => &mut self.main,
            Role::Backup => &mut self.backup,
        }
    }

    /// Publishers write no board of their own.
    fn see_publishers(&self, sights: &[InputSight]) {
        for role in Role::BOTH {
            let Some(run) = self.at(role).as_ref().filter(|run| run.is_push) else {
                continue;
            };
            let sight = sights.iter().find(|sight| sight.role == role);
            let (is_fed, was_fed) = (sight.is_some(), run.board.state().is_fed());
            match is_fed {
                true if sight.is_some_and(|sight| sight.silent_for.is_some()) => run.board.fed(),
                false if was_fed => run.board.waiting(true),
                _ => {}
            }
        }
    }

    /// Whether every input that was started has ended or failed for good.
    fn is_over(&self) -> bool {
        let mut runs = [&self.main, &self.backup].into_iter().flatten();
        runs.all(|run| matches!(run.board.state(), InputState::Ended | InputState::Failed))
    }
}
