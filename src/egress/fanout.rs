//! The fan-out: all live targets of one stream, served on the producer's turn.

use super::composed::Composed;
use super::crowd::Crowd;
use super::line::{Line, Sent};
use super::push::Watch;
use super::transport::{Transport, Wire};
use crate::relay::{Fresh, Outflow, Stream};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Targets that are served, or looked at, before the runtime's other tasks get their turn: about a third of a millisecond.
pub const LINES_PER_TURN: usize = 32;

/// A stream's live targets.
pub struct Fanout<W = Transport> {
    members: Mutex<Members<W>>,
    watch: Arc<dyn Watch>,
}

/// Who is served, in turns of so many lines.
pub(super) struct Members<W> {
    pub(super) lines: Vec<Arc<Line<W>>>,
    /// How alike the lines of each turn were last time.
    crowds: Vec<Crowd>,
}

/// A line that the fan-out serves; it leaves when this is dropped.
pub struct Joined<W> {
    fanout: Arc<Fanout<W>>,
    line: Arc<Line<W>>,
}

impl<W: Wire> Fanout<W> {
    /// The fan-out of a stream, without targets. What the stream's producer delivers goes to it.
    pub fn of(stream: &Stream, watch: Arc<dyn Watch>) -> Arc<Self> {
        let fanout = Arc::new(Self {
            members: Mutex::new(Members {
                lines: Vec::new(),
                crowds: Vec::new(),
            }),
            watch,
        });
        stream.flow_to(Arc::clone(&fanout) as Arc<dyn Outflow>);
        fanout
    }

    /// A line is served from here on, whenever it leaves that to the fan-out.
    pub fn join(self: &Arc<Self>, line: Line<W>) -> Joined<W> {
        let line = Arc::new(line);
        self.lock().lines.push(Arc::clone(&line));
        Joined {
            fanout: Arc::clone(self),
            line,
        }
    }
}

impl<W> Fanout<W> {
    /// The members, while none joins or leaves.
    pub(super) fn lock(&self) -> MutexGuard<'_, Members<W>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Wire> Outflow for Fanout<W> {
    fn flow(&self, stream: &Stream, fresh: &Fresh, from: usize) -> Option<usize> {
        let mut members = self.lock();
        let Members { lines, crowds } = &mut *members;
        crowds.resize(lines.len().div_ceil(LINES_PER_TURN), Crowd::default());
        let mut strangers = Crowd::default();
        let crowd = (crowds.get_mut(from / LINES_PER_TURN)).unwrap_or(&mut strangers);
        // One that came or left meanwhile shifts the others. Who is left out so is a beat late, and who is asked twice has
        // nothing to send.
        let end = lines.len().min(from + LINES_PER_TURN);
        let turn = lines.get(from..end).unwrap_or_default();
        let sent = Composed::of(stream, fresh, crowd, |composed| serve(turn, composed));
        let next = (end < lines.len()).then_some(end);
        drop(members);
        if sent.writes > 0 {
            self.watch.sent(sent.bytes, sent.writes);
        }
        next
    }
}

impl<W> Joined<W> {
    /// The line itself.
    pub(super) fn line(&self) -> Arc<Line<W>> {
        Arc::clone(&self.line)
    }
}

/// It runs on the publisher's task, which a fault of one target's must not end.
fn serve<W: Wire>(lines: &[Arc<Line<W>>], composed: &mut Composed<'_>) -> Sent {
    let (mut sent, mut lines, mut served) = (Sent::default(), lines.iter(), None);
    loop {
        let all = catch_unwind(AssertUnwindSafe(|| {
            for line in lines.by_ref() {
                served = Some(line);
                sent += line.flow(composed);
            }
        }));
        match (all, served) {
            (Err(_), Some(line)) => line.break_off(),
            _ => return sent,
        }
    }
}

impl<W> Deref for Joined<W> {
    type Target = Line<W>;

    fn deref(&self) -> &Line<W> {
        &self.line
    }
}

impl<W> Drop for Joined<W> {
    fn drop(&mut self) {
        let mut members = self.fanout.lock();
        members.lines.retain(|line| !Arc::ptr_eq(line, &self.line));
    }
}
