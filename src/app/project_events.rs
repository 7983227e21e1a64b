//! Tells the service of an app what happens to its projects.

use crate::api::tencent::{event_body, event_signature};
use crate::config::Config;
use crate::control::{ProjectEvent, ProjectHappening, ProjectWatch};
use crate::notify::{Courier, Delivery, Destination, Message, Retries, Shaped, VENDOR_STEPS};
use crate::rule::{AppName, HttpUrl};
use crate::secret::Secret;
use arc_swap::ArcSwap;
use axum::http::{HeaderName, HeaderValue};
use std::collections::HashMap;
use std::sync::Arc;

const SIGNATURE: HeaderName = HeaderName::from_static("x-relay-signature");

/// Where the events of each app's projects go.
pub(super) struct ProjectEvents {
    courier: Courier,
    readers: ArcSwap<HashMap<AppName, Reader>>,
}

/// Whom an app's events are told, and what they are signed with.
#[derive(Clone)]
struct Reader {
    url: HttpUrl,
    key: Secret,
    delivery: Delivery,
}

impl ProjectEvents {
    /// Tells what `config` says.
    pub(super) fn new(courier: Courier, config: &Config) -> Arc<Self> {
        let events = Arc::new(Self {
            courier,
            readers: ArcSwap::default(),
        });
        events.configure(config);
        events
    }

    /// Tells what `config` says from now on. What waits for a URL that stays is delivered there in its order.
    pub(super) fn configure(&self, config: &Config) {
        let before = self.readers.load();
        let reader = |app: &crate::config::AppConfig| {
            let (url, key) = (app.events_url.clone()?.0, app.secret_key.clone()?);
            let standing = before.get(&app.name).filter(|reader| reader.url == url);
            let delivery = match standing {
                Some(reader) => reader.delivery.clone(),
                None => self.courier.deliver_to(Destination {
                    url: url.clone(),
                    retries: Retries::Steps(VENDOR_STEPS),
                }),
            };
            Some((app.name.clone(), Reader { url, key, delivery }))
        };
        let readers = config.apps.iter().filter_map(reader).collect();
        self.readers.store(Arc::new(readers));
    }

    /// Stops telling, so that a drain comes to its end.
    pub(super) fn close(&self) {
        self.readers.store(Arc::default());
    }

    /// What the project service is given. A message that finds no room is dropped and counted: an event holds up nobody.
    pub(super) fn watch(self: &Arc<Self>) -> ProjectWatch {
        let events = Arc::clone(self);
        Arc::new(move |event| {
            if let Some(reader) = events.readers.load().get(&event.project.app) {
                reader.delivery.offer(Told::new(&event, &reader.key));
            }
        })
    }
}

/// An event, as it is posted at every try.
struct Told {
    name: &'static str,
    body: String,
    signature: Option<HeaderValue>,
}

impl Told {
    fn new(event: &ProjectEvent, key: &Secret) -> Self {
        let body = event_body(event);
        Self {
            name: match event.happening {
                ProjectHappening::Working => "project_working",
                ProjectHappening::Stopped => "project_stopped",
                ProjectHappening::InputInterrupted(_) => "project_input_interrupted",
                ProjectHappening::OutputInterrupted(_) => "project_output_interrupted",
            },
            signature: HeaderValue::from_str(&event_signature(&body, key)).ok(),
            body,
        }
    }
}

impl Message for Told {
    fn name(&self) -> &str {
        self.name
    }

    fn shape(&self, _attempt: u32) -> Shaped {
        let signature = self.signature.clone();
        Shaped {
            body: self.body.clone(),
            headers: signature
                .into_iter()
                .map(|value| (SIGNATURE, value))
                .collect(),
        }
    }
}
