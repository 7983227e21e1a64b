//! A publisher's socket, plain or TLS: served at once while it is greeted, and at the gateway's beat while it publishes.

use rustix::net::{RecvFlags, recv};
use rustls::ServerConnection;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;

/// A publisher's connection. Reads and writes never block; `WouldBlock` means later.
pub(super) struct Socket {
    tcp: Tcp,
    tls: Option<Box<ServerConnection>>,
}

enum Tcp {
    /// The runtime wakes us for every packet.
    Awake(TcpStream),
    /// Nobody is woken: it is read at the beat. A packet's arrival costs nothing, which is what makes the beat worth having.
    Paced(Arc<std::net::TcpStream>),
    /// It was lost between the two.
    Gone,
}

impl Socket {
    pub(super) fn new(tcp: TcpStream, tls: Option<ServerConnection>) -> Self {
        Self {
            tcp: Tcp::Awake(tcp),
            tls: tls.map(Box::new),
        }
    }

    /// Takes the socket out of the runtime's event queue; it is read at the beat from here on.
    ///
    /// # Errors
    /// The event queue does not let go of it; the connection is closed then.
    pub(super) fn pace(&mut self) -> io::Result<Arc<std::net::TcpStream>> {
        let tcp = match std::mem::replace(&mut self.tcp, Tcp::Gone) {
            Tcp::Awake(tcp) => Arc::new(tcp.into_std()?),
            Tcp::Paced(tcp) => tcp,
            Tcp::Gone => return Err(io::ErrorKind::NotConnected.into()),
        };
        self.tcp = Tcp::Paced(Arc::clone(&tcp));
        Ok(tcp)
    }

    /// Puts it back, to say goodbye in peace. Nobody else has it any more.
    ///
    /// # Errors
    /// The event queue refuses it; the connection is closed then.
    pub(super) fn unpace(&mut self) -> io::Result<()> {
        self.tcp = match std::mem::replace(&mut self.tcp, Tcp::Gone) {
            Tcp::Paced(tcp) => {
                let tcp = Arc::into_inner(tcp).ok_or(io::ErrorKind::ResourceBusy)?;
                Tcp::Awake(TcpStream::from_std(tcp)?)
            }
            as_it_is => as_it_is,
        };
        Ok(())
    }

    /// Waits until there may be something to read, or room for what TLS still has to write. A paced socket never says so.
    pub(super) async fn ready(&self) -> io::Result<()> {
        let Tcp::Awake(tcp) = &self.tcp else {
            return std::future::pending().await;
        };
        if self.tls.as_ref().is_some_and(|tls| tls.wants_write()) {
            let either = Interest::READABLE | Interest::WRITABLE;
            return tcp.ready(either).await.map(drop);
        }
        poll_fn(|cx| tcp.poll_read_ready(cx)).await
    }

    /// Waits until there may be room to write.
    pub(super) async fn writable(&self) -> io::Result<()> {
        match &self.tcp {
            Tcp::Awake(tcp) => tcp.writable().await,
            Tcp::Paced(_) | Tcp::Gone => std::future::pending().await,
        }
    }

    /// Reads what has arrived, as much as there is room for. `Ok(0)` is the peer's end.
    pub(super) fn try_read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.tcp.read(into);
        };
        // What a full socket buffer has held back. A peer that is gone shows below, behind what it sent last.
        let _ = flush_tls(tls, &mut self.tcp);
        // One record is a fraction of what may have arrived, and less than there is room for means that nothing is left.
        let mut count = 0;
        while let Some(room @ [_, ..]) = into.get_mut(count..) {
            match read_record(tls, &mut self.tcp, room) {
                Ok(0) => break,
                Ok(more) => count += more,
                // Whatever it is comes again with the next read.
                Err(_) if count > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    /// Writes as much as there is room for.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.tcp.write(bytes);
        };
        flush_tls(tls, &mut self.tcp)?;
        if tls.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = tls.writer().write(bytes)?;
        flush_tls(tls, &mut self.tcp)?;
        Ok(taken)
    }

    /// Whether everything written has been given to the kernel.
    pub(super) fn is_flushed(&mut self) -> io::Result<bool> {
        match &mut self.tls {
            Some(tls) => {
                flush_tls(tls, &mut self.tcp)?;
                Ok(!tls.wants_write())
            }
            None => Ok(true),
        }
    }

    /// Says that nothing more will be written.
    pub(super) fn shutdown_write(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            flush_tls(tls, &mut self.tcp)?;
        }
        match &self.tcp {
            Tcp::Awake(tcp) => socket2::SockRef::from(tcp).shutdown(std::net::Shutdown::Write),
            Tcp::Paced(tcp) => tcp.shutdown(std::net::Shutdown::Write),
            Tcp::Gone => Ok(()),
        }
    }
}

/// Reads what one or more TLS records brought.
fn read_record(tls: &mut ServerConnection, tcp: &mut Tcp, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match tls.reader().read(into) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // A peer that closes without TLS's own goodbye has closed all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
            other => return other,
        }
        if tls.read_tls(tcp)? == 0 {
            return Ok(0);
        }
        let processed = tls.process_new_packets();
        // What TLS has to say goes out in any case: its alert tells the peer why it was refused.
        let _ = flush_tls(tls, tcp);
        processed.map_err(io::Error::other)?;
    }
}

/// Writes TLS records until there are none left, or no room.
fn flush_tls(tls: &mut ServerConnection, tcp: &mut Tcp) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(tcp) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Read for Tcp {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            // As `try_read`, but for one thing: a read that leaves room tells the runtime that the socket is empty, which
            // otherwise takes another read to find out.
            Self::Awake(tcp) => {
                let mut into = ReadBuf::new(into);
                let mut nobody = Context::from_waker(Waker::noop());
                match Pin::new(tcp).poll_read(&mut nobody, &mut into) {
                    Poll::Ready(read) => read.map(|()| into.filled().len()),
                    Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
                }
            }
            // Without the C library: see the targets' `Transport::try_write`.
            Self::Paced(tcp) => {
                let (_, count) = recv(&**tcp, into, RecvFlags::empty())?;
                Ok(count)
            }
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Write for Tcp {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Awake(tcp) => tcp.try_write(bytes),
            Self::Paced(tcp) => (&**tcp).write(bytes),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
