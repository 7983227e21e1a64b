//! A file's bytes, from a web server or from the disk: read in blocks, of which a few are held.

use crate::ingest::inputs::fault::Fault;
use crate::ingest::inputs::http::{self, Body};
use crate::ingest::inputs::limits::{BLOCK_BYTES, BLOCKS_MAX, FILE_TIMEOUT, REWINDS_MAX};
use crate::net::outbound::Outbound;
use crate::rule::{FilePlace, FileUrl, HttpUrl};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::time::timeout;

/// Where files come from.
#[derive(Clone)]
pub(crate) struct Shelf {
    /// How web servers are reached.
    pub(crate) outbound: Outbound,
    /// The directories that files on the disk may be in.
    pub(crate) directories: Arc<Vec<PathBuf>>,
}

/// A file that is being read.
pub(super) struct Blocks {
    source: Source,
    /// The newest last.
    held: VecDeque<(u64, Bytes)>,
}

enum Source {
    Http(Box<HttpFile>),
    Disk(Arc<File>),
}

struct HttpFile {
    outbound: Outbound,
    url: HttpUrl,
    /// The connection that stands, and the place of the byte that it gives next.
    open: Option<(Body, u64)>,
    /// What came and belongs to the next block.
    rest: Bytes,
    rewinds: u32,
}

impl Blocks {
    pub(super) async fn open(shelf: &Shelf, url: &FileUrl) -> Result<Self, Fault> {
        let source = match url.place() {
            FilePlace::Http(url) => Source::Http(Box::new(HttpFile {
                outbound: shelf.outbound.clone(),
                url: url.clone(),
                open: None,
                rest: Bytes::new(),
                rewinds: 0,
            })),
            FilePlace::Disk(path) => {
                let (path, directories) = (path.clone(), Arc::clone(&shelf.directories));
                let opened = blocking(move || open_within(&path, &directories)).await?;
                Source::Disk(Arc::new(opened.ok_or(Fault::Directory)?))
            }
        };
        Ok(Self {
            source,
            held: VecDeque::new(),
        })
    }

    /// So many bytes from a place on; fewer at the file's end.
    pub(super) async fn read(&mut self, offset: u64, count: usize) -> Result<Bytes, Fault> {
        let mut number = offset / BLOCK_BYTES;
        let mut skip = usize::try_from(offset % BLOCK_BYTES).unwrap_or(usize::MAX);
        let first = self.block(number).await?;
        let whole = skip.saturating_add(count);
        if whole <= first.len() {
            return Ok(first.slice(skip..whole));
        }
        let mut bytes = BytesMut::new();
        let mut block = first;
        loop {
            let wanted = count - bytes.len();
            let rest = block.get(skip..).unwrap_or_default();
            bytes.extend_from_slice(rest.get(..wanted).unwrap_or(rest));
            let is_last = (block.len() as u64) < BLOCK_BYTES;
            if bytes.len() == count || is_last {
                return Ok(bytes.freeze());
            }
            number += 1;
            skip = 0;
            block = self.block(number).await?;
        }
    }

    /// All that a block has from a place on; nothing at the file's end.
    pub(super) async fn read_on(&mut self, offset: u64) -> Result<Bytes, Fault> {
        let block = self.block(offset / BLOCK_BYTES).await?;
        let skip = usize::try_from(offset % BLOCK_BYTES).unwrap_or(usize::MAX);
        Ok(block.slice(skip.min(block.len())..))
    }

    async fn block(&mut self, number: u64) -> Result<Bytes, Fault> {
        if let Some(at) = self.held.iter().position(|(held, _)| *held == number) {
            let held = self.held.remove(at);
            if let Some((number, block)) = held {
                self.held.push_back((number, block.clone()));
                return Ok(block);
            }
        }
        let block = match &mut self.source {
            Source::Http(file) => file.fetch(number).await?,
            Source::Disk(file) => {
                let file = Arc::clone(file);
                blocking(move || read_block(&file, number)).await?
            }
        };
        if self.held.len() >= BLOCKS_MAX {
            self.held.pop_front();
        }
        self.held.push_back((number, block.clone()));
        Ok(block)
    }
}

