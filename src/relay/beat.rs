//! A shard's beat: one timer wakes all publishers that are read at it, and none runs where nobody is.
//!
//! Targets are looked after at beats too, so that their looks wake the shard at no other time. Where there are targets and no
//! publisher, looking after them is all that it wakes for.
//!
//! Without a beat (an interval of 0) publishers are read as bytes come. Those of one millisecond are still served together: what
//! each would cost in wake-ups of the thread is more than what serving it costs.

use super::alarm::Alarm;
use super::tick::Tick;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

/// Without a beat, how long after one turn the next one is at the earliest. A publisher that comes after a pause waits for nothing.
const TOGETHER: Duration = Duration::from_millis(1);

/// From one look at a target to the next.
const LOOK: Duration = Duration::from_secs(1);

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
    /// Who looks after targets. A beat has the look of one group, so that not all look at once.
    looks: Box<[Notify]>,
    lookers: AtomicUsize,
    groups: AtomicUsize,
}

/// A place among those whom the beat wakes; it is left by dropping this.
#[derive(Debug)]
pub struct Member {
    beat: Arc<Beat>,
}

/// A place among those who look after targets; it is left by dropping this.
#[derive(Debug)]
pub struct Looker {
    beat: Arc<Beat>,
    group: usize,
}

impl Beat {
    pub(super) fn new(tick: Tick) -> Arc<Self> {
        let interval = tick.interval().as_nanos().max(1);
        let groups = match tick.is_paced() {
            true => LOOK.as_nanos().div_ceil(interval),
            false => 0,
        };
        Arc::new(Self {
            tick,
            began: Instant::now(),
            struck: Notify::new(),
            strikes: AtomicU64::new(0),
            members: AtomicUsize::new(0),
            joined: Notify::new(),
            turned: AtomicU64::new(0),
            looks: (0..groups).map(|_| Notify::new()).collect(),
            lookers: AtomicUsize::new(0),
            groups: AtomicUsize::new(0),
        })
    }

    /// Strikes as long as it is run; for a runtime's first task.
    pub(super) async fn run(&self, mut alarm: Alarm) {
        loop {
            let publishers = self.members.load(Ordering::Acquire);
            if publishers > 0 && self.is_paced() {
                alarm.ring(self.tick).await;
                let beats = self.strike();
                if let Some(look) = self.look_of(beats) {
                    look.notify_waiters();
                }
                continue;
            }
            alarm.rest();
            if publishers > 0 {
                sleep_until(self.next_turn()).await;
                self.turned.store(self.elapsed(), Ordering::Relaxed);
                self.strike();
            } else if self.lookers.load(Ordering::Acquire) > 0 {
                self.look_without_publishers().await;
            } else {
                self.joined.notified().await;
            }
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

    /// Looks after a target from here on.
    pub fn look_after(self: &Arc<Self>) -> Looker {
        self.lookers.fetch_add(1, Ordering::Release);
        self.joined.notify_one();
        Looker {
            beat: Arc::clone(self),
            group: self.groups.fetch_add(1, Ordering::Relaxed),
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

    fn strike(&self) -> u64 {
        let before = self.strikes.fetch_add(1, Ordering::Relaxed);
        self.struck.notify_waiters();
        before
    }

    /// Whose look falls on this beat or comes to this place in the row.
    fn look_of(&self, number: u64) -> Option<&Notify> {
        // There are fewer groups than fit into 32 bits, and than into a usize.
        let group = number.checked_rem(self.looks.len() as u64)?;
        self.looks.get(group as usize)
    }

    /// All look at one moment of the second, unless a publisher comes first.
    async fn look_without_publishers(&self) {
        tokio::select! {
            () = sleep(LOOK) => self.looks.iter().for_each(Notify::notify_waiters),
            () = self.joined.notified() => {}
        }
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

impl Looker {
    /// Completes when the target is to be looked at next, within a second or a beat more. It covers what happens from this call
    /// on, not from the first poll.
    pub fn next(&self) -> impl Future<Output = ()> + use<'_> {
        let look = self.beat.look_of(self.group as u64).map(Notify::notified);
        async {
            match look {
                Some(look) => look.await,
                None => sleep(LOOK).await,
            }
        }
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        self.beat.lookers.fetch_sub(1, Ordering::Release);
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
        tokio::spawn(async move { run.run(Alarm::Runtime).await });
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
        tokio::spawn(async move { run.run(Alarm::Runtime).await });
        drop(beat.join());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let struck = beat.struck.notified();
        tokio::pin!(struck);
        struck.as_mut().enable();
        let waited = tokio::time::timeout(Duration::from_secs(60), struck).await;
        assert!(waited.is_err());
        assert_eq!(beat.strikes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn looks_fall_on_beats_once_a_second_and_are_spread() {
        let began = Instant::now();
        let beat = Beat::new(Tick::new(Duration::from_millis(300)));
        let run = Arc::clone(&beat);
        tokio::spawn(async move { run.run(Alarm::Runtime).await });
        let _publisher = beat.join();
        let looks = [(); 5]
            .map(|()| beat.look_after())
            .map(|looker| async move {
                looker.next().await;
                let first = began.elapsed().as_millis();
                looker.next().await;
                (first, began.elapsed().as_millis())
            });
        // Four beats, and the fifth looks with the first.
        assert_eq!(
            futures::future::join_all(looks).await,
            [
                (300, 1500),
                (600, 1800),
                (900, 2100),
                (1200, 2400),
                (300, 1500)
            ]
        );
        assert_eq!(beat.lookers.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn targets_are_looked_after_where_no_publisher_is() {
        for millis in [0, 30] {
            let began = Instant::now();
            let beat = Beat::new(Tick::new(Duration::from_millis(millis)));
            let run = Arc::clone(&beat);
            tokio::spawn(async move { run.run(Alarm::Runtime).await });
            let looker = beat.look_after();
            looker.next().await;
            looker.next().await;
            assert_eq!(began.elapsed(), 2 * LOOK);
            assert_eq!(beat.strikes(), 0);
            // A publisher that comes in between waits for its beat alone.
            if beat.is_paced() {
                beat.join().next().await;
                assert!(began.elapsed() <= 2 * LOOK + Duration::from_millis(30));
            }
        }
    }
}
