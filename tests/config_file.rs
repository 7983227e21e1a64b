//! The configuration file: what it means, and what is said about a mistake in it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use aqueduct::config::{
    Arguments, Config, ConfigError, DuplicatePublisher, Gap, LogFormat, PublishAuth,
    rule_from_command_line,
};
use aqueduct::rule::{AppName, Origin, StreamKey, UrlTemplate};
use proptest::prelude::*;
use tempfile::TempDir;
use time::OffsetDateTime;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn load(&self, text: &str) -> Result<Config, ConfigError> {
        Config::load(Some(&self.write("a.toml", text)), [])
    }

    /// The one line about a mistake, without the file's directory.
    fn complaint(&self, text: &str) -> String {
        match self.load(text) {
            Ok(_) => panic!("accepted: {text}"),
            Err(error) => error
                .to_string()
                .replace(&format!("{}/", self.0.path().display()), ""),
        }
    }
}

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
fn a_mistake_is_one_line_with_file_line_column_and_key() {
    let files = Files::new();
    let rule = |rest: &str| format!("[[rules]]\nurl = \"rtmp://h/app/KEY\"\n{rest}");
    for (text, complaint) in [
        (
            "[rtmp]\nlisten = \"x\"",
            "a.toml:2:10: rtmp.listen: expected an address and a port, such as 127.0.0.1:1935 or [::1]:1935",
        ),
        (
            "[rtmp]\nlisten = \"localhost:1935\"",
            "a.toml:2:10: rtmp.listen: expected an address and a port, such as 127.0.0.1:1935 or [::1]:1935",
        ),
        (
            "[rtmp]\n  listne = \"x\"",
            "a.toml:2:3: rtmp.listne: unknown key, expected one of listen, advertise, connections_per_address, connections_per_second_per_address, failed_auth_per_minute",
        ),
        (
            "[rtmp]\nconnections_per_address = 1000001",
            "a.toml:2:27: rtmp.connections_per_address: the number must be from 0 to 1000000",
        ),
        (
            "[rtmp]\nconnections_per_second_per_address = 10001",
            "a.toml:2:38: rtmp.connections_per_second_per_address: the number must be from 0 to 10000",
        ),
        (
            "é = 1",
            "a.toml:1:1: invalid unquoted key, expected letters, numbers, `-`, `_`",
        ),
        (
            "[relay]\ngrace_ms = \"1\"",
            "a.toml:2:12: relay.grace_ms: expected a whole number, found text",
        ),
        (
            "[relay]\ngrace_ms = -1",
            "a.toml:2:12: relay.grace_ms: the number must be from 0 to 18446744073709551615",
        ),
        (
            "[relay]\ngrace_ms = 1.5",
            "a.toml:2:12: relay.grace_ms: expected a whole number, found a fraction",
        ),
        (
            "[relay]\ngrace_ms = 99999999999999999999",
            "a.toml:2:12: relay.grace_ms: the number is out of range",
        ),
        (
            "[relay]\nflush_interval_ms = 501",
            "a.toml:2:21: relay.flush_interval_ms: the number must be from 0 to 500",
        ),
        (
            "[relay]\ngrace_ms = 3600001",
            "a.toml:2:12: relay.grace_ms: the number must be from 0 to 3600000",
        ),
        (
            "[relay]\ndrain_ms = 600001",
            "a.toml:2:12: relay.drain_ms: the number must be from 0 to 600000",
        ),
        (
            "[relay]\nduplicate_publisher = \"both\"",
            "a.toml:2:23: relay.duplicate_publisher: expected \"takeover\" or \"reject\"",
        ),
        (
            "[relay]\ngap = \"keep\"",
            "a.toml:2:7: relay.gap: expected \"compress\" or \"wall\"",
        ),
        (
            "[egress]\nchunk_size = 127",
            "a.toml:2:14: egress.chunk_size: the number must be from 128 to 65536",
        ),
        (
            "[egress]\nstarts_per_second = 0",
            "a.toml:2:21: egress.starts_per_second: the number must be from 1 to 10000",
        ),
        (
            "[egress]\nallow_private_addresses = 1",
            "a.toml:2:27: egress.allow_private_addresses: expected true or false, found a whole number",
        ),
        (
            "[log]\nlevel = \"loud\"",
            "a.toml:2:9: log.level: expected error, warn, info, debug, trace or off, or a filter such as info,aqueduct::egress=debug",
        ),
        (
            "[log]\nlevel = \"info,x=loud\"",
            "a.toml:2:9: log.level: expected error, warn, info, debug, trace or off, or a filter such as info,aqueduct::egress=debug",
        ),
        (
            "[store]\npath = \"\"",
            "a.toml:2:8: store.path: the path is empty",
        ),
        (
            "[http]\ntoken = \"a b\"",
            "a.toml:2:9: http.token: the token must be visible ASCII without spaces, and not empty",
        ),
        (
            "[http]\nallowed_hosts = [\"a\", \"http://b\"]",
            "a.toml:2:23: http.allowed_hosts[1]: expected a host name, with or without a port",
        ),
        (
            "[http]\nlisten = \"127.0.0.1:1935\"",
            "a.toml:2:10: http.listen: 127.0.0.1:1935 is taken by rtmp.listen",
        ),
        (
            "[rtmp]\nadvertise = \"rtmp://h/app\"",
            "a.toml:2:13: rtmp.advertise: expected rtmp://host[:port] or rtmps://host[:port]",
        ),
        (
            "[rtmps]\nlisten = \"127.0.0.1:1936\"",
            "a.toml:1:1: rtmps: the key certificate is missing",
        ),
        (
            "[https]\ncertificate = \"x\"\nprivate_key = \"x\"",
            "a.toml:1:1: https: the key listen is missing",
        ),
        (
            "rtmp = 1",
            "a.toml:1:8: rtmp: expected a table, found a whole number",
        ),
        (
            "[[rules]]\nurl = \"rtmp://h/a/KEY\"\nbackup_url = \"rtmp://h/KEY\"",
            "a.toml:3:14: rules[0].backup_url: the URL has no stream name or key after the app: it needs scheme://host/app/name",
        ),
        (
            "[[rules]]\nurl = \"rtmp://h/a/KEY\"\nbackup_url = \"rtmp://h/a/KEY\"",
            "a.toml:3:14: rules[0].backup_url: the backup URL is the rule's url itself",
        ),
        (
            "apps = []",
            "a.toml:1:8: apps: there must be from 1 to 1000 apps",
        ),
        (
            "[apps]\nname = \"live\"",
            "a.toml:1:1: apps: expected a list, found a table",
        ),
        (
            "[[apps]]\npublish_keys = []",
            "a.toml:1:1: apps[0]: the key name is missing",
        ),
        (
            "[[apps]]\nname = \"a b\"",
            "a.toml:2:8: apps[0].name: the app name has the character ' '; no spaces, control characters, or any of ? # * { }",
        ),
        (
            "[[apps]]\nname = \"a\"\n[[apps]]\nname = \"a\"",
            "a.toml:4:8: apps[1].name: there are two apps of the name a",
        ),
        (
            "[[apps]]\nname = \"a\"\npublish_keys = \"KEY\"",
            "a.toml:3:16: apps[0].publish_keys: expected a list, found text",
        ),
        (
            "[[apps]]\nname = \"a\"\npublish_keys = [\"b\",\n 1]",
            "a.toml:4:2: apps[0].publish_keys[1]: expected text in quotes, found a whole number",
        ),
        (
            "[[apps]]\nname = \"a\"\npublish_keys = [\"KEY&x\"]",
            "a.toml:3:17: apps[0].publish_keys[0]: a key has 1 to 512 bytes, and no spaces, control characters, & or #",
        ),
        (
            "[[apps]]\nname = \"a\"\npublish_auth = \"KEY\"",
            "a.toml:3:16: apps[0].publish_auth: expected \"key\", \"signed\", \"hook\" or \"none\"",
        ),
        (
            "[[apps]]\nname = \"a\"\npublish_auth = \"key\"",
            "a.toml:3:16: apps[0].publish_auth: \"key\" needs publish_keys",
        ),
        (
            "[[apps]]\nname = \"a\"\napp_id = 1",
            "a.toml:3:10: apps[0].app_id: app_id needs server_secret beside it",
        ),
        (
            "[[apps]]\nname = \"a\"\napp_id = 4294967296",
            "a.toml:3:10: apps[0].app_id: the number must be from 0 to 4294967295",
        ),
        (
            "[[apps]]\nname = \"a\"\nserver_secret = \"s\"",
            "a.toml:3:17: apps[0].server_secret: server_secret needs app_id beside it",
        ),
        (
            "[[apps]]\nname = \"a\"\napp_id = 1\nserver_secret = \"s\"\n[[apps]]\nname = \"b\"\napp_id = 1\nserver_secret = \"s\"",
            "a.toml:7:10: apps[1].app_id: another app has the same app_id",
        ),
        (
            "[[rules]]\nstream = \"a\"",
            "a.toml:1:1: rules[0]: the key url is missing",
        ),
        (
            "[[rules]]\nurl = \"http://h/KEY\"",
            "a.toml:2:7: rules[0].url: the URL must begin with rtmp:// or rtmps://",
        ),
        (
            "[[rules]]\nurl = \"rtmp://h/{stream}/KEY\"",
            "a.toml:2:7: rules[0].url: {app} and {stream} may stand after the app only, in scheme://host/app/name",
        ),
        (
            &rule("app = \"other\""),
            "a.toml:3:7: rules[0].app: there is no app other",
        ),
        (
            &rule("chunk_size = 65537"),
            "a.toml:3:14: rules[0].chunk_size: the number must be from 128 to 65536",
        ),
        (
            &rule("stream = \"\""),
            "a.toml:3:10: rules[0].stream: the stream name is empty",
        ),
        (
            &rule(&rule("")),
            "a.toml:3:1: rules[1]: an earlier rule has the same app, stream and url",
        ),
        ("\n[rtmp\n", "a.toml:2:6: unclosed table, expected `]`"),
        ("a = 1\na = 2", "a.toml:2:1: duplicate key"),
    ] {
        assert_eq!(files.complaint(text), complaint, "{text}");
    }
    let stop_at = files.complaint(&rule("stop_at = \"KEY\""));
    assert!(
        stop_at.starts_with("a.toml:3:11: rules[0].stop_at: ") && !stop_at.contains("KEY"),
        "{stop_at}"
    );
}

