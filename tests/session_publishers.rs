//! Publishers of every make: what they say, and what they have to hear.

#![allow(clippy::expect_used, reason = "tests")]

mod session_peer;

use aqueduct::rtmp::amf0::Value;
use aqueduct::rtmp::message::MessageType;
use aqueduct::rtmp::session::MediaKind;
use aqueduct::rtmp::session::server::{ServerError, ServerEvent, UnpublishReason};
use session_peer::publisher::{
    CONNECTED, Talk, connect_object, fc_started, fc_unpublished, media, started, unpublished,
};
use session_peer::{ON_META_DATA, SET_DATA_FRAME, cam, object, text};

#[test]
fn obs() {
    let mut talk = Talk::new();
    let url = "rtmp://host/live";
    talk.mouth.set_chunk_size(4096).connect(object(&[
        ("app", text("live")),
        ("type", text("nonprivate")),
        ("flashVer", text("FMLE/3.0 (compatible; FMSc/1.0)")),
        ("swfUrl", text(url)),
        ("tcUrl", text(url)),
    ]));
    assert_eq!(talk.hear(), CONNECTED);
    assert_eq!(talk.connected().app, "live");
    assert_eq!(talk.connected().tc_url, url);
    assert_eq!(
        talk.connected().flash_ver,
        "FMLE/3.0 (compatible; FMSc/1.0)"
    );
    assert!(!talk.connected().enhanced);

    talk.mouth
        .call("releaseStream", 2.0, &[text("cam?key=x")])
        .call("FCPublish", 3.0, &[text("cam?key=x")])
        .call("createStream", 4.0, &[]);
    assert_eq!(
        talk.hear(),
        [
            "3/0 _result 2 null null",
            "3/0 _result 3 null null",
            "3/0 _result 4 null 1"
        ]
    );
    talk.mouth
        .publish(1, 5.0, &[text("cam?key=x"), text("live")]);
    assert_eq!(
        talk.hear(),
        ["2/0 event 0 1".to_owned(), fc_started(1), started(1)]
    );
    assert_eq!(
        (
            talk.published().app.as_str(),
            talk.published().name.as_str()
        ),
        ("live", "cam?key=x")
    );

    // OBS puts everything on one chunk stream.
    let wrapped = [SET_DATA_FRAME, ON_META_DATA].concat();
    talk.mouth
        .message(4, MessageType::DATA_AMF0, 1, 0, &wrapped)
        .message(4, MessageType::AUDIO, 1, 0, b"\xaf\x00\x12\x10")
        .message(4, MessageType::VIDEO, 1, 0, b"\x17\x00\x00\x00\x00")
        .message(4, MessageType::VIDEO, 1, 33, b"\x17\x01\x00\x00\x00frame");
    assert_eq!(talk.hear(), [""; 0]);
    assert_eq!(
        talk.media(),
        [
            media(MediaKind::Data, 0, ON_META_DATA),
            media(MediaKind::Audio, 0, b"\xaf\x00\x12\x10"),
            media(MediaKind::Video, 0, b"\x17\x00\x00\x00\x00"),
            media(MediaKind::Video, 33, b"\x17\x01\x00\x00\x00frame"),
        ]
    );
    talk.mouth
        .call("FCUnpublish", 6.0, &[text("cam?key=x")])
        .call("deleteStream", 7.0, &[1.0.into()]);
    assert_eq!(
        talk.hear(),
        [
            fc_unpublished(1),
            "3/0 _result 6 null null".to_owned(),
            unpublished(1)
        ]
    );
    let ends = talk
        .events
        .iter()
        .filter(|event| matches!(event, ServerEvent::Unpublished(_)));
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [&ServerEvent::Unpublished(UnpublishReason::FcUnpublish)]
    );
    // Everything was said already.
    talk.session.finish();
    assert_eq!(talk.lines(), [""; 0]);
}

