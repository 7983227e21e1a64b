//! What each parameter may be.

use crate::alone;
use crate::call::Call;

#[tokio::test]
async fn each_common_parameter() {
    let long = "n".repeat(64);
    let too_long = "n".repeat(65);
    let base64 = "Pc5WB8gokVn0xfeu/ZV+iNM1dgI=";
    for (name, value, expected) in [
        ("Action", Some("CreateCDNTransferRule"), 0),
        ("Action", Some(""), 100_000_006),
        ("Action", None, 100_000_006),
        ("Action", Some(" CreatCDNTransferRule"), 100_000_007),
        ("Action", Some("creatcdntransferrule"), 100_000_007),
        ("Action", Some("StartCDNTransferRule"), 100_000_007),
        ("AppId", None, 100_000_001),
        ("AppId", Some(""), 100_000_001),
        ("AppId", Some("0"), 100_000_001),
        ("AppId", Some("01234567890"), 100_000_001),
        ("AppId", Some("+1234567890"), 100_000_001),
        ("AppId", Some("-1"), 100_000_001),
        ("AppId", Some(" 1234567890"), 100_000_001),
        ("AppId", Some("1234567890 "), 100_000_001),
        ("AppId", Some("1234567890.0"), 100_000_001),
        ("AppId", Some("4294967296"), 100_000_001),
        ("AppId", Some("１２"), 100_000_001),
        ("AppId", Some("4294967295"), 100_000_010),
        ("AppId", Some("1"), 100_000_010),
        ("Timestamp", None, 100_000_002),
        ("Timestamp", Some(""), 100_000_002),
        ("Timestamp", Some("now"), 100_000_003),
        ("Timestamp", Some("1761955200.0"), 100_000_003),
        ("Timestamp", Some("0x69055000"), 100_000_003),
        ("Timestamp", Some(" 1761955200"), 100_000_003),
        ("Timestamp", Some("9223372036854775808"), 100_000_003),
        ("Timestamp", Some("9223372036854775807"), 100_000_004),
        ("Timestamp", Some("-9223372036854775808"), 100_000_004),
        ("Timestamp", Some("0"), 100_000_004),
        ("Timestamp", Some("1761955200000"), 100_000_004),
        ("Timestamp", Some("1761954600"), 0),
        ("Timestamp", Some("1761955800"), 0),
        ("Timestamp", Some("1761954599"), 100_000_004),
        ("Timestamp", Some("1761955801"), 100_000_004),
        ("SignatureNonce", None, 100_000_008),
        ("SignatureNonce", Some(""), 100_000_008),
        ("SignatureNonce", Some("a"), 0),
        ("SignatureNonce", Some("15215528852396"), 0),
        ("SignatureNonce", Some("流+ &=%"), 0),
        ("SignatureNonce", Some(&long), 0),
        ("SignatureNonce", Some(&too_long), 100_000_005),
        ("Signature", Some(""), 100_000_009),
        ("Signature", Some("0"), 100_000_005),
        ("Signature", Some(base64), 100_000_005),
        (
            "Signature",
            Some("79E5459C5A71113AE5A925BA6F92077A"),
            100_000_005,
        ),
        (
            "Signature",
            Some("79e5459c5a71113ae5a925ba6f92077a "),
            100_000_005,
        ),
        ("Signature", Some("79e5459c5a71113ae5a925ba6f92077a"), 0),
        ("SignatureVersion", None, 100_000_013),
        ("SignatureVersion", Some(""), 100_000_013),
        ("SignatureVersion", Some("2"), 100_000_014),
        ("SignatureVersion", Some("2.00"), 100_000_014),
        ("SignatureVersion", Some("1.0"), 100_000_014),
        ("IsTest", Some("false"), 0),
        ("IsTest", Some("False"), 0),
        ("IsTest", Some(""), 30_004),
        ("IsTest", Some("0"), 30_004),
        ("IsTest", Some("1"), 30_004),
        ("IsTest", Some("yes"), 30_004),
        ("IsTest", Some("no"), 30_004),
        ("IsTest", Some("true "), 30_004),
        ("IsTest", Some("null"), 30_004),
    ] {
        let call = match value {
            Some(value) => Call::new().with(name, value),
            None => Call::new().without(name),
        };
        assert_eq!(alone(&call).await, expected, "{name}={value:?}");
    }
}

