//! The ZEGO door: the relay actions of the vendor's server API, version 2.
//!
//! A caller signs each request with its app's secret and gets HTTP status 200 with a code in the body, whatever the outcome.
//! `docs/zego.md` says what holds where the vendor's documents are silent.

mod actions;
mod address;
mod answer;
mod call;
mod limits;
mod parameters;
mod rate;
mod sequence;
mod signature;
mod stream_id;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::{IntoResponse, Response};

pub use answer::Code;
pub use signature::sign;

use self::answer::{Answer, Refusal};
use self::call::Call;
use self::parameters::Parameters;
use super::Doors;
use crate::control::AppName;
use crate::secret::Secret;

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
enum Environment {
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

    /// Answers one request: the raw query, and the body, which is empty for a GET.
    pub(super) async fn answer(&self, query: &str, body: &[u8]) -> Response {
        let outcome = self.carry_out(query, body).await;
        Answer::from(outcome).into_response()
    }

    async fn carry_out(&self, query: &str, body: &[u8]) -> Result<(), Refusal> {
        let parameters = Parameters::read(query, body)?;
        let settings = self.doors.settings.load_full();
        let call = Call::check(&parameters, &settings.zego, self.doors.clock.now())?;
        let ledger = self.ledger(call.account.app_id);
        let now = self.doors.clock.elapsed();
        let counted = ledger
            .rates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count(call.environment, call.action, now);
        counted?;
        actions::run(&self.doors, &ledger, &call, &parameters).await
    }

    fn ledger(&self, app_id: u32) -> Arc<Ledger> {
        let mut ledgers = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        ledgers.entry(app_id).or_default().clone()
    }
}
