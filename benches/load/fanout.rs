//! The floor: one thread that reads what publishers send, once per window, and writes it to their targets. It parses nothing.

use crate::Outcome;
use crate::options::FanoutOptions;
use crate::system::Watched;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What is read from one publisher at once, in bytes: a window's worth, and more.
const READ_BYTES: usize = 1 << 20;

struct Stream {
    publisher: TcpStream,
    targets: Vec<Target>,
}

struct Target {
    tcp: TcpStream,
    /// What the socket did not take.
    behind: Vec<u8>,
}

/// Waits for all publishers, connects each to its targets, and passes bytes on until it is ended.
pub fn run(options: &FanoutOptions) -> Outcome<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.rtmp))?;
    let mut streams = Vec::new();
    for _ in 0..options.streams {
        let (publisher, _) = listener.accept()?;
        publisher.set_nonblocking(true)?;
        let targets = (0..options.targets).map(|_| Target::connect(options.sink));
        streams.push(Stream {
            publisher,
            targets: targets.collect::<io::Result<_>>()?,
        });
    }
    let mut space = vec![0; READ_BYTES];
    if options.window_ms == 0 {
        let mut watched = Watched::new(streams.iter().map(|stream| stream.publisher.as_fd()))?;
        loop {
            watched.wait(Duration::from_secs(1))?;
            for at in watched.ready() {
                streams[at].pass_on(&mut space)?;
            }
        }
    }
    let window = Duration::from_millis(options.window_ms);
    let mut next = Instant::now();
    loop {
        next += window;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        for stream in &mut streams {
            stream.pass_on(&mut space)?;
        }
    }
}

impl Stream {
    fn pass_on(&mut self, space: &mut [u8]) -> io::Result<()> {
        let count = match self.publisher.read(space) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        for target in &mut self.targets {
            target.send(&space[..count])?;
        }
        Ok(())
    }
}

impl Target {
    fn connect(port: u16) -> io::Result<Self> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        tcp.set_nodelay(true)?;
        tcp.set_nonblocking(true)?;
        Ok(Self {
            tcp,
            behind: Vec::new(),
        })
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.behind.is_empty() {
            let taken = write(&self.tcp, &self.behind)?;
            self.behind.drain(..taken);
        }
        let taken = if self.behind.is_empty() {
            write(&self.tcp, bytes)?
        } else {
            0
        };
        self.behind.extend_from_slice(&bytes[taken..]);
        Ok(())
    }
}

fn write(mut tcp: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        return Ok(0);
    }
    match tcp.write(bytes) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}
