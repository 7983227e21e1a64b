//! The targets: most of them discard in the kernel, a few look at every message.

use crate::Outcome;
use crate::check::Checker;
use crate::frames::{Frames, Kind};
use crate::system;
use aqueduct::media::MediaKind;
use aqueduct::rtmp::chunk::Reader;
use aqueduct::rtmp::session::server::{ServerEvent, ServerSession};
use bytes::{Buf, BytesMut};
use rustls::ServerConnection;
use std::io::{self, Read};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// What is discarded at once, in bytes.
const DISCARD_BYTES: usize = 16 << 20;
/// What a checked target reads at once, in bytes.
const READ_BYTES: usize = 256 << 10;

/// A target's connection, once it takes media.
pub struct Sink {
    pub tcp: TcpStream,
    /// What opens the records, where it is an RTMPS one.
    pub tls: Option<Box<ServerConnection>>,
    pub speaks: Speaks,
    /// What was read behind the greeting.
    pub inbox: BytesMut,
}

/// What comes over it.
pub enum Speaks {
    Rtmp(Box<ServerSession>),
    /// A publisher's chunks as they were sent, with no greeting before them.
    Chunks(Box<Reader>),
}

impl Sink {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.tcp).read(into),
            None => self.tcp.read(into),
        }
    }
}

/// Throws away whatever comes.
pub struct Discarding {
    tcp: TcpStream,
    /// Whether the relay has gone.
    pub ended: bool,
}

impl Discarding {
    pub fn new(sink: Sink) -> Self {
        Self {
            tcp: sink.tcp,
            ended: false,
        }
    }

    pub fn socket(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }

    /// Takes what has arrived; the number of bytes.
    pub fn sweep(&mut self) -> usize {
        match system::discard(self.tcp.as_fd(), DISCARD_BYTES) {
            Ok(0) => self.ended = true,
            Ok(count) => return count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.ended = true,
        }
        0
    }
}

/// Reads every message.
pub struct Checking {
    sink: Sink,
    space: Box<[u8]>,
    pub checker: Checker,
    pub ended: bool,
}

impl Checking {
    pub fn new(sink: Sink) -> Self {
        Self {
            sink,
            space: vec![0; READ_BYTES].into(),
            checker: Checker::default(),
            ended: false,
        }
    }

    pub fn socket(&self) -> BorrowedFd<'_> {
        self.sink.tcp.as_fd()
    }

    /// Takes what has arrived; the number of bytes.
    pub fn read(&mut self, frames: &Frames, since: Duration) -> Outcome<usize> {
        let mut taken = 0;
        loop {
            let count = match self.sink.read(&mut self.space) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(taken);
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(taken),
                Err(error) => return Err(error.into()),
            };
            taken += count;
            self.check(count, frames, since)?;
            // What was decrypted and not read wakes nobody.
            if self.sink.tls.is_none() {
                return Ok(taken);
            }
        }
    }

    fn check(&mut self, count: usize, frames: &Frames, since: Duration) -> Outcome<()> {
        self.sink.inbox.extend_from_slice(&self.space[..count]);
        let mut unread: &[u8] = &self.sink.inbox;
        while let Some((kind, timestamp, payload)) = self.sink.speaks.next(&mut unread)? {
            self.checker.take(frames, kind, timestamp, &payload, since);
        }
        let read = self.sink.inbox.len() - unread.len();
        self.sink.inbox.advance(read);
        Ok(())
    }
}

impl Speaks {
    /// The next audio or video message.
    fn next(&mut self, unread: &mut &[u8]) -> Outcome<Option<(Kind, u32, bytes::Bytes)>> {
        loop {
            let (kind, timestamp, payload) = match self {
                Self::Rtmp(session) => match session.read(unread, Duration::ZERO)? {
                    None => return Ok(None),
                    Some(ServerEvent::Media(media)) => {
                        let kind = match media.kind {
                            MediaKind::Video => Kind::Video,
                            MediaKind::Audio => Kind::Audio,
                            MediaKind::Data => continue,
                        };
                        (kind, media.timestamp, media.payload)
                    }
                    Some(_) => continue,
                },
                Self::Chunks(reader) => match reader.read(unread)? {
                    None => return Ok(None),
                    Some(message) => {
                        let kind = match message.type_id {
                            9 => Kind::Video,
                            8 => Kind::Audio,
                            _ => continue,
                        };
                        (kind, message.timestamp, message.payload)
                    }
                },
            };
            return Ok(Some((kind, timestamp, payload)));
        }
    }
}