#[test]
fn a_broken_file_shows_no_secret() {
    let files = Files::new();
    for text in [
        "[http]\ntoken = canary7key",
        "[http]\ntoken = \"canary7key",
        "[http]\ntoken = \"canary7key\\q\"",
        "[http]\ntoken = 'canary7key",
        "[http]\ntoken canary7key",
        "[http]\ntoken = \"canary7key\" x",
        "[http]\ntoken = [\"canary7key\"]",
        "[http]\ntoken = { canary7key = 1 }",
        "[http]\nallowed_hosts = \"canary7key\"",
        "[[apps]]\nname = \"live\"\npublish_keys = [\"canary7key\", canary7key]",
        "[[apps]]\nname = \"live\"\npublish_auth = \"canary7key\"",
        "[[rules]]\nurl = \"rtmp://h/canary7key\"",
        "[[rules]]\nurl = [\"rtmp://h/canary7key\"]",
        "[relay]\nduplicate_publisher = \"canary7key\"",
        "[rtmp]\nlisten = \"canary7key\"",
    ] {
        let complaint = files.complaint(text);
        assert!(
            !complaint.contains("canary7key") && !complaint.contains('\n'),
            "{complaint}"
        );
        assert!(complaint.starts_with("a.toml:"), "{complaint}");
    }
}

