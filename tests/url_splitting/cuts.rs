//! Where a URL is cut, and what is none.

use super::parse;
use aqueduct::rule::{NAME_BYTES_MAX, Scheme, TargetUrl, UrlError};

/// What platforms hand out, with invented keys.
#[test]
fn platforms_urls_are_cut_where_their_servers_expect_it() {
    for (url, app, name, port) in [
        (
            "rtmp://a.rtmp.youtube.com/live2/ab12-cd34",
            "live2",
            "ab12-cd34",
            1935,
        ),
        (
            "rtmps://a.rtmps.youtube.com:443/live2/ab12-cd34",
            "live2",
            "ab12-cd34",
            443,
        ),
        (
            "rtmp://b.rtmp.youtube.com/live2?backup=1/ab12-cd34",
            "live2?backup=1",
            "ab12-cd34",
            1935,
        ),
        (
            "rtmp://live-fra.twitch.tv/app/live_1_x?bandwidthtest=true",
            "app",
            "live_1_x?bandwidthtest=true",
            1935,
        ),
        (
            "rtmps://1a2b.global-contribute.live-video.net:443/app/sk_us-west-2_x",
            "app",
            "sk_us-west-2_x",
            443,
        ),
        (
            "rtmps://live-api-s.facebook.com:443/rtmp/FB-123-0-Ab?s_bl=1&s_psm=1&s_sw=0&a=Ab/c+d=",
            "rtmp",
            "FB-123-0-Ab?s_bl=1&s_psm=1&s_sw=0&a=Ab/c+d=",
            443,
        ),
        (
            "rtmps://live-upload.instagram.com:443/rtmp/17_x?s_bl=1&s_l=ab&a=cd",
            "rtmp",
            "17_x?s_bl=1&s_l=ab&a=cd",
            443,
        ),
        (
            "rtmp://global-live.mux.com:5222/app/0f-1e",
            "app",
            "0f-1e",
            5222,
        ),
        ("rtmp://de.pscp.tv:80/x/abc", "x", "abc", 80),
        ("rtmps://de.pscp.tv/x/abc", "x", "abc", 443),
        (
            "rtmp://live-push.bilivideo.com/live-bvc/?streamname=live_1_2&key=ab&schedule=rtmp&pflag=2",
            "live-bvc",
            "?streamname=live_1_2&key=ab&schedule=rtmp&pflag=2",
            1935,
        ),
        (
            "rtmp://push.example.com/app/s?auth_key=1622194197-0-0-f6/x",
            "app",
            "s?auth_key=1622194197-0-0-f6/x",
            1935,
        ),
        (
            "rtmp://push.example.com/live/123?txSecret=3f&txTime=5C",
            "live",
            "123?txSecret=3f&txTime=5C",
            1935,
        ),
        (
            "rtmps://live.cloudflare.com:443/live/0123k4567",
            "live",
            "0123k4567",
            443,
        ),
        (
            "rtmp://stream.example/third/stream-1?expire=9&sign=ab",
            "third",
            "stream-1?expire=9&sign=ab",
            1935,
        ),
    ] {
        let cut = parse(url);
        assert_eq!(
            (cut.app(), cut.name(), cut.port_or_default()),
            (app, name, port),
            "{url}"
        );
        assert_eq!(cut.expose(), url);
    }
}

#[test]
fn the_cut_follows_three_rules() {
    for (path, app, name) in [
        // A slash before the query: the last one of them.
        ("a/b/key?t=x/y", "a/b", "key?t=x/y"),
        ("a/b/c/key", "a/b/c", "key"),
        ("a/?b/c", "a", "?b/c"),
        ("a//key", "a/", "key"),
        ("/a/key", "/a", "key"),
        // None before the query: the last one in it.
        ("a?b=1/key", "a?b=1", "key"),
        ("a?b=1/c/key", "a?b=1/c", "key"),
        ("a?b=1/key?c=2", "a?b=1", "key?c=2"),
        ("a?b=1/key?c=2/d", "a?b=1/key?c=2", "d"),
        ("a?/key", "a?", "key"),
        // Nothing is decoded, encoded or dropped.
        ("a%2Fb/k%20y%", "a%2Fb", "k%20y%"),
        ("app/key#part", "app", "key#part"),
        ("app#part/key", "app#part", "key"),
        ("app/key@x:1", "app", "key@x:1"),
        (
            "app/kéy+&=;,'\"<>\\|^`{}[]",
            "app",
            "kéy+&=;,'\"<>\\|^`{}[]",
        ),
        ("app/key?", "app", "key?"),
        ("app/..", "app", ".."),
    ] {
        let cut = parse(&format!("rtmp://h/{path}"));
        assert_eq!((cut.app(), cut.name()), (app, name), "{path}");
    }
}

