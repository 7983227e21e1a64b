//! The file that is shipped, and what a whole file comes to.

use std::fs;
use std::path::Path;

use super::{Files, certificate};
use aqueduct::config::{
    Config, DuplicatePublisher, Gap, LogFormat, PublishAuth, rule_from_command_line,
};
use aqueduct::rule::{AppName, Origin, StreamKey, UrlTemplate};
use time::OffsetDateTime;

fn shipped() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/aqueduct.toml")).unwrap()
}

#[test]
fn the_shipped_file_says_what_holds_without_it() {
    assert_eq!(Files::new().load(&shipped()).unwrap(), Config::default());
    assert_eq!(Config::load(None, []).unwrap(), Config::default());
}

#[test]
fn the_shipped_files_examples_are_good() {
    let files = Files::new();
    let (certificate, key) = certificate(&files, "gw");
    let shipped = shipped();
    let uncommented = shipped.lines().map(|line| {
        let is_example = line
            .strip_prefix('#')
            .is_some_and(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()));
        format!("{}\n", if is_example { &line[1..] } else { line })
    });
    let text: String = uncommented.collect();
    let text = text
        .replace("/etc/aqueduct/fullchain.pem", certificate.to_str().unwrap())
        .replace("/etc/aqueduct/roots.pem", certificate.to_str().unwrap())
        .replace("/etc/aqueduct/privkey.pem", key.to_str().unwrap())
        .replace("publish_keys = []", "publish_keys = [\"k\"]");
    let config = files.load(&text).unwrap();
    assert!(config.rtmps.is_some() && config.https.is_some() && config.http.token.is_some());
    assert_eq!(config.apps[0].app_id, Some(1_234_567_890));
    assert_eq!(config.rules[0].chunk_size, Some(4096));
    assert!(config.rules[0].stop_at.is_some() && config.rules[0].backup_url.is_some());
    assert!(config.egress.ca_certificates.is_some() && config.rtmp.advertise.is_some());
}

#[test]
fn every_key_reaches_its_place() {
    let config = Files::new()
        .load(
            r#"
            rtmp = { listen = "[::]:1936", connections_per_address = 0, connections_per_second_per_address = 7 }
            http = { listen = "127.0.0.1:0", token = "tok", allowed_hosts = ["gw.example", "[::1]:80"] }
            store.path = "/var/lib/aqueduct"
            [relay]
            flush_interval_ms = 0
            grace_ms = 1
            gap = "wall"
            duplicate_publisher = "reject"
            drain_ms = 2
            [egress]
            chunk_size = 8192
            allow_private_addresses = true
            starts_per_second = 7
            [log]
            format = "json"
            level = "info,aqueduct::egress=debug"
            [[apps]]
            name = "live"
            publish_keys = ["a", "b"]
            [[apps]]
            name = "open"
            publish_auth = "none"
            app_id = 4294967295
            server_secret = "any text"
            [[rules]]
            stream = "cam*"
            url = "rtmps://h/app/{stream}"
            backup_url = "rtmps://b/app/{stream}"
            enabled = false
            stop_at = 2030-01-01T00:00:00Z
            chunk_size = 128
            strict_interleave = true
            digest_handshake = true
            "#,
        )
        .unwrap();
    assert_eq!(config.rtmp.listen.to_string(), "[::]:1936");
    assert_eq!(
        (
            config.rtmp.connections_per_address,
            config.rtmp.connections_per_second_per_address
        ),
        (0, 7)
    );
    assert_eq!(config.http.token.as_ref().unwrap().expose(), "tok");
    assert_eq!(config.http.allowed_hosts.len(), 2);
    assert_eq!(config.store.path, Path::new("/var/lib/aqueduct"));
    assert_eq!(
        (
            config.relay.flush_interval_ms,
            config.relay.grace_ms,
            config.relay.drain_ms
        ),
        (0, 1, 2)
    );
    assert_eq!(config.relay.duplicate_publisher, DuplicatePublisher::Reject);
    assert_eq!(config.relay.gap, Gap::Wall);
    assert_eq!(
        (config.egress.chunk_size, config.egress.starts_per_second),
        (8192, 7)
    );
    assert!(config.egress.allow_private_addresses);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.apps[0].auth(), PublishAuth::Key);
    assert_eq!(config.apps[1].auth(), PublishAuth::None);
    assert_eq!(config.apps[1].app_id, Some(u32::MAX));
    assert_eq!(
        (config.rules[0].app.as_str(), config.rules[0].enabled),
        ("live", false)
    );
    assert_eq!(config.rules[0].stop_at.unwrap().year(), 2030);
    let rule = &config.relay_rules(OffsetDateTime::UNIX_EPOCH)[0];
    assert_eq!(
        rule.backup_url.as_ref().unwrap().expose(),
        "rtmps://b/app/{stream}"
    );
    assert_eq!((rule.enabled, rule.chunk_size), (false, Some(128)));
    assert!(rule.strict_interleave && rule.digest_handshake);
}

