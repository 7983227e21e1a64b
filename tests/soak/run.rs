//! One run: the gateway, its rules, everybody around it, and the verdict.

use super::book::{Book, Figures};
use super::clock::Border;
use super::common::gateway::{Gateway, Site};
use super::door::Door;
use super::level::{self, Level, Sample};
use super::publisher::Publisher;
use super::reading::{LATE, Reader, Record};
use super::spoil::Plant;
use super::target;
use fastrand::Rng;
use reqwest::{Method, StatusCode};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

/// Short, so that minutes have room for both sides of it.
const GRACE: Duration = Duration::from_secs(4);

const HEALTHY: usize = 2;
const UNRULY: usize = 2;

/// How long everything may take to be over when the publishers have gone: the retries of the last targets, and the grace.
const QUIET: Duration = Duration::from_secs(90);

/// What is still open when nobody is there any more: a door's connection that is about to close.
const LEFT_OPEN: u64 = 2;

const RELOAD_EVERY: u64 = 15;
const RENEW_EVERY: u64 = 5;

/// How soon a target is called again whose rule was made anew: its publisher may be away for as long as a grace and a half.
const CALLED_AGAIN: Duration = Duration::from_secs(60);

/// A run of this length has seen everything at least once.
const LONG_ENOUGH: Duration = Duration::from_secs(110);

/// What is run.
pub struct Plan {
    /// Where the gateway lives; what is started there.
    pub site: fn(&str) -> Site,
    pub seed: u64,
    pub length: Duration,
    /// Whether that gateway's pushes begin with clocks that are about to cross a border.
    pub crosses: bool,
    /// What lies between the gateway and the first target of all.
    pub plant: Option<Plant>,
}

/// What came of it.
pub struct Outcome {
    pub faults: Vec<String>,
    pub figures: Figures,
    /// None where it was too short to tell.
    pub level: Option<Level>,
    /// What the gateway said.
    pub output: String,
}

/// A target, and the rule that pushes to it.
struct Pushed {
    reader: Reader,
    address: SocketAddr,
    rule: String,
    /// When its rule was made anew, and how many visits it had had by then, until there is another one.
    renewed: Option<(Instant, u64)>,
}

struct Run {
    site: Site,
    gateway: Gateway,
    book: Arc<Book>,
    targets: Vec<Pushed>,
    began: Instant,
    samples: Vec<Sample>,
}

/// Runs to the end, or to the first thing that is wrong.
pub async fn run(plan: &Plan) -> Outcome {
    let mut rng = Rng::with_seed(plan.seed);
    let mut run = Run::begin(plan, &mut rng).await;
    let idle = level::look(run.gateway.pid(), Duration::ZERO);
    let publishers = run.publish(&mut rng, plan.length);
    run.watch(plan.length).await;
    run.end(plan, publishers, idle).await
}

impl Run {
    async fn begin(plan: &Plan, rng: &mut Rng) -> Self {
        let site = (plan.site)(&format!("[relay]\ngrace_ms = {}\n", GRACE.as_millis()));
        let gateway = site.start().await;
        let book = Arc::new(Book::new(GRACE));
        let mut targets = Vec::new();
        for stream in 0..Border::ALL.len() {
            for number in 0..HEALTHY + UNRULY {
                let reader = Reader {
                    stream,
                    healthy: number < HEALTHY,
                    book: Arc::clone(&book),
                    record: Arc::new(Record::default()),
                };
                let plant = plan.plant.filter(|_| stream == 0 && number == 0);
                let address = target::start(reader.clone(), rng.fork(), plant)
                    .await
                    .expect("a target");
                let url = format!("rtmp://{address}/app/key");
                let rule = gateway.create_rule(&format!("cam{stream}"), &url).await;
                targets.push(Pushed {
                    reader,
                    address,
                    rule,
                    renewed: None,
                });
            }
        }
        Self {
            site,
            gateway,
            book,
            targets,
            began: Instant::now(),
            samples: Vec::new(),
        }
    }

    fn publish(&self, rng: &mut Rng, length: Duration) -> JoinSet<()> {
        let until = Instant::now() + length;
        let mut publishers = JoinSet::new();
        for (stream, border) in Border::ALL.into_iter().enumerate() {
            let publisher = Publisher {
                stream,
                border,
                gateway: self.gateway.rtmp,
                door: Door::of(&self.gateway),
                grace: GRACE,
                book: Arc::clone(&self.book),
                rng: rng.fork(),
            };
            publishers.spawn(publisher.run(until));
        }
        publishers
    }

    /// Looks once a second, reloads, and gives targets that were given up another chance.
    async fn watch(&mut self, length: Duration) {
        let mut second = interval(Duration::from_secs(1));
        for number in 1.. {
            second.tick().await;
            if self.began.elapsed() >= length || !self.book.faults().is_empty() {
                return;
            }
            match level::look(self.gateway.pid(), self.began.elapsed()) {
                Some(sample) => self.samples.push(sample),
                None => return self.book.wrong("the gateway has died".to_owned()),
            }
            if number % RELOAD_EVERY == 0 {
                self.gateway.sighup();
                self.book.count(|figures| figures.reloads += 1);
            }
            if number % RENEW_EVERY == 0 {
                self.renew().await;
            }
            if number % 60 == 0 {
                println!("  {number} s: {:?}", self.book.figures());
            }
        }
    }

