//! What a sequence header says of its track: profile and level, the size of pictures, rates, channels. It is read when somebody
//! looks at the stream, and never on a frame's way; nothing is decided by it.

mod audio;
mod av1;
mod avc;
mod bits;
mod hevc;
#[cfg(test)]
mod tests;

use super::tag::{Shape, configuration};
use super::track::Codec;
use bits::Bits;

/// The largest side of a picture that is believed, in pixels: twice what 8K has.
const SIDE_MAX: u64 = 16_384;

/// What a track's sequence header says. Absent is what it does not say, and what cannot be understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// The codec's profile, by the name that encoders have for it.
    pub profile: Option<String>,
    /// Its level, such as `4.1`.
    pub level: Option<String>,
    /// The size of the pictures as they are shown.
    pub picture: Option<Picture>,
    /// Pictures in a second.
    pub frame_rate: Option<f64>,
    /// Samples in a second.
    pub sample_rate: Option<u32>,
    /// How many channels the sound has.
    pub channels: Option<u8>,
}

/// The size of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

impl Description {
    /// Reads a sequence header. Anything is accepted; what says nothing that is understood gives an empty description.
    pub fn of(shape: &Shape, payload: &[u8]) -> Self {
        let read = |configuration: &[u8]| match shape.codec {
            Codec::Avc => avc::describe(configuration),
            Codec::Hevc => hevc::describe(configuration),
            Codec::Av1 => av1::describe(configuration),
            Codec::Aac => audio::describe_aac(configuration),
            Codec::Opus => audio::describe_opus(configuration),
            Codec::Flac => audio::describe_flac(configuration),
            _ => None,
        };
        configuration(shape, payload)
            .and_then(read)
            .unwrap_or_default()
    }
}

/// The first NAL unit of a list in which each has its length in front, in 16 bits; and what is behind it.
fn nal_unit(list: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = list.split_first_chunk::<2>()?;
    rest.split_at_checked(u16::from_be_bytes(length).into())
}

/// Reads a parameter set's cropping, which is told in these units; what it takes from width and height.
fn cropped(bits: &mut Bits<'_>, unit: (u64, u64)) -> Option<(u64, u64)> {
    if !bits.bit()? {
        return Some((0, 0));
    }
    let mut side = || bits.ue().map(u64::from);
    let (left, right, top, bottom) = (side()?, side()?, side()?, side()?);
    Some(((left + right) * unit.0, (top + bottom) * unit.1))
}

fn size(width: u64, height: u64) -> Option<Picture> {
    let side = |pixels: u64| {
        let pixels = Some(pixels).filter(|pixels| (1..=SIDE_MAX).contains(pixels));
        pixels.and_then(|pixels| u32::try_from(pixels).ok())
    };
    Some(Picture {
        width: side(width)?,
        height: side(height)?,
    })
}

/// So many in so much time; none where that is no rate of pictures.
fn rate(count: f64, time: f64) -> Option<f64> {
    let rate = count / time;
    (rate.is_finite() && (0.1..=1000.0).contains(&rate)).then_some(rate)
}
