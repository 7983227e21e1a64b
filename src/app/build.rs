//! From a configuration to a gateway that listens.

use super::observe::{Observer, snapshot};
use super::project_events::ProjectEvents;
use super::{AppError, Serve};
use crate::api::{self, AllowedHosts, Doors, Origins, Settings, tencent, zego};
use crate::config::{
    AppConfig, Config, DuplicatePublisher, Environment, Gap, PublishAuth, TlsListenerConfig,
};
use crate::control::{
    EventFilter, Forbids, History, HostJudge, HttpHook, InputSettings, Inputs, Live, PendingLoans,
    Phase, ProjectParts, Projects, Readiness, Rules, SystemClock, UnusedRules, Webhook, Webhooks,
    ensure_salt, ensure_token, follow, lend,
};
use crate::egress::attempt::Reach;
use crate::egress::gate::StartGate;
use crate::egress::{Board, Egress, Supervisor};
use crate::ingest::inputs::{FeedTerms, Feeder, Names, SwitchTerms};
use crate::ingest::{self, Apps, Gate, Listener};
use crate::media::timeline::GapPolicy;
use crate::net::dial::Dialer;
use crate::net::listener::{Acceptor, bind};
use crate::net::literal::address_literal;
use crate::net::outbound::Outbound;
use crate::net::own::OwnListeners;
use crate::net::permits::{AddressLimits, ConnectionLimits, Permits};
use crate::net::policy::AddressPolicy;
use crate::net::resolve::SystemResolver;
use crate::net::tls;
use crate::net::tries::FailedTries;
use crate::notify::{Courier, HttpPost};
use crate::relay::ring::RingLimits;
use crate::relay::{Hub, Shards, Terms, Tick};
use crate::rule::{AppName, CdnAuth, Rule, StreamKey, UrlTemplate};
use crate::secret::Secret;
use crate::store::SqliteStore;
use crate::telemetry::Metrics;
use crate::telemetry::events::Callers;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// The time for publishers to see that the gateway drains, where no target has given it to them.
const PUBLISHERS_DRAIN: Duration = Duration::from_secs(1);

/// The time for telling what the end has brought, beyond that for the targets.
const NOTIFY_DRAIN: Duration = Duration::from_secs(5);

/// A gateway that runs.
pub(super) struct Gateway {
    pub(super) readiness: Readiness,
    pub(super) metrics: Arc<Metrics>,
    pub(super) rules: Rules,
    pub(super) forbids: Forbids,
    pub(super) history: Arc<History>,
    pub(super) unused: UnusedRules,
    pub(super) inputs: Inputs,
    pub(super) feeder: Arc<Feeder>,
    pub(super) settings: Arc<ArcSwap<Settings>>,
    pub(super) token: Secret,
    pub(super) salt: Secret,
    pub(super) apps: Arc<ArcSwap<Apps>>,
    pub(super) gate: Arc<Gate>,
    pub(super) permits: Permits,
    pub(super) publish_tries: Arc<FailedTries>,
    pub(super) door_tries: Arc<FailedTries>,
    pub(super) cdn_auth: Arc<ArcSwap<CdnAuth>>,
    pub(super) rtmps_tls: Option<Arc<ArcSwap<ServerConfig>>>,
    pub(super) https_tls: Option<Arc<ArcSwap<ServerConfig>>>,
    pub(super) addresses: Addresses,
    pub(super) callbacks: zego::Callbacks,
    pub(super) post: HttpPost,
    pub(super) loans: Arc<PendingLoans>,
    pub(super) webhooks: Webhooks,
    pub(super) project_events: Arc<ProjectEvents>,
    courier: Courier,
    drain_time: Duration,
    supervisor: JoinHandle<()>,
    doors: JoinSet<()>,
    doors_stop: CancellationToken,
    /// Kept to the last: dropping them ends what still runs there.
    _shards: Arc<Shards>,
}

/// Where the gateway listens, with the ports that it really has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) rtmp: SocketAddr,
    pub(super) rtmps: Option<SocketAddr>,
    pub(super) http: SocketAddr,
    pub(super) https: Option<SocketAddr>,
}

