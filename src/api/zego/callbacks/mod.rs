//! Callbacks: an app's server is told of its streams and of their relays, in the vendor's form.

mod relay;
mod signature;
mod story;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use signature::sign_callback;

use self::story::Story;
use super::answer::random_number;
use crate::control::{AppName, Clock, HttpUrl, Rules};
use crate::notify::{Courier, Destination, Message, Retries, Shaped, VENDOR_STEPS};
use crate::secret::Secret;
use crate::telemetry::feed::{Feed, Read};

/// Where an app's callbacks go, and what signs them.
#[derive(Clone, Debug, PartialEq)]
pub struct CallbackTarget {
    /// The RTMP application.
    pub app: AppName,
    /// The vendor's number for it.
    pub app_id: u32,
    /// The URL.
    pub url: HttpUrl,
    /// The secret that both sides know.
    pub secret: Secret,
}

/// The callbacks of all apps.
pub struct Callbacks {
    feed: Arc<Feed>,
    courier: Courier,
    rules: Rules,
    clock: Arc<dyn Clock>,
    told: Mutex<HashMap<AppName, (CallbackTarget, DropGuard)>>,
}

impl Callbacks {
    /// Tells nobody yet. The feed has what has to be told, and the rules say whose URLs may be shown.
    pub fn new(feed: Arc<Feed>, courier: Courier, rules: Rules, clock: Arc<dyn Clock>) -> Self {
        Self {
            feed,
            courier,
            rules,
            clock,
            told: Mutex::default(),
        }
    }

    /// Tells these from now on. Who was told before, and is to be told the same way, notices nothing.
    pub fn tell(&self, targets: Vec<CallbackTarget>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *told);
        for target in targets {
            let entry = match before.remove(&target.app) {
                Some((standing, guard)) if standing == target => (standing, guard),
                // What the one before still has to tell is sent without pauses.
                _ => (target.clone(), self.begin(target.clone())),
            };
            told.insert(target.app, entry);
        }
    }

    fn begin(&self, target: CallbackTarget) -> DropGuard {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let mut changes = self.feed.reader();
        let (rules, clock) = (self.rules.clone(), Arc::clone(&self.clock));
        let delivery = self.courier.deliver_to(Destination {
            url: target.url.clone(),
            retries: Retries::Steps(VENDOR_STEPS),
        });
        self.courier.run(async move {
            let mut story = Story::new(target.app.clone(), changes.era());
            loop {
                let read = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    read = changes.next() => read,
                };
                let change = match read {
                    Read::Change(change) => change,
                    Read::Missed { .. } => continue,
                    Read::End => return,
                };
                if let Some((event, members)) = story.tell(&change, &rules) {
                    delivery
                        .send(Callback {
                            event,
                            app_id: target.app_id,
                            secret: target.secret.clone(),
                            clock: Arc::clone(&clock),
                            members,
                        })
                        .await;
                }
            }
        });
        guard
    }
}

/// One callback; what is signed is made anew at each try.
struct Callback {
    event: &'static str,
    app_id: u32,
    secret: Secret,
    clock: Arc<dyn Clock>,
    members: Map<String, Value>,
}

impl Message for Callback {
    fn name(&self) -> &str {
        self.event
    }

    fn shape(&self, _: u32) -> Shaped {
        let timestamp = self.clock.now().unix_timestamp().to_string();
        let nonce = random_number().to_string();
        let signature = sign_callback(&self.secret, &timestamp, &nonce);
        let mut body = Map::new();
        for (name, value) in [
            ("event", self.event.to_owned()),
            ("appid", self.app_id.to_string()),
            ("timestamp", timestamp),
            ("nonce", nonce),
            ("signature", signature),
        ] {
            body.insert(name.to_owned(), value.into());
        }
        body.extend(self.members.clone());
        Shaped::json(Value::Object(body).to_string())
    }
}