#[test]
fn hooks_webhooks_and_signed_urls_say_what_they_lack() {
    let files = Files::new();
    let app = |keys: &str| format!("[[apps]]\nname = \"a\"\n{keys}");
    let webhook = |keys: &str| format!("[[webhooks]]\n{keys}");
    let url = "url = \"https://hooks.example/KEY\"\n";
    for (text, complaint) in [
        (
            app("publish_auth = \"signed\""),
            "a.toml:3:16: apps[0].publish_auth: \"signed\" needs sign_secret",
        ),
        (
            app("publish_auth = \"hook\""),
            "a.toml:3:16: apps[0].publish_auth: \"hook\" needs publish_hook",
        ),
        (
            app("sign_secret = \"\""),
            "a.toml:3:15: apps[0].sign_secret: the secret is empty",
        ),
        (
            app("publish_hook = \"ftp://h/KEY\""),
            "a.toml:3:16: apps[0].publish_hook: expected a URL that begins with http:// or https://",
        ),
        (
            webhook(&format!("{url}secret = \"\"")),
            "a.toml:3:10: webhooks[0].secret: the secret is empty",
        ),
        (
            webhook(&format!("{url}secret = \"KEY\"\napp = \"b\"")),
            "a.toml:4:7: webhooks[0].app: there is no app b",
        ),
    ] {
        assert_eq!(files.complaint(&text), complaint);
    }
    let unknown = webhook(&format!(
        "{url}secret = \"KEY\"\nevents = [\"stream.*\", \"x\"]"
    ));
    let complaint = files.complaint(&unknown);
    let start = "a.toml:4:23: webhooks[0].events[1]: expected a type of event";
    assert!(complaint.starts_with(start), "{complaint}");
}

