//! Whoever goes out resolves, judges and connects anew each time: pushes, preflights, pulls of both kinds, files, and calls of webhooks
//! and hooks. No name and no redirect leads where a literal may not.

use crate::REFUSED;
use crate::gateway_parts::{Authority, Diary, Host, Names, Network, Visit, until};
use aqueduct::egress::attempt::{Depth, Manner, Reach};
use aqueduct::egress::preflight::preflight;
use aqueduct::ingest::inputs::{FeedTerms, Feeder, Feeding, InputState, Standing};
use aqueduct::net::dial::Dialer;
use aqueduct::net::outbound::Outbound;
use aqueduct::net::own::OwnListeners;
use aqueduct::net::policy::AddressPolicy;
use aqueduct::net::tls;
use aqueduct::notify::{HttpPost, Post, Shaped};
use aqueduct::relay::ring::RingLimits;
use aqueduct::relay::{Hub, Shards, Tick};
use aqueduct::rule::{
    FileUrl, Files, HttpUrl, Input, Loops, Origin, PullUrl, Role, Source, StreamKey, TargetUrl,
};
use axum::Router;
use axum::http::{StatusCode, header};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Where the first, harmless server is.
const FIRST: &str = "8.8.8.8";

/// Addresses that a name may turn out to have.
const ADDRESSES: &[&str] = &[
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "2002:a00:1::",
    "fe80::1",
    "fd00:ec2::254",
];

/// All ways out of a gateway with the policy of production, in a network that is played.
struct WaysOut {
    names: Arc<Names>,
    network: Arc<Network>,
    reach: Reach,
    post: HttpPost,
    feeder: Arc<Feeder>,
}

impl WaysOut {
    fn new(hosts: &[(&str, SocketAddr)]) -> Self {
        Self::trusting(tls::client_config(&[]).unwrap(), hosts)
    }

    /// With other authorities than the usual ones.
    fn trusting(tls: Arc<rustls::ClientConfig>, hosts: &[(&str, SocketAddr)]) -> Self {
        let names = Names::none();
        names.put("first.example", FIRST);
        let network = Network::of(hosts);
        let own = Arc::new(OwnListeners::new());
        own.add("8.8.4.4:1935".parse().unwrap());
        let dialer = Dialer::new(names.clone(), AddressPolicy::default(), own);
        let dialer = Arc::new(dialer.through(network.clone()));
        let tick = Tick::new(Duration::from_millis(10));
        let feeder = Feeder::new(
            Hub::new(RingLimits::default()),
            Arc::new(Shards::here(tick)),
            Outbound {
                dialer: Arc::clone(&dialer),
                tls: Arc::clone(&tls),
            },
            Arc::default(),
            Diary::new(),
            Duration::from_millis(10),
            FeedTerms::default(),
        );
        Self {
            names,
            network,
            reach: Reach {
                dialer: Arc::clone(&dialer),
                tls: Arc::clone(&tls),
                auth: Arc::default(),
            },
            post: HttpPost { dialer, tls },
            feeder,
        }
    }

    /// Why an attempt of a push fails.
    async fn push(&self, url: &str) -> String {
        let url = TargetUrl::parse(url).unwrap();
        let manner = Manner {
            chunk_size: 4096,
            digest_handshake: false,
            enhanced: None,
            depth: Depth::Publish,
        };
        match self.reach.establish(&url, &manner, |_, _| {}).await {
            Ok(_) => panic!("it was reached"),
            Err(failure) => failure.reason(&url),
        }
    }

    /// Why a preflight fails.
    async fn preflight(&self, url: &str) -> String {
        let url = TargetUrl::parse(url).unwrap();
        let mut tried = preflight(&self.reach, &url, 4096, Depth::Connect).await;
        tried.pop().unwrap().outcome.unwrap_err()
    }

    /// How an input stands once it has failed.
    async fn feed(&self, source: Source) -> Standing {
        let stream = StreamKey::parse("live", "cam").unwrap();
        self.feeder.start(&Arc::new(Input {
            stream: stream.clone(),
            role: Role::Main,
            source,
            origin: Origin::Api,
        }));
        let standing = || self.feeder.standing(&stream, Role::Main);
        until("the input has failed", || {
            standing().is_some_and(|standing| {
                matches!(standing.state, InputState::BackingOff | InputState::Failed)
            })
        })
        .await;
        let standing = standing().unwrap();
        self.feeder.stop(&stream, Role::Main);
        standing
    }

