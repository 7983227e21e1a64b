//! The start gate: a thousand rules after a restart are no storm of connects.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// What the bound is counted over.
const SECOND: Duration = Duration::from_secs(1);

/// Lets attempts pass at a bounded rate, all pushes together, in the order in which they come: evenly spread, and never more
/// than the bound within a second, wherever that second begins.
#[derive(Debug)]
pub struct StartGate {
    /// Whoever waits for its turn holds the lock, and the others stand behind it in line; one that leaves the line gives up its
    /// place, so that pushes which end while they wait hold up nobody.
    line: Mutex<Line>,
}

/// Who has passed, and when the next one may. A value: time is an argument.
#[derive(Debug)]
struct Line {
    per_second: u32,
    /// When the next attempt may pass at an even pace.
    paced: Option<Instant>,
    /// The last passes, as many as one second may have. Whoever wakes late for its turn shortens the way to the next one, so
    /// that the pace alone would let one too many through.
    passed: VecDeque<Instant>,
}

impl StartGate {
    /// A gate for so many attempts a second; 0 means no bound.
    pub fn new(starts_per_second: u32) -> Self {
        Self {
            line: Mutex::new(Line {
                per_second: starts_per_second,
                paced: None,
                passed: VecDeque::new(),
            }),
        }
    }

    /// Waits for this attempt's turn. The first of a quiet time passes at once.
    pub async fn pass(&self) {
        let mut line = self.line.lock().await;
        let turn = line.turn(Instant::now());
        if turn > Instant::now() {
            sleep_until(turn).await;
        }
        line.pass(turn, Instant::now());
    }

    /// Passes if nobody waits and there is a turn to be had at once: for what can as well be done later.
    pub fn try_pass(&self) -> bool {
        let Ok(mut line) = self.line.try_lock() else {
            return false;
        };
        let now = Instant::now();
        let turn = line.turn(now);
        if turn > now {
            return false;
        }
        line.pass(turn, now);
        true
    }
}

impl Line {
    /// When the next attempt may pass, at the earliest.
    fn turn(&self, now: Instant) -> Instant {
        let is_full = self.passed.len() >= self.per_second as usize;
        let bound = self.passed.front().filter(|_| is_full);
        let bound = bound.map(|&oldest| oldest + SECOND);
        now.max(self.paced.unwrap_or(now)).max(bound.unwrap_or(now))
    }

    /// An attempt whose turn was then passes now.
    fn pass(&mut self, turn: Instant, now: Instant) {
        let Some(pace) = SECOND.checked_div(self.per_second) else {
            return;
        };
        self.paced = Some(turn + pace);
        if self.passed.len() >= self.per_second as usize {
            self.passed.pop_front();
        }
        self.passed.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn attempts_pass_one_after_the_other_at_the_rate() {
        let gate = Arc::new(StartGate::new(50));
        let began = Instant::now();
        let passes = (0..1000).map(|_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.pass().await;
                began.elapsed()
            }
        });
        let at = futures::future::join_all(passes).await;
        for second in 0..20u128 {
            let started = at.iter().filter(|at| at.as_millis() / 1000 == second);
            assert_eq!(started.count(), 50);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_that_are_given_up_leave_their_places_to_others() {
        let gate = Arc::new(StartGate::new(1));
        let began = Instant::now();
        let waiting: Vec<_> = (0..1000)
            .map(|_| {
                let gate = Arc::clone(&gate);
                tokio::spawn(async move { gate.pass().await })
            })
            .collect();
        tokio::time::advance(Duration::from_millis(2500)).await;
        for task in waiting {
            task.abort();
        }
        gate.pass().await;
        assert!(began.elapsed() < Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_after_a_quiet_time_passes_at_once() {
        let gate = StartGate::new(1);
        gate.pass().await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let began = Instant::now();
        gate.pass().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_wait_passes_only_where_nobody_else_wants_to() {
        let gate = Arc::new(StartGate::new(1));
        assert!(gate.try_pass());
        assert!(!gate.try_pass(), "the second has had its start");
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.pass().await }
        });
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_millis(1500)).await;
        waiting.await.unwrap();
        assert!(!gate.try_pass());
        tokio::time::advance(Duration::from_millis(1000)).await;
        assert!(gate.try_pass());
        assert!(StartGate::new(0).try_pass());
    }

    proptest! {
        #[test]
        fn no_second_has_more_than_its_starts_however_late_anybody_wakes(
            per_second in 1..40_u32, late in proptest::collection::vec((0..3_u64, 0..200_u64), 1..300),
        ) {
            let began = Instant::now();
            let (gate, mut now, mut passes) = (StartGate::new(per_second), began, Vec::new());
            let mut line = gate.line.try_lock().unwrap();
            for (often, late) in late {
                // Two in three wake in time.
                let turn = line.turn(now);
                now = turn + Duration::from_millis(if often == 0 { late } else { 0 });
                line.pass(turn, now);
                passes.push(now);
            }
            for first in 0..passes.len() {
                let within = passes[first..].iter().take_while(|&&at| at < passes[first] + SECOND).count();
                prop_assert!(within <= per_second as usize);
            }
        }
    }
}
