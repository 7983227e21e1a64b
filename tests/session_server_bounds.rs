//! What a publisher can make our server session do at most.

#![allow(clippy::expect_used, reason = "tests")]

mod session_peer;

use std::time::Duration;

use aqueduct::rtmp::amf0::{Amf0Error, Value};
use aqueduct::rtmp::command::CommandError;
use aqueduct::rtmp::limits;
use aqueduct::rtmp::message::MessageType;
use aqueduct::rtmp::session::LinkError;
use aqueduct::rtmp::session::server::ServerError;
use session_peer::publisher::{Talk, connect_object, started};
use session_peer::{object, text};

#[test]
fn acknowledgements_carry_the_running_total() {
    let mut talk = Talk::publishing();
    let mut expected = Vec::new();
    let mut heard = Vec::new();
    talk.mouth.set_chunk_size(65_536);
    talk.mouth.message(
        2,
        MessageType::WINDOW_ACK_SIZE,
        0,
        0,
        &100_000u32.to_be_bytes(),
    );
    let (mut total, mut acknowledged) = (talk.session.bytes_in(), 0);
    let frame = vec![0x27; 30_000];
    for timestamp in 0..20 {
        talk.mouth
            .message(6, MessageType::VIDEO, 1, timestamp, &frame);
        total += talk.mouth.bytes.len() as u64;
        // All of it comes in one read, so an acknowledgement falls on the end of a message.
        heard.extend(talk.hear());
        if total - acknowledged >= 100_000 {
            acknowledged = total;
            expected.push(format!("2/0 ack {total}"));
        }
    }
    assert!(expected.len() >= 5);
    assert_eq!(heard, expected);
    assert_eq!(talk.session.bytes_in(), total);
}

#[test]
fn acknowledgements_come_without_a_window_and_small_windows_do_not_count() {
    let mut talk = Talk::publishing();
    for window in [0, 1, 32 * 1024 - 1] {
        talk.mouth.message(
            2,
            MessageType::WINDOW_ACK_SIZE,
            0,
            0,
            &u32::to_be_bytes(window),
        );
    }
    talk.mouth.set_chunk_size(65_536);
    assert_eq!(talk.hear(), [""; 0]);
    let mut acks = 0;
    let frame = vec![0x27; 100_000];
    for timestamp in 0..60 {
        talk.mouth
            .message(6, MessageType::VIDEO, 1, timestamp, &frame);
        acks += talk.hear().len();
    }
    assert_eq!(acks, 2, "6 MB at one every 2.5 MB");
}

#[test]
fn pings_are_answered_five_times_a_second() {
    let mut talk = Talk::publishing();
    for time in 0..100u32 {
        talk.mouth.message(
            2,
            MessageType::USER_CONTROL,
            0,
            0,
            &[&[0, 6], time.to_be_bytes().as_slice()].concat(),
        );
    }
    assert_eq!(
        talk.hear(),
        (0..5)
            .map(|time| format!("2/0 event 7 {time}"))
            .collect::<Vec<_>>()
    );
    talk.now += Duration::from_secs(1);
    talk.mouth.message(
        2,
        MessageType::USER_CONTROL,
        0,
        0,
        b"\x00\x06\xff\xff\xff\xff",
    );
    assert_eq!(talk.hear(), ["2/0 event 7 4294967295"]);
}

#[test]
fn control_messages_that_mean_nothing_to_us() {
    let mut talk = Talk::publishing();
    for type_id in [3, 4, 5, 6] {
        for length in 0..4 {
            talk.mouth.message(5, type_id, 0, 0, &[0; 4][..length]);
        }
    }
    for event in [0u8, 1, 2, 3, 4, 5, 7, 26, 27, 31, 32, 33, 255] {
        talk.mouth.message(
            6,
            MessageType::USER_CONTROL,
            0,
            0,
            &[0, event, 0, 0, 0, 1, 0, 0, 0, 9],
        );
        talk.mouth
            .message(6, MessageType::USER_CONTROL, 0, 0, &[0, event]);
    }
    // A ping without its time.
    talk.mouth
        .message(6, MessageType::USER_CONTROL, 0, 0, b"\x00\x06\x00\x00\x00");
    talk.mouth
        .message(6, MessageType::ACKNOWLEDGEMENT, 0, 0, &[0xFF; 4]);
    talk.mouth
        .message(6, MessageType::ABORT, 0, 0, &[0, 0, 0, 9]);
    talk.mouth
        .message(6, MessageType::SHARED_OBJECT_AMF0, 0, 0, b"x");
    talk.mouth
        .message(6, MessageType::SHARED_OBJECT_AMF3, 0, 0, b"x");
    assert_eq!(talk.hear(), [""; 0]);
    // The window that it limits us to is told once, and not again while it stays.
    talk.mouth
        .message(
            2,
            MessageType::SET_PEER_BANDWIDTH,
            0,
            0,
            b"\x00\x26\x25\xa0\x02",
        )
        .message(
            2,
            MessageType::SET_PEER_BANDWIDTH,
            0,
            0,
            b"\x00\x00\xff\xff\x02",
        )
        .message(
            2,
            MessageType::SET_PEER_BANDWIDTH,
            0,
            0,
            b"\x00\x00\xff\xff\x00",
        );
    assert_eq!(talk.hear(), ["2/0 window 65535"]);
}

