//! A shard's beat: one timer wakes all publishers that are read at it, and none runs where nobody is.
//!
//! Without a beat (an interval of 0) publishers are read as bytes come. Those of one millisecond are still served together: what
//! each would cost in wake-ups of the thread is more than what serving it costs.

use super::tick::Tick;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Without a beat, how long after one turn the next one is at the earliest. A publisher that comes after a pause waits for nothing.
const TOGETHER: Duration = Duration::from_millis(1);

/// The beat of one runtime, at the moments of the gateway's [`Tick`].
#[derive(Debug)]
pub struct Beat {
    tick: Tick,
    began: Instant,
    struck: Notify,
    strikes: AtomicU64,
    /// Whom a beat wakes or, without one, who waits for the next turn.
    members: AtomicUsize,
    joined: Notify,
    /// When the last turn without a beat was, in nanoseconds since the beginning.
    turned: AtomicU64,
}

/// A place among those whom the beat wakes; it is left by dropping this.
#[derive(Debug)]
pub struct Member {
    beat: Arc<Beat>,
}

impl Beat {
    pub(super) fn new(tick: Tick) -> Arc<Self> {
        Arc::new(Self {
            tick,
            began: Instant::now(),
            struck: Notify::new(),
            strikes: AtomicU64::new(0),
            members: AtomicUsize::new(0),
            joined: Notify::new(),
            turned: AtomicU64::new(0),
        })
    }

    /// Strikes as long as it is run; for a runtime's first task.
    pub(super) async fn run(&self) {
        loop {
            while self.members.load(Ordering::Acquire) == 0 {
                self.joined.notified().await;
            }
            if self.is_paced() {
                sleep_until(self.tick.after(Instant::now())).await;
            } else {
                sleep_until(self.next_turn()).await;
                self.turned.store(self.elapsed(), Ordering::Relaxed);
            }
            self.strikes.fetch_add(1, Ordering::Relaxed);
            self.struck.notify_waiters();
        }
    }

    /// How often it has struck so far: what reads, writes and wake-ups are counted against, since a busy machine leaves beats out.
    pub fn strikes(&self) -> u64 {
        self.strikes.load(Ordering::Relaxed)
    }

    /// Whether there is a beat to wait for at all.
    pub fn is_paced(&self) -> bool {
        self.tick.is_paced()
    }

    /// Is woken by the beat from here on.
    pub fn join(self: &Arc<Self>) -> Member {
        self.members.fetch_add(1, Ordering::Release);
        self.joined.notify_one();
        Member {
            beat: Arc::clone(self),
        }
    }

    /// Without a beat: completes at once where the last turn is a millisecond ago, else with all others that wait then.
    pub async fn turn(self: &Arc<Self>) {
        if Instant::now() >= self.next_turn() {
            self.turned.store(self.elapsed(), Ordering::Relaxed);
            return;
        }
        self.join().next().await;
    }

    fn next_turn(&self) -> Instant {
        self.began + Duration::from_nanos(self.turned.load(Ordering::Relaxed)) + TOGETHER
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Member {
    /// Completes at the next beat.
    pub async fn next(&self) {
        self.beat.struck.notified().await;
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.beat.members.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn all_members_are_woken_at_the_same_moments() {
        let began = Instant::now();
        let beat = Beat::new(Tick::new(Duration::from_millis(30)));
        let run = Arc::clone(&beat);
        tokio::spawn(async move { run.run().await });
        let waits = [beat.join(), beat.join()].map(|member| async move {
            let mut at = Vec::new();
            for _ in 0..3 {
                member.next().await;
                at.push(began.elapsed().as_millis());
            }
            at
        });
        let [first, second] = waits;
        assert_eq!(
            futures::future::join(first, second).await,
            (vec![30, 60, 90], vec![30, 60, 90])
        );
        assert_eq!(beat.members.load(Ordering::Relaxed), 0);
        assert_eq!(beat.strikes(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_beat_without_members_does_not_strike() {
        let beat = Beat::new(Tick::new(Duration::from_millis(30)));
        let run = Arc::clone(&beat);
        tokio::spawn(async move { run.run().await });
        drop(beat.join());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let struck = beat.struck.notified();
        tokio::pin!(struck);
        struck.as_mut().enable();
        let waited = tokio::time::timeout(Duration::from_secs(60), struck).await;
        assert!(waited.is_err());
        assert_eq!(beat.strikes(), 0);
    }
}