#[tokio::test]
async fn each_parameter_of_a_relay() {
    let longest = "s".repeat(256);
    let too_long = "s".repeat(257);
    let longest_url = format!("rtmp://h/app/{}", "u".repeat(2048 - 13));
    let too_long_url = format!("{longest_url}u");
    for (name, value, expected) in [
        ("StreamId", None, 30_009),
        ("StreamId", Some(""), 30_009),
        ("StreamId", Some(longest.as_str()), 0),
        ("StreamId", Some(&too_long), 30_009),
        ("StreamId", Some("-_.~!@$^*()+=,;'`09AZaz"), 0),
        ("StreamId", Some("a b"), 30_009),
        ("StreamId", Some("a%b"), 30_009),
        ("StreamId", Some("a&b"), 30_009),
        ("StreamId", Some("a#b"), 30_009),
        ("StreamId", Some("a?b"), 30_009),
        ("StreamId", Some("a/b"), 30_009),
        ("StreamId", Some("a\\b"), 30_009),
        ("StreamId", Some("a:b"), 30_009),
        ("StreamId", Some("a<b"), 30_009),
        ("StreamId", Some("a>b"), 30_009),
        ("StreamId", Some("a\"b"), 30_009),
        ("StreamId", Some("a|b"), 30_009),
        ("StreamId", Some("a\0b"), 30_009),
        ("StreamId", Some("a\nb"), 30_009),
        ("StreamId", Some("é"), 30_009),
        ("StreamId", Some("zegotest-1234567890-rtc01"), 30_009),
        ("CDNUrl", None, 30_001),
        ("CDNUrl", Some(""), 30_001),
        ("CDNUrl", Some("rtmps://h/app/s"), 0),
        ("CDNUrl", Some("RTMP://H/app/s"), 0),
        ("CDNUrl", Some("rtmp://h:1936/app/s"), 0),
        ("CDNUrl", Some("rtmp://h/app/instance/s?a=b&c=d#e"), 0),
        ("CDNUrl", Some("rtmp://h/app/s/"), 0),
        ("CDNUrl", Some("rtmp://203.0.113.9/app/s"), 0),
        ("CDNUrl", Some("rtmp://[2001:470::1]:1936/app/s"), 0),
        ("CDNUrl", Some(&longest_url), 0),
        ("CDNUrl", Some(&too_long_url), 30_001),
        ("CDNUrl", Some("http://h/app/s"), 30_001),
        ("CDNUrl", Some("rtmpt://h/app/s"), 30_001),
        ("CDNUrl", Some("srt://h/app/s"), 30_001),
        ("CDNUrl", Some("//h/app/s"), 30_001),
        ("CDNUrl", Some("h/app/s"), 30_001),
        ("CDNUrl", Some("rtmp:/h/app/s"), 30_001),
        ("CDNUrl", Some("rtmp://"), 30_001),
        ("CDNUrl", Some("rtmp:///app/s"), 30_001),
        ("CDNUrl", Some("rtmp://h"), 30_001),
        ("CDNUrl", Some("rtmp://h/"), 30_001),
        ("CDNUrl", Some("rtmp://h/app"), 30_001),
        ("CDNUrl", Some("rtmp://h/app/"), 30_001),
        ("CDNUrl", Some("rtmp://h/app//"), 30_001),
        ("CDNUrl", Some("rtmp://h//s"), 30_001),
        ("CDNUrl", Some("rtmp://h/app?x=/s"), 30_001),
        ("CDNUrl", Some("rtmp://h/app#/s"), 30_001),
        ("CDNUrl", Some("rtmp://h:/app/s"), 30_001),
        ("CDNUrl", Some("rtmp://h:0/app/s"), 30_001),
        ("CDNUrl", Some("rtmp://h:65536/app/s"), 30_001),
        ("CDNUrl", Some("rtmp://h:rtmp/app/s"), 30_001),
        ("CDNUrl", Some("rtmp://u@h/app/s"), 30_001),
        ("CDNUrl", Some("rtmp://@h/app/s"), 30_001),
        ("CDNUrl", Some("rtmp://u:p@h/app/s"), 30_001),
        ("CDNUrl", Some(" rtmp://h/app/s"), 30_001),
        ("CDNUrl", Some("rtmp://h/app/s "), 30_001),
        ("CDNUrl", Some("rtmp://h/app/a b"), 30_001),
        ("CDNUrl", Some("rtmp://h/app/s\r\n"), 30_001),
        ("CDNUrl", Some("rtmp://refused.example/app/s"), 5004),
        ("CDNUrl", Some("RTMPS://refused.example:1935/app/s"), 5004),
        ("Sequence", None, 5005),
        ("Sequence", Some(""), 5005),
        ("Sequence", Some("0"), 0),
        ("Sequence", Some("18446744073709551615"), 0),
        ("Sequence", Some("18446744073709551616"), 5005),
        ("Sequence", Some("-1"), 5005),
        ("Sequence", Some("+1"), 5005),
        ("Sequence", Some("1.0"), 5005),
        ("Sequence", Some("1e3"), 5005),
        ("Sequence", Some("0x1"), 5005),
        ("Sequence", Some(" 1"), 5005),
        ("Sequence", Some("１"), 5005),
        ("Sequence", Some("seq"), 5005),
    ] {
        let call = match value {
            Some(value) => Call::new().with(name, value),
            None => Call::new().without(name),
        };
        assert_eq!(alone(&call).await, expected, "{name}={value:?}");
        // A deletion has other codes for an address; what may not be called may be deleted.
        let expected = match (name, expected) {
            ("CDNUrl", 30_001) => 5004,
            ("CDNUrl", 5004) => 0,
            (_, expected) => expected,
        };
        let deletion = call.clone().with("Action", "DeleteCDNTransferRule");
        assert_eq!(alone(&deletion).await, expected, "Delete {name}={value:?}");
        let expected = if name == "CDNUrl" { 0 } else { expected };
        let clear = call.with("Action", "ClearCDNTransferRule");
        assert_eq!(alone(&clear).await, expected, "Clear {name}={value:?}");
    }
}

