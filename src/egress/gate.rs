//! The start gate: a thousand rules after a restart are no storm of connects.

use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Lets attempts pass at a bounded rate, all pushes together, in the order in which they come.
#[derive(Debug)]
pub struct StartGate {
    interval: Duration,
    /// When the next attempt may pass. Whoever waits for that moment holds the lock, and the others stand behind it in line; one
    /// that leaves the line gives up its place, so that pushes which end while they wait hold up nobody.
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
        if self.interval.is_zero() {
            return;
        }
        let mut next = self.next.lock().await;
        let now = Instant::now();
        let turn = next.map_or(now, |next| next.max(now));
        if turn > now {
            sleep_until(turn).await;
        }
        *next = Some(turn + self.interval);
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
}
