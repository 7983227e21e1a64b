//! A file's index: its tracks, and their samples in the order in which they are sent.

use super::Mp4Error;
use super::fragment::Fragments;
use super::sift::{MOOF, MOOV, sift};
use super::table::Table;
use super::track::{Sample, Track};
use crate::media::MediaKind;
use mp4_atom::{Atom, Moof, Moov};
use std::io::Cursor;

/// A file's index, and how far it was walked. Of each kind of media the first track that can be sent is played.
#[derive(Clone, Debug)]
pub struct Movie {
    tracks: Vec<Track>,
    tables: Vec<(Table, Option<Sample>)>,
    fragments: Fragments,
    is_fragmented: bool,
}

impl Movie {
    /// Reads what is in a `moov` box.
    ///
    /// # Errors
    /// It does not decode, or has no track that can be sent.
    pub fn read(moov: &[u8]) -> Result<Self, Mp4Error> {
        let moov = sift(moov, MOOV)?;
        let moov = Moov::decode_body(&mut Cursor::new(moov)).map_err(undecodable)?;
        let mut tracks: Vec<Track> = Vec::new();
        let mut tables = Vec::new();
        for trak in moov.trak {
            let Some(track) = Track::of(&trak, moov.mvhd.timescale)? else {
                continue;
            };
            if tracks.iter().any(|other| other.kind() == track.kind()) {
                continue;
            }
            tracks.push(track);
            tables.push((Table::new(trak.mdia.minf.stbl), None));
        }
        if tracks.is_empty() {
            return Err(Mp4Error::NoTracks);
        }
        let defaults = moov.mvex.as_ref().map_or(&[][..], |mvex| &mvex.trex);
        let mut movie = Self {
            fragments: Fragments::new(&tracks, defaults),
            is_fragmented: moov.mvex.is_some(),
            tracks,
            tables,
        };
        for place in 0..movie.tracks.len() {
            movie.advance(place)?;
        }
        Ok(movie)
    }

    /// The tracks that are played; one of each kind at the most.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// Whether fragments may follow, with samples of their own.
    pub fn is_fragmented(&self) -> bool {
        self.is_fragmented
    }

    /// Whether it has pictures.
    pub fn has_video(&self) -> bool {
        self.tracks
            .iter()
            .any(|track| track.kind() == MediaKind::Video)
    }

    /// The next sample of those that the index itself has, by the time of decoding; `None` where all were given.
    ///
    /// # Errors
    /// The tables contradict themselves, or a sample is too long.
    pub fn next_sample(&mut self) -> Result<Option<Sample>, Mp4Error> {
        let heads = self.tables.iter().filter_map(|(_, head)| *head);
        let Some(next) = heads.min_by_key(|sample| sample.dts) else {
            return Ok(None);
        };
        self.advance(next.track)?;
        Ok(Some(next))
    }

    /// The samples of a fragment: what is in a `moof` box, and where that box begins in the file.
    ///
    /// # Errors
    /// It does not decode, contradicts itself, or has too many samples.
    pub fn read_fragment(&mut self, moof: &[u8], offset: u64) -> Result<Vec<Sample>, Mp4Error> {
        let moof = sift(moof, MOOF)?;
        let moof = Moof::decode_body(&mut Cursor::new(moof)).map_err(undecodable)?;
        self.fragments.read(&moof, offset, &self.tracks)
    }

    fn advance(&mut self, place: usize) -> Result<(), Mp4Error> {
        let (Some(track), Some((table, head))) =
            (self.tracks.get(place), self.tables.get_mut(place))
        else {
            return Ok(());
        };
        let next = table.next()?;
        *head = next.map(|raw| track.sample(place, raw)).transpose()?;
        Ok(())
    }
}

fn undecodable(error: mp4_atom::Error) -> Mp4Error {
    Mp4Error::Box(error.to_string())
}

#[cfg(test)]
mod tests;
