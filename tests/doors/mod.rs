//! What the tests of the doors stand on: a gateway without media, a clock that stands still, a store that can fail.

#![allow(dead_code, reason = "each program uses a part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "scenery of tests")]

pub mod projects;
mod running;
pub mod zego;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct::api::{self, AllowedHosts, Connection, Doors, Origins, Settings, tencent};
use aqueduct::control::{
    AppName, Clock, DropCounts, Forbids, History, HostJudge, Input, InputSettings, Inputs, Origin,
    PreflightReport, PreflightStep, Project, ProjectEvent, ProjectId, ProjectParts, Projects,
    PullUrl, Readiness, RepairCounts, Role, Rule, RuleId, Rules, Running, Source, Step, StepResult,
    StreamInput, StreamInputKind, StreamInputState, StreamKey, StreamState, StreamStatus,
    TargetDrops, TargetState, TargetStatus, TargetUrl, TrackKind, TrackStatus, Warning,
    WarningCode,
};
use aqueduct::net::tries::FailedTries;
use aqueduct::relay::Hub;
use aqueduct::relay::ring::RingLimits;
use aqueduct::secret::Secret;
use aqueduct::store::{ForbidStore, InputStore, RuleStore, StoreError};
use aqueduct::telemetry::Metrics;
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::BodyExt;
use serde_json::Value;
use time::OffsetDateTime;
use tower::ServiceExt;

use projects::FakeFeeding;
pub use running::*;

pub const TOKEN: &str = "t0ken";

pub const SECRET_ID: &str = "AKIDexampleid0000000000000000000001";
pub const SECRET_KEY: &str = "exampleSecretKey0000000000000001";

/// Where publishers reach the gateway.
pub const PUSH_SERVER: &str = "rtmp://relay.example.com:1935";

/// A store in memory, with switches for what can go wrong.
#[derive(Default)]
pub struct MemoryStore {
    pub rules: Mutex<BTreeMap<RuleId, Rule>>,
    pub forbidden: Mutex<Vec<StreamKey>>,
    pub projects: Mutex<BTreeMap<ProjectId, Project>>,
    pub is_full: AtomicBool,
    pub writes: AtomicUsize,
}

impl MemoryStore {
    pub fn set_full(&self, full: bool) {
        self.is_full.store(full, Ordering::SeqCst);
    }

    fn write(&self) -> Result<(), StoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        match self.is_full.load(Ordering::SeqCst) {
            true => Err(StoreError::Full {
                path: "rules.db".into(),
            }),
            false => Ok(()),
        }
    }
}

impl RuleStore for MemoryStore {
    fn load(&self) -> Result<Vec<Rule>, StoreError> {
        let mut rules: Vec<Rule> = self.rules.lock().unwrap().values().cloned().collect();
        rules.sort_by_key(|rule| rule.revision);
        Ok(rules)
    }

    fn insert(&self, rule: &Rule) -> Result<(), StoreError> {
        self.write()?;
        self.rules
            .lock()
            .unwrap()
            .insert(rule.id.clone(), rule.clone());
        Ok(())
    }

    fn replace(&self, rule: &Rule) -> Result<bool, StoreError> {
        self.write()?;
        Ok(self
            .rules
            .lock()
            .unwrap()
            .insert(rule.id.clone(), rule.clone())
            .is_some())
    }

    fn delete(&self, id: &RuleId) -> Result<bool, StoreError> {
        self.write()?;
        Ok(self.rules.lock().unwrap().remove(id).is_some())
    }

    fn max_revision(&self) -> Result<u64, StoreError> {
        Ok(self
            .rules
            .lock()
            .unwrap()
            .values()
            .map(|rule| rule.revision)
            .max()
            .unwrap_or(0))
    }
}

impl ForbidStore for MemoryStore {
    fn forbidden(&self) -> Result<Vec<StreamKey>, StoreError> {
        Ok(self.forbidden.lock().unwrap().clone())
    }

    fn forbid(&self, stream: &StreamKey) -> Result<(), StoreError> {
        self.write()?;
        self.forbidden.lock().unwrap().push(stream.clone());
        Ok(())
    }

    fn permit(&self, stream: &StreamKey) -> Result<(), StoreError> {
        self.write()?;
        self.forbidden
            .lock()
            .unwrap()
            .retain(|other| other != stream);
        Ok(())
    }
}

impl InputStore for MemoryStore {
    fn load_inputs(&self) -> Result<Vec<Input>, StoreError> {
        Ok(Vec::new())
    }

    fn put_input(&self, _: &Input) -> Result<(), StoreError> {
        self.write()
    }

    fn delete_input(&self, _: &StreamKey, _: Role) -> Result<bool, StoreError> {
        self.write()?;
        Ok(true)
    }
}

/// What the configuration says of inputs.
fn inputs_of_file() -> Vec<Input> {
    vec![Input {
        stream: StreamKey::parse("live", "of-file").unwrap(),
        role: Role::Main,
        source: Source::Pull(PullUrl::parse("rtmp://a.example/app/canary7key").unwrap()),
        origin: Origin::Config,
    }]
}

/// A clock that a test sets, in milliseconds of Unix time.
#[derive(Default)]
pub struct TestClock(Mutex<i64>);

impl TestClock {
    pub fn set_ms(&self, ms: i64) {
        *self.0.lock().unwrap() = ms;
    }
}

impl Clock for TestClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(*self.0.lock().unwrap()) * 1_000_000)
            .unwrap()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(u64::try_from(*self.0.lock().unwrap()).unwrap())
    }
}