    async fn call(&self, url: &str) -> Result<u16, String> {
        let shaped = Shaped {
            body: "{}".to_owned(),
            headers: Vec::new(),
        };
        let url = HttpUrl::parse(url).unwrap();
        let posted = self.post.post(&url, shaped).await;
        posted.map_err(|error| error.to_string())
    }
}

fn pull(url: &str) -> Source {
    Source::Pull(PullUrl::parse(url).unwrap())
}

fn file(url: &str) -> Source {
    let url = FileUrl::parse(url).unwrap();
    Source::Files(Files::new(vec![url], Loops::Never).unwrap())
}

#[tokio::test]
async fn no_name_leads_to_an_address_that_may_not_be_called() {
    let out = WaysOut::new(&[]);
    for address in ADDRESSES {
        out.names.put("bad.example", address);
        let said = format!("bad.example is refused: {address} is a");
        let rtmp = "rtmp://bad.example/app/canary";
        let mut reasons = vec![
            ("push", out.push(rtmp).await),
            (
                "secure push",
                out.push("rtmps://bad.example/app/canary").await,
            ),
            ("preflight", out.preflight(rtmp).await),
            (
                "webhook",
                out.call("http://bad.example/canary").await.unwrap_err(),
            ),
            (
                "secure webhook",
                out.call("https://bad.example/canary").await.unwrap_err(),
            ),
        ];
        for source in [
            pull(rtmp),
            pull("http://bad.example/canary.flv"),
            pull("https://bad.example/canary.flv"),
            file("http://bad.example/canary.mp4"),
        ] {
            let failed = out.feed(source).await;
            reasons.push(("input", failed.reason.unwrap()));
        }
        for (who, reason) in reasons {
            assert!(reason.contains(&said), "{who} to {address}: {reason}");
            assert!(!reason.contains("canary"), "{reason}");
        }
    }
    assert_eq!(out.network.called(), [""; 0]);
}

#[tokio::test]
async fn no_literal_is_called_by_whoever_it_came_from() {
    let out = WaysOut::new(&[]);
    for (host, what) in REFUSED {
        let rtmp = format!("rtmp://{host}/app/key");
        let http = format!("http://{host}:8080/a.flv");
        let mut reasons = vec![
            out.push(&rtmp).await,
            out.preflight(&rtmp).await,
            out.call(&http).await.unwrap_err(),
        ];
        for source in [pull(&rtmp), pull(&http), file(&http)] {
            reasons.push(out.feed(source).await.reason.unwrap());
        }
        for reason in reasons {
            assert!(reason.contains(what), "{host}: {reason}");
        }
    }
    assert_eq!(out.network.called(), [""; 0]);
}

/// Answers every request with a redirect to this place.
async fn sends_on(status: StatusCode, place: String) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = move || std::future::ready((status, [(header::LOCATION, place)]));
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test]
async fn no_redirect_of_a_web_server_leads_there() {
    let spelled = REFUSED.iter().map(|&(host, what)| (host, what));
    let named = [
        ("bad.example", "bad.example is refused: 10.0.0.1"),
        ("8.8.4.4:1935", "a listener of this gateway"),
    ];
    for (host, what) in spelled.chain(named) {
        let place = format!("http://{host}/a.flv");
        let server = sends_on(StatusCode::FOUND, place).await;
        let out = WaysOut::new(&[(FIRST, server)]);
        out.names.put("bad.example", "10.0.0.1");
        let url = format!("http://first.example:{}/a.flv", server.port());
        for source in [pull(&url), file(&url)] {
            let reason = out.feed(source).await.reason.unwrap();
            assert!(reason.contains(what), "{host}: {reason}");
            assert_eq!(out.network.called(), [FIRST], "{host}");
        }
        // A webhook's receiver, or a hook, sends nobody anywhere.
        assert_eq!(out.call(&url).await, Ok(302), "{host}");
        assert_eq!(out.network.called(), [FIRST], "{host}");
    }
}

