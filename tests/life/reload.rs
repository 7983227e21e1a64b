//! SIGHUP: the configuration is read again, and what did not change in it is not touched.

use super::common::eventually;
use super::common::gateway::{Gateway, Site};
use super::common::target::{Behaviour, Target};
use super::numbered::{Publishing, arrived, assert_nothing_lost, visit};
use std::time::Duration;

const RELOADS: usize = 100;

/// What the file says at the reload with that number: a rule that stays, and others that come, change and go.
fn configuration(number: usize, kept: &str, passing: &str) -> String {
    if number % 10 == 9 {
        return "[relay]\nno_such_key = 1\n".to_owned();
    }
    let mut text = format!(
        "[egress]\nallow_private_addresses = true\n\
         [rtmp]\nconnections_per_address = {}\n\
         [[apps]]\nname = \"live\"\n[[apps]]\nname = \"app{number}\"\n\
         [[rules]]\napp = \"live\"\nstream = \"cam\"\nurl = \"{kept}\"\n",
        1000 + number
    );
    if number.is_multiple_of(2) {
        text += &format!(
            "[[rules]]\napp = \"live\"\nstream = \"*\"\nurl = \"{passing}{}\"\n",
            number % 4
        );
    }
    text
}

/// How often it has said that it read its configuration, with success or not.
fn readings(gateway: &Gateway) -> usize {
    let output = gateway.output();
    let lines = output.lines();
    lines
        .filter(|line| {
            line.contains("configuration reloaded") || line.contains("configuration refused")
        })
        .count()
}

#[tokio::test]
async fn a_hundred_reloads_disturb_nothing_that_did_not_change() {
    let kept = Target::start(Behaviour::Records).await;
    let passing = Target::start(Behaviour::Records).await;
    let write = |site: &Site, number| {
        let text = configuration(
            number,
            &kept.url("app/configured"),
            &passing.url("app/passing"),
        );
        std::fs::write(site.configuration_file(), text).unwrap();
    };
    let site = Site::with_configuration("");
    write(&site, 1);
    let gateway = site
        .start_with(&["--relay", &kept.url("app/command-line")])
        .await;
    gateway.create_rule("cam", &kept.url("app/stored")).await;
    let publishing = Publishing::start(&gateway, 120).await;
    let names = ["configured", "command-line", "stored"];
    for name in names {
        arrived(&kept, name, 20).await;
    }
    for number in 1..=RELOADS {
        write(&site, number);
        gateway.sighup();
        eventually("it has read its file", Duration::from_secs(10), || async {
            (readings(&gateway) >= number).then_some(())
        })
        .await;
    }
    eventually(
        "the rule that changes was pushed",
        Duration::from_secs(10),
        || async {
            passing
                .visits()
                .iter()
                .any(|visit| !visit.arrivals.is_empty())
                .then_some(())
        },
    )
    .await;
    let before = visit(&kept, "stored").arrivals.len();
    for name in names {
        arrived(&kept, name, before + 20).await;
    }
    assert_eq!(readings(&gateway), RELOADS, "one reading for each signal");
    publishing.abort();
    for name in names {
        let visit = visit(&kept, name);
        assert_eq!(visit.end, None, "{name} goes on");
        assert_nothing_lost(name, &visit, &publishing.sent);
    }
}
