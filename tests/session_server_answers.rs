//! What our server session answers beyond the usual, and when it waits.

#![allow(clippy::expect_used, reason = "tests")]

mod session_peer;

use aqueduct::rtmp::amf0::Value;
use aqueduct::rtmp::message::MessageType;
use aqueduct::rtmp::session::server::{ConnectRefusal, Refusal, ServerError};
use aqueduct::rtmp::session::{LinkError, MediaKind};
use session_peer::publisher::{
    CONNECTED, Talk, connect_object, fc_unpublished, media, started, unpublished,
};
use session_peer::{ON_META_DATA, SET_DATA_FRAME, cam, text};

#[test]
fn media_that_comes_before_our_answer_waits_for_it() {
    let mut talk = Talk::new();
    talk.accepts = false;
    talk.mouth.connect(connect_object("live"));
    let connect = talk.mouth.take();
    talk.mouth
        .call("createStream", 2.0, &[])
        .publish(1, 3.0, &cam());
    let publish = talk.mouth.take();
    talk.mouth
        .message(4, MessageType::VIDEO, 1, 0, b"\x17\x00")
        .message(4, MessageType::AUDIO, 1, 5, b"\xaf\x00");
    let early = talk.mouth.take();
    let bytes = [connect, publish, early.clone()].concat();
    let mut input = bytes.as_slice();

    talk.read(&mut input).expect("connect");
    assert!(talk.session.awaits_answer());
    assert_eq!(talk.lines(), [""; 0]);
    // Asked again, nothing moves.
    let left = input.len();
    talk.read(&mut input).expect("nothing new");
    assert_eq!(input.len(), left);
    // The wrong answer is none.
    talk.session.accept_publish();
    talk.session.reject_publish(Refusal::Busy, "");
    assert!(talk.session.awaits_answer());
    talk.session.accept_connect();
    assert_eq!(talk.lines(), CONNECTED);

    talk.read(&mut input).expect("publish");
    assert!(talk.session.awaits_answer());
    assert_eq!(input, early);
    assert_eq!(talk.media(), []);
    assert_eq!(talk.session.bytes_in(), (bytes.len() - early.len()) as u64);
    talk.session.accept_publish();
    assert!(!talk.session.awaits_answer());
    talk.read(&mut input).expect("media");
    assert_eq!(
        talk.media(),
        [
            media(MediaKind::Video, 0, b"\x17\x00"),
            media(MediaKind::Audio, 5, b"\xaf\x00")
        ]
    );
    assert_eq!(talk.session.bytes_in(), bytes.len() as u64);
}

#[test]
fn refusals_say_why_and_swallow_the_rest() {
    let connects = [
        (
            ConnectRefusal::InvalidApp,
            "NetConnection.Connect.InvalidApp",
        ),
        (ConnectRefusal::Rejected, "NetConnection.Connect.Rejected"),
        (
            ConnectRefusal::ShuttingDown,
            "NetConnection.Connect.AppShutdown",
        ),
    ];
    for (refusal, code) in connects {
        let mut talk = Talk::new();
        talk.accepts = false;
        talk.mouth.connect(connect_object("live"));
        talk.hear();
        talk.session.reject_connect(refusal, "no such app");
        let heard = talk.lines();
        assert_eq!(heard[..3], CONNECTED[..3]);
        assert_eq!(
            heard[3],
            format!("3/0 _error 1 null {{level='error',code='{code}',description='no such app'}}")
        );
        talk.mouth
            .call("createStream", 2.0, &[])
            .raw(b"\xff\xff\xff");
        assert_eq!(talk.hear(), [""; 0]);
    }
    let publishes = [
        (Refusal::Busy, "NetStream.Publish.BadName"),
        (Refusal::Denied, "NetStream.Publish.Denied"),
        (Refusal::Rejected, "NetStream.Publish.Rejected"),
    ];
    for (refusal, code) in publishes {
        let mut talk = Talk::new();
        talk.accepts = false;
        talk.mouth.connect(connect_object("live"));
        talk.hear();
        talk.session.accept_connect();
        talk.mouth
            .call("FCPublish", 2.0, &[text("cam")])
            .call("createStream", 3.0, &[])
            .publish(1, 4.0, &cam());
        talk.hear();
        talk.session.reject_publish(refusal, "why");
        let expected = format!(
            "5/1 onStatus 0 null {{level='error',code='{code}',description='why',clientid='aqueduct'}}"
        );
        assert_eq!(talk.lines(), [expected]);
        talk.mouth.message(4, MessageType::VIDEO, 1, 0, b"\x17\x00");
        talk.hear();
        assert_eq!(talk.media(), []);
    }
}

