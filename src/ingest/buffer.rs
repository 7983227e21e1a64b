//! The bytes between a publisher's socket and its session.

use std::cell::RefCell;
use std::io;

/// What is read at once from a peer that only talks, in bytes: commands are small.
const GREETING_BYTES: usize = 4 * 1024;

/// What is read at once from a publisher, in bytes: a beat of 100 Mbit/s fits in twice over.
const MEDIA_BYTES: usize = 1024 * 1024;

thread_local! {
    /// Where this thread's publishers are read, one after the other: what one has touched is in the cache for the next. Memory
    /// that was never touched is not resident.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; MEDIA_BYTES].into());
}

/// What was read and the session has left unread: the beginning of a header or, before a publish is accepted, whatever is
/// behind a question.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    unread: Vec<u8>,
}

/// What one read of media came to.
#[derive(Debug)]
pub(super) struct MediaRead<T> {
    /// The bytes that came; 0 is the peer's end.
    pub(super) count: usize,
    /// Whether there was no room for more.
    pub(super) is_full: bool,
    /// What was made of them.
    pub(super) taken: T,
}

impl ReadBuffer {
    /// What has not been read.
    pub(super) fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Says how many bytes, the last ones, are left unread.
    pub(super) fn left(&mut self, count: usize) {
        let read = self.unread.len().saturating_sub(count);
        self.unread.drain(..read);
    }

    /// Puts the next bytes of a conversation behind those that are unread; says how many came.
    pub(super) fn receive(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut space = [0; GREETING_BYTES];
        let count = read(&mut space)?;
        self.unread
            .extend_from_slice(space.get(..count).unwrap_or(&space));
        Ok(count)
    }

    /// Reads media: `take` is given what is unread with what comes behind it, and leaves what it does not take.
    pub(super) fn receive_media<T>(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
        take: impl FnOnce(&mut &[u8]) -> T,
    ) -> io::Result<MediaRead<T>> {
        ROOM.with_borrow_mut(|room| {
            let kept = self.unread.len();
            // A session that reads media leaves a few bytes.
            if room.len() < kept + GREETING_BYTES {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            let (front, space) = room.split_at_mut(kept);
            let count = read(space)?.min(space.len());
            let is_full = count == space.len();
            front.copy_from_slice(&self.unread);
            let mut unread = &room[..kept + count];
            let taken = take(&mut unread);
            self.unread.clear();
            self.unread.extend_from_slice(unread);
            Ok(MediaRead {
                count,
                is_full,
                taken,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bring(bytes: &[u8]) -> impl FnOnce(&mut [u8]) -> io::Result<usize> {
        |space| {
            space[..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        }
    }

    #[test]
    fn what_is_left_stays_in_front_of_what_comes() {
        let mut buffer = ReadBuffer::default();
        assert_eq!(buffer.receive(bring(b"abcde")).unwrap(), 5);
        buffer.left(2);
        assert_eq!(buffer.unread(), b"de");
        let read = buffer
            .receive_media(bring(b"fgh"), |unread| {
                let seen = unread.to_vec();
                *unread = &unread[4..];
                seen
            })
            .unwrap();
        assert_eq!((read.count, read.is_full), (3, false));
        assert_eq!(read.taken, b"defgh");
        assert_eq!(buffer.unread(), b"h");
    }

    #[test]
    fn a_read_that_fails_costs_nothing() {
        let mut buffer = ReadBuffer::default();
        buffer.receive(bring(b"abc")).unwrap();
        let failed = buffer.receive_media(
            |space| {
                space.fill(7);
                Err(io::ErrorKind::WouldBlock.into())
            },
            |_| (),
        );
        assert!(failed.is_err());
        assert_eq!(buffer.unread(), b"abc");
    }

    #[test]
    fn a_read_that_fills_the_room_says_so() {
        let mut buffer = ReadBuffer::default();
        let read = buffer
            .receive_media(|space| Ok(space.len()), |unread| *unread = &[])
            .unwrap();
        assert!(read.is_full);
        assert!(buffer.unread().is_empty());
    }
}
