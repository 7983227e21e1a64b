//! What waits for one vectored write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use super::writer::{Framing, Header, payload_bytes};

/// Entries that an empty outbox keeps room for. A tick brings a handful; only a target that catches up has more, and its
/// memory is given back afterwards.
const ENTRIES_KEPT: usize = 256;

/// Messages on their way to one socket: header bytes of its own, payloads shared with everybody else.
///
/// A message is one entry, and its slices are computed when asked for: all separators of a message are the same bytes,
/// so nothing but the headers is stored, and a partial write is a number. It is not bounded by itself: whoever pushes looks
/// at [`len_bytes`](Outbox::len_bytes).
#[derive(Debug)]
pub struct Outbox {
    /// Payload bytes of a full chunk, at least 1.
    chunk_size: usize,
    entries: VecDeque<Entry>,
    /// Bytes of the first entry that are written already, always fewer than it has.
    written: usize,
    /// Bytes of all entries, less `written`.
    waiting: usize,
}

#[derive(Debug)]
struct Entry {
    framing: Framing,
    payload: Bytes,
    chunk_size: usize,
    /// Bytes on the wire: head, payload and separators.
    size: usize,
}

impl Outbox {
    /// An empty outbox. `chunk_size` is in payload bytes; 0 is taken as 1.
    pub fn new(chunk_size: u32) -> Self {
        Self {
            chunk_size: payload_bytes(chunk_size),
            entries: VecDeque::new(),
            written: 0,
            waiting: 0,
        }
    }

    /// Chunk size of what is pushed from here on, in payload bytes. The peer has to be told before.
    pub fn set_chunk_size(&mut self, chunk_size: u32) {
        self.chunk_size = payload_bytes(chunk_size);
    }

    /// Queues a message; its payload is shared and not copied. `header.length` must be the payload's.
    pub fn push(&mut self, header: Header, payload: Bytes) {
        debug_assert_eq!(
            header.length as usize,
            payload.len(),
            "the header declares the payload's length"
        );
        let framing = Framing::new(header);
        let separators = payload.len().saturating_sub(1) / self.chunk_size;
        let size = framing.head().len() + payload.len() + separators * framing.separator().len();
        self.push_entry(Entry {
            framing,
            payload,
            chunk_size: self.chunk_size,
            size,
        });
    }

    /// Queues bytes that are chunks already, such as an acknowledgement; they are copied.
    pub fn push_control(&mut self, chunks: &[u8]) {
        if chunks.is_empty() {
            return;
        }
        let payload = Bytes::copy_from_slice(chunks);
        self.push_entry(Entry {
            framing: Framing::NONE,
            payload,
            chunk_size: chunks.len(),
            size: chunks.len(),
        });
    }

    fn push_entry(&mut self, entry: Entry) {
        self.waiting += entry.size;
        self.entries.push_back(entry);
    }

    /// Bytes on the wire that wait.
    pub fn len_bytes(&self) -> usize {
        self.waiting
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many slices that is at the most, without looking at the messages; where chunks were smaller before, it may be more.
    pub fn slices_at_most(&self) -> usize {
        // A head or a separator before each chunk; what is written of the first message may end inside a chunk.
        2 * (self.waiting / self.chunk_size + self.entries.len()) + 1
    }

    /// Fills `into` with what is to be written next, in order, and says how many slices it filled: all that waits, or as
    /// much as fits. None of them is empty.
    pub fn slices<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let mut filled = Filled {
            into,
            count: 0,
            skip: 0,
        };
        let mut skip = self.written;
        for entry in &self.entries {
            if entry.slices(skip, &mut filled).is_none() {
                break;
            }
            skip = 0;
        }
        filled.count
    }

    /// Removes `n` bytes that were written, wherever that ends. More than waits empties it.
    pub fn advance(&mut self, n: usize) {
        let mut n = n.min(self.waiting);
        self.waiting -= n;
        while let Some(first) = self.entries.front() {
            let left = first.size - self.written;
            if n < left {
                self.written += n;
                return;
            }
            n -= left;
            self.written = 0;
            self.entries.pop_front();
        }
        self.entries.shrink_to(ENTRIES_KEPT);
    }
}

impl Entry {
    /// Adds the slices behind the first `skip` bytes; none when `filled` was full before the end.
    fn slices<'a>(&'a self, skip: usize, filled: &mut Filled<'a, '_>) -> Option<()> {
        let head = self.framing.head();
        let separator = self.framing.separator();
        // Chunks that are gone together with the separator behind them are passed over by a division: a long message
        // has thousands.
        let stride = self.chunk_size + separator.len();
        let gone = skip.saturating_sub(head.len()) / stride;
        filled.skip = skip - gone * stride;
        filled.add(head)?;
        for (at, chunk) in self
            .payload
            .get(gone * self.chunk_size..)?
            .chunks(self.chunk_size)
            .enumerate()
        {
            if at > 0 {
                filled.add(separator)?;
            }
            filled.add(chunk)?;
        }
        Some(())
    }
}

struct Filled<'a, 'b> {
    into: &'b mut [IoSlice<'a>],
    count: usize,
    /// Bytes that are left out before the first one.
    skip: usize,
}

impl<'a> Filled<'a, '_> {
    /// None when there is no place for it.
    fn add(&mut self, bytes: &'a [u8]) -> Option<()> {
        match bytes.get(self.skip..) {
            None | Some([]) => self.skip -= bytes.len(),
            Some(left) => {
                *self.into.get_mut(self.count)? = IoSlice::new(left);
                self.count += 1;
                self.skip = 0;
            }
        }
        Some(())
    }
}
