//! A piece in pages of the kernel's own, which sockets take as they are: it is copied once, where each `send` copies it anew.
//!
//! The pages are those of a pipe (`tee` and `splice`, see their pages in section 2 of the manual). Nobody writes to them again: a socket
//! holds what it has not sent, and what was not acknowledged, for as long as it wants, and when the last one lets go, the pages are
//! freed. Pages of our own would have to be left alone for just that long, which nobody tells.

#[cfg(target_os = "linux")]
use linux::Pages;
#[cfg(not(target_os = "linux"))]
use nowhere::Pages;
use std::io;
use tokio::net::TcpStream;
use tracing::debug;

/// A thread's pages, for one piece after the other.
pub(super) enum Supply {
    /// Not asked for so far.
    Untried,
    There(Pages),
    /// Not to be had here: what the kernel has refused once is not asked for again.
    Refused,
}

impl Supply {
    pub(super) const NEW: Self = Self::Untried;

    /// Gives the piece to a socket, which is the same one for all up to [`clear`](Self::clear); says how much of it was taken, in bytes, or
    /// what the socket had to say. None where it has to be written, since there are no pages for it.
    pub(super) fn give(&mut self, piece: &[u8], socket: &TcpStream) -> Option<io::Result<usize>> {
        if matches!(self, Self::Untried) {
            *self = Pages::new().map_or_else(refused, Self::There);
        }
        let Self::There(pages) = self else {
            return None;
        };
        if piece.len() > pages.capacity() {
            return None;
        }
        let held = match pages.holds_one() {
            true => Ok(()),
            false => pages.hold(piece),
        };
        match held.and_then(|()| pages.give(socket)) {
            Ok(given) => Some(given),
            Err(error) => {
                *self = refused(error);
                None
            }
        }
    }

    /// Lets go of the piece.
    pub(super) fn clear(&mut self) {
        if let Self::There(pages) = self
            && let Err(error) = pages.clear()
        {
            *self = refused(error);
        }
    }
}

fn refused(error: io::Error) -> Supply {
    debug!(%error, "the kernel passes no pages on: it copies what is sent for each target");
    Supply::Refused
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::fd::{AsFd, OwnedFd};
    use rustix::io::{Errno, write};
    use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice, tee};
    use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
    use std::fs::File;
    use std::io;

    /// The longest piece, in bytes. It is what anybody may have a pipe hold (`/proc/sys/fs/pipe-max-size`).
    const PIECE_BYTES_MAX: usize = 1024 * 1024;

    /// A thread's pages. Dropping them lets go of them; what sockets hold stays.
    pub(in crate::egress) struct Pages {
        piece: Pipe,
        /// What one socket is about to take.
        copy: Pipe,
        /// Where pages go that nobody takes.
        nowhere: File,
        /// The longest piece that both pipes hold, in bytes.
        capacity: usize,
        /// How long the piece is that they hold, in bytes.
        held: usize,
    }

    struct Pipe {
        out: OwnedFd,
        into: OwnedFd,
    }

    impl Pages {
        /// Pages for one piece at a time.
        ///
        /// # Errors
        /// What the kernel says, as where there are no more descriptors, or where it must not be asked (seccomp).
        pub(super) fn new() -> io::Result<Self> {
            let (piece, copy) = (Pipe::new()?, Pipe::new()?);
            Ok(Self {
                capacity: piece.capacity()?.min(copy.capacity()?),
                piece,
                copy,
                nowhere: File::options().write(true).open("/dev/null")?,
                held: 0,
            })
        }

        /// The longest piece that they can hold, in bytes: less than 1 MiB where this user has much in pipes already.
        pub(super) fn capacity(&self) -> usize {
            self.capacity
        }

        /// Whether they hold a piece.
        pub(super) fn holds_one(&self) -> bool {
            self.held > 0
        }

        /// Holds this piece in place of the one before.
        ///
        /// # Errors
        /// What the kernel says. The pages are of no use any more.
        pub(super) fn hold(&mut self, piece: &[u8]) -> io::Result<()> {
            self.clear()?;
            self.held = piece.len();
            whole(write(&self.piece.into, piece)?, self.held)
        }

        /// Lets go of the piece.
        ///
        /// # Errors
        /// What the kernel says. The pages are of no use any more.
        pub(super) fn clear(&mut self) -> io::Result<()> {
            self.discard(&self.piece, self.held)?;
            self.held = 0;
            Ok(())
        }

        /// Gives the piece to a socket, which is never waited for; says how much of it was taken, in bytes, or what the socket had to say to
        /// it.
        ///
        /// A socket that is closed raises SIGPIPE, as there is no flag against that: Rust's runtime has a program ignore it.
        ///
        /// # Errors
        /// The kernel does not do that, and the pages are of no use any more. The socket has taken nothing.
        pub(super) fn give(&self, socket: impl AsFd) -> io::Result<io::Result<usize>> {
            let flags = SpliceFlags::NONBLOCK;
            whole(
                tee(&self.piece.out, &self.copy.into, self.held, flags)?,
                self.held,
            )?;
            let given = splice(&self.copy.out, None, socket, None, self.held, flags);
            // What the kernel has to say, and not the socket.
            if let Err(Errno::INVAL | Errno::NOSYS | Errno::PERM | Errno::NOMEM) = given {
                given?;
            }
            let taken = given.unwrap_or(0);
            self.discard(&self.copy, self.held - taken)?;
            Ok(given.map_err(io::Error::from))
        }

        fn discard(&self, pipe: &Pipe, bytes: usize) -> io::Result<()> {
            if bytes == 0 {
                return Ok(());
            }
            let (from, to, flags) = (&pipe.out, &self.nowhere, SpliceFlags::NONBLOCK);
            whole(splice(from, None, to, None, bytes, flags)?, bytes)
        }
    }

    impl Pipe {
        fn new() -> io::Result<Self> {
            let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
            // Where this user has much in pipes already, it stays as small as it is.
            let _ = fcntl_setpipe_size(&into, PIECE_BYTES_MAX);
            Ok(Self { out, into })
        }

        fn capacity(&self) -> io::Result<usize> {
            Ok(fcntl_getpipe_size(&self.into)?)
        }
    }

    fn whole(done: usize, asked: usize) -> io::Result<()> {
        match done == asked {
            true => Ok(()),
            false => Err(io::ErrorKind::WriteZero.into()),
        }
    }
}

/// Elsewhere every socket has its own copy.
#[cfg(not(target_os = "linux"))]
mod nowhere {
    use std::io;
    use tokio::net::TcpStream;

    pub(in crate::egress) enum Pages {}

    impl Pages {
        pub(super) fn new() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn capacity(&self) -> usize {
            match *self {}
        }

        pub(super) fn holds_one(&self) -> bool {
            match *self {}
        }

        pub(super) fn hold(&mut self, _piece: &[u8]) -> io::Result<()> {
            match *self {}
        }

        pub(super) fn clear(&mut self) -> io::Result<()> {
            match *self {}
        }

        pub(super) fn give(&self, _socket: &TcpStream) -> io::Result<io::Result<usize>> {
            match *self {}
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
