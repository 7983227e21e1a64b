//! The media path without its doors.

use super::{Diary, Names, PATIENCE, Publisher, Target};
use aqueduct::egress::attempt::Reach;
use aqueduct::egress::gate::StartGate;
use aqueduct::egress::plan::{Planner, plan};
use aqueduct::egress::status::PushStatus;
use aqueduct::egress::{Board, Egress, Supervisor};
use aqueduct::ingest::{Admission, Apps, Gate, Listener, PublishAuth};
use aqueduct::net::dial::Dialer;
use aqueduct::net::listener::Acceptor;
use aqueduct::net::own::OwnListeners;
use aqueduct::net::permits::{ConnectionLimits, Permits};
use aqueduct::net::policy::AddressPolicy;
use aqueduct::relay::ring::RingLimits;
use aqueduct::relay::{Hub, Shards, Stream, Terms, Tick};
use aqueduct::rule::{
    AppName, Origin, Rule, RuleId, RuleSet, StreamKey, StreamPattern, UrlTemplate,
};
use aqueduct::secret::Secret;
use aqueduct::telemetry::Metrics;
use aqueduct::telemetry::events::Callers;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What a test wants other than usual.
pub struct Setup {
    /// The beat; zero is none.
    pub window: Duration,
    /// Threads that carry media; 0 means the test's own, for clocks that are moved by hand.
    pub shards: usize,
    /// The keys of app `live`; open where there are none.
    pub publish_keys: Vec<&'static str>,
    pub reject_duplicates: bool,
    pub ring: RingLimits,
    pub names: Arc<Names>,
    pub allow_private: bool,
    /// What targets' certificates are checked with.
    pub roots: Option<Arc<rustls::ClientConfig>>,
    /// RTMPS instead of RTMP.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    pub starts_per_second: u32,
    /// How many publishers may connect.
    pub connections: ConnectionLimits,
    /// How long a publisher's return is waited for, and the like.
    pub terms: Terms,
    /// What a push's clock begins with, in milliseconds.
    pub start_clock: u32,
    /// What says which pushes have to start and stop.
    pub planner: Planner,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            window: Duration::from_millis(10),
            shards: 0,
            publish_keys: Vec::new(),
            reject_duplicates: false,
            ring: RingLimits::default(),
            names: Names::none(),
            allow_private: true,
            roots: None,
            tls: None,
            starts_per_second: 0,
            connections: ConnectionLimits::default(),
            terms: Terms::default(),
            start_clock: 0,
            planner: plan,
        }
    }
}

pub struct Gateway {
    pub address: SocketAddr,
    pub rules: watch::Sender<RuleSet>,
    pub board: Arc<Board>,
    pub hub: Arc<Hub>,
    pub gate: Arc<Gate>,
    pub diary: Arc<Diary>,
    pub own: Arc<OwnListeners>,
    pub metrics: Arc<Metrics>,
    pub shards: Arc<Shards>,
}

