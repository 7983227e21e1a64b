//! Running the SDKs, which `./scripts/test` fetches.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

pub const SECRET_ID: &str = "AKIDexampleid0000000000000000000001";
pub const SECRET_KEY: &str = "exampleSecretKey0000000000000001";

/// A gateway whose app `live` has an account, and more.
pub fn configuration(more: &str) -> String {
    format!(
        "[[apps]]\nname = \"live\"\nsecret_id = \"{SECRET_ID}\"\nsecret_key = \"{SECRET_KEY}\"\nplatform = \"test\"\n{more}"
    )
}

/// Where a gateway is called.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub address: String,
    /// Empty for the SDK's own choice.
    pub protocol: &'static str,
    /// Whose certificates are trusted, as PEM.
    pub authority: Option<PathBuf>,
}

/// The vendor's clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    Python,
    Node,
    /// `tccli`, which speaks https only.
    CommandLine,
}

impl Sdk {
    /// Calls one action after the other; `$PROJECT` stands for the project that the last one made.
    pub async fn run(
        self,
        endpoint: &Endpoint,
        sign_method: &str,
        http_method: &str,
        steps: &[(&str, Value)],
    ) -> Vec<Value> {
        if self == Self::CommandLine {
            return by_command_line(endpoint, steps).await;
        }
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tencent_sdks");
        let mut command = match self {
            Self::Python => {
                let mut command = Command::new(fetched("venv/bin/python"));
                command.arg(here.join("call.py"));
                command
            }
            _ => {
                let mut command = Command::new("node");
                command.arg(here.join("call.js"));
                command
            }
        };
        command.args([
            &endpoint.address,
            endpoint.protocol,
            sign_method,
            http_method,
        ]);
        let (status, output, errors) =
            finish(command, endpoint, Some(&serde_json::json!(steps))).await;
        serde_json::from_str(&output)
            .unwrap_or_else(|_| panic!("{self:?} ended with {status}:\n{output}\n{errors}"))
    }
}

async fn by_command_line(endpoint: &Endpoint, steps: &[(&str, Value)]) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    let (mut project, mut results) = ("$PROJECT".to_owned(), Vec::new());
    for (action, parameters) in steps {
        let file = directory.path().join("parameters.json");
        std::fs::write(&file, parameters.to_string().replace("$PROJECT", &project)).unwrap();
        let mut command = Command::new(fetched("venv/bin/tccli"));
        command
            .args(["cme", action])
            .args(["--endpoint", &endpoint.address, "--region", "ap-guangzhou"])
            .args(["--secretId", SECRET_ID, "--secretKey", SECRET_KEY])
            .arg("--cli-input-json")
            .arg(format!("file://{}", file.display()))
            .env("HOME", directory.path());
        let (_, output, errors) = finish(command, endpoint, None).await;
        let result: Value = serde_json::from_str(&output).unwrap_or_else(|_| {
            let said = format!("{output}{errors}");
            let code = said
                .split("code:")
                .nth(1)
                .and_then(|rest| rest.split_whitespace().next());
            let code =
                code.unwrap_or_else(|| panic!("tccli says neither JSON nor a code:\n{said}"));
            serde_json::json!({"Error": {"Code": code}})
        });
        if let Some(id) = result["ProjectId"].as_str() {
            id.clone_into(&mut project);
        }
        results.push(result);
    }
    results
}

async fn finish(
    mut command: Command,
    endpoint: &Endpoint,
    input: Option<&Value>,
) -> (String, String, String) {
    if let Some(authority) = &endpoint.authority {
        let trust = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tencent_sdks/trust");
        command.env("PYTHONPATH", trust).env("AUTHORITY", authority);
        command.env("NODE_EXTRA_CA_CERTS", authority);
    }
    for name in [
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "all_proxy",
    ] {
        command.env_remove(name);
    }
    command
        .env("SECRET_ID", SECRET_ID)
        .env("SECRET_KEY", SECRET_KEY)
        .env("NODE_MODULES", fetched("node/node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let input = input.map(Value::to_string).unwrap_or_default();
    let running = tokio::task::spawn_blocking(move || {
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; ./scripts/test installs it"));
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    });
    let output = running.await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (
        output.status.to_string(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A file of the SDKs.
fn fetched(name: &str) -> PathBuf {
    let place = std::env::var_os("AQUEDUCT_TEST_TENCENT_SDKS");
    let place = place.expect("AQUEDUCT_TEST_TENCENT_SDKS says where the SDKs are; ./scripts/test fetches them and sets it");
    PathBuf::from(place).join(name)
}
