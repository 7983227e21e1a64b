//! Who carries messages: a task for each destination, one message in flight, in order.

use super::limits::{QUEUE_MAX, TRY_TIMEOUT};
use super::post::{Post, PostError};
use super::retries::Retries;
use crate::rule::HttpUrl;
use crate::telemetry::Metrics;
use crate::telemetry::events::{NotificationEnded, NotificationFailed};
use crate::telemetry::labels::NotificationResult;
use axum::http::{HeaderName, HeaderValue};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Something to tell.
pub trait Message: Send + Sync + 'static {
    /// What it is, for the log: from a closed set, such as `stream_create`.
    fn name(&self) -> &str;

    /// What is posted at a try; the first one is 1. It has to be quick, and may not panic.
    fn shape(&self, attempt: u32) -> Shaped;
}

/// What is posted.
pub struct Shaped {
    /// The body, JSON unless a header says otherwise.
    pub body: String,
    /// Headers beside those that every try has: `Content-Type: application/json`, `User-Agent`, `Host`, `Content-Length`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Shaped {
    /// A body, and no headers of its own.
    pub const fn json(body: String) -> Self {
        Self {
            body,
            headers: Vec::new(),
        }
    }
}

/// Bodies hold signatures and names.
impl fmt::Debug for Shaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shaped").finish_non_exhaustive()
    }
}

/// Where messages go, and how often they are tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// The URL. Prints masked.
    pub url: HttpUrl,
    /// When a message is tried again, and when it is given up.
    pub retries: Retries,
}

/// Carries the messages of one gateway. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Courier {
    post: Arc<dyn Post>,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    /// Cancelled when there is no time for pauses any more.
    hurry: CancellationToken,
    /// Cancelled when there is no time left at all.
    over: CancellationToken,
}

impl Courier {
    /// A courier without deliveries.
    pub fn new(post: Arc<dyn Post>, metrics: Arc<Metrics>) -> Self {
        Self {
            post,
            metrics,
            tasks: TaskTracker::new(),
            hurry: CancellationToken::new(),
            over: CancellationToken::new(),
        }
    }

    /// A delivery to that destination, on the runtime that this is called on.
    pub fn deliver_to(&self, destination: Destination) -> Delivery {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let hurry = self.hurry.child_token();
        let line = Line {
            post: Arc::clone(&self.post),
            metrics: Arc::clone(&self.metrics),
            hurry: hurry.clone(),
            over: self.over.clone(),
            destination,
        };
        let delivery = Delivery {
            queue,
            url: line.destination.url.clone(),
            metrics: Arc::clone(&self.metrics),
            _hurry: Arc::new(hurry.drop_guard()),
        };
        self.tasks.spawn(line.carry(waiting));
        delivery
    }

    /// Runs a task that gives messages to deliveries, until it ends by itself or a drain's deadline has passed.
    pub fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        let over = self.over.clone();
        self.tasks.spawn(async move {
            over.run_until_cancelled(task).await;
        });
    }

    /// Waits until everything is delivered or given up, for `deadline` at the most: no pause between tries any more, and no further
    /// message to a destination that fails. The tasks of [`run`](Self::run) have to come to their end, as they do when the feed is closed.
    pub async fn drain(&self, deadline: Duration) {
        self.tasks.close();
        self.hurry.cancel();
        if timeout(deadline, self.tasks.wait()).await.is_err() {
            self.over.cancel();
            self.tasks.wait().await;
        }
    }
}

/// A queue of messages for one destination. Cheap to clone; when the last clone is dropped, what is left is sent without pauses.
#[derive(Clone)]
pub struct Delivery {
    queue: mpsc::Sender<Box<dyn Message>>,
    url: HttpUrl,
    metrics: Arc<Metrics>,
    _hurry: Arc<DropGuard>,
}

