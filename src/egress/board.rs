//! Which pushes there are, and who of them has which URL.

use super::plan::PushId;
use super::status::PushStatus;
use crate::rule::TargetUrl;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// All pushes of the gateway, by id, and who of them has which URL: two at one would look to its CDN like a thief and his victim.
#[derive(Debug, Default)]
pub struct Board {
    pushes: Mutex<BTreeMap<PushId, Arc<PushStatus>>>,
    /// How often a push has gone to its other URL. Written under the lock.
    switches: AtomicU64,
    switched: Notify,
}

impl Board {
    /// Every push that runs, waits for its next attempt, or has failed while its stream is live; the oldest first.
    pub fn pushes(&self) -> Vec<(PushId, Arc<PushStatus>)> {
        let lock = self.lock();
        let each = lock.iter().map(|(id, push)| (*id, Arc::clone(push)));
        each.collect()
    }

    /// Takes a new push, which was planned when pushes had switched so often; `false` where one has switched since, perhaps to its URL.
    pub(super) fn add(&self, push: PushId, status: Arc<PushStatus>, switches: u64) -> bool {
        let mut pushes = self.lock();
        let is_up_to_date = self.switches() == switches;
        if is_up_to_date {
            pushes.insert(push, status);
        }
        is_up_to_date
    }

    /// How often a push has gone to its other URL: what was planned before the last time may not hold any more.
    pub(super) fn switches(&self) -> u64 {
        self.switches.load(Ordering::Acquire)
    }

    /// Whether a push has another URL that it could go to.
    pub(super) fn may_switch(&self, push: PushId) -> bool {
        with_free_place(&self.lock(), push).is_some()
    }

    /// Sends a push to its other URL, for a reason in words for an operator; `false` where it has none, or another push has that.
    pub(super) fn switch(&self, push: PushId, why: &str) -> bool {
        let pushes = self.lock();
        let Some(status) = with_free_place(&pushes, push) else {
            return false;
        };
        status.switch(why);
        self.switches.fetch_add(1, Ordering::Release);
        self.switched.notify_one();
        true
    }

    /// Gives a push other URLs for its next attempt; `false` where it cannot go on as it is.
    pub(super) fn readdress(
        &self,
        push: PushId,
        main: TargetUrl,
        backup: Option<TargetUrl>,
    ) -> bool {
        let pushes = self.lock();
        let status = pushes.get(&push);
        status.is_some_and(|status| status.readdress(main, backup))
    }

    /// Waits until a push has left a URL for its other one: there may be another plan. For one waiter.
    pub(super) async fn switched(&self) {
        self.switched.notified().await;
    }

    pub(super) fn remove(&self, push: PushId) {
        self.lock().remove(&push);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PushId, Arc<PushStatus>>> {
        self.pushes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A push that has another URL which no other push is at, or returns to.
fn with_free_place(
    pushes: &BTreeMap<PushId, Arc<PushStatus>>,
    push: PushId,
) -> Option<&PushStatus> {
    let status = pushes.get(&push)?;
    let url = status.other_url()?;
    let mut others = pushes.iter().filter(|(id, _)| **id != push);
    let is_free = others.all(|(_, other)| !other.is_to(&url));
    is_free.then_some(status.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Role, RuleId, StreamKey};

    fn url(text: &str) -> TargetUrl {
        TargetUrl::parse(text).unwrap()
    }

    /// A push of that number to a URL, with a backup.
    fn push(number: u64, main: &str, backup: &str) -> (PushId, Arc<PushStatus>) {
        let rule = RuleId::from_random(number.to_be_bytes());
        let stream = StreamKey::parse("live", "cam").unwrap();
        let status = PushStatus::new(rule, stream, url(main)).with_backup(Some(url(backup)));
        (PushId(number), Arc::new(status))
    }

    #[test]
    fn no_url_has_two_pushes() {
        let board = Board::default();
        let (one, status) = push(1, "rtmp://a/app/x", "rtmp://b/app/x");
        assert!(board.add(one, Arc::clone(&status), board.switches()));
        let planned = board.switches();
        assert!(board.may_switch(one) && board.switch(one, ""));
        assert_eq!(*status.url(), url("rtmp://b/app/x"));
        // What was planned before that may be for the very URL.
        let (two, other) = push(2, "rtmp://b/app/x", "rtmp://a/app/x");
        assert!(!board.add(two, Arc::clone(&other), planned));
        assert!(board.switch(one, ""), "back again");
        assert!(board.add(two, other, board.switches()));
        // Each has the other's URL as its backup: neither may go there.
        assert!(!board.may_switch(one) && !board.switch(one, "") && !board.switch(two, ""));
        board.remove(two);
        assert!(board.switch(one, ""));
        assert!(status.is_to(&url("rtmp://a/app/x")), "it returns there");
    }

    #[test]
    fn a_push_at_its_backup_cannot_take_another_one() {
        let board = Board::default();
        let (one, status) = push(1, "rtmp://a/app/x?t=1", "rtmp://b/app/x");
        assert!(board.add(one, Arc::clone(&status), 0));
        let (main, backup) = (url("rtmp://a/app/x?t=2"), url("rtmp://c/app/x"));
        assert!(board.readdress(one, main.clone(), Some(backup.clone())));
        assert_eq!(*status.url(), main);
        assert!(board.switch(one, ""));
        assert!(!board.readdress(one, main.clone(), None));
        assert!(!board.readdress(one, main, Some(url("rtmp://d/app/x"))));
        let newer = url("rtmp://a/app/x?t=3");
        assert!(board.readdress(one, newer.clone(), Some(backup.clone())));
        assert_eq!((&*status.url(), &*status.main_url()), (&backup, &newer));
        assert_eq!(status.role(), Some(Role::Backup));
    }
}
