//! The media path without its doors, and both of its ends, in one process: the scenery of the tests of ingest and egress.

// A test binary uses its own part of this, and what goes wrong in the scenery ends the test.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod authority;
mod clock;
mod diary;
mod gateway;
mod names;
mod network;
mod prompt;
mod publisher;
mod tags;
mod target;
mod visit;

pub use authority::{Authority, Issued};
pub use clock::HandClock;
pub use diary::{Diary, Sent};
pub use gateway::{Gateway, Setup, dialer, rule};
pub use names::Names;
pub use network::Network;
pub use prompt::Prompt;
pub use publisher::{Publisher, Told};
pub use tags::*;
pub use target::{Seen, Target};
pub use visit::{Connect, Host, Visit, redirect};

use std::any::Any;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};

/// How long a test waits for what has to come, in real time.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A connection of any kind.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

pub type Pipe = Box<dyn Stream>;

/// Waits in real time, whatever the runtime's clock does, until it holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came true: {what}");
        tokio::task::yield_now().await;
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Waits in real time, whatever the runtime's clock does, for what has to come.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let ticking = async {
        while Instant::now() < deadline {
            tokio::task::yield_now().await;
            std::thread::sleep(Duration::from_micros(200));
        }
    };
    tokio::select! {
        biased;
        done = future => done,
        () = ticking => panic!("it never came: {what}"),
    }
}

/// Waits until the kernel of the other side has all that was written. It may take its time over loopback, too.
pub async fn delivered(tcp: &impl AsFd) {
    until("the bytes are delivered", || {
        aqueduct::net::tcp_info::unacked_bytes(tcp).unwrap() == 0
    })
    .await;
}
