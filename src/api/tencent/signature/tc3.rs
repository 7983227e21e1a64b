//! TC3-HMAC-SHA256: a signature in the Authorization header, over the request as it came.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::Received;
use crate::api::tencent::limits::MAX_SIGNED_HEADERS;
use crate::secret::{Secret, is_same};

/// The value of `X-TC-Content-SHA256` with which a caller leaves its body unsigned.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What an Authorization header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::api::tencent) struct Authorization<'a> {
    pub secret_id: &'a str,
    date: &'a str,
    /// The SDKs put the product's name here, or a part of the host that they call; it is what they sign with, and nothing else.
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads a header; `None` where its form is another one. Only the blanks after commas are free.
    pub fn parse(text: &'a str) -> Option<Self> {
        let fields = text.strip_prefix("TC3-HMAC-SHA256 ")?;
        let mut fields = fields.split(',').map(str::trim);
        let credential = fields.next()?.strip_prefix("Credential=")?;
        let signed_headers = fields.next()?.strip_prefix("SignedHeaders=")?;
        let signature = fields.next()?.strip_prefix("Signature=")?;
        if fields.next().is_some() {
            return None;
        }
        let (secret_id, scope) = credential.split_once('/')?;
        let (date, service) = scope.strip_suffix("/tc3_request")?.split_once('/')?;
        let mut names: Vec<&str> = signed_headers
            .split(';')
            .take(MAX_SIGNED_HEADERS + 1)
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        let is_set = names.len() == count && count <= MAX_SIGNED_HEADERS;
        let signs = |name: &str| names.binary_search(&name).is_ok();
        let is_hex = signature.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_whole = !secret_id.is_empty()
            && is_date(date)
            && !service.is_empty()
            && is_set
            && signs("content-type")
            && signs("host")
            && signature.len() == 64
            && is_hex;
        is_whole.then_some(Self {
            secret_id,
            date,
            service,
            signed_headers,
            signature,
        })
    }

    /// Whether this key has signed the request, at the time that it says. Header values are taken as they came, and then in lower
    /// case, as the vendor's documents have them.
    pub fn is_signed(
        &self,
        request: Received<'_>,
        timestamp: OffsetDateTime,
        key: &Secret,
        public: &[String],
    ) -> bool {
        if timestamp.date().to_string() != self.date {
            return false;
        }
        let payload = match request.header("x-tc-content-sha256") {
            Some(UNSIGNED) => hash(UNSIGNED.as_bytes()),
            // Once for all hosts: it may be long.
            _ => hash(request.body),
        };
        let hosts = request.hosts(public);
        hosts.iter().any(|host| {
            [false, true].into_iter().any(|in_lower_case| {
                let request = self.canonical_request(request, host, in_lower_case, &payload);
                let signature = request.map(|request| self.sign(&request, timestamp, key));
                signature.is_some_and(|ours| is_same(&ours, self.signature))
            })
        })
    }

    /// The text of which a hash is signed, with that of the payload in it; `None` where a header that should be in it is not there.
    fn canonical_request(
        &self,
        request: Received<'_>,
        host: &str,
        in_lower_case: bool,
        payload: &str,
    ) -> Option<String> {
        let is_get = request.method == axum::http::Method::GET;
        let query = if is_get { request.query() } else { "" };
        let mut headers = String::new();
        for name in self.signed_headers.split(';') {
            let value = match name {
                "host" => host,
                name => request.header(name)?,
            };
            let value = match in_lower_case {
                true => value.to_ascii_lowercase(),
                false => value.to_owned(),
            };
            headers.push_str(&format!("{}:{value}\n", name.to_ascii_lowercase()));
        }
        Some(format!(
            "{}\n/\n{query}\n{headers}\n{}\n{payload}",
            request.method, self.signed_headers,
        ))
    }

    fn sign(&self, canonical_request: &str, timestamp: OffsetDateTime, key: &Secret) -> String {
        let Self { date, service, .. } = self;
        let text = format!(
            "TC3-HMAC-SHA256\n{}\n{date}/{service}/tc3_request\n{}",
            timestamp.unix_timestamp(),
            hash(canonical_request.as_bytes())
        );
        let key = format!("TC3{}", key.expose());
        let mut derived = keyed(key.as_bytes(), date);
        for part in [*service, "tc3_request"] {
            derived = keyed(&derived, part);
        }
        hex::encode(keyed(&derived, &text))
    }
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    // A key may have any length.
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