#[test]
fn what_check_prints_is_good_and_holds_no_secret() {
    const CANARY: &str = "canary7key";
    let files = Files::new();
    let config = files
        .load(&format!(
            "http.token = \"{CANARY}\"\n[[apps]]\nname = \"live\"\npublish_keys = [\"{CANARY}\"]\napp_id = 1\n\
             server_secret = \"{CANARY}\"\n[[rules]]\nurl = \"rtmp://u:{CANARY}@h/app/{CANARY}?x={CANARY}\"\n\
             backup_url = \"rtmp://b/app/{CANARY}\"\nstop_at = 2030-01-01T00:00:00Z"
        ))
        .unwrap();
    let printed = config.masked_toml();
    assert!(!printed.contains(CANARY), "{printed}");
    assert!(!format!("{config:?}").contains(CANARY));
    assert!(
        printed.contains("publish_auth = \"key\"") && printed.contains("rtmp://h/app/***"),
        "{printed}"
    );
    assert!(
        printed.contains("backup_url = \"rtmp://b/app/***\""),
        "{printed}"
    );
    let again = files.load(&printed).unwrap();
    assert_eq!(again.masked_toml(), printed);
    assert_eq!(
        files
            .load(&Config::default().masked_toml())
            .unwrap()
            .masked_toml(),
        Config::default().masked_toml()
    );
}

#[test]
fn rules_of_the_file_keep_their_ids() {
    let files = Files::new();
    let text = "[[rules]]\nurl = \"rtmp://h/app/a\"\n[[rules]]\nstream = \"cam\"\nurl = \"rtmp://h/app/{stream}\"";
    let now = OffsetDateTime::UNIX_EPOCH;
    let rules = files.load(text).unwrap().relay_rules(now);
    let later = now + time::Duration::days(1);
    let again = files
        .load(&format!("{text}\nchunk_size = 4096"))
        .unwrap()
        .relay_rules(later);
    assert_eq!(rules.len(), 2);
    for (rule, again) in rules.iter().zip(&again) {
        assert_eq!(
            (&rule.id, rule.origin, rule.enabled),
            (&again.id, Origin::Config, true)
        );
    }
    assert!(rules[0].applies_to(&StreamKey::parse("live", "any").unwrap()));
    assert!(!rules[1].applies_to(&StreamKey::parse("live", "any").unwrap()));
    let given = rule_from_command_line(UrlTemplate::parse("rtmp://h/app/a").unwrap(), now);
    assert_eq!(
        (given.app, given.origin),
        (AppName::live(), Origin::CommandLine)
    );
    assert_ne!(given.id, rules[0].id);
}

/// What a scheme means where nothing but its key is said.
#[test]
fn a_token_of_each_scheme_has_the_time_that_its_vendor_means() {
    let files = Files::new();
    for (scheme, ttl_seconds) in [
        ("tencent", 86_400),
        ("huawei-b", 86_400),
        ("wangsu", 86_400),
        ("alibaba-a", 0),
        ("huawei-a", 0),
        ("huawei-d", 0),
        ("static-query", 0),
    ] {
        let text = format!("[[cdn_auth]]\nhost = \"h\"\nscheme = \"{scheme}\"\nkey = \"KEY\"");
        let config = files.load(&text).unwrap();
        assert_eq!(
            config.cdn_auth().of("h").unwrap().ttl_seconds,
            ttl_seconds,
            "{scheme}"
        );
    }
}
