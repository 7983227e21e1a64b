//! From a configuration to a gateway that listens.

use super::observe::{Observer, snapshot};
use super::parts::{
    feeder, gate, open_forbids, open_rules, serve_doors, serve_publishers, supervise,
};
use super::ports::{Addresses, Ports};
use super::project_events::ProjectEvents;
use super::reach::{judge, reach};
use super::settings::{
    address_limits, admission, callback_targets, door_settings, input_settings, server_tls, terms,
    wanted_webhooks,
};
use super::{AppError, Serve};
use crate::api::{Doors, Settings, zego};
use crate::control::{
    Forbids, History, HookMeans, Inputs, Live, PendingLoans, Phase, ProjectParts, Projects,
    Readiness, Rules, SystemClock, UnusedRules, Webhooks, ensure_token, follow, lend,
};
use crate::egress::Board;
use crate::ingest::inputs::Feeder;
use crate::ingest::{self, Apps, Gate};
use crate::net::own::OwnListeners;
use crate::net::permits::{ConnectionLimits, Permits};
use crate::net::tries::FailedTries;
use crate::notify::{Courier, HttpPost};
use crate::relay::ring::RingLimits;
use crate::relay::{Hub, Shards, Tick};
use crate::rule::{AppName, CdnAuth, StreamKey};
use crate::secret::Secret;
use crate::telemetry::Metrics;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use std::sync::Arc;
use std::time::Duration;
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
    pub(super) hooks: HookMeans,
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

impl Gateway {
    /// Builds the gateway. What can be wrong is tried before anything runs: certificates, store, token, ports.
    pub(super) async fn build(serve: &Serve) -> Result<Self, AppError> {
        let config = &serve.config;
        if !serve.relay.is_empty() && config.app(&AppName::live()).is_none() {
            return Err(AppError::NoLiveApp);
        }
        let rtmps_tls = server_tls(config.rtmps.as_ref())?;
        let https_tls = server_tls(config.https.as_ref())?;
        let shared = |tls: Arc<ServerConfig>| Arc::new(ArcSwap::new(tls));
        let (rtmps_tls, https_tls) = (rtmps_tls.map(shared), https_tls.map(shared));
        let own = Arc::new(OwnListeners::new());
        let reach = reach(config, &own)?;
        let ports = Ports::bind(config)?;
        let addresses = ports.addresses()?;
        let metrics = Arc::new(Metrics::new());
        own.replace(addresses.of_publishers());
        let judge = judge(config, own);
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
        let hooks = HookMeans {
            post,
            loans,
            judge: Arc::clone(&judge),
        };
        let apps = Arc::new(ArcSwap::from_pointee(admission(&config.apps, &hooks)));
        let publish_tries = Arc::new(FailedTries::new(config.rtmp.failed_auth_per_minute));
        let door_tries = Arc::new(FailedTries::new(config.http.failed_auth_per_minute));
        let gate = gate(config, &hub, &apps, &publish_tries, observer.clone());
        let feeder = feeder(config, &gate, &shards, &reach, observer.clone());
        let board = Arc::new(Board::default());
        let supervisor = supervise(serve, &gate, &shards, &reach, &rules, &board, observer);

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
        let cdn_auth = Arc::clone(&reach.auth);
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
        let mut serving = JoinSet::new();
        let stop = doors_stop.clone();
        serving.spawn(async move {
            stop.run_until_cancelled(projects.run()).await;
        });
        let [publishers, callers] = ports.listeners(&rtmps_tls, &https_tls);
        serve_publishers(publishers, &permits, &gate, &shards, &metrics, &mut serving)?;
        serve_doors(callers, doors, &metrics, &doors_stop, &mut serving)?;
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
            hooks,
            webhooks,
            project_events,
            courier,
            drain_time: config.relay.drain(),
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