#[test]
fn host_and_port_are_read_as_written() {
    for (url, scheme, host, port, tc_url) in [
        ("rtmp://h/a/k", Scheme::Rtmp, "h", None, "rtmp://h/a"),
        (
            "RTMP://H.Example/a/k",
            Scheme::Rtmp,
            "H.Example",
            None,
            "rtmp://H.Example/a",
        ),
        (
            "rtmpS://h:443/a/k",
            Scheme::Rtmps,
            "h",
            Some(443),
            "rtmps://h:443/a",
        ),
        (
            "rtmp://10.0.0.1:1936/a/k",
            Scheme::Rtmp,
            "10.0.0.1",
            Some(1936),
            "rtmp://10.0.0.1:1936/a",
        ),
        (
            "rtmp://[2001:db8::1]/a/k",
            Scheme::Rtmp,
            "2001:db8::1",
            None,
            "rtmp://[2001:db8::1]/a",
        ),
        (
            "rtmp://[::1]:80/a/k",
            Scheme::Rtmp,
            "::1",
            Some(80),
            "rtmp://[::1]:80/a",
        ),
        (
            "rtmp://u:p@h/a?x=1/k",
            Scheme::Rtmp,
            "h",
            None,
            "rtmp://h/a?x=1",
        ),
        ("rtmp://h./a/b/k", Scheme::Rtmp, "h.", None, "rtmp://h./a/b"),
    ] {
        let cut = parse(url);
        assert_eq!(
            (cut.scheme(), cut.host(), cut.port()),
            (scheme, host, port),
            "{url}"
        );
        assert_eq!(cut.tc_url(), tc_url, "{url}");
    }
    assert_eq!(parse("rtmp://h/a/k").port_or_default(), 1935);
    assert_eq!(parse("rtmps://h/a/k").port_or_default(), 443);
}

#[test]
fn user_info_becomes_credentials_and_leaves_the_url() {
    for (info, user, password) in [
        ("bob:pw", "bob", "pw"),
        ("bob", "bob", ""),
        ("bob:", "bob", ""),
        ("bob:p:w", "bob", "p:w"),
        ("b@ob:p@w", "b@ob", "p@w"),
        ("b%40b:p%2Fw%3F", "b@b", "p/w?"),
        ("bob:100%", "bob", "100%"),
        ("bob:%ff", "bob", "%ff"),
    ] {
        let cut = parse(&format!("rtmp://{info}@h:1/app/key"));
        let (given_user, given_password) = cut.credentials().unwrap();
        assert_eq!(
            (given_user, given_password.expose()),
            (user, password),
            "{info}"
        );
        assert_eq!(cut.tc_url(), "rtmp://h:1/app");
    }
    assert!(parse("rtmp://h/app/k@x").credentials().is_none());
}

