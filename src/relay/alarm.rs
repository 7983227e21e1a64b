//! What wakes a shard at its beat.
//!
//! The runtime's own timer costs a shard up to three wake-ups a beat: one to arm it, since a timer that is due before all others
//! stirs the event queue, one where it changes its place in the wheel, and one when it is due. A timer of the kernel's in the event
//! queue costs the one.

use super::tick::Tick;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A timer that rings at the moments of a [`Tick`] while it is armed.
#[derive(Debug)]
pub(super) enum Alarm {
    /// The runtime's timer, whose clock tests can stop.
    Runtime,
    /// The kernel's.
    #[cfg(target_os = "linux")]
    Kernel(kernel::Timer),
}

impl Alarm {
    /// The kernel's timer, in the event queue of the runtime that the caller has entered; the runtime's own where there is none.
    pub(super) fn of_kernel() -> Self {
        #[cfg(target_os = "linux")]
        match kernel::Timer::new() {
            Ok(timer) => return Self::Kernel(timer),
            // Out of descriptors, say: a beat that costs a little more is better than none.
            Err(error) => tracing::debug!(%error, "no timer of the kernel's for the beat"),
        }
        Self::Runtime
    }

    /// Completes at the next beat.
    pub(super) async fn ring(&mut self, tick: Tick) {
        match self {
            Self::Runtime => sleep_until(tick.after(Instant::now())).await,
            #[cfg(target_os = "linux")]
            Self::Kernel(timer) => {
                if timer.ring(tick).await.is_err() {
                    *self = Self::Runtime;
                    sleep_until(tick.after(Instant::now())).await;
                }
            }
        }
    }

    /// Rings no more until it is waited for again.
    pub(super) fn rest(&mut self) {
        match self {
            Self::Runtime => {}
            #[cfg(target_os = "linux")]
            Self::Kernel(timer) => timer.rest(),
        }
    }
}

/// How long it is from now to the next beat.
#[cfg(target_os = "linux")]
fn to_next(tick: Tick) -> Duration {
    let now = Instant::now();
    tick.after(now).saturating_duration_since(now)
}

#[cfg(target_os = "linux")]
mod kernel {
    use super::{Duration, Tick, to_next};
    use rustix::fd::OwnedFd;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::io;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// A timer with a descriptor, as timerfd_create(2) describes it.
    #[derive(Debug)]
    pub(in crate::relay) struct Timer {
        descriptor: AsyncFd<OwnedFd>,
        is_armed: bool,
    }

    impl Timer {
        #[expect(
            deprecated,
            reason = "what came in its place is unsafe, for the sake of types that may change their descriptor; an OwnedFd keeps its"
        )]
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self {
                descriptor: AsyncFd::with_interest(descriptor, Interest::READABLE)?,
                is_armed: false,
            })
        }

        pub(super) async fn ring(&mut self, tick: Tick) -> io::Result<()> {
            if !self.is_armed {
                self.set(to_next(tick), tick.interval())?;
                self.is_armed = true;
            }
            loop {
                let mut ready = self.descriptor.readable().await?;
                // How often it has rung: a beat that came too late is left out.
                let mut count = [0; 8];
                let read = rustix::io::read(ready.get_inner(), &mut count);
                // The next ring comes as an event of its own.
                ready.clear_ready();
                match read {
                    Ok(_) => return Ok(()),
                    Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }

        pub(super) fn rest(&mut self) {
            if self.is_armed {
                // Where it cannot be stopped it rings once more, and the shard wakes for nothing.
                let _ = self.set(Duration::ZERO, Duration::ZERO);
                self.is_armed = false;
            }
        }

        /// A first ring of zero disarms it.
        fn set(&self, first: Duration, every: Duration) -> io::Result<()> {
            let spec = Itimerspec {
                it_interval: timespec(every),
                it_value: timespec(first),
            };
            timerfd_settime(&self.descriptor, TimerfdTimerFlags::empty(), &spec)?;
            Ok(())
        }
    }

    /// An interval is far below 2^63 s.
    fn timespec(duration: Duration) -> Timespec {
        Timespec {
            tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: duration.subsec_nanos().into(),
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernels_timer_rings_at_the_moments_of_the_tick() {
        let interval = Duration::from_millis(5);
        let tick = Tick::new(interval);
        let mut alarm = Alarm::of_kernel();
        assert!(matches!(alarm, Alarm::Kernel(_)));
        for _ in 0..3 {
            let due = tick.after(Instant::now());
            alarm.ring(tick).await;
            // The kernel's clock and ours are read one after the other.
            assert!(Instant::now() + Duration::from_millis(1) >= due);
        }
        alarm.rest();
        let rung = tokio::time::timeout(Duration::from_secs(10), alarm.ring(tick));
        assert!(rung.await.is_ok(), "it is armed again");
    }
}
