//! Rules for one publish: a publish hook names them when it lets somebody in, and they end with the stream.
//!
//! They are rules of the API's like any other, but that no store keeps them: after a crash nobody would take them back. What a hook says
//! waits until its publisher's start is in the feed; then the stream has exactly these rules from the hook, also where another
//! publisher has taken it over. A rule that stood there before is nobody's loan, and stays.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::outcome::{NewRule, RuleOptions};
use super::rules::Rules;
use crate::rule::{Origin, RuleId, StreamKey, StreamPattern, UrlTemplate};
use crate::telemetry::feed::{PublishChange, Read, Reader, StreamChange, What};

/// Answers of hooks whose publishers have not begun yet; the oldest one goes. A publisher begins within seconds of its answer, or not at
/// all.
pub const PENDING_LOANS_MAX: usize = 4096;

/// Rules that one answer may name.
pub const LENT_RULES_MAX: usize = 20;

/// One rule that a hook wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loan {
    /// Where to.
    pub url: UrlTemplate,
    /// Where to while that fails.
    pub backup_url: Option<UrlTemplate>,
}

/// What hooks have said about publishers that have not begun yet. Shared by all hooks.
#[derive(Debug, Default)]
pub struct PendingLoans(Mutex<VecDeque<Pending>>);

#[derive(Debug)]
struct Pending {
    stream: StreamKey,
    peer: SocketAddr,
    loans: Vec<Loan>,
}

impl PendingLoans {
    /// A hook has let this publisher in, with these rules.
    pub(super) fn push(&self, stream: StreamKey, peer: SocketAddr, loans: Vec<Loan>) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() >= PENDING_LOANS_MAX {
            pending.pop_front();
        }
        pending.push_back(Pending {
            stream,
            peer,
            loans,
        });
    }

    /// The publisher has begun. None where no hook was asked about it.
    fn take(&self, stream: &StreamKey, peer: SocketAddr) -> Option<Vec<Loan>> {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_its = |one: &Pending| one.peer == peer && one.stream == *stream;
        let place = pending.iter().rposition(is_its)?;
        pending.remove(place).map(|pending| pending.loans)
    }
}

/// Lends rules to streams as their publishers begin, and takes them back as the streams end, until the feed does.
pub async fn lend(
    rules: Rules,
    pending: Arc<PendingLoans>,
    mut feed: Reader,
    is_live: impl Fn(&StreamKey) -> bool + Send + Sync,
) {
    let mut lent: HashMap<StreamKey, Vec<RuleId>> = HashMap::new();
    loop {
        let change = match feed.next().await {
            Read::End => return,
            // What has begun meanwhile goes without its rules; what has ended gives them back.
            Read::Missed { .. } => {
                let gone: Vec<_> = lent.keys().filter(|key| !is_live(key)).cloned().collect();
                for stream in gone {
                    take_back(&rules, lent.remove(&stream)).await;
                }
                continue;
            }
            Read::Change(change) => change,
        };
        match &change.what {
            What::Publish {
                stream,
                peer,
                change: PublishChange::Started { .. },
                ..
            } => {
                let loans = pending.take(stream, *peer);
                let before = lent.remove(stream);
                if let Some(loans) = loans {
                    let now = lend_all(&rules, stream, loans, before.as_deref()).await;
                    let old = before.into_iter().flatten();
                    take_back(&rules, Some(old.filter(|id| !now.contains(id)).collect())).await;
                    if !now.is_empty() {
                        lent.insert(stream.clone(), now);
                    }
                } else if let Some(before) = before {
                    lent.insert(stream.clone(), before);
                }
            }
            // One that was published again at once has its rules by its own start.
            What::Stream {
                stream,
                change: StreamChange::Ended { .. },
            } if !is_live(stream) => take_back(&rules, lent.remove(stream)).await,
            _ => {}
        }
    }
}

/// Makes the rules that are not there; says which are on loan now, those from before among them.
async fn lend_all(
    rules: &Rules,
    stream: &StreamKey,
    loans: Vec<Loan>,
    before: Option<&[RuleId]>,
) -> Vec<RuleId> {
    let mut lent = Vec::new();
    for loan in loans {
        let made = rules.lend(NewRule {
            app: stream.app.clone(),
            stream: StreamPattern::literal(stream.name.clone()),
            url: loan.url,
            options: RuleOptions {
                backup_url: loan.backup_url,
                ..RuleOptions::default()
            },
            origin: Origin::Api,
        });
        match made.await {
            Ok(made) => {
                let id = &made.rule.id;
                let is_loan = !made.standing || before.is_some_and(|ids| ids.contains(id));
                if is_loan {
                    lent.push(id.clone());
                }
            }
            Err(error) => {
                tracing::warn!(%stream, %error, "a rule that the publish hook wants cannot be made");
            }
        }
    }
    lent
}

async fn take_back(rules: &Rules, ids: Option<Vec<RuleId>>) {
    for id in ids.into_iter().flatten() {
        // Somebody may have deleted it by a door.
        let _ = rules.delete(id, Origin::Api).await;
    }
}
