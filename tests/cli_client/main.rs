//! The commands that talk to a running gateway, as a user types them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod reach;
mod rules;
mod streams;

#[path = "../doors/mod.rs"]
mod doors;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use aqueduct::api::{Limits, Serve, connection_limits, serve};
use aqueduct::net::listener::Acceptor;
use aqueduct::net::permits::Permits;
use aqueduct::telemetry::Metrics;
use aqueduct::telemetry::events::Callers;
use doors::{Gateway, TOKEN};
use serde_json::Value;
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
