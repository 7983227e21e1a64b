//! Files as a live input: one after the other, each frame at its time, on one clock that never steps back.

mod blocks;
mod demux;

pub(crate) use blocks::Shelf;

use super::fault::Fault;
use super::limits::{FAILED_FILES_MAX, FILE_STEP_MAX_MS, SLIP_STEP_MS, TURN_FRAMES_MAX};
use super::status::Position;
use crate::media::{MediaKind, Shape};
use crate::rtmp::session::Media;
use crate::rule::{FileUrl, Files};
use blocks::Blocks;
use demux::{Demux, Frame};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A frame that is this late, in milliseconds, is not caught up for: the files go on from here.
const LATE_MS_MAX: i64 = 1_000;

/// A list of files that is being played. What fails can be tried again, and goes on where it was.
pub(super) struct Playlist {
    files: Files,
    shelf: Shelf,
    index: usize,
    /// How often the list was played to its end.
    played: u64,
    failed_in_a_row: u32,
    file: Option<OpenFile>,
    next: Option<(Frame, i64)>,
    clock: Clock,
}

struct OpenFile {
    blocks: Blocks,
    demux: Demux,
    time: FileTime,
}

/// A file's times, on the clock of all files.
#[derive(Clone, Copy, Debug)]
struct FileTime {
    /// What is added to the file's own times.
    shift: i64,
    /// The newest time of the file, and the one that it began with.
    last: Option<i64>,
    first: i64,
}

/// When a frame of the list is due.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// This moment of the list is at this moment of the world.
    base: Option<(i64, Instant)>,
    /// The newest moment of the list, and how long its last step was.
    newest: i64,
    step: i64,
}

impl Playlist {
    pub(super) fn new(files: Files, shelf: Shelf) -> Self {
        Self {
            files,
            shelf,
            index: 0,
            played: 0,
            failed_in_a_row: 0,
            file: None,
            next: None,
            clock: Clock {
                base: None,
                newest: 0,
                step: SLIP_STEP_MS,
            },
        }
    }

    /// Waits until something is due, and puts it into `out`; `false` where all was played as often as it was to be.
    pub(super) async fn next(&mut self, out: &mut Vec<Media>) -> Result<bool, Fault> {
        while out.len() < TURN_FRAMES_MAX {
            if self.next.is_none() {
                self.next = self.read().await?;
            }
            let Some((frame, at)) = &self.next else {
                return Ok(!out.is_empty());
            };
            let due = self.clock.due(*at);
            if due > Instant::now() {
                if !out.is_empty() {
                    return Ok(true);
                }
                sleep_until(due).await;
            }
            let timestamp = wire(*at);
            let (kind, payload) = (frame.kind, frame.payload.clone());
            out.push(Media {
                kind,
                timestamp,
                payload,
            });
            self.next = None;
        }
        Ok(true)
    }

    /// Where it is.
    pub(super) fn position(&self) -> Option<Position> {
        let url = self.files.urls().get(self.index)?.clone();
        let time = self.file.as_ref().map(|file| file.time);
        let offset = time.map_or(0, |time| time.last.unwrap_or(time.first) - time.first);
        Some(Position {
            index: self.index,
            url,
            offset: Duration::from_millis(offset.max(0).unsigned_abs()),
        })
    }

    /// Goes on with the next file, though this one cannot be read; `false` where no file of the list can.
    pub(super) fn skip(&mut self) -> bool {
        self.failed_in_a_row += 1;
        let all = u32::try_from(self.files.urls().len()).unwrap_or(u32::MAX);
        self.leave_file();
        self.failed_in_a_row < all.min(FAILED_FILES_MAX)
    }

    /// After a pause that nobody wished for: what is next is due now.
    pub(super) fn resume(&mut self) {
        self.clock.base = None;
    }

    async fn read(&mut self) -> Result<Option<(Frame, i64)>, Fault> {
        loop {
            if self.index >= self.files.urls().len() {
                if !self.files.loops().goes_on_after(self.played) {
                    return Ok(None);
                }
                self.index = 0;
            }
            if self.file.is_none() {
                let Some(url) = self.files.urls().get(self.index).cloned() else {
                    return Ok(None);
                };
                self.file = Some(self.open(&url).await?);
            }
            let Some(file) = &mut self.file else { continue };
            let Some(frame) = file.demux.next(&mut file.blocks).await? else {
                self.leave_file();
                continue;
            };
            let at = file.time.place(&frame, self.clock.newest);
            self.clock.reach(at);
            if frame.kind != MediaKind::Data {
                self.failed_in_a_row = 0;
            }
            return Ok(Some((frame, at)));
        }
    }

