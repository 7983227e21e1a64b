//! A stream's relays: made, ended, and forgotten.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::action::Action;
use super::address::{self, Address};
use super::answer::{Code, Refusal};
use super::call::Call;
use super::parameters::Parameters;
use super::{Account, Ledger, stream_id};
use crate::api::Doors;
use crate::control::{
    ChangeError, CreateError, DeleteError, Expected, NewRule, Origin, Rule, RuleChange,
    RuleOptions, StreamKey, StreamName, StreamPattern, TargetRefused, TargetState, UrlTemplate,
};

/// Checks an action's own parameters and carries it out.
pub(super) async fn run(
    doors: &Doors,
    ledger: &Ledger,
    call: &Call<'_>,
    parameters: &Parameters,
) -> Result<Value, Refusal> {
    let stream = stream_id::read(call, parameters)?;
    let relays = Relays {
        doors,
        account: call.account,
        stream: &stream,
    };
    let url = parameters.filled("CDNUrl").map(str::to_owned);
    let wish = match call.action {
        Action::Create => {
            let url = url.or_else(|| relays.default_cdn());
            Wish::create(url.as_deref())?
        }
        Action::Delete => Wish::delete(url.as_deref())?,
        _ => Wish::Clear,
    };
    let mut sequences = ledger.sequences.lock().await;
    let now: Duration = doors.clock.elapsed();
    let number = sequences.check(stream.as_str(), parameters.find("Sequence"), now)?;
    relays.carry_out(wish).await?;
    // A refused call does not use up its number.
    sequences.accept(stream.as_str(), number, now);
    Ok(Value::Null)
}

/// What shall become of a stream's relays.
pub(crate) enum Wish {
    Create(Address, UrlTemplate),
    Delete(Address),
    Clear,
}

impl Wish {
    /// Relays to an address, as it stands in a request.
    pub(crate) fn create(url: Option<&str>) -> Result<Self, Refusal> {
        let (address, url) = address::parse(url, Action::Create)?;
        Ok(Self::Create(address, url))
    }

    /// Ends the relay to an address, as it stands in a request.
    pub(crate) fn delete(url: Option<&str>) -> Result<Self, Refusal> {
        Ok(Self::Delete(address::parse(url, Action::Delete)?.0))
    }
}

/// The relays of one stream.
pub(crate) struct Relays<'a> {
    pub doors: &'a Doors,
    pub account: &'a Account,
    pub stream: &'a StreamName,
}

impl Relays<'_> {
    /// Does what is wished. What was so already is fine.
    pub(crate) async fn carry_out(&self, wish: Wish) -> Result<(), Refusal> {
        match wish {
            Wish::Create(address, url) => self.create(&address, url).await,
            Wish::Delete(address) => self.delete(self.to(&address)).await,
            Wish::Clear => self.delete(self.idle()).await,
        }
    }

    /// Where the app's streams go if nothing else is said.
    fn default_cdn(&self) -> Option<String> {
        let filled = self.account.default_cdn.as_ref()?.fill(&self.key());
        Some(filled.ok()?.expose().to_owned())
    }

    fn key(&self) -> StreamKey {
        StreamKey::new(self.account.app.clone(), self.stream.clone())
    }

    /// A relay to an address that has one already takes over the new query; there is still one. One that another door has switched
    /// off, or that has ended by itself, is in force again.
    async fn create(&self, address: &Address, url: UrlTemplate) -> Result<(), Refusal> {
        let now = self.doors.clock.now();
        let standing = self.to(address);
        let same = standing.iter().find(|rule| rule.url == url);
        if same.is_some_and(|rule| rule.is_active(now)) {
            return Ok(());
        }
        if let Some(rule) = same.or(standing.first()) {
            let change = RuleChange {
                enabled: Some(true),
                stop_at: rule.stop_at.filter(|at| *at <= now).map(|_| None),
                ..RuleChange::to_url(url.clone())
            };
            let changed = self
                .doors
                .rules
                .change(rule.id.clone(), change, Origin::Zego, Expected::Any)
                .await;
            match changed {
                Ok(_) => return Ok(()),
                // Somebody else deleted it in between; or the configuration has one, which may serve as well.
                Err(ChangeError::NotFound | ChangeError::Exists(_)) => {}
                Err(ChangeError::Refused(why)) => return Err(refused_target(&why)),
                Err(error) => return Err(internal(error)),
            }
        }
        let new = NewRule {
            app: self.account.app.clone(),
            stream: StreamPattern::literal(self.stream.clone()),
            url,
            options: RuleOptions::default(),
            origin: Origin::Zego,
        };
        match self.doors.rules.create(new).await {
            Ok(created) if !created.rule.is_active(now) => {
                let why = format!(
                    "there is a relay to this CDNUrl of origin {}, which is switched off or has ended, and only who made it can change it",
                    created.rule.origin
                );
                Err(Refusal::new(Code::InvalidRequest, why))
            }
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

    async fn delete(&self, rules: Vec<Arc<Rule>>) -> Result<(), Refusal> {
        let mut all_stored = true;
        for rule in rules {
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

    /// The relays to this address.
    fn to(&self, address: &Address) -> Vec<Arc<Rule>> {
        let mut standing = self.standing();
        standing.retain(|rule| self.leads_to(address, rule));
        standing
    }

    /// The relays that do not run: nobody publishes the stream, or the push has ended for good.
    fn idle(&self) -> Vec<Arc<Rule>> {
        let standing = self.standing();
        if standing.is_empty() {
            return standing;
        }
        let running = &self.doors.running;
        let (key, targets) = (self.key(), running.targets());
        let is_published = running.stream(&key).is_some();
        let runs = |rule: &Arc<Rule>| {
            let mut of_rule = targets.iter().filter(|target| target.rule == rule.id);
            of_rule.any(|target| match target.state {
                TargetState::Connecting | TargetState::Live | TargetState::BackingOff => true,
                TargetState::Waiting => is_published,
                TargetState::Failed | TargetState::Stopped => false,
            })
        };
        standing.into_iter().filter(|rule| !runs(rule)).collect()
    }

    /// The relays of this stream that callers of this door may change: its own, and those of the native door.
    fn standing(&self) -> Vec<Arc<Rule>> {
        let stream = StreamPattern::literal(self.stream.clone());
        let mut standing = self.doors.rules.at(&self.account.app, &stream);
        standing.retain(|rule| matches!(rule.origin, Origin::Zego | Origin::Api));
        standing
    }

    fn leads_to(&self, address: &Address, rule: &Rule) -> bool {
        let filled = rule.url.fill(&self.key()).ok();
        filled
            .and_then(|url| Address::of(url.expose()))
            .is_some_and(|there| there == *address)
    }
}

fn refused_target(why: &TargetRefused) -> Refusal {
    Refusal::new(Code::AddressRefused, format!("CDNUrl: {why}"))
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::Internal, error.to_string())
}
