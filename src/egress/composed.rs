//! What is fresh, as it goes over the wire: composed once for all targets that are to have the very same bytes.
//!
//! Targets of a stream that began at the same frame, with the same chunk size and message stream, differ in nothing; those that began
//! at another one differ in a few bytes of each message, which are written over. One write of one piece costs the kernel less than
//! one of a dozen, and the composing is paid once.

use super::crowd::{Census, Crowd};
use super::pages::Supply;
use crate::media::{Class, MediaKind, Tag};
use crate::relay::{Fresh, Stream};
use crate::rtmp::chunk::{self, Header};
use crate::rtmp::session::client::MediaFraming;
use std::cell::RefCell;
use std::io;
use tokio::net::TcpStream;

/// The longest piece that is composed, in payload bytes: three times what 50 Mbit/s bring in a beat of 100 ms. More than that is
/// a backlog, which targets take from the ring.
const COMPOSED_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Room that a thread keeps, in bytes.
const ROOM_BYTES_KEPT: usize = 512 * 1024;

/// How far behind the beginning of the room a piece begins, in bytes.
///
/// Allocators begin large blocks at the beginning of a page: the room, payloads, and the records that TLS copies a piece into. A copy
/// whose destination is a few bytes further in its page than its source is in its own takes four times as long on some processors
/// (each load seems to depend on the store before it), and sixteen times from 16 KB on, where the C library has the processor copy
/// by itself (`rep movsb`). Headers are a few bytes.
const LEAD_BYTES: usize = 64;

/// The shortest piece, in bytes, and the fewest sockets, that are worth pages of the kernel's. To fill a page costs it more than to copy
/// as much for a socket, and to pass one on costs it less; with 8 sockets that is even at 16 to 20 KB.
const PAGES_PIECE_BYTES_MIN: usize = 20 * 1024;
const PAGES_TAKERS_MIN: u32 = 8;

/// AMF0's `"@setDataFrame"`, which stands before metadata that an ingest shall keep.
const SET_DATA_FRAME: &[u8] = b"\x02\x00\x0d@setDataFrame";

thread_local! {
    /// Where this thread composes, for one stream after the other: what one has touched is in the cache for the next.
    static ROOM: RefCell<Room> = const { RefCell::new(Room::NEW) };
}

struct Room {
    bytes: Vec<u8>,
    /// Where each message ends.
    ends: Vec<usize>,
    /// The kernel's pages, for a piece that many take.
    supply: Supply,
}

impl Room {
    const NEW: Self = Self {
        bytes: Vec::new(),
        ends: Vec::new(),
        supply: Supply::NEW,
    };
}

/// The piece in a room's bytes.
fn piece(bytes: &[u8]) -> &[u8] {
    bytes.get(LEAD_BYTES..).unwrap_or_default()
}

/// The last piece that was composed, and for whom.
pub(super) struct Composed<'a> {
    stream: &'a Stream,
    fresh: &'a Fresh,
    of: Option<(i64, MediaFraming)>,
    census: Census,
    room: &'a mut Room,
}

