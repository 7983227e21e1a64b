//! From a file's bytes to the messages of its media, one after the other.

use super::blocks::Blocks;
use crate::flv::FlvReader;
use crate::ingest::inputs::fault::Fault;
use crate::media::MediaKind;
use crate::mp4::limits::{MOOF_BYTES_MAX, MOOV_BYTES_MAX};
use crate::mp4::{BoxHead, HEAD_BYTES, Movie, Mp4Error, Sample};
use crate::rule::FileType;
use bytes::Bytes;
use std::collections::VecDeque;

/// A message of a file, with its time on the file's own clock, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) kind: MediaKind,
    pub(super) at: i64,
    pub(super) payload: Bytes,
}

/// Reads a file. What fails on the way can be asked for again.
pub(super) enum Demux {
    Flv(FlvFile),
    Mp4(Box<Mp4File>),
}

impl Demux {
    pub(super) fn new(file_type: FileType) -> Self {
        match file_type {
            FileType::Flv => Self::Flv(FlvFile::default()),
            FileType::Mp4 => Self::Mp4(Box::default()),
        }
    }

    /// The next message; `None` at the file's end.
    pub(super) async fn next(&mut self, blocks: &mut Blocks) -> Result<Option<Frame>, Fault> {
        match self {
            Self::Flv(file) => file.next(blocks).await,
            Self::Mp4(file) => file.next(blocks).await,
        }
    }
}

#[derive(Default)]
pub(super) struct FlvFile {
    reader: FlvReader,
    /// What was read and not taken apart.
    unread: Bytes,
    /// Where the file goes on behind it.
    at: u64,
}

impl FlvFile {
    async fn next(&mut self, blocks: &mut Blocks) -> Result<Option<Frame>, Fault> {
        loop {
            let mut unread: &[u8] = &self.unread;
            let tag = self.reader.read(&mut unread);
            let read = self.unread.len() - unread.len();
            self.unread = self.unread.split_off(read);
            if let Some(tag) = tag? {
                return Ok(Some(Frame {
                    kind: tag.kind,
                    at: tag.timestamp.into(),
                    payload: tag.payload,
                }));
            }
            let more = blocks.read_on(self.at).await?;
            if more.is_empty() {
                // A recording that was broken off ends in the middle of a tag: what was whole is played.
                return match self.at {
                    0 => Err(Fault::CutOff),
                    _ => Ok(None),
                };
            }
            self.at += more.len() as u64;
            self.unread = more;
        }
    }
}

#[derive(Default)]
pub(super) struct Mp4File {
    movie: Option<Movie>,
    /// The next box of the file.
    at: u64,
    /// Headers that come before everything else.
    headers: VecDeque<Frame>,
    /// What is to be read next.
    samples: VecDeque<Sample>,
}

impl Mp4File {
    async fn next(&mut self, blocks: &mut Blocks) -> Result<Option<Frame>, Fault> {
        loop {
            if let Some(header) = self.headers.pop_front() {
                return Ok(Some(header));
            }
            if let (Some(sample), Some(movie)) = (self.samples.front().copied(), &self.movie) {
                let size = usize::try_from(sample.size).unwrap_or(usize::MAX);
                let data = blocks.read(sample.offset, size).await?;
                if data.len() < size {
                    return Err(Fault::CutOff);
                }
                self.samples.pop_front();
                let Some(track) = movie.tracks().get(sample.track) else {
                    continue;
                };
                return Ok(Some(Frame {
                    kind: track.kind(),
                    at: sample.dts,
                    payload: track.message(&sample, &data),
                }));
            }
            let Some(movie) = &mut self.movie else {
                self.find_index(blocks).await?;
                continue;
            };
            if let Some(sample) = movie.next_sample()? {
                self.samples.push_back(sample);
            } else if !movie.is_fragmented() || !self.find_fragment(blocks).await? {
                return Ok(None);
            }
        }
    }

    /// Walks the file's boxes to its index, which may be its last.
    async fn find_index(&mut self, blocks: &mut Blocks) -> Result<(), Fault> {
        let mut at = 0;
        loop {
            let head = head(blocks, at).await?.ok_or(Mp4Error::NoTracks)?;
            if head.kind == *b"moov" {
                let moov = body(blocks, at, &head, MOOV_BYTES_MAX).await?;
                let movie = Movie::read(&moov)?;
                let of = |track: &crate::mp4::Track| Frame {
                    kind: track.kind(),
                    at: 0,
                    payload: track.header(),
                };
                self.headers = movie.tracks().iter().map(of).collect();
                self.at = after(at, &head).unwrap_or(u64::MAX);
                self.movie = Some(movie);
                return Ok(());
            }
            at = after(at, &head).ok_or(Mp4Error::NoTracks)?;
        }
    }

    /// Walks on to the next fragment; `false` where there is none.
    async fn find_fragment(&mut self, blocks: &mut Blocks) -> Result<bool, Fault> {
        loop {
            let Some(head) = head(blocks, self.at).await? else {
                return Ok(false);
            };
            let begin = self.at;
            if head.kind == *b"moof" {
                let moof = body(blocks, begin, &head, MOOF_BYTES_MAX).await?;
                if let Some(movie) = &mut self.movie {
                    self.samples = movie.read_fragment(&moof, begin)?.into();
                }
            }
            match after(begin, &head) {
                Some(next) => self.at = next,
                None => return Ok(false),
            }
            if !self.samples.is_empty() {
                return Ok(true);
            }
        }
    }
}

async fn head(blocks: &mut Blocks, at: u64) -> Result<Option<BoxHead>, Fault> {
    if at == u64::MAX {
        return Ok(None);
    }
    let bytes = blocks.read(at, HEAD_BYTES).await?;
    Ok(BoxHead::read(&bytes)?)
}

async fn body(blocks: &mut Blocks, at: u64, head: &BoxHead, max: u64) -> Result<Bytes, Fault> {
    let bytes = head.body.unwrap_or(u64::MAX);
    if bytes > max {
        return Err(Mp4Error::TooLong { bytes, max }.into());
    }
    let size = usize::try_from(bytes).unwrap_or(usize::MAX);
    let body = blocks.read(at + head.head, size).await?;
    if body.len() < size {
        return Err(Fault::CutOff);
    }
    Ok(body)
}

/// Where the box behind this one begins; `None` where this one goes on to the file's end.
fn after(at: u64, head: &BoxHead) -> Option<u64> {
    at.checked_add(head.head)?.checked_add(head.body?)
}
