//! What does an ingest that asks for a user and a password want to see next?
//!
//! Two schemes are in use among ingests, named by the `authmod` that the server asks with: `adobe` (Adobe Media Server,
//! Wowza) and `llnw` (Limelight). Both speak through the description of the `_error` that answers `connect`, and both
//! expect the answer in a query on the app and on the tcUrl of a *new* connection:
//!
//! 1. the server names the scheme (`code=403 need auth; authmod=adobe`); the client comes back with its user;
//! 2. the server sends a challenge (`?reason=needauth&salt=...`); the client comes back with the response;
//! 3. the server accepts, or says `authfailed` or `nosuchuser`, which no retry mends.
//!
//! Everything here is a pure function of the description and the credentials; the random nonce is an argument.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};

use super::limits::AUTH_VALUE_BYTES_MAX;

/// How a server wants its publishers to prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Adobe Media Server and Wowza: base64 of salted MD5.
    Adobe,
    /// Limelight: HTTP digest authentication in all but name.
    Llnw,
}

impl Scheme {
    /// The scheme's name on the wire, the value of `authmod`.
    pub fn authmod(self) -> &'static str {
        match self {
            Self::Adobe => "adobe",
            Self::Llnw => "llnw",
        }
    }
}

/// What the description of a refused `connect` says about authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server goes on if the next connection carries [`Challenge::answer`].
    Asked(Challenge),
    /// The credentials are wrong (`authfailed`, `nosuchuser`), or the challenge has no value to answer. Permanent.
    Failed,
}

/// What the next connection has to answer.
#[derive(Clone, PartialEq, Eq)]
pub enum Challenge {
    /// Round 1: name the user.
    User(Scheme),
    /// Round 2 of `adobe`.
    Adobe {
        /// Mixed into the password's hash.
        salt: String,
        /// Answered when there is no `opaque`.
        challenge: String,
        /// Answered instead of `challenge`, and echoed.
        opaque: Option<String>,
    },
    /// Round 2 of `llnw`.
    Llnw {
        /// The server's nonce, echoed.
        nonce: String,
    },
}

impl Challenge {
    /// The query, without `?`, that the next connection appends to app and tcUrl (see [`append_query`]).
    ///
    /// `app` is the target's app as configured, without what an earlier round appended. `nonce` has to be random; it is
    /// the client's part of the challenge. Nothing is percent-encoded: servers compare the bytes as they come.
    pub fn answer(&self, user: &str, password: &str, app: &str, nonce: u32) -> String {
        let nonce = format!("{nonce:08x}");
        match self {
            Self::User(scheme) => format!("authmod={}&user={user}", scheme.authmod()),
            Self::Adobe {
                salt,
                challenge,
                opaque,
            } => {
                let hash = BASE64.encode(md5(&[user, salt, password]));
                let asked = opaque.as_deref().unwrap_or(challenge);
                let response = BASE64.encode(md5(&[&hash, asked, &nonce]));
                let echoed = opaque
                    .as_ref()
                    .map(|opaque| format!("&opaque={opaque}"))
                    .unwrap_or_default();
                format!("authmod=adobe&user={user}&challenge={nonce}&response={response}{echoed}")
            }
            Self::Llnw { nonce: asked } => {
                const COUNT: &str = "00000001";
                let who = hex::encode(md5(&[user, ":live:", password]));
                let what = hex::encode(md5(&["publish:/", &app_instance(app)]));
                let response = hex::encode(md5(&[
                    &who, ":", asked, ":", COUNT, ":", &nonce, ":auth:", &what,
                ]));
                format!(
                    "authmod=llnw&user={user}&nonce={asked}&cnonce={nonce}&nc={COUNT}&response={response}"
                )
            }
        }
    }
}

/// Prints the kind of the challenge and none of its values: with a response they allow guessing the password offline.
impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(scheme) => f.debug_tuple("User").field(scheme).finish(),
            Self::Adobe { .. } => f.write_str("Adobe(***)"),
            Self::Llnw { .. } => f.write_str("Llnw(***)"),
        }
    }
}

