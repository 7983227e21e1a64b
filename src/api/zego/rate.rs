//! How often one app may call.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::Environment;
use super::action::Action;
use super::answer::{Code, Refusal};

use super::limits::RATE_WINDOW;

/// The last calls of one app, per environment and action. Every call with a valid signature counts, one that is refused for
/// its rate too.
#[derive(Debug, Default)]
pub(crate) struct Rates(HashMap<(Environment, Action), VecDeque<Duration>>);

impl Rates {
    /// Counts a call at `now`; refuses it where there were as many before it within the window as there may be.
    pub(crate) fn count(
        &mut self,
        environment: Environment,
        action: Action,
        now: Duration,
    ) -> Result<(), Refusal> {
        let most = action.rate(environment);
        let calls = self.0.entry((environment, action)).or_default();
        calls.push_back(now);
        // The oldest of these is the only one that decides.
        let oldest = if calls.len() > most {
            calls.pop_front()
        } else {
            None
        };
        match oldest {
            Some(oldest) if now.saturating_sub(oldest) < RATE_WINDOW => {
                let why = format!("more than {most} calls of this Action in one second");
                Err(Refusal::new(Code::TooFrequent, why))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_window_slides() {
        let mut rates = Rates::default();
        let mut call = |at| {
            rates
                .count(Environment::Production, Action::Create, ms(at))
                .is_ok()
        };
        assert!((0..10).all(|i| call(i * 10)));
        assert!(!call(100));
        assert!(!call(999));
        // The calls at 0 .. 90 are over, those at 100 and 999 count, though they were refused.
        assert!((0..8).all(|i| call(1090 + i)));
        assert!(!call(1099));
        assert!(call(1999));
    }

    #[test]
    fn environments_and_actions_are_counted_apart() {
        let mut rates = Rates::default();
        for environment in [Environment::Production, Environment::Test] {
            for (action, production, test) in [
                (Action::Create, 10, 5),
                (Action::Delete, 10, 5),
                (Action::Clear, 10, 5),
                (Action::Dispatch, 40, 40),
                (Action::DispatchHost, 40, 40),
                (Action::Describe, 40, 10),
                (Action::Forbid, 20, 5),
                (Action::Resume, 20, 5),
            ] {
                let most = match environment {
                    Environment::Production => production,
                    Environment::Test => test,
                };
                let passed = (0..60).filter(|_| rates.count(environment, action, ms(5)).is_ok());
                assert_eq!(passed.count(), most);
            }
        }
    }

    proptest! {
        #[test]
        fn no_second_holds_more_than_it_may(gaps in proptest::collection::vec(0..300_u64, 1..200)) {
            let mut rates = Rates::default();
            let (mut now, mut passed) = (0, Vec::new());
            for gap in gaps {
                now += gap;
                if rates.count(Environment::Test, Action::Delete, ms(now)).is_ok() {
                    passed.push(now);
                }
            }
            for (i, at) in passed.iter().enumerate() {
                prop_assert!(passed.iter().skip(i).take_while(|&later| later - at < 1000).count() <= 5);
            }
        }
    }
}