#[test]
fn the_tencent_door_s_keys_belong_together() {
    let files = Files::new();
    for (keys, complaint) in [
        (
            "secret_id = \"a\"",
            "a.toml:3:13: apps[0].secret_id: secret_id needs secret_key beside it",
        ),
        (
            "secret_key = \"a\"",
            "a.toml:3:14: apps[0].secret_key: secret_key needs secret_id beside it",
        ),
        (
            "platform = \"a\"",
            "a.toml:3:12: apps[0].platform: platform needs secret_id beside it",
        ),
        (
            "events_url = \"http://h/a\"",
            "a.toml:3:14: apps[0].events_url: events_url needs secret_id beside it",
        ),
        (
            "secret_id = \"a/b\"\nsecret_key = \"a\"",
            "a.toml:3:13: apps[0].secret_id: expected 1 to 128 letters, digits, - and _",
        ),
        (
            "secret_id = \"a\"\nsecret_key = \"\"",
            "a.toml:4:14: apps[0].secret_key: the key is empty",
        ),
        (
            "secret_id = \"a\"\nsecret_key = \"b\"\n[[apps]]\nname = \"b\"\nsecret_id = \"a\"\nsecret_key = \"c\"",
            "a.toml:7:13: apps[1].secret_id: another app has the same secret_id",
        ),
    ] {
        let text = format!("[[apps]]\nname = \"a\"\n{keys}");
        assert_eq!(files.complaint(&text), complaint, "{keys}");
    }
}

#[test]
fn an_input_needs_a_source() {
    let files = Files::new();
    assert_eq!(
        files.complaint("[[inputs]]\nstream = \"cam\""),
        "a.toml:2:10: inputs[0].stream: the input needs url or files",
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let files = Files::new();
    let error = Config::load(Some(&files.0.path().join("none.toml")), [])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("none.toml: cannot read the configuration: No such file"),
        "{error}"
    );
    let odd = files.0.path().join("odd.toml");
    fs::write(&odd, [b'a', 0xff]).unwrap();
    let error = Config::load(Some(&odd), []).unwrap_err().to_string();
    assert!(
        error.contains("odd.toml: cannot read the configuration: invalid utf-8"),
        "{error}"
    );
    assert!(!error.contains('\n'));
}

#[test]
fn an_app_without_keys_is_open_on_loopback_only() {
    let files = Files::new();
    for (listen, app, is_fine) in [
        ("127.0.0.1:1935", "", true),
        ("127.9.9.9:1935", "", true),
        ("[::1]:1935", "", true),
        ("[::ffff:127.0.0.1]:1935", "", true),
        ("0.0.0.0:1935", "", false),
        ("[::]:1935", "", false),
        ("192.168.0.2:1935", "", false),
        ("[::ffff:10.0.0.1]:1935", "", false),
        ("0.0.0.0:1935", "publish_auth = \"none\"", true),
        ("0.0.0.0:1935", "publish_keys = [\"k\"]", true),
    ] {
        let text = format!("rtmp.listen = \"{listen}\"\n[[apps]]\nname = \"live\"\n{app}");
        assert_eq!(files.load(&text).is_ok(), is_fine, "{text}");
    }
    assert_eq!(
        files.complaint("rtmp.listen = \"0.0.0.0:1935\"\n[[apps]]\nname = \"a\"\npublish_keys = [\"k\"]\n[[apps]]\nname = \"b\""),
        "a.toml:5:1: apps[1].publish_auth: anybody who reaches 0.0.0.0:1935 could publish to the app b; set publish_keys, or \
         publish_auth = \"none\" if that is meant",
    );
    assert_eq!(
        files
            .complaint("rtmp.listen = \"0.0.0.0:1935\"")
            .split(';')
            .next(),
        Some(
            "a.toml: apps[0].publish_auth: anybody who reaches 0.0.0.0:1935 could publish to the app live"
        ),
    );
}