#[test]
fn unknown_message_types() {
    let mut talk = Talk::publishing();
    for _ in 0..10 {
        talk.mouth
            .message(6, 0, 1, 0, b"?")
            .message(6, 77, 1, 0, b"?")
            .message(6, 8, 1, 0, b"\xaf\x01");
    }
    assert_eq!(talk.hear(), [""; 0]);
    assert_eq!(talk.media().len(), 10);
    talk.mouth
        .message(6, 99, 1, 0, b"?")
        .message(6, 99, 1, 0, b"?")
        .message(6, 21, 1, 0, b"?");
    assert_eq!(
        talk.try_hear(),
        Err(ServerError::Link(LinkError::UnknownMessages))
    );
    // From there on input is swallowed.
    talk.mouth.message(6, 8, 1, 0, b"\xaf\x01").raw(b"\xff");
    assert_eq!(talk.try_hear(), Ok(vec![]));
}

#[test]
fn floods_end_the_conversation() {
    let publishing = Talk::publishing;
    let connected = || {
        let mut talk = Talk::new();
        talk.mouth.connect(connect_object("live"));
        talk.hear();
        talk
    };

    let mut talk = Talk::new();
    talk.mouth.call("createStream", 1.0, &[]);
    assert_eq!(talk.try_hear(), Err(ServerError::NotConnected));

    let mut talk = connected();
    talk.mouth.connect(connect_object("live"));
    assert_eq!(talk.try_hear(), Err(ServerError::SecondConnect));

    let mut talk = connected();
    for transaction in 0..5 {
        talk.mouth
            .call("createStream", 2.0 + f64::from(transaction), &[]);
    }
    assert_eq!(talk.try_hear(), Err(ServerError::TooManyStreams));
    assert_eq!(talk.lines().len(), 4);

    let publish = |talk: &mut Talk| {
        talk.mouth.publish(1, 9.0, &[text("two"), text("live")]);
    };
    let mut talk = publishing();
    publish(&mut talk);
    assert_eq!(talk.try_hear(), Err(ServerError::SecondPublish));
    let mut talk = publishing();
    talk.mouth.call("deleteStream", 0.0, &[1.0.into()]);
    publish(&mut talk);
    assert_eq!(talk.try_hear(), Err(ServerError::SecondPublish));

    // 20 in a second, of which one was the connect.
    let mut talk = connected();
    for _ in 0..20 {
        talk.mouth.call("x", 0.0, &[]);
    }
    assert_eq!(
        talk.try_hear(),
        Err(ServerError::Link(LinkError::TooManyCommands))
    );

    // 64 without a publish, however slowly.
    let mut talk = connected();
    let mut commands = 1;
    let error = loop {
        talk.now += Duration::from_secs(1);
        talk.mouth.call("x", 0.0, &[]);
        commands += 1;
        if let Err(error) = talk.try_hear() {
            break error;
        }
    };
    assert_eq!(
        (error, commands),
        (ServerError::NoPublish, limits::COMMANDS_MAX + 1)
    );
    // With one, only their rate counts.
    let mut talk = publishing();
    for _ in 0..200 {
        talk.now += Duration::from_millis(100);
        talk.mouth.call("x", 1.0, &[]);
        talk.hear();
    }

    // Media without a publish.
    let mut talk = connected();
    let mut messages = 1;
    let error = loop {
        talk.mouth.message(4, 8, 1, 0, b"\xaf\x01");
        messages += 1;
        if let Err(error) = talk.try_hear() {
            break error;
        }
    };
    assert!(talk.media().is_empty());
    assert_eq!(error, ServerError::NoPublish);
    assert!(
        messages <= limits::MESSAGES_BEFORE_PUBLISH_MAX + 2,
        "{messages}"
    );

    // A frame that nobody allowed yet.
    let mut talk = connected();
    talk.mouth
        .message(4, 9, 1, 0, &[0; limits::BEFORE_PUBLISH_BYTES_MAX + 1]);
    assert!(matches!(
        talk.try_hear(),
        Err(ServerError::Link(LinkError::Chunk(_)))
    ));

    // Chunk sizes, back and forth.
    let mut talk = publishing();
    talk.mouth
        .set_chunk_size(200)
        .set_chunk_size(300)
        .set_chunk_size(400);
    assert_eq!(
        talk.try_hear(),
        Err(ServerError::Link(LinkError::ChunkSizeChanges))
    );

    // A peer that talks and never reads.
    let mut talk = publishing();
    let outcome = (0..10_000).find_map(|_| {
        talk.now += Duration::from_millis(100);
        talk.mouth.call("x", 1.0, &[]);
        let bytes = talk.mouth.take();
        talk.read(&mut bytes.as_slice()).err()
    });
    assert_eq!(outcome, Some(ServerError::Link(LinkError::OutputUnread)));
    assert!(talk.session.output().len() <= limits::OUTPUT_BYTES_MAX + 1024);
}

