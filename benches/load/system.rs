//! What the standard library has no words for.
#![allow(unsafe_code, reason = "system calls")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Throws away what has arrived, in the kernel, without copying it: the number of bytes; 0 is the peer's end.
pub fn discard(socket: BorrowedFd<'_>, max: usize) -> io::Result<usize> {
    // SAFETY: with MSG_TRUNC a TCP socket writes nothing to the buffer (tcp(7)), so that none is needed; the descriptor
    // is borrowed and therefore open.
    let count = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            std::ptr::null_mut(),
            max,
            libc::MSG_TRUNC | libc::MSG_DONTWAIT,
        )
    };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// A set of sockets that are waited for together.
pub struct Watched {
    queue: OwnedFd,
    events: Vec<libc::epoll_event>,
    ready: usize,
}

/// Events that are taken at once.
const EVENTS: usize = 512;

impl Watched {
    /// The sockets have to stay open for as long as they are watched; each is known by its place.
    pub fn new<'a>(sockets: impl IntoIterator<Item = BorrowedFd<'a>>) -> io::Result<Self> {
        // SAFETY: a number goes in and a descriptor of our own, or an error, comes out.
        let queue = unsafe {
            let queue = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            if queue < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(queue)
        };
        for (at, socket) in (0..).zip(sockets) {
            let mut event = libc::epoll_event {
                events: libc::EPOLLIN as u32,
                u64: at,
            };
            // SAFETY: both descriptors are open, and the event outlives the call.
            let added = unsafe {
                libc::epoll_ctl(
                    queue.as_raw_fd(),
                    libc::EPOLL_CTL_ADD,
                    socket.as_raw_fd(),
                    &mut event,
                )
            };
            if added < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(Self {
            queue,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS],
            ready: 0,
        })
    }

    /// Waits until some have something to read, or the time is over; their number.
    pub fn wait(&mut self, at_most: Duration) -> io::Result<usize> {
        let timeout = libc::timespec {
            tv_sec: at_most.as_secs() as libc::time_t,
            tv_nsec: at_most.subsec_nanos().into(),
        };
        // SAFETY: the array is ours and as long as is said, and the timeout outlives the call.
        let ready = unsafe {
            libc::epoll_pwait2(
                self.queue.as_raw_fd(),
                self.events.as_mut_ptr(),
                EVENTS as libc::c_int,
                &timeout,
                std::ptr::null(),
            )
        };
        self.ready = usize::try_from(ready).unwrap_or(0);
        usize::try_from(ready).map_err(|_| io::Error::last_os_error())
    }

    /// The places of those that have something to read.
    pub fn ready(&self) -> impl Iterator<Item = usize> {
        let ready = self.events.iter().take(self.ready);
        ready.map(|event| event.u64 as usize)
    }
}

/// Binds the calling thread, and what it starts, to one core.
pub fn pin_to(core: usize) -> io::Result<()> {
    // SAFETY: an all-zero set is an empty one, `core` is checked against its size by CPU_SET, and the set outlives the call.
    let outcome = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Asks for a priority as `nice` counts; where it is not permitted it stays as it is.
pub fn set_priority(nice: i32) {
    // SAFETY: nothing but numbers go in.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
}

/// Processor time of this process so far.
pub fn own_cpu() -> Duration {
    // SAFETY: all-zero is a valid value, and the call fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let time = |at: libc::timeval| {
        Duration::from_secs(at.tv_sec.unsigned_abs())
            + Duration::from_micros(at.tv_usec.unsigned_abs())
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// Asks a process to end.
pub fn terminate(pid: u32) {
    // SAFETY: a signal to a child of ours that was not waited for yet, so that the id is still its own.
    unsafe { libc::kill(pid.cast_signed(), libc::SIGTERM) };
}

/// Clock ticks in a second, as `/proc` counts processor time.
pub fn ticks_per_second() -> f64 {
    // SAFETY: a number goes in and one comes out.
    unsafe { libc::sysconf(libc::_SC_CLK_TCK) as f64 }
}

/// Binds what a command starts to one core.
pub fn pinned(command: &mut std::process::Command, core: usize) {
    use std::os::unix::process::CommandExt;
    // SAFETY: the closure runs in the child between fork and exec, and makes one system call: it neither allocates nor locks.
    unsafe { command.pre_exec(move || pin_to(core)) };
}