#[test]
fn the_command_line_wins_and_its_mistakes_bear_its_name() {
    let files = Files::new();
    let path = files.write(
        "a.toml",
        "rtmp.listen = \"0.0.0.0:1935\"\nhttp.listen = \"bad\"",
    );
    let arguments = Arguments {
        rtmp: Some("127.0.0.1:0".to_owned()),
        http: Some("127.0.0.1:1".to_owned()),
        data: Some("/d".to_owned()),
    };
    let environment = [("AQUEDUCT_HTTP__LISTEN".to_owned(), "127.0.0.1:2".to_owned())];
    let config = Config::load_with(Some(&path), environment, &arguments).unwrap();
    assert_eq!(
        (config.rtmp.listen.port(), config.http.listen.port()),
        (0, 1)
    );
    assert_eq!(config.store.path, Path::new("/d"));
    let complaint = |rtmp: &str| {
        let arguments = Arguments {
            rtmp: Some(rtmp.to_owned()),
            ..Arguments::default()
        };
        Config::load_with(None, [], &arguments)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        complaint("1935"),
        "--rtmp: rtmp.listen: expected an address and a port, such as 127.0.0.1:1935 or [::1]:1935"
    );
    assert!(
        complaint("0.0.0.0:1")
            .starts_with("apps[0].publish_auth: anybody who reaches 0.0.0.0:1 could publish")
    );
}

fn certificate(files: &Files, name: &str) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let certificate = files.write(&format!("{name}.crt"), &made.cert.pem());
    (
        certificate,
        files.write(&format!("{name}.key"), &made.signing_key.serialize_pem()),
    )
}