/// `YYYY-MM-DD`, by its form.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};

    /// The vendor's own example.
    const OFFICIAL: &str = "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, \
        SignedHeaders=content-type;host, Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168";
    const BODY: &str =
        r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;

    #[test]
    fn the_vendors_example_and_whatever_differs_from_it() {
        let time = OffsetDateTime::from_unix_timestamp(1_551_113_065).unwrap();
        let key = Secret::new("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE");
        let authorization = Authorization::parse(OFFICIAL).unwrap();
        assert_eq!(
            authorization.secret_id,
            "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
        );
        let check = |host: &'static str, content_type: &'static str, body: &str, time, key| {
            let headers = HeaderMap::from_iter([
                (header::HOST, HeaderValue::from_static(host)),
                (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
            ]);
            let request = Received {
                method: &Method::POST,
                uri: &Uri::from_static("/?not=signed"),
                headers: &headers,
                body: body.as_bytes(),
            };
            let public = ["cvm.tencentcloudapi.com".to_owned()];
            let names = if host == "proxy" { &public[..] } else { &[] };
            authorization.is_signed(request, time, key, names)
        };
        let (host, json) = ("cvm.tencentcloudapi.com", "application/json; charset=utf-8");
        assert!(check(host, json, BODY, time, &key));
        assert!(check(
            "cvm.tencentcloudapi.com:8443",
            json,
            BODY,
            time,
            &key
        ));
        assert!(check("proxy", json, BODY, time, &key));
        assert!(check(
            host,
            " application/json; charset=UTF-8 ",
            BODY,
            time,
            &key
        ));
        assert!(!check("example.com", json, BODY, time, &key));
        assert!(!check(host, "application/json", BODY, time, &key));
        assert!(!check(host, json, "{}", time, &key));
        assert!(!check(
            host,
            json,
            BODY,
            time + time::Duration::SECOND,
            &key
        ));
        assert!(!check(host, json, BODY, time + time::Duration::DAY, &key));
        assert!(!check(host, json, BODY, time, &Secret::new("other")));
    }

    #[test]
    fn forms() {
        let signature = "a".repeat(64);
        let form = |credential: &str, headers: &str, signature: &str| {
            format!(
                "TC3-HMAC-SHA256 Credential={credential}, SignedHeaders={headers}, Signature={signature}"
            )
        };
        let good = "id/2025-11-01/localhost:8080/tc3_request";
        let headers = "content-type;host";
        let many: Vec<String> = (0..MAX_SIGNED_HEADERS - 1)
            .map(|at| format!("x-{at}"))
            .collect();
        let many = format!("{headers};{}", many.join(";"));
        let whole = form(good, headers, &signature);
        assert_eq!(
            Authorization::parse(&whole).unwrap().service,
            "localhost:8080"
        );
        assert!(Authorization::parse(&whole.replace(", ", ",")).is_some());
        for text in [
            "SKIP".to_owned(),
            "Bearer token".to_owned(),
            whole.replace("TC3-HMAC-SHA256", "TC3-HMAC-SM3"),
            whole.replace("Credential", "credential"),
            format!("{whole}, More=1"),
            form("id", headers, &signature),
            form("/2025-11-01/cme/tc3_request", headers, &signature),
            form("id/2025-11-1/cme/tc3_request", headers, &signature),
            form("id/2025-11-01//tc3_request", headers, &signature),
            form("id/2025-11-01/cme/tc4_request", headers, &signature),
            form(good, "host", &signature),
            form(good, "content-type", &signature),
            form(good, "content-type;host;host", &signature),
            form(good, &many, &signature),
            form(good, headers, "ab"),
            form(good, headers, &"g".repeat(64)),
        ] {
            assert_eq!(Authorization::parse(&text), None, "{text}");
        }
    }
}