#[tokio::test]
async fn names_of_the_test_environment() {
    for (stream, expected) in [
        ("zegotest-1234567890-test", 0),
        ("zegotest-1234567890--", 0),
        ("zegotest-1234567890-zegotest-1234567890-a", 0),
        ("zegotest-1234567890-", 30_009),
        ("zegotest-1234567890", 30_009),
        ("zegotest-01234567890-a", 30_009),
        ("zegotest-42-a", 30_009),
        ("zegotest--a", 30_009),
        ("ZEGOTEST-1234567890-a", 30_009),
        ("xzegotest-1234567890-a", 30_009),
        ("rtc01", 30_009),
    ] {
        for action in [
            "CreatCDNTransferRule",
            "DeleteCDNTransferRule",
            "ClearCDNTransferRule",
        ] {
            let call = Call::new()
                .with("Action", action)
                .with("StreamId", stream)
                .with("IsTest", "TrUe");
            assert_eq!(alone(&call).await, expected, "{action} {stream}");
        }
    }
    for is_test in [Some("false"), None] {
        for stream in ["zegotest-1234567890-a", "zegotest-42-a", "zegotest-"] {
            let mut call = Call::new().with("StreamId", stream);
            if let Some(is_test) = is_test {
                call = call.with("IsTest", is_test);
            }
            assert_eq!(alone(&call).await, 30_009, "{is_test:?} {stream}");
        }
    }
}