#[test]
fn certificates_are_tried_before_anything_starts() {
    let files = Files::new();
    let ((first, first_key), (_, second_key)) =
        (certificate(&files, "one"), certificate(&files, "two"));
    let garbage = files.write(
        "garbage.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let missing = files.0.path().join("missing.pem");
    let text = |certificate: &Path, key: &Path| {
        format!(
            "[rtmps]\nlisten = \"127.0.0.1:0\"\ncertificate = \"{}\"\nprivate_key = \"{}\"",
            certificate.display(),
            key.display()
        )
    };
    assert!(files.load(&text(&first, &first_key)).is_ok());
    for (certificate, key, complaint) in [
        (
            &first,
            &second_key,
            "a.toml:4:15: rtmps.private_key: two.key is not the key of one.crt",
        ),
        (
            &missing,
            &first_key,
            "a.toml:3:15: rtmps.certificate: cannot read missing.pem: No such file or directory (os error 2)",
        ),
        (
            &first,
            &missing,
            "a.toml:4:15: rtmps.private_key: cannot read missing.pem: No such file or directory (os error 2)",
        ),
        (
            &first_key,
            &first_key,
            "a.toml:3:15: rtmps.certificate: one.key holds no certificate in PEM",
        ),
        (
            &first,
            &first,
            "a.toml:4:15: rtmps.private_key: one.crt holds no private key in PEM",
        ),
        (
            &garbage,
            &first_key,
            "a.toml:3:15: rtmps.certificate: garbage.pem cannot be used: BadEncoding",
        ),
    ] {
        assert_eq!(files.complaint(&text(certificate, key)), complaint);
    }
    assert_eq!(
        files.complaint(&format!(
            "[egress]\nca_certificates = \"{}\"",
            missing.display()
        )),
        "a.toml:2:19: egress.ca_certificates: cannot read missing.pem: No such file or directory (os error 2)",
    );
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "[a-z\\[\\]{}=\"'.,#\n 0-9-]{0,60}") {
        let path = tempfile::NamedTempFile::new().unwrap();
        fs::write(&path, &text).unwrap();
        if let Err(error) = Config::load(Some(path.path()), []) {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }
}

#[test]
fn push_authentication_is_checked_and_its_keys_are_masked() {
    let files = Files::new();
    let key = "this scheme does not know the key";
    for (text, complaint) in [
        (
            "host = \"h\"\nkey = \"KEY\"",
            "cdn_auth[0]: the key scheme is missing",
        ),
        (
            "scheme = \"tencent\"\nkey = \"KEY\"",
            "cdn_auth[0]: the key host is missing",
        ),
        (
            "host = \"h:1935\"\nscheme = \"tencent\"\nkey = \"KEY\"",
            "cdn_auth[0].host: expected the host of a target's URL, such as push.example.com, without a port",
        ),
        (
            "host = \"h\"\nscheme = \"tencent\"",
            "cdn_auth[0].scheme: this scheme needs a key beside it",
        ),
        (
            "host = \"h\"\nscheme = \"none\"\nkey = \"KEY\"",
            &format!("cdn_auth[0].key: {key}"),
        ),
        (
            "host = \"h\"\nscheme = \"alibaba-a\"\nkey = \"KEY\"\nhex_case = \"upper\"",
            &format!("cdn_auth[0].hex_case: {key}"),
        ),
        (
            "host = \"h\"\nscheme = \"tencent\"\nkey = \"KEY\"\ntext = \"{key}\"",
            &format!("cdn_auth[0].text: {key}"),
        ),
        (
            "host = \"h\"\nscheme = \"tencent\"\nkey = \"KEY\"\nttl_seconds = 0",
            "cdn_auth[0].ttl_seconds: the number must be from 1 to 31622400",
        ),
        (
            "host = \"h\"\nscheme = \"wangsu\"\nkey = \"KEY\"\ntext = \"{time}{path}\"",
            "cdn_auth[0].text: it needs {key}",
        ),
        (
            "host = \"h\"\nscheme = \"wangsu\"\nkey = \"KEY\"\nquery = \"ws={key}\"",
            "cdn_auth[0].query: braces stand around hash and time only",
        ),
        (
            "host = \"h\"\nscheme = \"static-query\"\nkey = \"?KEY\"",
            "cdn_auth[0].key: a key has 1 to 1024 bytes and no spaces or control characters; a fixed query no ? or #",
        ),
        (
            "host = \"h\"\nscheme = \"none\"\n[[cdn_auth]]\nhost = \"H\"\nscheme = \"none\"",
            "cdn_auth[1].host: an earlier section has the same host",
        ),
    ] {
        let told = files.complaint(&format!("[[cdn_auth]]\n{text}"));
        assert!(
            told.starts_with("a.toml:") && told.ends_with(complaint),
            "{told}"
        );
    }
    let told = files.complaint("[[cdn_auth]]\nhost = \"h\"\nscheme = \"huawei-c\"\nkey = \"KEY\"");
    assert!(
        told.starts_with("a.toml:3:10: cdn_auth[0].scheme: "),
        "{told}"
    );
    assert!(!told.contains("KEY"), "{told}");

    let config = files.load(
        "[[cdn_auth]]\nhost = \"h\"\nscheme = \"huawei-d\"\nkey = \"KEY\"\nbackup_key = \"KEY\"\nttl_seconds = 60\n\
         [[cdn_auth]]\nhost = \"::1\"\nscheme = \"static-query\"\nkey = \"a=KEY&b=1\"\n\
         [[cdn_auth]]\nhost = \"ivs.example\"\nscheme = \"none\"",
    );
    let config = config.unwrap();
    assert!(!config.masked_toml().contains("KEY"));
    assert!(!format!("{config:?}").contains("KEY"));
    let auth = config.cdn_auth();
    assert_eq!(auth.of("H").unwrap().ttl_seconds, 60);
    assert!(auth.of("::1").is_some());
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
