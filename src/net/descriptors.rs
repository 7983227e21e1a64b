//! How many files and sockets this process may have open.
//!
//! A shell's soft limit is 1024, kept low for programs of the past that cannot count further. A gateway with 300 publishers and
//! three targets each is beyond it, and the hard limit is there to be used.

use std::io;

/// Raises the soft limit of open files to the hard one; returns the limit that holds now, `None` where there is none. To be called once
/// at the start.
///
/// # Errors
/// What the kernel says; the process can go on with the limit that it has.
#[cfg(unix)]
pub fn raise_limit() -> io::Result<Option<u64>> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return Ok(limit.current);
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised)?;
    Ok(getrlimit(Resource::Nofile).current)
}

/// This system has no such limit.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn raise_limit() -> io::Result<Option<u64>> {
    Ok(None)
}
