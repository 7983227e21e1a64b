//! A call with a TC3 signature that a test changes before it is signed and sent.

use axum::body::Body;
use axum::http::{Method, Request};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::doors::{SECRET_ID, SECRET_KEY};
use crate::tencent::NOW;

pub const HOST: &str = "relay.example.com";
pub const FORM: &str = "application/x-www-form-urlencoded";

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

pub fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

/// A request with a TC3 signature, as it is sent and as it is signed.
#[derive(Clone)]
pub struct Tc3 {
    pub method: Method,
    pub query: String,
    /// Sent; of those that are signed, the value that is.
    pub headers: Vec<(String, String)>,
    pub signed: Vec<&'static str>,
    /// Signed in place of what is sent.
    pub signed_values: Vec<(&'static str, String)>,
    pub signed_query: Option<String>,
    pub signed_payload: Option<String>,
    pub timestamp: String,
    pub date: String,
    pub service: String,
    pub secret_id: String,
    pub key: String,
    pub body: String,
    /// Between the fields of the Authorization header.
    pub comma: &'static str,
}

impl Tc3 {
    pub fn new(action: &str, body: &str) -> Self {
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

    pub fn describe() -> Self {
        Self::new("DescribeProjects", r#"{"Platform":"test"}"#)
    }

    pub fn get(action: &str, query: &str) -> Self {
        let mut call = Self::new(action, "").header("content-type", FORM);
        call.method = Method::GET;
        call.query = query.into();
        call
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(found, _)| found != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(found, _)| found != name);
        self
    }

    pub fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn value(&self, name: &str) -> &str {
        let signed = self.signed_values.iter().find(|(found, _)| *found == name);
        let sent = self.headers.iter().find(|(found, _)| found == name);
        signed.map_or_else(|| sent.map_or("", |(_, value)| value), |(_, value)| value)
    }

    pub fn authorization(&self) -> String {
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

    pub fn request(&self) -> Request<Body> {
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