#[test]
fn what_is_no_target_is_refused_by_name() {
    for (url, error) in [
        ("", UrlError::Scheme),
        ("h/app/key", UrlError::Scheme),
        ("http://h/app/key", UrlError::Scheme),
        ("rtmpt://h/app/key", UrlError::Scheme),
        ("rtmp:/h/app/key", UrlError::Scheme),
        ("rtmp://", UrlError::Host),
        ("rtmp:///app/key", UrlError::Host),
        ("rtmp://:1935/app/key", UrlError::Host),
        ("rtmp://hö/app/key", UrlError::Host),
        ("rtmp://h%41/app/key", UrlError::Host),
        ("rtmp://::1/app/key", UrlError::Host),
        ("rtmp://[::1/app/key", UrlError::Host),
        ("rtmp://[::1]x/app/key", UrlError::Host),
        ("rtmp://[1.2.3.4]/app/key", UrlError::Host),
        ("rtmp://[fe80::1%eth0]/app/key", UrlError::Host),
        ("rtmp://h:/app/key", UrlError::Port),
        ("rtmp://h:0/app/key", UrlError::Port),
        ("rtmp://h:65536/app/key", UrlError::Port),
        ("rtmp://h:+80/app/key", UrlError::Port),
        ("rtmp://h:x/app/key", UrlError::Port),
        ("rtmp://@h/app/key", UrlError::User),
        ("rtmp://:pw@h/app/key", UrlError::User),
        ("rtmp://h", UrlError::MissingApp),
        ("rtmp://h/", UrlError::MissingApp),
        ("rtmp://h?a/b", UrlError::MissingApp),
        ("rtmp://h#a/b", UrlError::MissingApp),
        ("rtmp://h//key", UrlError::MissingApp),
        ("rtmp://h/?a=1/key", UrlError::MissingApp),
        ("rtmp://h/app", UrlError::MissingName),
        ("rtmp://h/app/", UrlError::MissingName),
        ("rtmp://h/app/b/", UrlError::MissingName),
        ("rtmp://h/app?a=1", UrlError::MissingName),
        ("rtmp://h/app?a=1/", UrlError::MissingName),
        ("rtmp://h/app/a key", UrlError::Blank(14)),
        (" rtmp://h/app/key", UrlError::Blank(0)),
        ("rtmp://h/app/key\n", UrlError::Blank(16)),
        ("rtmp://h/app/k\0", UrlError::Blank(14)),
        ("rtmp://h/app/k\u{a0}", UrlError::Blank(14)),
    ] {
        assert_eq!(
            TargetUrl::parse(url).map(|cut| cut.expose().to_owned()),
            Err(error),
            "{url:?}"
        );
    }
}

#[test]
fn lengths_are_bounded() {
    let named = |bytes: usize| TargetUrl::parse(&format!("rtmp://h/app/{}", "k".repeat(bytes)));
    assert!(named(NAME_BYTES_MAX).is_ok());
    assert_eq!(
        named(NAME_BYTES_MAX + 1).err(),
        Some(UrlError::NameTooLong(NAME_BYTES_MAX + 1))
    );
    assert_eq!(named(5000).err(), Some(UrlError::TooLong(5013)));
    let app = |bytes: usize| TargetUrl::parse(&format!("rtmp://h/{}/k", "a".repeat(bytes)));
    assert!(app(1024).is_ok());
    assert_eq!(app(1025).err(), Some(UrlError::AppTooLong(1025)));
    let host = |bytes: usize| TargetUrl::parse(&format!("rtmp://{}/a/k", "h".repeat(bytes)));
    assert!(host(253).is_ok());
    assert_eq!(host(254).err(), Some(UrlError::Host));
}

#[test]
fn a_tc_url_is_a_place_whose_whole_path_is_the_app() {
    for (tc_url, app) in [
        ("rtmp://h/app", "app"),
        ("rtmp://h:1936/app/", "app"),
        ("rtmps://h/app/instance", "app/instance"),
        ("rtmp://h/app?token=a/b", "app?token=a/b"),
        ("rtmp://h/app/instance?token=a", "app/instance?token=a"),
    ] {
        let url = TargetUrl::at(tc_url, "name?key=x/y").unwrap();
        assert_eq!((url.app(), url.name()), (app, "name?key=x/y"), "{tc_url}");
        assert_eq!(url.tc_url(), tc_url.trim_end_matches('/'));
    }
    for (tc_url, error) in [
        ("http://h/app", UrlError::Scheme),
        ("rtmp://h", UrlError::MissingApp),
        ("rtmp://h/", UrlError::MissingApp),
        ("rtmp:///app", UrlError::Host),
        ("/app", UrlError::Scheme),
        ("", UrlError::Scheme),
    ] {
        assert_eq!(TargetUrl::at(tc_url, "name").err(), Some(error), "{tc_url}");
    }
}
