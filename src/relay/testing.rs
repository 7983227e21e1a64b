//! What tests begin with: a publisher's claim, and tags.

use super::claim::{Claim, Credential};
use crate::media::{MediaKind, Shape, Tag};
use bytes::Bytes;

/// What a publisher on this machine shows for a stream.
pub fn claim() -> Claim {
    Claim {
        credential: Credential::Key([0; 32]),
        peer: "127.0.0.1:5000".parse().unwrap(),
        client: "test".into(),
        input: None,
    }
}

fn tag(kind: MediaKind, dts: i64, payload: &[u8]) -> Tag {
    Tag {
        shape: Shape::of(kind, payload),
        dts,
        payload: Bytes::copy_from_slice(payload),
    }
}

pub fn metadata() -> Tag {
    tag(MediaKind::Data, 0, b"\x02\x00\x0aonMetaData\x05")
}

pub fn avc_header(version: u8) -> Tag {
    tag(MediaKind::Video, 0, &[0x17, 0, 0, 0, 0, version])
}

pub fn aac_header() -> Tag {
    tag(MediaKind::Audio, 0, &[0xAF, 0, 0x12, 0x10])
}

pub fn key(dts: i64) -> Tag {
    tag(MediaKind::Video, dts, &[0x17, 1, 0, 0, 0, 0x65])
}

pub fn inter(dts: i64) -> Tag {
    tag(MediaKind::Video, dts, &[0x27, 1, 0, 0, 0, 0x41])
}

pub fn audio(dts: i64) -> Tag {
    tag(MediaKind::Audio, dts, &[0xAF, 1, 0x21])
}

pub fn disposable(dts: i64) -> Tag {
    tag(MediaKind::Video, dts, &[0x37, 1, 0, 0, 0, 0x01])
}
