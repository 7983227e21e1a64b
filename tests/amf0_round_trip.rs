//! AMF0 that we write is AMF0 that we read, and arbitrary bytes cost nothing but an error.

use aqueduct::rtmp::amf0::{Value, decode, encode};
use aqueduct::rtmp::command::Command;
use proptest::prelude::*;

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<f64>().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,20}".prop_map(Value::String),
        Just(Value::String("long ".repeat(14_000 / 5))),
        Just(Value::Null),
        Just(Value::Undefined),
        Just(Value::Unsupported),
        any::<u16>().prop_map(Value::Reference),
        (any::<f64>(), any::<i16>()).prop_map(|(millis, zone)| Value::Date { millis, zone }),
        ".{0,20}".prop_map(Value::Xml),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 24, 5, |inner| {
        let properties = || prop::collection::vec((".{0,8}", inner.clone()), 0..5);
        prop_oneof![
            properties().prop_map(Value::Object),
            properties().prop_map(Value::EcmaArray),
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::StrictArray),
            (".{0,8}", properties())
                .prop_map(|(class, properties)| Value::TypedObject { class, properties }),
        ]
    })
}

fn encoded(values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    values.iter().for_each(|value| encode(&mut bytes, value));
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_written_is_read(values in prop::collection::vec(value(), 0..4)) {
        let bytes = encoded(&values);
        // Compared as bytes and as text: NaN is unequal to itself.
        match decode(&bytes) {
            Ok(read) => {
                prop_assert_eq!(format!("{read:?}"), format!("{values:?}"));
                prop_assert_eq!(encoded(&read), bytes);
            }
            Err(error) => prop_assert!(error.to_string().contains("pass"), "only text can be too much: {error}"),
        }
    }

    #[test]
    fn values_with_a_byte_changed_or_cut_off_do_no_harm(
        values in prop::collection::vec(value(), 1..4),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encoded(&values);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&bytes);
        let _ = Command::decode(17, &bytes);
        let _ = decode(&bytes[..at]);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(values) = decode(&bytes) {
            // What was read can be written, and reads the same again.
            prop_assert_eq!(format!("{:?}", decode(&encoded(&values))), format!("Ok({values:?})"));
        }
        let _ = Command::decode(20, &bytes);
    }
}

#[test]
fn names_that_are_too_long_are_cut_at_a_character() {
    let name = format!("{}\u{20ac}", "a".repeat(65_533));
    let bytes = encoded(&[Value::Object(vec![(name, Value::Null)])]);
    let kept = Value::Object(vec![("a".repeat(65_533), Value::Null)]);
    assert_eq!(decode(&bytes), Ok(vec![kept]));
}

#[test]
fn strings_become_long_strings_where_they_must() {
    for (length, marker) in [(0, 2), (65_535, 2), (65_536, 12)] {
        let text = Value::String("a".repeat(length));
        let bytes = encoded(std::slice::from_ref(&text));
        assert_eq!(bytes[0], marker);
        assert_eq!(decode(&bytes), Ok(vec![text]));
    }
}
