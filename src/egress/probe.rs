//! Whether a main URL is well again, asked while the backup carries the stream.
//!
//! A probe goes as far as the answer to `connect`: it publishes nothing, so that no CDN sees two publishers of one key.

use super::attempt::{Manner, Reach};
use super::gate::StartGate;
use super::status::PushStatus;
use crate::backoff::{Backoff, BackoffPolicy};
use crate::net::close::close_gracefully;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a target may take to close after we have.
const CLOSE: Duration = Duration::from_secs(2);

/// Asks one push's main URL, again and again.
pub(super) struct Probe<'a> {
    reach: &'a Reach,
    gate: &'a StartGate,
    status: &'a PushStatus,
    manner: Manner,
    rests: Backoff,
    /// Since when every answer has been a good one.
    well_since: Option<Instant>,
}

impl<'a> Probe<'a> {
    /// `manner` is how it is asked, and goes no further than to the answer to `connect`.
    pub(super) fn new(
        reach: &'a Reach,
        gate: &'a StartGate,
        status: &'a PushStatus,
        manner: Manner,
        seed: u64,
    ) -> Self {
        Self {
            reach,
            gate,
            status,
            manner,
            rests: Backoff::new(BackoffPolicy::probe(), seed),
            well_since: None,
        }
    }

    /// Waits until every answer of so long a time was a good one.
    pub(super) async fn well(&mut self, for_so_long: Duration) {
        loop {
            sleep(self.rests.next()).await;
            // Pushes that have no target come first; a question that was not asked says nothing.
            if !self.gate.try_pass() {
                continue;
            }
            if !self.ask().await {
                self.well_since = None;
                continue;
            }
            let since = *self.well_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= for_so_long {
                return;
            }
        }
    }

    /// Whether the last answer was a good one.
    pub(super) fn is_well(&self) -> bool {
        self.well_since.is_some()
    }

    async fn ask(&self) -> bool {
        let url = self.status.main_url();
        let established = self.reach.establish(&url, &self.manner, |_, _| {});
        match established.await {
            Ok(established) => {
                close_gracefully(established.transport, CLOSE).await;
                true
            }
            Err(_) => false,
        }
    }
}
