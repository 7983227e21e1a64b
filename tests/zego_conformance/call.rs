//! A call that a test changes before it is signed and sent.

use aqueduct::api::zego::sign;
use aqueduct::secret::Secret;
use axum::body::Body;
use axum::http::{Method, Request};

use crate::doors::zego::{APP_ID, SECRET};

pub const URL: &str = "rtmp://wsdemo.zego.im/livestream/rtc01";

/// A call that is right until something of it is changed, and is signed as it then stands.
#[derive(Clone)]
pub struct Call {
    pub method: Method,
    /// Decoded, in their order.
    pub query: Vec<(String, String)>,
    /// Put behind the query as it stands.
    pub tail: String,
    pub headers: Vec<(&'static str, &'static str)>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn new() -> Self {
        let query = [
            ("Action", "CreatCDNTransferRule"),
            ("StreamId", "rtc01"),
            ("CDNUrl", URL),
            ("Sequence", "1761955200001"),
            ("AppId", "1234567890"),
            ("SignatureNonce", "4fd24687296dd9f3"),
            ("Timestamp", "1761955200"),
            ("SignatureVersion", "2.0"),
        ];
        Self {
            method: Method::GET,
            query: query
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            tail: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        match self.query.iter_mut().find(|(found, _)| found == name) {
            Some((_, found)) => *found = value.to_owned(),
            None => self.query.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.query.retain(|(found, _)| found != name);
        self
    }

    /// As a POST with this body.
    pub fn posted(mut self, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        self.method = Method::POST;
        self.headers.push(("content-type", content_type));
        self.body = body.into();
        self
    }

    fn value(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    pub fn request(&self) -> Request<Body> {
        let signature = sign(
            APP_ID,
            self.value("SignatureNonce"),
            &Secret::new(SECRET),
            self.value("Timestamp"),
        );
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        if !self.query.iter().any(|(name, _)| name == "Signature") {
            query.append_pair("Signature", &signature);
        }
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(format!("/?{}{}", query.finish(), self.tail))
            .header("host", "localhost:8080");
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(self.body.clone())).unwrap()
    }
}
