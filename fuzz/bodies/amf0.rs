//! Whatever comes: no panic, and what is read can be written and reads the same.

use aqueduct::rtmp::amf0::{Amf0Error, Decoder, decode, encode};
use aqueduct::rtmp::command::Command;

/// All bytes are a message's body.
pub fn run(bytes: &[u8]) {
    let _ = Command::decode(17, bytes);
    let mut decoder = Decoder::new(bytes);
    let mut before = 0;
    while let Ok(Some(_)) = decoder.next_value() {
        assert!(decoder.position() > before && decoder.position() <= bytes.len());
        before = decoder.position();
    }
    let Ok(values) = decode(bytes) else {
        return;
    };
    let mut written = Vec::new();
    values.iter().for_each(|value| encode(&mut written, value));
    match decode(&written) {
        // Compared as bytes: NaN is unequal to itself.
        Ok(read) => {
            let mut again = Vec::new();
            read.iter().for_each(|value| encode(&mut again, value));
            assert_eq!(again, written);
        }
        Err(error) => assert_eq!(error, Amf0Error::StringsTooLong, "{values:?}"),
    }
}
