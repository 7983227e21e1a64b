//! From bytes to tags.

use super::limits::{
    AUDIO_TAG_BYTES_MAX, HEADER_BYTES_MAX, SCRIPT_TAG_BYTES_MAX, UNSEEN_BYTES_MAX,
    VIDEO_TAG_BYTES_MAX,
};
use crate::media::MediaKind;
use bytes::{Bytes, BytesMut};

/// The signature of a file, its version and its flags, and where its tags begin.
const FILE_HEADER_BYTES: usize = 9;

/// A tag's type, size, time and stream.
const TAG_HEADER_BYTES: usize = 11;

/// The size of the tag before, which stands between two tags, and in front of the first.
const BACK_POINTER_BYTES: usize = 4;

const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
const SCRIPT: u8 = 18;

/// One tag of media or script data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlvTag {
    /// What it carries.
    pub kind: MediaKind,
    /// Its time in milliseconds, 32 bits that wrap.
    pub timestamp: u32,
    /// Its body, as it stands in an RTMP message of the same kind.
    pub payload: Bytes,
}

/// Why bytes are no FLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlvError {
    /// It does not begin with "FLV".
    #[error("it does not begin as FLV does")]
    Signature,
    /// Another version than 1.
    #[error("FLV of version {0}, where 1 is the only one there is")]
    Version(u8),
    /// The header says that it is shorter than it can be, or longer than anybody writes.
    #[error("an FLV header of {0} bytes")]
    HeaderSize(u32),
    /// A type that FLV has no tag of.
    #[error("a tag of type {0}, which FLV does not have")]
    TagType(u8),
    /// A tag longer than any that is taken.
    #[error("a tag of {bytes} bytes, more than {max}")]
    TooLong {
        /// Its length.
        bytes: u32,
        /// The bound for its type.
        max: u32,
    },
    /// Encrypted tags cannot be sent on.
    #[error("an encrypted tag")]
    Encrypted,
}

/// Reads FLV from its first byte on. A value: bytes go in, tags come out.
#[derive(Debug, Default)]
pub struct FlvReader {
    state: State,
    /// The beginning of a header that is not whole yet.
    head: BytesMut,
    read: u64,
}

#[derive(Debug, Default)]
enum State {
    /// The file's header.
    #[default]
    File,
    /// So many bytes that mean nothing, in front of a tag.
    Skip(usize),
    /// A tag's header.
    Tag,
    /// A tag's body, as far as it has come.
    Body {
        kind: MediaKind,
        timestamp: u32,
        size: usize,
        body: BytesMut,
    },
    /// It was no FLV; nothing is read any more.
    Broken(FlvError),
}

impl FlvReader {
    /// A reader for a file's first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// A reader for the first byte behind a tag: what stands there is the size of that tag.
    pub fn between_tags() -> Self {
        Self {
            state: State::Skip(BACK_POINTER_BYTES),
            ..Self::default()
        }
    }