/// A gateway's doors.
pub struct Gateway {
    pub store: Arc<MemoryStore>,
    pub running: Arc<FakeRunning>,
    pub clock: Arc<TestClock>,
    pub rules: Rules,
    pub projects: Projects,
    pub feeding: Arc<FakeFeeding>,
    /// What happened to projects.
    pub events: Arc<Mutex<Vec<ProjectEvent>>>,
    pub readiness: Readiness,
    pub metrics: Arc<Metrics>,
    pub hub: Arc<Hub>,
    pub history: Arc<History>,
    pub settings: Arc<ArcSwap<Settings>>,
    /// Any number is allowed, until a test says otherwise.
    pub tries: Arc<FailedTries>,
    pub router: Router,
}

impl Gateway {
    pub fn new() -> Self {
        Self::with(Arc::default(), vec![])
    }

    /// Refuses the host `refused.example`.
    pub fn judge() -> HostJudge {
        Arc::new(|host, _| match host {
            "refused.example" | "127.0.0.1" => Err(format!("{host} may not be called")),
            _ => Ok(()),
        })
    }

    pub fn with(store: Arc<MemoryStore>, fixed: Vec<Rule>) -> Self {
        Self::judged_by(Self::judge(), store, fixed)
    }

    /// A gateway that calls whom this permits.
    pub fn judged_by(judge: HostJudge, store: Arc<MemoryStore>, fixed: Vec<Rule>) -> Self {
        let clock = Arc::new(TestClock::default());
        let live = AppName::parse("live").unwrap();
        let metrics = Arc::new(Metrics::new());
        let other = AppName::parse("other").unwrap();
        let rules = Rules::open(
            store.clone(),
            fixed,
            [live.clone(), other.clone()],
            judge.clone(),
            clock.clone(),
            metrics.clone(),
        )
        .unwrap();
        let running = Arc::new(FakeRunning::default());
        let readiness = Readiness::new();
        let feeding = Arc::new(FakeFeeding::default());
        let inputs = Inputs::open(
            store.clone(),
            inputs_of_file(),
            feeding.clone(),
            InputSettings {
                apps: [live.clone()].into(),
                file_directories: vec!["/srv/media".into()],
                advertise: Some("rtmp://gateway.example".to_owned()),
            },
            judge,
            clock.clone(),
        )
        .unwrap();
        let events: Arc<Mutex<Vec<ProjectEvent>>> = Arc::default();
        let told = Arc::clone(&events);
        let projects = Projects::open(ProjectParts {
            store: store.clone(),
            rules: rules.clone(),
            inputs: inputs.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            watch: Arc::new(move |event| told.lock().unwrap().push(event)),
        })
        .unwrap();
        let settings = Settings {
            token: Secret::new(TOKEN),
            allowed_hosts: AllowedHosts::new(["relay.example", "relay.example.com"]),
            client_origins: Origins::new(["https://www.example.com".to_owned()]),
            tencent: tencent::Settings {
                accounts: vec![tencent::Account {
                    app: live.clone(),
                    secret_id: SECRET_ID.to_owned(),
                    secret_key: Secret::new(SECRET_KEY),
                    platform: Some("test".to_owned()),
                }],
                push_server: Some(PUSH_SERVER.to_owned()),
                public_names: Vec::new(),
            },
            zego: api::zego::Settings {
                accounts: vec![
                    api::zego::Account::new(live, zego::APP_ID, Secret::new(zego::SECRET)),
                    api::zego::Account::new(
                        other,
                        zego::OTHER_APP_ID,
                        Secret::new(zego::OTHER_SECRET),
                    ),
                ],
                publish_server: Some("rtmp://relay.example:1935".to_owned()),
                ..api::zego::Settings::default()
            },
        };
        let hub = Hub::new(RingLimits::default());
        let forbids = Forbids::open(hub.clone(), store.clone(), true).unwrap();
        let history = Arc::new(History::new(Duration::from_secs(600)));
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let tries = Arc::new(FailedTries::new(0));
        let router = api::router(Doors {
            inputs,
            tries: tries.clone(),
            rules: rules.clone(),
            projects: projects.clone(),
            running: running.clone(),
            readiness: readiness.clone(),
            forbids,
            history: history.clone(),
            settings: settings.clone(),
            clock: clock.clone(),
            feed: Arc::clone(metrics.feed()),
            metrics: Arc::new(|| "process_open_fds 9\n".to_owned()),
        });
        Self {
            store,
            running,
            clock,
            rules,
            projects,
            feeding,
            events,
            readiness,
            metrics,
            hub,
            history,
            settings,
            tries,
            router,
        }
    }

    /// Changes what a reload of the configuration would.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = Settings::clone(&self.settings.load());
        change(&mut settings);
        self.settings.store(Arc::new(settings));
    }

    /// One request from this machine.
    pub async fn send(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().get_or_insert_with(|| Connection {
            remote: "127.0.0.1:4000".parse().unwrap(),
            local: "127.0.0.1:8080".parse().unwrap(),
            beyond_loopback: false,
        });
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            text,
        }
    }

    /// With the token, and with a JSON body where there is one.
    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost:8080")
            .header("authorization", format!("Bearer {TOKEN}"));
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string().into()),
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    /// A vendor's GET.
    pub async fn call(&self, target: &str) -> Answer {
        let request = Request::builder()
            .uri(target)
            .header("host", "localhost:8080");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub async fn add(&self, stream: &str, url: &str) -> Answer {
        let body = serde_json::json!({"app": "live", "stream": stream, "url": url});
        self.ask("POST", "/v1/rules", Some(body)).await
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// A problem in the form that RFC 9457 says, with this status.
    pub fn assert_problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        for member in ["type", "title", "detail"] {
            assert!(
                problem[member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{problem}"
            );
        }
        problem
    }
}