impl Composed<'_> {
    /// Has `serve` compose what is fresh in the stream. `crowd` is that of these targets' last turn, and becomes this one's.
    pub(super) fn of<T>(
        stream: &Stream,
        fresh: &Fresh,
        crowd: &mut Crowd,
        serve: impl FnOnce(&mut Composed<'_>) -> T,
    ) -> T {
        ROOM.with_borrow_mut(|room| {
            let mut composed = Composed {
                stream,
                fresh,
                of: None,
                census: Census::expecting(*crowd),
                room,
            };
            let served = serve(&mut composed);
            *crowd = composed.census.greatest();
            room.supply.clear();
            if room.bytes.capacity() > ROOM_BYTES_KEPT {
                (room.bytes, room.ends) = Default::default();
            }
            served
        })
    }

    /// What is fresh.
    pub(super) fn fresh(&self) -> &Fresh {
        self.fresh
    }

    /// Makes it the piece for a target that began at `base`; false where that is too much to be copied, or is not in the ring any more.
    pub(super) fn compose_for(&mut self, base: i64, framing: MediaFraming) -> bool {
        // As it is for nearly all targets of a stream.
        self.of == Some((base, framing)) || self.compose_anew(base, framing)
    }

    /// All that is fresh, for whom it was last composed.
    pub(super) fn bytes(&self) -> &[u8] {
        piece(&self.room.bytes)
    }

    /// Gives that to a plain socket without another copy of it, where so many others are likely to take it that this is less work; says how
    /// much was taken, or what the socket had to say. None where it is to be written as ever.
    pub(super) fn give(&mut self, socket: &TcpStream) -> Option<io::Result<usize>> {
        self.census.count();
        let Room { bytes, supply, .. } = &mut *self.room;
        let piece = piece(bytes);
        let is_worth_it =
            piece.len() >= PAGES_PIECE_BYTES_MIN && self.census.expected() >= PAGES_TAKERS_MIN;
        is_worth_it.then(|| supply.give(piece, socket)).flatten()
    }

    /// What is fresh, tag by tag; see [`Stream::stamped`].
    pub(super) fn stamped(&self, base: i64, sink: impl FnMut(&Tag, u32)) -> bool {
        self.stream.stamped(self.fresh, base, sink)
    }

    /// Apart, so that what is asked for each target stays short.
    #[inline(never)]
    fn compose_anew(&mut self, base: i64, framing: MediaFraming) -> bool {
        self.census.next_piece();
        self.room.supply.clear();
        let is_alike = self
            .of
            .is_some_and(|(_, before)| before.chunk_size == framing.chunk_size);
        let is_composed = (is_alike && self.rewrite_headers(base, framing))
            || (self.fresh.bytes() <= COMPOSED_BYTES_MAX && self.compose(base, framing));
        self.of = is_composed.then_some((base, framing));
        is_composed
    }

    fn compose(&mut self, base: i64, framing: MediaFraming) -> bool {
        let Room { bytes, ends, .. } = &mut *self.room;
        bytes.clear();
        bytes.resize(LEAD_BYTES, 0);
        ends.clear();
        self.stream.stamped(self.fresh, base, |tag, at| {
            let told = as_told(tag);
            let payload = told.as_deref().unwrap_or(&tag.payload);
            let header = header(framing, tag, at, payload.len());
            chunk::write(bytes, header, payload, framing.chunk_size);
            ends.push(bytes.len());
        })
    }

    /// Where another target differs in its times and its message stream alone, the payloads stay as they were laid.
    fn rewrite_headers(&mut self, base: i64, framing: MediaFraming) -> bool {
        let Room { bytes, ends, .. } = &mut *self.room;
        let (mut ends, mut from, mut fits) = (ends.iter(), LEAD_BYTES, true);
        let is_there = self.stream.stamped(self.fresh, base, |tag, at| {
            let to = ends.next().copied().unwrap_or(from);
            let header = header(framing, tag, at, told_bytes(tag));
            let message = bytes.get_mut(from..to).unwrap_or_default();
            fits = fits && chunk::rewrite_header(message, header, framing.chunk_size);
            from = to;
        });
        is_there && fits
    }
}

fn header(framing: MediaFraming, tag: &Tag, at: u32, length: usize) -> Header {
    // The chunk reader bounds a message far below 4 GiB.
    framing.header(tag.shape.track.kind, at, length as u32)
}

/// What an ingest is given in place of a tag's payload: metadata, which it is told to keep.
pub(super) fn as_told(tag: &Tag) -> Option<Vec<u8>> {
    is_told(tag).then(|| [SET_DATA_FRAME, &tag.payload].concat())
}

/// How long that is, or the payload, in bytes.
fn told_bytes(tag: &Tag) -> usize {
    match is_told(tag) {
        true => SET_DATA_FRAME.len() + tag.payload.len(),
        false => tag.payload.len(),
    }
}

fn is_told(tag: &Tag) -> bool {
    tag.shape.class == Class::Metadata && tag.shape.track.kind == MediaKind::Data
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
