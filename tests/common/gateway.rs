//! The real gateway, as its users start it and talk to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::child::Program;
use super::{eventually, http_client};

/// How long starting may take on a machine that is busy with other tests.
const START: Duration = Duration::from_secs(20);

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_aqueduct");

/// A command of the gateway's, without any environment of the machine's that could configure it.
pub fn command(arguments: &[&str]) -> Command {
    free_of_the_environment(Command::new(BINARY), arguments)
}

fn free_of_the_environment(mut command: Command, arguments: &[&str]) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AQUEDUCT_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Output {
    command(arguments)
        .output()
        .expect("the gateway's binary runs")
}

/// The place of one gateway: its configuration and its data outlive the running program.
pub struct Site {
    directory: TempDir,
    environment: Vec<(String, String)>,
    /// What is started in place of the binary, and its first arguments.
    stand_in: Option<(PathBuf, Vec<String>)>,
}

impl Site {
    /// A site whose targets may be on loopback, with `configuration` besides.
    ///
    /// `egress` is the rest of that section: TOML knows a table once only.
    pub fn new(egress: &str, configuration: &str) -> Site {
        Site::with_configuration(&format!(
            "[egress]\nallow_private_addresses = true\n{egress}\n{configuration}\n"
        ))
    }

    /// A site with this configuration and nothing else.
    pub fn with_configuration(configuration: &str) -> Site {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("aqueduct.toml"), configuration).expect("a new file");
        Site {
            directory,
            environment: Vec::new(),
            stand_in: None,
        }
    }

    /// Starts another program than the binary from now on: one that takes the gateway's arguments behind these.
    pub fn stand_in(mut self, program: PathBuf, arguments: Vec<String>) -> Site {
        self.stand_in = Some((program, arguments));
        self
    }

    /// Sets an environment variable for every start.
    pub fn env(mut self, name: &str, value: &str) -> Site {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn configuration_file(&self) -> PathBuf {
        self.directory.path().join("aqueduct.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Starts a gateway here, and waits until it is ready.
    pub async fn start(&self) -> Gateway {
        self.start_with(&[]).await
    }

    /// Starts a gateway here with further arguments.
    pub async fn start_with(&self, arguments: &[&str]) -> Gateway {
        let program = match &self.stand_in {
            None => Command::new(BINARY),
            Some((program, first)) => {
                let mut command = Command::new(program);
                command.args(first);
                command
            }
        };
        let serve = ["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"];
        let mut command = free_of_the_environment(program, &serve);
        command
            .arg("--config")
            .arg(self.configuration_file())
            .arg("--data")
            .arg(self.data())
            .args(arguments);
        self.await_start(command).await
    }

    /// Runs `serve` here to its end, which it comes to by itself.
    pub fn run_serve(&self) -> Output {
        command(&["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .arg("--config")
            .arg(self.configuration_file())
            .arg("--data")
            .arg(self.data())
            .output()
            .unwrap()
    }

    /// Starts the binary without any argument, in the site's directory.
    pub async fn start_bare(&self) -> Gateway {
        let mut command = command(&[]);
        command.current_dir(self.directory.path());
        self.await_start(command).await
    }

    async fn await_start(&self, mut command: Command) -> Gateway {
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut program = Program::start("aqueduct", &mut command);
        let (rtmp, http) = eventually("aqueduct says where it listens", START, || {
            let output = program.output();
            let found =
                listener(&output, "RTMP", "rtmp://").zip(listener(&output, "HTTP", "http://"));
            if found.is_none() {
                assert!(
                    program.ended().is_none(),
                    "aqueduct ended at once:\n{}",
                    program.output()
                );
            }
            async move { found }
        })
        .await;
        let token = std::fs::read_to_string(self.data().join("http.token"))
            .unwrap_or_default()
            .trim()
            .to_owned();
        let gateway = Gateway {
            rtmp,
            http,
            token,
            program,
            client: http_client(),
        };
        eventually("aqueduct is ready", START, || async {
            (gateway.status("/readyz").await == Some(StatusCode::OK)).then_some(())
        })
        .await;
        gateway
    }
}

/// Reads an address from what `serve` prints at its start: the line that begins with the label, behind the scheme.
fn listener(output: &str, label: &str, scheme: &str) -> Option<SocketAddr> {
    let is_wanted =
        |line: &&str| line.split_whitespace().next() == Some(label) && line.contains(scheme);
    let rest = output.lines().find(is_wanted)?.split(scheme).nth(1)?;
    let end = rest
        .find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// A running gateway; it is killed with the value.
pub struct Gateway {
    pub rtmp: SocketAddr,
    pub http: SocketAddr,
    pub token: String,
    program: Program,
    client: reqwest::Client,
}

impl Gateway {
    /// Where to publish a stream of app `live`.
    pub fn publish_url(&self, name: &str) -> String {
        format!("rtmp://{}/live/{name}", self.rtmp)
    }

    /// A further listener's address, from the line that begins with its label.
    pub fn listener(&self, label: &str, scheme: &str) -> Option<SocketAddr> {
        listener(&self.output(), label, scheme)
    }

    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// All that it has logged and printed so far.
    pub fn output(&self) -> String {
        self.program.output()
    }

    /// Waits for a text in what it logs: a line is written by a thread of its own, behind what it tells of, and read by
    /// another one here.
    pub async fn says(&self, text: &str) {
        eventually(
            &format!("{text} is in the log"),
            Duration::from_secs(20),
            || async { self.output().contains(text).then_some(()) },
        )
        .await;
    }

    /// A request with the token; the status, and the body as JSON, or `Null` where it is none.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let url = format!("http://{}{path}", self.http);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("the gateway answers");
        let status = answer.status();
        let text = answer.text().await.expect("a whole answer");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// The body of an answer, whatever it is.
    pub async fn text(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.http);
        let answer = self
            .client
            .get(url)
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("the gateway answers");
        answer.text().await.expect("a whole answer")
    }

    /// The body of an answer to a caller who shows no token.
    pub async fn text_for_a_stranger(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.http);
        let answer = self
            .client
            .get(url)
            .send()
            .await
            .expect("the gateway answers");
        answer.text().await.expect("a whole answer")
    }

    /// Creates a rule; its id.
    pub async fn create_rule(&self, stream: &str, url: &str) -> String {
        let wish = json!({"app": "live", "stream": stream, "url": url});
        let (status, rule) = self.request(Method::POST, "/v1/rules", Some(wish)).await;
        assert_eq!(status, StatusCode::CREATED, "{rule}");
        rule["id"].as_str().expect("a rule has an id").to_owned()
    }

    pub async fn delete_rule(&self, id: &str) {
        let (status, answer) = self
            .request(Method::DELETE, &format!("/v1/rules/{id}"), None)
            .await;
        assert!(status.is_success(), "{status} {answer}");
    }

    /// The rows of `/v1/rules`.
    pub async fn rules(&self) -> Vec<Value> {
        rows(self.request(Method::GET, "/v1/rules", None).await)
    }

    /// The rows of `/v1/targets`.
    pub async fn targets(&self) -> Vec<Value> {
        rows(self.request(Method::GET, "/v1/targets", None).await)
    }

    /// The target of a rule that makes one target.
    pub async fn target(&self, rule: &str) -> Option<Value> {
        self.targets()
            .await
            .into_iter()
            .find(|target| target["rule"] == rule)
    }

    /// Waits for the target of a rule to be in one of these states; the target.
    pub async fn target_in(&self, rule: &str, states: &[&str]) -> Value {
        eventually(
            &format!("target of {rule} in {states:?}"),
            Duration::from_secs(20),
            || async {
                let target = self.target(rule).await?;
                states
                    .contains(&target["state"].as_str()?)
                    .then_some(target)
            },
        )
        .await
    }

    /// Waits until the target of a rule is in this state and says this of it.
    pub async fn target_that_says(&self, rule: &str, state: &str, reason: &str) {
        eventually(
            &format!("target of {rule} {state}: {reason}"),
            Duration::from_secs(20),
            || async {
                let target = self.target(rule).await?;
                (target["state"] == state && target["reason"] == reason).then_some(())
            },
        )
        .await;
    }

    /// The status of an answer, where there is one.
    pub async fn status(&self, path: &str) -> Option<StatusCode> {
        let answer = self
            .client
            .get(format!("http://{}{path}", self.http))
            .send()
            .await
            .ok()?;
        Some(answer.status())
    }

    /// Runs one of the commands that talk to this gateway, while targets in this process go on.
    pub async fn run(&self, site: &Site, arguments: &[&str]) -> Output {
        let mut command = command(arguments);
        command
            .arg("--http")
            .arg(self.http.to_string())
            .arg("--config")
            .arg(site.configuration_file())
            .arg("--data")
            .arg(site.data());
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        output
            .expect("it comes back")
            .expect("the gateway's binary runs")
    }

    /// Ends it as a crash of the machine's would.
    pub fn kill_9(mut self) {
        self.program.kill();
    }

    /// Asks it to drain.
    pub fn sigterm(&self) {
        self.program.signal("TERM");
    }

    /// Has it read its configuration again.
    pub fn sighup(&self) {
        self.program.signal("HUP");
    }

    /// Waits until it has ended by itself; all its output.
    pub async fn wait(mut self, within: Duration) -> (ExitStatus, String) {
        let status = self.program.wait(within).await;
        (status, self.program.output())
    }
}

/// A listing's rows: the answer is an array, or an object that holds one.
fn rows((status, answer): (StatusCode, Value)) -> Vec<Value> {
    assert_eq!(status, StatusCode::OK, "{answer}");
    match answer {
        Value::Array(rows) => rows,
        Value::Object(members) => members
            .into_values()
            .find_map(|value| value.as_array().cloned())
            .expect("a listing holds an array"),
        other => panic!("not a listing: {other}"),
    }
}

/// A file's path as an argument.
pub fn argument(path: &Path) -> String {
    path.display().to_string()
}
