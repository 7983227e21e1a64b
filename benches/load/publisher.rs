//! A publisher: what it sends goes into its socket at once, or at the pace of the link that it is behind.

use crate::frames::{Frames, Kind};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What a packet of an Ethernet link carries, in bytes.
const PACKET_BYTES: usize = 1448;

/// One publisher's connection.
pub struct Publisher {
    pub tcp: TcpStream,
    numbers: [u32; 2],
    /// What the link has not carried, or the socket did not take.
    behind: VecDeque<u8>,
    link: Option<Link>,
}

/// A link of some rate.
struct Link {
    bits_per_second: u64,
    /// When it will have carried all that it was given.
    free: Duration,
}

impl Publisher {
    /// One whose first picture went out with the greeting. An uplink of 0 is none: messages arrive whole.
    pub fn new(tcp: TcpStream, uplink_mbps: u32) -> Self {
        let link = Link {
            bits_per_second: u64::from(uplink_mbps) * 1_000_000,
            free: Duration::ZERO,
        };
        Self {
            tcp,
            numbers: [1, 0],
            behind: VecDeque::new(),
            link: (uplink_mbps > 0).then_some(link),
        }
    }

    /// Sends its next message of a kind. Its stamp is the moment at which its last byte goes out.
    pub fn send(&mut self, frames: &mut Frames, kind: Kind, now: Duration) -> io::Result<Sent> {
        let number = self.numbers[kind as usize];
        self.numbers[kind as usize] += 1;
        let Some(link) = &mut self.link else {
            let message = frames.message(kind, number, now);
            let taken = match self.behind.is_empty() || self.flush(usize::MAX)? {
                true => write(&self.tcp, message)?,
                false => 0,
            };
            self.behind.extend(&message[taken..]);
            return Ok(Sent {
                bytes: message.len(),
                is_blocked: taken < message.len(),
                next_packet: None,
            });
        };
        let was_idle = self.behind.is_empty();
        let length = frames.message(kind, number, now).len();
        link.free = link.free.max(now) + link.takes(length);
        let message = frames.message(kind, number, link.free);
        self.behind.extend(message);
        Ok(Sent {
            bytes: length,
            is_blocked: false,
            next_packet: was_idle.then_some(now),
        })
    }

    /// The link has brought one packet; when it brings the next one, if there is more.
    pub fn packet(&mut self, at: Duration) -> io::Result<Option<Duration>> {
        let Some(link) = &self.link else {
            return Ok(None);
        };
        let next = at + link.takes(self.behind.len().min(PACKET_BYTES));
        self.flush(PACKET_BYTES)?;
        Ok((!self.behind.is_empty()).then_some(next))
    }

    /// Sends as much of what is behind; says whether nothing is left.
    fn flush(&mut self, most: usize) -> io::Result<bool> {
        let all = self.behind.make_contiguous();
        let taken = write(&self.tcp, &all[..all.len().min(most)])?;
        self.behind.drain(..taken);
        Ok(self.behind.is_empty())
    }
}

/// What became of a message.
pub struct Sent {
    pub bytes: usize,
    /// Whether a full socket held it up: the relay does not read fast enough.
    pub is_blocked: bool,
    /// When the link, which was idle, brings the first packet of it.
    pub next_packet: Option<Duration>,
}

impl Link {
    /// How long it takes for so many bytes.
    fn takes(&self, bytes: usize) -> Duration {
        Duration::from_nanos(bytes as u64 * 8 * 1_000_000_000 / self.bits_per_second)
    }
}

fn write(mut tcp: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    match tcp.write(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
