//! Webhooks: changes of state, posted to those who asked for them in the configuration.
//!
//! Each has a task that reads the feed and gives a delivery what its filter takes. A receiver that is away holds up nobody: its delivery's
//! queue fills, then its reader falls behind, and is told how many changes it has missed, as its receiver is then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use time::OffsetDateTime;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::event::{Event, EventFilter, event_id};
use crate::backoff::BackoffPolicy;
use crate::notify::{Courier, Destination, Message, Retries, Shaped};
use crate::rule::HttpUrl;
use crate::secret::Secret;
use crate::telemetry::feed::{Feed, Read, Reader};

/// The time after which a message that nobody took is given up: a receiver that was redeployed is back by then.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(3600);

/// The header that says when a try was made: whoever checks it refuses old ones.
const TIMESTAMP: HeaderName = HeaderName::from_static("aqueduct-timestamp");
/// The header that shows who sent it: `v1=` and the HMAC-SHA256 of timestamp, a dot and the body.
const SIGNATURE: HeaderName = HeaderName::from_static("aqueduct-signature");

/// One receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// Where to. Prints masked.
    pub url: HttpUrl,
    /// What its messages are signed with.
    pub secret: Secret,
    /// Which events it wants.
    pub filter: EventFilter,
}

/// The webhooks of a gateway.
pub struct Webhooks {
    courier: Courier,
    feed: Arc<Feed>,
    running: Mutex<Vec<(Webhook, DropGuard)>>,
}

impl Webhooks {
    /// None yet.
    pub fn new(courier: Courier, feed: Arc<Feed>) -> Self {
        Self {
            courier,
            feed,
            running: Mutex::default(),
        }
    }

    /// Puts these in the place of those that are. One that was there goes on undisturbed; one that is gone is given what it still has
    /// to get, without pauses; a new one is told what changes from now on. Called on the runtime where deliveries shall run.
    pub fn replace(&self, wanted: Vec<Webhook>) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|(webhook, _)| wanted.contains(webhook));
        for webhook in wanted {
            if running.iter().all(|(standing, _)| *standing != webhook) {
                let stop = CancellationToken::new();
                self.begin(webhook.clone(), stop.clone());
                running.push((webhook, stop.drop_guard()));
            }
        }
    }

    fn begin(&self, webhook: Webhook, stop: CancellationToken) {
        let reader = self.feed.reader();
        let delivery = self.courier.deliver_to(Destination {
            url: webhook.url.clone(),
            retries: Retries::Backoff {
                policy: BackoffPolicy::webhook(),
                give_up_after: GIVE_UP_AFTER,
            },
        });
        self.courier.run(async move {
            let tell = tell(reader, &webhook, |message| delivery.send(message));
            stop.run_until_cancelled(tell).await;
        });
    }
}

/// Gives `send` what the webhook wants, until the feed ends.
async fn tell<F>(mut reader: Reader, webhook: &Webhook, send: impl Fn(Told) -> F)
where
    F: Future<Output = ()>,
{
    let era = reader.era();
    loop {
        let (kind, body) = match reader.next().await {
            Read::End => return,
            Read::Missed { count } => {
                let missed = Missed {
                    id: event_id(era, reader.place()),
                    kind: "events.missed",
                    count,
                };
                (missed.kind, json(&missed))
            }
            Read::Change(change) => {
                let event = Event::of(&change, era);
                if !webhook.filter.takes(&change, &event) {
                    continue;
                }
                (event.kind, json(&event))
            }
        };
        let secret = webhook.secret.clone();
        send(Told { kind, body, secret }).await;
    }
}

/// What a receiver is told where it was too slow.
#[derive(Serialize)]
struct Missed {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// Changes of any kind and app, wanted or not.
    count: u64,
}

fn json(value: &impl Serialize) -> String {
    // Nothing in these types can fail.
    serde_json::to_string(value).unwrap_or_default()
}

struct Told {
    kind: &'static str,
    body: String,
    secret: Secret,
}

impl Message for Told {
    fn name(&self) -> &str {
        self.kind
    }

    fn shape(&self, _: u32) -> Shaped {
        signed(&self.secret, &self.body, OffsetDateTime::now_utc())
    }
}

/// A body with the headers by which its receiver knows it, at this time.
pub(super) fn signed(secret: &Secret, body: &str, at: OffsetDateTime) -> Shaped {
    let timestamp = at.unix_timestamp().to_string();
    let signature = format!("v1={}", sign(secret, &timestamp, body));
    let headers = [(TIMESTAMP, timestamp), (SIGNATURE, signature)];
    let headers = headers.map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)));
    Shaped {
        body: body.to_owned(),
        headers: headers.into_iter().flatten().collect(),
    }
}

