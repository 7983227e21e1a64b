//! What an ingest's refusals, questions, redirects and goodbyes mean to our client session.

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

mod session_peer;

use aqueduct::rtmp::amf0::Value;
use aqueduct::rtmp::auth::{Challenge, Scheme};
use aqueduct::rtmp::session::client::{ClientConfig, ClientEvent, Redirect, Refused};
use aqueduct::rtmp::session::{Action, Stage};
use session_peer::ingest::{Push, connect_success, info};
use session_peer::{object, text};

fn refusal(push: &mut Push) -> Refused {
    match push.events().as_slice() {
        [ClientEvent::Refused(refused)] => refused.clone(),
        other => panic!("expected one refusal, not {other:?}"),
    }
}

#[test]
fn refusals_bear_their_stage_their_words_and_what_is_left_to_do() {
    type Start = fn() -> Push;
    type Say = fn(&mut Push);
    let table: [(Start, Say, Stage, &str, Action); 15] = [
        (
            Push::usual,
            |push| {
                _ = push
                    .mouth
                    .error(1.0, "NetConnection.Connect.Rejected", "no")
            },
            Stage::Connect,
            "NetConnection.Connect.Rejected",
            Action::Permanent,
        ),
        (
            Push::usual,
            |push| {
                _ = push
                    .mouth
                    .error(0.0, "NetConnection.Connect.InvalidApp", "no")
            },
            Stage::Connect,
            "NetConnection.Connect.InvalidApp",
            Action::Permanent,
        ),
        (
            Push::usual,
            |push| _ = push.mouth.error(1.0, "NetConnection.Connect.Failed", "no"),
            Stage::Connect,
            "NetConnection.Connect.Failed",
            Action::RetryBackoff,
        ),
        (
            Push::usual,
            |push| {
                _ = push
                    .mouth
                    .status("error", "NetConnection.Connect.AppShutdown", "no")
            },
            Stage::Connect,
            "NetConnection.Connect.AppShutdown",
            Action::RetryBackoff,
        ),
        (
            Push::usual,
            |push| {
                _ = push.mouth.result(
                    1.0,
                    &[info("error", "NetConnection.Connect.Rejected", "no")],
                )
            },
            Stage::Connect,
            "NetConnection.Connect.Rejected",
            Action::Permanent,
        ),
        (
            Push::connected,
            |push| _ = push.mouth.error(4.0, "", "no"),
            Stage::CreateStream,
            "",
            Action::RetryBackoff,
        ),
        (
            Push::created,
            |push| {
                _ = push
                    .mouth
                    .status("error", "NetStream.Publish.BadName", "no")
            },
            Stage::Publish,
            "NetStream.Publish.BadName",
            Action::RetryBusy,
        ),
        (
            Push::created,
            |push| _ = push.mouth.error(5.0, "NetStream.Publish.BadName", "no"),
            Stage::Publish,
            "NetStream.Publish.BadName",
            Action::RetryBusy,
        ),
        (
            Push::created,
            |push| {
                _ = push.mouth.call(
                    "onFCPublish",
                    0.0,
                    &[info("error", "NetStream.Publish.BadName", "no")],
                )
            },
            Stage::Publish,
            "NetStream.Publish.BadName",
            Action::RetryBusy,
        ),
        (
            Push::created,
            |push| _ = push.mouth.status("error", "NetStream.Publish.Denied", "no"),
            Stage::Publish,
            "NetStream.Publish.Denied",
            Action::Permanent,
        ),
        (
            Push::created,
            |push| _ = push.mouth.status("error", "NetStream.Failed", "no"),
            Stage::Publish,
            "NetStream.Failed",
            Action::Permanent,
        ),
        (
            Push::created,
            |push| _ = push.mouth.status("error", "Company.Policy.42", "no"),
            Stage::Publish,
            "Company.Policy.42",
            Action::RetryBackoff,
        ),
        (
            Push::live,
            |push| _ = push.mouth.status("error", "NetStream.Failed", "no"),
            Stage::Live,
            "NetStream.Failed",
            Action::RetryBackoff,
        ),
        (
            Push::live,
            |push| {
                _ = push
                    .mouth
                    .status("error", "NetStream.Publish.Rejected", "no")
            },
            Stage::Live,
            "NetStream.Publish.Rejected",
            Action::Permanent,
        ),
        (
            Push::live,
            // Some servers leave the command object out.
            |push| {
                let info = info("error", "NetStream.Publish.BadName", "no");
                _ = push.mouth.call_on(5, 1, "onStatus", 0.0, info, vec![]);
            },
            Stage::Live,
            "NetStream.Publish.BadName",
            Action::RetryBusy,
        ),
    ];
    for (start, say, stage, code, action) in table {
        let mut push = start();
        say(&mut push);
        let expected = Refused {
            stage,
            code: code.into(),
            description: "no".into(),
            action,
        };
        assert_eq!(refusal(&mut push), expected);
        assert_eq!(push.session.stage(), stage);
        // It is over: the rest is swallowed, and nothing is said any more.
        push.heard();
        push.mouth
            .status("status", "NetStream.Publish.Start", "")
            .raw(b"\xff");
        assert_eq!(push.events(), []);
        push.session.finish();
        assert_eq!(push.heard(), [""; 0]);
    }
}

