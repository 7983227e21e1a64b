//! The JavaScript client: its own tests in Node, what npm would publish of it, and a page in a browser that drives a gateway with it.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::routing::{get, post};
use common::child::Program;
use common::gateway::Site;
use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, Target};
use common::{eventually, flv, media};
use md5::{Digest, Md5};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

const APP_ID: u32 = 1_234_567_890;
const CLIENT_SECRET: &str = "fedcba9876543210fedcba9876543210";

fn module() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/js")
}

/// Runs a program in the module's directory; its output, once it has gone well.
fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(module())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!("{program} is needed ({error}); ./scripts/test installs it")
        });
    assert!(
        output.status.success(),
        "{program} {arguments:?}:\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
fn its_own_tests_pass_in_node() {
    let output = run("node", &["--test", "test/publish-cdn.test.js"]);
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.contains("pass 12"), "{report}");
}

#[test]
fn npm_would_publish_what_is_needed_and_nothing_else() {
    let output = run("npm", &["pack", "--dry-run", "--json", "--offline"]);
    let packed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    // An array, or from some version on an object by the package's name.
    let package = match &packed {
        Value::Array(packages) => &packages[0],
        Value::Object(packages) => packages.values().next().expect("a package"),
        other => panic!("{other}"),
    };
    let mut files: Vec<&str> = package["files"]
        .as_array()
        .expect("a list of files")
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    files.sort_unstable();
    let expected = [
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "index.d.ts",
        "index.js",
        "package.json",
        "transport.js",
    ];
    assert_eq!(files, expected);
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        let ours = std::fs::read(module().join(license)).unwrap();
        let projects = std::fs::read(module().join("../..").join(license)).unwrap();
        assert!(ours == projects, "{license}");
    }
}

/// A web site with the module and one page; what the page reports comes out of the channel. `/go` answers once it is time.
async fn web_site(
    page: Arc<Mutex<String>>,
    go: watch::Receiver<bool>,
) -> (String, mpsc::UnboundedReceiver<Value>) {
    let (reports, received) = mpsc::unbounded_channel();
    let waits = get(async move || {
        let _ = go.clone().wait_for(|go| *go).await;
    });
    let script = |file: &str| {
        let text = std::fs::read_to_string(module().join(file)).unwrap();
        get(async move || ([(header::CONTENT_TYPE, "text/javascript")], text))
    };
    let html = get(async move || {
        let page = page.lock().unwrap().clone();
        ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page)
    });
    let router = Router::new()
        .route("/", html)
        .route("/go", waits)
        .route("/index.js", script("index.js"))
        .route("/transport.js", script("transport.js"))
        .route(
            "/report",
            post(
                async |State(reports): State<mpsc::UnboundedSender<Value>>, text: String| {
                    let report = serde_json::from_str(&text).unwrap_or(Value::String(text));
                    let _ = reports.send(report);
                },
            ),
        )
        .with_state(reports);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (origin, received)
}

/// Opens the page in a browser of its own; it is closed with the value.
fn browser(profile: &Path, url: &str) -> Program {
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| {
            let version = Command::new(name).arg("--version").output();
            version.is_ok_and(|output| output.status.success())
        });
    let name = found.expect("Chromium is needed; ./scripts/test installs it");
    let mut command = Command::new(name);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-extensions",
            "--disable-sync",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("--remote-debugging-port=0")
        .arg(url);
    Program::start("chromium", &mut command)
}

/// A page that carries out calls and reports how each went.
///
/// Where it may ask, a loaded machine has time.
fn page(gateway: &str, invited: &str, calls: &Value) -> String {
    format!(
        r#"<!doctype html><title>client</title><script type="module">
import {{ PublishCdn }} from "/index.js";
const retryFor = location.origin === "{invited}" ? 60000 : 2000;
const report = (what) => fetch("/report", {{ method: "POST", body: JSON.stringify(what) }});
try {{
  const cdn = new PublishCdn({{ server: "{gateway}", appID: {APP_ID}, requestTimeout: 60000, retryFor }});
  for (const [name, ...args] of {calls}) {{
    if (name === "removePublishCdnUrl") await fetch("/go");
    await report(await cdn[name](...args).catch((failure) => failure));
  }}
}} catch (error) {{
  await report(String(error));
}}
</script>"#
    )
}

fn signature() -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    hex::encode(Md5::digest(format!("{APP_ID}{now}{CLIENT_SECRET}")))
}

async fn next(reports: &mut mpsc::UnboundedReceiver<Value>) -> Value {
    let report = tokio::time::timeout(Duration::from_secs(60), reports.recv()).await;
    report.expect("the page reports").unwrap()
}

#[tokio::test]
async fn a_page_adds_and_removes_a_relay_of_a_running_stream() {
    let target = Target::start(Behaviour::Records).await;
    // The gateway has to know the page's origin before the page can know where the gateway listens.
    let go = watch::Sender::new(false);
    let shown = Arc::new(Mutex::new(String::new()));
    let (origin, mut reports) = web_site(shown.clone(), go.subscribe()).await;
    let (foreign, mut foreign_reports) = web_site(shown.clone(), go.subscribe()).await;
    let site = Site::new(
        "",
        &format!(
            "[http]\nclient_origins = [\"{origin}\"]\n\
             [[apps]]\nname = \"live\"\napp_id = {APP_ID}\nserver_secret = \"s\"\nclient_secret = \"{CLIENT_SECRET}\"\n"
        ),
    );
    let gateway = site.start().await;
    let url = target.url("app/name?sign=1");
    let signature = signature();
    let calls = json!([
        ["addPublishCdnUrl", "cam", signature, url],
        ["addPublishCdnUrl", "cam", "0000", url],
        ["addPublishCdnUrl", "cam", signature, "rtmp://nowhere"],
        [
            "removePublishCdnUrl",
            "cam",
            signature,
            target.url("app/name")
        ],
    ]);
    *shown.lock().unwrap() = page(&format!("http://{}", gateway.http), &origin, &calls);
    let tags = flv::read(&media::h264_aac(8, 2));
    let mut publisher = RmlPublisher::publish(gateway.rtmp, "live", "cam")
        .await
        .unwrap();
    let publishing = tokio::spawn(async move {
        loop {
            if publisher.send_tags(&tags, 1.0).await.is_err() {
                return;
            }
        }
    });
    let profile = tempfile::tempdir().unwrap();
    let ok = json!({"errorCode": 0, "extendedData": ""});
    {
        let _browser = browser(profile.path(), &origin);
        let first = next(&mut reports).await;
        assert_eq!(first, ok);
        // The push runs, and what the page wished is what the target gets.
        eventually("the target is live", Duration::from_secs(20), || async {
            let visit = target.visits().into_iter().next()?;
            (visit.name == "name?sign=1" && visit.arrivals.len() > 5).then_some(())
        })
        .await;
        assert_eq!(next(&mut reports).await["errorCode"], 1_100_999);
        assert_eq!(next(&mut reports).await["errorCode"], 1_000_055);
        go.send_replace(true);
        assert_eq!(next(&mut reports).await, ok);
    }
    assert!(gateway.rules().await.is_empty());
    let profile = tempfile::tempdir().unwrap();
    let _browser = browser(profile.path(), &foreign);
    // To a page that may not ask, the browser says nothing but that there was no answer.
    assert_eq!(next(&mut foreign_reports).await["errorCode"], 1_100_002);
    assert!(gateway.rules().await.is_empty());
    publishing.abort();
}
