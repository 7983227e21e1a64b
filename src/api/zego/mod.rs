//! The ZEGO door: the actions of the vendor's server API, version 2, that a relay's user combines.
//!
//! A caller signs each request with its app's secret and gets HTTP status 200 with a code in the body, whatever the outcome.
//! `docs/zego.md` says what holds where the vendor's documents are silent.

mod action;
mod address;
mod answer;
mod call;
mod callbacks;
mod dispatch;
mod limits;
mod parameters;
mod rate;
mod relays;
mod replay;
mod sequence;
mod signature;
mod stream_id;
mod streams;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::{IntoResponse, Response};
use serde_json::Value;

pub(super) use action::Action;
pub use answer::Code;
pub(super) use answer::Refusal;
pub(super) use call::is_enabled;
pub use callbacks::{CallbackTarget, Callbacks, sign_callback};
pub(super) use rate::Rates;
pub(super) use relays::{Relays, Wish};
pub use signature::sign;
pub(super) use stream_id::{
    Characters, environment_of, parse as parse_stream_id, without_test_prefix,
};

use self::answer::Answer;
use self::call::Call;
use self::parameters::Parameters;
use super::Doors;
use super::problem::Problem;
use super::server::AllowedHosts;
use crate::control::{AppName, UrlTemplate};
use crate::secret::Secret;

/// What the configuration says about this door.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The apps that it opens.
    pub accounts: Vec<Account>,
    /// The only hosts under which it answers; empty: all under which the gateway does.
    pub hosts: AllowedHosts,
    /// Whether a `StreamId` may have the documented characters only.
    pub strict_stream_ids: bool,
    /// Whether a signature counts once.
    pub refuse_replays: bool,
    /// Where publishers reach the gateway, as `rtmp://host:port`, where that is known.
    pub publish_server: Option<String>,
}

impl Settings {
    /// What a `StreamId` may be made of.
    pub(super) fn characters(&self) -> Characters {
        match self.strict_stream_ids {
            true => Characters::Documented,
            false => Characters::Wide,
        }
    }
}

/// One app as the vendor's callers know it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The RTMP application that its streams are published to.
    pub app: AppName,
    /// The vendor's number for it.
    pub app_id: u32,
    /// What its callers sign with; any text.
    pub server_secret: Secret,
    /// Which of the vendor's environments it has.
    pub environments: Environments,
    /// Where a stream goes whose relay names no address.
    pub default_cdn: Option<UrlTemplate>,
    /// What its clients sign with; none where they cannot.
    pub client_secret: Option<Secret>,
    /// What a publisher has to show, for push URLs that are handed out.
    pub credential: PublishCredential,
}

/// What a push URL that is handed out has behind the stream's name.
#[derive(Clone, Debug)]
pub enum PublishCredential {
    /// Nothing: the app is open, or its hook says what it wants to see.
    None,
    /// This key.
    Key(Secret),
    /// A signature by this secret, for two hours.
    Signed(Secret),
}

impl Account {
    /// An account with both environments, and nothing that is optional.
    pub fn new(app: AppName, app_id: u32, server_secret: Secret) -> Self {
        Self {
            app,
            app_id,
            server_secret,
            environments: Environments::default(),
            default_cdn: None,
            client_secret: None,
            credential: PublishCredential::None,
        }
    }
}

/// The environments of an app. Streams of the test environment carry a prefix in their names, so both may share one RTMP
/// application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Environments {
    /// Calls without `IsTest`, or with `IsTest=false`.
    pub production: bool,
    /// Calls with `IsTest=true`.
    pub test: bool,
}

impl Default for Environments {
    fn default() -> Self {
        Self {
            production: true,
            test: true,
        }
    }
}

/// Which environment a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Environment {
    Production,
    Test,
}

/// The door, and what it remembers of each app's callers.
pub(super) struct Door {
    doors: Doors,
    /// One entry per configured app that was ever called.
    ledgers: Mutex<HashMap<u32, Arc<Ledger>>>,
}

/// What is remembered of one app's callers.
#[derive(Default)]
struct Ledger {
    rates: Mutex<rate::Rates>,
    replays: Mutex<replay::Replays>,
    /// Held from the check of a sequence number until its call is carried out, so that an app's calls count in one order.
    sequences: tokio::sync::Mutex<sequence::Sequences>,
}

impl Door {
    pub(super) fn new(doors: &Doors) -> Self {
        Self {
            doors: doors.clone(),
            ledgers: Mutex::default(),
        }
    }

    /// Answers one request: the host that it names, the raw query, and the body, which is empty for a GET.
    pub(super) async fn answer(&self, host: Option<&str>, query: &str, body: &[u8]) -> Response {
        let outcome = self.carry_out(host, query, body).await;
        Answer::from(outcome).into_response()
    }

    async fn carry_out(
        &self,
        host: Option<&str>,
        query: &str,
        body: &[u8],
    ) -> Result<Value, Refusal> {
        let settings = self.doors.settings.load_full();
        let settings = &settings.zego;
        if !settings.hosts.is_empty() && !host.is_some_and(|host| settings.hosts.has(host)) {
            let why = "this gateway does not answer under the host that the request names";
            return Err(Refusal::new(Code::HostWrong, why));
        }
        let parameters = Parameters::read(query, body)?;
        let now = self.doors.clock.now();
        let call = Call::check(&parameters, settings, now)?;
        let ledger = self.ledger(call.account.app_id);
        if settings.refuse_replays {
            lock(&ledger.replays).note(call.nonce, call.timestamp, now.unix_timestamp())?;
        }
        let call = call.in_environment(&parameters)?;
        let elapsed = self.doors.clock.elapsed();
        lock(&ledger.rates).count(call.environment, call.action, elapsed)?;
        match call.action {
            Action::Create | Action::Delete | Action::Clear => {
                relays::run(&self.doors, &ledger, &call, &parameters).await
            }
            Action::Dispatch | Action::DispatchHost => {
                let server = settings.publish_server.as_deref();
                dispatch::run(&call, &parameters, server, now.unix_timestamp())
            }
            Action::Describe | Action::Forbid | Action::Resume => {
                streams::run(&self.doors, &call, &parameters).await
            }
        }
    }

    fn ledger(&self, app_id: u32) -> Arc<Ledger> {
        lock(&self.ledgers).entry(app_id).or_default().clone()
    }
}

/// The answer to a body that is too long, too slow or cut off: it is as little an object as any other text that is none.
pub(super) fn unreadable(problem: &Problem) -> Response {
    let refusal = Refusal::new(Code::BodyUnreadable, problem.detail());
    Answer::from(Err(refusal)).into_response()
}

/// What a ledger holds is whole after every step, so a panic elsewhere leaves it as good as it was.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
