//! The supervisor: the only one who starts and stops pushes. It compares what the rules wish with what runs whenever either
//! changes, and carries out the steps of the plan.
//!
//! A panic of a turn costs that turn: what runs goes on, and the next turn compares anew
//! (docs/decisions/2026-11-26-supervisor-that-panics.md).

use super::board::Board;
use super::fanout::Fanout;
use super::looks::look_after;
use super::plan::{Planner, PushId, PushOptions, Running, Step, plan};
use super::push::{Egress, Push};
use super::status::{PushStatus, TargetState};
use crate::backoff::{Backoff, BackoffPolicy};
use crate::relay::{Hub, Stream, StreamId};
use crate::rule::{Role, RuleSet, TargetUrl};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// How long the supervisor sleeps at the most when no rule ends by itself.
const IDLE: Duration = Duration::from_secs(3600);

/// Starts and stops pushes.
pub struct Supervisor {
    hub: Arc<Hub>,
    rules: watch::Receiver<RuleSet>,
    egress: Arc<Egress>,
    board: Arc<Board>,
    planner: Planner,
    pushes: BTreeMap<PushId, Entry>,
    /// One for each stream that has, or had, a push while it is live.
    fanouts: BTreeMap<StreamId, Arc<Fanout>>,
    next_id: u64,
    ended: (
        mpsc::UnboundedSender<PushId>,
        mpsc::UnboundedReceiver<PushId>,
    ),
}

struct Entry {
    running: Running,
    status: Arc<PushStatus>,
    stop: CancellationToken,
    task: AbortHandle,
}

/// Says that a push is over when it is dropped, also where its task panicked.
struct Farewell {
    push: PushId,
    ended: mpsc::UnboundedSender<PushId>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        // A supervisor that is gone does not need to know.
        let _ = self.ended.send(self.push);
    }
}

impl Supervisor {
    /// A supervisor with nothing running. Each push sends one word when it ends, so that queue is as long as there are pushes.
    pub fn new(
        hub: Arc<Hub>,
        rules: watch::Receiver<RuleSet>,
        egress: Arc<Egress>,
        board: Arc<Board>,
    ) -> Self {
        Self {
            hub,
            rules,
            egress,
            board,
            planner: plan,
            pushes: BTreeMap::new(),
            fanouts: BTreeMap::new(),
            next_id: 0,
            ended: mpsc::unbounded_channel(),
        }
    }

    /// Has another function than [`plan`] say what has to be done: one with a fault, to see what that costs.
    pub fn with_planner(mut self, planner: Planner) -> Self {
        self.planner = planner;
        self
    }

    /// Supervises until `drain`; then waits for the pushes to end with their streams, and ends what is left after `deadline`.
    pub async fn run(mut self, drain: CancellationToken, deadline: Duration) {
        let mut streams = self.hub.changes();
        let mut rests = Backoff::new(BackoffPolicy::reconnect(), 0);
        loop {
            // Marked as seen before they are read: what changes meanwhile wakes us again.
            streams.mark_unchanged();
            self.rules.mark_unchanged();
            let turn = catch_unwind(AssertUnwindSafe(|| self.turn()));
            let flow = match turn {
                Ok(until_next) => {
                    rests.reset();
                    self.until_something_changes(&drain, &mut streams, until_next)
                        .await
                }
                Err(_) => {
                    let rest = rests.next();
                    self.egress.watch.stumbled(rest);
                    self.rest(&drain, rest).await
                }
            };
            if flow.is_break() {
                break;
            }
        }
        self.wind_down(deadline).await;
    }

    /// Does what has to be done now; how long until a rule ends by itself.
    fn turn(&mut self) -> Duration {
        self.carry_out();
        let now = OffsetDateTime::now_utc();
        self.rules
            .borrow()
            .next_end(now)
            .and_then(|at| Duration::try_from(at - now).ok())
            .unwrap_or(IDLE)
            .min(IDLE)
    }

    async fn until_something_changes(
        &mut self,
        drain: &CancellationToken,
        streams: &mut watch::Receiver<u64>,
        until_next: Duration,
    ) -> ControlFlow<()> {
        tokio::select! {
            () = drain.cancelled() => return ControlFlow::Break(()),
            Some(push) = self.ended.1.recv() => self.forget(push),
            () = self.board.switched() => {}
            changed = streams.changed() => if changed.is_err() { return ControlFlow::Break(()) },
            changed = self.rules.changed() => if changed.is_err() { return ControlFlow::Break(()) },
            () = sleep(until_next) => {}
        }
        ControlFlow::Continue(())
    }

