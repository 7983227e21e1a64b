//! Who may ask at all: the Host and Origin of a request, on every route.
//!
//! A page in a browser on this machine can send requests to loopback, and with a name of its own that it lets resolve to
//! 127.0.0.1 it can read the answers, too. So a request has to name a host that is ours, and where a browser says from
//! which page it comes, that page has to be ours as well.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Connection;
use crate::api::problem::Problem;
use crate::api::{Settings, client};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names under which this gateway may be asked, beside loopback and the address that the request came to.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts(Arc<[Authority]>);

impl AllowedHosts {
    /// Takes names as they stand in `[http] allowed_hosts`: `relay.example.com` for any port, `relay.example.com:8443`
    /// for that one. What is no name is left out; the configuration has refused it before.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self(names.into_iter().filter_map(Authority::parse).collect())
    }

    /// Whether no name was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of the names is what a request's Host header says.
    pub(crate) fn has(&self, host: &str) -> bool {
        Authority::parse(host).is_some_and(|asked| self.contains(&asked))
    }

    fn contains(&self, asked: &Authority) -> bool {
        self.0.iter().any(|allowed| {
            allowed.host == asked.host && (allowed.port.is_none() || allowed.port == asked.port)
        })
    }

    /// Judges one request. The origins are those whose pages may ask the client door.
    fn judge(&self, request: &Request, origins: &Origins) -> Result<(), Problem> {
        let connection = request.extensions().get::<Connection>();
        let is_invited = request.uri().path() == client::PATH && origins.invite(request.headers());
        let host = match asked_host(request)? {
            Some(host) => host,
            // HTTP/1.0 has no Host, no browser speaks it, and simple health checks do.
            None if request.version() == Version::HTTP_10 && is_invited => return Ok(()),
            None if request.version() == Version::HTTP_10 => {
                return self.judge_origin(None, request.headers());
            }
            None => return Err(Problem::bad_request("The Host header is missing.")),
        };
        let own = |ip: IpAddr| connection.is_some_and(|c| c.local.ip().to_canonical() == ip);
        let ours = host.is_loopback() || host.ip().is_some_and(own) || self.contains(&host);
        if !ours {
            return Err(Problem::forbidden(
                "foreign-host",
                "The Host header names a host that this gateway does not answer for. \
                 Add the name to allowed_hosts in the [http] section.",
            ));
        }
        match is_invited {
            true => Ok(()),
            false => self.judge_origin(Some(&host), request.headers()),
        }
    }

    fn judge_origin(&self, host: Option<&Authority>, headers: &HeaderMap) -> Result<(), Problem> {
        let refused = || {
            Problem::forbidden(
                "foreign-origin",
                "Requests that another site's page makes are refused.",
            )
        };
        for site in headers.get_all(SEC_FETCH_SITE) {
            if !matches!(site.as_bytes(), b"same-origin" | b"none") {
                return Err(refused());
            }
        }
        for origin in headers.get_all(header::ORIGIN) {
            let origin = origin
                .to_str()
                .ok()
                .and_then(Origin::parse)
                .ok_or_else(refused)?;
            let same = host.is_some_and(|host| origin.is(host));
            if !same && !self.contains(&origin.authority) {
                return Err(refused());
            }
        }
        Ok(())
    }
}

/// Origins of web pages, each as a browser writes it: `https://host[:port]`.
#[derive(Clone, Debug, Default)]
pub struct Origins(Arc<[String]>);

impl Origins {
    /// Takes them as they stand in `[http] client_origins`.
    pub fn new(origins: impl IntoIterator<Item = String>) -> Self {
        Self(origins.into_iter().collect())
    }

    /// Whether an Origin header says one of them.
    pub(crate) fn have(&self, origin: &HeaderValue) -> bool {
        self.0
            .iter()
            .any(|ours| ours.as_bytes() == origin.as_bytes())
    }

