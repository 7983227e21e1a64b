//! The connection to a target: plain or TLS, and what the kernel says of it.

use crate::net::tcp_info;
use rustix::net::{SendFlags, send};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// What TLS holds back at the most, in bytes: rustls takes no more while so much waits for the kernel.
const TLS_HELD_BYTES_MAX: u64 = 64 * 1024;

/// A connection to a target.
pub enum Transport {
    /// RTMP.
    Plain(TcpStream),
    /// RTMPS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// What a push is carried over: bytes both ways, and what the kernel knows of them.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Bytes that were given to the kernel and that the peer has not acknowledged; none where the operating system does not tell.
    fn unacked_bytes(&self) -> Option<u64>;

    /// The connection's round-trip time; none where the operating system does not tell. To ask costs several times what a write
    /// on a producer's turn costs us.
    fn rtt(&self) -> Option<Duration>;

    /// Of so many bytes that were taken since all was flushed, how many may not have reached the kernel yet: those that TLS
    /// holds back.
    fn held_bytes(&self, _unflushed: u64) -> u64 {
        0
    }

    /// The socket, where bytes go to it as they are.
    fn plain(&self) -> Option<&TcpStream> {
        None
    }

    /// Writes what is taken now. Nobody is woken when there is room again: whoever has to know asks with `poll_write`.
    ///
    /// # Errors
    /// `WouldBlock` where nothing is taken, or what the connection says.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut nobody = Context::from_waker(Waker::noop());
        match Pin::new(self).poll_write(&mut nobody, bytes) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Passes on what is held back, as far as it is taken now; says whether that was all. Nobody is woken when there is room again.
    ///
    /// # Errors
    /// What the connection says.
    fn try_flush(&mut self) -> io::Result<bool> {
        let mut nobody = Context::from_waker(Waker::noop());
        match Pin::new(self).poll_flush(&mut nobody) {
            Poll::Ready(flushed) => flushed.map(|()| true),
            Poll::Pending => Ok(false),
        }
    }
}

impl Wire for Transport {
    fn unacked_bytes(&self) -> Option<u64> {
        match self {
            Self::Plain(tcp) => tcp_info::unacked_bytes(tcp).ok(),
            Self::Tls(tls) => tls.unacked_bytes(),
        }
    }

    fn rtt(&self) -> Option<Duration> {
        match self {
            Self::Plain(tcp) => rtt(tcp),
            Self::Tls(tls) => tls.rtt(),
        }
    }

    fn held_bytes(&self, unflushed: u64) -> u64 {
        match self {
            Self::Plain(_) => 0,
            Self::Tls(tls) => tls.held_bytes(unflushed),
        }
    }

    fn plain(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(tcp) => Some(tcp),
            Self::Tls(_) => None,
        }
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            // Without a look at what the runtime knows of the socket: the kernel knows better, and is asked anyway. And without the
            // C library, which guards each call of a program with threads against their cancellation, by two atomic operations.
            Self::Plain(tcp) => Ok(send(tcp, bytes, SendFlags::NOSIGNAL)?),
            Self::Tls(tls) => tls.try_write(bytes),
        }
    }

    fn try_flush(&mut self) -> io::Result<bool> {
        match self {
            // It holds nothing back.
            Self::Plain(_) => Ok(true),
            Self::Tls(tls) => tls.try_flush(),
        }
    }
}

impl Wire for TlsStream<TcpStream> {
    fn unacked_bytes(&self) -> Option<u64> {
        tcp_info::unacked_bytes(self.get_ref().0).ok()
    }

    fn rtt(&self) -> Option<Duration> {
        rtt(self.get_ref().0)
    }

    fn held_bytes(&self, unflushed: u64) -> u64 {
        match self.get_ref().1.wants_write() {
            true => unflushed.min(TLS_HELD_BYTES_MAX),
            false => 0,
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, into),
            Self::Tls(tls) => match Pin::new(tls).poll_read(cx, into) {
                // A peer that closes without TLS's own goodbye has closed all the same.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                read => read,
            },
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, slices),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

fn rtt(tcp: &TcpStream) -> Option<Duration> {
    tcp_info::read(tcp).ok().map(|tcp| tcp.rtt)
}