/// Bound ports, before anything is served on them.
struct Ports {
    rtmp: TcpListener,
    rtmps: Option<TcpListener>,
    http: TcpListener,
    https: Option<TcpListener>,
}

impl Gateway {
    /// Builds the gateway. What can be wrong is tried before anything runs: certificates, store, token, ports.
    pub(super) async fn build(serve: &Serve) -> Result<Self, AppError> {
        let config = &serve.config;
        if !serve.relay.is_empty() && config.app(&AppName::live()).is_none() {
            return Err(AppError::NoLiveApp);
        }
        let rtmps_tls = server_tls(config.rtmps.as_ref())?;
        let https_tls = server_tls(config.https.as_ref())?;
        let roots: Vec<_> = config.egress.ca_certificates.iter().cloned().collect();
        let client_tls = tls::client_config(&roots)?;
        let ports = Ports::bind(config)?;
        let addresses = ports.addresses()?;
        let metrics = Arc::new(Metrics::new());
        let policy = AddressPolicy {
            allow_private: config.egress.allow_private_addresses,
        };
        let own = Arc::new(OwnListeners::new());
        own.replace(
            [Some(addresses.rtmp), addresses.rtmps]
                .into_iter()
                .flatten()
                .collect(),
        );
        let cdn_auth = Arc::new(ArcSwap::from_pointee(config.cdn_auth()));
        let reach = Reach {
            dialer: Arc::new(Dialer::new(
                Arc::new(SystemResolver::new()),
                policy,
                Arc::clone(&own),
            )),
            tls: client_tls,
            auth: Arc::clone(&cdn_auth),
        };
        let judge = judge(policy, own);
        let (rules, store, salt) =
            open_rules(serve, Arc::clone(&judge), Arc::clone(&metrics)).await?;
        let token = match &config.http.token {
            Some(token) => token.clone(),
            None => ensure_token(&config.store.path)?,
        };

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let tick = Tick::new(config.relay.flush_interval());
        let shards = Arc::new(Shards::start(cores, tick)?);
        let observer = Arc::new(Observer::new(Arc::clone(&metrics)));
        let hub = Hub::watched(RingLimits::default(), observer.clone());
        hub.set_terms(terms(config));
        let forbids = open_forbids(config, Arc::clone(&hub), Arc::clone(&store)).await?;
        let history = Arc::new(History::new(config.zego.closed_stream_time()));
        tokio::spawn(follow(Arc::clone(&history), metrics.feed().reader()));
        rules
            .limit_streams(config.http.rules_per_stream as usize)
            .await;
        let post = HttpPost {
            dialer: Arc::clone(&reach.dialer),
            tls: Arc::clone(&reach.tls),
        };
        let courier = Courier::new(Arc::new(post.clone()), Arc::clone(&metrics));
        let webhooks = Webhooks::new(courier.clone(), Arc::clone(metrics.feed()));
        webhooks.replace(wanted_webhooks(config));
        let loans = Arc::new(PendingLoans::default());
        tokio::spawn(lend(
            rules.clone(),
            Arc::clone(&loans),
            metrics.feed().reader(),
            {
                let hub = Arc::clone(&hub);
                move |key: &StreamKey| hub.find(key).is_some()
            },
        ));
        let apps = Arc::new(ArcSwap::from_pointee(admission(
            &config.apps,
            &post,
            &loans,
        )));
        let publish_tries = Arc::new(FailedTries::new(config.rtmp.failed_auth_per_minute));
        let door_tries = Arc::new(FailedTries::new(config.http.failed_auth_per_minute));
        let names = Arc::new(Names::default());
        let outbound = Outbound {
            dialer: Arc::clone(&reach.dialer),
            tls: Arc::clone(&reach.tls),
        };
        let gate = Arc::new(Gate {
            hub: Arc::clone(&hub),
            admission: Arc::new(ingest::Limited {
                admission: Arc::clone(&apps) as Arc<dyn ingest::Admission>,
                tries: Arc::clone(&publish_tries),
            }),
            drain: hub.drain().clone(),
            watch: observer.clone(),
            names: Arc::clone(&names),
            reject_duplicates: AtomicBool::new(rejects_duplicates(config)),
        });
        let feeder = Feeder::new(
            Arc::clone(&hub),
            Arc::clone(&shards),
            outbound,
            names,
            observer.clone(),
            config.relay.flush_interval(),
            feed_terms(config),
        );
        let board = Arc::new(Board::default());
        let egress = Arc::new(Egress {
            reach: reach.clone(),
            gate: StartGate::new(config.egress.starts_per_second),
            chunk_size: config.egress.chunk_size,
            beats: shards.beats(),
            start_clock: serve.start_clock,
            watch: observer,
        });
        let supervisor = Supervisor::new(
            Arc::clone(&hub),
            rules.subscribe(),
            egress,
            Arc::clone(&board),
        );
        let drain_time = config.relay.drain();
        let supervisor = tokio::spawn(supervisor.run(gate.drain.clone(), drain_time));

        let readiness = Readiness::new();
        let settings = Arc::new(ArcSwap::from_pointee(door_settings(
            config,
            &addresses,
            token.clone(),
        )));
        let rendered = {
            let (metrics, hub, board) = (Arc::clone(&metrics), Arc::clone(&hub), board.clone());
            Arc::new(move || metrics.render(&snapshot(&hub, &board)))
        };
        let inputs = Inputs::open(
            store.clone(),
            config.stream_inputs(),
            Arc::clone(&feeder) as Arc<dyn ingest::inputs::Feeding>,
            input_settings(config, addresses.rtmp),
            judge,
            Arc::new(SystemClock::new()),
        )?;
        let running = Arc::new(Live {
            hub,
            board,
            rules: rules.subscribe(),
            reach,
            chunk_size: config.egress.chunk_size,
        });
        let clock = Arc::new(SystemClock::new());
        let callbacks = zego::Callbacks::new(
            Arc::clone(metrics.feed()),
            courier.clone(),
            rules.clone(),
            clock.clone(),
        );
        callbacks.tell(callback_targets(config));
        let unused = UnusedRules {
            rules: rules.clone(),
            running: running.clone(),
            history: Arc::clone(&history),
            clock: clock.clone(),
            waits: Default::default(),
        };
        let project_events = ProjectEvents::new(courier.clone(), config);
        let projects = Projects::open(ProjectParts {
            store,
            rules: rules.clone(),
            inputs: inputs.clone(),
            clock: clock.clone(),
            metrics: Arc::clone(&metrics),
            watch: project_events.watch(),
        })?;
        projects.resume().await;
        let doors = Doors {
            rules: rules.clone(),
            inputs: inputs.clone(),
            projects: projects.clone(),
            running,
            forbids: forbids.clone(),
            history: Arc::clone(&history),
            readiness: readiness.clone(),
            settings: Arc::clone(&settings),
            clock,
            feed: Arc::clone(metrics.feed()),
            metrics: rendered,
            tries: Arc::clone(&door_tries),
        };
        let doors_stop = CancellationToken::new();
        let permits = Permits::new(ConnectionLimits {
            address: address_limits(config),
            ..ConnectionLimits::default()
        });
        let rtmps_tls = rtmps_tls.map(|tls| Arc::new(ArcSwap::new(tls)));
        let mut serving = JoinSet::new();
        let stop = doors_stop.clone();
        serving.spawn(async move {
            stop.run_until_cancelled(projects.run()).await;
        });
        for (listener, tls) in [(Some(ports.rtmp), None), (ports.rtmps, rtmps_tls.clone())] {
            let Some(listener) = listener else { continue };
            let (permits, metrics) = (permits.clone(), Arc::clone(&metrics));
            let acceptor = Acceptor::new(listener, Callers::Publishers, permits, metrics)?;
            let listener = Listener { acceptor, tls };
            serving.spawn(ingest::serve(
                listener,
                Arc::clone(&gate),
                Arc::clone(&shards),
            ));
        }
        let router = api::router(doors);
        let https_tls = https_tls.map(|tls| Arc::new(ArcSwap::new(tls)));
        let callers = Permits::new(api::connection_limits());
        for (listener, tls) in [(Some(ports.http), None), (ports.https, https_tls.clone())] {
            let Some(listener) = listener else { continue };
            let (permits, metrics) = (callers.clone(), Arc::clone(&metrics));
            let acceptor = Acceptor::new(listener, Callers::Doors, permits, metrics)?;
            let what = api::Serve {
                router: router.clone(),
                tls,
                limits: api::Limits::default(),
            };
            serving.spawn(api::serve(acceptor, what, doors_stop.clone()));
        }
        Ok(Self {
            readiness,
            metrics,
            rules,
            forbids,
            history,
            unused,
            inputs,
            feeder,
            settings,
            token,
            salt,
            apps,
            gate,
            permits,
            publish_tries,
            door_tries,
            cdn_auth,
            rtmps_tls,
            https_tls,
            addresses,
            callbacks,
            post,
            loans,
            webhooks,
            project_events,
            courier,
            drain_time,
            supervisor,
            doors: serving,
            doors_stop,
            _shards: shards,
        })
    }

