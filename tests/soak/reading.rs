//! What one connection of the gateway's brings to a target, and whether it may be so.

use super::book::{Book, Ended, Return};
use super::frames::{self, Content, GOP, Mark};
use aqueduct::media::MediaKind;
use aqueduct::relay::limits::CLOCK_RECYCLE_MS;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A forward step beyond this is a jump to a CDN, in milliseconds.
const LONGEST_STEP: i64 = 1000;

/// How late a push may begin, in pictures: ten seconds. It begins at once, but for a machine that is busy; one that lets a target wait
/// for longer breaks the gateway's own deadlines too.
pub const LATE: u32 = 10 * GOP;

/// The most that sound and pictures may be apart beyond what their publisher meant, in milliseconds: what the gateway promises, and the
/// faults of the publisher's own stamps, which are groups of 120 ms or a jitter of 36 ms on each track.
const WIDEST_SKEW: u32 = 100 + 120 + 2 * 36;

/// The stamp from which on a chunk has an extended one.
const EXTENDED: u32 = 0xFF_FFFF;

/// How near to its end a clock is where a session ends for it, in milliseconds: a picture's way, and more.
const NEAR_THE_END: i64 = 500;

/// Whose reading it is.
#[derive(Clone)]
pub struct Reader {
    pub stream: usize,
    /// What an unruly one does to itself, it may lose by.
    pub healthy: bool,
    pub book: Arc<Book>,
    pub record: Arc<Record>,
}

/// What all connections to one target have come to.
#[derive(Default)]
pub struct Record {
    visits: AtomicU64,
    /// The sessions that it has seen anything of.
    seen: Mutex<BTreeSet<u32>>,
    /// The last picture before its connection was ended for a clock that nears its end: the next one goes on behind it.
    left_at: Mutex<Option<Mark>>,
}

impl Record {
    pub fn visit(&self) {
        self.visits.fetch_add(1, Ordering::Relaxed);
    }

    pub fn visits(&self) -> u64 {
        self.visits.load(Ordering::Relaxed)
    }

