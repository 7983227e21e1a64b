//! The tags of an FLV file, as bytes.

use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};

/// Type id of an audio tag, in FLV as in RTMP.
pub const AUDIO: u8 = 8;
/// Type id of a video tag.
pub const VIDEO: u8 = 9;
/// Type id of a data tag.
pub const DATA: u8 = 18;

/// What a file of sound and pictures begins with.
pub const HEAD: &[u8] = b"FLV\x01\x05\0\0\0\x09\0\0\0\0";

/// One tag: what an RTMP message carries, without its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub kind: u8,
    /// Milliseconds.
    pub timestamp: u32,
    pub payload: Bytes,
}

impl Tag {
    /// A legacy AVC, or an Enhanced, video tag that starts a GOP.
    pub fn is_keyframe(&self) -> bool {
        self.kind == VIDEO
            && self.payload[0] >> 4 & 0b111 == 1
            && !self.is_header()
            && !self.is_end_of_sequence()
    }

    /// An AAC, AVC or Enhanced sequence header.
    pub fn is_header(&self) -> bool {
        match (self.kind, self.payload[0]) {
            (VIDEO, first) if first & 0x80 != 0 => first & 0x0f == 0,
            (VIDEO, first) if first & 0x0f == 7 => self.payload[1] == 0,
            (AUDIO, first) if first >> 4 == 10 => self.payload[1] == 0,
            (AUDIO, first) if first >> 4 == 9 => first & 0x0f == 0,
            _ => false,
        }
    }

    /// The marker behind the last frame, which encoders append when they stop.
    pub fn is_end_of_sequence(&self) -> bool {
        match (self.kind, self.payload[0]) {
            (VIDEO, first) if first & 0x80 != 0 => first & 0x0f == 2,
            (VIDEO, first) if first & 0x0f == 7 => self.payload[1] == 2,
            (AUDIO, first) if first >> 4 == 9 => first & 0x0f == 2,
            _ => false,
        }
    }

    /// As it stands in a file.
    pub fn written(&self) -> Bytes {
        let size = u32::try_from(self.payload.len()).expect("a tag");
        let [t3, t2, t1, t0] = self.timestamp.to_be_bytes();
        let mut bytes = BytesMut::with_capacity(self.payload.len() + 15);
        bytes.put_u8(self.kind);
        bytes.put_slice(&size.to_be_bytes()[1..]);
        bytes.put_slice(&[t2, t1, t0, t3, 0, 0, 0]);
        bytes.put_slice(&self.payload);
        bytes.put_u32(size + 11);
        bytes.freeze()
    }

    /// A coded frame: neither header, nor metadata, nor marker.
    pub fn is_frame(&self) -> bool {
        self.kind != DATA && !self.is_header() && !self.is_end_of_sequence()
    }
}

/// Reads a whole file; a last tag that is cut off is left out.
pub fn read(path: &Path) -> Vec<Tag> {
    let file = Bytes::from(
        std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    );
    assert_eq!(&file[..3], b"FLV", "{} is an FLV file", path.display());
    let mut rest = file.slice(u32_at(&file, 5) as usize + 4..);
    let mut tags = Vec::new();
    while rest.len() >= 11 {
        let length = u32_at(&rest, 0) as usize & 0xff_ffff;
        if rest.len() < 11 + length + 4 {
            break;
        }
        if length > 0 {
            tags.push(Tag {
                kind: rest[0],
                timestamp: u32_at(&rest, 3) & 0xff_ffff | u32::from(rest[7]) << 24,
                payload: rest.slice(11..11 + length),
            });
        }
        rest = rest.slice(11 + length + 4..);
    }
    tags
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Panics unless all pictures and all sound arrived, each in order, byte for byte and at the same distances in time.
///
/// The two are compared apart from each other: how an encoder interleaves them depends on its own timing.
pub fn assert_same_tracks(what: &str, received: &[Tag], sent: &[Tag]) {
    for kind in [VIDEO, AUDIO] {
        let track = |tags: &[Tag]| -> Vec<Tag> {
            let is_wanted = |tag: &&Tag| tag.kind == kind && !tag.is_end_of_sequence();
            tags.iter().filter(is_wanted).cloned().collect()
        };
        let (received, sent) = (track(received), track(sent));
        assert_eq!(received.len(), sent.len(), "{what}: tags of kind {kind}");
        for (n, (received_tag, sent_tag)) in received.iter().zip(&sent).enumerate() {
            // Not assert_eq: nobody reads a payload.
            assert!(
                received_tag.payload == sent_tag.payload,
                "{what}: tag {n} of kind {kind} differs"
            );
            assert_eq!(
                received_tag.timestamp - received[0].timestamp,
                sent_tag.timestamp - sent[0].timestamp,
                "{what}: tag {n} of kind {kind} is at another time",
            );
        }
    }
}
