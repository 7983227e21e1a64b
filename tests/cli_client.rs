//! The commands that ask a running gateway, as a user runs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod doors;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use aqueduct::api::{Limits, Serve, connection_limits, serve};
use aqueduct::control::{Phase, TargetState};
use aqueduct::net::listener::Acceptor;
use aqueduct::net::permits::Permits;
use aqueduct::telemetry::Metrics;
use aqueduct::telemetry::events::Callers;
use doors::{Gateway, TOKEN, stream_status, target_status};
use serde_json::Value;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

const CANARY: &str = "CANARY7KEY";

/// A gateway that listens, with its data directory.
struct Running {
    gateway: Gateway,
    http: String,
    data: TempDir,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn ok(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }

    /// One line under the program's name.
    fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.starts_with("aqueduct: "), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        self.err
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aqueduct"));
    command
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

async fn finish(mut command: Command, input: &str) -> Ran {
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An address at which nobody listens.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn write_secret(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

impl Running {
    async fn start() -> Self {
        let gateway = Gateway::new();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = listener.local_addr().unwrap().to_string();
        let permits = Permits::new(connection_limits());
        let acceptor =
            Acceptor::new(listener, Callers::Doors, permits, Arc::new(Metrics::new())).unwrap();
        let what = Serve {
            router: gateway.router.clone(),
            tls: None,
            limits: Limits::default(),
        };
        tokio::spawn(serve(acceptor, what, CancellationToken::new()));
        let data = tempfile::tempdir().unwrap();
        write_secret(&data.path().join("http.token"), TOKEN);
        Self {
            gateway,
            http,
            data,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command
            .arg("--http")
            .arg(&self.http)
            .arg("--data")
            .arg(self.data.path());
        command
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments), "").await
    }
}

#[tokio::test]
async fn rules_are_added_listed_and_removed() {
    let running = Running::start().await;
    let none = running.run(&["rules", "list"]).await.ok();
    assert!(none.contains("no rules"), "{none}");
    let file = running.data.path().join("urls");
    std::fs::write(
        &file,
        format!("# two places\nrtmp://h/app/{CANARY}\n\nrtmps://h2/app/{CANARY}\n"),
    )
    .unwrap();
    let at_file = format!("@{}", file.display());
    let added = running
        .run(&["rules", "add", "--stream", "cam", &at_file])
        .await
        .ok();
    assert_eq!(added.lines().count(), 2, "{added}");
    assert!(added.contains("live/cam -> rtmps://h2/app/***"), "{added}");
    let line = format!("rtmp://h/app/{CANARY}\n");
    let again = finish(
        running.command(&["rules", "add", "--stream", "cam", "-"]),
        &line,
    );
    assert!(again.await.ok().starts_with("stands already: r-"));
    let mut by_variable = running.command(&["rules", "add", "--json"]);
    by_variable.env("AQUEDUCT_RELAY_URLS", "rtmp://h3/app/{stream}");
    let made = finish(by_variable, "").await.json();
    assert_eq!(
        (made[0]["stream"].as_str(), made[0]["app"].as_str()),
        (Some("*"), Some("live"))
    );

    let table = running.run(&["rules", "list"]).await.ok();
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(
        table.starts_with("ID") && !table.contains(CANARY),
        "{table}"
    );
    let list = running.run(&["rules", "list", "--json"]).await.json();
    assert_eq!(list.as_array().unwrap().len(), 3);
    assert!(!list.to_string().contains(CANARY));
    let whole = running.run(&["rules", "list", "--reveal"]).await.ok();
    assert!(
        whole.contains(&format!("rtmps://h2/app/{CANARY}")),
        "{whole}"
    );

    let ids: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    let removed = running.run(&["rules", "remove", ids[0], ids[1]]).await.ok();
    assert_eq!(removed, format!("removed {}\nremoved {}\n", ids[0], ids[1]));
    assert_eq!(running.gateway.rules.list(None).len(), 1);
    let error = running.run(&["rules", "remove", ids[0]]).await.failed(1);
    assert!(
        error.contains(ids[0]) && error.contains("no rule with this id"),
        "{error}"
    );

    running.gateway.store.set_full(true);
    let error = running.run(&["rules", "remove", ids[2]]).await.failed(1);
    assert!(error.contains("not stored"), "{error}");
    assert!(running.gateway.rules.list(None).is_empty());
}

#[tokio::test]
async fn options_are_added_and_changed_with_keys_kept_off_the_command_line() {
    let running = Running::start().await;
    let file = |name: &str, url: &str| {
        let path = running.data.path().join(name);
        std::fs::write(&path, format!("{url}\n")).unwrap();
        format!("@{}", path.display())
    };
    let main = file("main", &format!("rtmp://a/app/{CANARY}"));
    let backup = file("backup", &format!("rtmp://b/app/{CANARY}"));
    let add = [
        "rules",
        "add",
        "--stream",
        "cam",
        &main,
        "--backup-url",
        &backup,
    ];
    let at = "2030-01-01T00:00:00Z";
    let options = ["--stop-at", at, "--chunk-size", "8192", "--disabled"];
    let kinds = ["--strict-interleave", "--digest-handshake"];
    let arguments = [&add[..], &options, &kinds].concat();
    let added = running.run(&arguments).await.ok();
    assert!(
        added.contains("live/cam -> rtmp://a/app/*** (backup rtmp://b/app/***)"),
        "{added}"
    );
    let rule = running.gateway.rules.list(None)[0].clone();
    assert!(!rule.enabled && rule.stop_at.is_some() && rule.chunk_size == Some(8192));
    assert!(rule.strict_interleave && rule.digest_handshake);
    let again = running.run(&add).await.ok();
    assert!(again.contains("its options stay as they are"), "{again}");
    let table = running.run(&["rules", "list"]).await.ok();
    assert!(!table.contains(CANARY) && table.contains("no"), "{table}");

    let id = rule.id.as_str();
    let other = format!("rtmp://c/app/{CANARY}\n");
    let change = ["rules", "change", id, "--enable", "--backup-url", "-"];
    let changed = finish(running.command(&change), &other).await.ok();
    assert_eq!(
        changed,
        format!("changed {id}  live/cam -> rtmp://a/app/*** (backup rtmp://c/app/***)\n")
    );
    let url = file("new", "rtmp://d/app/{stream}");
    let change = ["rules", "change", id, "--url", &url, "--chunk-size", "none"];
    let none = [
        "--stop-at",
        "none",
        "--backup-url",
        "none",
        "--strict-interleave=false",
        "--json",
    ];
    let changed = running.run(&[&change[..], &none].concat()).await.json();
    assert_eq!(changed["url"], "rtmp://d/app/***");
    let rule = running.gateway.rules.list(None)[0].clone();
    assert!(rule.enabled && rule.stop_at.is_none() && rule.chunk_size.is_none());
    assert!(rule.backup_url.is_none());
    assert!(!rule.strict_interleave && rule.digest_handshake);
    running
        .run(&["rules", "change", id, "--disable"])
        .await
        .ok();
    let past = [
        "rules",
        "change",
        id,
        "--enable",
        "--stop-at",
        "2020-01-01T00:00:00Z",
    ];
    running.run(&past).await.ok();
    let table = running.run(&["rules", "list"]).await.ok();
    assert!(table.contains("over"), "{table}");

    let two = file(
        "two",
        &format!("rtmp://e/app/{CANARY}\nrtmp://f/app/{CANARY}"),
    );
    let bad = format!("rtmp://h/{CANARY}");
    for (arguments, words) in [
        (
            &["rules", "add", &two, "--backup-url", &backup][..],
            "one URL",
        ),
        (
            &["rules", "add", &main, "--backup-url", &two],
            "more than one URL",
        ),
        (&["rules", "add", "-", "--backup-url", "-"], "only once"),
        (
            &["rules", "add", &main, "--backup-url", &bad],
            "backup_url: ",
        ),
        (
            &["rules", "add", &main, "--stop-at", "tomorrow"],
            "stop_at: ",
        ),
        (&["rules", "change", id, "--url", &two], "more than one URL"),
        (
            &["rules", "change", id, "--url", "-", "--backup-url", "-"],
            "only once",
        ),
        (
            &["rules", "change", id, "--chunk-size", "many"],
            "--chunk-size: ",
        ),
        (
            &["rules", "change", id, "--chunk-size", "1"],
            "128 to 65536",
        ),
        (&["rules", "change", id], "say what to change"),
    ] {
        let error = running.run(arguments).await.failed(2);
        assert!(error.contains(words) && !error.contains(CANARY), "{error}");
    }
    let error = running
        .run(&["rules", "change", "r-none", "--disable"])
        .await;
    let error = error.failed(1);
    assert!(
        error.contains("r-none") && error.contains("no rule"),
        "{error}"
    );
}

#[tokio::test]
async fn tables_fit_the_columns() {
    let running = Running::start().await;
    let long = format!("a-rather-long-stream-name-{}", "x".repeat(40));
    running
        .gateway
        .add(
            &long,
            "rtmp://a-host-with-a-rather-long-name.example.com/application/KEY",
        )
        .await;
    *running.gateway.running.streams.lock().unwrap() = vec![stream_status("live", "cam")];
    let rule = running.gateway.rules.list(None)[0].clone();
    *running.gateway.running.targets.lock().unwrap() =
        vec![target_status(&rule, "live", "cam", TargetState::BackingOff)];
    for (columns, most) in [(None, 80), (Some("100"), 100), (Some("60"), 60)] {
        for arguments in [vec!["rules", "list"], vec!["streams", "list"]] {
            let mut command = running.command(&arguments);
            if let Some(columns) = columns {
                command.env("COLUMNS", columns);
            }
            let table = finish(command, "").await.ok();
            assert!(
                table.lines().all(|line| line.chars().count() <= most),
                "{most}:\n{table}"
            );
        }
    }
}

#[tokio::test]
async fn wrong_urls_are_wrong_usage_and_not_repeated() {
    let running = Running::start().await;
    for url in [
        format!("http://h/{CANARY}"),
        CANARY.to_owned(),
        format!("rtmp://refused.example/a/{CANARY}"),
    ] {
        for command in [vec!["rules", "add", &url], vec!["preflight", &url]] {
            if command[0] == "preflight" && url.starts_with("rtmp") {
                continue;
            }
            let error = running.run(&command).await.failed(2);
            assert!(
                !error.contains(CANARY) && error.to_lowercase().contains("url"),
                "{error}"
            );
        }
    }
    let error = running.run(&["rules", "add"]).await.failed(2);
    assert!(
        error.contains("@FILE") && error.contains("AQUEDUCT_RELAY_URLS"),
        "{error}"
    );
    let error = running
        .run(&["rules", "add", "@/no/such/file"])
        .await
        .failed(2);
    assert!(error.contains("/no/such/file"), "{error}");
    let error = running
        .run(&["rules", "add", "--app", "nowhere", "rtmp://h/a/b"])
        .await
        .failed(2);
    assert!(error.contains("the apps are: "), "{error}");
}

#[tokio::test]
async fn streams_are_listed_shown_and_kicked() {
    let running = Running::start().await;
    let none = running.run(&["streams", "list"]).await.ok();
    assert!(none.contains("Nobody publishes"), "{none}");
    running
        .gateway
        .add("*", &format!("rtmp://h/app/{CANARY}"))
        .await;
    let rule = running.gateway.rules.list(None)[0].clone();
    *running.gateway.running.streams.lock().unwrap() =
        vec![stream_status("live", "cam"), stream_status("live", "a/b")];
    *running.gateway.running.targets.lock().unwrap() = vec![
        target_status(&rule, "live", "cam", TargetState::BackingOff),
        target_status(&rule, "live", "a/b", TargetState::Live),
    ];
    let list = running.run(&["streams", "list"]).await.ok();
    assert!(
        list.contains("0 of 1") && list.contains("1 of 1") && list.contains("6.0 Mbit/s"),
        "{list}"
    );
    for name in ["live/cam", "cam"] {
        let shown = running.run(&["streams", "show", name]).await.ok();
        assert!(
            shown.contains("live/cam") && shown.contains("h264 (video 0)"),
            "{shown}"
        );
        for line in [
            "bitrate    6.0 Mbit/s, 30 pictures a second",
            "repaired   3 timestamps (2 clamp, 1 wrap)",
            "track      h264 (video 0): High 4.1, 1920x1080, 29.97 fps, 5.9 Mbit/s",
            "warning    nothing of sound has come",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
        }
        assert!(
            shown.contains("backing_off") && shown.contains("BadName: taken"),
            "{shown}"
        );
        assert!(!shown.contains(CANARY), "{shown}");
    }
    let json = running
        .run(&["streams", "show", "live/a/b", "--json"])
        .await
        .json();
    assert_eq!(json["stream"]["name"], "a/b");
    assert_eq!(json["targets"][0]["state"], "live");
    running.run(&["streams", "kick", "live/a/b"]).await.ok();
    assert_eq!(running.gateway.running.streams.lock().unwrap().len(), 1);
    let error = running
        .run(&["streams", "kick", "live/a/b"])
        .await
        .failed(1);
    assert!(error.contains("nobody publishes live/a/b"), "{error}");
}

#[tokio::test]
async fn a_list_of_several_pages_is_shown_whole() {
    let running = Running::start().await;
    let names = (0..10_001).map(|number| format!("s{number}"));
    *running.gateway.running.streams.lock().unwrap() =
        names.map(|name| stream_status("live", &name)).collect();
    let list = running.run(&["streams", "list", "--json"]).await.json();
    assert_eq!(list.as_array().unwrap().len(), 10_001);
    assert_eq!(list[10_000]["name"], "s9999", "they go by their names");
}

#[tokio::test]
async fn preflight_tells_the_steps_and_fails_with_them() {
    let running = Running::start().await;
    let url = format!("rtmp://h/app/{CANARY}");
    let ran = running.run(&["preflight", &url]).await;
    assert!(
        ran.out.contains("dns") && ran.out.contains("no such name"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains(CANARY));
    assert!(ran.failed(1).contains("would not take a stream"));
    let ran = finish(
        running.command(&["preflight", "--publish", "--json", "-"]),
        &url,
    )
    .await;
    let reports: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(reports[0]["ok"], false);
    assert_eq!(
        running.gateway.running.tried.lock().unwrap()[1],
        (url, true)
    );
}

#[tokio::test]
async fn preflight_is_made_from_here_where_no_gateway_runs() {
    let closed = free_address();
    let data = tempfile::tempdir().unwrap();
    let url = format!("rtmp://{closed}/app/{CANARY}");
    for (allowed, step) in [("false", "dns"), ("true", "tcp")] {
        let mut preflight = command(&["preflight", "--json", "-", "--data"]);
        preflight.arg(data.path());
        preflight.env("AQUEDUCT_HTTP__LISTEN", &closed);
        preflight.env("AQUEDUCT_EGRESS__ALLOW_PRIVATE_ADDRESSES", allowed);
        let ran = finish(preflight, &url).await;
        let reports: Value = serde_json::from_str(&ran.out).unwrap();
        let steps = reports[0]["steps"].as_array().unwrap();
        let last = steps.last().unwrap();
        assert_eq!(
            (&last["step"], &last["result"]),
            (&step.into(), &"failed".into()),
            "{reports}"
        );
        assert!(!ran.out.contains(CANARY) && !ran.err.contains(CANARY));
        ran.failed(1);
    }
    // Who names a gateway means that one.
    let mut there = command(&["preflight", &url, "--http", &closed]);
    there.env("AQUEDUCT_HTTP__TOKEN", "a-token-that-is-long-enough");
    let error = finish(there, "").await.failed(1);
    assert!(error.contains("no gateway answers"), "{error}");
}

#[tokio::test]
async fn healthcheck_follows_readiness() {
    let running = Running::start().await;
    assert!(
        running
            .run(&["healthcheck"])
            .await
            .failed(1)
            .contains("starting")
    );
    running.gateway.readiness.advance(Phase::Ready);
    assert_eq!(running.run(&["healthcheck"]).await.ok(), "");
    // The address comes from the environment, too; no token is needed.
    let mut by_variable = command(&["healthcheck"]);
    by_variable.env("AQUEDUCT_HTTP__LISTEN", &running.http);
    assert_eq!(finish(by_variable, "").await.ok(), "");
    running.gateway.readiness.advance(Phase::Draining);
    assert!(
        running
            .run(&["healthcheck"])
            .await
            .failed(1)
            .contains("told to stop")
    );
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let running = Running::start().await;
    let free = free_address();
    let data = running.data.path().to_str().unwrap();
    let nobody = finish(
        command(&["rules", "list", "--http", &free, "--data", data]),
        "",
    )
    .await
    .failed(1);
    assert!(
        nobody.contains(&free) && nobody.contains("aqueduct serve"),
        "{nobody}"
    );
    let nobody = finish(command(&["healthcheck", "--http", &free]), "")
        .await
        .failed(1);
    assert!(nobody.contains(&free), "{nobody}");

    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    let no_token = finish(
        command(&["rules", "list", "--http", &running.http, "--data", empty]),
        "",
    )
    .await
    .failed(1);
    assert!(
        no_token.contains("http.token") && no_token.contains("--data"),
        "{no_token}"
    );

    let mut wrong = command(&["rules", "list", "--http", &running.http]);
    wrong.env("AQUEDUCT_HTTP__TOKEN", "wrong-but-long-enough-for-a-token");
    let wrong = finish(wrong, "").await.failed(1);
    assert!(wrong.contains("token is wrong"), "{wrong}");

    let mut right = command(&[
        "rules",
        "list",
        "--http",
        &format!("http://{}/", running.http),
    ]);
    let token = running.data.path().join("http.token");
    right.env("AQUEDUCT_HTTP__TOKEN_FILE", token);
    finish(right, "").await.ok();
}
