//! Keys that belong together, and what else has to be there.

use std::path::Path;

use super::{Files, certificate};

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
