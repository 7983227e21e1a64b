//! What our client session says to an ingest, and when.

#![allow(clippy::expect_used, reason = "tests")]

mod session_peer;

use std::time::Duration;

use aqueduct::rtmp::message::MessageType;
use aqueduct::rtmp::session::client::{ClientConfig, ClientError, ClientEvent, Enhanced, Fault};
use aqueduct::rtmp::session::{LinkError, MediaKind, Stage};
use aqueduct::rtmp::{chunk, limits};
use session_peer::ingest::{Push, connect_success};
use session_peer::text;

const NAME: &str = "canary?x=1";

#[test]
fn the_calls_and_their_order_are_those_of_obs() {
    let mut push = Push::usual();
    assert_eq!(push.session.stage(), Stage::Connect);
    assert_eq!(
        push.heard(),
        [
            "2/0 chunk 4096",
            "3/0 connect 1 {app='live',type='nonprivate',flashVer='FMLE/3.0 (compatible; FMSc/1.0)',\
             tcUrl='rtmp://host/live'}",
        ]
    );
    push.mouth.result(1.0, &[connect_success()]);
    assert_eq!(push.events(), []);
    assert_eq!(push.session.stage(), Stage::CreateStream);
    assert_eq!(
        push.heard(),
        [
            format!("3/0 releaseStream 2 null '{NAME}'"),
            format!("3/0 FCPublish 3 null '{NAME}'"),
            "3/0 createStream 4 null".to_owned(),
        ]
    );
    // releaseStream and FCPublish may fail or stay without an answer.
    push.mouth
        .error(2.0, "NetConnection.Call.Failed", "")
        .result(4.0, &[9.0.into()]);
    assert_eq!(push.events(), []);
    assert_eq!(push.session.stage(), Stage::Publish);
    assert_eq!(
        push.heard(),
        [format!("4/9 publish 5 null '{NAME}' 'live'")]
    );
    push.mouth.status("status", "NetStream.Publish.Start", "");
    assert_eq!(push.events(), [ClientEvent::Published]);
    assert_eq!(push.session.stage(), Stage::Live);

    for (kind, csid, type_id) in [
        (MediaKind::Data, 4, 18),
        (MediaKind::Audio, 5, 8),
        (MediaKind::Video, 6, 9),
    ] {
        let header = push.session.media_framing().header(kind, 1234, 56);
        assert_eq!(
            header,
            chunk::Header {
                csid,
                timestamp: 1234,
                length: 56,
                type_id,
                stream_id: 9
            }
        );
    }
    push.session.finish();
    let goodbye = [
        format!("3/0 FCUnpublish 6 null '{NAME}'"),
        "3/0 deleteStream 7 null 9".to_owned(),
    ];
    assert_eq!(push.heard(), goodbye);
    push.session.finish();
    assert_eq!(push.heard(), [""; 0]);
    push.mouth
        .message(2, MessageType::ACKNOWLEDGEMENT, 0, 0, &77u32.to_be_bytes())
        .status("status", "NetStream.Unpublish.Success", "");
    let events = push.events();
    assert_eq!(events[0], ClientEvent::Acknowledged(77));
    assert!(
        matches!(&events[1], ClientEvent::Ended(ended) if ended.code == "NetStream.Unpublish.Success")
    );
}

#[test]
fn commands_longer_than_a_chunk_continue_in_format_3() {
    let name = "n".repeat(5000);
    let mut push = Push::new(ClientConfig::new("live", "rtmp://host/live", name));
    push.heard();
    push.mouth.result(1.0, &[connect_success()]);
    push.events();
    let output = push.session.output().split();
    // releaseStream: a header of 12 bytes, 4096 bytes, and then a single C3.
    assert_eq!(output[0], 0x03);
    assert_eq!(output[12 + 4096], 0xC3);
}

