//! The command line: mistakes cost one clear line and exit 2, a drain ends with 0.

// A failed step of the scenery is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::net::TcpListener;
use std::process::Output;
use std::time::Duration;

use common::gateway::{Site, argument, command, run};
use common::rml_publisher::RmlPublisher;
use common::target::{Behaviour, Target};
use common::{flv, media};

fn error_text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One line on standard error with all of these words, the exit code, and nothing started.
fn assert_refused(what: &str, output: &Output, code: i32, words: &[&str]) {
    let text = error_text(output);
    assert_eq!(output.status.code(), Some(code), "{what}: {text}");
    assert_eq!(
        text.trim_end().lines().count(),
        1,
        "{what}: one line, not\n{text}"
    );
    for word in words {
        assert!(text.contains(word), "{what}: {word:?} in {text}");
    }
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("rtmp://127.0.0.1"),
        "{what}: nothing is started"
    );
}

fn serve_with(configuration: &str) -> (Site, Output) {
    let site = Site::with_configuration(configuration);
    let output = site.run_serve();
    (site, output)
}

#[test]
fn mistakes_in_the_configuration_are_named_with_file_line_and_key() {
    let (_, output) =
        serve_with("[[rules]]\napp = \"live\"\nstream = \"*\"\nurl = \"http://host/app/key\"\n");
    assert_refused("a wrong URL", &output, 2, &["aqueduct.toml", "4", "url"]);

    let (site, output) = serve_with("[relay]\nflush_interval = 3\n");
    assert_refused(
        "an unknown key",
        &output,
        2,
        &["aqueduct.toml", "2", "flush_interval"],
    );
    assert!(
        !site.data().exists(),
        "nothing is started, so nothing is stored"
    );

    let certificate = "[rtmps]\nlisten = \"127.0.0.1:0\"\ncertificate = \"/no/such.pem\"\nprivate_key = \"/no/such.key\"\n";
    let (_, output) = serve_with(certificate);
    assert_refused(
        "an unreadable certificate",
        &output,
        2,
        &["/no/such.pem", "certificate"],
    );

    let (_, output) = serve_with("[[apps]]\nname = \"live\"\npublish_auth = \"key\"\n");
    assert_refused("key without keys", &output, 2, &["publish_keys"]);

    let (_, output) = serve_with("[rtmp]\nlisten = \n");
    assert_refused("not TOML", &output, 2, &["aqueduct.toml", "2"]);
}

#[tokio::test]
async fn without_a_command_it_serves() {
    let site = Site::with_configuration("")
        .env("AQUEDUCT_RTMP__LISTEN", "127.0.0.1:0")
        .env("AQUEDUCT_HTTP__LISTEN", "127.0.0.1:0");
    let gateway = site.start_bare().await;
    let token = site
        .data()
        .with_file_name("aqueduct-data")
        .join("http.token");
    assert!(
        token.exists(),
        "the data lies in the directory it was started in"
    );
    let mut publisher = RmlPublisher::publish(gateway.rtmp, "live", "cam")
        .await
        .unwrap();
    publisher
        .send_tags(&flv::read(&media::h264_aac(3, 1))[..20], 10.0)
        .await
        .unwrap();
}

#[test]
fn wrong_usage_is_exit_2() {
    assert_eq!(run(&["serve", "--no-such-flag"]).status.code(), Some(2));
    assert_eq!(run(&["no-such-command"]).status.code(), Some(2));
    assert_refused(
        "a missing file",
        &run(&["check", "--config", "/no/such.toml"]),
        2,
        &["/no/such.toml"],
    );
    let wrong_relay = run(&[
        "serve",
        "--rtmp",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--relay",
        "rtmp://only-a-host",
    ]);
    assert_refused("a relay without app and name", &wrong_relay, 2, &["relay"]);
}

#[test]
fn a_listener_beyond_loopback_wants_openness_said() {
    let site = Site::with_configuration("");
    let output = command(&[
        "serve",
        "--rtmp",
        "0.0.0.0:0",
        "--http",
        "127.0.0.1:0",
        "--data",
    ])
    .arg(site.data())
    .output()
    .unwrap();
    assert_refused("open beyond loopback", &output, 2, &["publish_auth"]);
}

#[test]
fn a_taken_port_is_exit_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let site = Site::with_configuration("");
    for (rtmp, http) in [
        (address.as_str(), "127.0.0.1:0"),
        ("127.0.0.1:0", address.as_str()),
    ] {
        let output = command(&[
            "serve",
            "--rtmp",
            rtmp,
            "--http",
            http,
            "--data",
            &argument(&site.data()),
        ])
        .output()
        .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", error_text(&output));
        assert!(
            error_text(&output).contains(&address),
            "{}",
            error_text(&output)
        );
    }
}

#[tokio::test]
async fn a_target_that_is_our_own_listener_is_refused() {
    let site = Site::new("", "[log]\nlevel = \"debug\"\n");
    let gateway = site.start().await;
    let looping = format!("rtmp://{}/live/{{stream}}_x", gateway.rtmp);
    let wish = serde_json::json!({"app": "live", "stream": "*", "url": looping});
    let (status, problem) = gateway
        .request(reqwest::Method::POST, "/v1/rules", Some(wish))
        .await;
    assert!(status.is_client_error(), "{status} {problem}");
    // By a name, it is found at the attempt.
    let by_name = format!("rtmp://localhost:{}/live/{{stream}}_x", gateway.rtmp.port());
    let wish = serde_json::json!({"app": "live", "stream": "*", "url": by_name});
    let (status, rule) = gateway
        .request(reqwest::Method::POST, "/v1/rules", Some(wish))
        .await;
    let _publisher = RmlPublisher::stream(gateway.rtmp, "cam", 3, 2.0).await;
    if status.is_success() {
        let target = gateway
            .target_in(rule["id"].as_str().unwrap(), &["failed", "backing_off"])
            .await;
        assert!(
            target["reason"]
                .as_str()
                .unwrap()
                .contains("a listener of this gateway"),
            "{target:#}"
        );
    }
    let streams = gateway.text("/v1/streams").await;
    assert!(
        streams.contains("cam") && !streams.contains("cam_x"),
        "{streams}"
    );
}

#[tokio::test]
async fn sigterm_drains_and_exits_0() {
    let target = Target::start(Behaviour::Records).await;
    let gateway = Site::new("", "")
        .start_with(&["--relay", &target.url("app/key")])
        .await;
    let _publisher = RmlPublisher::stream(gateway.rtmp, "cam", 3, 4.0).await;
    target
        .visit("the push runs", Duration::from_secs(10), |visit| {
            visit.arrivals.len() > 20
        })
        .await;
    gateway.sigterm();
    let (status, output) = gateway.wait(Duration::from_secs(15)).await;
    assert_eq!(status.code(), Some(0), "{output}");
    let visit = target.visits().remove(0);
    visit.assert_goodbye();
}