    async fn open(&self, url: &FileUrl) -> Result<OpenFile, Fault> {
        Ok(OpenFile {
            blocks: Blocks::open(&self.shelf, url).await?,
            demux: Demux::new(url.file_type()),
            time: FileTime {
                // Its first frame comes one step after the newest one of the file before.
                shift: self.clock.newest + self.clock.step,
                last: None,
                first: 0,
            },
        })
    }

    fn leave_file(&mut self) {
        self.file = None;
        self.next = None;
        self.index += 1;
        if self.index >= self.files.urls().len() {
            self.played += 1;
        }
    }
}

impl FileTime {
    /// The frame's moment on the clock of all files. Headers and script data stand where the file is.
    fn place(&mut self, frame: &Frame, newest: i64) -> i64 {
        if !Shape::of(frame.kind, &frame.payload).class.is_frame() {
            return match self.last {
                Some(last) => last + self.shift,
                None => newest,
            };
        }
        match self.last {
            None => {
                self.shift -= frame.at;
                self.first = frame.at;
            }
            Some(last) if (frame.at - last).abs() > FILE_STEP_MAX_MS => {
                self.shift -= frame.at - last - SLIP_STEP_MS;
            }
            Some(_) => {}
        }
        self.last = Some(frame.at);
        frame.at + self.shift
    }
}

impl Clock {
    fn reach(&mut self, at: i64) {
        if at > self.newest {
            self.step = (at - self.newest).min(SLIP_STEP_MS);
            self.newest = at;
        }
    }

    /// When this moment of the list is due. One that is far too late is due now, and so is what follows it.
    fn due(&mut self, at: i64) -> Instant {
        let now = Instant::now();
        if let Some((base, began)) = self.base {
            let millis = Duration::from_millis((at - base).unsigned_abs());
            let due = match at >= base {
                true => began + millis,
                false => began.checked_sub(millis).unwrap_or(began),
            };
            if now.saturating_duration_since(due)
                < Duration::from_millis(LATE_MS_MAX.unsigned_abs())
            {
                return due;
            }
        }
        self.base = Some((at, now));
        now
    }
}

/// The low 32 bits of a time, as a publisher would send it.
fn wire(at: i64) -> u32 {
    u32::try_from(at.rem_euclid(1 << 32)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn frame(at: i64) -> Frame {
        Frame {
            kind: MediaKind::Audio,
            at,
            payload: Bytes::from_static(b"\xAF\x01\x21"),
        }
    }

    #[test]
    fn a_slip_of_a_files_clock_is_left_out() {
        let mut time = FileTime {
            shift: 1000,
            last: None,
            first: 0,
        };
        let places: Vec<_> = [70_000, 70_040, 70_020, 3_600_000, 3_600_040, 40, 80]
            .into_iter()
            .map(|at| time.place(&frame(at), 960))
            .collect();
        assert_eq!(places, [1000, 1040, 1020, 1060, 1100, 1140, 1180]);
        let header = Frame {
            payload: Bytes::from_static(b"\xAF\x00\x12"),
            ..frame(0)
        };
        assert_eq!(time.place(&header, 5000), 1180);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_late_is_not_caught_up_for() {
        let mut clock = Clock {
            base: None,
            newest: 0,
            step: 40,
        };
        let began = Instant::now();
        let after = |due: Instant| due.duration_since(began).as_millis();
        assert_eq!(after(clock.due(5000)), 0);
        assert_eq!(after(clock.due(5400)), 400);
        tokio::time::advance(Duration::from_millis(900)).await;
        assert_eq!(after(clock.due(5440)), 440, "it is sent at once");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(after(clock.due(5480)), 10_900);
        assert_eq!(after(clock.due(5520)), 10_940);
    }

    #[test]
    fn times_wrap_as_those_on_the_wire_do() {
        assert_eq!(wire(-40), u32::MAX - 39);
        assert_eq!(wire((1 << 32) + 7), 7);
    }
}
