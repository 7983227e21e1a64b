//! Scripted resolvers, scripted connects, and a few real ones on loopback.

use super::*;
use crate::net::address::AddressClass;
use futures::future::BoxFuture;
use std::collections::VecDeque;
use std::sync::Mutex;
use tokio::net::TcpListener;
use tokio::time::Instant;

/// Gives its answers in turn; none left means that it never answers.
struct Script(Mutex<VecDeque<io::Result<Vec<IpAddr>>>>);

impl Script {
    fn of(answers: Vec<io::Result<Vec<IpAddr>>>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(answers.into())))
    }

    fn addresses(answers: &[&[&str]]) -> Arc<Self> {
        Self::of(
            answers
                .iter()
                .map(|answer| Ok(answer.iter().map(|text| text.parse().unwrap()).collect()))
                .collect(),
        )
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Resolver for Script {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let answer = self.0.lock().unwrap().pop_front();
        Box::pin(async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}

fn dialer(resolver: Arc<Script>, allow_private: bool) -> Dialer {
    Dialer::new(
        resolver,
        AddressPolicy { allow_private },
        Arc::new(OwnListeners::new()),
    )
}

#[tokio::test]
async fn a_name_is_resolved_judged_and_ordered() {
    let script = Script::addresses(&[&["2606::1", "10.0.0.1", "2606::2", "8.8.8.8", "::1"]]);
    let addresses = dialer(script, false).resolve("live.example", 1935).await;
    let expected: Vec<SocketAddr> = ["[2606::1]:1935", "8.8.8.8:1935", "[2606::2]:1935"]
        .map(|text| text.parse().unwrap())
        .into();
    assert_eq!(addresses.unwrap(), expected);
}

#[tokio::test]
async fn a_rebinding_name_is_judged_at_every_attempt() {
    let script = Script::addresses(&[&["8.8.8.8"], &["127.0.0.1"], &["::ffff:10.0.0.1"], &[]]);
    let dialer = dialer(Arc::clone(&script), false);
    assert!(dialer.resolve("live.example", 1935).await.is_ok());
    for class in [AddressClass::Loopback, AddressClass::Private] {
        let error = dialer.resolve("live.example", 1935).await.unwrap_err();
        let DialError::Denied {
            denied, literal, ..
        } = &error
        else {
            panic!("{error}")
        };
        assert_eq!(denied.class, class);
        assert!(!literal && !error.is_permanent());
    }
    let error = dialer.resolve("live.example", 1935).await.unwrap_err();
    assert!(matches!(error, DialError::NoAddress { .. }), "{error}");
    assert_eq!(script.left(), 0);
}

#[tokio::test]
async fn a_literal_asks_no_resolver() {
    let script = Script::addresses(&[&["8.8.8.8"]]);
    let dialer = dialer(Arc::clone(&script), false);
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "[::1]",
        "localhost",
        "a.localhost.",
    ] {
        let error = dialer.dial(host, 1935).await.unwrap_err();
        assert_eq!(error.class(), DialClass::Denied, "{host}");
        assert!(error.is_permanent(), "{host}");
    }
    assert_eq!(script.left(), 1);
}

#[tokio::test]
async fn a_dial_connects_to_the_judged_address_with_its_options() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = Script::addresses(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let stream = dialer(Arc::clone(&script), true)
        .dial("live.example", port)
        .await
        .unwrap();
    assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
    assert_eq!(script.left(), 1);
    let socket = SockRef::from(&stream);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    #[cfg(target_os = "linux")]
    assert_eq!(socket.tcp_notsent_lowat().unwrap(), NOTSENT_LOWAT_BYTES);
}

#[tokio::test]
async fn our_own_listener_is_refused_even_where_private_addresses_are_permitted() {
    let own = Arc::new(OwnListeners::new());
    let script = Script::addresses(&[&["127.0.0.1"]]);
    let policy = AddressPolicy {
        allow_private: true,
    };
    let dialer = Dialer::new(script, policy, Arc::clone(&own));
    own.add("0.0.0.0:1935".parse().unwrap());
    for host in ["127.0.0.1", "127.1", "live.example"] {
        let error = dialer.dial(host, 1935).await.unwrap_err();
        assert_eq!(error.class(), DialClass::OwnListener, "{host}");
        assert!(error.is_permanent());
    }
}

#[tokio::test]
async fn a_closed_port_is_named_with_its_host() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let script = Script::addresses(&[&["127.0.0.1"]]);
    let error = dialer(script, true)
        .dial("live.example", port)
        .await
        .unwrap_err();
    assert_eq!(error.class(), DialClass::Refused);
    assert!(!error.is_permanent());
    assert_eq!(
        error.to_string(),
        format!("live.example (127.0.0.1:{port}) refuses connections")
    );
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_never_answers_ends_at_its_deadline() {
    let begun = Instant::now();
    let error = dialer(Script::of(vec![]), false)
        .dial("live.example", 1935)
        .await
        .unwrap_err();
    assert!(matches!(error, DialError::LookupTimeout { .. }), "{error}");
    assert_eq!(begun.elapsed(), LOOKUP_TIMEOUT);
    assert_eq!(error.class(), DialClass::Dns);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_never_answers_ends_at_the_deadline_of_the_whole() {
    let begun = Instant::now();
    let script = Script::addresses(&[&["8.8.8.8", "8.8.4.4"]]);
    let error = dialer(script, false)
        .dial_with("live.example", 1935, |_| {
            std::future::pending::<io::Result<()>>()
        })
        .await
        .unwrap_err();
    assert_eq!(error.class(), DialClass::Timeout);
    assert_eq!(begun.elapsed(), DIAL_TIMEOUT);
    assert_eq!(
        error.to_string(),
        "live.example does not answer within 10 s"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_never_connected_to() {
    let called = Mutex::new(Vec::new());
    let script = Script::addresses(&[&[
        "10.0.0.1",
        "8.8.8.8",
        "fe80::1",
        "2606::1",
        "::ffff:127.0.0.1",
    ]]);
    let error = dialer(script, false)
        .dial_with("live.example", 1935, |address| {
            called.lock().unwrap().push(address.to_string());
            std::future::ready(Err::<(), _>(io::ErrorKind::ConnectionRefused.into()))
        })
        .await
        .unwrap_err();
    assert_eq!(error.class(), DialClass::Refused);
    assert_eq!(*called.lock().unwrap(), ["8.8.8.8:1935", "[2606::1]:1935"]);
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let many: Vec<IpAddr> = (0..=255)
        .map(|last| IpAddr::from([8, 8, 8, last]))
        .collect();
    let script = Script::of(vec![Ok(many), Err(io::Error::other("no such name"))]);
    let dialer = dialer(script, false);
    let addresses = dialer.resolve("live.example", 1935).await.unwrap();
    assert_eq!(addresses.len(), MAX_ADDRESSES);
    let error = dialer.resolve("live.example", 1935).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "live.example does not resolve: no such name"
    );
}
