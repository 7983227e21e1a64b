//! The environment and the command line: every key can be set, and a mistake bears the variable's name.

use std::fs;
use std::io::{Cursor, Read};

use aqueduct::config::{Config, RELAY_URLS_VARIABLE, read_url_lines, relay_urls};

fn load(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.toml");
    fs::write(&path, file.unwrap_or_default()).unwrap();
    Config::load(file.map(|_| path.as_path()), variables).map_err(|error| error.to_string())
}

#[test]
fn every_kind_of_value_can_be_set() {
    let config = load(
        Some("relay.grace_ms = 5\n[[apps]]\nname = \"a\"\npublish_keys = [\"x\", \"y\"]\n[[rules]]\napp = \"a\"\nurl = \"rtmp://h/a/k\""),
        &[
            ("AQUEDUCT_RELAY__GRACE_MS", "7"),
            ("AQUEDUCT_RELAY__DUPLICATE_PUBLISHER", "reject"),
            ("AQUEDUCT_EGRESS__ALLOW_PRIVATE_ADDRESSES", "true"),
            ("AQUEDUCT_RTMP__LISTEN", "0.0.0.0:1935"),
            ("AQUEDUCT_HTTP__TOKEN", "12345"),
            ("AQUEDUCT_HTTP__ALLOWED_HOSTS__0", "gw.example"),
            ("AQUEDUCT_LOG__LEVEL", "debug"),
            ("AQUEDUCT_APPS__0__PUBLISH_KEYS__1", "7"),
            ("AQUEDUCT_APPS__0__PUBLISH_KEYS__2", "z"),
            ("AQUEDUCT_APPS__0__APP_ID", "9"),
            ("AQUEDUCT_APPS__0__SERVER_SECRET", "true"),
            ("AQUEDUCT_APPS__1__NAME", "b"),
            ("AQUEDUCT_APPS__1__PUBLISH_AUTH", "none"),
            ("AQUEDUCT_RULES__0__ENABLED", "false"),
            ("AQUEDUCT_RULES__0__STOP_AT", "2030-01-01T00:00:00Z"),
            ("AQUEDUCT_RULES__1__APP", "b"),
            ("AQUEDUCT_RULES__1__URL", "rtmp://h/a/k2"),
        ],
    )
    .unwrap();
    assert_eq!(config.relay.grace_ms, 7);
    assert!(config.egress.allow_private_addresses);
    assert_eq!(config.http.token.unwrap().expose(), "12345");
    assert_eq!(config.http.allowed_hosts, ["gw.example"]);
    let keys: Vec<_> = config.apps[0]
        .publish_keys
        .iter()
        .map(|key| key.expose())
        .collect();
    assert_eq!(keys, ["x", "7", "z"]);
    assert_eq!(
        config.apps[0].server_secret.as_ref().unwrap().expose(),
        "true"
    );
    assert_eq!(config.apps[1].name.as_str(), "b");
    assert_eq!((config.rules.len(), config.rules[0].enabled), (2, false));
    assert!(config.rules[0].stop_at.is_some());
}

#[test]
fn the_default_app_gets_its_keys_without_a_file() {
    let variables = [
        ("AQUEDUCT_RTMP__LISTEN", "0.0.0.0:1935"),
        ("AQUEDUCT_APPS__0__PUBLISH_KEYS__0", "k"),
    ];
    let config = load(None, &variables).unwrap();
    assert_eq!(config.apps[0].name.as_str(), "live");
    assert_eq!(config.apps[0].publish_keys.len(), 1);
    let error = load(None, &variables[..1]).unwrap_err();
    assert!(
        error.starts_with("apps[0].publish_auth: anybody who reaches 0.0.0.0:1935"),
        "{error}"
    );
}