#[test]
fn ffmpeg() {
    let mut talk = Talk::new();
    talk.mouth.connect(object(&[
        ("app", text("live")),
        (
            "fourCcList",
            Value::StrictArray(vec![text("hvc1"), text("av01")]),
        ),
        ("type", text("nonprivate")),
        ("flashVer", text("FMLE/3.0 (compatible; Lavf60.16.100)")),
        ("tcUrl", text("rtmp://127.0.0.1:1935/live")),
    ]));
    assert_eq!(talk.hear(), CONNECTED);
    assert!(talk.connected().enhanced);
    // It echoes our chunk size and then uses it.
    talk.mouth
        .set_chunk_size(60_000)
        .call("releaseStream", 2.0, &[text("cam")])
        .call("FCPublish", 3.0, &[text("cam")])
        .call("createStream", 4.0, &[]);
    assert_eq!(talk.hear().len(), 3);
    talk.mouth.publish(1, 5.0, &cam());
    assert_eq!(
        talk.hear(),
        ["2/0 event 0 1".to_owned(), fc_started(1), started(1)]
    );

    // Three keyframes' worth in one chunk, then the same across several.
    let frame: &'static [u8] = vec![0x17; 150_000].leak();
    talk.mouth
        .message(6, MessageType::VIDEO, 1, 40, frame)
        .message(4, MessageType::AUDIO, 1, 41, b"\xaf\x01a");
    talk.hear();
    assert_eq!(
        talk.media(),
        [
            media(MediaKind::Video, 40, frame),
            media(MediaKind::Audio, 41, b"\xaf\x01a")
        ]
    );
    talk.mouth
        .call("FCUnpublish", 6.0, &[text("cam")])
        .call("deleteStream", 7.0, &[1.0.into()]);
    assert_eq!(talk.hear().last(), Some(&unpublished(1)));
}

#[test]
fn gstreamer() {
    let mut talk = Talk::new();
    talk.mouth.connect(connect_object("live"));
    assert_eq!(talk.hear(), CONNECTED);
    talk.mouth
        .call("releaseStream", 0.0, &[text("cam")])
        .call("FCPublish", 0.0, &[text("cam")])
        .call("createStream", 2.0, &[]);
    assert_eq!(talk.hear(), ["3/0 _result 2 null 1"]);
    talk.mouth.publish(1, 0.0, &cam());
    assert_eq!(
        talk.hear(),
        ["2/0 event 0 1".to_owned(), fc_started(1), started(1)]
    );
    talk.mouth
        .call_on(4, 1, "closeStream", 0.0, Value::Null, vec![])
        .call("deleteStream", 0.0, &[text("cam")]);
    assert_eq!(talk.hear(), [unpublished(1)]);
    assert_eq!(
        talk.events.last(),
        Some(&ServerEvent::Unpublished(UnpublishReason::CloseStream))
    );
}

#[test]
fn librtmp_begins_its_control_stream_with_format_1() {
    let mut talk = Talk::new();
    // Format 1 on a fresh chunk stream 2: Set Chunk Size 4096.
    talk.mouth
        .raw(b"\x42\x00\x00\x00\x00\x00\x04\x01\x00\x00\x10\x00");
    talk.mouth.chunk_size = 4096;
    talk.mouth.connect(connect_object("live"));
    assert_eq!(talk.hear(), CONNECTED);
}

#[test]
fn fmle_waits_for_on_fc_publish() {
    let mut talk = Talk::new();
    talk.mouth
        .connect(connect_object("live"))
        .call("releaseStream", 2.0, &[text("cam")])
        .call("FCPublish", 3.0, &[text("cam")])
        .call("createStream", 4.0, &[])
        .publish(1, 5.0, &cam());
    let heard = talk.hear();
    assert!(heard.contains(&fc_started(1)), "{heard:?}");
    // A message that starts with format 3 adds the last delta: 26, then 52.
    talk.mouth
        .raw(b"\x04\x00\x00\x1a\x00\x00\x02\x08\x01\x00\x00\x00\xaf\x01")
        .raw(b"\xc4\xaf\x02");
    talk.hear();
    assert_eq!(
        talk.media(),
        [
            media(MediaKind::Audio, 26, b"\xaf\x01"),
            media(MediaKind::Audio, 52, b"\xaf\x02")
        ]
    );
}