#[test]
fn the_ways_to_end() {
    let unpublished = unpublished(1);
    let call = |name: &'static str, stream_id: u32, args: Vec<Value>| (name, stream_id, args);
    let ends = [
        (call("deleteStream", 0, vec![1.0.into()]), true),
        (call("deleteStream", 0, vec![text("cam")]), true),
        (call("deleteStream", 0, vec![]), true),
        (call("deleteStream", 0, vec![Value::Null]), true),
        (call("deleteStream", 0, vec![2.0.into()]), false),
        (call("deleteStream", 0, vec![f64::NAN.into()]), false),
        (call("deleteStream", 0, vec![(-1.0).into()]), false),
        (call("deleteStream", 0, vec![f64::INFINITY.into()]), false),
        (call("closeStream", 1, vec![]), true),
        (call("closeStream", 0, vec![]), true),
        (call("closeStream", 2, vec![]), false),
        (call("close", 0, vec![]), true),
    ];
    for ((name, stream_id, args), ended) in ends {
        let mut talk = Talk::publishing();
        talk.mouth
            .call_on(3, stream_id, name, 0.0, Value::Null, args.clone())
            .message(8, 8, 1, 0, b"\xaf\x01");
        let heard = talk.hear();
        let expected: &[String] = if ended {
            std::slice::from_ref(&unpublished)
        } else {
            &[]
        };
        assert_eq!(heard, expected, "{name} {args:?}");
        assert_eq!(talk.media().is_empty(), ended, "{name} {args:?}");
    }
    // Ours.
    let mut talk = Talk::publishing();
    talk.session.finish();
    assert_eq!(talk.lines(), std::slice::from_ref(&unpublished));
    talk.session.finish();
    assert_eq!(talk.lines(), [""; 0]);
    // FCUnpublish alone, then the caller's goodbye.
    let mut talk = Talk::publishing();
    talk.mouth.call("FCUnpublish", 9.0, &[text("cam")]);
    assert_eq!(
        talk.hear(),
        [fc_unpublished(1), "3/0 _result 9 null null".to_owned()]
    );
    talk.session.finish();
    assert_eq!(talk.lines(), [unpublished]);
}

#[test]
fn a_publish_on_stream_0_is_answered_there() {
    let mut talk = Talk::new();
    talk.mouth
        .connect(connect_object("live"))
        .call("publish", 2.0, &cam());
    assert_eq!(talk.hear().last(), Some(&started(0)));
    talk.mouth
        .message(4, MessageType::DATA_AMF0, 0, 0, ON_META_DATA)
        .message(4, 9, 7, 0, b"\x17\x00");
    talk.hear();
    assert_eq!(talk.media().len(), 2);
    talk.mouth.call("deleteStream", 3.0, &[1.0.into()]);
    assert_eq!(talk.hear(), [unpublished(0)]);
}

#[test]
fn transactions_are_echoed_bit_for_bit() {
    let numbers = [
        f64::from_bits(0x7FF8_0000_DEAD_BEEF),
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -1.0,
        1e300,
        f64::MIN_POSITIVE,
        0.5,
    ];
    for number in numbers {
        let mut talk = Talk::publishing();
        for name in [
            "FCPublish",
            "releaseStream",
            "createStream",
            "_checkbw",
            "someCall",
        ] {
            talk.mouth.call(name, number, &[]);
            let bytes = talk.mouth.take();
            talk.read(&mut bytes.as_slice()).expect("a call");
            let output = talk.session.output().split();
            let answers = talk.ear.messages(&output);
            // A string marker, its length, the name; then the number's marker and its bits.
            let payload = &answers[0].payload;
            let at = 3 + usize::from(payload[2]);
            assert_eq!(payload[at], 0);
            assert_eq!(
                payload[at + 1..at + 9],
                number.to_bits().to_be_bytes(),
                "{name}"
            );
        }
    }
    let mut talk = Talk::publishing();
    for zero in [0.0, -0.0] {
        for name in ["FCPublish", "_checkbw", "someCall", "FCSubscribe"] {
            talk.mouth.call(name, zero, &[]);
        }
    }
    assert_eq!(talk.hear(), [""; 0]);
}

#[test]
fn unknown_calls() {
    let mut talk = Talk::publishing();
    talk.mouth
        .call("play", 5.0, &[text("cam")])
        .call("getStreamLength", 6.0, &[text("cam")])
        .call("FCSubscribe", 7.0, &[text("cam")])
        .call("_result", 8.0, &[])
        .call("_error", 9.0, &[])
        .call("onStatus", 10.0, &[]);
    assert_eq!(
        talk.hear(),
        [
            "3/0 _error 5 null {level='error',code='NetConnection.Call.Failed',description='Method not found.'}",
            "3/0 _result 6 null null",
            "3/0 _result 7 null null",
        ]
    );
}

