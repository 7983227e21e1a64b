//! Help, wrong usage, `check`, `completions` and `man`: what works without a gateway.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{Command, Output};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_aqueduct"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [
        &["nothing"][..],
        &["serve", "--nothing"],
        &["rules"],
        &["rules", "remove"],
        &["rules", "add"],
        &["check", "--config", "/no/such/file.toml"],
        &["check", "extra"],
    ] {
        let output = run(arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn wrong_usage_does_not_repeat_a_key() {
    for arguments in [
        &["serve", "rtmp://h/app/CANARY"][..],
        &["serve", "--rely", "rtmp://h/app/CANARY"],
        &["rules", "rtmp://h/app/CANARY"],
        &["rtmp://h/app/CANARY"],
    ] {
        let output = run(arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            !text(&output.stderr).contains("CANARY"),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn help_teaches() {
    for (arguments, words) in [
        (
            &["--help"][..],
            &["serve", "preflight", "healthcheck", "A first relay"][..],
        ),
        (
            &["serve", "--help"],
            &["--relay", "AQUEDUCT_RELAY_URLS", "@FILE"],
        ),
        (
            &["rules", "add", "--help"],
            &["--stream", "@FILE", "{stream}", "--data"],
        ),
        (&["preflight", "--help"], &["--publish", "DNS", "Exit code"]),
        (&["--version"], &[env!("CARGO_PKG_VERSION")]),
    ] {
        let output = run(arguments, &[]);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let help = text(&output.stdout);
        assert!(
            words.iter().all(|word| help.contains(word)),
            "{arguments:?}:\n{help}"
        );
    }
}

#[test]
fn check_prints_the_effective_configuration_masked() {
    let secrets = [
        ("AQUEDUCT_APPS__0__PUBLISH_KEYS__0", "CANARY7KEY"),
        ("AQUEDUCT_RTMP__LISTEN", "127.0.0.1:2935"),
    ];
    let output = run(&["check"], &secrets);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(
        shown.contains("127.0.0.1:2935") && shown.contains("***") && !shown.contains("CANARY"),
        "{shown}"
    );
    let output = run(&["check", "--json"], &secrets);
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["rtmp"]["listen"], "127.0.0.1:2935");
    assert_eq!(shown["apps"][0]["publish_keys"][0], "***");
}

#[test]
fn check_names_the_place_of_a_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.toml");
    std::fs::write(&file, "[relay]\ngrace = 5\n").unwrap();
    let output = run(&["check", "--config", file.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(
        error.starts_with("aqueduct: ") && error.lines().count() == 1,
        "{error}"
    );
    assert!(
        error.contains("a.toml:2:") && error.contains("grace"),
        "{error}"
    );
}

#[test]
fn completions_and_manual_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell], &[]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("preflight"), "{shell}");
    }
    let output = run(&["man"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let page = text(&output.stdout);
    for section in [
        ".TH aqueduct 1",
        ".SH AQUEDUCT RULES ADD",
        ".SH AQUEDUCT SERVE",
        ".SS OPTIONS",
    ] {
        assert!(page.contains(section), "{section} in\n{page}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let program = env!("CARGO_BIN_EXE_aqueduct");
    let shell = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!(
            "{{ '{program}' man; echo code $? >&2; }} | head -c 1"
        ))
        .output()
        .unwrap();
    assert_eq!(text(&shell.stderr), "code 0\n");
}
