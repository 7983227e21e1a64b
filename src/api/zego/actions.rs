//! Creating and deleting relays.

use std::sync::Arc;
use std::time::Duration;

use super::address::{self, Address};
use super::answer::{Code, Refusal};
use super::call::{Action, Call};
use super::parameters::Parameters;
use super::{Ledger, stream_id};
use crate::api::Doors;
use crate::control::{
    ChangeError, CreateError, DeleteError, Expected, NewRule, Origin, Rule, RuleChange,
    RuleOptions, StreamKey, StreamName, StreamPattern, TargetRefused, UrlTemplate,
};

/// Checks an action's own parameters and carries it out.
pub(super) async fn run(
    doors: &Doors,
    ledger: &Ledger,
    call: &Call<'_>,
    parameters: &Parameters,
) -> Result<(), Refusal> {
    let stream = stream_id::parse(parameters.find("StreamId"), call.account, call.environment)?;
    let (address, url) = address::parse(parameters.filled("CDNUrl"), call.action)?;
    let mut sequences = ledger.sequences.lock().await;
    let now: Duration = doors.clock.elapsed();
    let number = sequences.check(stream.as_str(), parameters.find("Sequence"), now)?;
    let relay = Relay {
        doors,
        call,
        stream: &stream,
        address,
    };
    let done = match call.action {
        Action::Create => relay.create(url).await,
        Action::Delete => relay.delete().await,
    };
    // A refused call does not use up its number.
    if done.is_ok() {
        sequences.accept(stream.as_str(), number, now);
    }
    done
}

/// One stream and one address.
struct Relay<'a> {
    doors: &'a Doors,
    call: &'a Call<'a>,
    stream: &'a StreamName,
    address: Address,
}

impl Relay<'_> {
    /// A relay to an address that has one already takes over the new query; there is still one.
    async fn create(&self, url: UrlTemplate) -> Result<(), Refusal> {
        let standing = self.standing();
        if standing.iter().any(|rule| rule.url == url) {
            return Ok(());
        }
        if let Some(rule) = standing.first() {
            let change = RuleChange::to_url(url.clone());
            let changed = self
                .doors
                .rules
                .change(rule.id.clone(), change, Origin::Zego, Expected::Any)
                .await;
            match changed {
                // One that the configuration has serves as well.
                Ok(_) | Err(ChangeError::Exists(_)) => return Ok(()),
                // Somebody else deleted it in between.
                Err(ChangeError::NotFound) => {}
                Err(ChangeError::Refused(why)) => return Err(refused_target(&why)),
                Err(error) => return Err(internal(error)),
            }
        }
        let new = NewRule {
            app: self.call.account.app.clone(),
            stream: StreamPattern::literal(self.stream.clone()),
            url,
            options: RuleOptions::default(),
            origin: Origin::Zego,
        };
        match self.doors.rules.create(new).await {
            Ok(_) => Ok(()),
            Err(CreateError::Refused(why)) => Err(refused_target(&why)),
            Err(error @ CreateError::TooMany(_)) => {
                Err(Refusal::new(Code::InvalidRequest, error.to_string()))
            }
            Err(error @ (CreateError::NotStored(_) | CreateError::UnknownApp { .. })) => {
                Err(internal(error))
            }
        }
    }

    /// Deletes every relay to this address; that there is none is fine.
    async fn delete(&self) -> Result<(), Refusal> {
        let mut all_stored = true;
        for rule in self.standing() {
            match self.doors.rules.delete(rule.id.clone(), Origin::Zego).await {
                Ok(deleted) => all_stored &= deleted.stored,
                Err(DeleteError::NotFound | DeleteError::ReadOnly(_) | DeleteError::Stale(_)) => {}
                Err(error @ DeleteError::GivenUp(_)) => return Err(internal(error)),
            }
        }
        if all_stored {
            return Ok(());
        }
        let why = "the relay is stopped, but this is not stored yet; the gateway tries again";
        Err(Refusal::new(Code::Internal, why))
    }

    /// The relays of this stream to this address that callers of this door may change: its own, and those of the native door.
    fn standing(&self) -> Vec<Arc<Rule>> {
        let is_ours = |rule: &&Arc<Rule>| {
            matches!(rule.origin, Origin::Zego | Origin::Api)
                && rule.app == self.call.account.app
                && rule.stream.as_literal() == Some(self.stream)
                && self.leads_here(rule)
        };
        self.doors
            .rules
            .current()
            .iter()
            .filter(is_ours)
            .cloned()
            .collect()
    }

    fn leads_here(&self, rule: &Rule) -> bool {
        let key = StreamKey::new(rule.app.clone(), self.stream.clone());
        let filled = rule.url.fill(&key).ok();
        filled
            .and_then(|url| Address::of(url.expose()))
            .is_some_and(|there| there == self.address)
    }
}

fn refused_target(why: &TargetRefused) -> Refusal {
    Refusal::new(Code::AddressRefused, format!("CDNUrl: {why}"))
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::Internal, error.to_string())
}
