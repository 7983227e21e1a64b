//! Admission that hears nobody out who has shown too many wrong keys.

use std::sync::Arc;

use std::net::SocketAddr;

use futures::future::BoxFuture;

use super::admission::{Admission, PublishAttempt, Refused, Verdict};
use super::outcome::NotPublished;
use crate::net::tries::FailedTries;
use crate::rule::PushRefused;

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

    fn judge_push(
        &self,
        peer: SocketAddr,
        found: Result<(), PushRefused>,
    ) -> Result<(), NotPublished> {
        let address = peer.ip().to_canonical();
        let has_to_wait = self.tries.wait(address).is_some();
        let is_wrong = found == Err(PushRefused::Token);
        if has_to_wait && (is_wrong || !address.is_loopback()) {
            return Err(Refused::TooOften.into());
        }
        if is_wrong {
            self.tries.failed(address);
        }
        self.admission.judge_push(peer, found)
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
    use crate::rule::{AppName, StreamKey, signed_query};
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
    async fn tokens_of_push_urls_are_guessed_no_more_often_than_keys() {
        let limited = limited();
        let judged = |peer: &str, found| {
            let told = limited.judge_push(peer.parse().unwrap(), found);
            told.map_err(|why| why.to_string())
        };
        let (wrong, expired) = (Err(PushRefused::Token), Err(PushRefused::Expired));
        let too_often = Err(Refused::TooOften.to_string());
        // Who comes late has guessed nothing.
        for _ in 0..10 {
            assert_ne!(judged("192.0.2.1:1000", expired), too_often);
        }
        for from in ["192.0.2.1", "127.0.0.1"] {
            for port in 1000..1003 {
                let told = judged(&format!("{from}:{port}"), wrong);
                assert_eq!(told, Err(PushRefused::Token.to_string()));
            }
            assert_eq!(judged(&format!("{from}:1003"), wrong), too_often);
        }
        assert_eq!(judged("192.0.2.1:1004", Ok(())), too_often);
        assert_eq!(judged("127.0.0.1:1004", Ok(())), Ok(()));
        assert_eq!(judged("192.0.2.2:1000", Ok(())), Ok(()));
        // A key from there is not heard either: it is one count.
        let told = super::tests::judged(&limited, "192.0.2.1:1005", "live", "a?key=k").await;
        assert_eq!(told, Some(Refused::TooOften));
        tokio::time::advance(WINDOW).await;
        assert_eq!(judged("192.0.2.1:1006", Ok(())), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn signatures_are_guessed_no_more_often_than_keys() {
        let auth = PublishAuth::Signed(vec!["secret".into()]);
        let limited = Limited {
            admission: Arc::new(Apps::new([(AppName::live(), auth)])),
            tries: Arc::new(FailedTries::new(3)),
        };
        let stream = StreamKey::parse("live", "a").unwrap();
        let query = |expires| format!("a?{}", signed_query(&"secret".into(), &stream, expires));
        let (good, late) = (query(u64::from(u32::MAX)), query(1));
        let guesser = "192.0.2.1:1000";
        for _ in 0..10 {
            let told = judged(&limited, guesser, "live", &late).await;
            assert_eq!(told, Some(Refused::Expired), "it has guessed nothing");
        }
        for _ in 0..3 {
            let told = judged(&limited, guesser, "live", &good.replace("sign=", "sign=0")).await;
            assert_eq!(told, Some(Refused::WrongKey));
        }
        let told = judged(&limited, guesser, "live", &good).await;
        assert_eq!(told, Some(Refused::TooOften));
        assert_eq!(judged(&limited, "192.0.2.2:1", "live", &good).await, None);
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
