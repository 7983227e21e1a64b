//! Commands as bodies of messages: types 20 and 17, and what minimal clients leave out.

use aqueduct::rtmp::amf0::{Amf0Error, Value, encode};
use aqueduct::rtmp::command::{Command, CommandError, amf0_part};
use aqueduct::rtmp::limits::COMMAND_BYTES_MAX;
use aqueduct::rtmp::message::MessageType;

const AMF0: u8 = MessageType::COMMAND_AMF0;
const AMF3: u8 = MessageType::COMMAND_AMF3;

fn body(values: &[Value]) -> Vec<u8> {
    let mut body = Vec::new();
    values.iter().for_each(|value| encode(&mut body, value));
    body
}

#[test]
fn a_command_survives_encoding() {
    let object = Value::Object(vec![
        ("app".to_owned(), "live".into()),
        ("tcUrl".to_owned(), "rtmp://h/live".into()),
    ]);
    let command = Command::new("connect", 1.0, object, vec!["x".into(), Value::Null]);
    assert_eq!(Command::decode(AMF0, &command.encode()), Ok(command));
}

#[test]
fn missing_values_are_null() {
    let named = |transaction, object, args| Ok(Command::new("close", transaction, object, args));
    assert_eq!(
        Command::decode(AMF0, &body(&["close".into()])),
        named(0.0, Value::Null, vec![])
    );
    assert_eq!(
        Command::decode(AMF0, &body(&["close".into(), 3.0.into()])),
        named(3.0, Value::Null, vec![])
    );
    let strange = body(&["close".into(), "three".into(), true.into(), 5.0.into()]);
    assert_eq!(
        Command::decode(AMF0, &strange),
        named(0.0, true.into(), vec![5.0.into()])
    );
}

#[test]
fn a_transaction_keeps_its_bits() {
    for bits in [
        f64::NAN.to_bits() | 1,
        (-0.0_f64).to_bits(),
        f64::NEG_INFINITY.to_bits(),
        1e300_f64.to_bits(),
    ] {
        let command = Command::new("x", f64::from_bits(bits), Value::Null, vec![]);
        let decoded = Command::decode(AMF0, &command.encode()).unwrap();
        assert_eq!(decoded.transaction.to_bits(), bits);
        assert_eq!(decoded.encode(), command.encode());
    }
}

#[test]
fn type_17_may_have_its_format_byte_or_not() {
    let command = Command::new("createStream", 2.0, Value::Null, vec![]);
    let plain = command.encode();
    let formatted = [&[0], &plain[..]].concat();
    assert_eq!(Command::decode(AMF3, &plain), Ok(command.clone()));
    assert_eq!(Command::decode(AMF3, &formatted), Ok(command));
    assert_eq!(
        Command::decode(AMF0, &formatted)
            .ok()
            .map(|command| command.name),
        None,
        "type 20 has none"
    );
    assert_eq!(
        amf0_part(MessageType::DATA_AMF3, b"\x00\x02\x00\x01a"),
        b"\x02\x00\x01a"
    );
    assert_eq!(
        amf0_part(MessageType::DATA_AMF3, b"\x02\x00\x01a"),
        b"\x02\x00\x01a"
    );
    assert_eq!(
        amf0_part(MessageType::DATA_AMF0, b"\x00\x02\x00\x01a"),
        b"\x00\x02\x00\x01a"
    );
    assert_eq!(amf0_part(MessageType::DATA_AMF3, b"\x00"), b"\x00");
}

#[test]
fn what_is_no_command_is_refused() {
    assert_eq!(Command::decode(AMF0, b""), Err(CommandError::Unnamed));
    assert_eq!(
        Command::decode(AMF3, b"\x00"),
        Err(CommandError::Amf0(Amf0Error::Truncated { offset: 1 }))
    );
    assert_eq!(
        Command::decode(AMF0, &body(&[1.0.into()])),
        Err(CommandError::Unnamed)
    );
    assert_eq!(
        Command::decode(AMF0, b"\x02\x00\x05x"),
        Err(CommandError::Amf0(Amf0Error::Truncated { offset: 3 }))
    );
    let length = COMMAND_BYTES_MAX + 1;
    assert_eq!(
        Command::decode(AMF0, &vec![5; length]),
        Err(CommandError::TooLong { length })
    );
}