/// The HMAC-SHA256 of timestamp, a dot and the body, in lower-case hex.
fn sign(secret: &Secret, timestamp: &str, body: &str) -> String {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return String::new();
    };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::{Post, PostError};
    use crate::rule::StreamKey;
    use crate::telemetry::Metrics;
    use crate::telemetry::feed::{HISTORY_MAX, StreamChange, What};
    use crate::telemetry::labels::StreamEnd;
    use futures::future::BoxFuture;

    #[test]
    fn a_signature_is_what_any_hmac_of_time_and_body_is() {
        // printf '1767225600.{"a":1}' | openssl dgst -sha256 -hmac whsec
        let at = OffsetDateTime::from_unix_timestamp(1_767_225_600).unwrap();
        let shaped = signed(&Secret::new("whsec"), r#"{"a":1}"#, at);
        let header = |name: &HeaderName| {
            let found = shaped.headers.iter().find(|(known, _)| known == name);
            found.unwrap().1.to_str().unwrap().to_owned()
        };
        assert_eq!(header(&TIMESTAMP), "1767225600");
        assert_eq!(
            header(&SIGNATURE),
            "v1=1d69bcb084beb6eb528786cc5d022925538f95bf5a26c0646f7223c252991404"
        );
    }

    fn webhook(path: &str, types: &[&str]) -> Webhook {
        Webhook {
            url: HttpUrl::parse(&format!("http://hooks.example/{path}")).unwrap(),
            secret: Secret::new("whsec"),
            filter: EventFilter {
                types: types.iter().map(|&kind| kind.to_owned()).collect(),
                ..EventFilter::default()
            },
        }
    }

    fn end(feed: &Feed, stream: &str) {
        feed.announce(What::Stream {
            stream: StreamKey::parse("live", stream).unwrap(),
            change: StreamChange::Ended {
                reason: StreamEnd::Finished,
            },
        });
    }

    #[tokio::test]
    async fn a_webhook_that_is_too_slow_is_told_and_its_filter_holds() {
        let feed = Feed::new();
        let (all, none) = (webhook("a", &["stream.*"]), webhook("b", &["rule.*"]));
        let readers = (feed.reader(), feed.reader());
        for _ in 0..HISTORY_MAX {
            end(&feed, "many");
        }
        end(&feed, "last");
        feed.close();
        let told = Mutex::new(Vec::new());
        let write_down = |message: Told| {
            told.lock().unwrap().push((message.kind, message.body));
            std::future::ready(())
        };
        tell(readers.0, &all, write_down).await;
        tell(readers.1, &none, write_down).await;
        let told = told.into_inner().unwrap();
        let (kind, body) = &told[0];
        assert_eq!(*kind, "events.missed");
        assert!(body.contains("\"count\":1"), "{body}");
        assert!(told[HISTORY_MAX].1.contains("\"last\""));
        let of_the_other: Vec<_> = told[HISTORY_MAX + 1..].iter().map(|told| told.0).collect();
        assert_eq!(of_the_other, ["events.missed"], "whatever it wants");
    }

    /// Writes down the paths that are called, and takes everything.
    #[derive(Default)]
    struct Called(Mutex<Vec<String>>);

    impl Post for Called {
        fn post<'a>(
            &'a self,
            url: &'a HttpUrl,
            _: Shaped,
        ) -> BoxFuture<'a, Result<u16, PostError>> {
            self.0.lock().unwrap().push(url.target().to_owned());
            Box::pin(std::future::ready(Ok(204)))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_leaves_alone_what_stays_and_ends_what_goes() {
        let called = Arc::new(Called::default());
        let metrics = Arc::new(Metrics::new());
        let feed = Arc::clone(metrics.feed());
        let webhooks = Webhooks::new(Courier::new(called.clone(), metrics), Arc::clone(&feed));
        let (stays, goes, comes) = (
            webhook("stays", &[]),
            webhook("goes", &[]),
            webhook("comes", &[]),
        );
        webhooks.replace(vec![stays.clone(), goes]);
        end(&feed, "one");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut before = std::mem::take(&mut *called.0.lock().unwrap());
        before.sort();
        assert_eq!(before, ["/goes", "/stays"]);
        // What stays is told what nobody has read yet; what comes is told only what comes after it.
        end(&feed, "two");
        webhooks.replace(vec![stays.clone(), comes]);
        end(&feed, "three");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut after = std::mem::take(&mut *called.0.lock().unwrap());
        after.retain(|path| path != "/goes");
        after.sort();
        assert_eq!(after, ["/comes", "/stays", "/stays"]);
        end(&feed, "four");
        webhooks.replace(vec![stays]);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let last = called.0.lock().unwrap().clone();
        assert!(last.contains(&"/stays".to_owned()) && !last.contains(&"/goes".to_owned()));
    }
}