    /// After a turn that panicked: what changes meanwhile has to wait, or a fault that every turn has would be all that the gateway does.
    async fn rest(&mut self, drain: &CancellationToken, rest: Duration) -> ControlFlow<()> {
        let over = Instant::now() + rest;
        loop {
            tokio::select! {
                () = drain.cancelled() => return ControlFlow::Break(()),
                Some(push) = self.ended.1.recv() => self.forget(push),
                () = sleep_until(over) => return ControlFlow::Continue(()),
            }
        }
    }

    fn carry_out(&mut self) {
        let live = self.hub.live();
        // Asked before the pushes are: whoever switches from here on makes the plan an old one.
        let switches = self.board.switches();
        let names: Vec<_> = live
            .iter()
            .map(|stream| (stream.id(), stream.key().clone()))
            .collect();
        self.fanouts
            .retain(|id, _| live.iter().any(|stream| stream.id() == *id));
        let running: Vec<_> = self
            .pushes
            .values()
            .map(|entry| Running {
                role: entry.status.role().unwrap_or(Role::Main),
                ..entry.running.clone()
            })
            .collect();
        let steps = (self.planner)(
            &self.rules.borrow(),
            &names,
            &running,
            OffsetDateTime::now_utc(),
        );
        for step in steps {
            match step {
                Step::Stop(push) => self.stop(push),
                Step::Readdress { push, url, backup } => self.readdress(push, url, backup),
                Step::Start {
                    rule,
                    stream,
                    url,
                    backup,
                    ..
                } => {
                    let Some(stream) = live.iter().find(|live| live.id() == stream) else {
                        continue;
                    };
                    let options = PushOptions::of(&rule);
                    let running = Running {
                        push: self.next(),
                        rule: rule.id.clone(),
                        options,
                        stream: stream.id(),
                        key: stream.key().clone(),
                        url,
                        backup,
                        role: Role::Main,
                        stopping: false,
                    };
                    self.start(running, stream, switches);
                }
            }
        }
    }

    fn start(&mut self, running: Running, stream: &Arc<Stream>, switches: u64) {
        let status = PushStatus::new(
            running.rule.clone(),
            running.key.clone(),
            running.url.clone(),
        );
        let status = Arc::new(status.with_backup(running.backup.clone()));
        let stop = CancellationToken::new();
        let fanout = self.fanouts.entry(stream.id()).or_insert_with(|| {
            let watch = Arc::clone(&self.egress.watch);
            let fanout = Fanout::of(stream, watch);
            let looker = self.egress.beats.at(stream.home()).look_after();
            (stream.home()).spawn(look_after(Arc::downgrade(&fanout), looker));
            fanout
        });
        // A push that has switched since may be at this very URL. There is another plan at once.
        if !self.board.add(running.push, Arc::clone(&status), switches) {
            return;
        }
        let push = Push {
            id: running.push,
            options: running.options,
            stream: Arc::clone(stream),
            fanout: Arc::clone(fanout),
            status: Arc::clone(&status),
            stop: stop.clone(),
            egress: Arc::clone(&self.egress),
            board: Arc::clone(&self.board),
        };
        let farewell = Farewell {
            push: running.push,
            ended: self.ended.0.clone(),
        };
        let task = stream.home().spawn(async move {
            let _farewell = farewell;
            push.run().await;
        });
        let entry = Entry {
            status,
            stop,
            task: task.abort_handle(),
            running,
        };
        self.pushes.insert(entry.running.push, entry);
    }

    fn stop(&mut self, push: PushId) {
        if let Some(entry) = self.pushes.get_mut(&push) {
            entry.running.stopping = true;
            entry.stop.cancel();
        }
    }

    /// A push that waits, or has given up, is started anew at once; one that is under way takes the new URLs next time.
    fn readdress(&mut self, push: PushId, url: TargetUrl, backup: Option<TargetUrl>) {
        let Some(entry) = self.pushes.get_mut(&push) else {
            return;
        };
        let state = entry.status.phase().state;
        let is_under_way = matches!(state, TargetState::Connecting | TargetState::Live);
        if !is_under_way || !self.board.readdress(push, url.clone(), backup.clone()) {
            self.stop(push);
            return;
        }
        entry.running.url = url;
        entry.running.backup = backup;
    }

    fn forget(&mut self, push: PushId) {
        self.pushes.remove(&push);
        self.board.remove(push);
    }

    fn next(&mut self) -> PushId {
        self.next_id += 1;
        PushId(self.next_id)
    }

    async fn wind_down(mut self, deadline: Duration) {
        let all_ended = async {
            while !self.pushes.is_empty() {
                match self.ended.1.recv().await {
                    Some(push) => {
                        self.pushes.remove(&push);
                        self.board.remove(push);
                    }
                    None => return,
                }
            }
        };
        let in_time = tokio::time::timeout(deadline, all_ended).await.is_ok();
        if !in_time {
            for entry in self.pushes.values() {
                entry.task.abort();
            }
        }
    }
}
