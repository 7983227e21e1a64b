//! The bytes between a publisher's socket and its session.

/// The buffer of a peer that only talks: commands are small.
const GREETING_BYTES: usize = 4 * 1024;

/// The buffer of a publisher: what 6 Mbit/s bring in a beat of 30 ms, twice over.
const MEDIA_BYTES: usize = 64 * 1024;

/// The most that the buffer grows to when one read after the other fills it.
const MEDIA_BYTES_MAX: usize = 512 * 1024;

/// A buffer that is filled at its end and read from its beginning.
pub(super) struct ReadBuffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; GREETING_BYTES].into(),
            start: 0,
            end: 0,
        }
    }

    /// Makes room for media.
    pub(super) fn expect_media(&mut self) {
        self.resize(MEDIA_BYTES);
    }

    /// Where the next bytes go. Never empty, unless the session leaves a whole buffer unread, as it does before the publish is
    /// accepted.
    pub(super) fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.bytes[self.end..]
    }

    /// Says how many bytes were put into the space.
    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// What has not been read.
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Says how many bytes are left unread.
    pub(super) fn left(&mut self, count: usize) {
        self.start = self.end.saturating_sub(count);
    }

    /// The peer is faster than the buffer: the next read gets more room.
    pub(super) fn grow(&mut self) {
        if self.bytes.len() < MEDIA_BYTES_MAX {
            self.resize(self.bytes.len() * 2);
        }
    }

    fn resize(&mut self, size: usize) {
        let unread = self.unread();
        let mut bytes = vec![0; size.max(unread.len())];
        bytes[..unread.len()].copy_from_slice(unread);
        self.end = unread.len();
        self.start = 0;
        self.bytes = bytes.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_stays_in_front_of_what_comes() {
        let mut buffer = ReadBuffer::new();
        buffer.space()[..5].copy_from_slice(b"abcde");
        buffer.filled(5);
        buffer.left(2);
        assert_eq!(buffer.unread(), b"de");
        buffer.expect_media();
        buffer.space()[..1].copy_from_slice(b"f");
        buffer.filled(1);
        assert_eq!(buffer.unread(), b"def");
        assert_eq!(buffer.space().len(), MEDIA_BYTES - 3);
    }

    #[test]
    fn it_grows_to_a_bound() {
        let mut buffer = ReadBuffer::new();
        for _ in 0..100 {
            buffer.grow();
        }
        assert_eq!(buffer.space().len(), MEDIA_BYTES_MAX);
    }
}
