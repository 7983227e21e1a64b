//! `aqueduct preflight` and `healthcheck`, and a gateway that is not to be found.

use super::{CANARY, Running, command, finish, free_address};
use aqueduct::control::Phase;
use serde_json::Value;

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
