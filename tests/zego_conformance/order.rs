//! The order of decision, and what depends on the calls before: rates and sequences.

use aqueduct::api::zego::Environments;

use crate::call::{Call, URL};
use crate::doors::zego::NOW;
use crate::{code, gateway};

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
