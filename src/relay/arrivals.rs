//! Who has something to read, asked at a beat: an event queue of a shard's own, in which a packet's arrival wakes nobody.
//!
//! In the runtime's queue every packet wakes the thread, and a frame comes in dozens of them. Here they are found together, and a
//! publisher of whom none has come is not troubled.

#[cfg(target_os = "linux")]
pub(super) use linux::Arrivals;
#[cfg(not(target_os = "linux"))]
pub(super) use nowhere::Arrivals;

use std::net::TcpStream;
use std::sync::Arc;
use tokio::sync::Notify;

/// A publisher's socket among those that are asked about; it is left by dropping this.
#[derive(Debug)]
pub(super) struct Seat {
    arrivals: Arc<Arrivals>,
    socket: Arc<TcpStream>,
    number: u64,
    arrived: Arc<Notify>,
}

impl Seat {
    /// Completes at the next beat that finds something to read.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.arrivals.forget(&self.socket, self.number);
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{Arc, Notify, Seat, TcpStream};
    use rustix::event::{Timespec, epoll};
    use rustix::fd::OwnedFd;
    use std::collections::HashMap;
    use std::io;
    use std::mem::MaybeUninit;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// Sockets that one question is answered about; where there are more, another one is asked.
    const EVENTS: usize = 64;

    /// The sockets that are asked about, as epoll(7) describes it.
    #[derive(Debug)]
    pub(in crate::relay) struct Arrivals {
        queue: OwnedFd,
        seats: Mutex<Seats>,
    }

    #[derive(Debug, Default)]
    struct Seats {
        taken: HashMap<u64, Arc<Notify>>,
        /// The number of the next one; none is used twice.
        next: u64,
    }

    impl Arrivals {
        pub(in crate::relay) fn new() -> io::Result<Arc<Self>> {
            Ok(Arc::new(Self {
                queue: epoll::create(epoll::CreateFlags::CLOEXEC)?,
                seats: Mutex::default(),
            }))
        }

        /// Asks about this socket from here on. What has arrived already is found at the first beat.
        pub(in crate::relay) fn seat(
            self: &Arc<Self>,
            socket: &Arc<TcpStream>,
        ) -> io::Result<Seat> {
            let arrived = Arc::new(Notify::new());
            let mut seats = self.lock();
            let number = seats.next;
            let event = epoll::EventData::new_u64(number);
            // Told once for what has come since the last time: a socket that was read empty costs nothing.
            let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
            epoll::add(&self.queue, socket, event, flags)?;
            seats.next += 1;
            seats.taken.insert(number, Arc::clone(&arrived));
            drop(seats);
            Ok(Seat {
                arrivals: Arc::clone(self),
                socket: Arc::clone(socket),
                number,
                arrived,
            })
        }

        pub(super) fn forget(&self, socket: &TcpStream, number: u64) {
            self.lock().taken.remove(&number);
            // One that is not there any more needs no leave.
            let _ = epoll::delete(&self.queue, socket);
        }

        /// Wakes whoever has something to read.
        pub(in crate::relay) fn wake(&self) {
            let seats = self.lock();
            loop {
                let mut room = [MaybeUninit::uninit(); EVENTS];
                let at_once = Timespec::default();
                let Ok((found, _)) = epoll::wait(&self.queue, &mut room, Some(&at_once)) else {
                    return;
                };
                for event in &*found {
                    if let Some(arrived) = seats.taken.get(&event.data.u64()) {
                        arrived.notify_one();
                    }
                }
                if found.len() < EVENTS {
                    return;
                }
            }
        }

        fn lock(&self) -> MutexGuard<'_, Seats> {
            self.seats.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

/// Where nobody can be asked, every beat reads every socket.
#[cfg(not(target_os = "linux"))]
mod nowhere {
    use super::{Arc, Seat, TcpStream};
    use std::io;

    #[derive(Debug)]
    pub(in crate::relay) struct Arrivals;

    impl Arrivals {
        pub(in crate::relay) fn new() -> io::Result<Arc<Self>> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(in crate::relay) fn seat(
            self: &Arc<Self>,
            _socket: &Arc<TcpStream>,
        ) -> io::Result<Seat> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn forget(&self, _socket: &TcpStream, _number: u64) {}

        pub(in crate::relay) fn wake(&self) {}
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn pair() -> (TcpStream, Arc<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let far = listener.accept().unwrap().0;
        (near, Arc::new(far))
    }

    /// Whether a beat finds something, waiting for a packet on its way.
    fn finds(arrivals: &Arrivals, seat: &Seat) -> bool {
        (0..200).any(|_| {
            arrivals.wake();
            let found = seat.arrived().now_or_never().is_some();
            if !found {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            found
        })
    }

    #[test]
    fn only_those_with_something_to_read_are_woken_once_for_it() {
        let arrivals = Arrivals::new().unwrap();
        let ((mut near, far), (mut other, beside)) = (pair(), pair());
        let (seat, quiet) = (
            arrivals.seat(&far).unwrap(),
            arrivals.seat(&beside).unwrap(),
        );
        near.write_all(b"abc").unwrap();
        assert!(finds(&arrivals, &seat));
        assert!(quiet.arrived().now_or_never().is_none());
        arrivals.wake();
        assert!(seat.arrived().now_or_never().is_none(), "it was told");
        assert_eq!((&*far).read(&mut [0; 8]).unwrap(), 3);
        near.write_all(b"d").unwrap();
        assert!(finds(&arrivals, &seat), "what comes later is told, too");
        // A peer that goes is something to read.
        drop(near);
        assert!(finds(&arrivals, &seat));
        other.write_all(b"e").unwrap();
        drop(seat);
        assert!(finds(&arrivals, &quiet));
    }

    #[test]
    fn what_came_before_is_found_and_a_socket_that_has_left_is_not_asked_about() {
        let arrivals = Arrivals::new().unwrap();
        let (mut near, far) = pair();
        near.write_all(b"abc").unwrap();
        let seat = arrivals.seat(&far).unwrap();
        assert!(finds(&arrivals, &seat));
        drop(seat);
        assert_eq!(Arc::strong_count(&far), 1);
        let again = arrivals.seat(&far).unwrap();
        assert!(finds(&arrivals, &again), "the same socket may come back");
    }
}
