//! The parts of a gateway that take several steps to put together or to start.

use super::observe::Observer;
use super::ports::Bound;
use super::settings::{feed_terms, fixed_rules, rejects_duplicates};
use super::{AppError, Serve};
use crate::api::{self, Doors};
use crate::config::Config;
use crate::control::{Forbids, HostJudge, Rules, SystemClock, ensure_salt};
use crate::egress::attempt::Reach;
use crate::egress::gate::StartGate;
use crate::egress::{Board, Egress, Supervisor};
use crate::ingest::inputs::Feeder;
use crate::ingest::{self, Apps, Gate, Listener};
use crate::net::listener::Acceptor;
use crate::net::outbound::Outbound;
use crate::net::permits::Permits;
use crate::net::tries::FailedTries;
use crate::relay::{Hub, Shards};
use crate::secret::Secret;
use crate::store::SqliteStore;
use crate::telemetry::Metrics;
use crate::telemetry::events::Callers;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Opens the store, and puts the rules of configuration and command line beside those that it keeps.
pub(super) async fn open_rules(
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
pub(super) async fn open_forbids(
    config: &Config,
    hub: Arc<Hub>,
    store: Arc<SqliteStore>,
) -> Result<Forbids, AppError> {
    let durable = config.zego.durable_forbids;
    let opening = tokio::task::spawn_blocking(move || Forbids::open(hub, store, durable));
    Ok(opening.await.map_err(std::io::Error::other)??)
}

/// What every publisher's connection is served with.
pub(super) fn gate(
    config: &Config,
    hub: &Arc<Hub>,
    apps: &Arc<ArcSwap<Apps>>,
    tries: &Arc<FailedTries>,
    watch: Arc<Observer>,
) -> Arc<Gate> {
    Arc::new(Gate {
        hub: Arc::clone(hub),
        admission: Arc::new(ingest::Limited {
            admission: Arc::clone(apps) as Arc<dyn ingest::Admission>,
            tries: Arc::clone(tries),
        }),
        drain: hub.drain().clone(),
        watch,
        names: Arc::default(),
        reject_duplicates: AtomicBool::new(rejects_duplicates(config)),
    })
}

/// What feeds streams beside their publishers.
pub(super) fn feeder(
    config: &Config,
    gate: &Gate,
    shards: &Arc<Shards>,
    reach: &Reach,
    watch: Arc<Observer>,
) -> Arc<Feeder> {
    let outbound = Outbound {
        dialer: Arc::clone(&reach.dialer),
        tls: Arc::clone(&reach.tls),
    };
    Feeder::new(
        Arc::clone(&gate.hub),
        Arc::clone(shards),
        outbound,
        Arc::clone(&gate.names),
        watch,
        config.relay.flush_interval(),
        feed_terms(config),
    )
}

/// Starts the supervisor, which drains with the gate.
pub(super) fn supervise(
    serve: &Serve,
    gate: &Gate,
    shards: &Shards,
    reach: &Reach,
    rules: &Rules,
    board: &Arc<Board>,
    watch: Arc<Observer>,
) -> JoinHandle<()> {
    let config = &serve.config;
    let egress = Arc::new(Egress {
        reach: reach.clone(),
        gate: StartGate::new(config.egress.starts_per_second),
        chunk_size: config.egress.chunk_size,
        beats: shards.beats(),
        start_clock: serve.start_clock,
        watch,
    });
    let hub = Arc::clone(&gate.hub);
    let supervisor = Supervisor::new(hub, rules.subscribe(), egress, Arc::clone(board));
    tokio::spawn(supervisor.run(gate.drain.clone(), config.relay.drain()))
}

/// Serves publishers on their ports.
pub(super) fn serve_publishers(
    ports: Vec<Bound>,
    permits: &Permits,
    gate: &Arc<Gate>,
    shards: &Arc<Shards>,
    metrics: &Arc<Metrics>,
    serving: &mut JoinSet<()>,
) -> Result<(), AppError> {
    for (listener, tls) in ports {
        let (permits, metrics) = (permits.clone(), Arc::clone(metrics));
        let acceptor = Acceptor::new(listener, Callers::Publishers, permits, metrics)?;
        let listener = Listener { acceptor, tls };
        serving.spawn(ingest::serve(
            listener,
            Arc::clone(gate),
            Arc::clone(shards),
        ));
    }
    Ok(())
}

/// Serves the doors on their ports, until `stop`.
pub(super) fn serve_doors(
    ports: Vec<Bound>,
    doors: Doors,
    metrics: &Arc<Metrics>,
    stop: &CancellationToken,
    serving: &mut JoinSet<()>,
) -> Result<(), AppError> {
    let permits = Permits::new(api::connection_limits());
    let router = api::router(doors);
    for (listener, tls) in ports {
        let (permits, metrics) = (permits.clone(), Arc::clone(metrics));
        let acceptor = Acceptor::new(listener, Callers::Doors, permits, metrics)?;
        let what = api::Serve {
            router: router.clone(),
            tls,
            limits: api::Limits::default(),
        };
        serving.spawn(api::serve(acceptor, what, stop.clone()));
    }
    Ok(())
}