#[test]
fn options_of_connect() {
    let connect = |config: ClientConfig| Push::new(config).heard().pop().expect("a connect");
    let plain = ClientConfig::new("live2?backup=1", "rtmp://host/live2?backup=1", "k");
    let config = ClientConfig {
        swf_url: true,
        flash_ver: "X".into(),
        ..plain.clone()
    };
    assert_eq!(
        connect(config),
        "3/0 connect 1 {app='live2?backup=1',type='nonprivate',flashVer='X',swfUrl='rtmp://host/live2?backup=1',\
         tcUrl='rtmp://host/live2?backup=1'}"
    );
    let config = ClientConfig {
        auth_query: Some("authmod=adobe&user=u".into()),
        ..plain
    };
    assert!(connect(config).contains("app='live2?backup=1&authmod=adobe&user=u',"));
    let plain = ClientConfig::new("live", "rtmp://host/live", "k");
    let config = ClientConfig {
        auth_query: Some("authmod=adobe&user=u".into()),
        ..plain.clone()
    };
    let heard = connect(config);
    assert!(
        heard.contains("app='live?authmod=adobe&user=u',"),
        "{heard}"
    );
    assert!(
        heard.contains("tcUrl='rtmp://host/live?authmod=adobe&user=u'"),
        "{heard}"
    );

    let enhanced = |four_ccs: &[&[u8; 4]]| {
        let four_ccs = four_ccs.iter().map(|four_cc| **four_cc).collect();
        connect(ClientConfig {
            enhanced: Some(Enhanced { four_ccs }),
            ..plain.clone()
        })
    };
    let heard = enhanced(&[b"hvc1", b"av01", b"Opus"]);
    let announced = "tcUrl='rtmp://host/live',fourCcList=('hvc1','av01','Opus'),videoFourCcInfoMap={hvc1=4,av01=4},\
                     audioFourCcInfoMap={Opus=4},capsEx=14}";
    assert!(heard.ends_with(announced), "{heard}");
    let heard = enhanced(&[b"hvc1"]);
    assert!(!heard.contains("audioFourCcInfoMap"), "{heard}");
}

#[test]
fn a_plain_result_is_a_start_when_no_status_follows() {
    let mut push = Push::created();
    assert_eq!(push.session.deadline(), None);
    push.now = Duration::from_secs(10);
    push.mouth.result(5.0, &[]);
    assert_eq!(push.events(), []);
    let deadline = Duration::from_secs(12);
    assert_eq!(push.session.deadline(), Some(deadline));
    assert_eq!(
        push.session.on_time(deadline - Duration::from_millis(1)),
        None
    );
    assert_eq!(push.session.on_time(deadline), Some(ClientEvent::Published));
    assert_eq!(push.session.on_time(deadline), None);
    assert_eq!(
        (push.session.deadline(), push.session.stage()),
        (None, Stage::Live)
    );

    // The status comes after all, or it is a refusal.
    let mut push = Push::created();
    push.mouth
        .result(5.0, &[])
        .status("status", "NetStream.Publish.Start", "");
    assert_eq!(push.events(), [ClientEvent::Published]);
    push.now = Duration::from_secs(9);
    assert_eq!(push.events(), []);
    let mut push = Push::created();
    push.mouth
        .result(5.0, &[])
        .status("error", "NetStream.Publish.BadName", "");
    assert!(matches!(push.events()[..], [ClientEvent::Refused(_)]));
    push.now = Duration::from_secs(9);
    assert_eq!(
        (push.session.on_time(push.now), push.session.deadline()),
        (None, None)
    );
}

