//! A gateway that may open nothing more goes on with what it has, and takes what has waited once it may.

use super::common::gateway::{Gateway, Site};
use super::common::rml_publisher::RmlPublisher;
use super::common::target::{Behaviour, Target};
use super::numbered::{Publishing, arrived, assert_nothing_lost, visit};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::time::Duration;

/// Below it is what every process has from its start, so that not one more can be opened.
const NONE_FREE: u64 = 3;

/// Gives it another soft limit; the one before.
fn limit(gateway: &Gateway, current: Option<u64>) -> Option<u64> {
    let pid = Pid::from_raw(i32::try_from(gateway.pid()).unwrap());
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    let before = prlimit(pid, Resource::Nofile, Rlimit { current, maximum }).unwrap();
    before.current
}

fn complaints(gateway: &Gateway) -> usize {
    let output = gateway.output();
    output
        .lines()
        .filter(|line| line.contains("cannot be accepted"))
        .count()
}

#[tokio::test]
async fn descriptors_that_run_out_stop_no_stream_and_let_in_later() {
    let target = Target::start(Behaviour::Records).await;
    let site = Site::new("", "");
    let gateway = site.start().await;
    gateway.create_rule("cam", &target.url("app/key")).await;
    let publishing = Publishing::start(&gateway, 60).await;
    arrived(&target, "key", 20).await;

    let before = limit(&gateway, Some(NONE_FREE));
    let rtmp = gateway.rtmp;
    let waiting: Vec<_> = (0..5)
        .map(|number| {
            tokio::spawn(async move {
                RmlPublisher::publish(rtmp, "live", &format!("late{number}")).await
            })
        })
        .collect();
    let began = std::time::Instant::now();
    // Three seconds and more of the stream, by its own count.
    let count = visit(&target, "key").arrivals.len();
    arrived(&target, "key", count + 220).await;
    assert!(
        waiting.iter().all(|waiting| !waiting.is_finished()),
        "nobody was let in"
    );
    let lines = complaints(&gateway);
    let most = began.elapsed().as_secs() as usize + 2;
    assert!(
        (1..=most).contains(&lines),
        "{lines} lines:\n{}",
        gateway.output()
    );

    limit(&gateway, before);
    for waiting in waiting {
        let publisher = tokio::time::timeout(Duration::from_secs(10), waiting).await;
        publisher.unwrap().unwrap().expect("it is let in");
    }
    let page = gateway.text("/metrics").await;
    let errors = page
        .lines()
        .find_map(|line| line.strip_prefix("aqueduct_accept_errors_total "));
    assert!(errors.unwrap().parse::<u64>().unwrap() > 0);
    publishing.abort();
    assert_nothing_lost("the live stream", &visit(&target, "key"), &publishing.sent);
}