    /// Whether a request comes from a page of one of them.
    fn invite(&self, headers: &HeaderMap) -> bool {
        let mut named = headers.get_all(header::ORIGIN).iter();
        let first = named.next();
        first.is_some_and(|origin| self.have(origin)) && named.next().is_none()
    }
}

/// The middleware.
pub(crate) async fn guard(
    State(settings): State<Arc<ArcSwap<Settings>>>,
    request: Request,
    next: Next,
) -> Response {
    let verdict = {
        let settings = settings.load();
        settings
            .allowed_hosts
            .judge(&request, &settings.client_origins)
    };
    match verdict {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// The host that a request names: that of an absolute target, else that of its one Host header.
fn asked_host(request: &Request) -> Result<Option<Authority>, Problem> {
    let wrong = || Problem::bad_request("The Host header cannot be read.");
    if let Some(authority) = request.uri().authority() {
        return Authority::parse(authority.as_str())
            .map(Some)
            .ok_or_else(wrong);
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let Some(host) = hosts.next() else {
        return Ok(None);
    };
    if hosts.next().is_some() {
        return Err(wrong());
    }
    host.to_str()
        .ok()
        .and_then(Authority::parse)
        .map(Some)
        .ok_or_else(wrong)
}

/// A host with an optional port, as it stands in Host, Origin and `allowed_hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Authority {
    /// Lower case, without a trailing dot; an IPv6 literal without its brackets, in its shortest form.
    host: String,
    port: Option<u16>,
}

impl Authority {
    fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (host, after) = rest.split_once(']')?;
            let host: Ipv6Addr = host.parse().ok()?;
            let port = match after {
                "" => None,
                after => Some(parse_port(after.strip_prefix(':')?)?),
            };
            return Some(Self {
                host: host.to_string(),
                port,
            });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(parse_port(port)?)),
            None => (text, None),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let host = host.strip_suffix('.').unwrap_or(host);
        let valid = !host.is_empty() && host.bytes().all(plain);
        valid.then(|| Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    fn ip(&self) -> Option<IpAddr> {
        self.host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
    }

    /// `localhost`, 127.0.0.0/8 and `[::1]`. Names below `localhost` never leave this machine either, but no listener of
    /// ours is asked under one.
    fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.ip().is_some_and(|ip| ip.is_loopback())
    }
}

fn parse_port(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// An Origin header that names a site; `null` does not.
struct Origin {
    authority: Authority,
    default_port: u16,
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let (rest, default_port) = match text.strip_prefix("https://") {
            Some(rest) => (rest, 443),
            None => (text.strip_prefix("http://")?, 80),
        };
        Some(Self {
            authority: Authority::parse(rest)?,
            default_port,
        })
    }

    /// Whether this site is the one that the request was sent to. The scheme is left open: a proxy in front may end TLS.
    fn is(&self, host: &Authority) -> bool {
        let port = |authority: &Authority| authority.port.unwrap_or(self.default_port);
        self.authority.host == host.host && port(&self.authority) == port(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn ask(headers: &[(&str, &str)], target: &str, allowed: &[&str]) -> u16 {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Connection {
            remote: "192.0.2.9:5000".parse().unwrap(),
            local: "[::ffff:192.0.2.1]:8080".parse().unwrap(),
            beyond_loopback: true,
        });
        let hosts = AllowedHosts::new(allowed.iter().copied());
        let origins = Origins::new(["https://www.example.com".to_owned()]);
        hosts
            .judge(&request, &origins)
            .map_or_else(|problem| problem.status().as_u16(), |()| 200)
    }

    #[test]
    fn hosts() {
        let allowed = ["relay.example", "Fixed.Example:8443", "[2001:DB8::1]"];
        for (host, status) in [
            ("localhost", 200),
            ("LOCALHOST:9", 200),
            ("localhost.:9", 200),
            ("127.0.0.1:8080", 200),
            ("127.1.2.3", 200),
            ("[::1]:8080", 200),
            ("192.0.2.1:8080", 200),
            ("192.0.2.1", 200),
            ("192.0.2.2", 403),
            ("relay.example", 200),
            ("RELAY.example:99", 200),
            ("fixed.example:8443", 200),
            ("fixed.example", 403),
            ("fixed.example:8444", 403),
            ("[2001:db8:0::1]:80", 200),
            ("evil.example", 403),
            ("localhost.evil.example", 403),
            ("127.0.0.1.evil.example", 403),
            ("0x7f000001", 403),
            ("2130706433", 403),
            ("", 400),
            ("a b", 400),
            ("user@localhost", 400),
            ("localhost:x", 400),
            ("localhost:", 400),
            ("[::1", 400),
        ] {
            assert_eq!(
                ask(&[("host", host)], "/v1/rules", &allowed),
                status,
                "{host}"
            );
        }
        assert_eq!(ask(&[], "/", &allowed), 400);
        assert_eq!(
            ask(&[("host", "localhost"), ("host", "evil.example")], "/", &[]),
            400
        );
        // An absolute target wins over the header, as HTTP says.
        assert_eq!(
            ask(&[("host", "localhost")], "http://evil.example/", &[]),
            403
        );
        assert_eq!(
            ask(&[("host", "evil.example")], "http://localhost:8080/", &[]),
            200
        );
    }

    #[test]
    fn origins() {
        for (host, origin, status) in [
            ("localhost:8080", "http://localhost:8080", 200),
            ("localhost:8080", "http://LOCALHOST:8080", 200),
            ("localhost:8080", "http://localhost:3000", 403),
            ("localhost:8080", "http://127.0.0.1:8080", 403),
            ("localhost:8080", "https://localhost", 403),
            ("localhost", "http://localhost:80", 200),
            ("localhost", "https://localhost", 200),
            ("localhost:8080", "null", 403),
            ("localhost:8080", "http://evil.example", 403),
            ("localhost:8080", "file://", 403),
            ("localhost:8080", "", 403),
            // A proxy that rewrites Host: the page's name is in allowed_hosts.
            ("127.0.0.1:8080", "https://relay.example", 200),
        ] {
            let headers = [("host", host), ("origin", origin)];
            assert_eq!(
                ask(&headers, "/", &["relay.example"]),
                status,
                "{host} {origin}"
            );
        }
    }

    #[test]
    fn a_page_that_is_invited_reaches_the_client_door_and_no_other() {
        for (host, origin, path, status) in [
            ("localhost", "https://www.example.com", client::PATH, 200),
            (
                "localhost",
                "https://www.example.com:444",
                client::PATH,
                403,
            ),
            ("localhost", "http://www.example.com", client::PATH, 403),
            ("localhost", "https://www.example.com", "/v1/rules", 403),
            ("localhost", "https://www.example.com", "/", 403),
            ("evil.example", "https://www.example.com", client::PATH, 403),
        ] {
            let headers = [
                ("host", host),
                ("origin", origin),
                ("sec-fetch-site", "cross-site"),
            ];
            assert_eq!(ask(&headers, path, &[]), status, "{host} {origin} {path}");
        }
        let twice = [
            ("host", "localhost"),
            ("origin", "https://www.example.com"),
            ("origin", "https://evil.example"),
        ];
        assert_eq!(ask(&twice, client::PATH, &[]), 403);
    }

    #[test]
    fn fetch_sites() {
        for (site, status) in [
            ("same-origin", 200),
            ("none", 200),
            ("same-site", 403),
            ("cross-site", 403),
            ("new", 403),
        ] {
            let headers = [("host", "localhost"), ("sec-fetch-site", site)];
            assert_eq!(ask(&headers, "/", &[]), status, "{site}");
        }
    }

    #[test]
    fn old_http_without_a_host_is_no_browser() {
        let request = Request::builder().version(Version::HTTP_10).uri("/healthz");
        let request = request.body(Body::empty()).unwrap();
        assert!(
            AllowedHosts::default()
                .judge(&request, &Origins::default())
                .is_ok()
        );
    }
}
