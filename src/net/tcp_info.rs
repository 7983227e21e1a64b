//! What the kernel knows about a connection: its delay, and how much of what we "sent" is still here.
//!
//! A write that returned has reached the kernel, not the peer. A target that stopped reading goes on taking megabytes; only
//! these figures show it.

use std::time::Duration;

/// A connection as the kernel sees it, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpInfo {
    /// The smoothed round-trip time; zero where the kernel has not measured one.
    pub rtt: Duration,
    /// How much the round-trip time varies.
    pub rtt_variation: Duration,
    /// Bytes in the send queue that were not sent yet.
    pub notsent_bytes: u64,
    /// Bytes that the peer has acknowledged since the connection began.
    pub acked_bytes: u64,
    /// Segments that were sent again since the connection began.
    pub retransmits: u32,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub use linux::{read, unacked_bytes};

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub use elsewhere::{read, unacked_bytes};

#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code)]
mod linux {
    use std::io;
    use std::mem::{offset_of, size_of};
    use std::os::fd::{AsFd, AsRawFd};
    use std::time::Duration;

    use super::TcpInfo;

    /// `struct tcp_info` of linux/tcp.h up to the last field that is used here. The C libraries' own ends earlier; the
    /// kernel only ever appends to it, and fills as much as it has and we offer.
    #[repr(C)]
    #[derive(Default)]
    struct KernelTcpInfo {
        octets: [u8; 8],
        words_before_retrans: [u32; 7],
        retrans: u32,
        fackets: u32,
        times: [u32; 4],
        pmtu: u32,
        rcv_ssthresh: u32,
        rtt_us: u32,
        rttvar_us: u32,
        words_before_total_retrans: [u32; 6],
        total_retrans: u32,
        rates: [u64; 2],
        bytes_acked: u64,
        bytes_received: u64,
        segs_out: u32,
        segs_in: u32,
        notsent_bytes: u32,
    }

    // Where linux/tcp.h has them.
    const _: () = {
        assert!(offset_of!(KernelTcpInfo, rtt_us) == 68);
        assert!(offset_of!(KernelTcpInfo, rttvar_us) == 72);
        assert!(offset_of!(KernelTcpInfo, total_retrans) == 100);
        assert!(offset_of!(KernelTcpInfo, bytes_acked) == 120);
        assert!(offset_of!(KernelTcpInfo, notsent_bytes) == 144);
    };

    /// Reads the figures of a TCP socket: two system calls, so once per status, not once per tag. Fields that an old
    /// kernel does not know are zero.
    ///
    /// # Errors
    /// What the kernel says, for instance where the socket is not TCP.
    pub fn read(socket: &impl AsFd) -> io::Result<TcpInfo> {
        let kernel = tcp_info(socket)?;
        Ok(TcpInfo {
            rtt: Duration::from_micros(kernel.rtt_us.into()),
            rtt_variation: Duration::from_micros(kernel.rttvar_us.into()),
            notsent_bytes: kernel.notsent_bytes.into(),
            acked_bytes: kernel.bytes_acked,
            retransmits: kernel.total_retrans,
        })
    }

    fn tcp_info(socket: &impl AsFd) -> io::Result<KernelTcpInfo> {
        let mut info = KernelTcpInfo::default();
        let mut length = size_of::<KernelTcpInfo>() as libc::socklen_t;
        // SAFETY: the descriptor is open for as long as the borrow lasts. `info` is plain integers, valid for any bit
        // pattern, and `length` is its exact size, which the kernel never writes beyond.
        let outcome = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                std::ptr::from_mut(&mut info).cast(),
                &raw mut length,
            )
        };
        if outcome == 0 {
            Ok(info)
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Reads how many bytes in the send queue the peer has not acknowledged, those among them that were not sent yet included.
    /// It costs a fraction of what [`read`] does.
    ///
    /// # Errors
    /// What the kernel says, for instance where the socket is not TCP.
    pub fn unacked_bytes(socket: &impl AsFd) -> io::Result<u64> {
        let mut bytes: libc::c_int = 0;
        // SIOCOUTQ has TIOCOUTQ's number.
        // SAFETY: the descriptor is open for as long as the borrow lasts, and this request writes one int.
        let outcome =
            unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
        if outcome == 0 {
            Ok(u64::try_from(bytes).unwrap_or(0))
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod elsewhere {
    use std::io;

    /// This system has no such figures.
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn read<S>(_socket: &S) -> io::Result<super::TcpInfo> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// This system does not tell.
    ///
    /// # Errors
    /// Always [`io::ErrorKind::Unsupported`].
    pub fn unacked_bytes<S>(_socket: &S) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::time::Instant;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        (near, far)
    }

    /// Reads until the figures are as wanted; the kernel's side of a loopback pair is not instantaneous.
    fn wait_for(
        socket: &TcpStream,
        what: &str,
        wanted: impl Fn(&TcpInfo, u64) -> bool,
    ) -> (TcpInfo, u64) {
        let begun = Instant::now();
        loop {
            let (info, unacked) = (read(socket).unwrap(), unacked_bytes(socket).unwrap());
            if wanted(&info, unacked) {
                return (info, unacked);
            }
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{what}: {info:?}, {unacked} bytes not acknowledged"
            );
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_peer_that_does_not_read_is_seen_and_one_that_reads_is_too() {
        let (mut near, mut far) = pair();
        near.set_nonblocking(true).unwrap();
        let mut written = 0_u64;
        loop {
            match near.write(&[7; 64 * 1024]) {
                Ok(bytes) => written += bytes as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        let (stalled, unacked) = wait_for(&near, "stalled", |info, _| {
            info.notsent_bytes > 0 && info.acked_bytes > 0
        });
        assert!(
            unacked >= stalled.notsent_bytes,
            "{stalled:?}, {unacked} bytes"
        );
        assert!(unacked <= written, "{unacked} of {written} bytes");
        assert!(stalled.rtt > Duration::ZERO, "{stalled:?}");

        let mut left = written;
        let mut scrap = vec![0; 1024 * 1024];
        while left > 0 {
            left -= far.read(&mut scrap).unwrap() as u64;
        }
        wait_for(&near, "drained", |_, unacked| unacked == 0);
        let drained = read(&near).unwrap();
        assert_eq!(drained.notsent_bytes, 0);
        // The handshake's own sequence number counts where the kernel counts it.
        assert!(
            (written..=written + 1).contains(&drained.acked_bytes),
            "{drained:?} {written}"
        );
    }

    #[test]
    fn a_socket_that_is_not_tcp_is_an_error() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(read(&socket).is_err());
    }
}
