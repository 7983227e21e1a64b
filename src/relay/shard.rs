//! Shards: one thread a core, each with a runtime of its own. A stream's targets live on the shard of its first publisher, so
//! that a frame's way from one socket to the others crosses no thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// The threads that carry media. Dropping it stops them; what still runs there is cancelled.
pub struct Shards {
    handles: Arc<[Handle]>,
    next: AtomicUsize,
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Shards {
    /// Starts `count` shards, at least one.
    ///
    /// # Errors
    /// The operating system refuses a thread or an event queue.
    pub fn start(count: usize) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let mut handles = Vec::new();
        let mut threads = Vec::new();
        for index in 0..count.max(1) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            handles.push(runtime.handle().clone());
            let mut stopped = stopped.clone();
            let thread = std::thread::Builder::new()
                .name(format!("shard-{index}"))
                .spawn(move || {
                    // The channel's end is as good a sign as the word.
                    runtime.block_on(async { stopped.wait_for(|&stop| stop).await.is_ok() });
                })?;
            threads.push(thread);
        }
        Ok(Self {
            handles: handles.into(),
            next: AtomicUsize::new(0),
            threads,
            stop,
        })
    }

    /// The runtime that the caller is on, as the only shard: for tests with a paused clock.
    pub fn here() -> Self {
        Self {
            handles: Arc::new([Handle::current()]),
            next: AtomicUsize::new(0),
            threads: Vec::new(),
            stop: watch::Sender::new(false),
        }
    }

    /// The shard for the next connection, each in turn.
    pub fn pick(&self) -> &Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        &self.handles[turn % self.handles.len()]
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
