//! The start gate: a thousand rules after a restart are no storm of connects.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// What the rate is given for.
const SECOND: Duration = Duration::from_secs(1);

/// What the bound is counted over: a second, and what lies between a pass and its connection. One that is late on the way, and one that is
/// not and had its turn a second later, would come within a second at the host otherwise.
const WINDOW: Duration = Duration::from_millis(1020);

/// Which part of a second's starts may pass at once: a fifth, which is ten of the default of fifty. The targets of one stream, eight
/// or so, then start together instead of one every 20 ms, and ten handshakes are no storm. What is used of it comes back at the even
/// pace, so that a stream which begins right behind another one waits for as few as are missing, and not for a whole group's turn.
const AT_ONCE: u32 = 5;

/// Lets attempts pass at a bounded rate, all pushes together, in the order in which they come: a few ahead of an even pace, and
/// never more than the bound within a second, wherever that second begins.
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
    /// When the next attempt may pass at an even pace, if nobody were let through ahead of it.
    paced: Option<Instant>,
    /// The last passes, as many as one second may have: who passes ahead of the pace, or wakes late for its turn, brings the
    /// others nearer together than the pace alone could answer for.
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

    /// Waits for this attempt's turn. The first few of a quiet time pass at once.
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
        let paced = self.paced.and_then(|paced| paced.checked_sub(self.lead()));
        let is_full = self.passed.len() >= self.per_second as usize;
        let bound = self.passed.front().filter(|_| is_full);
        let bound = bound.map(|&oldest| oldest + WINDOW);
        now.max(paced.unwrap_or(now)).max(bound.unwrap_or(now))
    }

    /// From one attempt to the next at an even pace; nothing where there is no bound.
    fn pace(&self) -> Duration {
        SECOND.checked_div(self.per_second).unwrap_or_default()
    }

    /// How far ahead of its even pace an attempt may pass.
    fn lead(&self) -> Duration {
        let at_once = (self.per_second / AT_ONCE).max(1);
        self.pace() * (at_once - 1)
    }

    /// An attempt whose turn was then passes now.
    fn pass(&mut self, turn: Instant, now: Instant) {
        if self.per_second == 0 {
            return;
        }
        self.paced = Some(self.paced.map_or(turn, |paced| paced.max(turn)) + self.pace());
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

    /// When so many that come at once pass, in milliseconds from now.
    async fn passes(gate: &StartGate, count: usize) -> Vec<u128> {
        let began = Instant::now();
        let passes = (0..count).map(|_| async {
            gate.pass().await;
            began.elapsed().as_millis()
        });
        futures::future::join_all(passes).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_attempts_pass_at_the_rate() {
        let at = passes(&StartGate::new(50), 1000).await;
        for window in 0..20 {
            let started = at.iter().filter(|&&at| at / 1020 == window);
            assert_eq!(started.count(), 50);
        }
        assert!(at[999] <= 20_400);
        // The hundredth of two hundred is within two seconds, with time to connect.
        assert!(at[99] <= 1850);
    }

    #[tokio::test(start_paused = true)]
    async fn the_targets_of_a_stream_start_together() {
        let gate = StartGate::new(50);
        assert_eq!(passes(&gate, 8).await, [0; 8]);
        // The next stream's find two starts left, five more that came back meanwhile, and wait for the last one.
        tokio::time::advance(Duration::from_millis(100)).await;
        let at = passes(&gate, 8).await;
        assert_eq!(at[..7], [0; 7]);
        assert!((20..=21).contains(&at[7]), "{at:?}");
        // A quiet fifth of a second gives all of them back.
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(passes(&gate, 10).await, [0; 10]);
    }

    #[tokio::test(start_paused = true)]
    async fn behind_those_at_once_attempts_are_evenly_spread() {
        let at = passes(&StartGate::new(50), 50).await;
        assert_eq!(at[..10], [0; 10]);
        let steps = at[9..].windows(2).map(|pair| pair[1] - pair[0]);
        assert!(steps.clone().all(|step| (19..=21).contains(&step)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_low_rate_has_one_at_a_time() {
        let at = passes(&StartGate::new(4), 5).await;
        let due = [0, 250, 500, 750, 1020];
        let late = at.iter().zip(due).map(|(at, due)| at - due);
        assert!(late.clone().all(|late| late <= 1), "{at:?}");
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
        tokio::time::advance(Duration::from_millis(1020)).await;
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