impl HttpFile {
    async fn fetch(&mut self, number: u64) -> Result<Bytes, Fault> {
        let begin = number.saturating_mul(BLOCK_BYTES);
        let fetched = self.fetch_from(begin).await;
        if fetched.is_err() {
            // The next try begins with a connection of its own.
            self.open = None;
            self.rest = Bytes::new();
        }
        fetched
    }

    async fn fetch_from(&mut self, begin: u64) -> Result<Bytes, Fault> {
        if !self.stand_at(begin).await? {
            return Ok(Bytes::new());
        }
        let mut block = BytesMut::new();
        let size = usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX);
        while block.len() < size {
            let Some(mut bytes) = self.next().await? else {
                break;
            };
            let missing = size - block.len();
            if bytes.len() > missing {
                self.rest = bytes.split_off(missing);
            }
            block.extend_from_slice(&bytes);
        }
        if let Some((_, at)) = &mut self.open {
            *at += block.len() as u64;
        }
        Ok(block.freeze())
    }

    /// Has the connection give the byte at this place next; `false` where the file has none.
    async fn stand_at(&mut self, begin: u64) -> Result<bool, Fault> {
        if self.open.as_ref().is_some_and(|(_, at)| *at == begin) {
            return Ok(true);
        }
        self.rest = Bytes::new();
        let Some(body) = http::get(&self.outbound, &self.url, begin).await? else {
            return Ok(false);
        };
        let mut at = body.begins_at;
        self.open = Some((body, at));
        if at > begin {
            return Err(Fault::NoRanges);
        }
        if at < begin {
            self.rewinds += 1;
            if self.rewinds > REWINDS_MAX {
                return Err(Fault::NoRanges);
            }
        }
        // A server without ranges: what lies before is read and thrown away.
        while at < begin {
            let Some(mut bytes) = self.next().await? else {
                return Ok(false);
            };
            let missing = usize::try_from(begin - at).unwrap_or(usize::MAX);
            if bytes.len() > missing {
                self.rest = bytes.split_off(missing);
            }
            at += bytes.len() as u64;
        }
        if let Some((_, place)) = &mut self.open {
            *place = begin;
        }
        Ok(true)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        if !self.rest.is_empty() {
            return Ok(Some(std::mem::take(&mut self.rest)));
        }
        match &mut self.open {
            Some((body, _)) => {
                let next = timeout(FILE_TIMEOUT, body.next()).await;
                next.map_err(|_| Fault::NoBytes)?
            }
            None => Ok(None),
        }
    }
}

/// Opens a file, where it really is in one of the directories: links are followed before that is judged.
fn open_within(path: &Path, directories: &[PathBuf]) -> io::Result<Option<File>> {
    let real = path.canonicalize()?;
    let is_within = |directory: &PathBuf| {
        directory
            .canonicalize()
            .is_ok_and(|directory| real.starts_with(directory))
    };
    if !directories.iter().any(is_within) {
        return Ok(None);
    }
    let file = File::open(&real)?;
    match file.metadata()?.is_file() {
        true => Ok(Some(file)),
        // A pipe would be waited for, and a device has no end.
        false => Ok(None),
    }
}

fn read_block(file: &File, number: u64) -> io::Result<Bytes> {
    let begin = number.saturating_mul(BLOCK_BYTES);
    let mut block = vec![0; usize::try_from(BLOCK_BYTES).unwrap_or_default()];
    let mut count = 0;
    while count < block.len() {
        let space = block.get_mut(count..).unwrap_or_default();
        match file.read_at(space, begin + count as u64) {
            Ok(0) => break,
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    block.truncate(count);
    Ok(block.into())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Fault::Panicked)?.map_err(Fault::from)
}
