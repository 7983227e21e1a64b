//! Signed publish URLs: whoever knows the app's secret lets somebody publish one stream until a moment.
//!
//! The query is `expires=UNIX_SECONDS&sign=HEX`, where the hex is the HMAC-SHA256 of `APP/STREAM?expires=UNIX_SECONDS` in lower case.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::keys::StreamKey;
use crate::secret::{Secret, is_same};

/// Why a query opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// It is not signed with one of the secrets, for this stream and this time.
    #[error("the signature is missing or wrong")]
    Wrong,
    /// It was good.
    #[error("the signed URL has expired")]
    Expired,
}

/// The query that lets somebody publish this stream up to and with the second `expires` (since 1970).
pub fn signed_query(secret: &Secret, stream: &StreamKey, expires: u64) -> String {
    format!("expires={expires}&sign={}", sign(secret, stream, expires))
}

/// Whether a publisher's query is signed with one of the secrets. `now` is in seconds since 1970. The time does not tell which secret
/// it was, nor how far a wrong signature is right.
///
/// # Errors
/// See [`SignatureFault`].
pub fn check_signed(
    secrets: &[Secret],
    stream: &StreamKey,
    query: &str,
    now: u64,
) -> Result<(), SignatureFault> {
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    };
    let (Some(expires), Some(shown)) = (value("expires"), value("sign")) else {
        return Err(SignatureFault::Wrong);
    };
    let seconds: u64 = expires.parse().map_err(|_| SignatureFault::Wrong)?;
    let mut is_good = false;
    for secret in secrets {
        let expected = sign(secret, stream, seconds);
        is_good |= is_same(&expected, shown);
    }
    match is_good {
        false => Err(SignatureFault::Wrong),
        true if now > seconds => Err(SignatureFault::Expired),
        true => Ok(()),
    }
}

fn sign(secret: &Secret, stream: &StreamKey, expires: u64) -> String {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
        return String::new();
    };
    let (app, name) = (stream.app.as_str(), stream.name.as_str());
    mac.update(format!("{app}/{name}?expires={expires}").as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cam() -> StreamKey {
        StreamKey::parse("live", "cam").unwrap()
    }

    #[test]
    fn a_signature_is_what_any_hmac_is() {
        // printf 'live/cam?expires=1767225600' | openssl dgst -sha256 -hmac secret
        let query = signed_query(&Secret::new("secret"), &cam(), 1_767_225_600);
        assert_eq!(
            query,
            "expires=1767225600&sign=2bcba812dc8a2920d9b8fd03a628d39f9b5d8a79b4d837c4c270790616a7d994"
        );
    }

    #[test]
    fn a_signed_query_opens_its_stream_until_its_time() {
        let (new, old) = (Secret::new("new"), Secret::new("old"));
        let both = [new.clone(), old.clone()];
        for secret in [&new, &old] {
            let query = signed_query(secret, &cam(), 100);
            for query in [query.clone(), format!("a=1&{query}&b=2")] {
                assert_eq!(check_signed(&both, &cam(), &query, 100), Ok(()));
                let expired = check_signed(&both, &cam(), &query, 101);
                assert_eq!(expired, Err(SignatureFault::Expired));
            }
        }
        let retired = signed_query(&old, &cam(), 100);
        let refused = check_signed(&[new], &cam(), &retired, 1);
        assert_eq!(refused, Err(SignatureFault::Wrong));
    }

    #[test]
    fn nothing_else_opens_it() {
        let secrets = [Secret::new("secret")];
        let good = signed_query(&secrets[0], &cam(), 100);
        let sign = good.split_once("sign=").unwrap().1;
        let other = StreamKey::parse("live", "cam2").unwrap();
        let elsewhere = StreamKey::parse("other", "cam").unwrap();
        for (stream, query) in [
            (&other, good.clone()),
            (&elsewhere, good.clone()),
            (&cam(), good.replace("100", "200")),
            (&cam(), format!("expires=100&sign={}", sign.to_uppercase())),
            (&cam(), format!("sign={sign}")),
            (&cam(), "expires=100".to_owned()),
            (&cam(), "expires=100&sign=".to_owned()),
            (&cam(), format!("expires=x&sign={sign}")),
            (&cam(), String::new()),
        ] {
            let checked = check_signed(&secrets, stream, &query, 1);
            assert_eq!(checked, Err(SignatureFault::Wrong), "{query}");
        }
        assert!(check_signed(&[], &cam(), &good, 1).is_err());
    }
}
