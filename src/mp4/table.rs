//! A track's table of samples, walked one sample after the other. What is claimed of samples that do not exist costs nothing.

use super::Mp4Error;
use super::track::RawSample;
use mp4_atom::{CttsEntry, Stbl, StscEntry, StszSamples, SttsEntry};

/// The table, and the place of the next sample in it.
#[derive(Clone, Debug)]
pub(super) struct Table {
    durations: Runs<SttsEntry>,
    offsets: Option<Runs<CttsEntry>>,
    sizes: StszSamples,
    /// Numbers of the samples that decoding can begin with, from 1; all are where there is none.
    keys: Option<Vec<u32>>,
    next_key: usize,
    chunks: Vec<u64>,
    layout: Vec<StscEntry>,
    /// The sample's number from 0, and when it is decoded, in ticks.
    number: usize,
    dts: i64,
    chunk: usize,
    run: usize,
    /// Where the sample is in its chunk: its number there, and its place in the file.
    in_chunk: u32,
    at: u64,
}

/// What holds for so many samples in a row.
trait Run {
    fn count(&self) -> u32;
}

impl Run for SttsEntry {
    fn count(&self) -> u32 {
        self.sample_count
    }
}

impl Run for CttsEntry {
    fn count(&self) -> u32 {
        self.sample_count
    }
}

#[derive(Clone, Debug)]
struct Runs<R> {
    runs: Vec<R>,
    at: usize,
    used: u32,
}

impl<R: Run> Runs<R> {
    fn new(runs: Vec<R>) -> Self {
        Self {
            runs,
            at: 0,
            used: 0,
        }
    }

    fn next(&mut self) -> Option<&R> {
        while self
            .runs
            .get(self.at)
            .is_some_and(|run| self.used >= run.count())
        {
            self.at += 1;
            self.used = 0;
        }
        self.used += 1;
        self.runs.get(self.at)
    }
}

impl Table {
    pub(super) fn new(stbl: Stbl) -> Self {
        let chunks = match (stbl.co64, stbl.stco) {
            (Some(long), _) => long.entries,
            (None, Some(short)) => short.entries.into_iter().map(u64::from).collect(),
            (None, None) => Vec::new(),
        };
        Self {
            durations: Runs::new(stbl.stts.entries),
            offsets: stbl.ctts.map(|ctts| Runs::new(ctts.entries)),
            sizes: stbl.stsz.samples,
            keys: stbl.stss.map(|stss| stss.entries),
            next_key: 0,
            at: chunks.first().copied().unwrap_or_default(),
            chunks,
            layout: stbl.stsc.entries,
            number: 0,
            dts: 0,
            chunk: 0,
            run: 0,
            in_chunk: 0,
        }
    }

    /// The next sample, in the order of decoding.
    pub(super) fn next(&mut self) -> Result<Option<RawSample>, Mp4Error> {
        let Some(size) = self.size() else {
            return Ok(None);
        };
        if !self.enter_chunk() {
            return Ok(None);
        }
        let duration = self.durations.next().ok_or(Mp4Error::Table)?.sample_delta;
        let cts = match &mut self.offsets {
            Some(offsets) => offsets.next().map_or(0, |run| run.sample_offset),
            None => 0,
        };
        let sample = RawSample {
            offset: self.at,
            size,
            dts: self.dts,
            cts,
            is_key: self.is_key(),
        };
        self.at = self.at.checked_add(size.into()).ok_or(Mp4Error::Table)?;
        self.dts = (self.dts)
            .checked_add(duration.into())
            .ok_or(Mp4Error::Table)?;
        self.in_chunk += 1;
        self.number += 1;
        Ok(Some(sample))
    }

    fn size(&self) -> Option<u32> {
        match &self.sizes {
            StszSamples::Identical { count, size } => {
                (self.number < usize::try_from(*count).unwrap_or(usize::MAX)).then_some(*size)
            }
            StszSamples::Different { sizes } => sizes.get(self.number).copied(),
        }
    }

    /// Goes on to the chunk that has the next sample; `false` where none is left.
    fn enter_chunk(&mut self) -> bool {
        while self.in_chunk >= self.samples_per_chunk() {
            self.chunk += 1;
            self.in_chunk = 0;
            let Some(&at) = self.chunks.get(self.chunk) else {
                return false;
            };
            self.at = at;
        }
        self.chunk < self.chunks.len()
    }

    /// How many samples the chunk has. Where no run speaks of it, none.
    fn samples_per_chunk(&mut self) -> u32 {
        let begins = |run: Option<&StscEntry>, chunk: usize| {
            run.is_some_and(|run| {
                usize::try_from(run.first_chunk).is_ok_and(|first| first <= chunk + 1)
            })
        };
        while begins(self.layout.get(self.run + 1), self.chunk) {
            self.run += 1;
        }
        match self.layout.get(self.run) {
            run if begins(run, self.chunk) => run.map_or(0, |run| run.samples_per_chunk),
            _ => 0,
        }
    }

    fn is_key(&mut self) -> bool {
        let Some(keys) = &self.keys else {
            return true;
        };
        let number = self.number + 1;
        let of = |key: &u32| usize::try_from(*key).unwrap_or(usize::MAX);
        while keys.get(self.next_key).is_some_and(|key| of(key) < number) {
            self.next_key += 1;
        }
        keys.get(self.next_key).is_some_and(|key| of(key) == number)
    }
}