#[test]
fn more_than_ten_items_keep_their_order() {
    let names: Vec<String> = (0..12)
        .rev()
        .map(|i| format!("AQUEDUCT_APPS__0__PUBLISH_KEYS__{i}"))
        .collect();
    let variables: Vec<(&str, &str)> = names
        .iter()
        .map(|name| (name.as_str(), name.rsplit("__").next().unwrap()))
        .collect();
    let config = load(None, &variables).unwrap();
    let keys: Vec<_> = config.apps[0]
        .publish_keys
        .iter()
        .map(|key| key.expose().to_owned())
        .collect();
    assert_eq!(keys, (0..12).map(|i| i.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_secret_comes_out_of_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (token, key) = (path("token", "tok\r\n\n"), path("key", " k"));
    let config = load(None, &[("AQUEDUCT_HTTP__TOKEN_FILE", &token)]).unwrap();
    assert_eq!(config.http.token.unwrap().expose(), "tok");
    let error = load(None, &[("AQUEDUCT_APPS__0__PUBLISH_KEYS__0_FILE", &key)]).unwrap_err();
    assert!(
        error.starts_with(
            "AQUEDUCT_APPS__0__PUBLISH_KEYS__0_FILE: apps[0].publish_keys[0]: a key has"
        ),
        "{error}"
    );
    let key = path("key", "k\n");
    let config = load(None, &[("AQUEDUCT_APPS__0__PUBLISH_KEYS__0_FILE", &key)]).unwrap();
    assert_eq!(config.apps[0].publish_keys[0].expose(), "k");

    let error = load(None, &[("AQUEDUCT_HTTP__TOKEN_FILE", "/nowhere/token")]).unwrap_err();
    assert!(
        error.starts_with(
            "AQUEDUCT_HTTP__TOKEN_FILE: http.token: cannot read /nowhere/token: No such"
        ),
        "{error}"
    );
    let big = path("big", &"x".repeat(70_000));
    let error = load(None, &[("AQUEDUCT_HTTP__TOKEN_FILE", &big)]).unwrap_err();
    assert!(error.contains("has more than 65536 bytes"), "{error}");
    let error = load(
        None,
        &[
            ("AQUEDUCT_HTTP__TOKEN_FILE", &token),
            ("AQUEDUCT_HTTP__TOKEN", "x"),
        ],
    )
    .unwrap_err();
    assert!(
        error.ends_with("http.token: AQUEDUCT_HTTP__TOKEN is set too; one of the two has to go"),
        "{error}"
    );
}

#[test]
fn a_mistake_names_its_variable_and_not_its_value() {
    for (name, text, complaint) in [
        (
            "AQUEDUCT_RELAY__GRACE_MS",
            "KEY",
            "relay.grace_ms: expected a whole number, found text",
        ),
        (
            "AQUEDUCT_RELAY__GRACE_MS",
            "-1",
            "relay.grace_ms: the number must be from 0 to 18446744073709551615",
        ),
        (
            "AQUEDUCT_RELAY__FLUSH_INTERVAL_MS",
            "501",
            "relay.flush_interval_ms: the number must be from 0 to 500",
        ),
        (
            "AQUEDUCT_EGRESS__ALLOW_PRIVATE_ADDRESSES",
            "KEY",
            "egress.allow_private_addresses: expected true or false, found text",
        ),
        (
            "AQUEDUCT_RELAY__GRACE",
            "1",
            "relay.grace: unknown key, expected one of flush_interval_ms, grace_ms, gap, duplicate_publisher, kick_bar_ms, drain_ms",
        ),
        (
            "AQUEDUCT_HTTP__ALLOWED_HOSTS",
            "KEY",
            "http.allowed_hosts: expected a list, whose items are set one by one, __0 first, found text",
        ),
        (
            "AQUEDUCT_APPS__2__NAME",
            "a",
            "apps[2]: the list has 1 so far; items are counted from 0 and none is left out",
        ),
        (
            "AQUEDUCT_APPS__NAME",
            "a",
            "apps: this has no keys of its own",
        ),
        (
            "AQUEDUCT_RTMP__0",
            "a",
            "rtmp: expected a table, found a list",
        ),
        (
            "AQUEDUCT_APPS__0__EVENTS_URL",
            "KEY",
            "apps[0].events_url: expected a URL that begins with http:// or https://",
        ),
        (
            "AQUEDUCT_RULES__0__URL",
            "KEY",
            "rules[0].url: the URL must begin with rtmp:// or rtmps://",
        ),
        (
            "AQUEDUCT_APPS__0__PUBLISH_AUTH",
            "key",
            "apps[0].publish_auth: \"key\" needs publish_keys",
        ),
    ] {
        assert_eq!(
            load(None, &[(name, text)]).unwrap_err(),
            format!("{name}: {complaint}")
        );
    }
    let error = load(None, &[("AQUEDUCT_FOO__BAR", "KEY")]).unwrap_err();
    assert!(
        error.starts_with("AQUEDUCT_FOO__BAR: foo: unknown key, expected one of rtmp, rtmps, http"),
        "{error}"
    );
}

#[test]
fn variables_of_others_are_left_alone() {
    let variables = [
        ("AQUEDUCT_RELAY_URLS", "rtmp://h/app/k"),
        ("AQUEDUCT_SERVICE_HOST", "10.0.0.1"),
        ("AQUEDUCT_PORT_1935_TCP", "tcp://10.0.0.1:1935"),
        ("AQUEDUCT_CONFIG", "x"),
        ("AQUEDUCT_TOKEN_FILE", "x"),
        ("PATH__X", "x"),
    ];
    assert_eq!(load(None, &variables).unwrap(), Config::default());
}

#[test]
fn relay_urls_come_from_four_places_and_count_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("urls");
    fs::write(
        &file,
        "# two\n\n  rtmp://h/app/2  \nrtmp://h/app/{stream}\n",
    )
    .unwrap();
    let values = [
        "rtmp://h/app/1".to_owned(),
        format!("@{}", file.display()),
        "-".to_owned(),
    ];
    let urls = relay_urls(
        &values,
        Some(" rtmp://h/app/4\nrtmp://h/app/1 "),
        &mut Cursor::new("rtmp://h/app/3\r\n"),
    )
    .unwrap();
    let urls: Vec<_> = urls.iter().map(|url| url.expose()).collect();
    assert_eq!(
        urls,
        [
            "rtmp://h/app/1",
            "rtmp://h/app/2",
            "rtmp://h/app/{stream}",
            "rtmp://h/app/3",
            "rtmp://h/app/4"
        ]
    );
    assert!(
        relay_urls(&[], None, &mut std::io::empty())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_wrong_relay_url_is_told_by_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("urls");
    fs::write(&file, "\nrtmp://h/app/1\nrtmp://h/KEY\n").unwrap();
    let at_file = format!("@{}", file.display());
    let missing =
        "the URL has no stream name or key after the app: it needs scheme://host/app/name";
    let complaint = |values: &[&str], variable: Option<&str>| {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        relay_urls(&values, variable, &mut Cursor::new("rtmp://h/app/1\nKEY"))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        complaint(&["rtmp://h/KEY"], None),
        format!("--relay: {missing}")
    );
    assert_eq!(
        complaint(&[&at_file], None),
        format!("--relay {at_file}:3: {missing}")
    );
    assert_eq!(
        complaint(&["-"], None),
        "--relay -:2: the URL must begin with rtmp:// or rtmps://"
    );
    assert_eq!(
        complaint(&["-", "-"], None),
        "--relay -: standard input can be read only once"
    );
    assert_eq!(
        complaint(&["@/nowhere"], None),
        "--relay @/nowhere: cannot read the file: No such file or directory (os error 2)"
    );
    assert_eq!(
        complaint(&[], Some("rtmp://h/app/1 KEY")),
        format!("{RELAY_URLS_VARIABLE}, URL 2: the URL must begin with rtmp:// or rtmps://")
    );
}

#[test]
fn a_list_of_urls_is_bounded_and_not_empty() {
    let mut endless = std::io::repeat(b'x');
    let error = read_url_lines("URL", &["-".to_owned()], &mut endless)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "URL -: it has more than 4194304 bytes");
    let mut empty: &mut dyn Read = &mut std::io::empty();
    let error = read_url_lines("URL", &["-".to_owned()], &mut empty)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "URL -: there is no URL in it");
    let lines = read_url_lines("URL", &["rtmp://h/app/canary7key".to_owned()], &mut empty).unwrap();
    assert_eq!(lines[0].url.expose(), "rtmp://h/app/canary7key");
    assert!(!format!("{lines:?}").contains("canary7key"));
}
