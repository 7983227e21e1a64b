//! The time of grace: a publisher's connection was lost, and its stream waits for its return, with its targets connected.

use super::hold::End;
use super::hub::Hub;
use super::stream::Stream;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// A publisher's place that is kept for it. Dropping it ends the stream, unless the publisher has returned: also where the task that
/// waits is cut short.
struct Vacancy {
    hub: Arc<Hub>,
    stream: Arc<Stream>,
    epoch: u64,
}

impl Drop for Vacancy {
    fn drop(&mut self) {
        self.hub.end(&self.stream, self.epoch, End::Lost);
    }
}

/// Keeps the publisher's place for `time`, on the stream's home runtime: one task a stream, until somebody takes the place
/// (`superseded`), an operator or a drain ends the wait, or the time is over.
pub(super) fn wait(
    hub: &Arc<Hub>,
    stream: &Arc<Stream>,
    epoch: u64,
    mut superseded: watch::Receiver<bool>,
    time: Duration,
) {
    hub.watch().awaited(stream.key(), time);
    let until = Instant::now() + time;
    let drain = hub.drain().clone();
    let vacancy = Vacancy {
        hub: Arc::clone(hub),
        stream: Arc::clone(stream),
        epoch,
    };
    stream.home().spawn(async move {
        let is_given_up = tokio::select! {
            biased;
            // The sender's end is as good a sign as its word.
            _ = superseded.wait_for(|&gone| gone) => false,
            () = drain.cancelled() => false,
            () = sleep_until(until) => true,
        };
        if is_given_up {
            let watch = vacancy.hub.watch();
            watch.given_up(vacancy.stream.key(), time);
        }
        drop(vacancy);
    });
}

#[cfg(test)]
mod tests;