#[test]
fn results_with_transaction_0_answer_the_pending_call() {
    let mut push = Push::usual();
    push.mouth.result(0.0, &[connect_success()]);
    push.events();
    // Without a number it is an answer to something else.
    push.mouth
        .result(0.0, &[])
        .result(2.0, &[7.0.into()])
        .result(3.0, &[]);
    assert_eq!(push.events(), []);
    assert_eq!(push.session.stage(), Stage::CreateStream);
    push.mouth.result(0.0, &[3.0.into()]);
    assert_eq!(push.events(), []);
    assert_eq!(
        push.session
            .media_framing()
            .header(MediaKind::Audio, 0, 0)
            .stream_id,
        3
    );
    push.mouth.result(0.0, &[]);
    assert_eq!(push.events(), []);
    assert!(push.session.deadline().is_some());
}

#[test]
fn stream_numbers() {
    for (number, stream_id) in [(0.0, 0), (1.0, 1), (4_294_967_295.0, u32::MAX)] {
        let mut push = Push::connected();
        push.mouth.result(4.0, &[number.into()]);
        assert_eq!(push.events(), []);
        assert_eq!(
            push.session
                .media_framing()
                .header(MediaKind::Video, 0, 0)
                .stream_id,
            stream_id
        );
    }
    let wrong = [f64::NAN, -1.0, 0.5, f64::INFINITY, 4_294_967_296.0].map(Into::into);
    for value in wrong.into_iter().chain([text("1")]) {
        let mut push = Push::connected();
        push.mouth.result(4.0, &[value]);
        let expected = ClientError {
            stage: Stage::CreateStream,
            fault: Fault::StreamNumber,
        };
        assert_eq!(push.try_events(), Err(expected));
    }
}

#[test]
fn an_error_names_the_stage_that_it_came_in_however_much_was_read_at_once() {
    let mut push = Push::usual();
    push.mouth.result(1.0, &[connect_success()]);
    push.mouth.result(4.0, &[1.0.into()]);
    push.mouth
        .message(3, MessageType::COMMAND_AMF0, 0, 0, b"\xff");
    let error = push.try_events().expect_err("no command begins so");
    assert_eq!(error.stage, Stage::Publish);
    assert_eq!(push.session.stage(), Stage::Publish);
}

#[test]
fn goodbyes_take_back_what_was_said() {
    let goodbye = |mut push: Push| {
        push.heard();
        push.session.finish();
        push.heard()
    };
    let fc_unpublish = format!("3/0 FCUnpublish 6 null '{NAME}'");
    let delete_stream = "3/0 deleteStream 7 null 1".to_owned();
    assert_eq!(goodbye(Push::usual()), [""; 0]);
    assert_eq!(
        goodbye(Push::connected()),
        std::slice::from_ref(&fc_unpublish)
    );
    assert_eq!(
        goodbye(Push::created()),
        [fc_unpublish.clone(), delete_stream.clone()]
    );
    assert_eq!(goodbye(Push::live()), [fc_unpublish, delete_stream]);
}

#[test]
fn a_servers_calls_are_never_answered_and_its_media_is_dropped() {
    let mut push = Push::created();
    push.mouth
        .call("onBWDone", 0.0, &[])
        .call("onFCPublish", 0.0, &[connect_success()])
        .call("onFCUnpublish", 0.0, &[])
        .call("_onbwcheck", 3.0, &[text("x")])
        .call("onBWCheck", 0.0, &vec![0.5.into(); 1200])
        .call("somethingElse", 9.0, &[])
        .message(4, MessageType::DATA_AMF0, 1, 0, b"\x02\x00\x08onStatus\x05")
        .message(4, MessageType::VIDEO, 1, 0, b"\x17\x01")
        .message(4, MessageType::AUDIO, 1, 0, b"\xaf\x01");
    for event in [0u8, 1, 2, 3, 4, 7, 26, 31, 32, 99] {
        push.mouth
            .message(2, MessageType::USER_CONTROL, 0, 0, &[0, event, 0, 0, 0, 1]);
    }
    assert_eq!(push.events(), []);
    assert_eq!(push.heard(), [""; 0]);
    push.mouth.message(
        2,
        MessageType::USER_CONTROL,
        0,
        0,
        b"\x00\x06\x00\x00\x00\x2a",
    );
    assert_eq!(push.events(), []);
    assert_eq!(push.heard(), ["2/0 event 7 42"]);
}