    /// Takes nothing new, lets every target have its goodbye, and closes the doors last, so that they can tell.
    pub(super) async fn drain(&mut self) {
        self.readiness.advance(Phase::Draining);
        self.feeder.drain();
        self.gate.drain.cancel();
        // The supervisor keeps to the deadline; a little more is for what it does there.
        let deadline = self.drain_time + Duration::from_millis(500);
        let _ = tokio::time::timeout(deadline, &mut self.supervisor).await;
        // Publishers see the drain at their next beat.
        let _ = tokio::time::timeout(PUBLISHERS_DRAIN, self.gate.hub.emptied()).await;
        // Whoever is told what changes is told of this, too, and then that nothing follows.
        self.metrics.feed().close();
        self.project_events.close();
        self.courier.drain(NOTIFY_DRAIN).await;
        self.doors_stop.cancel();
        while self.doors.join_next().await.is_some() {}
    }
}

impl Ports {
    fn bind(config: &Config) -> Result<Self, AppError> {
        let tls = |section: &Option<TlsListenerConfig>| {
            let listen = section.as_ref().map(|section| section.listen);
            listen.map(bind).transpose()
        };
        Ok(Self {
            rtmp: bind(config.rtmp.listen)?,
            rtmps: tls(&config.rtmps)?,
            http: bind(config.http.listen)?,
            https: tls(&config.https)?,
        })
    }

