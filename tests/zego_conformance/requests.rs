//! How a request may say its parameters: in query and body, once and twice, encoded and not.

use aqueduct::api::zego::sign;
use aqueduct::secret::Secret;
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::call::{Call, URL};
use crate::doors::zego::{APP_ID, SECRET};
use crate::{alone, answered, code, gateway};

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
    for method in [
        "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE",
    ] {
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