/// What the description of a refused `connect` asks for; `None` where it does not speak of authentication.
pub fn verdict(description: &str) -> Option<Verdict> {
    let scheme = if description.contains("authmod=adobe") {
        Scheme::Adobe
    } else if description.contains("authmod=llnw") {
        Scheme::Llnw
    } else {
        return None;
    };
    if let Some((_, answer)) = description.split_once("?reason=") {
        return Some(second_round(scheme, answer).map_or(Verdict::Failed, Verdict::Asked));
    }
    description
        .contains("code=403")
        .then_some(Verdict::Asked(Challenge::User(scheme)))
}

/// `text` (an app or a tcUrl) with `query` behind it, joined by `&` where it has a query already.
pub fn append_query(text: &str, query: &str) -> String {
    let joint = if text.contains('?') { '&' } else { '?' };
    format!("{text}{joint}{query}")
}

/// Reads `needauth&user=..&salt=..`; `None` for every other reason and where the value to answer is missing.
fn second_round(scheme: Scheme, answer: &str) -> Option<Challenge> {
    let mut fields = answer.trim_end().split('&');
    if fields.next() != Some("needauth") {
        return None;
    }
    let (mut salt, mut challenge, mut opaque, mut nonce) = (None, None, None, None);
    for (name, value) in fields.filter_map(|field| field.split_once('=')) {
        if value.len() > AUTH_VALUE_BYTES_MAX || value.chars().any(char::is_control) {
            return None;
        }
        let value = Some(value.to_owned()).filter(|value| !value.is_empty());
        match name {
            "salt" => salt = value,
            "challenge" => challenge = value,
            "opaque" => opaque = value,
            "nonce" => nonce = value,
            _ => {}
        }
    }
    match scheme {
        Scheme::Adobe if challenge.is_none() && opaque.is_none() => None,
        Scheme::Adobe => Some(Challenge::Adobe {
            salt: salt.unwrap_or_default(),
            challenge: challenge.unwrap_or_default(),
            opaque,
        }),
        Scheme::Llnw => nonce.map(|nonce| Challenge::Llnw { nonce }),
    }
}

/// The app and its instance as `llnw` hashes them: without the query, and with the default instance where none is named.
fn app_instance(app: &str) -> String {
    let path = app.split_once('?').map_or(app, |(path, _)| path);
    if path.contains('/') {
        path.to_owned()
    } else {
        format!("{path}/_definst_")
    }
}

