//! What goes behind the stream's name at each connection of an attempt, where its CDN has a push authentication.

use super::attempt::Step;
use super::failure::Failure;
use crate::rtmp::session::Action;
use crate::rule::{AuthKey, CdnAuth, DomainAuth, Moment, TargetUrl};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a connection of an attempt goes.
#[derive(Clone, Debug)]
pub struct Place {
    /// The URL as it is sent, so with its token: not for showing.
    pub url: TargetUrl,
    /// Whether a token was added.
    pub is_signed: bool,
}

/// Signs the connections of one attempt.
pub(super) struct Signing {
    auth: Arc<CdnAuth>,
    /// What holds where the attempt has come to.
    domain: Option<DomainAuth>,
    key: AuthKey,
}

impl Signing {
    pub(super) fn new(auth: Arc<CdnAuth>) -> Self {
        Self {
            auth,
            domain: None,
            key: AuthKey::First,
        }
    }

    /// The place of a URL at this moment. A redirect to a host without an authentication of its own keeps that of the host which
    /// has sent us there: a CDN sends its pushers to its edges, which want to see the domain's token.
    pub(super) fn place(&mut self, url: &TargetUrl) -> Place {
        if let Some(domain) = self.auth.of(url.host()) {
            self.domain = Some(domain.clone());
        }
        let domain = self.domain.as_ref();
        let signed = domain.and_then(|domain| {
            let random = random();
            let moment = Moment {
                unix_seconds: unix_seconds(),
                random: &random,
            };
            domain.sign(url, self.key, moment)
        });
        Place {
            is_signed: signed.is_some(),
            url: signed.unwrap_or_else(|| url.clone()),
        }
    }

    /// Whether a refusal may be about the key, and there is another one; it is used from here on, from the first place on.
    pub(super) fn turns_to_backup_key(&mut self, place: &Place, step: Step, why: &Failure) -> bool {
        let has_backup = |domain: &DomainAuth| domain.backup_key.is_some();
        let turns = place.is_signed
            && self.key == AuthKey::First
            && step == Step::Publish
            && is_no(why)
            && self.domain.as_ref().is_some_and(has_backup);
        if turns {
            self.key = AuthKey::Backup;
            self.domain = None;
        }
        turns
    }
}

/// Whether the target has said no, in words or by closing; that somebody publishes there already is no word about the key.
fn is_no(why: &Failure) -> bool {
    match why {
        Failure::Refused(refused) => refused.action != Action::RetryBusy,
        Failure::Ended(_) | Failure::Closed(_) | Failure::Io(_) => true,
        _ => false,
    }
}

fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// Without entropy it is 0, which vendors' own examples have.
fn random() -> String {
    let mut bytes = [0_u8; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => hex::encode(bytes),
        Err(_) => "0".to_owned(),
    }
}