impl Delivery {
    /// Gives a message, once there is room for it. Nothing is given once a drain's deadline has passed.
    pub async fn send(&self, message: impl Message) {
        if let Err(mpsc::error::SendError(message)) = self.queue.send(Box::new(message)).await {
            self.ended(&*message, NotificationResult::Ending);
        }
    }

    /// Gives a message if there is room for it; else it is dropped and counted, and the answer is `false`.
    pub fn offer(&self, message: impl Message) -> bool {
        match self.queue.try_send(Box::new(message)) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(message)) => {
                self.ended(&*message, NotificationResult::QueueFull);
                false
            }
            Err(mpsc::error::TrySendError::Closed(message)) => {
                self.ended(&*message, NotificationResult::Ending);
                false
            }
        }
    }

    fn ended(&self, message: &dyn Message, result: NotificationResult) {
        ended(&self.metrics, &self.url, message, result);
    }
}

/// One destination's task.
struct Line {
    post: Arc<dyn Post>,
    metrics: Arc<Metrics>,
    hurry: CancellationToken,
    over: CancellationToken,
    destination: Destination,
}

impl Line {
    async fn carry(self, mut waiting: mpsc::Receiver<Box<dyn Message>>) {
        while let Some(message) = self
            .over
            .run_until_cancelled(waiting.recv())
            .await
            .flatten()
        {
            let delivered = self.over.run_until_cancelled(self.deliver(&*message));
            let result = delivered.await.unwrap_or(NotificationResult::Ending);
            self.ended(&*message, result);
            if result == NotificationResult::Ending {
                break;
            }
        }
        waiting.close();
        while let Ok(message) = waiting.try_recv() {
            self.ended(&*message, NotificationResult::Ending);
        }
    }

    /// Tries until it is taken, or given up.
    async fn deliver(&self, message: &dyn Message) -> NotificationResult {
        let first = Instant::now();
        let mut standing = self.destination.retries.begin(seed());
        let mut attempt = 0;
        loop {
            attempt += 1;
            let error = match self.attempt(message.shape(attempt)).await {
                Ok(()) => return NotificationResult::Delivered,
                Err(error) => error,
            };
            let hurries = self.hurry.is_cancelled();
            let pause = match hurries {
                true => None,
                false => standing.next(first.elapsed()),
            };
            NotificationFailed {
                url: &self.destination.url,
                name: message.name(),
                attempt,
                error: &error,
                retry_in: pause,
            }
            .emit(&self.metrics);
            let Some(pause) = pause else {
                return match hurries {
                    true => NotificationResult::Ending,
                    false => NotificationResult::GivenUp,
                };
            };
            self.hurry.run_until_cancelled(sleep(pause)).await;
        }
    }

    async fn attempt(&self, shaped: Shaped) -> Result<(), TryError> {
        let posted = self.post.post(&self.destination.url, shaped);
        let status = timeout(TRY_TIMEOUT, posted)
            .await
            .map_err(|_| TryError::Timeout)??;
        match status {
            200..=299 => Ok(()),
            300..=399 => Err(TryError::Redirect(status)),
            _ => Err(TryError::Status(status)),
        }
    }

    fn ended(&self, message: &dyn Message, result: NotificationResult) {
        ended(&self.metrics, &self.destination.url, message, result);
    }
}

/// Why a try was no success.
#[derive(Debug, thiserror::Error)]
enum TryError {
    #[error("no answer within {} s", TRY_TIMEOUT.as_secs())]
    Timeout,
    #[error("{0}")]
    Post(#[from] PostError),
    #[error("it answered {0}, and redirects are not followed; configure the URL that it leads to")]
    Redirect(u16),
    #[error("it answered {0}")]
    Status(u16),
}

fn ended(metrics: &Metrics, url: &HttpUrl, message: &dyn Message, result: NotificationResult) {
    let name = message.name();
    NotificationEnded { url, name, result }.emit(metrics);
}

/// Pauses of two messages, or of two gateways, are spread differently. Nothing depends on how good it is.
fn seed() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness pauses are the same for all, which is all that is lost.
    let _ = getrandom::fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests;
