//! What a publisher sends: messages of the right sizes at the right times, each with a stamp that a target can check.

use crate::options::Options;
use aqueduct::rtmp::chunk::{self, Header};
use bytes::BytesMut;
use std::time::Duration;

/// Bytes of a stamp: number of the message on its track, and when it was sent, in nanoseconds.
const STAMP_BYTES: usize = 12;
/// A keyframe is so many times as large as the frames between.
const KEYFRAME_FACTOR: u32 = 6;
/// AAC at 44100 Hz: 1024 samples a frame.
const AUDIO_INTERVAL: Duration = Duration::from_nanos(23_219_954);
/// 128 kbit/s.
const AUDIO_BYTES: usize = 371;
/// Payloads of the headers that decoders want first. Some relays read them: this is x264's for 1280 x 720.
const VIDEO_HEADER: &[u8] = b"\x17\0\0\0\0\x01\x64\0\x1f\xff\xe1\0\x1a\x67\x64\0\x1f\xac\xd9\x40\x50\x05\xbb\x01\x10\0\0\x03\0\x10\0\0\x03\x03\xc0\xf1\x83\x19\x60\x01\0\x06\x68\xeb\xe3\xcb\x22\xc0";
const AUDIO_HEADER: &[u8] = &[0xAF, 0, 0x12, 0x10];
const METADATA: &[u8] = b"\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData\x08\0\0\0\0\0\0\x09";

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Video,
    Audio,
}

/// The messages of all publishers, ready for the wire but for their stamps.
pub struct Frames {
    key: Image,
    inter: Image,
    audio: Image,
    /// Frames from one keyframe to the next.
    gop: u32,
    video_interval: Duration,
    has_audio: bool,
    start: Vec<u8>,
}

/// A message as it goes over the wire.
struct Image {
    wire: Vec<u8>,
    payload: Vec<u8>,
    /// Bytes of the payload before the stamp.
    prefix: usize,
}

/// What a stamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub number: u32,
    pub sent: Duration,
}

impl Frames {
    pub fn new(options: &Options, stream_id: u32) -> Self {
        let mean = options.kbps * 125 / options.fps;
        let gop = (options.gop * options.fps).max(1);
        let inter = (gop * mean / (gop - 1 + KEYFRAME_FACTOR)).max(64);
        let chunk_size = options.publisher_chunk;
        let image =
            |kind, prefix: &[u8], size: u32| Image::new(kind, prefix, size, stream_id, chunk_size);
        Self {
            key: image(
                Kind::Video,
                &picture(0x17, 0x65, inter * KEYFRAME_FACTOR),
                inter * KEYFRAME_FACTOR,
            ),
            inter: image(Kind::Video, &picture(0x27, 0x41, inter), inter),
            audio: image(Kind::Audio, &[0xAF, 1], AUDIO_BYTES as u32),
            gop,
            video_interval: Duration::from_secs(1) / options.fps,
            has_audio: !options.no_audio,
            start: start(stream_id, chunk_size),
        }
    }

    /// Chunk size, metadata and headers: what precedes all frames.
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    pub fn kinds(&self) -> &'static [Kind] {
        if self.has_audio {
            &[Kind::Video, Kind::Audio]
        } else {
            &[Kind::Video]
        }
    }

    pub fn interval(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Video => self.video_interval,
            Kind::Audio => AUDIO_INTERVAL,
        }
    }

    /// The bytes of the message with this number. The time is its own place in its track's rhythm, so it never steps back.
    pub fn message(&mut self, kind: Kind, number: u32, now: Duration) -> &[u8] {
        let at = self.interval(kind) * number;
        let image = match kind {
            Kind::Audio => &mut self.audio,
            Kind::Video if number.is_multiple_of(self.gop) => &mut self.key,
            Kind::Video => &mut self.inter,
        };
        image.stamp(at, number, now);
        &image.wire
    }

    /// The stamp of a payload that came out, if every byte of it is what went in.
    pub fn check(&self, kind: Kind, payload: &[u8]) -> Option<Stamp> {
        let image = match kind {
            Kind::Audio => &self.audio,
            Kind::Video if payload.first() == Some(&0x17) => &self.key,
            Kind::Video => &self.inter,
        };
        image.check(payload)
    }

    /// Whether the payload is one of the headers, which carry no stamp.
    pub fn is_header(payload: &[u8]) -> bool {
        payload == VIDEO_HEADER || payload == AUDIO_HEADER
    }
}