impl Gateway {
    pub async fn start(setup: Setup) -> Self {
        let tick = Tick::new(setup.window);
        let shards = Arc::new(match setup.shards {
            0 => Shards::here(tick),
            count => Shards::start(count, tick).unwrap(),
        });
        let hub = Hub::new(setup.ring);
        hub.set_terms(setup.terms);
        let diary = Diary::new();
        let gate = Arc::new(Gate {
            names: Arc::default(),
            hub: Arc::clone(&hub),
            admission: admission(&setup.publish_keys),
            drain: hub.drain().clone(),
            watch: diary.clone(),
            reject_duplicates: AtomicBool::new(setup.reject_duplicates),
        });
        let own = Arc::new(OwnListeners::new());
        let policy = AddressPolicy {
            allow_private: setup.allow_private,
        };
        let egress = Egress {
            reach: Reach {
                dialer: Arc::new(Dialer::new(setup.names, policy, Arc::clone(&own))),
                tls: setup
                    .roots
                    .unwrap_or_else(|| aqueduct::net::tls::client_config(&[]).unwrap()),
                auth: std::sync::Arc::default(),
            },
            gate: StartGate::new(setup.starts_per_second),
            chunk_size: 4096,
            beats: shards.beats(),
            start_clock: setup.start_clock,
            watch: diary.clone(),
        };
        let (rules, subscribed) = watch::channel(RuleSet::default());
        let board = Arc::new(Board::default());
        let supervisor = Supervisor::new(
            Arc::clone(&hub),
            subscribed,
            Arc::new(egress),
            Arc::clone(&board),
        )
        .with_planner(setup.planner);
        tokio::spawn(supervisor.run(gate.drain.clone(), PATIENCE));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        own.add(address);
        let permits = Permits::new(setup.connections);
        let metrics = Arc::new(Metrics::new());
        let listener = Listener {
            acceptor: Acceptor::new(listener, Callers::Publishers, permits, metrics.clone())
                .unwrap(),
            tls: setup.tls.map(|tls| Arc::new(ArcSwap::new(tls))),
        };
        tokio::spawn(aqueduct::ingest::serve(
            listener,
            Arc::clone(&gate),
            Arc::clone(&shards),
        ));
        Self {
            address,
            rules,
            board,
            hub,
            gate,
            diary,
            own,
            metrics,
            shards,
        }
    }

    /// Replaces all rules.
    pub fn wish(&self, rules: impl IntoIterator<Item = Rule>) {
        let rules = RuleSet::new(rules.into_iter().map(Arc::new));
        self.rules.send_replace(rules);
    }

    /// Publishes `name`, which one rule relays to the target's `x`, until that has its first four tags. The publisher's stamps begin
    /// at `at`, in milliseconds.
    pub async fn relay(&self, target: &mut Target, name: &str, at: u32) -> Publisher {
        self.wish([rule(1, &target.url("x"))]);
        let mut publisher = Publisher::connect(self.address, name).await;
        publisher.start(at).await;
        target.publish().await;
        target.tags(4).await;
        publisher
    }

    /// The live stream `live/NAME`.
    pub fn stream(&self, name: &str) -> Option<Arc<Stream>> {
        self.hub.find(&StreamKey::parse("live", name).unwrap())
    }

    /// The status of the push of that rule.
    pub fn push_of(&self, number: u8) -> Arc<PushStatus> {
        let rule = RuleId::from_random([number; 8]);
        let mut pushes = self.board.pushes().into_iter().map(|push| push.1);
        pushes.find(|push| push.rule == rule).unwrap()
    }

    /// The status of the only push.
    pub fn push(&self) -> Arc<PushStatus> {
        let mut pushes = self.board.pushes();
        assert_eq!(pushes.len(), 1, "{pushes:?}");
        pushes.remove(0).1
    }
}

fn admission(keys: &[&str]) -> Arc<dyn Admission> {
    let auth = match keys {
        [] => PublishAuth::None,
        keys => PublishAuth::Key(keys.iter().map(|&key| Secret::new(key)).collect()),
    };
    Arc::new(Apps::new([(AppName::parse("live").unwrap(), auth)]))
}

/// A rule for every stream of app `live`.
pub fn rule(number: u8, url: &str) -> Rule {
    Rule {
        id: RuleId::from_random([number; 8]),
        app: AppName::parse("live").unwrap(),
        stream: StreamPattern::parse("*").unwrap(),
        url: UrlTemplate::parse(url).unwrap(),
        backup_url: None,
        enabled: true,
        origin: Origin::Api,
        created_at: time::OffsetDateTime::UNIX_EPOCH,
        revision: 1,
        stop_at: None,
        chunk_size: None,
        strict_interleave: false,
        digest_handshake: false,
    }
}

/// A dialer that may call loopback.
pub fn dialer(names: Arc<Names>) -> Arc<Dialer> {
    let policy = AddressPolicy {
        allow_private: true,
    };
    Arc::new(Dialer::new(names, policy, Arc::new(OwnListeners::new())))
}
