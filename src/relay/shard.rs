//! Shards: one thread a core, each with a runtime of its own. A stream's targets live on the shard of its first publisher, so
//! that a frame's way from one socket to the others crosses no thread.

use super::alarm::Alarm;
use super::beat::Beat;
use super::tick::Tick;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// One of the threads that carry media.
#[derive(Clone, Debug)]
pub struct Shard {
    /// Its runtime.
    pub handle: Handle,
    /// What wakes the publishers on it.
    pub beat: Arc<Beat>,
}

/// The threads that carry media. Dropping it stops them; what still runs there is cancelled.
pub struct Shards {
    shards: Arc<[Shard]>,
    next: AtomicUsize,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

/// The beats of all shards, which they do not keep running.
#[derive(Clone, Debug)]
pub struct Beats(Arc<[Shard]>);

impl Shards {
    /// Starts `count` shards, at least one, which beat together.
    ///
    /// # Errors
    /// The operating system refuses a thread or an event queue.
    pub fn start(count: usize, tick: Tick) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let mut shards = Vec::new();
        let mut threads = Vec::new();
        for index in 0..count.max(1) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let alarm = {
                let _entered = runtime.enter();
                Alarm::of_kernel()
            };
            shards.push(Shard::on(runtime.handle().clone(), tick, alarm));
            let mut stopped = stopped.clone();
            let thread = std::thread::Builder::new()
                .name(format!("shard-{index}"))
                .spawn(move || {
                    // The channel's end is as good a sign as the word.
                    runtime.block_on(async { stopped.wait_for(|&stop| stop).await.is_ok() });
                    // A look-up that hangs in the C library is not waited for.
                    runtime.shutdown_background();
                })?;
            threads.push(thread);
        }
        Ok(Self {
            shards: shards.into(),
            next: AtomicUsize::new(0),
            threads,
            stop,
        })
    }

    /// The runtime that the caller is on, as the only shard: for tests with a paused clock.
    pub fn here(tick: Tick) -> Self {
        Self {
            shards: Arc::new([Shard::on(Handle::current(), tick, Alarm::Runtime)]),
            next: AtomicUsize::new(0),
            threads: Vec::new(),
            stop: watch::Sender::new(false),
        }
    }

    /// The beats of all of them.
    pub fn beats(&self) -> Beats {
        Beats(Arc::clone(&self.shards))
    }

    /// The shard for the next connection, each in turn.
    pub fn pick(&self) -> &Shard {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        &self.shards[turn % self.shards.len()]
    }
}

impl Beats {
    /// The beat of a stream's home.
    pub fn at(&self, home: &Handle) -> &Arc<Beat> {
        let mut shards = self.0.iter();
        // A stream that was begun on none of them, as in tests, is as well off with any.
        let shard = shards.find(|shard| shard.handle.id() == home.id());
        &shard.unwrap_or(&self.0[0]).beat
    }
}

impl Shard {
    fn on(handle: Handle, tick: Tick, alarm: Alarm) -> Self {
        let beat = Beat::new(tick);
        let run = Arc::clone(&beat);
        handle.spawn(async move { run.run(alarm).await });
        Self { handle, beat }
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // A shard that panicked has said so already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn a_look_up_that_hangs_holds_up_no_end() {
        let shards = Shards::start(2, Tick::new(Duration::from_millis(10))).unwrap();
        let (begun, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        shards.pick().handle.spawn_blocking(move || {
            begun.send(()).unwrap();
            released.recv()
        });
        has_begun.recv().unwrap();
        drop(shards);
        release.send(()).unwrap();
    }
}
