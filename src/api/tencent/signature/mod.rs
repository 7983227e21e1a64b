//! How a caller shows that it knows the app's key: TC3-HMAC-SHA256 in headers, or the older v1 among the parameters.

pub(super) mod tc3;
pub(super) mod v1;

use std::borrow::Cow;

use axum::http::{HeaderMap, Method, Uri, header};

use super::limits::MAX_PUBLIC_NAMES;

/// A request as it came.
#[derive(Clone, Copy)]
pub(super) struct Received<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

impl<'a> Received<'a> {
    /// The query, byte for byte.
    pub fn query(&self) -> &'a str {
        self.uri.query().unwrap_or_default()
    }

    /// A header's text, without the white space around it.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let value = self.headers.get(name)?;
        value.to_str().ok().map(str::trim)
    }

    /// What stands before the parameters of the content type, in lower case.
    pub fn media_type(&self) -> String {
        let content_type = self
            .header(header::CONTENT_TYPE.as_str())
            .unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    }

    /// The hosts that the caller may have signed: the one that it called, which some SDKs sign without the port, and the names that
    /// the gateway has in public, since a proxy may have put another host in.
    pub fn hosts(&self, public: &'a [String]) -> Vec<Cow<'a, str>> {
        let called = self.uri.authority().map(|authority| authority.as_str());
        let called = called.or_else(|| self.header(header::HOST.as_str()));
        let called = called.unwrap_or_default();
        let mut hosts = vec![Cow::Borrowed(called)];
        if let Some((name, port)) = called.rsplit_once(':')
            && port.bytes().all(|byte| byte.is_ascii_digit())
        {
            hosts.push(name.into());
        }
        let public = public.iter().take(MAX_PUBLIC_NAMES);
        hosts.extend(public.map(|name| Cow::Borrowed(name.as_str())));
        hosts
    }
}
