//! What was sent, what arrived, and what is wrong with it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How a publisher's session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With a goodbye: the stream ends.
    Goodbye,
    /// Without one, and nothing was lost on the way.
    Lost,
    /// By a reset, which may take with it what the gateway has not read.
    Reset,
}

/// How soon a publisher that was lost came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    Within,
    /// When the gateway had said that the stream is over.
    Beyond,
    /// A machine that is busy was slow to let it in, so that there is no telling.
    Unclear,
}

/// One publisher's connection.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    /// Frames that were handed to the kernel: pictures, sound.
    pub sent: [u32; 2],
    pub ended: Option<(Ended, Instant)>,
    pub returned: Option<Return>,
}

#[derive(Default)]
struct Pages {
    sessions: BTreeMap<(usize, u32), Session>,
    faults: Vec<String>,
    figures: Figures,
}

/// What there was of everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub sessions: u64,
    pub returns_within: u64,
    pub clock_faults: u64,
    pub healthy_visits: u64,
    pub unruly_visits: u64,
    pub healthy_frames: u64,
    pub unruly_frames: u64,
    pub skipped: u64,
    pub reloads: u64,
    pub rules_renewed: u64,
    /// Healthy visits whose clock crossed 0xFFFFFF, and those that ended for what comes at its end.
    pub crossed: u64,
    pub recycled: u64,
    /// The longest step of a track at a healthy target, in milliseconds.
    pub longest_step: u32,
    /// The most that sound and pictures of one session were apart, in milliseconds, beyond what their publisher sent.
    pub widest_skew: u32,
}

pub struct Book {
    began: Instant,
    grace: Duration,
    pages: Mutex<Pages>,
}

impl Book {
    pub fn new(grace: Duration) -> Self {
        Self {
            began: Instant::now(),
            grace,
            pages: Mutex::default(),
        }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn count(&self, count: impl FnOnce(&mut Figures)) {
        count(&mut self.pages().figures);
    }

    pub fn figures(&self) -> Figures {
        self.pages().figures
    }

    /// Something that must not be.
    pub fn wrong(&self, what: String) {
        let at = self.began.elapsed().as_secs_f64();
        self.pages().faults.push(format!("after {at:.1} s: {what}"));
    }

    pub fn faults(&self) -> Vec<String> {
        self.pages().faults.clone()
    }

    /// A session begins, now that its publish was accepted. `was_over` is what the gateway said of the stream before.
    ///
    /// It began to wait for a return after we ended the session, and has let this one in before we know: what is within the grace
    /// by our clock is so by its own.
    pub fn begins(&self, stream: usize, session: u32, was_over: bool) {
        let now = Instant::now();
        let mut pages = self.pages();
        let before = session.checked_sub(1);
        let before = before.and_then(|before| pages.sessions.get(&(stream, before)));
        let returned = before
            .and_then(|before| before.ended)
            .and_then(|(ended, at)| match ended {
                Ended::Goodbye => None,
                _ if was_over => Some(Return::Beyond),
                _ if now - at < self.grace => Some(Return::Within),
                _ => Some(Return::Unclear),
            });
        pages.figures.sessions += 1;
        pages.figures.returns_within += u64::from(returned == Some(Return::Within));
        let new = Session {
            sent: [0; 2],
            ended: None,
            returned,
        };
        pages.sessions.insert((stream, session), new);
    }

    pub fn sent(&self, stream: usize, session: u32, track: usize) {
        if let Some(session) = self.pages().sessions.get_mut(&(stream, session)) {
            session.sent[track] += 1;
        }
    }

    pub fn ended(&self, stream: usize, session: u32, how: Ended) {
        if let Some(session) = self.pages().sessions.get_mut(&(stream, session)) {
            session.ended = Some((how, Instant::now()));
        }
    }

    pub fn session(&self, stream: usize, session: u32) -> Option<Session> {
        self.pages().sessions.get(&(stream, session)).copied()
    }

    /// The sessions of a stream, by their numbers.
    pub fn sessions(&self, stream: usize) -> Vec<(u32, Session)> {
        let pages = self.pages();
        let of_stream = pages.sessions.range((stream, 0)..(stream + 1, 0));
        of_stream
            .map(|((_, number), session)| (*number, *session))
            .collect()
    }
}
