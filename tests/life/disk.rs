//! A disk without room: rule changes are refused with a word about it, running pushes are not touched, what is to stop stops, and all is well
//! again once there is room.

use super::common::eventually;
use super::common::gateway::{Gateway, Site};
use super::common::target::{Behaviour, End, Target};
use super::numbered::{Publishing, arrived, assert_nothing_lost, visit};
use reqwest::{Method, StatusCode};
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How the room runs out.
trait Shortage {
    fn begin(&mut self, site: &Site, gateway: &Gateway);
    fn end(&mut self, gateway: &Gateway);
    /// What the refusals say.
    fn words(&self) -> &'static str;
}

/// No file of the gateway's may grow: it needs no privilege.
struct FilesMayNotGrow;

impl FilesMayNotGrow {
    fn limit(gateway: &Gateway, current: Option<u64>) {
        let pid = Pid::from_raw(i32::try_from(gateway.pid()).unwrap());
        let maximum = rustix::process::getrlimit(Resource::Fsize).maximum;
        prlimit(pid, Resource::Fsize, Rlimit { current, maximum }).unwrap();
    }
}

impl Shortage for FilesMayNotGrow {
    fn begin(&mut self, site: &Site, gateway: &Gateway) {
        let log = std::fs::metadata(site.data().join("rules.db-wal")).unwrap();
        Self::limit(gateway, Some(log.len()));
    }

    fn end(&mut self, gateway: &Gateway) {
        Self::limit(gateway, rustix::process::getrlimit(Resource::Fsize).current);
    }

    fn words(&self) -> &'static str {
        "look at the disk"
    }
}

/// A file system of its own for the data directory, filled to the last byte.
struct FullDisk {
    place: PathBuf,
}

impl FullDisk {
    /// Where this user may mount one.
    fn at(place: &Path) -> Option<Self> {
        std::fs::create_dir_all(place).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"])
            .arg(place);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self {
            place: place.to_owned(),
        })
    }

    fn ballast(&self) -> PathBuf {
        self.place.join("ballast")
    }
}

impl Shortage for FullDisk {
    fn begin(&mut self, _: &Site, _: &Gateway) {
        let mut ballast = std::fs::File::create(self.ballast()).unwrap();
        while ballast.write_all(&[0; 512]).is_ok() {}
    }

    fn end(&mut self, _: &Gateway) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn words(&self) -> &'static str {
        "the disk is full; free some space there"
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

#[tokio::test]
async fn files_that_may_not_grow_cost_rule_changes_and_nothing_else() {
    let site = Site::new("", "");
    live_through(&site, FilesMayNotGrow).await;
}

/// As above with a real full disk, where the test's user may mount one.
#[tokio::test]
async fn a_full_disk_costs_rule_changes_and_nothing_else() {
    let site = Site::new("", "");
    if let Some(disk) = FullDisk::at(&site.data()) {
        live_through(&site, disk).await;
    }
}

async fn live_through(site: &Site, mut shortage: impl Shortage) {
    let target = Target::start(Behaviour::Records).await;
    let gateway = site.start().await;
    gateway.create_rule("cam", &target.url("app/kept")).await;
    let doomed = gateway.create_rule("cam", &target.url("app/doomed")).await;
    let publishing = Publishing::start(&gateway, 60).await;
    arrived(&target, "kept", 20).await;
    arrived(&target, "doomed", 20).await;

    shortage.begin(site, &gateway);
    let wish = json!({"app": "live", "stream": "cam", "url": target.url("app/new")});
    let refused = gateway
        .request(Method::POST, "/v1/rules", Some(wish.clone()))
        .await;
    assert_not_stored(&refused, shortage.words());
    let change = json!({"enabled": false});
    let path = format!("/v1/rules/{doomed}");
    let refused = gateway.request(Method::PATCH, &path, Some(change)).await;
    assert_not_stored(&refused, shortage.words());
    assert_eq!(
        visit(&target, "doomed").end,
        None,
        "a change that was refused is none"
    );
    let (status, answer) = gateway.request(Method::DELETE, &path, None).await;
    assert_eq!(
        (status, &answer["stored"]),
        (StatusCode::OK, &json!(false)),
        "{answer}"
    );
    eventually(
        "what was deleted stops",
        Duration::from_secs(10),
        || async { visit(&target, "doomed").end },
    )
    .await;
    assert_eq!(visit(&target, "doomed").end, Some(End::Closed));
    assert_eq!(gateway.status("/readyz").await, Some(StatusCode::OK));
    let page = gateway.text("/metrics").await;
    assert!(
        page.contains("aqueduct_store_errors_total{operation=\"store\"} 2"),
        "{page}"
    );
    assert!(gateway.output().contains("the rules' store is in trouble"));
    let count = visit(&target, "kept").arrivals.len();
    arrived(&target, "kept", count + 50).await;

    shortage.end(&gateway);
    let (status, rule) = gateway.request(Method::POST, "/v1/rules", Some(wish)).await;
    assert_eq!(
        status,
        StatusCode::CREATED,
        "it heals without a restart: {rule}"
    );
    arrived(&target, "new", 20).await;
    // Asked again after 1, 2, 4 ... seconds.
    eventually(
        "the deletion is stored",
        Duration::from_secs(30),
        || async { (!stored(&site.data()).contains(&doomed)).then_some(()) },
    )
    .await;
    publishing.abort();
    assert_nothing_lost(
        "the push that was left alone",
        &visit(&target, "kept"),
        &publishing.sent,
    );

    let before = ids(&gateway).await;
    gateway.kill_9();
    let gateway = site.start().await;
    assert_eq!(ids(&gateway).await, before);
    assert!(before.len() == 2 && !before.contains(&doomed), "{before:?}");
    gateway.kill_9();
}

fn assert_not_stored((status, problem): &(StatusCode, serde_json::Value), words: &str) {
    assert_eq!(*status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    assert_eq!(
        problem["type"], "urn:aqueduct:problem:not-stored",
        "{problem}"
    );
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains(words) && detail.contains("Try again"),
        "{detail}"
    );
}

async fn ids(gateway: &Gateway) -> Vec<String> {
    let rules = gateway.rules().await;
    rules
        .iter()
        .map(|rule| rule["id"].as_str().unwrap().to_owned())
        .collect()
}

/// The ids on the disk, read beside the gateway.
fn stored(data: &Path) -> Vec<String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let store = Connection::open_with_flags(data.join("rules.db"), flags).unwrap();
    let mut statement = store.prepare("SELECT id FROM rules").unwrap();
    let ids = statement.query_map([], |row| row.get(0)).unwrap();
    ids.map(Result::unwrap).collect()
}