#[test]
fn errors_for_other_calls_are_none_of_ours() {
    let mut push = Push::connected();
    push.mouth
        .error(
            2.0,
            "NetConnection.Call.Failed",
            "releaseStream: function is undefined",
        )
        .error(3.0, "NetConnection.Call.Failed", "")
        .error(0.0, "NetConnection.Call.Failed", "");
    assert_eq!(push.events(), []);
    let mut push = Push::live();
    push.mouth
        .error(5.0, "NetStream.Publish.BadName", "")
        .status("status", "NetStream.Publish.Start", "")
        .status("warning", "NetStream.Play.InsufficientBW", "")
        .status("status", "NetStream.Data.Start", "");
    assert_eq!(push.events(), []);
}

#[test]
fn descriptions_are_bounded_and_print_only_when_exposed() {
    let mut push = Push::created();
    let echo = format!("canary is in use\u{1b}[2J\n{}", "x".repeat(2000));
    push.mouth
        .status("error", "NetStream.Publish.canary", &echo);
    let refused = refusal(&mut push);
    let description = refused.description.expose();
    assert!(
        description.starts_with("canary is in use\\u{1b}[2J\\u{a}xxx"),
        "{description}"
    );
    assert!(description.chars().count() <= 256);
    assert_eq!(refused.code, "NetStream.Publish.***");
    assert!(!format!("{refused:?}").contains("canary"));
}

#[test]
fn ends() {
    let unpublished = "NetStream.Unpublish.Success";
    type Say = fn(&mut Push);
    let table: [(Say, &str); 5] = [
        (
            |push| {
                _ = push
                    .mouth
                    .status("status", "NetStream.Unpublish.Success", "")
            },
            unpublished,
        ),
        (
            |push| {
                _ = push
                    .mouth
                    .status("status", "NetConnection.Connect.Closed", "")
            },
            "NetConnection.Connect.Closed",
        ),
        (|push| _ = push.mouth.call("close", 0.0, &[]), "close"),
        (
            |push| _ = push.mouth.call("onFCUnpublish", 0.0, &[]),
            "onFCUnpublish",
        ),
        (
            |push| {
                _ = push.mouth.call(
                    "onFCUnpublish",
                    0.0,
                    &[info("status", "NetStream.Unpublish.Success", "")],
                )
            },
            unpublished,
        ),
    ];
    for (say, code) in table {
        let mut push = Push::live();
        say(&mut push);
        let events = push.events();
        assert!(
            matches!(&events[..], [ClientEvent::Ended(ended)] if ended.code == code),
            "{events:?}"
        );
    }
    // Before the start, it is the end of the publication that releaseStream took away.
    let mut push = Push::created();
    push.mouth
        .status("status", unpublished, "")
        .call("onFCUnpublish", 0.0, &[]);
    assert_eq!(push.events(), []);
    push.mouth.call("close", 0.0, &[]);
    assert!(matches!(push.events()[..], [ClientEvent::Ended(_)]));
}

#[test]
fn a_reconnect_request_leaves_us_live() {
    let mut push = Push::live();
    let request = |tc_url: Option<&str>| {
        let mut properties = vec![
            ("level", text("status")),
            ("code", text("NetConnection.Connect.ReconnectRequest")),
        ];
        properties.extend(tc_url.map(|tc_url| ("tcUrl", text(tc_url))));
        object(&properties)
    };
    push.mouth
        .status_of(request(Some("rtmp://b/live")))
        .status_of(request(None))
        .status_of(request(Some("")));
    assert_eq!(
        push.events(),
        [
            ClientEvent::ReconnectRequest {
                tc_url: Some("rtmp://b/live".into())
            },
            ClientEvent::ReconnectRequest { tc_url: None },
            ClientEvent::ReconnectRequest { tc_url: None },
        ]
    );
    assert_eq!(push.session.stage(), Stage::Live);
}