    fn addresses(&self) -> std::io::Result<Addresses> {
        let of = |listener: &Option<TcpListener>| {
            let listener = listener.as_ref();
            listener.map(TcpListener::local_addr).transpose()
        };
        Ok(Addresses {
            rtmp: self.rtmp.local_addr()?,
            rtmps: of(&self.rtmps)?,
            http: self.http.local_addr()?,
            https: of(&self.https)?,
        })
    }
}

/// The rules that no door may change: those of the file, then those of the command line.
pub(super) fn fixed_rules(config: &Config, relay: &[UrlTemplate], salt: &Secret) -> Vec<Rule> {
    let now = OffsetDateTime::now_utc();
    let mut rules = config.relay_rules(now);
    rules.extend(
        relay
            .iter()
            .cloned()
            .map(|url| crate::config::rule_from_command_line(url, now)),
    );
    for rule in &mut rules {
        rule.id = rule.id.salted(salt);
    }
    rules
}

/// What the configuration says about the doors; the token is the configured one, or the one that was made.
pub(super) fn door_settings(config: &Config, addresses: &Addresses, token: Secret) -> Settings {
    let hosts = |names: &[String]| AllowedHosts::new(names.iter().map(String::as_str));
    Settings {
        token,
        allowed_hosts: hosts(&config.http.allowed_hosts),
        client_origins: Origins::new(config.http.client_origins.iter().cloned()),
        zego: zego::Settings {
            accounts: config.apps.iter().filter_map(zego_account).collect(),
            hosts: hosts(&config.zego.hosts),
            strict_stream_ids: config.zego.strict_stream_ids,
            refuse_replays: config.zego.refuse_replays,
            publish_server: publish_server(config, addresses.rtmp),
        },
        tencent: tencent::Settings {
            accounts: config.apps.iter().filter_map(tencent_account).collect(),
            push_server: publish_server(config, addresses.rtmp),
            public_names: config.http.allowed_hosts.clone(),
        },
    }
}

