//! Reading bits, from the left. Whoever runs past the end gets `None`, and nothing is ever reserved.

/// Bytes, read bit by bit.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bit of the first byte; 0 is its highest.
    bit: u32,
    /// How many zero bytes come right before the first one, where bytes that were put in between others are to be left out.
    zeros: Option<u32>,
}

impl<'a> Bits<'a> {
    /// Bytes as they are.
    pub(super) fn plain(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            bit: 0,
            zeros: None,
        }
    }

    /// The payload of a NAL unit, in which a 3 behind two zero bytes means nothing (H.264, 7.4.1; H.265, 7.4.2).
    pub(super) fn of_nal_unit(bytes: &'a [u8]) -> Self {
        Self {
            zeros: Some(0),
            ..Self::plain(bytes)
        }
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        let (&first, rest) = self.bytes.split_first()?;
        let bit = first >> (7 - self.bit) & 1;
        self.bit += 1;
        if self.bit == 8 {
            self.bit = 0;
            self.bytes = rest;
            self.leave(first);
        }
        Some(bit == 1)
    }

    /// A number of up to 32 bits.
    pub(super) fn number(&mut self, bits: u32) -> Option<u32> {
        let mut number = 0u32;
        for _ in 0..bits.min(32) {
            number = number << 1 | u32::from(self.bit()?);
        }
        Some(number)
    }

    pub(super) fn skip(&mut self, bits: u32) -> Option<()> {
        (0..bits).try_for_each(|_| self.bit().map(drop))
    }

    /// An unsigned Exp-Golomb code (H.264, 9.1), which has up to 32 bits behind its zeros.
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1u32 << zeros) - 1 + self.number(zeros)?)
    }

    /// A signed one.
    pub(super) fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        let size = (code + 1) / 2;
        Some(if code % 2 == 1 { size } else { -size })
    }

    /// Goes on behind a byte that was read.
    fn leave(&mut self, byte: u8) {
        let Some(zeros) = &mut self.zeros else {
            return;
        };
        *zeros = if byte == 0 { *zeros + 1 } else { 0 };
        if *zeros >= 2
            && let Some((3, rest)) = self.bytes.split_first()
        {
            self.bytes = rest;
            *zeros = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        // 1, 010, 011, 00100, 00111, and an end.
        let bytes = [0b1010_0110, 0b0100_0011, 0b1000_0000];
        let mut bits = Bits::plain(&bytes);
        let read: Vec<_> = (0..5).map(|_| bits.ue().unwrap()).collect();
        assert_eq!(read, [0, 1, 2, 3, 6]);
        let mut bits = Bits::plain(&bytes);
        let read: Vec<_> = (0..5).map(|_| bits.se().unwrap()).collect();
        assert_eq!(read, [0, 1, -1, 2, -3]);
        assert_eq!(bits.ue(), None, "zeros up to the end");
        assert_eq!(Bits::plain(&[0; 8]).ue(), None, "more than 31 zeros");
        let longest = [0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFE];
        assert_eq!(Bits::plain(&longest).ue(), Some(u32::MAX - 1));
    }

    #[test]
    fn what_was_put_between_bytes_is_left_out() {
        let read = |bytes: &[u8]| {
            let mut bits = Bits::of_nal_unit(bytes);
            std::iter::from_fn(|| bits.number(8)).collect::<Vec<_>>()
        };
        assert_eq!(read(&[1, 0, 0, 3, 1, 3]), [1, 0, 0, 1, 3]);
        assert_eq!(read(&[0, 0, 3, 0, 0, 3, 0]), [0, 0, 0, 0, 0]);
        assert_eq!(read(&[0, 3, 0, 0, 3]), [0, 3, 0, 0]);
        assert_eq!(Bits::plain(&[0, 0, 3]).number(24), Some(3));
    }
}
