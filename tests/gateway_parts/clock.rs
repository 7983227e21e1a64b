//! Time that stands still until it is moved by hand, with sockets that are real.

use super::Publisher;
use std::sync::mpsc;
use std::time::Duration;

/// Stops the clock of the runtime, which has to be of one thread.
///
/// A paused clock of tokio jumps to the next timer whenever nothing else is to be done, and bytes that are on their way
/// through the kernel are nothing to it. A blocking task that never ends keeps it from jumping; then only [`advance`] moves it.
///
/// [`advance`]: HandClock::advance
pub struct HandClock {
    /// Dropped, it ends the blocking task.
    _release: mpsc::Sender<()>,
}

impl HandClock {
    pub fn stop() -> Self {
        tokio::time::pause();
        let (release, released) = mpsc::channel::<()>();
        // The channel's end is what it waits for.
        tokio::task::spawn_blocking(move || released.recv());
        Self { _release: release }
    }

    /// Moves on in steps of a beat, each with a little time for what it sets off.
    pub async fn advance(&self, time: Duration) {
        self.step(time, Duration::from_millis(10)).await;
    }

    /// Moves on in large steps, where no beat has to be kept.
    pub async fn leap(&self, time: Duration) {
        self.step(time, Duration::from_millis(250)).await;
    }

    async fn step(&self, time: Duration, step: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(step);
            self.nudge(step).await;
            left -= step;
        }
        self.settle().await;
    }

    /// Moves on at once, with a little time for what that sets off.
    pub async fn nudge(&self, time: Duration) {
        tokio::time::advance(time).await;
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
    }

    /// Has the gateway read what the publisher has sent: in a beat of 10 ms, for which a timer may be rounded up.
    pub async fn beat(&self, publisher: &Publisher) {
        publisher.delivered().await;
        self.advance(Duration::from_millis(12)).await;
    }

    /// Lets happen what needs no time, as far as can be told: for what must not have happened. For what must have, wait for it.
    pub async fn settle(&self) {
        for _ in 0..40 {
            tokio::task::yield_now().await;
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}
