//! The ZEGO door, parameter by parameter: what each may be, and which of several mistakes is answered.

#![allow(clippy::unwrap_used, clippy::panic)]

mod doors;

use aqueduct::api::zego::{Environments, sign};
use aqueduct::secret::Secret;
use axum::body::Body;
use axum::http::{Method, Request};
use doors::zego::{APP_ID, NOW, SECRET};
use doors::{Answer, Gateway};
use serde_json::{Value, json};

const URL: &str = "rtmp://wsdemo.zego.im/livestream/rtc01";

/// A call that is right until something of it is changed, and is signed as it then stands.
#[derive(Clone)]
struct Call {
    method: Method,
    /// Decoded, in their order.
    query: Vec<(String, String)>,
    /// Put behind the query as it stands.
    tail: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
}

impl Call {
    fn new() -> Self {
        let query = [
            ("Action", "CreatCDNTransferRule"),
            ("StreamId", "rtc01"),
            ("CDNUrl", URL),
            ("Sequence", "1761955200001"),
            ("AppId", "1234567890"),
            ("SignatureNonce", "4fd24687296dd9f3"),
            ("Timestamp", "1761955200"),
            ("SignatureVersion", "2.0"),
        ];
        Self {
            method: Method::GET,
            query: query
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            tail: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        match self.query.iter_mut().find(|(found, _)| found == name) {
            Some((_, found)) => *found = value.to_owned(),
            None => self.query.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.query.retain(|(found, _)| found != name);
        self
    }

    /// As a POST with this body.
    fn posted(mut self, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        self.method = Method::POST;
        self.headers.push(("content-type", content_type));
        self.body = body.into();
        self
    }

    fn value(&self, name: &str) -> &str {
        let found = self.query.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }

    fn request(&self) -> Request<Body> {
        let signature = sign(
            APP_ID,
            self.value("SignatureNonce"),
            &Secret::new(SECRET),
            self.value("Timestamp"),
        );
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        if !self.query.iter().any(|(name, _)| name == "Signature") {
            query.append_pair("Signature", &signature);
        }
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(format!("/?{}{}", query.finish(), self.tail))
            .header("host", "localhost:8080");
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(self.body.clone())).unwrap()
    }
}

fn gateway() -> Gateway {
    let gateway = Gateway::new();
    gateway.clock.set_ms(NOW * 1000);
    gateway
}

async fn answered(gateway: &Gateway, call: &Call) -> Answer {
    gateway.send(call.request()).await
}

/// The code of an answer that has the form of all answers.
async fn code(gateway: &Gateway, call: &Call) -> u64 {
    let answer = answered(gateway, call).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(json.as_object().unwrap().len(), 4, "{json}");
    json["Code"].as_u64().unwrap()
}

/// The code under a clock and in a gateway of its own.
async fn alone(call: &Call) -> u64 {
    code(&gateway(), call).await
}

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

/// One mistake, its code, and what it changes: two that change the same cannot be made at once.
struct Mistake {
    code: u64,
    about: &'static str,
    make: fn(Call) -> Call,
}

fn mistakes() -> Vec<Mistake> {
    let mistake = |code, about, make| Mistake { code, about, make };
    vec![
        mistake(100_000_006, "Action", |call| call.without("Action")),
        mistake(100_000_007, "Action", |call| call.with("Action", "Nothing")),
        mistake(100_000_001, "AppId", |call| call.with("AppId", "x")),
        mistake(100_000_002, "Timestamp", |call| call.without("Timestamp")),
        mistake(100_000_003, "Timestamp", |call| call.with("Timestamp", "x")),
        mistake(100_000_008, "Nonce", |call| call.without("SignatureNonce")),
        mistake(100_000_009, "Signature", |call| call.with("Signature", "")),
        mistake(100_000_013, "Version", |call| {
            call.without("SignatureVersion")
        }),
        mistake(100_000_014, "Version", |call| {
            call.with("SignatureVersion", "1.0")
        }),
        mistake(100_000_010, "AppId", |call| call.with("AppId", "7")),
        mistake(100_000_004, "Timestamp", |call| {
            call.with("Timestamp", "1761954599")
        }),
        mistake(100_000_005, "Signature", |call| call.with("Signature", "x")),
        mistake(30_004, "IsTest", |call| call.with("IsTest", "x")),
        // The gateway of this test has no test environment.
        mistake(100_000_017, "IsTest", |call| call.with("IsTest", "true")),
        mistake(30_009, "StreamId", |call| call.with("StreamId", "a/b")),
        mistake(30_001, "CDNUrl", |call| call.with("CDNUrl", "x")),
        mistake(5005, "Sequence", |call| call.with("Sequence", "x")),
        mistake(5004, "CDNUrl", |call| {
            call.with("CDNUrl", "rtmp://refused.example/app/s")
        }),
    ]
}

#[tokio::test]
async fn of_several_mistakes_the_first_in_the_order_is_answered() {
    let mistakes = mistakes();
    let gateway_of = || {
        let gateway = gateway();
        gateway.configure(|settings| {
            settings.zego.accounts[0].environments = Environments {
                production: true,
                test: false,
            };
        });
        gateway
    };
    for (at, first) in mistakes.iter().enumerate() {
        let one = (first.make)(Call::new());
        assert_eq!(code(&gateway_of(), &one).await, first.code);
        for later in &mistakes[at + 1..] {
            if later.about == first.about {
                continue;
            }
            let both = (first.make)((later.make)(Call::new()));
            let found = code(&gateway_of(), &both).await;
            assert_eq!(found, first.code, "{} and {}", first.code, later.code);
        }
        // All that do not contradict each other at once.
        let mut about: Vec<&str> = Vec::new();
        let mut all = Call::new();
        for mistake in &mistakes[at..] {
            if !about.contains(&mistake.about) {
                about.push(mistake.about);
                all = (mistake.make)(all);
            }
        }
        assert_eq!(code(&gateway_of(), &all).await, first.code);
    }
}

#[tokio::test]
async fn the_rate_comes_behind_the_environment_and_before_the_stream() {
    let gateway = gateway();
    for _ in 0..10 {
        let call = Call::new().with("StreamId", "a/b");
        assert_eq!(code(&gateway, &call).await, 30_009);
    }
    for mistake in mistakes() {
        let expected = match mistake.code {
            30_009 | 30_001 | 5005 | 5004 => 30_002,
            // Another environment has a rate of its own, and the name does not belong to it.
            100_000_017 => 30_009,
            earlier => earlier,
        };
        let call = (mistake.make)(Call::new());
        assert_eq!(code(&gateway, &call).await, expected, "{}", mistake.code);
    }
    // The other actions have theirs, and so has the other app.
    let delete = Call::new().with("Action", "DeleteCDNTransferRule");
    assert_eq!(code(&gateway, &delete).await, 0);
}

#[tokio::test]
async fn the_eleventh_call_of_a_second_is_too_many_and_none_after_it() {
    for (is_test, stream, most) in [("false", "s", 10_i64), ("true", "zegotest-1234567890-s", 5)] {
        let gateway = gateway();
        let at = |ms: i64| gateway.clock.set_ms(NOW * 1000 + ms);
        let call = |sequence: i64| {
            Call::new()
                .with("StreamId", stream)
                .with("IsTest", is_test)
                .with("Sequence", &sequence.to_string())
        };
        for i in 0..most {
            at(i);
            assert_eq!(code(&gateway, &call(i)).await, 0, "{is_test} {i}");
        }
        at(999);
        assert_eq!(code(&gateway, &call(100)).await, 30_002, "{is_test}");
        // A second after the first of them there is room for one, which the refused call has taken.
        at(1000);
        assert_eq!(code(&gateway, &call(101)).await, 30_002, "{is_test}");
        at(2000);
        assert_eq!(code(&gateway, &call(102)).await, 0, "{is_test}");
    }
    // Where nothing was refused, exactly a second is over.
    let gateway = gateway();
    for i in 0..20_i64 {
        gateway.clock.set_ms(NOW * 1000 + i * 100);
        let call = Call::new().with("Sequence", &i.to_string());
        assert_eq!(code(&gateway, &call).await, 0, "{i}");
    }
}

#[tokio::test]
async fn a_sequence_holds_for_ten_seconds_and_for_its_stream() {
    let gateway = gateway();
    let call = async |ms: i64, action: &str, stream: &str, sequence: &str| {
        gateway.clock.set_ms(NOW * 1000 + ms);
        let call = Call::new()
            .with("Action", action)
            .with("StreamId", stream)
            .with("Sequence", sequence);
        code(&gateway, &call).await
    };
    let (create, delete, clear) = (
        "CreatCDNTransferRule",
        "DeleteCDNTransferRule",
        "ClearCDNTransferRule",
    );
    for (ms, action, stream, sequence, expected) in [
        (0, create, "s", "1000", 0),
        (1, delete, "s", "1000", 5005),
        (2, clear, "s", "0001000", 5005),
        (3, clear, "s", "999", 5005),
        (4, create, "S", "1", 0),
        (5, delete, "s", "01001", 0),
        (6, clear, "s", "1001", 5005),
        (7, clear, "s", "1002", 0),
        // Refused calls do not make the ten seconds begin anew.
        (5000, create, "s", "1002", 5005),
        (10_006, create, "s", "1002", 5005),
        (10_007, create, "s", "1", 0),
        (10_008, create, "s", "1", 5005),
        (10_009, create, "s", "2", 0),
    ] {
        let found = call(ms, action, stream, sequence).await;
        assert_eq!(found, expected, "{ms} {action} {stream} {sequence}");
    }
}

#[tokio::test]
async fn what_was_refused_has_not_used_its_number_up() {
    let gateway = gateway();
    let sequence = "5";
    let call = |url: &str| Call::new().with("CDNUrl", url).with("Sequence", sequence);
    assert_eq!(code(&gateway, &call("x")).await, 30_001);
    assert_eq!(
        code(&gateway, &call("rtmp://refused.example/a/b")).await,
        5004
    );
    gateway.store.set_full(true);
    assert_eq!(code(&gateway, &call(URL)).await, 5001);
    gateway.store.set_full(false);
    assert_eq!(code(&gateway, &call(URL)).await, 0);
    assert_eq!(code(&gateway, &call(URL)).await, 5005);
}

#[tokio::test]
async fn of_a_name_that_is_there_twice_the_first_counts_and_the_query_wins() {
    // In the query twice.
    let gateway = gateway();
    let mut call = Call::new();
    call.tail = "&StreamId=second&IsTest=true&IsTest=false&Sequence=x&Unknown=1&=&&".to_owned();
    assert_eq!(code(&gateway, &call).await, 30_009, "IsTest=true is first");
    call.tail = "&StreamId=second&Sequence=x&Unknown=1&=&&".to_owned();
    assert_eq!(code(&gateway, &call).await, 0);
    assert_eq!(gateway.rules.list(None)[0].stream.as_str(), "rtc01");
    // In query and body: the query's, be it empty.
    let body = json!({"StreamId": "of-body", "CDNUrl": "rtmp://h/app/of-body", "Sequence": 9});
    let posted = |call: Call| call.posted("application/json", body.to_string());
    let gateway = self::gateway();
    assert_eq!(code(&gateway, &posted(Call::new())).await, 0);
    let rule = gateway.rules.list(None)[0].clone();
    assert_eq!((rule.stream.as_str(), rule.url.expose()), ("rtc01", URL));
    let empty = posted(Call::new().with("StreamId", ""));
    assert_eq!(alone(&empty).await, 30_009);
    // In the body alone.
    let gateway = self::gateway();
    let call = posted(
        Call::new()
            .without("StreamId")
            .without("CDNUrl")
            .without("Sequence"),
    );
    assert_eq!(code(&gateway, &call).await, 0);
    let rule = gateway.rules.list(None)[0].clone();
    assert_eq!(rule.stream.as_str(), "of-body");
    assert_eq!(rule.url.expose(), "rtmp://h/app/of-body");
}

#[tokio::test]
async fn bodies_in_all_their_forms() {
    let bare = || {
        Call::new()
            .without("StreamId")
            .without("CDNUrl")
            .without("Sequence")
    };
    let json = "application/json";
    let body = |stream: Value, sequence: Value| {
        json!({"StreamId": stream, "CDNUrl": URL, "Sequence": sequence, "More": [1]}).to_string()
    };
    let good = body(json!("rtc01"), json!("5"));
    for (content_type, text, expected) in [
        (json, good.clone(), 0),
        ("application/json; charset=utf-8", good.clone(), 0),
        ("APPLICATION/JSON;charset=UTF-8", good.clone(), 0),
        ("text/plain", good.clone(), 0),
        (json, body(json!("rtc01"), json!(1_761_955_200_001_u64)), 0),
        (json, body(json!("rtc01"), json!(u64::MAX)), 0),
        (json, body(json!("rtc01"), json!(1.5)), 5005),
        (json, body(json!("rtc01"), json!(-1)), 5005),
        (json, body(json!("rtc01"), json!(null)), 5005),
        (json, body(json!("rtc01"), json!(["5"])), 5005),
        (json, body(json!(12), json!("5")), 0),
        (json, body(json!(null), json!("5")), 30_009),
        (json, body(json!(["rtc01"]), json!("5")), 30_009),
        (json, body(json!("\u{6d41}"), json!("5")), 30_009),
        (json, good.replace("rtc01\"", "\\u0072tc01\""), 0),
        (json, format!("\r\n\t {good} \n"), 0),
        (json, String::new(), 30_009),
        (json, " \n".to_owned(), 30_009),
        (json, "{}".to_owned(), 30_009),
        (json, "null".to_owned(), 100_000_012),
        (json, "[]".to_owned(), 100_000_012),
        (json, "\"text\"".to_owned(), 100_000_012),
        (json, "{\"StreamId\":".to_owned(), 100_000_012),
        (json, format!("{good}{good}"), 100_000_012),
        (json, format!("[{}]", good), 100_000_012),
        (json, "[".repeat(10_000), 100_000_012),
        (json, "a=b".to_owned(), 100_000_012),
        (
            "application/x-www-form-urlencoded",
            "StreamId=rtc01".to_owned(),
            100_000_012,
        ),
        ("application/x-www-form-urlencoded", good.clone(), 0),
        ("application/x-www-form-urlencoded", String::new(), 30_009),
    ] {
        let call = bare().posted(content_type, text.clone());
        assert_eq!(alone(&call).await, expected, "{content_type}: {text:.80}");
    }
    let mut not_utf8 = good.clone().into_bytes();
    let at = good.find("rtc01").unwrap();
    not_utf8[at] = 0xff;
    assert_eq!(alone(&bare().posted(json, not_utf8)).await, 100_000_012);
    // A POST that has everything in its query, as the vendor's relays have it.
    assert_eq!(alone(&Call::new().posted(json, "")).await, 0);
    let form = "application/x-www-form-urlencoded";
    assert_eq!(alone(&Call::new().posted(form, "")).await, 0);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_has_its_code() {
    let body = format!("{{\"More\":\"{}\"}}", "x".repeat(1 << 20));
    let call = Call::new().posted("application/json", body);
    assert_eq!(alone(&call).await, 100_000_012);
}

#[tokio::test]
async fn a_get_has_everything_in_its_query() {
    for (content_type, body) in [
        ("application/json", "no JSON"),
        ("application/json", "{\"StreamId\":\"of-body\"}"),
        ("application/x-www-form-urlencoded", "StreamId=of-body"),
    ] {
        let mut call = Call::new().posted(content_type, body);
        call.method = Method::GET;
        assert_eq!(alone(&call).await, 0, "{body}");
        assert_eq!(alone(&call.without("StreamId")).await, 30_009, "{body}");
    }
}

#[tokio::test]
async fn other_methods_are_no_calls() {
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE"] {
        for content_type in ["application/json", "application/x-www-form-urlencoded"] {
            let gateway = gateway();
            let mut call = Call::new().posted(content_type, "");
            call.method = method.parse().unwrap();
            let answer = answered(&gateway, &call).await;
            assert_eq!(answer.status, 405, "{method} {content_type}");
            assert!(gateway.rules.list(None).is_empty(), "{method}");
        }
    }
}

#[tokio::test]
async fn queries_are_decoded_as_forms_are() {
    let gateway = gateway();
    let mut call = Call::new().without("StreamId").without("CDNUrl");
    // A blank as + and as %20, a + as %2B, percent signs in either case, a name that is encoded.
    call.tail = "&%53treamId=rtc%2B01&CDNUrl=rtmp%3a%2f%2fh%2Fapp%2Fs%3Fa%3D%2526%2B1".to_owned();
    assert_eq!(code(&gateway, &call).await, 0);
    let rule = gateway.rules.list(None)[0].clone();
    assert_eq!(rule.stream.as_str(), "rtc+01");
    assert_eq!(rule.url.expose(), "rtmp://h/app/s?a=%26+1");
    for (stream, expected) in [
        ("a+b", 30_009),
        ("a%20b", 30_009),
        ("a%", 30_009),
        ("a%zz", 30_009),
    ] {
        let mut call = Call::new().without("StreamId");
        call.tail = format!("&StreamId={stream}");
        assert_eq!(alone(&call).await, expected, "{stream}");
    }
    // What is no UTF-8 is nobody's name and nobody's address.
    for (name, expected) in [("StreamId", 30_009), ("CDNUrl", 30_001)] {
        let mut call = Call::new().without(name);
        call.tail = format!("&{name}=rtmp://h/app/%FF%FE");
        assert_eq!(alone(&call).await, expected, "{name}");
    }
    // An address that is not encoded ends at its first &, and the rest of it is nobody's parameter.
    let gateway = self::gateway();
    let mut call = Call::new().without("CDNUrl");
    call.tail = "&CDNUrl=rtmp://h/app/s?txSecret=1&txTime=2&k=rtmp://x/y/z".to_owned();
    assert_eq!(code(&gateway, &call).await, 0);
    assert_eq!(
        gateway.rules.list(None)[0].url.expose(),
        "rtmp://h/app/s?txSecret=1"
    );
}

#[tokio::test]
async fn a_signature_is_about_the_text_that_was_sent() {
    // Leading zeros are digits too, and signed as they are.
    let call = Call::new().with("Timestamp", "0001761955200");
    assert_eq!(alone(&call).await, 0);
    let signature = sign(APP_ID, "n", &Secret::new(SECRET), "1761955200");
    let call = call
        .with("SignatureNonce", "n")
        .with("Signature", &signature);
    assert_eq!(alone(&call).await, 100_000_005);
}

#[tokio::test]
async fn a_path_may_be_left_out() {
    let whole = Call::new().request();
    let query = whole.uri().query().unwrap();
    for target in ["http://localhost:8080", "http://localhost:8080/", "/"] {
        let request = Request::get(format!("{target}?{query}"))
            .header("host", "localhost:8080")
            .body(Body::empty())
            .unwrap();
        let answer = gateway().send(request).await;
        assert_eq!(answer.json()["Code"], 0, "{target}");
    }
}
