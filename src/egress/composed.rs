//! What is fresh, as it goes over the wire: composed once for all targets that are to have the very same bytes.
//!
//! Targets of a stream that began at the same frame, with the same chunk size and message stream, differ in nothing. One write
//! of one piece costs the kernel less than one of a dozen, and the composing is paid once.

use crate::media::{Class, MediaKind, Tag};
use crate::relay::Fresh;
use crate::rtmp::chunk;
use crate::rtmp::session::client::MediaFraming;
use bytes::{Bytes, BytesMut};
use std::cell::RefCell;

/// The longest piece that is composed, in payload bytes: three times what 50 Mbit/s bring in a beat of 100 ms. More than that is
/// a backlog, which targets take from the ring.
const COMPOSED_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Room that a thread keeps, in bytes.
const ROOM_BYTES_KEPT: usize = 512 * 1024;

/// AMF0's `"@setDataFrame"`, which stands before metadata that an ingest shall keep.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";

thread_local! {
    /// Where this thread composes, for one stream after the other: what one has touched is in the cache for the next.
    static ROOM: RefCell<BytesMut> = RefCell::default();
}

/// The last piece that was composed, and for whom.
#[derive(Debug)]
pub(super) struct Composed<'a> {
    fresh: &'a Fresh,
    of: Option<(i64, MediaFraming)>,
    bytes: BytesMut,
}

impl<'a> Composed<'a> {
    /// Nothing yet, of what is fresh.
    pub(super) fn of(fresh: &'a Fresh) -> Self {
        Self {
            fresh,
            of: None,
            bytes: ROOM.take(),
        }
    }

    /// What is fresh.
    pub(super) fn fresh(&self) -> &'a Fresh {
        self.fresh
    }

    /// All of it for a target that began at `base`; none where it is too much to be copied.
    pub(super) fn image(&mut self, base: i64, framing: MediaFraming) -> Option<&[u8]> {
        if self.fresh.bytes() > COMPOSED_BYTES_MAX {
            return None;
        }
        if self.of != Some((base, framing)) {
            self.compose(base, framing);
            self.of = Some((base, framing));
        }
        Some(&self.bytes)
    }

    fn compose(&mut self, base: i64, framing: MediaFraming) {
        self.bytes.clear();
        for (tag, at) in self.fresh.stamped(base) {
            let payload = payload_towards_ingest(tag);
            // The chunk reader bounds a message far below 4 GiB.
            let header = framing.header(tag.shape.track.kind, at, payload.len() as u32);
            chunk::write(&mut self.bytes, header, &payload, framing.chunk_size);
        }
    }
}

impl Drop for Composed<'_> {
    fn drop(&mut self) {
        if self.bytes.capacity() <= ROOM_BYTES_KEPT {
            ROOM.set(std::mem::take(&mut self.bytes));
        }
    }
}

/// A tag's bytes as an ingest takes them, shared but for metadata, which an ingest is told to keep.
pub(super) fn payload_towards_ingest(tag: &Tag) -> Bytes {
    match tag.shape.class {
        Class::Metadata if tag.shape.track.kind == MediaKind::Data => {
            Bytes::from([SET_DATA_FRAME, &tag.payload].concat())
        }
        _ => tag.payload.clone(),
    }
}
