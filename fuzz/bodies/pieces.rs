//! Where a wire is cut into reads.

/// The lengths of the reads that a wire comes in, forever.
#[derive(Clone)]
pub enum Cuts {
    /// Each of so many bytes.
    Even(usize),
    /// Each of 1 to 1024 bytes, short ones mostly, as the seed has it.
    Drawn(u64),
}

impl Cuts {
    /// All at once.
    pub const WHOLE: Self = Self::Even(usize::MAX);

    /// Two bytes of a fuzzer's choice: mode 0 cuts evenly, into pieces of one byte more than `piece`.
    pub fn chosen(mode: u8, piece: u8) -> Self {
        match mode {
            0 => Self::Even(usize::from(piece) + 1),
            _ => Self::Drawn(u64::from(mode) << 8 | u64::from(piece)),
        }
    }

    fn next(&mut self) -> usize {
        match self {
            Self::Even(length) => *length,
            Self::Drawn(state) => {
                *state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
                let drawn = *state >> 32;
                // A longest length of 1, 2, 4 .. 1024, and then any up to that.
                1 + (drawn >> 8) as usize % (1 << (drawn % 11))
            }
        }
    }
}

/// Offers the wire piece by piece, each behind what `read` left of the ones before, until `read` fails or all is read.
///
/// # Panics
/// Where more is left than an unfinished chunk header has.
pub fn feed<E>(
    wire: &[u8],
    mut cuts: Cuts,
    mut read: impl FnMut(&mut &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let (mut start, mut end) = (0, 0);
    while end < wire.len() {
        end = end.saturating_add(cuts.next()).min(wire.len());
        let mut input = &wire[start..end];
        read(&mut input)?;
        assert!(input.len() < 18, "only a header is left unread");
        start = end - input.len();
    }
    Ok(())
}
