//! A mistake is one line with its place, and without a secret.

use std::fs;
use std::path::Path;

use super::Files;
use aqueduct::config::{Arguments, Config};
use proptest::prelude::*;

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