#[test]
fn commands_with_fewer_than_three_values() {
    // The name alone: 02, length, name.
    let alone = |name: &str| {
        let mut payload = vec![2, 0, u8::try_from(name.len()).expect("a short name")];
        payload.extend_from_slice(name.as_bytes());
        payload
    };
    let mut talk = Talk::new();
    talk.mouth
        .message(3, MessageType::COMMAND_AMF0, 0, 0, &alone("connect"));
    let heard = talk.hear();
    assert_eq!(heard[..3], CONNECTED[..3]);
    assert!(heard[3].starts_with("3/0 _result 0 "), "{heard:?}");
    for name in [
        "createStream",
        "releaseStream",
        "deleteStream",
        "FCUnpublish",
        "closeStream",
        "x",
    ] {
        talk.mouth
            .message(3, MessageType::COMMAND_AMF0, 0, 0, &alone(name));
        assert_eq!(talk.hear(), [""; 0], "{name}");
    }
    // As AMF3, with and without its format byte.
    let with_format = [
        b"\0".as_slice(),
        &alone("_checkbw"),
        b"\x00\x40\x00\x00\x00\x00\x00\x00\x00",
    ]
    .concat();
    talk.mouth
        .message(3, MessageType::COMMAND_AMF3, 0, 0, &with_format)
        .message(3, MessageType::COMMAND_AMF3, 0, 0, &with_format[1..]);
    assert_eq!(talk.hear(), ["3/0 _result 2 null null"; 2]);
    talk.mouth
        .message(3, MessageType::COMMAND_AMF0, 0, 0, &alone("publish"));
    assert_eq!(talk.try_hear(), Err(ServerError::NoStreamName));
}

#[test]
fn data_messages() {
    let mut talk = Talk::publishing();
    talk.mouth
        .message(4, MessageType::DATA_AMF0, 1, 0, SET_DATA_FRAME)
        .message(
            4,
            MessageType::DATA_AMF0,
            1,
            0,
            b"\x02\x00\x0f@clearDataFrame\x02\x00\x0aonMetaData",
        )
        .message(4, MessageType::DATA_AMF0, 1, 0, b"")
        .message(
            4,
            MessageType::DATA_AMF3,
            1,
            1,
            &[b"\0", SET_DATA_FRAME, ON_META_DATA].concat(),
        )
        .message(
            4,
            MessageType::DATA_AMF0,
            0,
            2,
            b"\x02\x00\x0aonTextData\x05",
        )
        .message(
            4,
            MessageType::DATA_AMF0,
            1,
            3,
            b"\x02\x00\x11|RtmpSampleAccess\x01\x00\x01\x00",
        );
    talk.hear();
    assert_eq!(
        talk.media(),
        [
            media(MediaKind::Data, 1, ON_META_DATA),
            media(MediaKind::Data, 2, b"\x02\x00\x0aonTextData\x05"),
            media(
                MediaKind::Data,
                3,
                b"\x02\x00\x11|RtmpSampleAccess\x01\x00\x01\x00"
            ),
        ]
    );
}

#[test]
fn aggregates_are_split() {
    let part = |type_id: u8, timestamp: u32, payload: &[u8]| {
        let [_, l0, l1, l2] = u32::try_from(payload.len()).expect("short").to_be_bytes();
        let [t3, t0, t1, t2] = timestamp.to_be_bytes();
        let mut bytes = vec![type_id, l0, l1, l2, t0, t1, t2, t3, 0, 0, 0];
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(
            &u32::try_from(payload.len() + 11)
                .expect("short")
                .to_be_bytes(),
        );
        bytes
    };
    let mut talk = Talk::publishing();
    let wrapped = [SET_DATA_FRAME, ON_META_DATA].concat();
    let aggregate = [
        part(18, 500, &wrapped),
        part(9, 500, b"\x17\x01"),
        part(8, 523, b"\xaf\x01"),
        part(9, 540, b""),
    ]
    .concat();
    talk.mouth
        .message(4, MessageType::AGGREGATE, 1, 1000, &aggregate)
        .message(4, 8, 1, 1100, b"\xaf\x02");
    talk.hear();
    assert_eq!(
        talk.media(),
        [
            media(MediaKind::Data, 1000, ON_META_DATA),
            media(MediaKind::Video, 1000, b"\x17\x01"),
            media(MediaKind::Audio, 1023, b"\xaf\x01"),
            media(MediaKind::Video, 1040, b""),
            media(MediaKind::Audio, 1100, b"\xaf\x02"),
        ]
    );
    talk.mouth
        .message(4, MessageType::AGGREGATE, 1, 0, &part(22, 0, b"x"));
    assert!(matches!(
        talk.try_hear(),
        Err(ServerError::Link(LinkError::Aggregate(_)))
    ));
}
