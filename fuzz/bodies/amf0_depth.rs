//! AMF0 that nests, to any depth: what is within the bound is read whole, and what is beyond it is refused, not followed.
//!
//! Bytes that nest properly are rare among random ones, so the fuzzer writes what to nest and not its bytes. The verdict that
//! is due is known then.

use super::amf0::{encoded, size};
use aqueduct::rtmp::amf0::{self, Amf0Error, encode};
use aqueduct::rtmp::command::{Command, CommandError};
use aqueduct::rtmp::limits::AMF0_DEPTH_MAX;
use arbitrary::Unstructured;

/// Levels of one value; the message that holds them stays below the longest command.
const LEVELS_MAX: usize = 5_000;

/// What a decoder says to a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is read, and nests so deep.
    Read(usize),
    /// It nests too deep.
    TooDeep,
    /// It ends inside a value.
    Truncated,
    /// Something else is wrong with it.
    Other,
}

/// A value that is nested as the fuzzer wants it.
struct Nest {
    bytes: Vec<u8>,
    depth: usize,
    is_closed: bool,
}

/// The bytes say what to nest.
pub fn run(bytes: &[u8]) {
    let Some(nest) = drawn(bytes) else { return };
    check(&nest, verdict);
    let command = [b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0", &nest.bytes[..]].concat();
    let of_command = match Command::decode(20, &command) {
        Ok(command) => Ok(size(&command.object).depth),
        Err(CommandError::Amf0(error)) => Err(error),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(judged(of_command), verdict(&nest.bytes));
    if let Ok(values) = amf0::decode(&nest.bytes) {
        let written = encoded(&values);
        assert_eq!(amf0::decode(&written).as_ref(), Ok(&values));
        let mut around = b"\x0a\0\0\0\x01".to_vec();
        encode(&mut around, &values[0]);
        let one_more = match nest.depth {
            AMF0_DEPTH_MAX => Verdict::TooDeep,
            depth => Verdict::Read(depth + 1),
        };
        assert_eq!(verdict(&around), one_more);
    }
}

/// The same for another decoder.
pub fn run_with(bytes: &[u8], decode: impl Fn(&[u8]) -> Verdict) {
    if let Some(nest) = drawn(bytes) {
        check(&nest, decode);
    }
}

fn check(nest: &Nest, decode: impl Fn(&[u8]) -> Verdict) {
    let due = match nest {
        Nest { depth, .. } if *depth > AMF0_DEPTH_MAX => Verdict::TooDeep,
        Nest {
            is_closed: true, ..
        } => Verdict::Read(nest.depth),
        _ => Verdict::Truncated,
    };
    assert_eq!(decode(&nest.bytes), due, "nested {} levels", nest.depth);
}

fn verdict(bytes: &[u8]) -> Verdict {
    let depths =
        amf0::decode(bytes).map(|values| values.iter().map(|value| size(value).depth).max());
    judged(depths.map(Option::unwrap_or_default))
}

fn judged(decoded: Result<usize, Amf0Error>) -> Verdict {
    match decoded {
        Ok(depth) => Verdict::Read(depth),
        Err(Amf0Error::TooDeep) => Verdict::TooDeep,
        Err(Amf0Error::Truncated { .. }) => Verdict::Truncated,
        Err(_) => Verdict::Other,
    }
}

/// A container on the way in.
#[derive(Clone, Copy)]
enum Container {
    Object,
    EcmaArray,
    TypedObject,
    /// Of this value and another one behind it.
    Pair,
    /// Of this value alone.
    Single,
}

/// Levels as they are drawn one by one, then the last one again and again: nothing else reaches thousands.
fn drawn(bytes: &[u8]) -> Option<Nest> {
    let mut choice = Unstructured::new(bytes);
    let is_closed = choice.ratio(3, 4).ok()?;
    let repeats = match choice.ratio(1, 4).ok()? {
        true => choice.int_in_range(0..=LEVELS_MAX).ok()?,
        false => 0,
    };
    let mut bytes = Vec::new();
    let mut levels = Vec::new();
    while let Ok(kind) = choice.int_in_range(0..=4u8) {
        if choice.is_empty() || levels.len() > 2 * AMF0_DEPTH_MAX {
            break;
        }
        let container = match kind {
            0 => Container::Object,
            1 => Container::EcmaArray,
            2 => Container::TypedObject,
            3 => Container::Pair,
            _ => Container::Single,
        };
        open(&mut bytes, container, property(&mut choice));
        levels.push(container);
    }
    let last = *levels.last()?;
    for _ in 0..repeats {
        open(&mut bytes, last, b"");
        levels.push(last);
    }
    let depth = levels.len();
    bytes.push(5);
    if is_closed {
        levels
            .iter()
            .rev()
            .for_each(|level| close(&mut bytes, *level));
    }
    // A list of one value has no end of its own.
    let is_closed = is_closed
        || levels
            .iter()
            .all(|level| matches!(level, Container::Single));
    Some(Nest {
        bytes,
        depth,
        is_closed,
    })
}

/// Everything in front of the value within; an object has the property too.
fn open(bytes: &mut Vec<u8>, container: Container, property: &[u8]) {
    match container {
        Container::Object => bytes.push(3),
        Container::EcmaArray => bytes.extend(b"\x08\0\0\0\x01"),
        Container::TypedObject => bytes.extend(b"\x10\0\x01C"),
        Container::Pair => return bytes.extend(b"\x0a\0\0\0\x02"),
        Container::Single => return bytes.extend(b"\x0a\0\0\0\x01"),
    }
    bytes.extend(property);
    bytes.extend(b"\0\x01k");
}

/// Everything behind it.
fn close(bytes: &mut Vec<u8>, container: Container) {
    match container {
        Container::Single => {}
        Container::Pair => bytes.push(6),
        Container::Object | Container::EcmaArray | Container::TypedObject => {
            bytes.extend(b"\0\0\x09")
        }
    }
}

/// A property before the one that nests, or none.
fn property(choice: &mut Unstructured<'_>) -> &'static [u8] {
    match choice.int_in_range(0..=31u8).unwrap_or_default() {
        1 => b"\0\x01s\0\x40\x09\x21\xfb\x54\x44\x2d\x18",
        2 => b"\0\x01s\x01\x01",
        3 => b"\0\x01s\x02\0\x03abc",
        4 => b"\0\x01s\x0b\0\0\0\0\0\0\0\0\0\0",
        5 => b"\0\x01s\x0c\0\0\0\x02xy",
        6 => b"\0\x01s\x0d",
        _ => b"",
    }
}
