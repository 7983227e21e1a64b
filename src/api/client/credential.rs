//! What a client shows: a signature, a login token, or the app's client secret itself.

use axum::http::HeaderValue;
use md5::{Digest, Md5};

use super::token;
use super::wire::Wish;
use crate::api::zego::{Account, Code, Refusal};
use crate::secret::{Secret, is_same};

/// How far a client's clock may be off, in either direction, in seconds; exactly this much still passes.
const TIMESTAMP_TOLERANCE_SECONDS: u64 = 600;

/// For how many seconds before its request a client may have fetched its signature, which is about a second of its own.
const SIGNED_BEFORE_SECONDS: i64 = 60;

/// By how many seconds the signer's clock may be ahead of the client's.
const SIGNED_AFTER_SECONDS: i64 = 1;

/// All that a client shows. One thing that is right is enough: programs sign out of habit, and have the token of their login as well.
pub(super) struct Shown<'a> {
    signature: Option<(&'a Secret, i64)>,
    token: Option<&'a Secret>,
    client_secret: Option<&'a str>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(wish: &'a Wish, bearer: Option<&'a HeaderValue>) -> Self {
        Self {
            signature: wish.signature.as_ref().zip(wish.timestamp),
            token: wish.token.as_ref(),
            client_secret: bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer ")),
        }
    }

    /// Whether it lets its client change the relays of this stream, at `now` in Unix seconds. Whatever is wrong with it, the answer
    /// is the same.
    pub(super) fn check(&self, account: &Account, stream: &str, now: i64) -> Result<(), Refusal> {
        let secret = account.client_secret.as_ref();
        let is_signed = self
            .signature
            .zip(secret)
            .is_some_and(|((signature, at), secret)| {
                now.abs_diff(at) <= TIMESTAMP_TOLERANCE_SECONDS
                    && is_signed(account.app_id, at, secret, signature)
            });
        let knows_secret = self.client_secret.zip(secret);
        let permitted = is_signed
            || knows_secret.is_some_and(|(shown, secret)| secret.matches(shown))
            || self
                .token
                .is_some_and(|token| token::permits(token, account, stream, now));
        match permitted {
            true => Ok(()),
            false => Err(refused()),
        }
    }
}

pub(super) fn refused() -> Refusal {
    let why = "the signature, token or client secret is missing, wrong, too old, or not for this app and stream";
    Refusal::new(Code::AuthenticationFailed, why)
}

/// `md5(appID + seconds + secret)` in lower-case hex.
pub fn sign(app_id: u32, timestamp: i64, secret: &Secret) -> String {
    let mut digest = Md5::new();
    digest.update(app_id.to_string());
    digest.update(timestamp.to_string());
    digest.update(secret.expose());
    hex::encode(digest.finalize())
}

/// Whether the signature is about a second close to the request's. All of them are looked at, whichever it is.
fn is_signed(app_id: u32, timestamp: i64, secret: &Secret, signature: &Secret) -> bool {
    let seconds = timestamp.saturating_sub(SIGNED_BEFORE_SECONDS)
        ..=timestamp.saturating_add(SIGNED_AFTER_SECONDS);
    let shown = signature.expose();
    let matches = seconds.map(|second| is_same(&sign(app_id, second, secret), shown));
    matches.fold(false, |any, one| any | one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::AppName;

    const NOW: i64 = 1_761_955_200;
    const CLIENT_SECRET: &str = "fedcba9876543210fedcba9876543210";

    fn nothing() -> Shown<'static> {
        Shown {
            signature: None,
            token: None,
            client_secret: None,
        }
    }

    fn account() -> Account {
        let app = AppName::parse("live").unwrap();
        let mut account = Account::new(app, 1_234_567_890, Secret::new("server secret"));
        account.client_secret = Some(Secret::new(CLIENT_SECRET));
        account
    }

    fn passes(shown: &Shown<'_>, now: i64) -> bool {
        shown.check(&account(), "s", now).is_ok()
    }

    #[test]
    fn a_signature_is_about_a_second_close_to_the_requests() {
        let secret = account().client_secret.unwrap();
        for (signed, timestamp, now, expected) in [
            (NOW, NOW, NOW, true),
            (NOW - 60, NOW, NOW, true),
            (NOW - 61, NOW, NOW, false),
            (NOW + 1, NOW, NOW, true),
            (NOW + 2, NOW, NOW, false),
            (NOW, NOW, NOW + 600, true),
            (NOW, NOW, NOW + 601, false),
            (NOW, NOW, NOW - 601, false),
        ] {
            let signature = Secret::new(sign(1_234_567_890, signed, &secret));
            let shown = Shown {
                signature: Some((&signature, timestamp)),
                ..nothing()
            };
            assert_eq!(passes(&shown, now), expected, "{signed} {timestamp} {now}");
        }
        let upper = sign(1_234_567_890, NOW, &secret).to_uppercase();
        for wrong in [
            upper,
            sign(1_234_567_891, NOW, &secret),
            sign(1_234_567_890, NOW, &Secret::new("server secret")),
            String::new(),
        ] {
            let wrong = Secret::new(wrong);
            let mut shown = nothing();
            shown.signature = Some((&wrong, NOW));
            assert!(!passes(&shown, NOW));
            // Something else that is right makes up for it.
            shown.client_secret = Some(CLIENT_SECRET);
            assert!(passes(&shown, NOW));
        }
    }

    #[test]
    fn the_client_secret_itself_passes_where_there_is_one() {
        let with = |secret| Shown {
            client_secret: Some(secret),
            ..nothing()
        };
        assert!(passes(&with(CLIENT_SECRET), NOW));
        assert!(!passes(&with("server secret"), NOW));
        assert!(!passes(&nothing(), NOW));
        let mut without = account();
        without.client_secret = None;
        for secret in ["", CLIENT_SECRET] {
            assert!(with(secret).check(&without, "s", NOW).is_err());
        }
    }
}