/// Where publishers reach this gateway: as it was told, else at its listener, where that has one address.
fn publish_server(config: &Config, rtmp: SocketAddr) -> Option<String> {
    let advertised = config.rtmp.advertise.as_ref();
    advertised
        .map(|url| url.trim_end_matches('/').to_owned())
        .or_else(|| (!rtmp.ip().is_unspecified()).then(|| format!("rtmp://{rtmp}")))
}

/// The Tencent account of an app that has one: an id and a key.
fn tencent_account(app: &AppConfig) -> Option<tencent::Account> {
    Some(tencent::Account {
        app: app.name.clone(),
        secret_id: app.secret_id.clone()?,
        secret_key: app.secret_key.clone()?,
        platform: app.platform.clone(),
    })
}

/// The ZEGO account of an app that has one: a number and a secret.
fn zego_account(app: &AppConfig) -> Option<zego::Account> {
    let has = |environment| app.environments.contains(&environment);
    let credential = match (app.auth(), app.publish_keys.first(), &app.sign_secret) {
        (PublishAuth::Key, Some(key), _) => zego::PublishCredential::Key(key.clone()),
        (PublishAuth::Signed, _, Some(secret)) => zego::PublishCredential::Signed(secret.clone()),
        _ => zego::PublishCredential::None,
    };
    Some(zego::Account {
        environments: zego::Environments {
            production: has(Environment::Production),
            test: has(Environment::Test),
        },
        default_cdn: app.default_cdn.clone(),
        client_secret: app.client_secret.clone(),
        credential,
        ..zego::Account::new(app.name.clone(), app.app_id?, app.server_secret.clone()?)
    })
}

/// Whose server is told of its app's streams in the vendor's form.
pub(super) fn callback_targets(config: &Config) -> Vec<zego::CallbackTarget> {
    let target = |app: &AppConfig| {
        Some(zego::CallbackTarget {
            app: app.name.clone(),
            app_id: app.app_id?,
            url: app.callback_url.as_ref()?.0.clone(),
            secret: app.callback_secret.clone()?,
        })
    };
    config.apps.iter().filter_map(target).collect()
}

/// Who may publish.
pub(super) fn admission(apps: &[AppConfig], post: &HttpPost, loans: &Arc<PendingLoans>) -> Apps {
    let numbered = |app: &AppConfig| Some((app.app_id?.to_string(), app.name.clone()));
    let numbers = apps.iter().filter_map(numbered).collect();
    Apps::new(apps.iter().map(|app| {
        let auth = match app.auth() {
            PublishAuth::Key => ingest::PublishAuth::Key(app.publish_keys.clone()),
            PublishAuth::None => ingest::PublishAuth::None,
            PublishAuth::Signed => ingest::PublishAuth::Signed(sign_secrets(app)),
            PublishAuth::Hook => publish_hook(app, post, loans),
        };
        (app.name.clone(), auth)
    }))
    .also_named(numbers)
}

/// The secret that URLs are signed with, and the one before it.
fn sign_secrets(app: &AppConfig) -> Vec<Secret> {
    let secrets = [&app.sign_secret, &app.previous_sign_secret];
    secrets.into_iter().flatten().cloned().collect()
}

/// The app's hook. A checked configuration has one; without it nobody is let in.
fn publish_hook(
    app: &AppConfig,
    post: &HttpPost,
    loans: &Arc<PendingLoans>,
) -> ingest::PublishAuth {
    match &app.publish_hook {
        Some(url) => ingest::PublishAuth::Hook(Arc::new(HttpHook {
            post: post.clone(),
            url: url.0.clone(),
            secret: app.publish_hook_secret.clone(),
            down: app.publish_hook_down,
            loans: Arc::clone(loans),
        })),
        None => ingest::PublishAuth::Key(Vec::new()),
    }
}

