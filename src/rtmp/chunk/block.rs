//! Where short payloads lie side by side.

use bytes::{Bytes, BytesMut};

/// The longest payload that shares a block with others, in bytes: a frame of sound has a third of it.
const SHORT_BYTES_MAX: usize = 1024;

/// A block, in bytes: a quarter of a second of sound. It lives as long as the last payload in it.
const BLOCK_BYTES: usize = 4 * 1024;

/// The block that is being filled.
///
/// More than half of a stream's messages are sound, a few hundred bytes each. To have memory found for each of them, and let go again when
/// it has grown cold, costs more than to copy them.
#[derive(Debug, Default)]
pub(super) struct Block {
    rest: BytesMut,
}

impl Block {
    /// Copies a payload: beside others if it is short, or else into memory of its own.
    pub(super) fn keep(&mut self, payload: &[u8]) -> Bytes {
        if payload.len() > SHORT_BYTES_MAX {
            return Bytes::copy_from_slice(payload);
        }
        if self.rest.capacity() < payload.len() {
            self.rest = BytesMut::with_capacity(BLOCK_BYTES);
        }
        self.rest.extend_from_slice(payload);
        self.rest.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_payloads_lie_side_by_side_and_long_ones_alone() {
        let mut block = Block::default();
        let (first, long, second) = (
            block.keep(b"first"),
            block.keep(&[7; SHORT_BYTES_MAX + 1]),
            block.keep(b"second"),
        );
        assert_eq!((&*first, &*second), (&b"first"[..], &b"second"[..]));
        assert_eq!(first.as_ptr_range().end, second.as_ptr());
        assert!(long.is_unique(), "it can be let go by itself");
        assert_eq!(long, [7; SHORT_BYTES_MAX + 1][..]);
    }

    #[test]
    fn what_does_not_fit_begins_another_block_and_the_one_before_is_let_go() {
        let mut block = Block::default();
        let kept: Vec<_> = (0..10_u8).map(|byte| block.keep(&[byte; 999])).collect();
        for (byte, payload) in (0..).zip(&kept) {
            assert_eq!(payload, &[byte; 999][..]);
        }
        let follows = |pair: &[Bytes]| pair[0].as_ptr_range().end == pair[1].as_ptr();
        let side_by_side = kept.windows(2).filter(|pair| follows(pair)).count();
        assert!((6..=7).contains(&side_by_side), "four to a block");
        let mut kept = kept.into_iter();
        let last_of_first = kept.nth(3).unwrap();
        assert!(last_of_first.is_unique(), "nobody else has its block");
    }

    #[test]
    fn nothing_takes_no_memory() {
        let mut block = Block::default();
        assert!(block.keep(&[]).is_empty());
        assert_eq!(block.rest.capacity(), 0);
    }
}
