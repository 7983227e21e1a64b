//! What schemathesis makes of `/openapi.json`, against a gateway that runs: no server error, and no answer that the description does
//! not know.
//!
//! `./scripts/test` installs schemathesis and says in `AQUEDUCT_TEST_SCHEMATHESIS` where it is. The number of examples is bounded and
//! nothing is drawn by chance, so that every run asks the same.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::gateway::Site;
use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// Longer than it takes on a busy machine, and shorter than the test runner's patience.
const PATIENCE: Duration = Duration::from_secs(160);

/// `positive_data_acceptance` is left out: that an app has to be configured, and that a URL has a host and an app, is no matter
/// of a schema, and a 422 says it.
const EXCLUDED: &str = "positive_data_acceptance";

fn schemathesis() -> OsString {
    let found = std::env::var_os("AQUEDUCT_TEST_SCHEMATHESIS");
    found.expect(
        "AQUEDUCT_TEST_SCHEMATHESIS names schemathesis; ./scripts/test installs it and sets it",
    )
}

#[tokio::test]
async fn every_answer_is_one_that_the_description_knows() {
    let site = Site::with_configuration("[http]\nfailed_auth_per_minute = 0\n");
    let gateway = site.start_with(&[]).await;
    let location = format!("http://{}/openapi.json", gateway.http);
    let authorization = format!("Authorization: Bearer {}", gateway.token);
    let folder = tempfile::tempdir().unwrap();
    let run = Command::new(schemathesis())
        .args(["run", &location, "--header", &authorization])
        .args(["--checks", "all", "--exclude-checks", EXCLUDED])
        .args(["--exclude-path", "/v1/events"])
        .args(["--max-examples", "10", "--generation-deterministic"])
        .args([
            "--continue-on-failure",
            "--no-color",
            "--request-timeout",
            "30",
        ])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PATIENCE, run).await.expect("it ends").unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(told.contains("Tested: "), "it has tested something: {told}");
}