#[test]
fn redirects() {
    let ex = |properties: &[(&str, Value)]| {
        object(&[
            ("level", text("error")),
            ("code", text("NetConnection.Connect.Rejected")),
            ("description", text("moved")),
            ("ex", object(properties)),
        ])
    };
    let adobe = ex(&[("code", 302.0.into()), ("redirect", text("rtmp://b/live"))]);
    let srs = ex(&[
        ("code", 302.0.into()),
        ("redirect", text("rtmp://b/live")),
        ("redirect2", text("rtmp://b/live/name?k=canary")),
    ]);
    let table = [
        (adobe.clone(), Redirect::TcUrl("rtmp://b/live".into())),
        (srs, Redirect::Url("rtmp://b/live/name?k=canary".into())),
    ];
    for (info, redirect) in table {
        assert!(!format!("{redirect:?}").contains("canary"));
        let expected = [ClientEvent::Redirect(redirect)];
        let mut push = Push::usual();
        push.mouth.call("_error", 1.0, std::slice::from_ref(&info));
        assert_eq!(push.events(), expected);
        // SRS does it with a status, after the publish too.
        for mut push in [Push::usual(), Push::created()] {
            push.mouth.status_of(info.clone());
            assert_eq!(push.events(), expected);
        }
    }
    // Nothing to follow.
    let long = format!("rtmp://b/{}", "x".repeat(5000));
    for properties in [
        vec![],
        vec![("redirect", text(""))],
        vec![("redirect", 1.0.into())],
        vec![("redirect2", text(&long))],
    ] {
        let mut push = Push::usual();
        push.mouth.call("_error", 1.0, &[ex(&properties)]);
        assert_eq!(refusal(&mut push).action, Action::Permanent);
    }
}

/// Three connections, as a caller makes them, each with the answer to the question of the one before.
#[test]
fn logins_take_two_further_connections() {
    let rejected = "NetConnection.Connect.Rejected";
    let plain = ClientConfig::new("live", "rtmp://host/live", "k");
    let with = |query: String| {
        Push::new(ClientConfig {
            auth_query: Some(query.into()),
            ..plain.clone()
        })
    };
    let asked = |push: &mut Push| match push.events().pop() {
        Some(ClientEvent::Auth(challenge)) => challenge,
        other => panic!("expected a question, not {other:?}"),
    };

    let mut push = Push::new(plain.clone());
    push.mouth.error(
        1.0,
        rejected,
        "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ",
    );
    let challenge = asked(&mut push);
    assert_eq!(challenge, Challenge::User(Scheme::Adobe));

    let mut push = with(challenge.answer("alice", "s3cret", "live", 0xABCD));
    let heard = push.heard();
    assert!(
        heard[1].contains("app='live?authmod=adobe&user=alice',"),
        "{heard:?}"
    );
    push.mouth.error(
        1.0,
        rejected,
        "[ AccessManager.Reject ] : [ authmod=adobe ] : \
         ?reason=needauth&user=alice&salt=pp/Jtw==&challenge=5wIAAA==&opaque=ab12",
    );
    let challenge = asked(&mut push);

    // The response is the one of the table in rtmp::auth.
    let mut push = with(challenge.answer("alice", "s3cret", "live", 0xABCD));
    let heard = push.heard();
    let query =
        "authmod=adobe&user=alice&challenge=0000abcd&response=LuhRO2rAfig1fCi7yNtpIw==&opaque=ab12";
    assert!(
        heard[1].contains(&format!("app='live?{query}',")),
        "{heard:?}"
    );
    assert!(
        heard[1].contains(&format!("tcUrl='rtmp://host/live?{query}'")),
        "{heard:?}"
    );
    push.mouth.result(1.0, &[connect_success()]);
    assert_eq!(push.events(), []);
    assert_eq!(push.session.stage(), Stage::CreateStream);

    for reason in ["authfailed", "nosuchuser"] {
        let mut push = Push::usual();
        push.mouth.error(
            1.0,
            rejected,
            &format!("[ authmod=adobe ] : ?reason={reason}&opaque=x"),
        );
        assert_eq!(refusal(&mut push).action, Action::Permanent);
    }
    // Limelight, whose code need not be Rejected.
    let mut push = Push::usual();
    push.mouth
        .error(1.0, "", "code=403 need auth; authmod=llnw");
    assert_eq!(asked(&mut push), Challenge::User(Scheme::Llnw));
}