    /// The next tag; `None` where more bytes are needed. All of `input` is taken then. Empty tags of script data are passed
    /// over.
    ///
    /// # Errors
    /// [`FlvError`]; from then on it is the only answer.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<FlvTag>, FlvError> {
        loop {
            match self.step(input) {
                Ok(Step::Starved) => return Ok(None),
                Ok(Step::On) => {}
                Ok(Step::Tag(tag)) => return Ok(Some(tag)),
                Err(error) => {
                    self.state = State::Broken(error);
                    self.head = BytesMut::new();
                    return Err(error);
                }
            }
        }
    }

    /// How many bytes were taken.
    pub fn bytes_read(&self) -> u64 {
        self.read
    }

    /// Whether the bytes so far end between two tags, so that an end here is the file's own.
    pub fn is_between_tags(&self) -> bool {
        match self.state {
            State::Skip(_) | State::Tag => self.head.is_empty(),
            State::File | State::Body { .. } | State::Broken(_) => false,
        }
    }

    fn step(&mut self, input: &mut &[u8]) -> Result<Step, FlvError> {
        match &mut self.state {
            State::Broken(error) => Err(*error),
            State::File => {
                let Some(header) = self.head::<FILE_HEADER_BYTES>(input) else {
                    return Ok(Step::Starved);
                };
                let left = after_file_header(header)?;
                self.state = State::Skip(left);
                Ok(Step::On)
            }
            State::Skip(left) => {
                let count = (*left).min(input.len());
                *left -= count;
                let is_over = *left == 0;
                self.take(input, count);
                if !is_over {
                    return Ok(Step::Starved);
                }
                self.state = State::Tag;
                Ok(Step::On)
            }
            State::Tag => {
                let Some(header) = self.head::<TAG_HEADER_BYTES>(input) else {
                    return Ok(Step::Starved);
                };
                self.state = body(header)?;
                Ok(Step::On)
            }
            State::Body { size, body, .. } => {
                let missing = size.saturating_sub(body.len());
                let count = missing.min(input.len());
                body.extend_from_slice(input.get(..count).unwrap_or_default());
                let is_whole = count == missing;
                self.take(input, count);
                Ok(if is_whole {
                    self.finish_tag()
                } else {
                    Step::Starved
                })
            }
        }
    }

    fn finish_tag(&mut self) -> Step {
        let next = State::Skip(BACK_POINTER_BYTES);
        match std::mem::replace(&mut self.state, next) {
            State::Body {
                kind,
                timestamp,
                body,
                ..
            } if kind != MediaKind::Data || !body.is_empty() => Step::Tag(FlvTag {
                kind,
                timestamp,
                payload: body.freeze(),
            }),
            _ => Step::On,
        }
    }

    /// A header of so many bytes, once they are all there.
    fn head<const N: usize>(&mut self, input: &mut &[u8]) -> Option<[u8; N]> {
        let missing = N.saturating_sub(self.head.len());
        let count = missing.min(input.len());
        self.head
            .extend_from_slice(input.get(..count).unwrap_or_default());
        self.take(input, count);
        let whole = self.head.first_chunk::<N>().copied()?;
        self.head.clear();
        Some(whole)
    }

    fn take(&mut self, input: &mut &[u8], count: usize) {
        *input = input.get(count..).unwrap_or_default();
        self.read += count as u64;
    }
}

enum Step {
    /// Something was read, and more may be.
    On,
    Starved,
    Tag(FlvTag),
}

/// What is skipped between the file's header and its first tag.
fn after_file_header(header: [u8; FILE_HEADER_BYTES]) -> Result<usize, FlvError> {
    let [f, l, v, version, _flags, size @ ..] = header;
    if [f, l, v] != *b"FLV" {
        return Err(FlvError::Signature);
    }
    if version != 1 {
        return Err(FlvError::Version(version));
    }
    let size = u32::from_be_bytes(size);
    if !(FILE_HEADER_BYTES as u32..=HEADER_BYTES_MAX).contains(&size) {
        return Err(FlvError::HeaderSize(size));
    }
    Ok(size as usize - FILE_HEADER_BYTES + BACK_POINTER_BYTES)
}

