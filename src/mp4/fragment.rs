//! Fragments: indexes of a few seconds each, between the media.

use super::Mp4Error;
use super::limits::FRAGMENT_SAMPLES_MAX;
use super::track::{RawSample, Sample, Track};
use mp4_atom::{Moof, Traf, Trex};

/// Bit of a sample's flags that says that decoding cannot begin with it.
const IS_NO_KEY: u32 = 0x1_0000;

/// Where each track's next fragment begins where it does not say so itself, and what holds for its samples.
#[derive(Clone, Debug)]
pub(super) struct Fragments {
    tracks: Vec<(Option<Trex>, i64)>,
}

impl Fragments {
    pub(super) fn new(tracks: &[Track], defaults: &[Trex]) -> Self {
        let of = |track: &Track| {
            let known = defaults.iter().find(|trex| trex.track_id == track.id);
            (known.cloned(), 0)
        };
        Self {
            tracks: tracks.iter().map(of).collect(),
        }
    }

    /// The samples of a fragment whose index begins at `offset` in the file, in the order of decoding.
    pub(super) fn read(
        &mut self,
        moof: &Moof,
        offset: u64,
        tracks: &[Track],
    ) -> Result<Vec<Sample>, Mp4Error> {
        let mut samples = Vec::new();
        let mut end = offset;
        for traf in &moof.traf {
            let found = tracks
                .iter()
                .position(|track| track.id == traf.tfhd.track_id);
            let Some(place) = found else { continue };
            let (Some(track), Some(state)) = (tracks.get(place), self.tracks.get_mut(place)) else {
                continue;
            };
            end = read(traf, state, (offset, end), |raw| {
                if samples.len() >= FRAGMENT_SAMPLES_MAX {
                    return Err(Mp4Error::FragmentTooLong);
                }
                samples.push(track.sample(place, raw)?);
                Ok(())
            })?;
        }
        samples.sort_by_key(|sample| sample.dts);
        Ok(samples)
    }
}

/// Gives `take` the samples of one track; says where its data ends.
fn read(
    traf: &Traf,
    (trex, next): &mut (Option<Trex>, i64),
    (moof, before): (u64, u64),
    mut take: impl FnMut(RawSample) -> Result<(), Mp4Error>,
) -> Result<u64, Mp4Error> {
    let tfhd = &traf.tfhd;
    let trex = trex.as_ref();
    if let Some(tfdt) = &traf.tfdt {
        *next = i64::try_from(tfdt.base_media_decode_time).map_err(|_| Mp4Error::Table)?;
    }
    // Without a word about it, data is behind that of the track before (ISO 14496-12, 8.8.7).
    let base = match tfhd.base_data_offset {
        Some(base) => base,
        None if tfhd.default_base_is_moof => moof,
        None => before,
    };
    let mut at = base;
    for trun in &traf.trun {
        if let Some(offset) = trun.data_offset {
            let place = base.checked_add_signed(offset.into());
            at = place.ok_or(Mp4Error::Table)?;
        }
        for entry in trun.samples.iter() {
            let duration = (entry.duration.or(tfhd.default_sample_duration))
                .or(trex.map(|trex| trex.default_sample_duration));
            let size = (entry.size.or(tfhd.default_sample_size))
                .or(trex.map(|trex| trex.default_sample_size));
            let flags = (entry.flags.or(tfhd.default_sample_flags))
                .or(trex.map(|trex| trex.default_sample_flags));
            let size = size.ok_or(Mp4Error::Table)?;
            take(RawSample {
                offset: at,
                size,
                dts: *next,
                cts: entry.cts.unwrap_or_default(),
                is_key: flags.unwrap_or_default() & IS_NO_KEY == 0,
            })?;
            at = at.checked_add(size.into()).ok_or(Mp4Error::Table)?;
            let duration = i64::from(duration.unwrap_or_default());
            *next = next.checked_add(duration).ok_or(Mp4Error::Table)?;
        }
    }
    Ok(at)
}
