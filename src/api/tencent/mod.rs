//! The Tencent door: the StreamConnect projects of the vendor's media engine (CME, version 2019-10-29).
//!
//! A caller signs each request with its app's key and gets HTTP status 200 with an envelope, whatever the outcome.
//! `docs/tencent.md` says what holds where the vendor's documents are silent.

mod actions;
mod call;
mod envelope;
mod event;
mod flat;
mod limits;
mod model;
mod rate;
mod signature;
mod view;

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use envelope::Code;
pub use event::{event_body, event_signature};

use self::actions::{Ground, Output};
use self::call::Call;
use self::envelope::Refusal;
use self::limits::LARGE_BODIES_MAX;
use self::signature::Received;
use super::server::limits::MAX_BODY_BYTES;
use super::{Doors, body};
use crate::control::AppName;
use crate::secret::Secret;

/// What the configuration says about this door.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The apps that it opens.
    pub accounts: Vec<Account>,
    /// `rtmp://host[:port]`, as publishers reach the gateway; without it, no push URL can be handed out.
    pub push_server: Option<String>,
    /// The names under which the gateway is known, which callers sign: a proxy may put another one in.
    pub public_names: Vec<String>,
}

/// One app as the vendor's callers know it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The RTMP application, and the tenant that its projects belong to.
    pub app: AppName,
    /// Who calls.
    pub secret_id: String,
    /// What its callers sign with.
    pub secret_key: Secret,
    /// The platform that its callers have to name; any where there is none.
    pub platform: Option<String>,
}

/// The door, and what it remembers of its callers.
pub(super) struct Door {
    doors: Doors,
    rates: Mutex<rate::Rates>,
    large_bodies: Arc<Semaphore>,
}

impl Door {
    pub(super) fn new(doors: &Doors) -> Self {
        Self {
            doors: doors.clone(),
            rates: Mutex::default(),
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES_MAX)),
        }
    }

    /// Reads a request's body, as long as it may be in its form.
    pub(super) async fn read(&self, head: &Parts, body: Body) -> Result<Arrived, Refusal> {
        let most = call::most_bytes(received(head, &[]));
        let turn = match says_small(head) {
            true => None,
            false => Arc::clone(&self.large_bodies).acquire_owned().await.ok(),
        };
        match body::read_up_to(body, most).await {
            Ok(bytes) => Ok(Arrived { bytes, _turn: turn }),
            Err(problem) if problem.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(call::too_long("body", most))
            }
            Err(_) => {
                let why = "the body did not arrive whole and in time";
                Err(Refusal::new(Code::InvalidParameter, why))
            }
        }
    }

    /// Answers a request.
    pub(super) async fn answer(&self, head: &Parts, body: Result<Arrived, Refusal>) -> Response {
        let outcome = match body {
            Ok(body) => self.carry_out(head, &body).await,
            Err(refusal) => Err(refusal),
        };
        envelope::answer(outcome)
    }

    async fn carry_out(&self, head: &Parts, body: &[u8]) -> Result<Output, Refusal> {
        let settings = self.doors.settings.load_full();
        let settings = &settings.tencent;
        let request = received(head, body);
        let (accounts, names) = (&settings.accounts, &settings.public_names);
        let call = Call::check(request, accounts, names, self.doors.clock.now())?;
        let now = self.doors.clock.elapsed();
        let counted = self
            .rates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count(&call.account.secret_id, call.action, now);
        counted?;
        let ground = Ground {
            doors: &self.doors,
            account: call.account,
            push_server: settings.push_server.as_deref(),
        };
        actions::run(&ground, &call).await
    }
}

/// A body that was read. While there is one, it counts against those that are large.
pub(super) struct Arrived {
    bytes: Bytes,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Deref for Arrived {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

fn received<'a>(head: &'a Parts, body: &'a [u8]) -> Received<'a> {
    Received {
        method: &head.method,
        uri: &head.uri,
        headers: &head.headers,
        body,
    }
}

/// Whether a request says that its body is one that any caller may send.
fn says_small(head: &Parts) -> bool {
    let length = head.headers.get(header::CONTENT_LENGTH);
    match length.map(|length| length.to_str().ok()?.parse::<usize>().ok()) {
        Some(Some(length)) => length <= MAX_BODY_BYTES,
        Some(None) => false,
        None => !head.headers.contains_key(header::TRANSFER_ENCODING),
    }
}