fn body(header: [u8; TAG_HEADER_BYTES]) -> Result<State, FlvError> {
    let [kind, s2, s1, s0, t2, t1, t0, t3, ..] = header;
    let size = u32::from_be_bytes([0, s2, s1, s0]);
    // Bits 6 and 7 are reserved; bit 5 says that the body is encrypted.
    if kind & 0x20 != 0 {
        return Err(FlvError::Encrypted);
    }
    let (kind, max) = match kind & 0x1F {
        AUDIO => (MediaKind::Audio, AUDIO_TAG_BYTES_MAX),
        VIDEO => (MediaKind::Video, VIDEO_TAG_BYTES_MAX),
        SCRIPT => (MediaKind::Data, SCRIPT_TAG_BYTES_MAX),
        other => return Err(FlvError::TagType(other)),
    };
    if size > max {
        return Err(FlvError::TooLong { bytes: size, max });
    }
    let size = size as usize;
    Ok(State::Body {
        kind,
        timestamp: u32::from_be_bytes([t3, t2, t1, t0]),
        size,
        body: BytesMut::with_capacity(size.min(UNSEEN_BYTES_MAX)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(size: u32) -> Vec<u8> {
        let mut bytes = b"FLV\x01\x05".to_vec();
        bytes.extend(size.to_be_bytes());
        bytes.resize(size as usize, 0);
        bytes.extend([0; 4]);
        bytes
    }

    fn write(tag: &FlvTag) -> Vec<u8> {
        let kind = match tag.kind {
            MediaKind::Audio => AUDIO,
            MediaKind::Video => VIDEO,
            MediaKind::Data => SCRIPT,
        };
        let size = tag.payload.len() as u32;
        let [t3, t2, t1, t0] = tag.timestamp.to_be_bytes();
        let mut bytes = vec![kind];
        bytes.extend(&size.to_be_bytes()[1..]);
        bytes.extend([t2, t1, t0, t3, 0, 0, 0]);
        bytes.extend(&tag.payload);
        bytes.extend((size + 11).to_be_bytes());
        bytes
    }

    fn read_all(reader: &mut FlvReader, mut input: &[u8]) -> Result<Vec<FlvTag>, FlvError> {
        let mut tags = Vec::new();
        while let Some(tag) = reader.read(&mut input)? {
            tags.push(tag);
        }
        assert!(input.is_empty());
        Ok(tags)
    }

    fn tag() -> impl Strategy<Value = FlvTag> {
        let kind = prop_oneof![
            Just(MediaKind::Audio),
            Just(MediaKind::Video),
            Just(MediaKind::Data)
        ];
        let payload = proptest::collection::vec(any::<u8>(), 1..300);
        (kind, any::<u32>(), payload).prop_map(|(kind, timestamp, payload)| FlvTag {
            kind,
            timestamp,
            payload: payload.into(),
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_in_whatever_pieces_it_comes(
            tags in proptest::collection::vec(tag(), 0..12),
            size in 9u32..20,
            cuts in proptest::collection::vec(0usize..4000, 0..20),
        ) {
            let mut bytes = header(size);
            bytes.extend(tags.iter().flat_map(write));
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut reader = FlvReader::new();
            let mut read = Vec::new();
            for pair in cuts.windows(2) {
                read.extend(read_all(&mut reader, &bytes[pair[0]..pair[1]]).unwrap());
            }
            prop_assert_eq!(read, tags);
            prop_assert!(reader.is_between_tags());
            prop_assert_eq!(reader.bytes_read(), bytes.len() as u64);
        }

        #[test]
        fn any_bytes_are_read_without_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..2000), begun: bool) {
            let mut reader = if begun { FlvReader::between_tags() } else { FlvReader::new() };
            let mut input = &bytes[..];
            while let Ok(Some(_)) = reader.read(&mut input) {}
        }
    }

    #[test]
    fn what_is_no_flv_is_told_and_stays_told() {
        let mut long = header(9);
        long.extend([AUDIO, 0x04, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        let mut unknown = header(9);
        unknown.extend([7, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        let mut encrypted = header(9);
        encrypted.extend([VIDEO | 0x20, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        for (bytes, error) in [
            (b"<html><head>".to_vec(), FlvError::Signature),
            (
                b"FLV\x02\x05\x00\x00\x00\x09".to_vec(),
                FlvError::Version(2),
            ),
            (
                b"FLV\x01\x05\x00\x00\x00\x08".to_vec(),
                FlvError::HeaderSize(8),
            ),
            (
                b"FLV\x01\x05\x00\x01\x00\x00".to_vec(),
                FlvError::HeaderSize(65536),
            ),
            (
                long,
                FlvError::TooLong {
                    bytes: AUDIO_TAG_BYTES_MAX + 1,
                    max: AUDIO_TAG_BYTES_MAX,
                },
            ),
            (unknown, FlvError::TagType(7)),
            (encrypted, FlvError::Encrypted),
        ] {
            let mut reader = FlvReader::new();
            assert_eq!(read_all(&mut reader, &bytes), Err(error));
            assert_eq!(reader.read(&mut &header(9)[..]), Err(error));
            assert!(!reader.is_between_tags());
        }
    }

    #[test]
    fn a_claimed_length_reserves_little() {
        let mut bytes = header(9);
        bytes.extend([VIDEO, 0x7F, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1]);
        let mut reader = FlvReader::new();
        assert_eq!(read_all(&mut reader, &bytes), Ok(Vec::new()));
        let State::Body { body, .. } = &reader.state else {
            panic!("a body has begun");
        };
        assert!(body.capacity() <= 2 * UNSEEN_BYTES_MAX);
    }

    #[test]
    fn a_cut_file_does_not_end_between_tags() {
        let tag = FlvTag {
            kind: MediaKind::Video,
            timestamp: 1,
            payload: Bytes::from_static(b"\x17\x01\0\0\0abc"),
        };
        let whole = [header(9), write(&tag)].concat();
        let mut reader = FlvReader::new();
        assert_eq!(read_all(&mut reader, &whole[..whole.len() - 6]), Ok(vec![]));
        assert!(!reader.is_between_tags());
        // Servers that end without the last tag's size have sent all of it.
        assert_eq!(
            read_all(&mut reader, &whole[whole.len() - 6..whole.len() - 4])
                .unwrap()
                .len(),
            1
        );
        assert!(reader.is_between_tags());
    }
}
