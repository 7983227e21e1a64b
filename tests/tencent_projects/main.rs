//! The Tencent door's projects.

#![allow(clippy::unwrap_used, clippy::panic)]

mod calls;
mod life;
mod seen;
mod told;

#[path = "../doors/mod.rs"]
mod doors;
#[path = "../tencent/mod.rs"]
mod tencent;

use aqueduct::control::{Origin, ProjectHappening, Role};
use doors::Gateway;

const ONE: &str = "rtmp://push.example.com/cme/live1";

const TWO: &str = "rtmp://push.example.com/cme/live2";

/// Where the rules of the gateway lead, and whether they are in force.
fn rules(gateway: &Gateway) -> Vec<(String, bool)> {
    let rules = gateway.rules.list(None);
    assert!(rules.iter().all(|rule| rule.origin == Origin::Tencent));
    rules
        .iter()
        .map(|rule| (rule.url.expose().to_owned(), rule.enabled))
        .collect()
}

/// Which inputs run, beside that of the file.
fn running(gateway: &Gateway) -> Vec<Role> {
    let running = gateway.feeding.running.lock().unwrap();
    let of_projects = running
        .iter()
        .filter(|(_, input)| input.origin != Origin::Config);
    of_projects.map(|((_, role), _)| *role).collect()
}

fn whats(gateway: &Gateway) -> Vec<ProjectHappening> {
    let events = gateway.events.lock().unwrap();
    events.iter().map(|event| event.happening.clone()).collect()
}

async fn until(is: impl Fn() -> bool) {
    let waiting = async {
        while !is() {
            tokio::task::yield_now().await;
        }
    };
    let limit = std::time::Duration::from_secs(30);
    tokio::time::timeout(limit, waiting).await.unwrap();
}