fn md5(parts: &[&str]) -> [u8; 16] {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adobe(salt: &str, challenge: &str, opaque: Option<&str>) -> Challenge {
        Challenge::Adobe {
            salt: salt.into(),
            challenge: challenge.into(),
            opaque: opaque.map(Into::into),
        }
    }

    fn llnw(nonce: &str) -> Challenge {
        Challenge::Llnw {
            nonce: nonce.into(),
        }
    }

    #[test]
    fn descriptions_are_read_as_their_servers_write_them() {
        let wowza = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
        let table = [
            ("Connection failed", None),
            ("No such application: authmod", None),
            ("authmod=adobe is what we would like", None),
            (
                "code=403 need auth; authmod=adobe",
                Some(Verdict::Asked(Challenge::User(Scheme::Adobe))),
            ),
            (wowza, Some(Verdict::Asked(Challenge::User(Scheme::Adobe)))),
            (
                "code=403 need auth; authmod=llnw",
                Some(Verdict::Asked(Challenge::User(Scheme::Llnw))),
            ),
            (
                "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=u&salt=S/+=&challenge=C==&opaque=O",
                Some(Verdict::Asked(adobe("S/+=", "C==", Some("O")))),
            ),
            (
                "authmod=adobe ?reason=needauth&user=u&salt=S&challenge=C\n",
                Some(Verdict::Asked(adobe("S", "C", None))),
            ),
            (
                "authmod=adobe ?reason=needauth&opaque=&challenge=C",
                Some(Verdict::Asked(adobe("", "C", None))),
            ),
            (
                "authmod=llnw ?reason=needauth&user=u&nonce=N",
                Some(Verdict::Asked(llnw("N"))),
            ),
            (
                "authmod=adobe ?reason=authfailed&user=u",
                Some(Verdict::Failed),
            ),
            ("authmod=llnw ?reason=authfail", Some(Verdict::Failed)),
            (
                "authmod=adobe ?reason=nosuchuser&user=u",
                Some(Verdict::Failed),
            ),
            (
                "authmod=adobe ?reason=needauth&salt=S",
                Some(Verdict::Failed),
            ),
            (
                "authmod=llnw ?reason=needauth&salt=S",
                Some(Verdict::Failed),
            ),
            ("authmod=llnw ?reason=", Some(Verdict::Failed)),
            (
                "authmod=llnw ?reason=needauth&nonce=a\u{1}b",
                Some(Verdict::Failed),
            ),
        ];
        for (description, expected) in table {
            assert_eq!(verdict(description), expected, "{description}");
        }
        let long = format!(
            "authmod=llnw ?reason=needauth&nonce={}",
            "n".repeat(AUTH_VALUE_BYTES_MAX + 1)
        );
        assert_eq!(verdict(&long), Some(Verdict::Failed));
    }

    /// The expected responses were computed with Python's hashlib and base64 from the formulas of the module's text:
    /// `b64(md5(b64(md5(user+salt+password)) + (opaque or challenge) + nonce))`, and for llnw
    /// `md5hex(md5hex(user:live:password) : nonce : 00000001 : cnonce : auth : md5hex(publish:/app/instance))`.
    #[test]
    fn answers_agree_with_an_independent_computation() {
        let table = [
            (
                Challenge::User(Scheme::Adobe),
                "live",
                0xABCD,
                "authmod=adobe&user=alice",
            ),
            (
                Challenge::User(Scheme::Llnw),
                "live",
                0xABCD,
                "authmod=llnw&user=alice",
            ),
            (
                adobe("pp/Jtw==", "5wIAAA==", Some("ab12")),
                "live",
                0xABCD,
                "authmod=adobe&user=alice&challenge=0000abcd&response=LuhRO2rAfig1fCi7yNtpIw==&opaque=ab12",
            ),
            (
                adobe("pp/Jtw==", "5wIAAA==", None),
                "live",
                0xABCD,
                "authmod=adobe&user=alice&challenge=0000abcd&response=aAWbaKBjmf10J7CVagA61Q==",
            ),
            (
                llnw("n0nce"),
                "live",
                0xABCD,
                "authmod=llnw&user=alice&nonce=n0nce&cnonce=0000abcd&nc=00000001&response=cf462704c2ea3ba187288bf7267179d4",
            ),
            (
                llnw("n0nce"),
                "live/inst",
                0xABCD,
                "authmod=llnw&user=alice&nonce=n0nce&cnonce=0000abcd&nc=00000001&response=726bc31f02f8cfd9d0c924bf7a162a60",
            ),
            (
                llnw("n0nce"),
                "live?x=a/b",
                0xABCD,
                "authmod=llnw&user=alice&nonce=n0nce&cnonce=0000abcd&nc=00000001&response=cf462704c2ea3ba187288bf7267179d4",
            ),
        ];
        for (challenge, app, nonce, expected) in table {
            assert_eq!(challenge.answer("alice", "s3cret", app, nonce), expected);
        }
        assert_eq!(
            adobe("", "c", None).answer("bob", "pw", "live", u32::MAX),
            "authmod=adobe&user=bob&challenge=ffffffff&response=3O2q5cGvH4dv7jyB4JeFoA=="
        );
    }

    #[test]
    fn a_query_joins_an_app_that_has_one() {
        assert_eq!(append_query("live", "authmod=adobe"), "live?authmod=adobe");
        assert_eq!(
            append_query("live2?backup=1", "authmod=adobe"),
            "live2?backup=1&authmod=adobe"
        );
    }

    #[test]
    fn a_challenge_does_not_print_its_values() {
        let printed = format!(
            "{:?} {:?}",
            adobe("SALT", "CHAL", Some("OPAQ")),
            llnw("NONCE")
        );
        for value in ["SALT", "CHAL", "OPAQ", "NONCE"] {
            assert!(!printed.contains(value), "{printed}");
        }
    }
}
