//! How often one SecretId may call an action.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::call::Action;
use super::envelope::{Code, Refusal};
use super::limits::{RATE, RATE_WINDOW};

/// The last calls of each SecretId that is configured and was ever used, by action. Every call with a valid signature counts, one
/// that is refused for its rate too.
#[derive(Debug, Default)]
pub(super) struct Rates(HashMap<(String, Action), VecDeque<Duration>>);

impl Rates {
    /// Counts a call at `now`; refuses it where there were as many before it within the window as there may be.
    pub fn count(&mut self, secret_id: &str, action: Action, now: Duration) -> Result<(), Refusal> {
        let calls = self.0.entry((secret_id.to_owned(), action)).or_default();
        calls.push_back(now);
        // The oldest of these is the only one that decides.
        let oldest = match calls.len() > RATE {
            true => calls.pop_front(),
            false => None,
        };
        match oldest {
            Some(oldest) if now.saturating_sub(oldest) < RATE_WINDOW => {
                let why = format!("more than {RATE} calls of this Action in one second");
                Err(Refusal::new(Code::RequestLimitExceeded, why))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holds_twenty_of_an_action_and_a_secret_id() {
        let mut rates = Rates::default();
        let mut call = |id, action, ms| rates.count(id, action, Duration::from_millis(ms)).is_ok();
        for (id, action) in [
            ("a", Action::CreateProject),
            ("a", Action::DeleteProject),
            ("b", Action::CreateProject),
        ] {
            assert!((0..20).all(|at| call(id, action, at)));
            assert!(!call(id, action, 999));
        }
        // Those at 0 to 19 are over, the one at 999 counts, though it was refused.
        assert!((0..19).all(|at| call("a", Action::CreateProject, 1100 + at)));
        assert!(!call("a", Action::CreateProject, 1200));
    }
}
