//! The start gate: a thousand rules after a restart are no storm of connects.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Lets attempts pass at a bounded rate, all pushes together, in the order in which they come.
#[derive(Debug)]
pub struct StartGate {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl StartGate {
    /// A gate for so many attempts a second; 0 means no bound.
    pub fn new(starts_per_second: u32) -> Self {
        Self {
            interval: if starts_per_second == 0 {
                Duration::ZERO
            } else {
                Duration::from_secs(1) / starts_per_second
            },
            next: Mutex::new(None),
        }
    }

    /// Waits for this attempt's turn. The first of a quiet time passes at once.
    pub async fn pass(&self) {
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.interval);
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    async fn the_first_after_a_quiet_time_passes_at_once() {
        let gate = StartGate::new(1);
        gate.pass().await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let began = Instant::now();
        gate.pass().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