/// Who is told what changes.
pub(super) fn wanted_webhooks(config: &Config) -> Vec<Webhook> {
    let webhooks = config.webhooks.iter().map(|webhook| Webhook {
        url: webhook.url.0.clone(),
        secret: webhook.secret.clone(),
        filter: EventFilter {
            app: webhook.app.clone(),
            stream: None,
            types: webhook.events.clone(),
        },
    });
    webhooks.collect()
}

/// What one address may have of publishers' connections.
pub(super) fn address_limits(config: &Config) -> AddressLimits {
    AddressLimits {
        connections: config.rtmp.connections_per_address,
        per_second: config.rtmp.connections_per_second_per_address,
        ..AddressLimits::default()
    }
}

/// What holds for streams.
pub(super) fn terms(config: &Config) -> Terms {
    Terms {
        grace: config.relay.grace(),
        gap: match config.relay.gap {
            Gap::Compress => GapPolicy::Compress,
            Gap::Wall => GapPolicy::Wall,
        },
        kick_bar: config.relay.kick_bar(),
    }
}

pub(super) fn rejects_duplicates(config: &Config) -> bool {
    config.relay.duplicate_publisher == DuplicatePublisher::Reject
}

pub(super) fn server_tls(
    section: Option<&TlsListenerConfig>,
) -> Result<Option<Arc<ServerConfig>>, AppError> {
    let read = |section: &TlsListenerConfig| {
        tls::server_config(&section.certificate, &section.private_key)
    };
    Ok(section.map(read).transpose()?)
}

/// Opens the store, and puts the rules of configuration and command line beside those that it keeps.
async fn open_rules(
    serve: &Serve,
    judge: HostJudge,
    metrics: Arc<Metrics>,
) -> Result<(Rules, Arc<SqliteStore>, Secret), AppError> {
    let (config, relay) = (serve.config.clone(), serve.relay.clone());
    let opening = tokio::task::spawn_blocking(move || {
        let path = &config.store.path;
        let store = Arc::new(SqliteStore::open(path)?);
        let salt = ensure_salt(path)?;
        let fixed = fixed_rules(&config, &relay, &salt);
        let apps = config.apps.iter().map(|app| app.name.clone());
        let clock = Arc::new(SystemClock::new());
        let rules = Rules::open(store.clone(), fixed, apps, judge, clock, metrics)?;
        Ok((rules, store, salt))
    });
    opening.await.map_err(std::io::Error::other)?
}

/// Puts the stored forbids in force before anybody can publish.
async fn open_forbids(
    config: &Config,
    hub: Arc<Hub>,
    store: Arc<SqliteStore>,
) -> Result<Forbids, AppError> {
    let durable = config.zego.durable_forbids;
    let opening = tokio::task::spawn_blocking(move || Forbids::open(hub, store, durable));
    Ok(opening.await.map_err(std::io::Error::other)??)
}

/// What holds for inputs.
pub(super) fn feed_terms(config: &Config) -> FeedTerms {
    let ingest = &config.ingest;
    FeedTerms {
        switch: SwitchTerms {
            stall: Duration::from_millis(ingest.stall_ms),
            return_after: Duration::from_millis(ingest.return_after_ms),
        },
        directories: ingest.file_directories.clone(),
    }
}

/// What the configuration says about inputs; `rtmp` is where the gateway really listens.
pub(super) fn input_settings(config: &Config, rtmp: SocketAddr) -> InputSettings {
    InputSettings {
        apps: config.apps.iter().map(|app| app.name.clone()).collect(),
        file_directories: config.ingest.file_directories.clone(),
        advertise: (config.rtmp.advertise.clone()).unwrap_or_else(|| format!("rtmp://{rtmp}")),
    }
}

/// What a door may not call, as far as the text tells: private addresses, and ourselves.
fn judge(policy: AddressPolicy, own: Arc<OwnListeners>) -> HostJudge {
    Arc::new(move |host, port| {
        policy
            .judge_host_literal(host)
            .map_err(|denied| denied.to_string())?;
        match address_literal(host) {
            Some(address) if own.contains(SocketAddr::new(address, port)) => Err(
                "it is a listener of this gateway; the stream would come back to itself".to_owned(),
            ),
            _ => Ok(()),
        }
    })
}
