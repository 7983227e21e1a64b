//! Looks: all live targets of a stream are looked at once a second, one behind the other, and those that are behind more often.
//!
//! One task does that for a stream, whether its publisher delivers or not. A target's own task is woken only where a look finds
//! something for it to do: what most looks find is that all is well.

use super::fanout::{Fanout, LINES_PER_TURN};
use super::line::Line;
use super::transport::Wire;
use crate::relay::Looker;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

/// From one look at a target that is behind to the next: what it is given follows from how far it is.
const CLOSE_LOOK: Duration = Duration::from_millis(200);

/// Looks after a stream's live targets for as long as their fan-out is there, at the beats of `looker`.
pub(super) async fn look_after<W: Wire>(fanout: Weak<Fanout<W>>, looker: Looker) {
    let mut behind = Vec::new();
    loop {
        tokio::select! {
            biased;
            () = looker.next() => {
                let Some(fanout) = fanout.upgrade() else {
                    return;
                };
                behind = look_at_all(&fanout).await;
            }
            () = sleep(CLOSE_LOOK), if !behind.is_empty() => behind.retain(is_still_behind),
        }
    }
}

/// Looks at all; gives those that are behind.
async fn look_at_all<W: Wire>(fanout: &Fanout<W>) -> Vec<Weak<Line<W>>> {
    let (mut behind, mut from) = (Vec::new(), 0);
    loop {
        {
            let members = fanout.lock();
            let lines = &members.lines;
            let end = lines.len().min(from + LINES_PER_TURN);
            let now = Instant::now();
            // One that leaves meanwhile shifts the others: who is left out so is looked at in the next second.
            for line in lines.get(from..end).unwrap_or_default() {
                if unless_at_fault(line, |line| line.look(now)) {
                    behind.push(Arc::downgrade(line));
                }
            }
            if end == lines.len() {
                return behind;
            }
            from = end;
        }
        yield_now().await;
    }
}

fn is_still_behind<W: Wire>(line: &Weak<Line<W>>) -> bool {
    let look = |line: &Line<W>| line.look_closely(Instant::now());
    line.upgrade()
        .is_some_and(|line| unless_at_fault(&line, look))
}

/// A fault of one target's ends that one alone.
fn unless_at_fault<W: Wire>(line: &Line<W>, look: impl FnOnce(&Line<W>) -> bool) -> bool {
    let looked = catch_unwind(AssertUnwindSafe(|| look(line)));
    looked.unwrap_or_else(|_| {
        line.break_off();
        false
    })
}
