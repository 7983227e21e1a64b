//! The boxes that a file is made of, as far as one has to know them to find its index.

use super::Mp4Error;

/// The longest head of a box, in bytes; a shorter one is followed by what is in the box, or by the file's end.
pub const HEAD_BYTES: usize = 16;

/// The head of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxHead {
    /// Its type.
    pub kind: [u8; 4],
    /// The head's own length, in bytes.
    pub head: u64,
    /// What is in it, in bytes; none where it goes on to the file's end.
    pub body: Option<u64>,
}

impl BoxHead {
    /// Reads the head at the beginning of `bytes`; `None` where they are too few, as at a file's end.
    ///
    /// # Errors
    /// It says that it is shorter than itself.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, Mp4Error> {
        let Some((&[a, b, c, d, k0, k1, k2, k3], rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        let kind = [k0, k1, k2, k3];
        let (head, size) = match u32::from_be_bytes([a, b, c, d]) {
            0 => {
                return Ok(Some(Self {
                    kind,
                    head: 8,
                    body: None,
                }));
            }
            1 => match rest.first_chunk() {
                Some(&long) => (16, u64::from_be_bytes(long)),
                None => return Ok(None),
            },
            short => (8, u64::from(short)),
        };
        let body = size.checked_sub(head).ok_or(Mp4Error::BoxSize)?;
        Ok(Some(Self {
            kind,
            head,
            body: Some(body),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_short_or_long_or_without_an_end() {
        let read = |bytes: &[u8]| BoxHead::read(bytes);
        let head = |head, body| {
            Ok(Some(BoxHead {
                kind: *b"moov",
                head,
                body,
            }))
        };
        assert_eq!(read(b"\0\0\0\x10moov"), head(8, Some(8)));
        assert_eq!(read(b"\0\0\0\0moov"), head(8, None));
        assert_eq!(
            read(b"\0\0\0\x01moov\0\0\0\x01\0\0\0\0"),
            head(16, Some((1 << 32) - 16))
        );
        assert_eq!(read(b"\0\0\0\x07moov"), Err(Mp4Error::BoxSize));
        assert_eq!(
            read(b"\0\0\0\x01moov\0\0\0\0\0\0\0\x0F"),
            Err(Mp4Error::BoxSize)
        );
        for short in [&b"\0\0\0\x10moo"[..], b"\0\0\0\x01moov\0\0\0"] {
            assert_eq!(read(short), Ok(None));
        }
    }
}
