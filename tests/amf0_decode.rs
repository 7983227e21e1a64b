//! AMF0 as peers send it: what is read, what is refused, and that nothing a peer claims costs more than it sent.

use aqueduct::rtmp::amf0::{Amf0Error, Decoder, Value, decode};
use aqueduct::rtmp::limits::{AMF0_DEPTH_MAX, AMF0_STRING_BYTES_MAX, AMF0_VALUES_MAX};

fn object(properties: &[(&str, Value)]) -> Value {
    Value::Object(owned(properties))
}

fn owned(properties: &[(&str, Value)]) -> Vec<(String, Value)> {
    properties
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

#[test]
fn every_marker_is_read() {
    let cases: &[(&[u8], Value)] = &[
        (b"\x00\x3f\xf8\0\0\0\0\0\0", Value::Number(1.5)),
        (b"\x01\x01", Value::Boolean(true)),
        (b"\x01\x00", Value::Boolean(false)),
        (b"\x02\x00\x02hi", Value::from("hi")),
        (b"\x02\x00\x00", Value::from("")),
        (b"\x02\x00\x01\xff", Value::from("\u{fffd}")),
        (
            b"\x03\x00\x01a\x05\x00\x00\x09",
            object(&[("a", Value::Null)]),
        ),
        (b"\x03\x00\x00\x09", object(&[])),
        // An empty name is a name unless the end marker follows.
        (
            b"\x03\x00\x00\x05\x00\x00\x09",
            object(&[("", Value::Null)]),
        ),
        (b"\x05", Value::Null),
        (b"\x06", Value::Undefined),
        (b"\x07\x01\x02", Value::Reference(0x0102)),
        // The count of an ECMA array is a hint: too small, too large.
        (
            b"\x08\0\0\0\0\x00\x01a\x05\0\0\x09",
            Value::EcmaArray(owned(&[("a", Value::Null)])),
        ),
        (
            b"\x08\xff\xff\xff\xff\0\0\x09",
            Value::EcmaArray(Vec::new()),
        ),
        (
            b"\x0a\0\0\0\x02\x05\x06",
            Value::StrictArray(vec![Value::Null, Value::Undefined]),
        ),
        (
            b"\x0b\x3f\xf0\0\0\0\0\0\0\xff\xc4",
            Value::Date {
                millis: 1.0,
                zone: -60,
            },
        ),
        (b"\x0c\0\0\0\x02hi", Value::from("hi")),
        (b"\x0d", Value::Unsupported),
        (b"\x0f\0\0\0\x04<a/>", Value::Xml("<a/>".to_owned())),
        (
            b"\x10\x00\x01C\x00\x01a\x05\0\0\x09",
            Value::TypedObject {
                class: "C".to_owned(),
                properties: owned(&[("a", Value::Null)]),
            },
        ),
        // AMF3 behind the switch marker: null, a small and a large integer, a double, a string, a reference to one, a
        // date, a byte array.
        (b"\x11\x01", Value::Unsupported),
        (b"\x11\x04\x7f", Value::Unsupported),
        (b"\x11\x04\xff\xff\xff\xff", Value::Unsupported),
        (b"\x11\x05\x3f\xf8\0\0\0\0\0\0", Value::Unsupported),
        (b"\x11\x06\x05hi", Value::Unsupported),
        (b"\x11\x06\x02", Value::Unsupported),
        (b"\x11\x08\x01\x3f\xf8\0\0\0\0\0\0", Value::Unsupported),
        (b"\x11\x0c\x05\xff\xfe", Value::Unsupported),
    ];
    for (bytes, value) in cases {
        assert_eq!(decode(bytes), Ok(vec![value.clone()]), "{bytes:02x?}");
        let followed = [bytes, &b"\x01\x01"[..]].concat();
        assert_eq!(
            decode(&followed),
            Ok(vec![value.clone(), Value::Boolean(true)]),
            "{bytes:02x?} and more"
        );
    }
}

#[test]
fn every_cut_off_value_is_an_error() {
    let whole: &[&[u8]] = &[
        b"\x00\x3f\xf8\0\0\0\0\0\0",
        b"\x01\x01",
        b"\x02\x00\x02hi",
        b"\x03\x00\x01a\x02\x00\x02hi\x00\x00\x09",
        b"\x07\x01\x02",
        b"\x08\0\0\0\x01\x00\x01a\x00\x3f\xf8\0\0\0\0\0\0\0\0\x09",
        b"\x0a\0\0\0\x02\x05\x0c\0\0\0\x01a",
        b"\x0b\x3f\xf0\0\0\0\0\0\0\xff\xc4",
        b"\x10\x00\x01C\x00\x01a\x05\0\0\x09",
        b"\x11\x04\xff\xff\xff\xff",
        b"\x11\x06\x05hi",
    ];
    for bytes in whole {
        assert!(decode(bytes).is_ok());
        for end in 1..bytes.len() {
            let cut = &bytes[..end];
            assert!(
                matches!(decode(cut), Err(Amf0Error::Truncated { .. })),
                "{cut:02x?}"
            );
        }
    }
}

#[test]
fn lengths_and_counts_that_lie_are_errors() {
    let lies: &[&[u8]] = &[
        b"\x02\xff\xffhi",
        b"\x0c\xff\xff\xff\xffhi",
        b"\x0f\x7f\xff\xff\xffhi",
        b"\x0a\xff\xff\xff\xff\x05",
        b"\x11\x0c\xff\xff\xff\xffhi",
    ];
    for bytes in lies {
        assert!(
            matches!(decode(bytes), Err(Amf0Error::Truncated { .. })),
            "{bytes:02x?}"
        );
    }
}

#[test]
fn unknown_markers_are_errors_that_say_where() {
    // 4 and 14 are reserved; 9 ends an object and stands nowhere else.
    for marker in [0x04, 0x09, 0x0e, 0x12, 0xff] {
        let error = decode(&[0x05, marker]);
        assert_eq!(error, Err(Amf0Error::UnknownMarker { marker, offset: 1 }));
    }
    assert_eq!(
        decode(b"\x05\x11\x0a"),
        Err(Amf0Error::Amf3Container {
            marker: 0x0a,
            offset: 2
        })
    );
}

/// `depth` containers, one in the other, with a null in the innermost.
fn nested(open: &[u8], close: &[u8], depth: usize) -> Vec<u8> {
    [open.repeat(depth), vec![0x05], close.repeat(depth)].concat()
}

#[test]
fn nesting_is_bounded() {
    let containers: &[(&[u8], &[u8])] = &[
        (b"\x03\x00\x01a", b"\0\0\x09"),
        (b"\x08\0\0\0\x01\x00\x01a", b"\0\0\x09"),
        (b"\x0a\0\0\0\x01", b""),
        (b"\x10\x00\x01C\x00\x01a", b"\0\0\x09"),
    ];
    for (open, close) in containers {
        assert!(decode(&nested(open, close, AMF0_DEPTH_MAX)).is_ok());
        assert_eq!(
            decode(&nested(open, close, AMF0_DEPTH_MAX + 1)),
            Err(Amf0Error::TooDeep)
        );
        let deep = nested(open, close, 16 * 1024 / open.len());
        assert_eq!(
            decode(&deep),
            Err(Amf0Error::TooDeep),
            "16 KiB of {open:02x?}"
        );
    }
}

#[test]
fn values_and_text_are_bounded_over_the_whole_message() {
    assert_eq!(
        decode(&[0x05].repeat(AMF0_VALUES_MAX)).map(|values| values.len()),
        Ok(AMF0_VALUES_MAX)
    );
    assert_eq!(
        decode(&[0x05].repeat(AMF0_VALUES_MAX + 1)),
        Err(Amf0Error::TooManyValues {
            limit: AMF0_VALUES_MAX
        })
    );
    let claimed = [
        &b"\x0a\xff\xff\xff\xff"[..],
        &[0x05].repeat(AMF0_VALUES_MAX),
    ]
    .concat();
    assert_eq!(
        decode(&claimed),
        Err(Amf0Error::TooManyValues {
            limit: AMF0_VALUES_MAX
        })
    );

    let text = |length: usize, byte: u8| {
        [
            &[0x0c][..],
            &(length as u32).to_be_bytes(),
            &[byte].repeat(length),
        ]
        .concat()
    };
    assert!(decode(&text(AMF0_STRING_BYTES_MAX, b'a')).is_ok());
    assert_eq!(
        decode(&text(AMF0_STRING_BYTES_MAX + 1, b'a')),
        Err(Amf0Error::StringsTooLong)
    );
    let halves = [
        text(AMF0_STRING_BYTES_MAX / 2, b'a'),
        text(AMF0_STRING_BYTES_MAX / 2 + 1, b'a'),
    ]
    .concat();
    assert_eq!(decode(&halves), Err(Amf0Error::StringsTooLong));
    // The repair of bytes that are no UTF-8 triples them.
    assert_eq!(
        decode(&text(AMF0_STRING_BYTES_MAX / 2, 0xff)),
        Err(Amf0Error::StringsTooLong)
    );
}

#[test]
fn order_and_duplicates_of_properties_are_kept() {
    let bytes = b"\x03\x00\x01z\x01\x01\x00\x01a\x05\x00\x01z\x01\x00\x00\x00\x09";
    let expected = object(&[
        ("z", Value::Boolean(true)),
        ("a", Value::Null),
        ("z", Value::Boolean(false)),
    ]);
    let values = decode(bytes).unwrap();
    assert_eq!(values, [expected]);
    assert_eq!(
        values[0].property("z"),
        Some(&Value::Boolean(true)),
        "the first of its name"
    );
    assert_eq!(values[0].property("Z"), None);
    assert_eq!(
        values[0].property_ignore_case("Z"),
        Some(&Value::Boolean(true))
    );
    assert_eq!(values[0].property("b"), None);
    assert_eq!(Value::Null.property("z"), None);
}

#[test]
fn the_position_is_where_the_next_value_begins() {
    let bytes = b"\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData\x08\0\0\0\0\0\0\x09";
    let mut decoder = Decoder::new(bytes);
    assert_eq!(decoder.position(), 0);
    assert_eq!(decoder.next_value(), Ok(Some(Value::from("@setDataFrame"))));
    assert_eq!(decoder.position(), 16);
    assert_eq!(decoder.next_value(), Ok(Some(Value::from("onMetaData"))));
    assert_eq!(decoder.position(), 29);
    assert_eq!(decoder.next_value(), Ok(Some(Value::EcmaArray(Vec::new()))));
    assert_eq!(decoder.position(), bytes.len());
    assert_eq!(decoder.next_value(), Ok(None));
}
