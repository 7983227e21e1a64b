//! A disk that takes nothing more, for want of room or because it has become read-only: rule changes are refused with a word about it, running
//! pushes are not touched, what is to stop stops, and all is well again once there is room.

use super::common::eventually;
use super::common::gateway::{Gateway, Site};
use super::common::target::{Behaviour, End, Target};
use super::numbered::{Publishing, arrived, assert_nothing_lost, visit};
use reqwest::{Method, StatusCode};
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
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

/// A file system that gives itself up and becomes read-only, as one does whose device has failed. It does not come back.
struct FailingDisk {
    place: PathBuf,
}

impl FailingDisk {
    /// Where this user may make one.
    fn at(site: &Site) -> Option<Self> {
        let (place, image) = (site.data(), site.data().with_extension("image"));
        std::fs::create_dir_all(&place).unwrap();
        let file = std::fs::File::create(&image).unwrap();
        file.set_len(16 << 20).unwrap();
        let run = |program: &str, arguments: &[&str], paths: &[&Path]| {
            let mut command = Command::new(program);
            let output = command.args(arguments).args(paths).output();
            output.is_ok_and(|output| output.status.success())
        };
        let is_made = run("mkfs.ext4", &["-q"], &[&image])
            && run("mount", &["-o", "loop"], &[&image, &place]);
        is_made.then_some(Self { place })
    }

    fn fail(&self) {
        let mut mount = Command::new("mount");
        let remounted = mount
            .args(["-o", "remount,abort"])
            .arg(&self.place)
            .status();
        assert!(remounted.unwrap().success());
        assert!(std::fs::write(self.place.join("probe"), "x").is_err());
    }
}

impl Drop for FailingDisk {
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

/// Where the test's user may make one.
#[tokio::test]
async fn a_disk_that_becomes_read_only_costs_rule_changes_and_nothing_else() {
    let site = Site::new("", "");
    let Some(disk) = FailingDisk::at(&site) else {
        return;
    };
    let scene = Scene::begin(&site).await;
    disk.fail();
    scene.refuses_changes("look at the disk").await;
    scene.publishing.abort();
    let kept = visit(&scene.target, "kept");
    assert_nothing_lost(
        "the push that was left alone",
        &kept,
        &scene.publishing.sent,
    );
    scene.gateway.sigterm();
    let (status, output) = scene.gateway.wait(Duration::from_secs(20)).await;
    assert!(status.success(), "it drains all the same:\n{output}");
}

/// Two pushes of a stream, of which one is to go.
struct Scene {
    target: Target,
    gateway: Gateway,
    publishing: Publishing,
    doomed: String,
    /// A third one.
    wish: Value,
}

impl Scene {
    async fn begin(site: &Site) -> Self {
        let target = Target::start(Behaviour::Records).await;
        let gateway = site.start().await;
        gateway.create_rule("cam", &target.url("app/kept")).await;
        let doomed = gateway.create_rule("cam", &target.url("app/doomed")).await;
        let publishing = Publishing::start(&gateway, 60).await;
        arrived(&target, "kept", 20).await;
        arrived(&target, "doomed", 20).await;
        let wish = json!({"app": "live", "stream": "cam", "url": target.url("app/new")});
        Self {
            target,
            gateway,
            publishing,
            doomed,
            wish,
        }
    }

    /// Now that nothing can be stored.
    async fn refuses_changes(&self, words: &str) {
        let Self {
            target, gateway, ..
        } = self;
        let wish = Some(self.wish.clone());
        let refused = gateway.request(Method::POST, "/v1/rules", wish).await;
        assert_not_stored(&refused, words);
        let change = json!({"enabled": false});
        let path = format!("/v1/rules/{}", self.doomed);
        let refused = gateway.request(Method::PATCH, &path, Some(change)).await;
        assert_not_stored(&refused, words);
        assert_eq!(
            visit(target, "doomed").end,
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
            || async { visit(target, "doomed").end },
        )
        .await;
        assert_eq!(visit(target, "doomed").end, Some(End::Closed));
        assert_eq!(gateway.status("/readyz").await, Some(StatusCode::OK));
        let page = gateway.text("/metrics").await;
        assert!(
            page.contains("aqueduct_store_errors_total{operation=\"store\"} 2"),
            "{page}"
        );
        gateway.says("the rules' store is in trouble").await;
        let count = visit(target, "kept").arrivals.len();
        arrived(target, "kept", count + 50).await;
    }
}

async fn live_through(site: &Site, mut shortage: impl Shortage) {
    let scene = Scene::begin(site).await;
    shortage.begin(site, &scene.gateway);
    scene.refuses_changes(shortage.words()).await;
    let Scene {
        target,
        gateway,
        publishing,
        doomed,
        wish,
    } = scene;

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
