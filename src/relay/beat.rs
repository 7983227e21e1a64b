//! A shard's beat: one timer wakes all publishers that are read at it, and none runs where nobody is.
//!
//! Targets are looked after at beats too, so that their looks wake the shard at no other time. Where there are targets and no
//! publisher, looking after them is all that it wakes for.
//!
//! With an interval of 0 the beat is a millisecond, at which those publishers are woken that have something to read: what a
//! wake-up of the thread for every packet costs is more than what serving it costs.

use super::alarm::Alarm;
use super::arrivals::{Arrivals, Seat};
use super::tick::Tick;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::sleep;

/// From one look at targets to the next, or a little more: a whole number of beats.
const LOOK: Duration = Duration::from_secs(1);

/// Groups of lookers that look at different beats, at the most.
const GROUPS_MAX: u64 = 64;

/// The beat of one runtime, at the moments of the gateway's [`Tick`].
#[derive(Debug)]
pub struct Beat {
    tick: Tick,
    struck: Notify,
    strikes: AtomicU64,
    /// Who has something to read, where only those are woken.
    arrivals: Option<Arc<Arrivals>>,
    members: AtomicUsize,
    joined: Notify,
    looks: Looks,
    lookers: AtomicUsize,
}

/// Who looks after targets. A beat has the look of one group, so that not all look at once.
#[derive(Debug)]
struct Looks {
    groups: Box<[Notify]>,
    /// Beats from one group's look to the next one's.
    stride: u64,
    next: AtomicUsize,
}

/// A place among those whom the beat wakes; it is left by dropping this.
#[derive(Debug)]
pub struct Member {
    beat: Arc<Beat>,
    seat: Option<Seat>,
}

/// A place among those who look after targets; it is left by dropping this.
#[derive(Debug)]
pub struct Looker {
    beat: Arc<Beat>,
    group: usize,
}

impl Beat {
    pub(super) fn new(tick: Tick) -> Arc<Self> {
        let arrivals = tick.is_at_once().then(Arrivals::new);
        Arc::new(Self {
            tick,
            struck: Notify::new(),
            strikes: AtomicU64::new(0),
            // Where nobody can be asked all are woken, which costs more and is right as well.
            arrivals: arrivals.and_then(Result::ok),
            members: AtomicUsize::new(0),
            joined: Notify::new(),
            looks: Looks::at(tick),
            lookers: AtomicUsize::new(0),
        })
    }

    /// Strikes as long as it is run; for a runtime's first task.
    pub(super) async fn run(&self, mut alarm: Alarm) {
        loop {
            if self.members.load(Ordering::Acquire) > 0 {
                alarm.ring(self.tick).await;
                self.strike();
                continue;
            }
            alarm.rest();
            match self.lookers.load(Ordering::Acquire) {
                0 => self.joined.notified().await,
                _ => self.look_without_publishers().await,
            }
        }
    }

    /// How often it has struck so far: what reads, writes and wake-ups are counted against, since a busy machine leaves beats out.
    pub fn strikes(&self) -> u64 {
        self.strikes.load(Ordering::Relaxed)
    }

    /// A publisher with this socket is woken by the beat from here on.
    pub fn join(self: &Arc<Self>, socket: &Arc<TcpStream>) -> Member {
        let arrivals = self.arrivals.as_ref();
        let seat = arrivals.and_then(|arrivals| arrivals.seat(socket).ok());
        self.members.fetch_add(1, Ordering::Release);
        self.joined.notify_one();
        Member {
            beat: Arc::clone(self),
            seat,
        }
    }

    /// Looks after targets from here on.
    pub fn look_after(self: &Arc<Self>) -> Looker {
        self.lookers.fetch_add(1, Ordering::Release);
        self.joined.notify_one();
        Looker {
            beat: Arc::clone(self),
            group: self.looks.next.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn strike(&self) {
        let before = self.strikes.fetch_add(1, Ordering::Relaxed);
        self.struck.notify_waiters();
        if let Some(arrivals) = &self.arrivals {
            arrivals.wake();
        }
        if let Some(look) = self.looks.at_beat(before) {
            look.notify_waiters();
        }
    }

    /// All look at one moment of the second, unless a publisher comes first.
    async fn look_without_publishers(&self) {
        tokio::select! {
            () = sleep(LOOK) => self.looks.groups.iter().for_each(Notify::notify_waiters),
            () = self.joined.notified() => {}
        }
    }
}

impl Looks {
    fn at(tick: Tick) -> Self {
        // Less than a second's nanoseconds.
        let beats = LOOK.as_nanos().div_ceil(tick.interval().as_nanos().max(1)) as u64;
        let stride = beats.div_ceil(GROUPS_MAX).max(1);
        Self {
            groups: (0..beats.div_ceil(stride)).map(|_| Notify::new()).collect(),
            stride,
            next: AtomicUsize::new(0),
        }
    }

    /// Who looks at the beat with this number.
    fn at_beat(&self, number: u64) -> Option<&Notify> {
        let is_one_of_theirs = number.is_multiple_of(self.stride);
        // The number of groups fits into any integer.
        is_one_of_theirs
            .then(|| self.group((number / self.stride % self.groups.len() as u64) as usize))
    }

    fn group(&self, number: usize) -> &Notify {
        &self.groups[number % self.groups.len()]
    }
}

impl Member {
    /// Completes at the next beat, counted from this call on, not from the first poll.
    pub fn next(&self) -> Notified<'_> {
        self.beat.struck.notified()
    }

    /// Completes at the next beat at which there may be something to read that has arrived since the last time: at the next one of
    /// all, unless the interval is 0.
    pub async fn arrived(&self) {
        match &self.seat {
            Some(seat) => seat.arrived().await,
            None => self.next().await,
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.beat.members.fetch_sub(1, Ordering::Release);
    }
}

impl Looker {
    /// Completes when its targets are to be looked at next, within a second or a beat more. It covers what happens from this call
    /// on, not from the first poll.
    pub fn next(&self) -> Notified<'_> {
        self.beat.looks.group(self.group).notified()
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
    use std::net::TcpListener;
    use tokio::time::Instant;

    /// A socket at whose other end nobody says anything.
    fn quiet() -> Arc<TcpStream> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        Arc::new(near)
    }

    #[tokio::test(start_paused = true)]
    async fn all_members_are_woken_at_the_same_moments() {
        let began = Instant::now();
        let beat = Beat::new(Tick::new(Duration::from_millis(30)));
        let run = Arc::clone(&beat);
        tokio::spawn(async move { run.run(Alarm::Runtime).await });
        let waits = [beat.join(&quiet()), beat.join(&quiet())].map(|member| async move {
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
        drop(beat.join(&quiet()));
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
        let _publisher = beat.join(&quiet());
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
            beat.join(&quiet()).next().await;
            assert!(began.elapsed() <= 2 * LOOK + Duration::from_millis(30));
        }
    }
}
