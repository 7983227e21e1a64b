//! The Tencent door, member by member: signatures in all their forms, which of several mistakes is answered, what each operation
//! does in each state of a project.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;
mod tencent;

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use doors::{Gateway, SECRET_ID, SECRET_KEY};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tencent::{Caller, NOW};

const HOST: &str = "relay.example.com";
const FORM: &str = "application/x-www-form-urlencoded";

fn gateway() -> Gateway {
    let gateway = Gateway::new();
    gateway.clock.set_ms(NOW * 1000);
    gateway
}

/// The error's code, or `ok`.
async fn code(gateway: &Gateway, request: Request<Body>) -> String {
    let answer = gateway.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json");
    let response = answer.json()["Response"].clone();
    let id = response["RequestId"].as_str().unwrap();
    let parts: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
    assert_eq!(id, id.to_lowercase());
    response["Error"]["Code"]
        .as_str()
        .unwrap_or("ok")
        .to_owned()
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

/// A request with a TC3 signature, as it is sent and as it is signed.
#[derive(Clone)]
struct Tc3 {
    method: Method,
    query: String,
    /// Sent; of those that are signed, the value that is.
    headers: Vec<(String, String)>,
    signed: Vec<&'static str>,
    /// Signed in place of what is sent.
    signed_values: Vec<(&'static str, String)>,
    signed_query: Option<String>,
    signed_payload: Option<String>,
    timestamp: String,
    date: String,
    service: String,
    secret_id: String,
    key: String,
    body: String,
    /// Between the fields of the Authorization header.
    comma: &'static str,
}

impl Tc3 {
    fn new(action: &str, body: &str) -> Self {
        let headers = [
            ("host", HOST),
            ("content-type", "application/json"),
            ("x-tc-action", action),
            ("x-tc-version", "2019-10-29"),
        ];
        Self {
            method: Method::POST,
            query: String::new(),
            headers: headers
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            signed: vec!["content-type", "host"],
            signed_values: Vec::new(),
            signed_query: None,
            signed_payload: None,
            timestamp: NOW.to_string(),
            date: "2025-11-01".into(),
            service: "cme".into(),
            secret_id: SECRET_ID.into(),
            key: SECRET_KEY.into(),
            body: body.into(),
            comma: ", ",
        }
    }

    fn describe() -> Self {
        Self::new("DescribeProjects", r#"{"Platform":"test"}"#)
    }

    fn get(action: &str, query: &str) -> Self {
        let mut call = Self::new(action, "").header("content-type", FORM);
        call.method = Method::GET;
        call.query = query.into();
        call
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(found, _)| found != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(found, _)| found != name);
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn value(&self, name: &str) -> &str {
        let signed = self.signed_values.iter().find(|(found, _)| *found == name);
        let sent = self.headers.iter().find(|(found, _)| found == name);
        signed.map_or_else(|| sent.map_or("", |(_, value)| value), |(_, value)| value)
    }

    fn authorization(&self) -> String {
        let query = match self.method == Method::GET {
            true => self.signed_query.as_ref().unwrap_or(&self.query),
            false => "",
        };
        let lines: String = (self.signed.iter())
            .map(|name| format!("{name}:{}\n", self.value(name)))
            .collect();
        let names = self.signed.join(";");
        let payload = self.signed_payload.as_ref().unwrap_or(&self.body);
        let request = format!(
            "{}\n/\n{query}\n{lines}\n{names}\n{}",
            self.method,
            hash(payload.as_bytes())
        );
        let scope = format!("{}/{}/tc3_request", self.date, self.service);
        let text = format!(
            "TC3-HMAC-SHA256\n{}\n{scope}\n{}",
            self.timestamp,
            hash(request.as_bytes())
        );
        let mut key = mac(format!("TC3{}", self.key).as_bytes(), &self.date);
        for part in [&self.service, "tc3_request"] {
            key = mac(&key, part);
        }
        let comma = self.comma;
        format!(
            "TC3-HMAC-SHA256 Credential={}/{scope}{comma}SignedHeaders={names}{comma}Signature={}",
            self.secret_id,
            hex::encode(mac(&key, &text))
        )
    }

    fn request(&self) -> Request<Body> {
        let authorization = self.authorization();
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(match self.query.as_str() {
                "" => "/".to_owned(),
                query => format!("/?{query}"),
            })
            .header("x-tc-timestamp", &self.timestamp);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if !self.headers.iter().any(|(name, _)| name == "authorization") {
            request = request.header("authorization", authorization);
        }
        request.body(Body::from(self.body.clone())).unwrap()
    }
}

async fn alone(call: &Tc3) -> String {
    code(&gateway(), call.request()).await
}

#[tokio::test]
async fn tc3_signatures_that_are_right() {
    let calls: Vec<(&str, Tc3)> = vec![
        ("plain", Tc3::describe()),
        (
            "more headers are signed",
            Tc3::describe().change(|call| {
                call.signed = vec!["content-type", "host", "x-tc-action", "x-tc-version"];
            }),
        ),
        (
            "a header's value in lower case, as the documents have it",
            Tc3::describe().change(|call| {
                call.signed = vec!["content-type", "host", "x-tc-action"];
                call.signed_values = vec![("x-tc-action", "describeprojects".into())];
            }),
        ),
        (
            "white space around a value",
            Tc3::describe()
                .header("content-type", "  application/json; charset=utf-8 ")
                .change(|call| {
                    let trimmed = "application/json; charset=utf-8".to_owned();
                    call.signed_values = vec![("content-type", trimmed)];
                }),
        ),
        (
            "a host with its port",
            Tc3::describe().header("host", "relay.example.com:8443"),
        ),
        (
            "a host without its port",
            Tc3::describe()
                .header("host", "relay.example.com:8443")
                .change(|call| call.signed_values = vec![("host", HOST.into())]),
        ),
        (
            "a host in capitals",
            Tc3::describe().header("host", "RELAY.Example.com"),
        ),
        (
            "a host in capitals, signed in lower case",
            Tc3::describe()
                .header("host", "RELAY.Example.com:443")
                .change(|call| call.signed_values = vec![("host", HOST.into())]),
        ),
        (
            "an IPv6 address",
            Tc3::describe()
                .header("host", "[::1]:8080")
                .change(|call| call.service = "[::1]:8080".into()),
        ),
        (
            "an IPv6 address without its port",
            Tc3::describe()
                .header("host", "[::1]:8080")
                .change(|call| call.signed_values = vec![("host", "[::1]".into())]),
        ),
        (
            "a service with a port",
            Tc3::describe()
                .header("host", "localhost:8080")
                .change(|call| call.service = "localhost:8080".into()),
        ),
        (
            "a service that is a number",
            Tc3::describe().change(|call| call.service = "127".into()),
        ),
        (
            "no blanks after the commas",
            Tc3::describe().change(|call| call.comma = ","),
        ),
        (
            "a charset in capitals",
            Tc3::describe().header("content-type", "application/json; charset=UTF-8"),
        ),
        (
            "a body that is not signed",
            Tc3::describe()
                .header("x-tc-content-sha256", "UNSIGNED-PAYLOAD")
                .change(|call| call.signed_payload = Some("UNSIGNED-PAYLOAD".into())),
        ),
        (
            "all the optional headers, the region empty",
            Tc3::describe()
                .header("x-tc-region", "")
                .header("x-tc-language", "zh-CN")
                .header("x-tc-requestclient", "SDK_JAVA_3.1")
                .header("x-tc-traceid", "5b0b")
                .header("x-tc-token", ""),
        ),
        (
            "a POST whose query is not signed",
            Tc3::describe().change(|call| call.query = "Action=CreateProject&b=1&a=2".into()),
        ),
        (
            "a GET whose query is in no order",
            Tc3::get(
                "DescribeProjects",
                "Platform=test&Limit=5&CategorySet.0=STREAM_CONNECT",
            ),
        ),
        (
            "a GET with blanks in both spellings, and a name beside the header's",
            Tc3::get(
                "DescribeProjects",
                "Platform=test&Action=DeleteProject&Owner.Type=PERSON&Owner.Id=a+b%20c%2Bd",
            ),
        ),
        (
            "escapes in either case",
            Tc3::get(
                "DescribeProjects",
                "Platform=t%65st&Owner.Type=PERSON&Owner.Id=%e6%8E%a8",
            ),
        ),
        (
            "five minutes ago, on the day before",
            Tc3::describe().change(|call| {
                (call.timestamp, call.date) = ((NOW - 300).to_string(), "2025-10-31".into());
            }),
        ),
        (
            "in five minutes",
            Tc3::describe().change(|call| call.timestamp = (NOW + 300).to_string()),
        ),
    ];
    for (what, call) in calls {
        assert_eq!(alone(&call).await, "ok", "{what}");
    }
    // Behind a proxy that puts its own name in.
    let gateway = gateway();
    let proxied = Tc3::describe()
        .header("host", "localhost:3000")
        .change(|call| call.signed_values = vec![("host", "public.example".into())]);
    let failure = "AuthFailure.SignatureFailure";
    assert_eq!(code(&gateway, proxied.request()).await, failure);
    gateway.configure(|settings| settings.tencent.public_names = vec!["public.example".into()]);
    assert_eq!(code(&gateway, proxied.request()).await, "ok");
}

#[tokio::test]
async fn tc3_signatures_that_are_wrong() {
    let failure = "AuthFailure.SignatureFailure";
    let form = "AuthFailure.InvalidAuthorization";
    let signature = |change: &dyn Fn(String) -> String| {
        let call = Tc3::describe();
        let changed = change(call.authorization());
        call.header("authorization", &changed)
    };
    let calls: Vec<(&str, Tc3, &str)> = vec![
        (
            "a header that is signed and not there",
            Tc3::describe().change(|call| {
                call.signed = vec!["content-type", "host", "x-tc-token"];
            }),
            failure,
        ),
        (
            "a signed header was changed",
            Tc3::describe().change(|call| {
                call.signed = vec!["content-type", "host", "x-tc-action"];
                call.signed_values = vec![("x-tc-action", "CreateProject".into())];
            }),
            failure,
        ),
        (
            "the content type was changed",
            Tc3::describe().change(|call| {
                let sent = "application/json; charset=utf-8".to_owned();
                call.signed_values = vec![("content-type", sent)];
            }),
            failure,
        ),
        (
            "another host",
            Tc3::describe().change(|call| {
                call.signed_values = vec![("host", "cme.tencentcloudapi.com".into())]
            }),
            failure,
        ),
        (
            "another port",
            Tc3::describe()
                .header("host", "relay.example.com:8443")
                .change(|call| {
                    call.signed_values = vec![("host", "relay.example.com:8444".into())]
                }),
            failure,
        ),
        (
            "another body",
            Tc3::describe().change(|call| call.signed_payload = Some("{}".into())),
            failure,
        ),
        (
            "a body that says to be unsigned and is signed",
            Tc3::describe().header("x-tc-content-sha256", "UNSIGNED-PAYLOAD"),
            failure,
        ),
        (
            "an unsigned body that does not say so",
            Tc3::describe().change(|call| call.signed_payload = Some("UNSIGNED-PAYLOAD".into())),
            failure,
        ),
        (
            "a sorted query that was sent unsorted",
            Tc3::get("DescribeProjects", "Platform=test&Limit=5")
                .change(|call| call.signed_query = Some("Limit=5&Platform=test".into())),
            failure,
        ),
        (
            "a query that was encoded anew",
            Tc3::get("DescribeProjects", "Platform=t%65st")
                .change(|call| call.signed_query = Some("Platform=test".into())),
            failure,
        ),
        (
            "the day before the time's",
            Tc3::describe().change(|call| call.date = "2025-10-31".into()),
            failure,
        ),
        (
            "a day that there is not",
            Tc3::describe().change(|call| call.date = "2025-11-31".into()),
            failure,
        ),
        (
            "another key",
            Tc3::describe().change(|call| call.key = "other".into()),
            failure,
        ),
        (
            "a signature in capitals",
            signature(&|text| {
                let (rest, hex) = text.rsplit_once('=').unwrap();
                format!("{rest}={}", hex.to_uppercase())
            }),
            failure,
        ),
        (
            "another service than the signed one",
            signature(&|text| text.replace("/cme/", "/cvm/")),
            failure,
        ),
        (
            "301 s ago",
            Tc3::describe().change(|call| {
                (call.timestamp, call.date) = ((NOW - 301).to_string(), "2025-10-31".into());
            }),
            "AuthFailure.SignatureExpire",
        ),
        (
            "in 301 s",
            Tc3::describe().change(|call| call.timestamp = (NOW + 301).to_string()),
            "AuthFailure.SignatureExpire",
        ),
        (
            "in milliseconds",
            Tc3::describe().change(|call| call.timestamp = (NOW * 1000).to_string()),
            "AuthFailure.SignatureExpire",
        ),
        (
            "after all times",
            Tc3::describe().change(|call| call.timestamp = "9".repeat(30)),
            "AuthFailure.SignatureExpire",
        ),
        (
            "another SecretId",
            Tc3::describe().change(|call| call.secret_id = "AKIDother".into()),
            "AuthFailure.SecretIdNotFound",
        ),
        (
            "a SecretId in another case",
            Tc3::describe().change(|call| call.secret_id = SECRET_ID.to_lowercase()),
            "AuthFailure.SecretIdNotFound",
        ),
        ("SKIP", signature(&|_| "SKIP".into()), form),
        ("empty", signature(&|_| String::new()), form),
        ("a token", signature(&|_| "Bearer t0ken".into()), form),
        (
            "no host among the signed headers",
            Tc3::describe().change(|call| call.signed = vec!["content-type"]),
            form,
        ),
        (
            "no content type among them",
            Tc3::describe().change(|call| call.signed = vec!["host", "x-tc-action"]),
            form,
        ),
        (
            "a signature that is too short",
            signature(&|text| text[..text.len() - 1].to_owned()),
            form,
        ),
        (
            "no scope",
            signature(&|text| text.replace("/tc3_request", "")),
            form,
        ),
        (
            "no service",
            signature(&|text| text.replace("/cme/", "//")),
            form,
        ),
        (
            "no SecretId",
            signature(&|text| text.replace(SECRET_ID, "")),
            form,
        ),
        (
            "another algorithm",
            signature(&|text| text.replace("SHA256", "SHA1")),
            form,
        ),
        (
            "semicolons for commas",
            signature(&|text| text.replace(", ", "; ")),
            form,
        ),
    ];
    for (what, call, expected) in calls {
        assert_eq!(alone(&call).await, expected, "{what}");
    }
}

/// A v1 signature over these parameters, which are decoded.
fn v1(
    method: &str,
    host: &str,
    sha256: bool,
    key: &str,
    parameters: &[(String, String)],
) -> String {
    let mut sorted = parameters.to_vec();
    sorted.sort();
    let lines: Vec<String> = sorted.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let text = format!("{method}{host}/?{}", lines.join("&"));
    let code = match sha256 {
        true => mac(key.as_bytes(), &text),
        false => {
            let mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap();
            mac.chain_update(&text).finalize().into_bytes().to_vec()
        }
    };
    STANDARD.encode(code)
}

/// A v1 call that describes projects, before it is signed and sent.
#[derive(Clone)]
struct V1 {
    method: &'static str,
    host: &'static str,
    signed_host: &'static str,
    signed_method: &'static str,
    parameters: Vec<(String, String)>,
    signature: Option<String>,
    key: &'static str,
}

impl V1 {
    fn new(method: &'static str, hash: &str) -> Self {
        let now = NOW.to_string();
        let parameters = [
            ("Action", "DescribeProjects"),
            ("Version", "2019-10-29"),
            ("Timestamp", &now),
            ("Nonce", "9223372036854775807"),
            ("SecretId", SECRET_ID),
            ("SignatureMethod", hash),
            ("Region", ""),
            ("Platform", "test"),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            method,
            host: HOST,
            signed_host: HOST,
            signed_method: method,
            parameters: parameters.map(owned).into(),
            signature: None,
            key: SECRET_KEY,
        }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        match self.parameters.iter_mut().find(|(found, _)| found == name) {
            Some((_, found)) => *found = value.to_owned(),
            None => self.parameters.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.parameters.retain(|(found, _)| found != name);
        self
    }

    fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn request(&self) -> Request<Body> {
        let sha256 = (self.parameters.iter()).any(|(_, value)| value == "HmacSHA256");
        let (method, host) = (self.signed_method, self.signed_host);
        let ours = || v1(method, host, sha256, self.key, &self.parameters);
        let signature = self.signature.clone().unwrap_or_else(ours);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&self.parameters);
        if signature != "-" {
            form.append_pair("Signature", &signature);
        }
        let form = form.finish();
        let request = Request::builder()
            .method(self.method)
            .header("host", self.host);
        match self.method {
            "GET" => request.uri(format!("/?{form}")).body(Body::empty()),
            _ => request
                .uri("/")
                .header("content-type", FORM)
                .body(Body::from(form)),
        }
        .unwrap()
    }
}

#[tokio::test]
async fn v1_signatures() {
    let failure = "AuthFailure.SignatureFailure";
    let missing = "MissingParameter";
    let get = || V1::new("GET", "HmacSHA1");
    for method in ["GET", "POST"] {
        for hash in ["HmacSHA1", "HmacSHA256"] {
            let call = || V1::new(method, hash);
            let calls: Vec<(&str, V1, &str)> = vec![
                ("plain", call(), "ok"),
                (
                    "text that has to be encoded",
                    call()
                        .with("Owner.Type", "PERSON")
                        .with("Owner.Id", "直 播+&=%/?~'*()"),
                    "ok",
                ),
                (
                    "ten elements and more are sorted as text",
                    (0..12).fold(call(), |call, at| {
                        call.with(&format!("ProjectIds.{at}"), &format!("p{at}"))
                    }),
                    "ok",
                ),
                (
                    "the optional parameters",
                    call()
                        .with("Token", "")
                        .with("Language", "en-US")
                        .with("RequestClient", "SDK_GO"),
                    "ok",
                ),
                (
                    "a host with its port",
                    call().change(|call| {
                        (call.host, call.signed_host) =
                            ("relay.example.com:8080", "relay.example.com:8080");
                    }),
                    "ok",
                ),
                (
                    "a host without its port",
                    call().change(|call| call.host = "relay.example.com:8080"),
                    "ok",
                ),
                (
                    "another host",
                    call().change(|call| call.signed_host = "cme.tencentcloudapi.com"),
                    failure,
                ),
                (
                    "the other method",
                    call().change(|call| {
                        call.signed_method = if method == "GET" { "POST" } else { "GET" };
                    }),
                    failure,
                ),
                (
                    "another key",
                    call().change(|call| call.key = "other"),
                    failure,
                ),
                (
                    "no base64",
                    call().change(|call| call.signature = Some("x".into())),
                    failure,
                ),
                (
                    "a parameter of nobody's",
                    call().with("Nobodys_Parameter", "1"),
                    "UnknownParameter",
                ),
                (
                    "301 s ago",
                    call().with("Timestamp", &(NOW - 301).to_string()),
                    "AuthFailure.SignatureExpire",
                ),
                (
                    "300 s ago",
                    call().with("Timestamp", &(NOW - 300).to_string()),
                    "ok",
                ),
                (
                    "in 300 s",
                    call().with("Timestamp", &(NOW + 300).to_string()),
                    "ok",
                ),
                (
                    "another SecretId",
                    call().with("SecretId", "AKIDother"),
                    "AuthFailure.SecretIdNotFound",
                ),
                (
                    "another version",
                    call().with("Version", "2017-03-12"),
                    "NoSuchVersion",
                ),
                (
                    "another action",
                    call().with("Action", "describeProjects"),
                    "InvalidAction",
                ),
                (
                    "a number that is none",
                    call().with("Limit", "ten"),
                    "InvalidParameter",
                ),
                (
                    "a list for a text",
                    call().with("Sort.0", "a"),
                    "InvalidParameter",
                ),
            ];
            for (what, call, expected) in calls {
                let found = code(&gateway(), call.request()).await;
                assert_eq!(found, expected, "{method} {hash}: {what}");
            }
        }
    }
    // Without the name of a hash it is the older one.
    let call = get().without("SignatureMethod");
    assert_eq!(code(&gateway(), call.request()).await, "ok");
    let call = get().with("SignatureMethod", "HmacMD5");
    assert_eq!(
        code(&gateway(), call.request()).await,
        "InvalidParameterValue"
    );
    // What has to be there, and may not be empty.
    for name in ["Action", "Version", "Timestamp", "Nonce"] {
        for call in [get().without(name), get().with(name, "")] {
            assert_eq!(code(&gateway(), call.request()).await, missing, "{name}");
        }
    }
    let call = get().with("SecretId", "");
    assert_eq!(code(&gateway(), call.request()).await, missing);
    for signature in ["-", ""] {
        let call = get().change(|call| call.signature = Some(signature.to_owned()));
        assert_eq!(
            code(&gateway(), call.request()).await,
            missing,
            "{signature:?}"
        );
    }
    // Twice is once too often.
    let mut call = get();
    call.parameters.push(("Platform".into(), "test".into()));
    assert_eq!(code(&gateway(), call.request()).await, "InvalidParameter");
}

/// One mistake, its code, and what it changes: two that change the same cannot be made at once.
struct Mistake {
    code: &'static str,
    about: &'static str,
    make: fn(Tc3) -> Tc3,
}

#[tokio::test]
async fn of_several_mistakes_the_first_in_the_order_is_answered() {
    let mistake = |code, about, make| Mistake { code, about, make };
    let mistakes = [
        mistake("UnsupportedProtocol", "method", |call| {
            call.change(|call| call.method = Method::PUT)
        }),
        mistake(
            "AuthFailure.InvalidAuthorization",
            "authorization",
            |call| call.header("authorization", "SKIP"),
        ),
        mistake("MissingParameter", "timestamp", |call| {
            call.change(|call| call.timestamp = String::new())
        }),
        mistake("MissingParameter", "action", |call| {
            call.without("x-tc-action")
        }),
        mistake("InvalidAction", "action", |call| {
            call.header("x-tc-action", "Nothing")
        }),
        mistake("MissingParameter", "version", |call| {
            call.without("x-tc-version")
        }),
        mistake("NoSuchVersion", "version", |call| {
            call.header("x-tc-version", "1")
        }),
        mistake("AuthFailure.SignatureExpire", "timestamp", |call| {
            call.change(|call| call.timestamp = "1761950000".into())
        }),
        mistake("AuthFailure.SecretIdNotFound", "authorization", |call| {
            call.change(|call| call.secret_id = "AKIDother".into())
        }),
        mistake("AuthFailure.SignatureFailure", "key", |call| {
            call.change(|call| call.key = "other".into())
        }),
        mistake("InvalidParameter", "body", |call| {
            call.change(|call| call.body = r#"{"Limit":"1","#.into())
        }),
        mistake("InvalidParameter", "body", |call| {
            call.change(|call| call.body = r#"{"Limit":"1","Nothing":1}"#.into())
        }),
        mistake("UnknownParameter", "body", |call| {
            call.change(|call| call.body = r#"{"Limit":101,"Nothing":1}"#.into())
        }),
        mistake("MissingParameter", "body", |call| {
            call.change(|call| call.body = r#"{"Limit":101}"#.into())
        }),
        mistake("ResourceNotFound.Platform", "body", |call| {
            call.change(|call| call.body = r#"{"Limit":101,"Platform":"other"}"#.into())
        }),
        mistake("InvalidParameterValue.Limit", "body", |call| {
            call.change(|call| call.body = r#"{"Limit":101,"Platform":"test"}"#.into())
        }),
    ];
    for (at, first) in mistakes.iter().enumerate() {
        let one = (first.make)(Tc3::describe());
        assert_eq!(alone(&one).await, first.code, "{}", first.about);
        for later in &mistakes[at + 1..] {
            if later.about != first.about {
                let both = (first.make)((later.make)(Tc3::describe()));
                let found = alone(&both).await;
                assert_eq!(found, first.code, "{} and {}", first.code, later.code);
            }
        }
    }
    // The rate is behind the signature and before the body.
    let gateway = gateway();
    for _ in 0..20 {
        let call = Tc3::describe().change(|call| call.body = "{".into());
        assert_eq!(code(&gateway, call.request()).await, "InvalidParameter");
    }
    for mistake in &mistakes {
        let expected = match mistake.about {
            "body" => "RequestLimitExceeded",
            _ => mistake.code,
        };
        let call = (mistake.make)(Tc3::describe());
        assert_eq!(code(&gateway, call.request()).await, expected);
    }
}

/// A project that is whole, with this put in its place.
fn project_with(pointer: &str, value: Value) -> Value {
    let mut wish = json!({
        "Platform": "test", "Category": "STREAM_CONNECT", "Name": "n",
        "Owner": {"Type": "PERSON", "Id": "user_1"},
        "StreamConnectProjectInput": {
            "MainInput": {"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": "http://play.example.com/a.flv"}},
            "BackupInput": {"InputType": "VodPull", "VodPullInputInfo": {"InputUrls": ["http://play.example.com/a.mp4"], "LoopTimes": -1}},
            "Outputs": [{"Id": "1", "Name": "one", "Type": "URL", "PushUrl": "rtmp://push.example.com/cme/live1"}],
        },
    });
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = wish.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
    wish
}

#[tokio::test]
async fn each_member_of_a_new_project() {
    let (main, outputs) = (
        "/StreamConnectProjectInput/MainInput",
        "/StreamConnectProjectInput/Outputs",
    );
    let vod = |urls: Value, loops: Value| json!({"InputType": "VodPull", "VodPullInputInfo": {"InputUrls": urls, "LoopTimes": loops}});
    let live = |url: &str| json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": url}});
    let push = |seconds: Value| json!({"InputType": "RtmpPush", "RtmpPushInputInfo": {"ExpiredSecond": seconds, "PushUrl": ""}});
    let file = "http://play.example.com/a.flv";
    let files = |count: usize| Value::from(vec![file; count]);
    let output = |url: &str| json!([{"PushUrl": url}]);
    let many = |count: usize| {
        let outputs = (0..count).map(|at| json!({"PushUrl": format!("rtmp://h/a/{at}")}));
        Value::from(outputs.collect::<Vec<_>>())
    };
    let value = "InvalidParameterValue";
    let (kind, missing) = ("InvalidParameter", "MissingParameter");
    for (pointer, put, expected) in [
        ("/Platform", json!(""), "InvalidParameterValue.Platform"),
        (
            "/Platform",
            json!("p".repeat(129)),
            "InvalidParameterValue.Platform",
        ),
        ("/Platform", json!("Test"), "ResourceNotFound.Platform"),
        ("/Platform", json!(1), kind),
        ("/Platform", json!(null), missing),
        ("/Name", json!(null), missing),
        ("/Name", json!(""), "InvalidParameterValue.Name"),
        ("/Name", json!("项".repeat(30)), "ok"),
        (
            "/Name",
            json!("项".repeat(31)),
            "InvalidParameterValue.NameLenLimt",
        ),
        ("/Name", json!(["n"]), kind),
        ("/Category", json!(null), missing),
        ("/Category", json!(""), "InvalidParameterValue.Category"),
        (
            "/Category",
            json!("stream_connect"),
            "InvalidParameterValue.Category",
        ),
        (
            "/Category",
            json!("MEDIA_CAST"),
            "InvalidParameterValue.Category",
        ),
        ("/Owner", json!(null), missing),
        ("/Owner", json!("user_1"), kind),
        ("/Owner", json!({"Type": "PERSON"}), missing),
        ("/Owner", json!({"Id": "user_1"}), missing),
        (
            "/Owner",
            json!({"Type": "TEAM", "Id": "t"}),
            "InvalidParameterValue.OwnerType",
        ),
        (
            "/Owner",
            json!({"Type": "person", "Id": "t"}),
            "InvalidParameterValue.OwnerType",
        ),
        (
            "/Owner",
            json!({"Type": "PERSON", "Id": ""}),
            "InvalidParameterValue.OwnerId",
        ),
        ("/Owner", json!({"Type": "PERSON", "Id": 1}), kind),
        (
            "/Owner",
            json!({"Type": "PERSON", "Id": "u", "Name": "n"}),
            "UnknownParameter",
        ),
        ("/AspectRatio", json!("16:9"), "ok"),
        (
            "/AspectRatio",
            json!("4:3"),
            "InvalidParameterValue.AspectRatio",
        ),
        ("/Mode", json!("Default"), "ok"),
        ("/Description", json!("about it"), "ok"),
        ("/MediaCastProjectInput", json!(null), "ok"),
        ("/platform", json!("test"), "UnknownParameter"),
        ("/Operator", json!("user_1"), "ok"),
        ("/Operator", json!(""), "ok"),
        ("/Operator", json!("cmeid_system"), "ok"),
        (
            "/Operator",
            json!("user_2"),
            "OperationDenied.PermissionDeny",
        ),
        ("/StreamConnectProjectInput", json!(null), value),
        ("/StreamConnectProjectInput", json!({}), "ok"),
        ("/StreamConnectProjectInput", json!([]), kind),
        (
            "/StreamConnectProjectInput",
            json!({"Output": []}),
            "UnknownParameter",
        ),
        (main, json!(null), "ok"),
        (main, json!({}), missing),
        (main, json!({"InputType": "LivePull"}), value),
        (
            main,
            json!({"InputType": "livePull", "LivePullInputInfo": {"InputUrl": file}}),
            value,
        ),
        (
            main,
            json!({"InputType": "LivePull", "RtmpPushInputInfo": {"ExpiredSecond": 1}}),
            value,
        ),
        (
            main,
            json!({"InputType": "LivePull", "LivePullInputInfo": {}}),
            missing,
        ),
        (
            main,
            json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": file, "x": 1}}),
            "UnknownParameter",
        ),
        (main, live("rtmp://h/a/b"), "ok"),
        (main, live("rtmps://h/a/b?c=d"), "ok"),
        (main, live("https://h/a/b.flv?c=d"), "ok"),
        (main, live(""), value),
        (main, live("srt://h/a"), value),
        (main, live("rtmp://h"), value),
        (main, live("http://127.0.0.1/a.flv"), value),
        (main, vod(files(1), json!(0)), "ok"),
        (main, vod(files(100), json!(-1)), "ok"),
        (main, vod(files(101), json!(1)), value),
        (main, vod(json!([]), json!(1)), value),
        (main, vod(files(1), json!(-2)), value),
        (main, vod(files(1), json!("1")), kind),
        (main, vod(files(1), json!(1.5)), kind),
        (main, vod(json!(file), json!(1)), kind),
        (main, vod(json!([null]), json!(1)), kind),
        (main, vod(json!(["rtmp://h/a/b"]), json!(1)), value),
        (main, push(json!(1)), "ok"),
        (main, push(json!(0)), value),
        (main, push(json!(-1)), kind),
        (main, push(json!("3600")), kind),
        (main, push(json!(null)), missing),
        (main, push(json!(9_999_999_999_u64)), value),
        (outputs, json!(null), "ok"),
        (outputs, json!([]), "ok"),
        (outputs, json!({}), kind),
        (outputs, json!([null]), kind),
        (outputs, many(20), "ok"),
        (outputs, many(21), "LimitExceeded"),
        (outputs, output("rtmps://h/a/b"), "ok"),
        (outputs, output(""), value),
        (outputs, output("http://h/a/b"), value),
        (outputs, output("rtmp://h/a"), value),
        (outputs, output("rtmp://127.0.0.1/a/b"), value),
        (outputs, json!([{"Id": "1"}]), value),
        (
            outputs,
            json!([{"Id": "1", "PushUrl": "rtmp://h/a/b"}, {"Id": "1", "PushUrl": "rtmp://h/a/c"}]),
            value,
        ),
        (
            outputs,
            json!([{"Id": "", "PushUrl": "rtmp://h/a/b"}, {"Id": "1", "PushUrl": "rtmp://h/a/c"}]),
            "ok",
        ),
        (outputs, json!([{"Id": 1, "PushUrl": "rtmp://h/a/b"}]), kind),
        (
            outputs,
            json!([{"Type": "URL", "PushUrl": "rtmp://h/a/b"}]),
            "ok",
        ),
        (
            outputs,
            json!([{"Type": "SRT", "PushUrl": "rtmp://h/a/b"}]),
            value,
        ),
        (
            outputs,
            json!([{"Url": "rtmp://h/a/b"}]),
            "UnknownParameter",
        ),
    ] {
        let gateway = gateway();
        let wish = project_with(pointer, put.clone());
        let call = Tc3::new("CreateProject", &wish.to_string());
        assert_eq!(
            code(&gateway, call.request()).await,
            expected,
            "{pointer}: {put}"
        );
        let stored = gateway.store.projects.lock().unwrap().len();
        assert_eq!(stored, usize::from(expected == "ok"), "{pointer}: {put}");
    }
}

/// What a project is when something is done with it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Idle, without inputs and outputs.
    Bare,
    /// Idle, with a main input and an output `1`.
    Idle,
    /// As `Idle`, and started.
    Working,
    /// As `Working`, and stopped.
    Stopped,
}

async fn in_state(state: State) -> (Caller, String) {
    let caller = Caller::new(gateway());
    let wish = match state {
        State::Bare => project_with("/StreamConnectProjectInput", json!({})),
        _ => project_with("/StreamConnectProjectInput/BackupInput", json!(null)),
    };
    let made = caller.done("CreateProject", wish).await;
    let id = made["ProjectId"].as_str().unwrap().to_owned();
    if matches!(state, State::Working | State::Stopped) {
        caller.handle(&id, "Start", json!({})).await;
    }
    if state == State::Stopped {
        caller.handle(&id, "Stop", json!({})).await;
    }
    (caller, id)
}

#[tokio::test]
async fn each_operation_in_each_state() {
    use State::{Bare, Idle, Stopped, Working};
    let (input, output) = (
        "InvalidParameterValue.StreamConnectInputInvalid",
        "InvalidParameterValue.StreamConnectOutputInvalid",
    );
    let (failed, value) = ("FailedOperation.StreamConnect", "InvalidParameterValue");
    let incomplete = "InvalidParameterValue.StreamConnect";
    let live = json!({"InputType": "LivePull", "LivePullInputInfo": {"InputUrl": "rtmp://play.example.com/live/b"}});
    let at = |endpoint: &str| json!({"InputEndpoint": endpoint});
    let put = |endpoint: &str| json!({"InputEndpoint": endpoint, "InputInfo": live});
    let two = json!({"OutputInfo": {"PushUrl": "rtmp://push.example.com/cme/live2"}});
    let one_again =
        json!({"OutputInfo": {"Id": "1", "PushUrl": "rtmp://push.example.com/cme/live2"}});
    let one = json!({"OutputInfo": {"Id": "1", "Name": "other"}});
    let nobody = json!({"OutputInfo": {"Id": "nobody", "Name": "other"}});
    let nameless = json!({"OutputInfo": {"Name": "other"}});
    let tomorrow = json!({"CurrentStopTime": "2025-11-02T00:00:00.000Z"});
    // Bare, Idle, Working, Stopped.
    for (operation, more, expected) in [
        ("AddInput", put("Main"), ["ok", input, input, input]),
        ("AddInput", put("Backup"), ["ok", "ok", "ok", "ok"]),
        (
            "AddInput",
            json!({"InputEndPoint": "Backup", "InputInfo": live}),
            ["ok", "ok", "ok", "ok"],
        ),
        ("AddInput", put("main"), [input, input, input, input]),
        ("AddInput", put(""), [input, input, input, input]),
        ("AddInput", at("Backup"), [input, input, input, input]),
        (
            "AddInput",
            json!({"InputInfo": live}),
            [input, input, input, input],
        ),
        ("ModifyInput", put("Main"), [input, "ok", failed, "ok"]),
        ("ModifyInput", put("Backup"), [input, input, failed, input]),
        ("ModifyInput", at("Main"), [input, input, input, input]),
        ("DeleteInput", at("Main"), [input, "ok", failed, "ok"]),
        ("DeleteInput", at("Backup"), [input, input, failed, input]),
        ("DeleteInput", json!({}), [input, input, input, input]),
        ("AddOutput", two.clone(), ["ok", "ok", "ok", "ok"]),
        (
            "AddOutput",
            one_again.clone(),
            ["ok", output, output, output],
        ),
        (
            "AddOutput",
            nameless.clone(),
            [output, output, output, output],
        ),
        ("AddOutput", json!({}), [output, output, output, output]),
        ("ModifyOutput", one.clone(), [output, "ok", failed, "ok"]),
        ("ModifyOutput", one_again, [output, "ok", failed, "ok"]),
        (
            "ModifyOutput",
            nobody.clone(),
            [output, output, failed, output],
        ),
        (
            "ModifyOutput",
            nameless.clone(),
            [output, output, failed, output],
        ),
        ("ModifyOutput", json!({}), [output, output, output, output]),
        ("DeleteOutput", one, [output, "ok", "ok", "ok"]),
        ("DeleteOutput", nobody, [output, output, output, output]),
        ("DeleteOutput", nameless, [output, output, output, output]),
        ("DeleteOutput", json!({}), [output, output, output, output]),
        ("Start", json!({}), [incomplete, "ok", failed, "ok"]),
        ("Stop", json!({}), ["ok", "ok", "ok", "ok"]),
        ("SwitchInput", at("Main"), [failed, failed, "ok", failed]),
        (
            "SwitchInput",
            json!({"InputEndPoint": "Main"}),
            [failed, failed, "ok", failed],
        ),
        ("SwitchInput", at("Backup"), [failed, failed, input, failed]),
        ("SwitchInput", json!({}), [input, input, input, input]),
        (
            "ModifyCurrentStopTime",
            tomorrow,
            [failed, failed, "ok", failed],
        ),
        (
            "ModifyCurrentStopTime",
            json!({}),
            [value, value, value, value],
        ),
        (
            "DescribeInputPlayInfo",
            at("Main"),
            [input, input, input, input],
        ),
        (
            "DescribeInputPlayInfo",
            at("Backup"),
            [input, input, input, input],
        ),
        (
            "DescribeInputPlayInfo",
            json!({}),
            [input, input, input, input],
        ),
        ("start", json!({}), [value, value, value, value]),
        ("", json!({}), [value, value, value, value]),
    ] {
        for (state, expected) in [Bare, Idle, Working, Stopped].into_iter().zip(expected) {
            let (caller, id) = in_state(state).await;
            let before = caller.describe(&id).await;
            let found = match expected {
                "ok" => {
                    let done = caller.handle(&id, operation, more.clone()).await;
                    assert_eq!(done["StreamInputRtmpPushUrl"], "", "{operation} {state:?}");
                    assert_eq!(done["VodPullInputPlayInfo"], Value::Null);
                    "ok".to_owned()
                }
                _ => caller.refused(&id, operation, more.clone()).await,
            };
            assert_eq!(found, expected, "{operation} {more} {state:?}");
            if expected != "ok" {
                assert_eq!(caller.describe(&id).await, before, "{operation} {state:?}");
            }
        }
    }
    for (state, expected) in [(Idle, "ok"), (Working, "FailedOperation"), (Stopped, "ok")] {
        let (caller, id) = in_state(state).await;
        let wish = json!({"Platform": "test", "ProjectId": id});
        let request = Tc3::new("DeleteProject", &wish.to_string()).request();
        assert_eq!(code(&caller.gateway, request).await, expected, "{state:?}");
    }
}

#[tokio::test]
async fn the_end_of_a_working_project_lies_within_thirty_days() {
    let (caller, id) = in_state(State::Working).await;
    let value = "InvalidParameterValue";
    for (time, expected) in [
        ("2025-12-01T00:00:00Z", "ok"),
        ("2025-12-01T00:00:00.000Z", "ok"),
        ("2025-12-01T00:00:00.001Z", value),
        ("2025-12-01T08:00:00.000+08:00", "ok"),
        ("2025-12-01T08:00:01.000+08:00", value),
        ("2025-11-01T00:00:00.000Z", value),
        ("2025-10-31T23:59:59.999Z", value),
        ("2025-11-01T00:00:00.001Z", "ok"),
        ("2025-11-02", value),
        ("2025-11-02T00:00:00", value),
        ("2025-11-31T00:00:00.000Z", value),
        ("2025-11-02 00:00:00", value),
        ("1762041600", value),
        ("tomorrow", value),
        ("", value),
    ] {
        let more = json!({"CurrentStopTime": time});
        let found = match expected {
            "ok" => {
                caller.handle(&id, "ModifyCurrentStopTime", more).await;
                "ok".to_owned()
            }
            _ => caller.refused(&id, "ModifyCurrentStopTime", more).await,
        };
        assert_eq!(found, expected, "{time}");
    }
}
