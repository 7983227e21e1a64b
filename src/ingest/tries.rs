//! Admission that hears nobody out who has shown too many wrong keys.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::admission::{Admission, PublishAttempt, Refused, Verdict};
use crate::net::tries::FailedTries;

/// Judges as another admission does, and refuses whoever has failed too often before it is asked.
///
/// Loopback is heard all the same, since everything behind a local proxy comes from there; once it has failed too often, its wrong
/// keys are all told the same.
pub struct Limited {
    /// Who judges.
    pub admission: Arc<dyn Admission>,
    /// Who has failed.
    pub tries: Arc<FailedTries>,
}

impl Admission for Limited {
    fn judge<'a>(&'a self, attempt: PublishAttempt<'a>) -> BoxFuture<'a, Verdict> {
        let address = attempt.peer.ip().to_canonical();
        let has_to_wait = self.tries.wait(address).is_some();
        Box::pin(async move {
            if has_to_wait && !address.is_loopback() {
                return Verdict::Refused(Refused::TooOften);
            }
            match self.admission.judge(attempt).await {
                Verdict::Refused(why) if has_to_wait && is_wrong(&why) => {
                    Verdict::Refused(Refused::TooOften)
                }
                verdict => {
                    if let Verdict::Refused(why) = &verdict
                        && is_wrong(why)
                    {
                        self.tries.failed(address);
                    }
                    verdict
                }
            }
        })
    }
}

/// Whether it was the credential that was wrong.
fn is_wrong(why: &Refused) -> bool {
    matches!(
        why,
        Refused::UnknownApp | Refused::WrongKey | Refused::Hook(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{Apps, PublishAuth};
    use crate::net::tries::WINDOW;
    use crate::rule::AppName;
    use crate::secret::Secret;

    fn limited() -> Limited {
        let auth = PublishAuth::Key(vec!["k".into()]);
        Limited {
            admission: Arc::new(Apps::new([(AppName::live(), auth)])),
            tries: Arc::new(FailedTries::new(3)),
        }
    }

    async fn judged(limited: &Limited, peer: &str, app: &str, name: &str) -> Option<Refused> {
        let attempt = PublishAttempt {
            app,
            name: &Secret::new(name),
            query: &Secret::default(),
            peer: peer.parse().unwrap(),
        };
        match limited.judge(attempt).await {
            Verdict::Allowed { .. } => None,
            Verdict::Refused(why) => Some(why),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_guesses_keys_is_not_heard_for_a_while() {
        let limited = limited();
        let guesser = "192.0.2.1:1000";
        let (wrong, app) = (Some(Refused::WrongKey), Some(Refused::UnknownApp));
        assert_eq!(judged(&limited, guesser, "live", "a?key=x").await, wrong);
        assert_eq!(judged(&limited, guesser, "dead", "a?key=x").await, app);
        assert_eq!(judged(&limited, guesser, "live", "a").await, wrong);
        let too_often = Some(Refused::TooOften);
        let same = "192.0.2.1:2000";
        assert_eq!(judged(&limited, same, "live", "a?key=k").await, too_often);
        assert_eq!(
            judged(&limited, "192.0.2.2:1", "live", "a?key=k").await,
            None
        );
        tokio::time::advance(WINDOW).await;
        assert_eq!(judged(&limited, same, "live", "a?key=k").await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn on_this_machine_the_right_key_is_always_taken() {
        let limited = limited();
        let here = "[::1]:1000";
        for _ in 0..3 {
            let told = judged(&limited, here, "live", "a?key=x").await;
            assert_eq!(told, Some(Refused::WrongKey));
        }
        let told = judged(&limited, here, "live", "a?key=x").await;
        assert_eq!(told, Some(Refused::TooOften));
        assert_eq!(judged(&limited, here, "live", "a?key=k").await, None);
    }
}
