//! The older signature, one of the parameters.

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::call::{FORM, HOST, mac};
use crate::doors::{SECRET_ID, SECRET_KEY};
use crate::tencent::NOW;
use crate::{code, gateway};

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