/// What stands before a picture of so many bytes: a tag's head, and that of one NAL unit.
fn picture(head: u8, nal: u8, size: u32) -> Vec<u8> {
    let head = [head, 1, 0, 0, 0];
    let length = size - head.len() as u32 - 4;
    [&head[..], &length.to_be_bytes(), &[nal]].concat()
}

impl Image {
    fn new(kind: Kind, prefix: &[u8], size: u32, stream_id: u32, chunk_size: u32) -> Self {
        let mut payload = prefix.to_vec();
        payload.resize(prefix.len() + STAMP_BYTES, 0);
        let body = (payload.len()..size as usize).map(|at| (at * 31 % 251) as u8);
        payload.extend(body);
        let mut wire = BytesMut::new();
        let length = payload.len() as u32;
        chunk::write(
            &mut wire,
            header(kind, length, stream_id),
            &payload,
            chunk_size,
        );
        Self {
            wire: wire.to_vec(),
            payload,
            prefix: prefix.len(),
        }
    }

    /// A full header has 12 bytes, and the first chunk holds the stamp whole: chunks have 128 bytes at least.
    fn stamp(&mut self, at: Duration, number: u32, now: Duration) {
        let millis = (at.as_millis() as u32).to_be_bytes();
        self.wire[1..4].copy_from_slice(&millis[1..]);
        let stamp = &mut self.wire[12 + self.prefix..][..STAMP_BYTES];
        stamp[..4].copy_from_slice(&number.to_be_bytes());
        stamp[4..].copy_from_slice(&(now.as_nanos() as u64).to_be_bytes());
    }

    fn check(&self, payload: &[u8]) -> Option<Stamp> {
        let body = self.prefix + STAMP_BYTES;
        let is_whole = payload.get(..self.prefix) == self.payload.get(..self.prefix)
            && payload.get(body..) == self.payload.get(body..);
        let (number, sent) = payload.get(self.prefix..body)?.split_first_chunk()?;
        let stamp = Stamp {
            number: u32::from_be_bytes(*number),
            sent: Duration::from_nanos(u64::from_be_bytes(*sent.first_chunk()?)),
        };
        is_whole.then_some(stamp)
    }
}

fn header(kind: Kind, length: u32, stream_id: u32) -> Header {
    let (csid, type_id) = match kind {
        Kind::Video => (6, 9),
        Kind::Audio => (5, 8),
    };
    Header {
        csid,
        timestamp: 0,
        length,
        type_id,
        stream_id,
    }
}

fn start(stream_id: u32, chunk_size: u32) -> Vec<u8> {
    let mut wire = BytesMut::new();
    let size = chunk_size.to_be_bytes();
    let set_chunk_size = Header {
        csid: 2,
        timestamp: 0,
        length: 4,
        type_id: 1,
        stream_id: 0,
    };
    chunk::write(&mut wire, set_chunk_size, &size, 128);
    let metadata = Header {
        csid: 4,
        timestamp: 0,
        length: METADATA.len() as u32,
        type_id: 18,
        stream_id,
    };
    chunk::write(&mut wire, metadata, METADATA, chunk_size);
    for (kind, payload) in [(Kind::Video, VIDEO_HEADER), (Kind::Audio, AUDIO_HEADER)] {
        let header = header(kind, payload.len() as u32, stream_id);
        chunk::write(&mut wire, header, payload, chunk_size);
    }
    wire.to_vec()
}
