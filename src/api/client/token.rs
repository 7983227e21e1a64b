//! Login tokens of version 04: what an app's server gives its clients, readable for whoever has the secret.
//!
//! `"04" + base64(expiry, 8 bytes | length, 2 | IV | length, 2 | AES-CBC of a JSON text)`, all numbers big-endian.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::api::zego::{self, Account};
use crate::secret::Secret;

/// A secret that is a key has this many bytes.
const KEY_BYTES: usize = 32;

/// An AES block, and so an IV.
const IV_BYTES: usize = 16;

/// The privilege to publish.
const PUBLISH: &str = "2";

#[derive(Debug, Deserialize)]
struct Login {
    app_id: u32,
    expire: i64,
    #[serde(default)]
    payload: Value,
}

#[derive(Debug, Default, Deserialize)]
struct Payload {
    #[serde(default)]
    privilege: Option<Value>,
    #[serde(default)]
    stream_id_list: Option<Vec<String>>,
}

/// Whether a token lets its holder publish this stream, at `now` in Unix seconds. It may be made with the app's server secret, as
/// the vendor's tools make it, or with its client secret.
pub(super) fn permits(token: &Secret, account: &Account, stream: &str, now: i64) -> bool {
    let secrets = [Some(&account.server_secret), account.client_secret.as_ref()];
    let mut logins = secrets
        .into_iter()
        .flatten()
        .filter_map(|secret| open(token, secret));
    logins.any(|(expire, login)| {
        let is_fresh = expire > now && login.expire > now;
        is_fresh && login.app_id == account.app_id && may_publish(&login.payload, account, stream)
    })
}

/// The envelope's expiry, and what is inside.
fn open(token: &Secret, secret: &Secret) -> Option<(i64, Login)> {
    let key: &[u8; KEY_BYTES] = secret.expose().as_bytes().try_into().ok()?;
    let bytes = STANDARD.decode(token.expose().strip_prefix("04")?).ok()?;
    let (expire, rest) = bytes.split_first_chunk()?;
    let (iv, rest) = counted(rest)?;
    let (text, rest) = counted(rest)?;
    let iv: &[u8; IV_BYTES] = iv.try_into().ok()?;
    if !rest.is_empty() {
        return None;
    }
    let cipher = cbc::Decryptor::<aes::Aes256>::new(key.into(), iv.into());
    let json = cipher.decrypt_padded_vec::<Pkcs7>(text).ok()?;
    let login = serde_json::from_slice(&json).ok()?;
    Some((i64::from_be_bytes(*expire), login))
}

/// What a length of two bytes announces, and the rest.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// The payload is JSON in a text, and may be empty: then the token is good for all that its app may do.
fn may_publish(payload: &Value, account: &Account, stream: &str) -> bool {
    let payload = match payload.as_str() {
        Some("") => return true,
        None => return payload.is_null(),
        Some(text) => serde_json::from_str::<Payload>(text),
    };
    let Ok(payload) = payload else {
        return false;
    };
    let is_privileged = match &payload.privilege {
        None => true,
        Some(privilege) => privilege.get(PUBLISH).and_then(Value::as_i64) == Some(1),
    };
    // A client names its stream without what is put in front of it in the test environment.
    let own_name = zego::without_test_prefix(stream, account);
    let streams = payload.stream_id_list.unwrap_or_default();
    let is_listed = |listed: &String| listed == stream || listed == own_name;
    is_privileged && (streams.is_empty() || streams.iter().any(is_listed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::AppName;
    use aes::cipher::BlockModeEncrypt;
    use serde_json::json;

    const NOW: i64 = 1_761_955_200;
    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn account() -> Account {
        let app = AppName::parse("live").unwrap();
        Account::new(app, 1_234_567_890, Secret::new(SECRET))
    }

    fn token(secret: &str, envelope: i64, login: &Value) -> Secret {
        let iv = [7; IV_BYTES];
        let key: [u8; KEY_BYTES] = secret.as_bytes().try_into().unwrap();
        let cipher = cbc::Encryptor::<aes::Aes256>::new(&key.into(), &iv.into());
        let text = cipher.encrypt_padded_vec::<Pkcs7>(login.to_string().as_bytes());
        let mut bytes = envelope.to_be_bytes().to_vec();
        for part in [&iv[..], &text] {
            bytes.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
            bytes.extend(part);
        }
        Secret::new(format!("04{}", STANDARD.encode(bytes)))
    }

    fn login(payload: &str) -> Value {
        json!({"app_id": 1_234_567_890, "user_id": "u", "ctime": NOW - 10, "expire": NOW + 10, "nonce": 5, "payload": payload})
    }

    fn passes(payload: &str, stream: &str) -> bool {
        let token = token(SECRET, NOW + 10, &login(payload));
        permits(&token, &account(), stream, NOW)
    }

    #[test]
    fn a_token_says_what_it_is_good_for() {
        assert!(passes("", "s1"));
        for (payload, stream, expected) in [
            (json!({}), "s1", true),
            (json!({"privilege": {"1": 1, "2": 1}}), "s1", true),
            (json!({"privilege": {"1": 1, "2": 0}}), "s1", false),
            (json!({"privilege": {"1": 1}}), "s1", false),
            (json!({"stream_id_list": null}), "s1", true),
            (json!({"stream_id_list": []}), "s1", true),
            (json!({"stream_id_list": ["s1"]}), "s1", true),
            (json!({"stream_id_list": ["s1"]}), "s2", false),
            (
                json!({"stream_id_list": ["s1"]}),
                "zegotest-1234567890-s1",
                true,
            ),
            (
                json!({"stream_id_list": ["s1"]}),
                "zegotest-1234567890-s2",
                false,
            ),
            (json!({"stream_id_list": "s1"}), "s1", false),
        ] {
            assert_eq!(
                passes(&payload.to_string(), stream),
                expected,
                "{payload} {stream}"
            );
        }
        assert!(!passes("no JSON", "s1"));
    }

    #[test]
    fn a_token_is_the_apps_and_of_now() {
        let good = login("");
        let ok = |token: &Secret| permits(token, &account(), "s", NOW);
        assert!(ok(&token(SECRET, NOW + 10, &good)));
        assert!(!ok(&token(SECRET, NOW, &good)), "the envelope is over");
        let mut old = good.clone();
        old["expire"] = json!(NOW);
        assert!(!ok(&token(SECRET, NOW + 10, &old)));
        let mut foreign = good.clone();
        foreign["app_id"] = json!(5);
        assert!(!ok(&token(SECRET, NOW + 10, &foreign)));
        let other = "fedcba9876543210fedcba9876543210";
        assert!(!ok(&token(other, NOW + 10, &good)));
        let mut with_client_secret = account();
        with_client_secret.client_secret = Some(Secret::new(other));
        assert!(permits(
            &token(other, NOW + 10, &good),
            &with_client_secret,
            "s",
            NOW
        ));
    }

    #[test]
    fn garbage_is_no_token() {
        let whole = token(SECRET, NOW + 10, &login(""));
        let bytes = STANDARD.decode(&whole.expose()[2..]).unwrap();
        for length in 0..bytes.len() {
            let cut = Secret::new(format!("04{}", STANDARD.encode(&bytes[..length])));
            assert!(!permits(&cut, &account(), "s", NOW), "{length}");
        }
        for garbage in ["", "04", "03AAAA", "04!", "04AAAA"] {
            assert!(!permits(&Secret::new(garbage), &account(), "s", NOW));
        }
    }
}