#[test]
fn haivision_checks_the_bandwidth_first() {
    let mut talk = Talk::new();
    talk.mouth
        .connect(connect_object("live"))
        .call("_checkbw", 2.0, &[]);
    assert_eq!(
        talk.hear().last().map(String::as_str),
        Some("3/0 _result 2 null null")
    );
    talk.mouth
        .call("createStream", 3.0, &[])
        .publish(1, 4.0, &cam());
    assert_eq!(
        talk.hear(),
        [
            "3/0 _result 3 null 1".to_owned(),
            "2/0 event 0 1".to_owned(),
            started(1)
        ]
    );
}

#[test]
fn minimal_and_flash_like_publishers() {
    let array = |entries: &[(&str, Value)]| match object(entries) {
        Value::Object(properties) => Value::EcmaArray(properties),
        other => other,
    };
    let more = Value::StrictArray(vec![1.0.into()]);
    let table = [
        // A tcUrl in lower case and in quotes, in an ECMA array; the publish has no type.
        (
            array(&[
                ("app", text("live/")),
                ("tcurl", text("'rtmp://host/live'")),
            ]),
            vec![],
            vec![text("cam")],
            ("live", "cam"),
        ),
        // No app at all, and arguments behind the object.
        (
            object(&[("tcUrl", text("rtmp://host/live"))]),
            vec![more],
            vec![text("cam"), text("live")],
            ("live", "cam"),
        ),
        (
            connect_object("live/_definst_"),
            vec![],
            vec![text("cam"), text("whatever")],
            ("live", "cam"),
        ),
        (
            connect_object("live"),
            vec![],
            vec![text("cam"), text("record"), Value::Null],
            ("live", "cam"),
        ),
        // The stream in the address, its key in the key box.
        (
            connect_object("live/cam"),
            vec![],
            vec![text(""), text("live")],
            ("live", "cam"),
        ),
        (
            connect_object("live/cam"),
            vec![],
            vec![text("?key=x"), text("live")],
            ("live", "cam?key=x"),
        ),
        (connect_object("live/cam"), vec![], vec![], ("live", "cam")),
    ];
    for (connect, connect_args, publish_args, (app, name)) in table {
        let mut talk = Talk::new();
        talk.mouth
            .call_on(3, 0, "connect", 1.0, connect, connect_args)
            .call("createStream", 2.0, &[])
            .publish(1, 3.0, &publish_args);
        let heard = talk.hear();
        assert_eq!(heard.last(), Some(&started(1)), "{name}");
        assert_eq!(
            (
                talk.published().app.as_str(),
                talk.published().name.as_str()
            ),
            (app, name)
        );
    }
}

#[test]
fn keys_are_kept_wherever_they_stand_and_never_printed() {
    for (app, tc_url) in [
        ("live?key=canary", "rtmp://host/live"),
        ("live", "rtmp://host/live?key=canary"),
    ] {
        let mut talk = Talk::new();
        talk.mouth
            .connect(object(&[("app", text(app)), ("tcUrl", text(tc_url))]))
            .call("createStream", 2.0, &[])
            .publish(1, 3.0, &[text("cam?key=canary"), text("live")]);
        talk.hear();
        assert_eq!(talk.connected().app, "live");
        assert_eq!(talk.connected().query.expose(), "key=canary");
        assert_eq!(talk.published().query.expose(), "key=canary");
        assert_eq!(talk.published().name, "cam?key=canary");
        let printed = format!("{:?} {:?}", talk.events, talk.session);
        assert!(!printed.contains("canary"), "{printed}");
    }
}

#[test]
fn a_publish_without_a_stream_is_told_so() {
    let mut talk = Talk::new();
    talk.mouth
        .connect(connect_object("live"))
        .call("createStream", 2.0, &[])
        .publish(1, 3.0, &[text("?key=x"), text("live")]);
    assert_eq!(talk.try_hear(), Err(ServerError::NoStreamName));
    let heard = talk.lines();
    let last = heard.last().expect("a status");
    assert!(
        last.starts_with("5/1 onStatus 0 null {level='error',code='NetStream.Publish.BadName'"),
        "{last}"
    );
}
