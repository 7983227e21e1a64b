//! A wire that is played by hand: how much it takes, what it says, and how it breaks.

use super::super::Wire;
use crate::rtmp::chunk::Reader;
use crate::rtmp::message::Message;
use std::collections::VecDeque;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::consume_budget;

/// The far end.
#[derive(Clone)]
pub struct Wired(Arc<Mutex<State>>);

/// The pump's end.
pub struct Near(Arc<Mutex<State>>);

struct State {
    sent: Vec<u8>,
    /// How many bytes may be sent in all.
    allowed: usize,
    /// How many bytes one write takes.
    slice: usize,
    said: VecDeque<u8>,
    /// Said again and again, behind all else.
    chatter: Vec<u8>,
    unacknowledged: u64,
    looks: u32,
    rtt: Duration,
    rtt_reads: u32,
    held: u64,
    ended: bool,
    /// Writes fail; what was said before can be read, once a write has failed.
    broken: bool,
    found_broken: bool,
    /// The next write or look panics.
    panics: bool,
    shut: bool,
    dropped: bool,
    wakers: Vec<Waker>,
}

impl Default for Wired {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            sent: Vec::new(),
            allowed: usize::MAX,
            slice: usize::MAX,
            said: VecDeque::new(),
            chatter: Vec::new(),
            unacknowledged: 0,
            looks: 0,
            rtt: Duration::ZERO,
            rtt_reads: 0,
            held: 0,
            ended: false,
            broken: false,
            found_broken: false,
            panics: false,
            shut: false,
            dropped: false,
            wakers: Vec::new(),
        })))
    }
}

impl Wired {
    pub fn near(&self) -> Near {
        Near(Arc::clone(&self.0))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap();
        change(&mut state);
        for waker in state.wakers.drain(..) {
            waker.wake();
        }
    }

    /// From now on so many bytes may be sent in all.
    pub fn allow(&self, bytes: usize) {
        self.change(|state| state.allowed = bytes);
    }

    /// One write takes so many bytes.
    pub fn slice(&self, bytes: usize) {
        self.change(|state| state.slice = bytes);
    }

    pub fn say(&self, bytes: &[u8]) {
        self.change(|state| state.said.extend(bytes));
    }

    /// Says this without end.
    pub fn chatter(&self, bytes: &[u8]) {
        self.change(|state| state.chatter = bytes.to_vec());
    }

    /// So many bytes stay in the kernel.
    pub fn leave_unacknowledged(&self, bytes: u64) {
        self.change(|state| state.unacknowledged = bytes);
    }

    /// How often the kernel was asked what was not acknowledged.
    pub fn looks(&self) -> u32 {
        self.0.lock().unwrap().looks
    }

    /// What the kernel tells from now on.
    pub fn round_trip(&self, rtt: Duration) {
        self.change(|state| state.rtt = rtt);
    }

    /// How often the kernel was asked for it.
    pub fn rtt_reads(&self) -> u32 {
        self.0.lock().unwrap().rtt_reads
    }

    /// So many bytes stay in TLS.
    pub fn hold_back(&self, bytes: u64) {
        self.change(|state| state.held = bytes);
    }

    pub fn end(&self) {
        self.change(|state| state.ended = true);
    }

    /// The connection breaks behind these words, and the pump is not told that there is anything to read.
    pub fn break_behind(&self, words: &[u8]) {
        let mut state = self.0.lock().unwrap();
        state.said.extend(words);
        state.broken = true;
    }

    /// The next write panics, or the next look where that comes first.
    pub fn panic(&self) {
        self.0.lock().unwrap().panics = true;
    }

    pub fn sent(&self) -> usize {
        self.0.lock().unwrap().sent.len()
    }

    pub fn is_shut(&self) -> bool {
        self.0.lock().unwrap().shut
    }

    pub fn is_dropped(&self) -> bool {
        self.0.lock().unwrap().dropped
    }

    /// What was sent, all of it whole messages.
    pub fn messages(&self) -> Vec<Message> {
        let state = self.0.lock().unwrap();
        let (mut reader, mut messages) = (Reader::new(), Vec::new());
        // As the session has announced it before the pump began.
        let announcement = [2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0x10, 0];
        reader.read(&mut &announcement[..]).unwrap();
        reader.publish_accepted();
        let mut unread: &[u8] = &state.sent;
        while let Some(message) = reader.read(&mut unread).unwrap() {
            messages.push(message);
        }
        assert!(
            unread.is_empty() && reader.bytes_buffered() == 0,
            "half a message"
        );
        messages
    }
}

impl Near {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        self.lock().dropped = true;
    }
}

impl Wire for Near {
    fn unacked_bytes(&self) -> Option<u64> {
        let mut state = self.lock();
        if std::mem::take(&mut state.panics) {
            drop(state);
            panic!("planted");
        }
        state.looks += 1;
        Some(state.unacknowledged)
    }

    fn rtt(&self) -> Option<Duration> {
        let mut state = self.lock();
        state.rtt_reads += 1;
        Some(state.rtt)
    }

    fn held_bytes(&self, _: u64) -> u64 {
        self.lock().held
    }
}

impl AsyncRead for Near {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A real socket is never ready without end: it makes room for other tasks.
        ready!(pin!(consume_budget()).poll(cx));
        let mut state = self.lock();
        if state.broken && !state.found_broken {
            return Poll::Pending;
        }
        if state.said.is_empty() {
            let chatter = state.chatter.clone();
            state.said.extend(chatter);
        }
        if state.said.is_empty() {
            if state.broken {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if state.ended {
                return Poll::Ready(Ok(()));
            }
            state.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        let count = into.remaining().min(state.said.len());
        let bytes: Vec<u8> = state.said.drain(..count).collect();
        into.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Near {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        if std::mem::take(&mut state.panics) {
            drop(state);
            panic!("planted");
        }
        if state.broken {
            state.found_broken = true;
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = state.allowed.saturating_sub(state.sent.len());
        let room = room.min(state.slice);
        if room == 0 {
            state.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        let before = state.sent.len();
        for slice in slices {
            let left = room - (state.sent.len() - before);
            state.sent.extend(slice.iter().take(left));
        }
        Poll::Ready(Ok(state.sent.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lock().shut = true;
        Poll::Ready(Ok(()))
    }
}