#[test]
fn a_command_has_few_values_until_a_publish_is_accepted() {
    let call = |talk: &mut Talk, values: usize| {
        // Its name, its transaction and its object are values too.
        let args = vec![Value::Null; values - 3];
        talk.mouth.call("x", 0.0, &args);
        talk.try_hear()
    };
    let mut talk = Talk::new();
    talk.mouth.connect(connect_object("live"));
    assert!(call(&mut talk, limits::BEFORE_PUBLISH_VALUES_MAX).is_ok());
    let refused = call(&mut talk, limits::BEFORE_PUBLISH_VALUES_MAX + 1);
    assert!(
        matches!(
            refused,
            Err(ServerError::Link(LinkError::Command(CommandError::Amf0(
                Amf0Error::TooManyValues { .. }
            ))))
        ),
        "{refused:?}"
    );
    let mut talk = Talk::publishing();
    assert_eq!(call(&mut talk, limits::AMF0_VALUES_MAX), Ok(vec![]));
}

#[test]
fn long_names_and_broken_commands() {
    let long = "n".repeat(limits::NAME_BYTES_MAX + 1);
    let fits = "n".repeat(limits::NAME_BYTES_MAX);
    let mut talk = Talk::new();
    talk.mouth
        .connect(connect_object("live"))
        .call("createStream", 2.0, &[])
        .publish(1, 3.0, &[text(&fits), text("live")]);
    assert_eq!(talk.hear().last(), Some(&started(1)));
    let mut talk = Talk::new();
    talk.mouth.connect(connect_object(&long));
    assert_eq!(talk.try_hear(), Err(ServerError::NameTooLong));
    let mut talk = Talk::new();
    talk.mouth
        .connect(connect_object("live"))
        .publish(1, 3.0, &[text(&long), text("live")]);
    assert_eq!(talk.try_hear(), Err(ServerError::NameTooLong));
    // What it calls itself is cut, and no reason to refuse it.
    let mut talk = Talk::new();
    let name = text(&"é".repeat(20_000));
    let object = object(&[("app", text("live")), ("flashVer", name)]);
    talk.mouth.connect(object);
    talk.hear();
    let kept = "é".repeat(limits::CLIENT_NAME_CHARS_MAX);
    assert_eq!(talk.connected().flash_ver, kept);
    for payload in [
        b"".as_slice(),
        b"\x05",
        b"\x02\x00\x07conn",
        b"\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    ] {
        let mut talk = Talk::new();
        talk.mouth
            .message(3, MessageType::COMMAND_AMF0, 0, 0, payload);
        assert!(
            matches!(
                talk.try_hear(),
                Err(ServerError::Link(LinkError::Command(_)))
            ),
            "{payload:?}"
        );
    }
}
