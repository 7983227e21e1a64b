//! Asking a running gateway over its native door.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::LINK;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect};
use serde::Deserialize;
use serde_json::Value;

use super::Failure;
use super::args::GatewayArgs;
use crate::config::{Arguments, Config, environment};
use crate::control::read_token;
use crate::secret::Secret;

/// How long a gateway may take to be reached.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// How long an answer may take. A preflight is the slowest.
const ANSWER_DEADLINE: Duration = Duration::from_secs(45);

/// Where a gateway listens, and what opens its door.
pub(super) struct Gateway {
    base: String,
    token: Secret,
    client: Client,
}

/// A request that did not succeed.
pub(super) enum Refused {
    /// Nobody listens there.
    Unreachable(String),
    /// The gateway said no.
    Said { status: StatusCode, why: String },
    /// Something else came in between.
    Broken(String),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Said {
                status: StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY,
                why,
            } => Self::Usage(why),
            Refused::Unreachable(why) | Refused::Said { why, .. } | Refused::Broken(why) => {
                Self::Failed(why)
            }
        }
    }
}

impl Gateway {
    /// Finds address and token.
    pub(super) fn find(args: &GatewayArgs) -> Result<Self, Failure> {
        let config = configuration(args)?;
        let token = match &config.http.token {
            Some(token) => token.clone(),
            None => read_token(&config.store.path).map_err(|error| {
                Failure::Failed(format!(
                    "{error}; give the data directory of a gateway that was started (--data DIR), \
                     or its token in AQUEDUCT_HTTP__TOKEN"
                ))
            })?,
        };
        Ok(Self {
            base: base(args, &config),
            token,
            client: client()?,
        })
    }

    /// All rows of a list, page by page.
    pub(super) async fn fetch_all(&self, path: &str) -> Result<Value, Refused> {
        let mut rows = Vec::new();
        let mut next = Some(path.to_owned());
        while let Some(path) = next {
            let answer = self.send(self.request(Method::GET, &path)).await?;
            next = next_page(&answer);
            match json(answer).await? {
                Value::Array(page) => rows.extend(page),
                other => return Ok(other),
            }
        }
        Ok(Value::Array(rows))
    }

    pub(super) async fn post(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<(StatusCode, Value), Refused> {
        let answer = self
            .send(self.request(Method::POST, path).json(body))
            .await?;
        let status = answer.status();
        Ok((status, json(answer).await?))
    }

    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.ask(self.request(Method::PATCH, path).json(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Value, Refused> {
        self.ask(self.request(Method::DELETE, path)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(self.token.expose())
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Value, Refused> {
        json(self.send(request).await?).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Refused> {
        let answer = request
            .send()
            .await
            .map_err(|error| unreachable(&self.base, &error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(refusal(answer).await)
    }
}

/// Whether the gateway at this address is ready; needs no token.
pub(super) async fn readiness(args: &GatewayArgs) -> Result<(), Failure> {
    let base = base(args, &configuration(args)?);
    let request = client()?.get(format!("{base}/readyz"));
    let answer = request
        .send()
        .await
        .map_err(|error| unreachable(&base, &error))?;
    match answer.status().is_success() {
        true => Ok(()),
        false => Err(Failure::Failed(reason(refusal(answer).await))),
    }
}

fn reason(refused: Refused) -> String {
    match refused {
        Refused::Unreachable(why) | Refused::Said { why, .. } | Refused::Broken(why) => why,
    }
}

/// The configuration that `serve` would have, where no address in it is needed: `--http` may be a URL here.
pub(super) fn configuration(args: &GatewayArgs) -> Result<Config, Failure> {
    let arguments = Arguments {
        data: args.data.clone(),
        ..Arguments::default()
    };
    Ok(Config::load_with(
        args.config.as_deref(),
        environment(),
        &arguments,
    )?)
}

fn base(args: &GatewayArgs, config: &Config) -> String {
    match &args.http {
        Some(url) if url.contains("://") => url.trim_end_matches('/').to_owned(),
        Some(address) => match address.parse::<SocketAddr>() {
            Ok(address) => format!("http://{}", reachable(address)),
            Err(_) => format!("http://{address}"),
        },
        None => format!("http://{}", reachable(config.http.listen)),
    }
}

/// A listener on every address is reached on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn client() -> Result<Client, Failure> {
    let client = Client::builder()
        // A proxy is for the outside; a gateway is on this machine or near it.
        .no_proxy()
        // The token goes to the address that was given, and nowhere else.
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_DEADLINE)
        .timeout(ANSWER_DEADLINE)
        .build();
    client.map_err(|error| Failure::Failed(format!("cannot make an HTTP client: {error}")))
}

fn unreachable(base: &str, error: &reqwest::Error) -> Refused {
    if error.is_connect() {
        return Refused::Unreachable(format!(
            "no gateway answers at {base}; start one with: aqueduct serve, or give its address: --http ADDR"
        ));
    }
    let why = match error.is_timeout() {
        true => "it took too long to answer".to_owned(),
        false => innermost(error),
    };
    Refused::Broken(format!("{base}: {why}"))
}

/// reqwest's own text repeats the URL and hides the reason.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

async fn refusal(answer: Response) -> Refused {
    let status = answer.status();
    let base = answer.url().origin().ascii_serialization();
    let problem = answer.json::<Problem>().await;
    let why = match problem {
        Ok(problem) if status == StatusCode::UNAUTHORIZED => {
            format!(
                "{base}: {} Is this its data directory? (--data DIR)",
                problem.detail
            )
        }
        Ok(problem) => problem.detail,
        Err(_) => format!("{base}: answered {status}; is this an aqueduct?"),
    };
    Refused::Said { status, why }
}

/// Where the rows behind these are, at the same gateway.
fn next_page(answer: &Response) -> Option<String> {
    let link = answer.headers().get(LINK)?.to_str().ok()?;
    let path = link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?;
    path.starts_with("/v1/").then(|| path.to_owned())
}

/// An empty answer is null.
async fn json(answer: Response) -> Result<Value, Refused> {
    let base = answer.url().origin().ascii_serialization();
    let broken = |why: String| Refused::Broken(format!("{base}: {why}; is this an aqueduct?"));
    let bytes = answer
        .bytes()
        .await
        .map_err(|error| broken(innermost(&error)))?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|_| broken("the answer is not JSON".to_owned()))
}

/// Reads rows out of an answer.
pub(super) fn rows<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| {
        Failure::Failed(format!(
            "the gateway's answer cannot be read ({error}); is it another version?"
        ))
    })
}

/// One part of a path.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let config = Config::default();
        for (http, url) in [
            (None, "http://127.0.0.1:8080"),
            (Some("0.0.0.0:9000"), "http://127.0.0.1:9000"),
            (Some("[::]:9000"), "http://[::1]:9000"),
            (Some("192.0.2.1:80"), "http://192.0.2.1:80"),
            (Some("relay.example:80"), "http://relay.example:80"),
            (Some("https://relay.example/"), "https://relay.example"),
        ] {
            let args = GatewayArgs {
                http: http.map(str::to_owned),
                ..GatewayArgs::default()
            };
            assert_eq!(base(&args, &config), url);
        }
    }
}
