//! A track of a file, and how its samples stand in RTMP's messages.

use super::Mp4Error;
use super::limits::{AUDIO_SAMPLE_BYTES_MAX, VIDEO_SAMPLE_BYTES_MAX};
use crate::media::MediaKind;
use bytes::{BufMut, Bytes, BytesMut};
use mp4_atom::{Atom, Codec, ElstEntry, Trak};

/// A track that can be sent on.
#[derive(Clone, Debug)]
pub struct Track {
    pub(super) id: u32,
    format: Format,
    config: Bytes,
    timescale: u32,
    /// What the edit list adds to every time, in ticks.
    shift: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Avc,
    Hevc,
    Aac,
}

/// One coded frame, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The track's place in [`Movie::tracks`](super::Movie::tracks).
    pub track: usize,
    /// Where it begins in the file.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u32,
    /// When it is decoded, in milliseconds; below 0 in front of the file's own beginning.
    pub dts: i64,
    /// How much later it is shown, in milliseconds.
    pub cts: i32,
    /// Whether decoding can begin with it.
    pub is_key: bool,
}

/// A sample as the tables have it: times in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawSample {
    pub(super) offset: u64,
    pub(super) size: u32,
    pub(super) dts: i64,
    pub(super) cts: i64,
    pub(super) is_key: bool,
}

impl Track {
    /// `None` where it is in no format that can be sent on.
    pub(super) fn of(trak: &Trak, movie_timescale: u32) -> Result<Option<Self>, Mp4Error> {
        let stsd = &trak.mdia.minf.stbl.stsd;
        let found = stsd.codecs.first().map(|codec| match codec {
            Codec::Avc1(avc) => Ok(Some((Format::Avc, body(&avc.avcc)?))),
            Codec::Avc3(avc) => Ok(Some((Format::Avc, body(&avc.avcc)?))),
            Codec::Hvc1(hevc) => Ok(Some((Format::Hevc, body(&hevc.hvcc)?))),
            Codec::Hev1(hevc) => Ok(Some((Format::Hevc, body(&hevc.hvcc)?))),
            Codec::Mp4a(aac) => {
                let config = &aac.esds.es_desc.dec_config;
                // MPEG-4 audio, and MPEG-2's profiles of AAC.
                let is_aac = matches!(config.object_type_indication, 0x40 | 0x66..=0x68);
                let specific = config.dec_specific.as_ref().filter(|_| is_aac);
                Ok(specific.map(|specific| (Format::Aac, Bytes::copy_from_slice(&specific.raw))))
            }
            _ => Ok(None),
        });
        let timescale = trak.mdia.mdhd.timescale;
        let Some((format, config)) = found.transpose()?.flatten() else {
            return Ok(None);
        };
        if timescale == 0 {
            return Err(Mp4Error::Table);
        }
        let edits = trak.edts.as_ref().and_then(|edts| edts.elst.as_ref());
        let edits = edits.map_or(&[][..], |elst| &elst.entries);
        Ok(Some(Self {
            id: trak.tkhd.track_id,
            format,
            config,
            timescale,
            shift: shift(edits, timescale, movie_timescale),
        }))
    }

    /// What it carries.
    pub fn kind(&self) -> MediaKind {
        match self.format {
            Format::Avc | Format::Hevc => MediaKind::Video,
            Format::Aac => MediaKind::Audio,
        }
    }

    /// The message that has to come before its samples.
    pub fn header(&self) -> Bytes {
        let front: &[u8] = match self.format {
            Format::Avc => &[0x17, 0, 0, 0, 0],
            // Enhanced RTMP: a keyframe's sequence start.
            Format::Hevc => b"\x90hvc1",
            Format::Aac => &[0xAF, 0],
        };
        [front, &self.config].concat().into()
    }

    /// A sample's message.
    pub fn message(&self, sample: &Sample, data: &[u8]) -> Bytes {
        let mut message = BytesMut::with_capacity(data.len() + 16);
        let frame = if sample.is_key { 1 } else { 2 };
        let [_, cts @ ..] = sample.cts.to_be_bytes();
        match self.format {
            Format::Avc => {
                message.put_slice(&[frame << 4 | 7, 1]);
                message.put_slice(&cts);
            }
            Format::Hevc => {
                // Coded frames with their composition time.
                message.put_slice(&[0x80 | frame << 4 | 1]);
                message.put_slice(b"hvc1");
                message.put_slice(&cts);
            }
            Format::Aac => message.put_slice(&[0xAF, 1]),
        }
        message.put_slice(data);
        message.freeze()
    }

    /// The sample with its times in milliseconds.
    pub(super) fn sample(&self, track: usize, raw: RawSample) -> Result<Sample, Mp4Error> {
        let max = match self.kind() {
            MediaKind::Video => VIDEO_SAMPLE_BYTES_MAX,
            _ => AUDIO_SAMPLE_BYTES_MAX,
        };
        if raw.size > max {
            return Err(Mp4Error::SampleTooLong(raw.size));
        }
        let dts = raw.dts.checked_add(self.shift).ok_or(Mp4Error::Table)?;
        let pts = dts.checked_add(raw.cts).ok_or(Mp4Error::Table)?;
        let (dts, pts) = (self.millis(dts), self.millis(pts));
        // A composition time has 24 bits in a message.
        let cts = (pts - dts).clamp(-0x80_0000, 0x7F_FFFF);
        Ok(Sample {
            track,
            offset: raw.offset,
            size: raw.size,
            dts,
            cts: i32::try_from(cts).unwrap_or_default(),
            is_key: raw.is_key,
        })
    }

    fn millis(&self, ticks: i64) -> i64 {
        let millis = (i128::from(ticks) * 1000).div_euclid(i128::from(self.timescale));
        // No file is as long as what does not fit.
        i64::try_from(millis).unwrap_or_default()
    }
}

/// What is in a box, as it stands in the file.
fn body(of: &impl Atom) -> Result<Bytes, Mp4Error> {
    let mut bytes = Vec::new();
    of.encode_body(&mut bytes)
        .map_err(|error| Mp4Error::Box(error.to_string()))?;
    Ok(bytes.into())
}

/// What an edit list adds to the times of a track: it cuts the priming of a codec off, or begins the track later. More edits than the
/// first cut are an editor's, and nothing that a stream can follow.
fn shift(edits: &[ElstEntry], timescale: u32, movie_timescale: u32) -> i64 {
    let mut late: i128 = 0;
    for edit in edits {
        match edit.media_time {
            None => {
                let duration = i128::from(edit.segment_duration) * i128::from(timescale);
                late += duration / i128::from(movie_timescale.max(1));
            }
            Some(media_time) => return i64::try_from(late - i128::from(media_time)).unwrap_or(0),
        }
    }
    0
}