    /// Rules whose targets were given up go, and come again.
    async fn renew(&mut self) {
        let failed: Vec<_> = self.gateway.targets().await;
        let failed: BTreeSet<_> = failed
            .iter()
            .filter(|target| target["state"] == "failed")
            .filter_map(|target| target["rule"].as_str())
            .collect();
        for target in &mut self.targets {
            if let Some((at, visits)) = target.renewed {
                if target.reader.record.visits() > visits {
                    target.renewed = None;
                } else if at.elapsed() > CALLED_AGAIN {
                    self.book
                        .wrong("a rule that was made anew is not pushed".to_owned());
                }
            }
            if !failed.contains(target.rule.as_str()) {
                continue;
            }
            if target.reader.healthy {
                self.book
                    .wrong(format!("a healthy target was given up: {failed:?}"));
            }
            self.gateway.delete_rule(&target.rule).await;
            let stream = format!("cam{}", target.reader.stream);
            let url = format!("rtmp://{}/app/key", target.address);
            let visits = target.reader.record.visits();
            target.rule = self.gateway.create_rule(&stream, &url).await;
            target.renewed = Some((Instant::now(), visits));
            self.book.count(|figures| figures.rules_renewed += 1);
        }
    }

    async fn end(
        mut self,
        plan: &Plan,
        mut publishers: JoinSet<()>,
        idle: Option<Sample>,
    ) -> Outcome {
        if self.book.faults().is_empty() {
            while let Some(ended) = publishers.join_next().await {
                if let Err(error) = ended {
                    self.book.wrong(format!("a publisher of ours: {error}"));
                }
            }
            self.becomes_quiet(idle).await;
            self.all_were_seen();
            self.has_no_fault_of_its_own().await;
            if plan.length >= LONG_ENOUGH {
                self.there_was_everything(plan.crosses);
            }
        }
        let level = self.level();
        if let Some(level) = level {
            level
                .faults()
                .into_iter()
                .for_each(|fault| self.book.wrong(fault));
        }
        let (figures, mut faults) = (self.book.figures(), self.book.faults());
        if !faults.is_empty() {
            let output = self.gateway.output();
            return Outcome {
                faults,
                figures,
                level,
                output,
            };
        }
        self.gateway.sigterm();
        let (status, output) = self.gateway.wait(Duration::from_secs(60)).await;
        drop(self.site);
        if status.code() != Some(0) {
            faults.push(format!("the gateway ended with {status}"));
        }
        Outcome {
            faults,
            figures,
            level,
            output,
        }
    }

    /// Without publishers nothing runs any more, and nothing is open that was not before.
    async fn becomes_quiet(&mut self, idle: Option<Sample>) {
        let allowed = idle.map_or(0, |idle| idle.descriptors) + LEFT_OPEN;
        let pid = self.gateway.pid();
        let quiet = async {
            loop {
                let open = level::look(pid, Duration::ZERO).map_or(0, |sample| sample.descriptors);
                let streams = self.gateway.request(Method::GET, "/v1/streams", None).await;
                let targets = self.gateway.targets().await;
                let is_quiet = open <= allowed
                    && targets.iter().all(|target| target["state"] == "waiting")
                    && streams.0 == StatusCode::OK
                    && !streams.1.to_string().contains("cam");
                if is_quiet {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        if timeout(QUIET, quiet).await.is_err() {
            let open = level::look(pid, Duration::ZERO);
            let targets = self.gateway.targets().await;
            let states: Vec<_> = targets.iter().map(|target| &target["state"]).collect();
            self.book.wrong(format!(
                "not all is over {} s after the publishers have gone: {open:?} (before: {idle:?}), {states:?}",
                QUIET.as_secs()
            ));
        }
    }

    /// A healthy target has seen every session that was long enough for a push to begin.
    fn all_were_seen(&self) {
        for target in self.targets.iter().filter(|target| target.reader.healthy) {
            let stream = target.reader.stream;
            let seen = target.reader.record.seen().clone();
            for (number, session) in self.book.sessions(stream) {
                if session.sent[0] > LATE && !seen.contains(&number) {
                    self.book.wrong(format!(
                        "a healthy target of stream {stream} has seen nothing of session {number}: {session:?}"
                    ));
                }
            }
        }
    }

    /// A soak in which something never happened shows nothing of it.
    fn there_was_everything(&self, crosses: bool) {
        let figures = self.book.figures();
        let counts = [
            ("returned within the grace", figures.returns_within),
            (
                "crossed a border",
                figures.crossed + figures.recycled + u64::from(!crosses),
            ),
            ("was made anew", figures.rules_renewed),
            ("was reloaded", figures.reloads),
            ("was skipped", figures.skipped),
        ];
        for (what, _) in counts.into_iter().filter(|(_, count)| *count == 0) {
            self.book.wrong(format!("nothing {what}: {figures:?}"));
        }
    }

    fn level(&self) -> Option<Level> {
        let lasted = self
            .samples
            .last()
            .map_or(Duration::ZERO, |sample| sample.at);
        Level::of(&self.samples, (lasted / 4).min(Duration::from_secs(300)))
    }

    async fn has_no_fault_of_its_own(&self) {
        let page = self.gateway.text("/metrics").await;
        if !page.lines().any(|line| line == "aqueduct_panics_total 0") {
            self.book
                .wrong("a task of the gateway's has panicked".to_owned());
        }
    }
}
