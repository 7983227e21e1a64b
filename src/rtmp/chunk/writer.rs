//! How a message is cut into chunks.
//!
//! Every message begins with a full header (format 0). It costs 4 to 8 bytes more than the compressed ones and has no state
//! that two implementations can read differently: format 3 at the start of a message is read in two ways, and SRS takes an
//! extended delta for a timestamp. All further chunks are format 3, which is what strict receivers demand.

use bytes::BufMut;

use super::TIMESTAMP_EXTENDED;
use crate::rtmp::limits::MESSAGE_LENGTH_MAX;

/// Header of an outgoing message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Chunk stream, 2 to 63, so that the id takes one byte; below 32 for nginx-rtmp.
    pub csid: u8,
    /// Milliseconds, absolute.
    pub timestamp: u32,
    /// Payload bytes, at most [`MESSAGE_LENGTH_MAX`].
    pub length: u32,
    /// Message type.
    pub type_id: u8,
    /// Message stream.
    pub stream_id: u32,
}

/// The bytes before the first chunk of a message and those between its chunks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Framing {
    head: [u8; 16],
    head_bytes: u8,
    separator: [u8; 5],
    separator_bytes: u8,
}

impl Framing {
    /// No framing at all, for what is serialised already.
    pub(super) const NONE: Framing = Framing {
        head: [0; 16],
        head_bytes: 0,
        separator: [0; 5],
        separator_bytes: 0,
    };

    pub(super) fn new(header: Header) -> Self {
        debug_assert!(
            (2..64).contains(&header.csid),
            "chunk stream ids of 1 byte only"
        );
        debug_assert!(header.length <= MESSAGE_LENGTH_MAX, "24 bits of length");
        let csid = header.csid & 0x3F;
        let extended = header.timestamp >= TIMESTAMP_EXTENDED;
        let [_, t0, t1, t2] = header.timestamp.min(TIMESTAMP_EXTENDED).to_be_bytes();
        let [_, l0, l1, l2] = header.length.to_be_bytes();
        // The one little-endian field of RTMP.
        let [s0, s1, s2, s3] = header.stream_id.to_le_bytes();
        let [e0, e1, e2, e3] = header.timestamp.to_be_bytes();
        Self {
            head: [
                csid,
                t0,
                t1,
                t2,
                l0,
                l1,
                l2,
                header.type_id,
                s0,
                s1,
                s2,
                s3,
                e0,
                e1,
                e2,
                e3,
            ],
            head_bytes: if extended { 16 } else { 12 },
            separator: [0xC0 | csid, e0, e1, e2, e3],
            separator_bytes: if extended { 5 } else { 1 },
        }
    }

    /// What stands before the first chunk's payload.
    pub(super) fn head(&self) -> &[u8] {
        self.head
            .get(..usize::from(self.head_bytes))
            .unwrap_or_default()
    }

    /// What stands before every other chunk's payload. It repeats the extended timestamp, as the spec wants it (section
    /// 5.3.1.3) and as all but OBS read it; OBS only gets messages with timestamp 0 from us.
    pub(super) fn separator(&self) -> &[u8] {
        self.separator
            .get(..usize::from(self.separator_bytes))
            .unwrap_or_default()
    }
}

/// Appends one message in chunks of at most `chunk_size` payload bytes: for what is small, and for media that many peers get as
/// the very same bytes. What one peer alone is sent goes through [`Outbox`](super::Outbox), which does not copy it.
///
/// `header.length` must be the payload's.
pub fn write(out: &mut impl BufMut, header: Header, payload: &[u8], chunk_size: u32) {
    debug_assert_eq!(
        header.length as usize,
        payload.len(),
        "the header declares the payload's length"
    );
    let framing = Framing::new(header);
    let mut chunks = payload.chunks(payload_bytes(chunk_size));
    out.put_slice(framing.head());
    out.put_slice(chunks.next().unwrap_or_default());
    for chunk in chunks {
        out.put_slice(framing.separator());
        out.put_slice(chunk);
    }
}

/// Puts another header on one message that [`write()`] has laid into `message`; the payload stays where it is. False where it does not
/// fit, because one of the two timestamps is an extended one and the other is not.
///
/// `header.csid` and `header.length`, and the chunk size, must be those that the message was written with.
pub fn rewrite_header(message: &mut [u8], header: Header, chunk_size: u32) -> bool {
    let framing = Framing::new(header);
    let chunk = payload_bytes(chunk_size);
    let payload = header.length as usize;
    let separators = payload.saturating_sub(1) / chunk;
    let (head, separator) = (framing.head(), framing.separator());
    if message.len() != head.len() + payload + separators * separator.len() {
        return false;
    }
    let (first, others) = message.split_at_mut(head.len() + payload.min(chunk));
    let heads = first.chunks_mut(head.len()).take(1);
    heads.for_each(|place| place.copy_from_slice(head));
    // One of a single byte says nothing but the chunk stream.
    if separator.len() > 1 {
        for place in others.chunks_mut(separator.len() + chunk) {
            place
                .iter_mut()
                .zip(separator)
                .for_each(|(to, &byte)| *to = byte);
        }
    }
    true
}

/// Payload bytes of a full chunk: at least one, and no more than a message can have.
pub(super) fn payload_bytes(chunk_size: u32) -> usize {
    chunk_size.clamp(1, MESSAGE_LENGTH_MAX) as usize
}
