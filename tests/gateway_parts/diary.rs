//! What the gateway's watchers were told.

use super::until;
use aqueduct::egress::failure::Failure;
use aqueduct::egress::status::PushStatus;
use aqueduct::ingest::{Asked, Ended, NotPublished, Publisher, Received};
use aqueduct::relay::{Arrival, LeftOut};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What went out to all targets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub bytes: usize,
    pub writes: u32,
}

#[derive(Default)]
pub struct Diary {
    lines: Mutex<Vec<String>>,
    received: Mutex<Received>,
    sent: Mutex<Sent>,
    /// Lines that are a panic of the task that writes them.
    planted: Mutex<Vec<String>>,
}

impl Diary {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// One line for each event, in their order.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The lines that begin so.
    pub fn about(&self, what: &str) -> Vec<String> {
        let lines = self.lines().into_iter();
        lines.filter(|line| line.starts_with(what)).collect()
    }

    /// Everything that was read while publishers published.
    pub fn received(&self) -> Received {
        *self.received.lock().unwrap()
    }

    /// All media that was written.
    pub fn sent(&self) -> Sent {
        *self.sent.lock().unwrap()
    }

    pub async fn until_line(&self, start: &str) -> String {
        until(start, || !self.about(start).is_empty()).await;
        self.about(start).remove(0)
    }

    /// Forgets the lines so far.
    pub fn clear(&self) {
        self.lines.lock().unwrap().clear();
    }

    /// From here on, whoever writes a line that begins so panics once it is written.
    pub fn plant(&self, start: &str) {
        self.planted.lock().unwrap().push(start.to_owned());
    }

    /// Takes back what was planted.
    pub fn clear_planted(&self) {
        self.planted.lock().unwrap().clear();
    }

    fn write(&self, line: String) {
        let planted = self.planted.lock().unwrap();
        let is_planted = planted.iter().any(|start| line.starts_with(start));
        drop(planted);
        self.lines.lock().unwrap().push(line);
        if is_planted {
            panic!("planted");
        }
    }
}

impl aqueduct::ingest::Watch for Diary {
    fn publish_started(&self, publisher: Publisher<'_>, _: &str, how: Arrival) {
        let how = match how {
            Arrival::New => "new",
            Arrival::Takeover => "takeover",
            Arrival::Return => "return",
            Arrival::Beside => "beside",
        };
        self.write(format!("started {} {how}", publisher.stream));
    }

    fn publish_ended(&self, publisher: Publisher<'_>, why: &Ended, _: u64, _: Duration) {
        self.write(format!("ended {}: {why}", publisher.stream));
    }

    fn not_published(&self, _: SocketAddr, why: &NotPublished, asked: Option<&Asked>) {
        let app = asked.map_or("", |asked| &asked.app);
        self.write(format!("not published {app}: {why}"));
    }

    fn received(&self, received: &Received) {
        let mut all = self.received.lock().unwrap();
        all.reads += received.reads;
        all.bytes += received.bytes;
        all.video += received.video;
        all.audio += received.audio;
        all.data += received.data;
        if let Some(losses) = received.losses {
            *all.losses.get_or_insert_default() += losses;
        }
    }
}

impl aqueduct::egress::Watch for Diary {
    fn live(&self, push: &PushStatus, _: Duration) {
        self.write(format!("live {}", push.rule));
    }

    fn failed(&self, push: &PushStatus, failure: &Failure, wait: Option<Duration>) {
        let next = match wait {
            Some(wait) => format!("again in {:.1} s", wait.as_secs_f64()),
            None => "never again".to_owned(),
        };
        self.write(format!(
            "failed {}: {}; {next}",
            push.rule,
            failure.reason(&push.url())
        ));
    }

    fn switched(&self, push: &PushStatus) {
        self.write(format!("switched {} {:?}", push.rule, push.role()));
    }

    fn ended(&self, push: &PushStatus) {
        self.write(format!("over {}", push.rule));
    }

    fn stumbled(&self, rest: Duration) {
        self.write(format!("stumbled {} ms", rest.as_millis()));
    }

    fn sent(&self, bytes: usize, writes: u32) {
        let mut all = self.sent.lock().unwrap();
        all.bytes += bytes;
        all.writes += writes;
    }

    fn looked(&self, _: Duration, _: LeftOut) {}
}