#[tokio::test]
async fn every_kind_of_redirect_is_judged_and_what_is_no_http_is_not_followed() {
    for status in [
        StatusCode::MOVED_PERMANENTLY,
        StatusCode::SEE_OTHER,
        StatusCode::TEMPORARY_REDIRECT,
        StatusCode::PERMANENT_REDIRECT,
    ] {
        for (place, what) in [
            ("//127.0.0.1/a.flv", "127.0.0.1 is a loopback address"),
            ("file:///etc/passwd.flv", "cannot be followed"),
            ("gopher://8.8.8.8/a.flv", "cannot be followed"),
            ("rtmp://8.8.8.8/app/a", "cannot be followed"),
            ("http://u:p@8.8.8.8/a.flv", "cannot be followed"),
        ] {
            let server = sends_on(status, place.to_owned()).await;
            let out = WaysOut::new(&[(FIRST, server)]);
            let url = format!("http://first.example:{}/a.flv", server.port());
            let failed = out.feed(pull(&url)).await;
            let reason = failed.reason.unwrap();
            assert!(reason.contains(what), "{status} {place}: {reason}");
            assert_eq!(failed.state, InputState::Failed, "{place}");
            assert_eq!(out.network.called(), [FIRST], "{place}");
        }
    }
}

/// Sends the next caller on.
async fn send_on(host: &Host, to: &str) -> Visit {
    let mut visit = host.visit().await;
    visit.send_on("redirect", to).await;
    visit
}

#[tokio::test]
async fn no_redirect_of_an_rtmp_server_leads_there() {
    let host = Host::open().await;
    let port = host.address.port();
    let out = WaysOut::new(&[(FIRST, host.address)]);
    out.names.put("bad.example", "169.254.169.254");
    let url = format!("rtmp://first.example:{port}/app/key");
    let named = [
        ("bad.example", "bad.example is refused: 169.254.169.254"),
        ("8.8.4.4", "a listener of this gateway"),
    ];
    for (place, what) in REFUSED.iter().copied().chain(named) {
        let to = format!("rtmp://{place}/app");
        let (failed, _visit) = tokio::join!(out.feed(pull(&url)), send_on(&host, &to));
        let reason = failed.reason.unwrap();
        assert!(reason.contains(what), "pull, {place}: {reason}");
        let (reason, _visit) = tokio::join!(out.push(&url), send_on(&host, &to));
        assert!(reason.contains(what), "push, {place}: {reason}");
        let (reason, _visit) = tokio::join!(out.preflight(&url), send_on(&host, &to));
        assert!(reason.contains(what), "preflight, {place}: {reason}");
        assert_eq!(out.network.called(), [FIRST; 3], "{place}");
    }
}

#[tokio::test]
async fn no_redirect_leads_a_pull_out_of_tls() {
    let authority = Authority::new();
    let server = authority.server(&["first.example"]);
    let host = Host::open().await;
    let place = format!("first.example:{}", host.address.port());
    let out = WaysOut::trusting(authority.client(), &[(FIRST, host.address)]);
    let script = async {
        let tcp = host.accept().await;
        let mut stream = tls::accept(&server, host.address, tcp).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = format!(
            "HTTP/1.1 302 Found\r\nLocation: http://{place}/a.flv\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        stream
    };
    let (by_http, _stream) =
        tokio::join!(out.feed(pull(&format!("https://{place}/a.flv"))), script);
    let script = async {
        let mut visit = host.visit_tls(&server).await;
        visit
            .send_on("redirect", &format!("rtmp://{place}/app"))
            .await;
        visit
    };
    let (by_rtmp, _visit) =
        tokio::join!(out.feed(pull(&format!("rtmps://{place}/app/key"))), script);
    for failed in [by_http, by_rtmp] {
        let reason = failed.reason.unwrap();
        assert!(reason.contains("cannot be followed"), "{reason}");
        assert_eq!(failed.state, InputState::Failed);
    }
    assert_eq!(out.network.called(), [FIRST; 2]);
}