#[test]
fn windows_and_acknowledgements() {
    let mut push = Push::live();
    push.mouth
        .message(
            2,
            MessageType::WINDOW_ACK_SIZE,
            0,
            0,
            &100_000u32.to_be_bytes(),
        )
        .message(
            2,
            MessageType::SET_PEER_BANDWIDTH,
            0,
            0,
            b"\x00\x4c\x4b\x40\x02",
        )
        .message(
            2,
            MessageType::SET_PEER_BANDWIDTH,
            0,
            0,
            b"\x00\x4c\x4b\x40\x02",
        )
        .set_chunk_size(65_536);
    assert_eq!(push.events(), []);
    assert_eq!(push.heard(), ["2/0 window 5000000"]);
    for timestamp in 0..4 {
        push.mouth
            .message(6, MessageType::VIDEO, 1, timestamp, &[0; 60_000]);
        push.events();
        let total = push.session.bytes_in();
        let expected = if timestamp % 2 == 1 {
            vec![format!("2/0 ack {total}")]
        } else {
            vec![]
        };
        assert_eq!(push.heard(), expected);
    }
    push.mouth
        .message(
            2,
            MessageType::ACKNOWLEDGEMENT,
            0,
            0,
            &u32::MAX.to_be_bytes(),
        )
        .message(2, MessageType::ACKNOWLEDGEMENT, 0, 0, b"\x01");
    assert_eq!(push.events(), [ClientEvent::Acknowledged(u32::MAX)]);
}

#[test]
fn floods_and_garbage_of_a_server() {
    let link = |stage, fault| {
        Err(ClientError {
            stage,
            fault: Fault::Link(fault),
        })
    };
    let mut push = Push::live();
    for _ in 0..3 {
        push.mouth.message(2, 99, 0, 0, b"?");
    }
    assert_eq!(
        push.try_events(),
        link(Stage::Live, LinkError::UnknownMessages)
    );
    push.mouth.raw(b"\xff\xff");
    assert_eq!(push.try_events(), Ok(vec![]));

    let mut push = Push::live();
    for _ in 0..limits::COMMANDS_PER_SECOND_MAX {
        push.mouth.call("x", 0.0, &[]);
    }
    assert_eq!(
        push.try_events(),
        link(Stage::Live, LinkError::TooManyCommands)
    );

    let mut push = Push::usual();
    for time in 0..1000u32 {
        push.mouth.message(
            2,
            MessageType::USER_CONTROL,
            0,
            0,
            &[&[0, 6], time.to_be_bytes().as_slice()].concat(),
        );
    }
    let fault = Fault::NoAnswer;
    assert_eq!(
        push.try_events(),
        Err(ClientError {
            stage: Stage::Connect,
            fault
        })
    );
    assert_eq!(push.heard().len(), 2 + 5);

    let mut push = Push::usual();
    let error = loop {
        push.now += Duration::from_secs(1);
        push.mouth.call("x", 0.0, &[]);
        if let Err(error) = push.try_events() {
            break error;
        }
    };
    assert_eq!(error.fault, Fault::NoAnswer);

    let mut push = Push::usual();
    push.mouth
        .message(2, MessageType::COMMAND_AMF0, 0, 0, b"\x05");
    let error = push.try_events().expect_err("no command");
    assert_eq!(error.to_string(), "during connect: command without a name");
}

#[test]
fn nothing_that_prints_shows_the_key() {
    let mut config = ClientConfig::new("live?a=canary", "rtmp://u:canary@host/live?a=canary", NAME);
    config.auth_query = Some("authmod=adobe&response=canary".into());
    let session = Push::new(config.clone()).session;
    let printed = format!("{config:?} {session:?}");
    assert!(!printed.contains("canary"), "{printed}");
}
