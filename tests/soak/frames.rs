//! Frames that say which they are, so that whoever receives one knows what has to come next.

use aqueduct::media::MediaKind;
use bytes::{BufMut, Bytes, BytesMut};

/// Milliseconds from one picture to the next.
pub const VIDEO_STEP: u32 = 40;

/// Milliseconds from one piece of sound to the next.
pub const AUDIO_STEP: u32 = 23;

/// Pictures from one keyframe to the next.
pub const GOP: u32 = 25;

const VIDEO_BYTES: usize = 1800;
const AUDIO_BYTES: usize = 180;

/// Which frame of a stream it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its publisher's connection, from 0.
    pub session: u32,
    /// Its place on its track within the session, from 0.
    pub number: u32,
}

impl Mark {
    /// Milliseconds since the session's first frame, by a clock without faults.
    pub fn ideal(self, kind: MediaKind) -> u32 {
        match kind {
            MediaKind::Audio => self.number * AUDIO_STEP,
            _ => self.number * VIDEO_STEP,
        }
    }

    pub fn is_key(self) -> bool {
        self.number.is_multiple_of(GOP)
    }
}

/// The sequence header of a session; two sessions in a row may have the same.
pub fn header(kind: MediaKind, session: u32) -> Bytes {
    let variant = u8::try_from(session / 2 % 100).unwrap_or_default();
    match kind {
        MediaKind::Audio => vec![0xAF, 0, 0x12, 0x10].into(),
        _ => vec![0x17, 0, 0, 0, 0, 1, 0x64, 0, variant].into(),
    }
}

pub fn frame(kind: MediaKind, mark: Mark) -> Bytes {
    let size = match kind {
        MediaKind::Audio => AUDIO_BYTES,
        _ if mark.is_key() => VIDEO_BYTES * 4,
        _ => VIDEO_BYTES,
    };
    of_size(kind, mark, size)
}

/// A frame of so many bytes.
pub fn of_size(kind: MediaKind, mark: Mark, size: usize) -> Bytes {
    let mut payload = BytesMut::with_capacity(size);
    match kind {
        MediaKind::Audio => payload.put_slice(&[0xAF, 1]),
        // One NAL unit behind its length, which other pictures refer to: none may be left out alone.
        _ => {
            let (tag, nal) = if mark.is_key() {
                (0x17, 0x65)
            } else {
                (0x27, 0x41)
            };
            payload.put_slice(&[tag, 1, 0, 0, 0]);
            payload.put_u32(u32::try_from(size - 9).unwrap_or_default());
            payload.put_u8(nal);
        }
    }
    payload.put_u32(mark.session);
    payload.put_u32(mark.number);
    payload.resize(size, mark.number.to_be_bytes()[3]);
    payload.freeze()
}

/// What a payload is.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    Header(Bytes),
    Frame(Mark),
}

/// Reads a payload; `None` where it is not, byte for byte, one that a publisher sent.
pub fn read(kind: MediaKind, payload: &Bytes) -> Option<Content> {
    if payload.get(1) == Some(&0) {
        return Some(Content::Header(payload.clone()));
    }
    let mark = mark(kind, payload)?;
    (frame(kind, mark) == *payload).then_some(Content::Frame(mark))
}

/// Which frame it says that it is.
pub fn mark(kind: MediaKind, payload: &Bytes) -> Option<Mark> {
    let head = if kind == MediaKind::Audio { 2 } else { 10 };
    let number = |at: usize| {
        let bytes = payload.get(head + at..head + at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    Some(Mark {
        session: number(0)?,
        number: number(4)?,
    })
}