    pub fn seen(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left_at(&self) -> MutexGuard<'_, Option<Mark>> {
        self.left_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub struct Reading {
    reader: Reader,
    last: [Option<Seen>; 2],
    header: Option<Bytes>,
    /// Whether its clock went from a plain stamp to an extended one.
    crossed: bool,
    pub said_goodbye: bool,
}

#[derive(Clone, Copy)]
struct Seen {
    mark: Mark,
    stamp: u32,
    /// How far the stamp is from an ideal clock's.
    offset: i64,
}

impl Reading {
    pub fn new(reader: Reader) -> Self {
        Self {
            reader,
            last: [None; 2],
            header: None,
            crossed: false,
            said_goodbye: false,
        }
    }

    pub fn media(&mut self, kind: MediaKind, stamp: u32, payload: &Bytes) {
        if kind == MediaKind::Data {
            return;
        }
        let mark = match frames::read(kind, payload) {
            Some(Content::Frame(mark)) => mark,
            Some(Content::Header(header)) => {
                if kind == MediaKind::Video {
                    self.header = Some(header);
                }
                return;
            }
            None => return self.wrong("a payload that nobody sent"),
        };
        let track = usize::from(kind == MediaKind::Audio);
        if self.last == [const { None }; 2] {
            self.begins(kind, mark);
        }
        self.follows(kind, track, mark);
        self.rises(track, stamp);
        if kind == MediaKind::Video && mark.is_key() {
            self.stands_behind_its_header(mark);
        }
        self.note(kind, track, mark, stamp);
    }

    fn begins(&mut self, kind: MediaKind, mark: Mark) {
        if kind != MediaKind::Video || !mark.is_key() {
            self.wrong(&format!(
                "begins with {kind:?} {mark:?}, which is no keyframe"
            ));
        }
        if !self.reader.healthy {
            return;
        }
        if let Some(left_at) = self.reader.record.left_at().take() {
            let [left, now] = [left_at, mark].map(|mark| (mark.session, mark.number));
            if now <= left {
                self.wrong(&format!("goes on with {mark:?} behind {left_at:?}"));
            }
            return;
        }
        let session = self.reader.book.session(self.reader.stream, mark.session);
        let returned = session.and_then(|session| session.returned);
        if mark.number == 0 && returned == Some(Return::Within) {
            self.wrong(&format!(
                "{mark:?} came back within the grace, and the target was called anew"
            ));
        }
        if mark.number > LATE {
            self.wrong(&format!("begins as late as {mark:?}"));
        }
    }

    /// Whether a frame is the one that has to come.
    fn follows(&mut self, kind: MediaKind, track: usize, mark: Mark) {
        let Some(last) = self.last[track] else {
            return self.joins(kind, mark);
        };
        let before = last.mark;
        if (mark.session, mark.number) <= (before.session, before.number) {
            return self.wrong(&format!("{kind:?} {mark:?} behind {before:?}"));
        }
        let missing = if mark.session == before.session {
            mark.number - before.number - 1
        } else {
            self.goes_on(kind, track, before, mark);
            mark.number
        };
        if missing == 0 {
            return;
        }
        self.reader
            .book
            .count(|figures| figures.skipped += u64::from(missing));
        if self.reader.healthy {
            self.wrong(&format!(
                "{kind:?}: {missing} frames are missing between {before:?} and {mark:?}"
            ));
        } else if kind == MediaKind::Video && !mark.is_key() {
            self.wrong(&format!(
                "goes on in the middle of a GOP: {mark:?} behind {before:?}"
            ));
        }
    }

    /// The first of a track, where the other has begun.
    fn joins(&mut self, kind: MediaKind, mark: Mark) {
        let Some(other) = self.last.iter().flatten().next() else {
            return;
        };
        let apart = mark
            .ideal(kind)
            .abs_diff(other.mark.ideal(MediaKind::Video));
        if self.reader.healthy && mark.session == other.mark.session && apart > 1000 {
            self.wrong(&format!("{kind:?} joins {apart} ms away from the pictures"));
        }
    }

    /// The same connection brings another session of the publisher.
    fn goes_on(&mut self, kind: MediaKind, track: usize, before: Mark, mark: Mark) {
        if kind == MediaKind::Video && !mark.is_key() {
            self.wrong(&format!(
                "a return begins with {mark:?}, which is no keyframe"
            ));
        }
        if !self.reader.healthy {
            return;
        }
        self.is_whole(track, before);
        if mark.session != before.session + 1 {
            self.wrong(&format!("{before:?} is followed by {mark:?}"));
        }
        let session = self.reader.book.session(self.reader.stream, mark.session);
        let returned = session.and_then(|session| session.returned);
        if !matches!(returned, Some(Return::Within | Return::Unclear)) {
            self.wrong(&format!(
                "{mark:?} goes on in a connection whose stream had ended"
            ));
        }
    }

    /// Whether all of a session's track has arrived; what a reset threw away cannot.
    fn is_whole(&mut self, track: usize, last: Mark) {
        let session = self.reader.book.session(self.reader.stream, last.session);
        match session.and_then(|session| Some((session.ended?.0, session.sent[track]))) {
            None => self.wrong(&format!(
                "is over while the publisher is there, behind {last:?}"
            )),
            Some((Ended::Reset, _)) => {}
            Some((_, sent)) if sent == last.number + 1 => {}
            Some((ended, sent)) => self.wrong(&format!(
                "got no more than {last:?} of {sent} on track {track}, after {ended:?}"
            )),
        }
    }

    fn rises(&mut self, track: usize, stamp: u32) {
        let Some(last) = self.last[track] else { return };
        let step = i64::from(stamp.wrapping_sub(last.stamp).cast_signed());
        self.crossed |= last.stamp < EXTENDED && stamp >= EXTENDED;
        if step <= 0 {
            self.wrong(&format!(
                "track {track} goes from {} to {stamp}",
                last.stamp
            ));
        }
        if !self.reader.healthy {
            return;
        }
        if step > LONGEST_STEP {
            self.wrong(&format!(
                "track {track} jumps from {} to {stamp}",
                last.stamp
            ));
        }
        let step = u32::try_from(step).unwrap_or_default();
        self.reader
            .book
            .count(|figures| figures.longest_step = figures.longest_step.max(step));
    }

    fn stands_behind_its_header(&mut self, mark: Mark) {
        if self.header.as_ref() != Some(&frames::header(MediaKind::Video, mark.session)) {
            self.wrong(&format!(
                "{mark:?} stands behind another header than its own"
            ));
        }
    }

    fn note(&mut self, kind: MediaKind, track: usize, mark: Mark, stamp: u32) {
        let offset = i64::from(stamp) - i64::from(mark.ideal(kind));
        if let Some(other) = self.last[1 - track]
            && other.mark.session == mark.session
            && self.reader.healthy
        {
            let skew = u32::try_from(offset.abs_diff(other.offset)).unwrap_or(u32::MAX);
            if skew > WIDEST_SKEW {
                self.wrong(&format!(
                    "sound and pictures are {skew} ms apart at {mark:?}"
                ));
            }
            self.reader
                .book
                .count(|figures| figures.widest_skew = figures.widest_skew.max(skew));
        }
        self.last[track] = Some(Seen {
            mark,
            stamp,
            offset,
        });
        self.reader.record.seen().insert(mark.session);
        let healthy = self.reader.healthy;
        self.reader.book.count(|figures| match healthy {
            true => figures.healthy_frames += 1,
            false => figures.unruly_frames += 1,
        });
    }

    /// The connection is over; whether both sides ended it as they should.
    pub fn ends(&mut self, orderly: bool) {
        if !self.reader.healthy || self.last == [const { None }; 2] {
            return;
        }
        if !orderly || !self.said_goodbye {
            self.wrong("was left without a goodbye");
        }
        let newest = self.last.iter().flatten().map(|seen| seen.stamp).max();
        let newest = i64::from(newest.unwrap_or_default());
        let is_recycled = newest + NEAR_THE_END >= CLOCK_RECYCLE_MS;
        self.reader.book.count(|figures| {
            figures.crossed += u64::from(self.crossed);
            figures.recycled += u64::from(is_recycled);
        });
        if is_recycled {
            *self.reader.record.left_at() = self.last[0].map(|last| last.mark);
            return;
        }
        for track in 0..2 {
            if let Some(last) = self.last[track] {
                self.is_whole(track, last.mark);
            }
        }
    }

    fn wrong(&self, what: &str) {
        let who = if self.reader.healthy {
            "healthy"
        } else {
            "unruly"
        };
        let stream = self.reader.stream;
        self.reader
            .book
            .wrong(format!("a {who} target of stream {stream}: {what}"));
    }
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        (self.mark, self.stamp) == (other.mark, other.stamp)
    }
}
