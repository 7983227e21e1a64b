//! No key is shown.

use super::parse;
use aqueduct::rule::UrlTemplate;

#[test]
fn a_servers_echo_of_the_key_is_hidden() {
    let url = parse("rtmp://bob:hunter2@h/app/part-of-key/canary7key?token=canary8token&x=1");
    for (text, shown) in [
        (
            "stream canary7key?token=canary8token&x=1 refused",
            "stream *** refused",
        ),
        ("stream canary7key refused", "stream *** refused"),
        ("bad canary8token", "bad ***"),
        ("bad %63anary8token", "bad ***"),
        ("app/part-of-key", "app/***"),
        ("hunter2", "***"),
        ("x=1 is odd", "x=1 is odd"),
    ] {
        assert_eq!(url.mask_echo(text), shown);
    }
    assert_eq!(
        parse("rtmp://h/live2?backup=1/k").mask_echo("a k in live2"),
        "a *** in live2"
    );
}

#[test]
fn no_printing_of_a_url_shows_its_key() {
    const CANARY: &str = "canary7key";
    for url in [
        "rtmp://h/app/canary7key",
        "rtmp://h/app/canary7key/canary7key",
        "rtmp://h/app/?a=canary7key",
        "rtmp://h/app?canary7key/canary7key",
        "rtmps://canary7key:canary7key@h/app/x#canary7key",
    ] {
        let target = parse(url);
        let template = UrlTemplate::parse(url).unwrap();
        let printed = format!(
            "{target} {target:?} {} {template} {template:?} {}",
            target.masked(),
            template.masked()
        );
        assert!(!printed.contains(CANARY), "{printed}");
    }
    for bad in [
        "rtmp://h/canary7key",
        "canary7key",
        "rtmp://h:canary7key/a/b",
        "rtmp://h/canary7key {stream}",
    ] {
        let error = UrlTemplate::parse(bad).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(CANARY), "{bad}");
    }
}
